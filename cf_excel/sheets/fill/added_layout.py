"""Where everything is on the sheets that are added to a workbook: `model` and `history`."""

from dataclasses import dataclass

from cf_excel.model.kinds import KINDS
from cf_excel.xlsx.cells import Block, cell, check_size, one_cell

MODEL_TITLE = "model"
MODEL_NOTE = "A trained model of kind "  # the sheet's first words


@dataclass(frozen=True)
class ModelSheet:
    """The sheet `model`: predictions at the left, ratings beside them, users at the right, movies below.

    kind: the model's, whose row of KINDS says what the formulas do with p.q + both biases; a net has values alone.
    """

    title: str
    n_users: int
    n_movies: int
    n_factors: int
    kind: str

    def __post_init__(self) -> None:
        check_size(self.title, self._factor_bottom + 1, self.user_factors.right)

    @property
    def _top(self) -> int:
        return 7

    @property
    def _bottom(self) -> int:
        return self._top + self.n_users - 1

    @property
    def _factor_bottom(self) -> int:
        return self._bottom + 2 + self.n_factors

    @property
    def note(self) -> Block:
        return one_cell(1, 1)

    @property
    def setting_names(self) -> Block:
        """Lowest and highest rating, mean rating, RMSE."""
        return Block(2, 2, 2, 5)

    @property
    def settings(self) -> Block:
        return Block(3, 2, 3, 5)

    @property
    def low(self) -> Block:
        return self.settings.column(0)

    @property
    def high(self) -> Block:
        return self.settings.column(1)

    @property
    def mean(self) -> Block:
        return self.settings.column(2)

    @property
    def rmse(self) -> Block:
        return self.settings.column(3)

    @property
    def user_ids(self) -> Block:
        return Block(self._top, 1, self._bottom, 1)

    @property
    def predictions(self) -> Block:
        return Block(self._top, 2, self._bottom, self.n_movies + 1)

    @property
    def ratings(self) -> Block:
        return Block(self._top, self.n_movies + 3, self._bottom, 2 * self.n_movies + 2)

    def section(self, block: Block) -> Block:
        """Return the cell that names what is below."""
        return one_cell(self._top - 3, block.left)

    def titles(self, block: Block) -> Block:
        """Return the row of movie titles above predictions or ratings."""
        return Block(self._top - 2, block.left, self._top - 2, block.right)

    def headers(self, block: Block) -> Block:
        """Return the row of movie ids, or names of numbers, above a block."""
        return Block(self._top - 1, block.left, self._top - 1, block.right)

    @property
    def user_bias(self) -> Block:
        return Block(self._top, 2 * self.n_movies + 4, self._bottom, 2 * self.n_movies + 4)

    @property
    def user_factors(self) -> Block:
        left = self.user_bias.left + 1
        return Block(self._top, left, self._bottom, left + self.n_factors - 1)

    @property
    def movie_labels(self) -> Block:
        return Block(self.movie_bias.top, 1, self.movie_factors.bottom, 1)

    @property
    def movie_bias(self) -> Block:
        return Block(self._bottom + 2, 2, self._bottom + 2, self.n_movies + 1)

    @property
    def movie_factors(self) -> Block:
        top = self.movie_bias.top + 1
        return Block(top, 2, top + self.n_factors - 1, self.n_movies + 1)

    @property
    def blocks(self) -> list[Block]:
        """All that is written on the sheet."""
        tables = self.predictions, self.ratings
        return [
            *(self.note, self.setting_names, self.settings, self.user_ids, self.movie_labels),
            *(self.user_bias, self.user_factors, self.movie_bias, self.movie_factors, *tables),
            *(self.section(block) for block in (*tables, self.user_bias)),
            *(self.titles(block) for block in tables),
            *(self.headers(block) for block in (*tables, self.user_bias, self.user_factors)),
        ]

    @property
    def formulas(self) -> dict[Block, str]:
        """Formula of the first cell of each block; the others follow by filling."""
        user = self.user_factors.row(0).span(fix_columns=True)
        movie = self.movie_factors.column(0).span(fix_rows=True)
        user_bias = cell(self.user_bias.top, self.user_bias.left, fix_column=True)
        movie_bias = cell(self.movie_bias.top, self.movie_bias.left, fix_row=True)
        kind, low, high = KINDS[self.kind], self.low.fixed, self.high.fixed
        x = f"MMULT({user},{movie})" + f"+{user_bias}+{movie_bias}" * kind.with_bias
        ratings, predictions = self.ratings.span(), self.predictions.span()
        formulas = {self.rmse: f'SQRT(SUMPRODUCT(({ratings}<>"")*({ratings}-{predictions})^2)/MAX(1,COUNT({ratings})))'}
        if not kind.is_net:
            formulas[self.predictions] = kind.formula_of_term(f"{self.mean.fixed}+" * kind.is_cut + x, low, high)
        return formulas

    @property
    def widths(self) -> dict[Block, float]:
        """Widths of the columns that are not as wide as usual, in characters."""
        return {self.user_ids: 15, self.predictions: 8, self.ratings: 8}

    @property
    def freeze(self) -> Block:
        """Top left cell of what scrolls."""
        return one_cell(self._top, 2)


@dataclass(frozen=True)
class HistorySheet:
    """The sheet `history`: a row a step, a column of RMSE a sheet, a chart beside them."""

    title: str
    n_sheets: int
    n_steps: int

    def __post_init__(self) -> None:
        check_size(self.title, self.n_steps + 2, self.chart.right)

    @property
    def note(self) -> Block:
        return one_cell(1, 1)

    @property
    def headers(self) -> Block:
        return Block(2, 1, 2, self.n_sheets + 1)

    @property
    def steps(self) -> Block:
        return Block(3, 1, self.n_steps + 2, 1)

    @property
    def rmse(self) -> Block:
        return Block(3, 2, self.n_steps + 2, self.n_sheets + 1)

    @property
    def widths(self) -> dict[Block, float]:
        """Widths of the columns that are not as wide as usual, in characters."""
        return {self.rmse: 16}

    @property
    def chart(self) -> Block:
        """What the chart covers."""
        return Block(3, self.n_sheets + 3, 26, self.n_sheets + 13)

    @property
    def freeze(self) -> Block:
        """Top left cell of what scrolls."""
        return one_cell(3, 1)

"""Where everything is on the sheets that are added to a workbook: `model` and `history`."""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.model.kinds import KINDS
from cf_excel.sheets.bands import Area, Bands
from cf_excel.xlsx.cells import Block, cell, check_size
from cf_excel.xlsx.edit.printed_part import PrintedPart

_MOST_PRINTED_MOVIES, _MOST_PRINTED_STEPS = 40, 36  # what one page shows
_ROWS_ON_A_PAGE = 60


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
        check_size(self.title, self.movie_factors.bottom + 1, self.user_factors.right)

    @cached_property
    def rows(self) -> Bands:
        heads = dict.fromkeys(("note", "setting_names", "settings", "sections", "titles", "headers"), 1)
        return Bands(**heads, users=self.n_users, gap=1, bias=1, factors=self.n_factors)

    @cached_property
    def columns(self) -> Bands:
        m, k = self.n_movies, self.n_factors
        return Bands(ids=1, movies=m, gap=1, ratings=m, margin=1, bias=1, factors=k) | Bands(names=1, settings=4)

    note = Area("note", "ids")
    setting_names = Area("setting_names", "settings")  # lowest and highest rating, mean rating, RMSE
    settings = Area("settings", "settings")
    low = Area("settings", "settings", column=0)
    high = Area("settings", "settings", column=1)
    mean = Area("settings", "settings", column=2)
    rmse = Area("settings", "settings", column=3)
    user_ids = Area("users", "ids")
    predictions = Area("users", "movies")
    ratings = Area("users", "ratings")
    user_bias = Area("users", "bias")
    user_factors = Area("users", "factors")
    movie_labels = Area("bias factors", "ids")
    movie_bias = Area("bias", "movies")
    movie_factors = Area("factors", "movies")

    def section(self, block: Block) -> Block:
        """Return the cell that names what is below."""
        return self._above("sections", block).column(0)

    def titles(self, block: Block) -> Block:
        """Return the row of movie titles above predictions or ratings."""
        return self._above("titles", block)

    def headers(self, block: Block) -> Block:
        """Return the row of movie ids, or names of numbers, above a block."""
        return self._above("headers", block)

    def _above(self, band: str, block: Block) -> Block:
        top, bottom = self.rows[band]
        return Block(top, block.left, bottom, block.right)

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
    def page(self) -> Block:
        """What is printed: predictions, and the movies' numbers below them."""
        right = self.predictions.left + min(self.n_movies, _MOST_PRINTED_MOVIES) - 1
        return Block(self.note.top, self.note.left, self.movie_factors.bottom, max(right, self.settings.right))

    @property
    def printed(self) -> PrintedPart:
        """What is printed, and how: of a larger one a single page would be too small."""
        return PrintedPart(area=self.page, on_one_page=self.page.bottom <= _ROWS_ON_A_PAGE)

    @property
    def freeze(self) -> Block:
        """Top left cell of what scrolls."""
        return self.predictions.row(0).column(0)


@dataclass(frozen=True)
class HistorySheet:
    """The sheet `history`: a row a step, a column of RMSE a sheet, a chart beside them."""

    title: str
    n_sheets: int
    n_steps: int

    def __post_init__(self) -> None:
        check_size(self.title, self.n_steps + 2, self.chart.right)

    @cached_property
    def rows(self) -> Bands:
        return Bands(note=1, headers=1, steps=self.n_steps) | Bands(above=2, chart=24)

    @cached_property
    def columns(self) -> Bands:
        return Bands(steps=1, sheets=self.n_sheets, gap=1, chart=11)

    note = Area("note", "steps")
    headers = Area("headers", "steps sheets")
    steps = Area("steps", "steps")
    rmse = Area("steps", "sheets")
    chart = Area("chart", "chart")  # what the chart covers

    @property
    def widths(self) -> dict[Block, float]:
        """Widths of the columns that are not as wide as usual, in characters."""
        return {self.rmse: 16}

    @property
    def page(self) -> Block:
        """What is printed: the chart, and the first steps beside it."""
        bottom = min(self.steps.bottom, self.headers.bottom + _MOST_PRINTED_STEPS)
        return Block(self.note.top, self.note.left, max(bottom, self.chart.bottom), self.chart.right)

    @property
    def freeze(self) -> Block:
        """Top left cell of what scrolls."""
        return self.steps.row(0)

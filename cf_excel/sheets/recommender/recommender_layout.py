"""Where everything is on the recommender's sheets. No other module of it knows a cell address."""

from dataclasses import dataclass

from cf_excel.xlsx.cells import Block, cell, check_size, one_cell

N_BEST = 10
N_RATED = 5


@dataclass(frozen=True)
class TableSheet:
    """The sheets `users`, `movies` and `ratings`: headers, and one row a user, movie or rating."""

    title: str
    n_rows: int
    n_columns: int

    def __post_init__(self) -> None:
        check_size(self.title, self.n_rows + 1, self.n_columns)

    @property
    def headers(self) -> Block:
        return Block(1, 1, 1, self.n_columns)

    @property
    def table(self) -> Block:
        return self.columns(0, self.n_columns)

    @property
    def freeze(self) -> str:
        """Top left cell of what scrolls."""
        return cell(2, 3)

    def columns(self, first: int, n: int = 1) -> Block:
        """Return columns of the table, counted from 0."""
        return Block(2, first + 1, self.n_rows + 1, first + n)


@dataclass(frozen=True)
class PredictSheet:
    """The sheet `predict`: what people see; four panels, two by two."""

    title: str = "predict"
    left: int = 2
    right: int = 7  # first columns of the panels: number, title, genres, score
    top: int = 5
    lists_top: int = 13
    lower_top: int = 26

    @property
    def heading(self) -> Block:
        return one_cell(1, self.left)

    @property
    def notes(self) -> Block:
        """Two lines under the title."""
        return Block(2, self.left, 3, self.left)

    @property
    def pick_heading(self) -> Block:
        return Block(self.top, self.left, self.top, self.left + 3)

    @property
    def pick_labels(self) -> Block:
        return Block(self.top + 1, self.left, self.top + 3, self.left)

    @property
    def picked_user(self) -> Block:
        return one_cell(self.top + 1, self.left + 1)

    @property
    def picked_movie(self) -> Block:
        return one_cell(self.top + 2, self.left + 1)

    @property
    def rating(self) -> Block:
        return one_cell(self.top + 3, self.left + 1)

    @property
    def pick_remark(self) -> Block:
        return one_cell(self.top + 4, self.left + 1)

    @property
    def rate_heading(self) -> Block:
        return Block(self.top, self.right, self.top, self.right + 3)

    @property
    def rate_numbers(self) -> Block:
        return self._panel(0)

    @property
    def rated_titles(self) -> Block:
        return self._panel(1)

    @property
    def rate_remarks(self) -> Block:
        return self._panel(2)

    @property
    def given_ratings(self) -> Block:
        return self._panel(3)

    def _panel(self, column: int) -> Block:
        return Block(self.top + 1, self.right + column, self.top + N_RATED, self.right + column)

    @property
    def least_label(self) -> Block:
        """The words beside the least number of ratings of a similar movie, in the heading of those."""
        return one_cell(self.lower_top, self.left + 2)

    @property
    def least_ratings(self) -> Block:
        return one_cell(self.lower_top, self.left + 3)

    def list_at(self, name: str) -> "ListPanel":
        """Return one of the lists: best, similar or yours."""
        top, left = {
            "best": (self.lists_top, self.left),
            "yours": (self.lists_top, self.right),
            "similar": (self.lower_top, self.left),
        }[name]
        return ListPanel(top, left)

    def help_lines(self, n: int) -> Block:
        return Block(self.lower_top, self.right, self.lower_top + n - 1, self.right + 3)

    @property
    def widths(self) -> dict[int, float]:
        """Width by column."""
        panel = (8, 46, 27, 12)
        return {1: 2.5, 6: 4} | {left + i: width for left in (self.left, self.right) for i, width in enumerate(panel)}

    @property
    def tall_rows(self) -> range:
        """Rows of the panels in which people pick."""
        return range(self.top + 1, self.top + N_RATED + 1)

    @property
    def printed(self) -> str:
        """The area that is printed."""
        return Block(1, 1, self.lower_top + N_BEST + 1, self.right + 3).span()


@dataclass(frozen=True)
class ListPanel:
    """A list of the ten best: a heading, names of the columns, ten rows."""

    top: int
    left: int

    @property
    def heading(self) -> Block:
        return Block(self.top, self.left, self.top, self.left + 3)

    @property
    def headers(self) -> Block:
        return Block(self.top + 1, self.left, self.top + 1, self.left + 3)

    def column(self, i: int) -> Block:
        """Return the column of numbers, titles, genres or scores."""
        return Block(self.top + 2, self.left + i, self.top + 1 + N_BEST, self.left + i)


@dataclass(frozen=True)
class CalcSheet:
    """The hidden sheet `calc`: one row a movie at the left, small blocks at the right of it."""

    n_movies: int
    n_factors: int
    n_choices: int
    title: str = "calc"

    def __post_init__(self) -> None:
        check_size(self.title, self.n_movies + 1, self.covariance.right)

    def _long(self, column: int) -> Block:
        return Block(2, column, self.n_movies + 1, column)

    @property
    def long_headers(self) -> Block:
        return Block(1, 1, 1, 5)

    @property
    def movie_list(self) -> Block:
        """Titles in alphabetical order, for the dropdowns."""
        return self._long(1)

    @property
    def times_rated(self) -> Block:
        """How often the picked user rated each movie: once or never."""
        return self._long(2)

    @property
    def best_scores(self) -> Block:
        return self._long(3)

    @property
    def similar_scores(self) -> Block:
        return self._long(4)

    @property
    def your_scores(self) -> Block:
        return self._long(5)

    def scalar_label(self, i: int) -> Block:
        return one_cell(2 + i, 7)

    def scalar(self, i: int) -> Block:
        return one_cell(2 + i, 8)

    @property
    def rating_list(self) -> Block:
        """Ratings that the dropdown offers."""
        return Block(2, 10, self.n_choices + 1, 10)

    @property
    def rating_list_header(self) -> Block:
        return one_cell(1, 10)

    def list_values(self, i: int) -> Block:
        """Return the scores of one of the three lists, from 0."""
        return Block(2, 12 + 2 * i, N_BEST + 1, 12 + 2 * i)

    def list_rows(self, i: int) -> Block:
        """Return the movie rows of one of the three lists, from 0."""
        return Block(2, 13 + 2 * i, N_BEST + 1, 13 + 2 * i)

    @property
    def list_headers(self) -> Block:
        return Block(1, 12, 1, 17)

    @property
    def _panel_top(self) -> int:
        return N_BEST + 5

    def panel(self, column: int) -> Block:
        """Return a column of the panel in which people rate movies, one row a rating, from 0."""
        return Block(self._panel_top, 10 + column, self._panel_top + N_RATED - 1, 10 + column)

    @property
    def panel_headers(self) -> Block:
        return Block(self._panel_top - 1, 10, self._panel_top - 1, 18)

    def panel_below(self, column: int) -> str:
        """Return the address of what is below the first row of a column, and a blank cell."""
        block = self.panel(column)
        return Block(block.top + 1, block.left, block.bottom + 1, block.right).span(fix_columns=True)

    @property
    def panel_system(self) -> Block:
        """The equations of the fold-in, one a rating."""
        return Block(self._panel_top, 20, self._panel_top + N_RATED - 1, 19 + N_RATED)

    @property
    def _vector_top(self) -> int:
        return self._panel_top + N_RATED + 3

    def vector(self, column: int, n: int) -> Block:
        return Block(self._vector_top, 10 + column, self._vector_top + n - 1, 10 + column)

    @property
    def vector_headers(self) -> Block:
        return Block(self._vector_top - 1, 10, self._vector_top - 1, 14)

    @property
    def wide_left(self) -> int:
        return 27

    @property
    def covariance(self) -> Block:
        """Covariance of the users, the bias last."""
        k = self.n_factors + 1
        return Block(self._vector_top, self.wide_left, self._vector_top + k - 1, self.wide_left + k - 1)

    @property
    def panel_factors(self) -> Block:
        """Factors of the rated movies and a 1, one row a rating."""
        return Block(self._panel_top, self.covariance.left, self._panel_top + N_RATED - 1, self.covariance.right)

    @property
    def panel_products(self) -> Block:
        """The factors of the rated movies times the covariance."""
        top = self._panel_top - N_RATED - 2
        return Block(top, self.covariance.left, top + N_RATED - 1, self.covariance.right)

    def header_of(self, block: Block) -> Block:
        """Return the cell above the top left one of a block."""
        return one_cell(block.top - 1, block.left)

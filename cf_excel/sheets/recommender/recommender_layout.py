"""Where everything is on the recommender's sheets. No other module of it knows a cell address."""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.sheets.bands import Area, Bands, meeting
from cf_excel.xlsx.cells import Block, cell, check_size, on_sheet, one_cell

N_BEST = 10
N_RATED = 5
_TOP, _LOWER_TOP = 5, 26  # of the panels of the sheet predict
_TRY_TOP = _LOWER_TOP + N_BEST + 4
_LEFT, _RIGHT = 2, 7  # their first columns: number, title, genres, score
# columns of the tables before the factors: the name of the cells, and the header
USER_COLUMNS = {"user_ids": "user", "user_bias": "bias"}
MOVIE_COLUMNS = {
    "movie_ids": "movie",
    "movie_titles": "title",
    "movie_years": "year",
    "movie_genres": "genres",
    "movie_ratings": "ratings",
    "movie_lengths": "length",
    "movie_bias": "bias",
}


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

    @property
    def printed(self) -> str:
        """The area that is printed: the head of a long and wide table."""
        return Block(1, 1, min(self.n_rows, 50) + 1, min(self.n_columns, 14)).span()

    def columns(self, first: int, n: int = 1) -> Block:
        """Return columns of the table, counted from 0."""
        return Block(2, first + 1, self.n_rows + 1, first + n)


class PredictSheet:
    """The sheet `predict`: what people see; four panels, two by two."""

    title = "predict"
    heading = one_cell(1, _LEFT)
    notes = Block(2, _LEFT, 3, _LEFT)  # two lines under the title
    pick_heading = Block(_TOP, _LEFT, _TOP, _LEFT + 3)
    pick_labels = Block(_TOP + 1, _LEFT, _TOP + 3, _LEFT)
    picked_user = one_cell(_TOP + 1, _LEFT + 1)
    picked_movie = one_cell(_TOP + 2, _LEFT + 1)
    rating = one_cell(_TOP + 3, _LEFT + 1)
    pick_remark = one_cell(_TOP + 4, _LEFT + 1)
    rate_heading = Block(_TOP, _RIGHT, _TOP, _RIGHT + 3)
    rate_numbers, rated_titles, rate_remarks, given_ratings = (
        Block(_TOP + 1, column, _TOP + N_RATED, column) for column in range(_RIGHT, _RIGHT + 4)
    )
    # beside the words is the least number of ratings of a similar movie, in the heading of those
    least_label = one_cell(_LOWER_TOP, _LEFT + 2)
    least_ratings = one_cell(_LOWER_TOP, _LEFT + 3)
    # under what is printed: a function in each corner, with cells for what it gives
    try_heading = Block(_TRY_TOP, _LEFT, _TRY_TOP, _RIGHT + 3)
    try_notes = Block(_TRY_TOP + 1, _LEFT, _TRY_TOP + 2, _LEFT)
    tall_rows = range(_TOP + 1, _TOP + N_RATED + 1)  # rows of the panels in which people pick
    printed = Block(1, 1, _LOWER_TOP + N_BEST + 1, _RIGHT + 3).span()  # the area that is printed

    def list_at(self, name: str) -> "ListPanel":
        """Return one of the lists: best, similar or yours."""
        return ListPanel(*{"best": (13, _LEFT), "yours": (13, _RIGHT), "similar": (_LOWER_TOP, _LEFT)}[name])

    def try_area(self, i: int) -> Block:
        """Return the cells of one of the four functions: a line that says what it gives, and two columns of room."""
        top, left = _TRY_TOP + 4 + (N_BEST + 2) * (i // 2), (_LEFT, _RIGHT)[i % 2] + 1
        return Block(top, left, top + N_BEST, left + 1)

    def help_lines(self, n: int) -> Block:
        return Block(_LOWER_TOP, _RIGHT, _LOWER_TOP + n - 1, _RIGHT + 3)

    @property
    def widths(self) -> dict[int, float]:
        """Width by column."""
        panel = (8, 46, 27, 12)
        return {1: 2.5, 6: 4} | {left + i: width for left in (_LEFT, _RIGHT) for i, width in enumerate(panel)}


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

    @cached_property
    def rows(self) -> Bands:
        movies, best = Bands(header=1, movies=self.n_movies), Bands(header=1, best=N_BEST)
        choices, products = Bands(header=1, choices=self.n_choices), Bands(above=N_BEST - 3, products=N_RATED)
        fold_in = Bands(above=N_BEST + 4, panel=N_RATED, gap=3, factors=self.n_factors, bias=1)
        return movies | best | choices | products | fold_in

    @cached_property
    def columns(self) -> Bands:
        left = {"long": 5, "gap": 1, "labels": 1, "scalars": 1, "choices": 1}
        return Bands(**left, small=10, system=N_RATED, space=2, factors=self.n_factors, bias=1)

    rating_list = Area("choices", "choices")  # ratings that the dropdown offers
    panel_system = Area("panel", "system")  # the equations of the fold-in, one a rating
    panel_factors = Area("panel", "factors bias")  # factors of the rated movies and a 1, one row a rating
    panel_movie_factors = Area("panel", "factors")
    panel_ones = Area("panel", "bias")
    panel_products = Area("products", "factors bias")  # the factors of the rated movies times the covariance
    covariance = Area("factors bias", "factors bias")  # covariance of the users, the bias last

    @property
    def factor_number(self) -> str:
        """Formula of a factor's number, from 1, in the first column of panel_movie_factors; the others by filling."""
        first = self.panel_movie_factors.row(0).column(0)
        return f"COLUMNS({cell(first.top, first.left, fix_column=True)}:{first.first})"

    def long(self, i: int) -> Block:
        """Return a column of one row a movie, counted from 0."""
        return meeting(self, "movies", "long", column=i)

    def scalar_label(self, i: int) -> Block:
        return meeting(self, "movies", "labels", row=i)

    def scalar(self, i: int) -> Block:
        return meeting(self, "movies", "scalars", row=i)

    def list_values(self, i: int) -> Block:
        """Return the scores of one of the three lists, from 0."""
        return meeting(self, "best", "small", column=2 + 2 * i)

    def list_rows(self, i: int) -> Block:
        """Return the movie rows of one of the three lists, from 0."""
        return meeting(self, "best", "small", column=3 + 2 * i)

    def panel(self, i: int) -> Block:
        """Return a column of the panel in which people rate movies, one row a rating, from 0."""
        return meeting(self, "panel", "small", column=i)

    def vector(self, i: int, *, with_bias: bool = False) -> Block:
        """Return a column of one row a factor, counted from 0, and one for the bias."""
        return meeting(self, "factors bias" if with_bias else "factors", "small", column=i)

    @staticmethod
    def below_first(block: Block) -> Block:
        """Return what is below the first cell of a column, and a blank cell."""
        return Block(block.top + 1, block.left, block.bottom + 1, block.right)

    @staticmethod
    def header_of(block: Block) -> Block:
        """Return the cell above the top left one of a block."""
        return one_cell(block.top - 1, block.left)


@dataclass(frozen=True)
class RecommenderSheets:
    """All sheets of the recommender, for a model of some kind; nouns: what it calls a user and a movie."""

    n_users: int
    n_movies: int
    n_factors: int
    n_ratings: int
    n_choices: int
    kind: str
    nouns: Nouns = USUAL_NOUNS

    predict = PredictSheet()

    @cached_property
    def users(self) -> TableSheet:
        return TableSheet("users", self.n_users, len(USER_COLUMNS) + self.n_factors)

    @cached_property
    def movies(self) -> TableSheet:
        return TableSheet("movies", self.n_movies, len(MOVIE_COLUMNS) + self.n_factors)

    @cached_property
    def ratings(self) -> TableSheet | None:
        """User row and movie row of every rating; None where the file holds no ratings."""
        return TableSheet("ratings", self.n_ratings, 2) if self.n_ratings else None

    @cached_property
    def calc(self) -> CalcSheet:
        return CalcSheet(self.n_movies, self.n_factors, self.n_choices)

    @property
    def movie_numbers(self) -> str:
        """Formula of the rows of the movies, from 1; by the address, because not every program has ROW of a name."""
        return f"ROW({on_sheet(self.movies.title, self.movies.columns(0))})-{self.movies.table.top - 1}"

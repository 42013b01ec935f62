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
_LEFT = 2  # first column of those at the left
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
# columns after the factors where lists have factors, before their numbers given and asked (see ListFactors)
LIST_USER_COLUMNS = {"user_ratings": "ratings"}
LIST_MOVIE_COLUMNS = {"movie_popularity": "popularity"}


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


@dataclass(frozen=True)
class PredictSheet:
    """The sheet `predict`: what people see; four panels, two by two.

    n_columns: of a panel: number, title, genres, score and, where there are five, how many rated the movie.
    """

    n_columns: int = 4

    title = "predict"
    heading = one_cell(1, _LEFT)
    notes = Block(2, _LEFT, 3, _LEFT)  # two lines under the title
    pick_labels = Block(_TOP + 1, _LEFT, _TOP + 3, _LEFT)
    picked_user = one_cell(_TOP + 1, _LEFT + 1)
    picked_movie = one_cell(_TOP + 2, _LEFT + 1)
    rating = one_cell(_TOP + 3, _LEFT + 1)
    pick_remark = one_cell(_TOP + 4, _LEFT + 1)
    # beside the words is the least number of ratings of a similar movie, in the heading of those
    least_label = one_cell(_LOWER_TOP, _LEFT + 2)
    least_ratings = one_cell(_LOWER_TOP, _LEFT + 3)
    # under what is printed: a function in each corner, with cells for what it gives
    try_notes = Block(_TRY_TOP + 1, _LEFT, _TRY_TOP + 2, _LEFT)
    tall_rows = range(_TOP + 1, _TOP + N_RATED + 1)  # rows of the panels in which people pick

    @property
    def right(self) -> int:
        """The first column of the panels at the right."""
        return _LEFT + self.n_columns + 1

    @property
    def pick_heading(self) -> Block:
        return ListPanel(_TOP, _LEFT, self.n_columns).heading

    @property
    def rate_heading(self) -> Block:
        return ListPanel(_TOP, self.right, self.n_columns).heading

    @property
    def rate_numbers(self) -> Block:
        return self._rate_column(0)

    @property
    def rated_titles(self) -> Block:
        return self._rate_column(1)

    @property
    def rate_remarks(self) -> Block:
        return self._rate_column(2)

    @property
    def given_ratings(self) -> Block:
        return self._rate_column(3)

    @property
    def try_heading(self) -> Block:
        return Block(_TRY_TOP, _LEFT, _TRY_TOP, self.right + self.n_columns - 1)

    @property
    def printed(self) -> str:
        """The area that is printed."""
        return Block(1, 1, _LOWER_TOP + N_BEST + 1, self.right + self.n_columns - 1).span()

    def list_at(self, name: str) -> "ListPanel":
        """Return one of the lists: best, similar or yours."""
        top, left = {"best": (13, _LEFT), "yours": (13, self.right), "similar": (_LOWER_TOP, _LEFT)}[name]
        return ListPanel(top, left, self.n_columns)

    def try_area(self, i: int) -> Block:
        """Return the cells of one of the four functions: a line that says what it gives, and two columns of room."""
        top, left = _TRY_TOP + 4 + (N_BEST + 2) * (i // 2), (_LEFT, self.right)[i % 2] + 1
        return Block(top, left, top + N_BEST, left + 1)

    def help_lines(self, n: int) -> Block:
        return Block(_LOWER_TOP, self.right, _LOWER_TOP + n - 1, self.right + self.n_columns - 1)

    @property
    def widths(self) -> dict[int, float]:
        """Width by column."""
        panel = (8, 48, 33, 10, 8)[: self.n_columns]
        left = {_LEFT + i: width for i, width in enumerate(panel)}
        return {1: 2.5, self.right - 1: 4} | left | {self.right + i: width for i, width in enumerate(panel)}

    def _rate_column(self, i: int) -> Block:
        return Block(_TOP + 1, self.right + i, _TOP + N_RATED, self.right + i)


@dataclass(frozen=True)
class ListPanel:
    """A list of the ten best: a heading, names of the columns, ten rows."""

    top: int
    left: int
    n_columns: int

    @property
    def heading(self) -> Block:
        return Block(self.top, self.left, self.top, self.left + self.n_columns - 1)

    @property
    def headers(self) -> Block:
        return Block(self.top + 1, self.left, self.top + 1, self.left + self.n_columns - 1)

    def column(self, i: int) -> Block:
        """Return the column of numbers, titles, genres, scores or how many rated."""
        return Block(self.top + 2, self.left + i, self.top + 1 + N_BEST, self.left + i)


@dataclass(frozen=True)
class CalcSheet:
    """The hidden sheet `calc`: one row a movie at the left, small blocks at the right of it.

    n_long: how many columns have one row a movie. n_columns: of the list factors, 0 where there are none.
    """

    n_movies: int
    n_factors: int
    n_choices: int
    n_long: int
    n_columns: int
    title: str = "calc"

    def __post_init__(self) -> None:
        check_size(self.title, self.n_movies + 1, max(self.covariance.right, self.panel_given.right))

    @cached_property
    def rows(self) -> Bands:
        movies, best = Bands(header=1, movies=self.n_movies), Bands(header=1, best=N_BEST)
        choices, products = Bands(header=1, choices=self.n_choices), Bands(above=N_BEST - 3, products=N_RATED)
        vectors = {"factors": self.n_factors, "bias": 1, "before_given": 2, "given": self.n_columns}
        fold_in = Bands(above=N_BEST + 4, panel=N_RATED, gap=3, **vectors)
        return movies | best | choices | products | fold_in

    @cached_property
    def columns(self) -> Bands:
        left = {"long": self.n_long, "gap": 1, "labels": 1, "scalars": 1, "choices": 1}
        small = {"small": 10, "system": N_RATED, "space": 2, "factors": self.n_factors, "bias": 1}
        return Bands(**left, **small, before_given=min(1, self.n_columns), given=self.n_columns)

    rating_list = Area("choices", "choices")  # ratings that the dropdown offers
    panel_system = Area("panel", "system")  # the equations of the fold-in, one a rating
    panel_factors = Area("panel", "factors bias")  # factors of the rated movies and a 1, one row a rating
    panel_movie_factors = Area("panel", "factors")
    panel_ones = Area("panel", "bias")
    panel_given = Area("panel", "given")  # what the rated movies give to their user's list, one row a rating
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

    def given(self, i: int) -> Block:
        """Return a column of one row a number of the list factors, counted from 0."""
        return meeting(self, "given", "small", column=i)

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
    """All sheets of the recommender, for a model of some kind; nouns: what it calls a user and a movie.

    lists: "score" or "watch", what the lists of the best rank by, and n_columns: of the list factors; blank and 0 where
    lists rank by the predicted rating.
    """

    n_users: int
    n_movies: int
    n_factors: int
    n_ratings: int
    n_choices: int
    kind: str
    nouns: Nouns = USUAL_NOUNS
    lists: str = ""
    n_columns: int = 0

    @cached_property
    def predict(self) -> PredictSheet:
        return PredictSheet(5 if self.lists else 4)

    @cached_property
    def users(self) -> TableSheet:
        of_lists = len(LIST_USER_COLUMNS) + self.n_columns if self.lists else 0
        return TableSheet("users", self.n_users, len(USER_COLUMNS) + self.n_factors + of_lists)

    @cached_property
    def movies(self) -> TableSheet:
        of_lists = len(LIST_MOVIE_COLUMNS) + 2 * self.n_columns if self.lists else 0
        return TableSheet("movies", self.n_movies, len(MOVIE_COLUMNS) + self.n_factors + of_lists)

    @cached_property
    def ratings(self) -> TableSheet | None:
        """User row and movie row of every rating; None where the file holds no ratings."""
        return TableSheet("ratings", self.n_ratings, 2) if self.n_ratings else None

    @cached_property
    def calc(self) -> CalcSheet:
        return CalcSheet(self.n_movies, self.n_factors, self.n_choices, 9 if self.lists else 5, self.n_columns)

    @property
    def movie_numbers(self) -> str:
        """Formula of the rows of the movies, from 1; by the address, because not every program has ROW of a name."""
        return f"ROW({on_sheet(self.movies.title, self.movies.columns(0))})-{self.movies.table.top - 1}"

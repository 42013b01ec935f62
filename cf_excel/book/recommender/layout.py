"""Where everything is in the recommender, and the names by which its formulas call it.

No other module of the recommender knows a cell address.
"""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.book.cells import Block, cell, check_size, on_sheet, one_cell

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
        """The words beside the least number of ratings of a similar movie."""
        return one_cell(self.lower_top - 1, self.left + 2)

    @property
    def least_ratings(self) -> Block:
        return one_cell(self.lower_top - 1, self.left + 3)

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
        panel = (9, 46, 22, 13)
        return {1: 2.5, 6: 4} | {left + i: width for left in (self.left, self.right) for i, width in enumerate(panel)}

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


SCALARS = (
    *("user_row", "movie_row", "first_rating", "last_rating", "user_offset", "movie_offset", "movie_length"),
    *("lowest_rating", "highest_rating", "global_mean", "rating_noise"),
)
PANEL = ("found", "usable", "rated_row", "movie_bias", "sum", "prediction", "slope", "error", "weight")
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
class RecommenderBook:
    """All sheets of the recommender, and the names of its cells."""

    n_users: int
    n_movies: int
    n_factors: int
    n_ratings: int
    n_choices: int

    @cached_property
    def predict(self) -> PredictSheet:
        return PredictSheet()

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

    @cached_property
    def blocks(self) -> dict[str, tuple[str, Block]]:
        """Sheet and cells of every name that formulas use."""
        users, movies, calc, predict, k = self.users, self.movies, self.calc, self.predict, self.n_factors
        on_users = {name: users.columns(i) for i, name in enumerate(USER_COLUMNS)}
        on_users["user_factors"] = users.columns(len(USER_COLUMNS), k)
        on_movies = {name: movies.columns(i) for i, name in enumerate(MOVIE_COLUMNS)}
        on_movies["movie_factors"] = movies.columns(len(MOVIE_COLUMNS), k)
        names = {name: ("users", block) for name, block in on_users.items()}
        names |= {name: ("movies", block) for name, block in on_movies.items()}
        if self.ratings:
            names |= {
                name: ("ratings", self.ratings.columns(i)) for i, name in enumerate(("rated_users", "rated_movies"))
            }
        picks = ("picked_user", "picked_movie", "rated_titles", "given_ratings", "least_ratings")
        names |= {name: ("predict", getattr(predict, name)) for name in picks}
        long = ("movie_list", "rating_list", "times_rated", "best_scores", "similar_scores", "your_scores")
        on_calc = {name: getattr(calc, name) for name in long}
        on_calc |= {name: calc.scalar(i) for i, name in enumerate(SCALARS)}
        on_calc |= {f"panel_{name}": calc.panel(i) for i, name in enumerate(PANEL)}
        on_calc |= {name: getattr(calc, name) for name in ("panel_system", "panel_factors", "panel_products")}
        you = calc.vector(2, k + 1)
        on_calc |= {
            "user_vector": calc.vector(0, k),
            "movie_vector": calc.vector(1, k),
            "your_vector": you,
            "your_factors": Block(you.top, you.left, you.bottom - 1, you.left),
            "your_bias": one_cell(you.bottom, you.left),
            "prior_mean": calc.vector(3, k + 1),
            "prior_covariance": calc.covariance,
        }
        return names | {name: ("calc", block) for name, block in on_calc.items()}

    @cached_property
    def names(self) -> dict[str, str]:
        """What each name stands for: a fixed address with its sheet."""
        # a block of one cell is written A1:A1, because some programs look nothing up in A1
        lookups = ("user_", "movie_", "rated_", "rating_list")
        return {
            name: f"{sheet}!{block.span(fix_rows=True, fix_columns=True)}"
            if name.startswith(lookups) and name not in SCALARS
            else on_sheet(sheet, block)
            for name, (sheet, block) in self.blocks.items()
        }

    @property
    def movie_numbers(self) -> str:
        """Formula of the rows of the movies, from 1."""
        return f"ROW(movie_bias)-{self.movies.table.top - 1}"

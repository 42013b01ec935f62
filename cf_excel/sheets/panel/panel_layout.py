"""Where everything is on the sheet `predict` and on xlwings' sheet of settings, and what their formulas say."""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.sheets.bands import Area, Bands
from cf_excel.sheets.lesson.lesson_layout import CollabBook, GridSheet
from cf_excel.xlsx.cells import Block, on_sheet, one_cell

USERS_NAME, MOVIES_NAME, RATINGS_NAME = "cf_users", "cf_movies", "cf_ratings"
N_SHOWN = 10
N_RATED = 5
_LISTS_TOP = 11
_RATE_TOP = 24


@dataclass(frozen=True)
class ConfSheet:
    """Settings that xlwings reads: a name and a value in each row, from the first cell on."""

    n_settings: int
    title: str = "xlwings.conf"

    @property
    def settings(self) -> Block:
        return Block(1, 1, self.n_settings, 2)


@dataclass(frozen=True)
class TitlesSheet:
    """The hidden sheet from which movies are picked: every title, in alphabetical order."""

    n_titles: int
    title: str = "titles"

    @property
    def titles(self) -> Block:
        return Block(1, 1, self.n_titles, 1)

    @property
    def choices(self) -> str:
        """Source of the dropdowns of movies."""
        return on_sheet(self.title, self.titles)


@dataclass(frozen=True)
class PanelSheet:
    """Questions to the model at the left, two grids of predictions at the right: the model's and the sheet's own."""

    book: CollabBook
    title: str = "predict"

    heading = one_cell(1, 1)
    note = one_cell(2, 1)
    without_python = one_cell(3, 1)  # what to do where the functions do not run
    labels = Block(6, 1, 9, 1)
    user = one_cell(6, 2)
    movie = one_cell(7, 2)
    rating = one_cell(8, 2)
    model = one_cell(9, 2)
    model_room = Block(9, 2, 9, 5)  # the cells over which its words go
    recommended_head = Block(_LISTS_TOP, 1, _LISTS_TOP, 2)
    recommended = Block(_LISTS_TOP + 1, 1, _LISTS_TOP + N_SHOWN, 2)
    similar_head = Block(_LISTS_TOP, 4, _LISTS_TOP, 5)
    similar = Block(_LISTS_TOP + 1, 4, _LISTS_TOP + N_SHOWN, 5)
    rate_head = Block(_RATE_TOP, 1, _RATE_TOP, 2)
    rate_movies = Block(_RATE_TOP + 1, 1, _RATE_TOP + N_RATED, 1)
    rate_ratings = Block(_RATE_TOP + 1, 2, _RATE_TOP + N_RATED, 2)
    for_you_head = Block(_RATE_TOP, 4, _RATE_TOP, 5)
    for_you = Block(_RATE_TOP + 1, 4, _RATE_TOP + N_SHOWN, 5)

    @staticmethod
    def button(index: int) -> Block:
        """Return the cells under a button, counted from 0."""
        return (one_cell(4, 1), one_cell(4, 2), one_cell(4, 4), one_cell(4, 5))[index]

    @property
    def compared(self) -> GridSheet:
        """The sheet whose ratings and predictions stand below the model's."""
        return self.book.bias

    @cached_property
    def grids(self) -> tuple["PredictionGrid", "PredictionGrid"]:
        """The model's grid and below it the compared sheet's."""
        first = PredictionGrid(4, self.book.n_users, self.book.n_movies)
        return first, PredictionGrid(first.rmse.bottom + 2, self.book.n_users, self.book.n_movies)

    @property
    def names(self) -> dict[str, str]:
        """Defined names: the users and the movies of the model's grid; the ratings with their users and movies."""
        grid, compared, cells = self.grids[0], self.compared, self.compared.ratings
        names = {USERS_NAME: on_sheet(self.title, grid.users), MOVIES_NAME: on_sheet(self.title, grid.movies)}
        rated = Block(cells.top - 1, cells.left - 1, cells.bottom, cells.right)
        return names | {RATINGS_NAME: on_sheet(compared.title, rated)}

    @property
    def name_comments(self) -> dict[str, str]:
        """What the Name Manager says beside each of them."""
        return {
            USERS_NAME: "The {users} of the predictions: the button that writes predictions asks for these.",
            MOVIES_NAME: "The {movies} of the predictions: the button that writes predictions asks for these.",
            RATINGS_NAME: f"The ratings of the sheet {self.compared.title}, with their {{users}} and {{movies}}.",
        }

    @property
    def user_choices(self) -> str:
        """Source of the dropdown of users."""
        return on_sheet(self.compared.title, self.compared.rating_users)

    @property
    def any_error(self) -> str:
        """Condition that one of the answers is an error, as where a program does not know the functions."""
        answers = (self.rating, self.model, self.recommended, self.similar, self.for_you)
        return f"OR({','.join(f'ISERROR({block.first})' for block in answers)})"

    @property
    def calls(self) -> dict[Block, str]:
        """The blocks that functions fill, each with its formula."""
        user, movie = self.user.first, self.movie.first
        grid, own = self.grids
        ratings = on_sheet(self.compared.title, self.compared.ratings)
        return {
            self.rating: f"CF_PREDICT({user},{movie})",
            self.model: "CF_MODEL()",
            self.recommended: f"CF_RECOMMEND({user},{N_SHOWN})",
            self.similar: f"CF_SIMILAR({movie},{N_SHOWN})",
            self.for_you: f"CF_RATE({self.rate_movies.address},{self.rate_ratings.address},{N_SHOWN})",
            grid.predictions: f"CF_PREDICT({grid.users.span()},{grid.movies.span()})",
            grid.rmse: f"CF_RMSE({ratings},{grid.predictions.span()})",
            own.rmse: f"CF_RMSE({ratings},{own.predictions.span()})",
        }

    @property
    def copied_users(self) -> str:
        """Formula of the first user id of a grid."""
        return f"{self.compared.title}!{self.compared.rating_users.first}"

    @property
    def copied_movies(self) -> str:
        """Formula of the first movie id of a grid."""
        return f"{self.compared.title}!{self.compared.rating_movies.first}"

    @property
    def copied_predictions(self) -> str:
        """Formula of the first prediction of the lower grid."""
        return f"{self.compared.title}!{self.compared.predictions.first}"

    @property
    def widths(self) -> dict[Block, float]:
        """Widths of the columns."""
        grid = self.grids[0]
        return {
            self.labels: 46,
            self.user: 24,
            Block(1, 3, 1, 3): 3,
            self.similar.column(0): 46,
            self.similar.column(1): 12,
            Block(1, 6, 1, 6): 3,
            grid.users: 9,
            grid.predictions: 7.5,
        }


@dataclass(frozen=True)
class PredictionGrid:
    """Predictions with movie ids above and user ids at the left, and their RMSE below."""

    top: int
    n_users: int
    n_movies: int

    @cached_property
    def rows(self) -> Bands:
        return Bands(above=self.top - 1, heading=1, movies=1, users=self.n_users, rmse=1)

    @cached_property
    def columns(self) -> Bands:
        return Bands(questions=6, users=1, movies=self.n_movies)

    heading = Area("heading", "users")
    movies = Area("movies", "movies")
    users = Area("users", "users")
    predictions = Area("users", "movies")
    rmse_label = Area("rmse", "users")
    rmse = Area("rmse", "movies", column=0)

"""All sheets of the recommender, and the names by which its formulas call their cells."""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.sheets.recommender.recommender_layout import CalcSheet, PredictSheet, TableSheet
from cf_excel.xlsx.cells import Block, on_sheet, one_cell

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

"""All sheets of the recommender, and the names by which its formulas call their cells."""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.sheets.recommender.calc_cells import calc_cells, scalars
from cf_excel.sheets.recommender.calc_results import Cells
from cf_excel.sheets.recommender.recommender_layout import (
    LIST_MOVIE_COLUMNS,
    LIST_USER_COLUMNS,
    MOVIE_COLUMNS,
    USER_COLUMNS,
    RecommenderSheets,
)
from cf_excel.xlsx.cells import Block, on_sheet


@dataclass(frozen=True)
class RecommenderBook(RecommenderSheets):
    """All sheets of the recommender, and the names of their cells."""

    @cached_property
    def calc_cells(self) -> dict[Block, Cells]:
        """What is on the sheet `calc`."""
        return calc_cells(self)

    @cached_property
    def blocks(self) -> dict[str, tuple[str, Block]]:
        """Sheet and cells of every name that formulas use."""
        users, movies, predict, k, n = self.users, self.movies, self.predict, self.n_factors, self.n_columns
        on_users = {name: users.columns(i) for i, name in enumerate(USER_COLUMNS)}
        on_users["user_factors"] = users.columns(len(USER_COLUMNS), k)
        on_movies = {name: movies.columns(i) for i, name in enumerate(MOVIE_COLUMNS)}
        on_movies["movie_factors"] = movies.columns(len(MOVIE_COLUMNS), k)
        if self.lists:
            first = len(USER_COLUMNS) + k
            on_users |= {name: users.columns(i) for i, name in enumerate(LIST_USER_COLUMNS, first)}
            on_users["user_given"] = users.columns(first + len(LIST_USER_COLUMNS), n)
            first = len(MOVIE_COLUMNS) + k
            on_movies |= {name: movies.columns(i) for i, name in enumerate(LIST_MOVIE_COLUMNS, first)}
            first += len(LIST_MOVIE_COLUMNS)
            on_movies |= {"movie_given": movies.columns(first, n), "movie_asked": movies.columns(first + n, n)}
        names = {name: ("users", block) for name, block in on_users.items()}
        names |= {name: ("movies", block) for name, block in on_movies.items()}
        if self.ratings:
            names |= {
                name: ("ratings", self.ratings.columns(i)) for i, name in enumerate(("rated_users", "rated_movies"))
            }
        picks = ("picked_user", "picked_movie", "rated_titles", "given_ratings", "least_ratings")
        names |= {name: ("predict", getattr(predict, name)) for name in picks}
        return names | {cells.name: ("calc", block) for block, cells in self.calc_cells.items() if cells.name}

    @cached_property
    def names(self) -> dict[str, str]:
        """What each name stands for: a fixed address with its sheet."""
        # a block of one cell is written A1:A1, because some programs look nothing up in A1
        lookups = ("user_", "movie_", "rated_", "rating_list")
        single = {cells.name for cells in scalars(self)}
        return {
            name: f"{sheet}!{block.span(fix_rows=True, fix_columns=True)}"
            if name.startswith(lookups) and name not in single
            else on_sheet(sheet, block)
            for name, (sheet, block) in self.blocks.items()
        }

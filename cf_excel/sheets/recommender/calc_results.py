"""What the recommender's formulas give, computed beside them with numpy in the same way."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cf_excel.model.factors import Factors
from cf_excel.model.fold_in import UserPrior, user_prior
from cf_excel.model.kinds import KINDS
from cf_excel.model.lists import ListFactors
from cf_excel.sheets.recommender.calc_formulas import OUT, SCORES
from cf_excel.sheets.recommender.recommender_layout import N_BEST, N_RATED


@dataclass(frozen=True, eq=False)
class Picks:
    """What stands in the yellow cells: rows of a user and a movie, rows and ratings of the rated movies."""

    user: int
    movie: int
    rated: list[int]
    ratings: list[float]
    least_ratings: int


@dataclass(frozen=True)
class Cells:
    """What a block of cells is called, shows and says.

    name: blank where no formula calls it. result: what the cells show, in the order of the block. formula: blank for
    values. how: the formula of the first cell is filled into the others, or as an array formula of each; one array
    formula gives all at once; or other declarations fill the block, part by part. row_formulas: one for each row.
    """

    name: str
    result: "Callable[[RecommenderResults], ArrayLike | None]"
    formula: str = ""
    how: Literal["filled", "arrays", "at once", "parts"] = "filled"
    style: str = "plain"
    row_formulas: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class RecommenderResults:
    """What `calc` shows for some picks, by the names of its cells; each is computed when it is first asked for.

    factors, titles: as the sheets hold them, float64. choices: ratings that the dropdown offers. cells: what the sheet
    holds (see calc_cells). with_ratings: whether the file tells who rated what. user_given: the numbers of the users
    for list factors, as the sheets hold them, without columns where there are none.
    """

    factors: Factors
    titles: list[str]
    picks: Picks
    choices: list[float]
    cells: Iterable[Cells]
    with_ratings: bool
    user_given: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        """Return what cells show, in the order of their block."""
        if name not in self._shown:
            self._shown[name] = self.of(self._named[name])
        return self._shown[name]

    def of(self, cells: Cells) -> np.ndarray:
        """Return what cells show, whether formulas call them by a name or not."""
        result = cells.result(self)
        return result if isinstance(result, np.ndarray) else np.array(result, object)

    @cached_property
    def _shown(self) -> dict[str, np.ndarray]:
        return {}

    @cached_property
    def _named(self) -> dict[str, Cells]:
        return {cells.name: cells for cells in self.cells if cells.name}

    @property
    def list_factors(self) -> ListFactors:
        """The model's, where it has any; cells that other models lack ask for them."""
        assert self.factors.lists is not None
        return self.factors.lists

    def scaled(self, sums: np.ndarray) -> np.ndarray:
        """Return the predictions for sums."""
        return KINDS[self.factors.kind].ratings(sums, *self.factors.rating_range)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Lengths of the movies' factors, 1 where there are none."""
        lengths = np.sqrt(np.square(self.factors.movie_factors).sum(axis=1))
        return np.where(lengths > 0, lengths, 1.0)

    @cached_property
    def n_ratings(self) -> np.ndarray:
        return self.factors.n_ratings

    @property
    def rated_numbers(self) -> np.ndarray:
        """Factors of the rated movies and a 1, one row a movie."""
        rated = self.picks.rated
        return np.column_stack([self.factors.movie_factors[rated], np.ones(len(rated))])

    @property
    def first_rating(self) -> int:
        return int(self.factors.n_seen[: self.picks.user].sum()) + 1 if self.with_ratings else 1

    @property
    def last_rating(self) -> int:
        return self.first_rating - 1 + len(self._seen)

    @cached_property
    def times_rated(self) -> np.ndarray:
        return np.bincount(self._seen, minlength=self.factors.n_movies)

    @property
    def _seen(self) -> np.ndarray:
        return self.factors.seen(self.picks.user) if self.with_ratings else self.factors.seen_movies[:0]

    def uncut(self, sums: np.ndarray) -> np.ndarray:
        """Return the predictions that a fold-in starts from, which are cut off nowhere."""
        return KINDS[self.factors.kind].uncut(sums, *self.factors.rating_range)

    def slope(self, sums: np.ndarray) -> np.ndarray:
        """Return how fast the predictions grow with their sums."""
        return KINDS[self.factors.kind].slope(sums, *self.factors.rating_range)

    @cached_property
    def prior(self) -> UserPrior:
        return user_prior(self.factors)

    @property
    def rated_rows(self) -> np.ndarray:
        """Rows of the rated movies from 1, "" where none is."""
        rated = self.picks.rated
        return np.array([row + 1 for row in rated] + [""] * (N_RATED - len(rated)), object)

    def in_panel(self, numbers: np.ndarray) -> np.ndarray:
        """Return one row a rating of the panel for one row a rated movie: 0 where none is."""
        rows = np.zeros((N_RATED, *numbers.shape[1:]))
        rows[: len(numbers)] = numbers
        return rows

    @cached_property
    def rating(self) -> float:
        """The predicted rating of the picked movie by the picked user."""
        f, user, movie = self.factors, self.picks.user, self.picks.movie
        total = f.global_mean + f.user_bias[user] + f.movie_bias[movie] + f.user_factors[user] @ f.movie_factors[movie]
        return float(self.scaled(total))

    @cached_property
    def lists(self) -> dict[str, tuple[list[float | str], list[int | str]]]:
        """The ten highest scores of each of the LISTS, and their movie numbers from 1.

        Ties are in the model's order; "" where none is.
        """
        return {name: _best(self[scores]) for name, scores in SCORES.items()}


def _best(scores: np.ndarray) -> tuple[list[float | str], list[int | str]]:
    rows = np.argsort(-scores, kind="stable")[:N_BEST]
    rows = rows[scores[rows] > OUT / 2]
    blank = [""] * (N_BEST - len(rows))
    return [*scores[rows].tolist(), *blank], [*(rows + 1).tolist(), *blank]

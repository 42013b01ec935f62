"""What the recommender's formulas give, computed beside them with numpy in the same way."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.fold_in import noise, solve, user_prior
from cf_excel.model.kinds import KINDS
from cf_excel.sheets.recommender.calc_formulas import DECIMALS, OUT, SCORES
from cf_excel.sheets.recommender.names import RecommenderBook
from cf_excel.sheets.recommender.recommender_layout import N_BEST, N_RATED


@dataclass(frozen=True, eq=False)
class Picks:
    """What stands in the yellow cells: rows of a user and a movie, rows and ratings of the rated movies."""

    user: int
    movie: int
    rated: list[int]
    ratings: list[float]
    least_ratings: int


@dataclass(frozen=True, eq=False)
class RecommenderResults:
    """Every number that `calc` shows for some picks. factors: as the sheets hold them, float64."""

    factors: Factors
    picks: Picks
    with_ratings: bool

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

    @cached_property
    def best_scores(self) -> np.ndarray:
        f, user = self.factors, self.picks.user
        sums = f.global_mean + f.movie_bias + f.user_bias[user] + f.movie_factors @ f.user_factors[user]
        return np.round(sums, DECIMALS) + np.where(self.times_rated > 0, OUT, 0)

    @cached_property
    def similar_scores(self) -> np.ndarray:
        movie, factors = self.picks.movie, self.factors.movie_factors
        cosines = factors @ factors[movie] / self.lengths / self.lengths[movie]
        out = (self.n_ratings < self.picks.least_ratings) | (np.arange(len(cosines)) == movie)
        return np.round(cosines, DECIMALS) + np.where(out, OUT, 0)

    @cached_property
    def panel(self) -> dict[str, np.ndarray]:
        """The fold-in's blocks: the columns of the panel, its equations, and the vector of the new user."""
        f, picks = self.factors, self.picks
        prior, n, known = user_prior(f), N_RATED, len(picks.rated)
        rows, bias, error = np.zeros((n, len(prior.mean))), np.zeros(n), np.zeros(n)
        rows[:known] = np.column_stack([f.movie_factors[picks.rated], np.ones(known)])
        bias[:known] = f.movie_bias[picks.rated]
        sums = f.global_mean + bias + rows @ prior.mean
        kind = KINDS[f.kind]
        prediction, slope = kind.uncut(sums, *f.rating_range), kind.slope(sums, *f.rating_range)
        error[:known] = picks.ratings - prediction[:known]
        products = rows @ prior.covariance
        system = slope[:, None] * slope * (products @ rows.T) + noise(f) * np.eye(n)
        weight = slope * solve(system, error)
        numbers = np.array([row + 1 for row in picks.rated] + [""] * (n - known), object)
        return {
            "panel_found": numbers,
            "panel_usable": numbers,
            "panel_rated_row": numbers,
            "panel_movie_bias": bias,
            "panel_sum": sums,
            "panel_prediction": prediction,
            "panel_slope": slope,
            "panel_error": error,
            "panel_weight": weight,
            "panel_system": system,
            "panel_factors": rows,
            "panel_products": products,
            "your_vector": prior.mean + products.T @ weight,
            "prior_mean": prior.mean,
            "prior_covariance": prior.covariance,
        }

    @cached_property
    def your_scores(self) -> np.ndarray:
        f, you = self.factors, self.panel["your_vector"]
        sums = f.global_mean + f.movie_bias + you[-1] + f.movie_factors @ you[:-1]
        rated = np.isin(np.arange(len(sums)), self.picks.rated)
        return np.round(sums, DECIMALS) + np.where(rated, OUT, 0)

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """The scores by which movies compete for each of the LISTS."""
        return {name: getattr(self, scores) for name, scores in SCORES.items()}

    @cached_property
    def rating(self) -> float:
        """The predicted rating of the picked movie by the picked user."""
        f, user, movie = self.factors, self.picks.user, self.picks.movie
        total = f.global_mean + f.user_bias[user] + f.movie_bias[movie] + f.user_factors[user] @ f.movie_factors[movie]
        return float(self.scaled(total))

    def best(self, scores: np.ndarray) -> tuple[list[float | str], list[int | str]]:
        """Return the ten highest scores and their movie numbers from 1, ties in the model's order; "" where none is."""
        rows = np.argsort(-scores, kind="stable")[:N_BEST]
        rows = rows[scores[rows] > OUT / 2]
        blank = [""] * (N_BEST - len(rows))
        return [*scores[rows].tolist(), *blank], [*(rows + 1).tolist(), *blank]


@dataclass(frozen=True, eq=False)
class Recommender:
    """A model as its workbook holds it; ids and titles as cells show them."""

    factors: Factors
    user_ids: list[int | str]
    movie_ids: list[int | str]
    titles: list[str]
    book: RecommenderBook
    results: RecommenderResults

    @property
    def user_id(self) -> int | str:
        """The picked user's id, as its cell shows it."""
        return self.user_ids[self.results.picks.user]

    @property
    def movie_title(self) -> str:
        """The picked movie's title."""
        return self.titles[self.results.picks.movie]

    @property
    def text_movies(self) -> bool:
        """Whether the ids of movies are texts; a sheet's ids are all texts or all numbers."""
        return isinstance(self.movie_ids[0], str)

"""Search for the priors that suit the ratings, by the error on ratings held out: one number after the other.

One kind of precision after the other is multiplied by what lowers the error, in short fits with few factors: the best
precisions are the same there, and with the ratings of some users alone.
"""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cf_excel.learn.bayes.calibration import spread_of
from cf_excel.learn.bayes.copies import fit_each
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings
from cf_excel.learn.bayes.features import FeatureBlock
from cf_excel.learn.bayes.precisions import RATINGS_ALONE, WITH_CONTENT
from cf_excel.ratings.spill import all_but, by_block, rows_of, sums_by
from cf_excel.ratings.table import Ratings

OFF = 1e4  # times a precision: what has it is 0
_N_FOLDS = 5
FEW_RATINGS = 10_000  # there is time to choose everything
_COPIED_RATINGS = 5_000  # in all copies of a smaller table; each copy lacks a fifth
MANY_RATINGS = 50_000  # those of some users are enough
_MOST_COPIES = 25
_FACTORS, _ITERATIONS, _ITERATIONS_OF_FEW = 5, 5, 8  # of a trial
_PLAIN = 1 / 8  # with looser factors than that, more iterations may help
_STEPS = (1 / 512, 1 / 128, 1 / 32, 1 / 8, 1 / 2, 1.0, 2.0, 8.0, OFF)
_LADDERS: dict[str, tuple[float, ...]] = {
    "factors": _STEPS,
    "sets": _STEPS,
    "biases": _STEPS,
    "content": (1.0, 8.0, 64.0),
    "alpha": (0.5, 0.7, 1.0, 1.4, 2.0, 4.0),
    "n_factors": (2, 5, 15),
    "iterations": (8, 16, 32, 64),
}
_PLAIN_START = {"factors": 1 / 32, "sets": OFF}  # where what is rated says nothing: seldom found from the usual ones
ORDER = ("factors", "sets", "biases", "content", "alpha", "factors", "sets")
SIZES = ("n_factors", "iterations")
_PRIORS = frozenset(ORDER)
_SURE = 2.0  # standard errors
# what lowers the error by a smaller share is chance, or not worth the time
LEAST_GAIN = dict.fromkeys(_LADDERS, 0.001) | dict.fromkeys(SIZES, 0.005)
_DRAWS, _TRIAL_DRAWS = 200, 50
_MOST_CELLS = 1 << 18  # of which draws are averaged
_NEXT_GAIN = 0.25  # of twice the iterations, in that of the former doubling


class Trial(NamedTuple):
    """What was chosen, the squared errors that it makes on what was held out, and the fits to the copies."""

    chosen: dict[str, float]
    squared: np.ndarray
    fits: list[BayesFit]

    @property
    def error(self) -> float:
        """Return the mean squared error."""
        return float(self.squared.mean())


class Search:
    """A search for what lowers the error on ratings held out, one number after the other; best is what it found."""

    def __init__(
        self, ratings: Ratings, settings: BayesSettings, users: list[FeatureBlock], movies: list[FeatureBlock]
    ) -> None:
        rng = np.random.default_rng(settings.seed)
        self.is_small = len(ratings) <= FEW_RATINGS
        self.is_whole = len(ratings) <= MANY_RATINGS
        self.ratings, self.users, self.movies = _sample(ratings, users, movies, rng)
        self.folds = _folds(self.ratings, rng)
        self.truth = self.ratings.rating[np.concatenate(self.folds)]
        self.usual = settings.precisions or (WITH_CONTENT if users or movies else RATINGS_ALONE)
        self.short = replace(
            settings,
            n_factors=min(settings.n_factors, _FACTORS),
            iterations=_ITERATIONS_OF_FEW if self.is_small else _ITERATIONS,
            device="cpu",
        )
        self.climbed: dict[str, dict[str, float]] = {}
        self.best = self._try({})
        self._is_better(_PLAIN_START, 0.01)

    @property
    def chosen(self) -> dict[str, float]:
        """Return what was best so far."""
        return self.best.chosen

    def is_surely_better(self, other: "Search") -> bool:
        """Say whether what is best here is better than what is best there, and that is no chance."""
        return self._is_sure(other.best.squared - self.best.squared)

    def climb_all(self, names: Collection[str], keep: Collection[str]) -> None:
        """Climb one ladder after the other, but not those that keep names."""
        for name in names:
            if name == "content" and (self.users or self.movies) and not self.is_small:
                self._try_without_content()
            if name not in keep and self._is_open(name):
                self._climb(name)

    def do_without_patterns(self) -> None:
        """Leave out factors, and then biases, where what they gain is less than chance makes of it."""
        for name in ("factors", "biases"):
            if self.chosen.get(name, 1) == OFF:
                continue
            trial = self._try(self.chosen | {name: OFF})
            if self._is_sure(trial.squared - self.best.squared):
                return
            self.best = trial

    def draws(self) -> Trial | None:
        """Return a trial of what is best as an average of draws from the posterior; None where that takes too long.

        They leave out the sets of what was rated, and find how strict the factors' priors are by themselves.
        """
        n_cells = self.ratings.n_users * self.ratings.n_movies
        if not self.is_small or n_cells > _MOST_CELLS or self.chosen.get("factors") == OFF:
            return None
        chosen = self.chosen | {"sets": OFF, "draws": _TRIAL_DRAWS}
        drawn = self._try(chosen, self.folds[:_N_FOLDS])
        return drawn._replace(chosen=chosen | {"draws": _DRAWS})

    def take(self, drawn: Trial, *, surely: bool = False) -> bool:
        """Take draws unless they are surely worse, for the best was chosen as such; or only where surely better."""
        gains = self.best.squared[: len(drawn.squared)] - drawn.squared
        if not (self._is_sure(gains) if surely else not self._is_sure(-gains)):
            return False
        self.best = drawn
        return True

    def result(self, settings: BayesSettings, keep: Collection[str]) -> tuple[BayesSettings, dict[str, float], float]:
        """Return what was found, for a fit with all factors: the settings, what was chosen, and the spread."""
        if self.is_whole and "n_factors" not in keep:
            settings = replace(settings, n_factors=self.short.n_factors)
        if self.chosen.get("content") == OFF:
            settings = replace(settings, use_content=False)
        if self.is_small:  # the fit is like the trials, and must not take more for pattern than what was tried
            settings = replace(settings, most_alpha=self.best.fits[0].alpha)
        spread = spread_of(self.best.fits, self.ratings, self.folds[: len(self.best.fits)])
        return self._settings(settings, self.chosen), self.chosen, spread

    def _is_open(self, name: str) -> bool:
        """Say whether a number is worth a search: there is time, and since the last one something has changed."""
        if self.climbed.get(name) == self.chosen:
            return False
        if self.chosen.get("factors") == OFF and name != "biases":
            return False
        if name == "content":
            return self.is_small and bool(self.users or self.movies)
        if name == "iterations":
            return self.is_small or self.chosen.get("factors", 1) <= _PLAIN
        if name == "n_factors":
            return self.is_whole  # from a part of the users it can't be told how many all of them bear
        return self.is_small or name in ("factors", "sets", "biases")

    def _try_without_content(self) -> None:
        """Go on without features where these gain next to nothing."""
        before = self.users, self.movies, self.usual
        self.users, self.movies, self.usual = [], [], RATINGS_ALONE
        if not self._is_better(self.chosen | {"content": OFF}, -LEAST_GAIN["content"]):
            self.users, self.movies, self.usual = before

    def _climb(self, name: str) -> None:
        """Move one number along its ladder for as long as the error falls."""
        if name == "iterations" and self.short.iterations < _ITERATIONS_OF_FEW:
            self.short = replace(self.short, iterations=_ITERATIONS_OF_FEW)
            self.best = self._try(self.chosen)
        ladder, least = _LADDERS[name], LEAST_GAIN[name]
        now = self.chosen.get(name, getattr(self.short, name, 1.0))
        for step in (-1, 1):
            place = sum(rung < now for rung in ladder) + step
            before = error = self.best.error
            while 0 <= place < len(ladder) and self._is_better(self.chosen | {name: ladder[place]}, least):
                place += step
                gain, error = 1 - self.best.error / error, self.best.error
                if name == "iterations" and gain * _NEXT_GAIN < least:
                    break
            if error < before:
                break
        self.climbed[name] = self.chosen

    def _settings(self, settings: BayesSettings, chosen: dict[str, float]) -> BayesSettings:
        return replace(
            settings,
            precisions=self.usual.scaled(**{name: by for name, by in chosen.items() if name in _PRIORS}),
            n_factors=int(chosen.get("n_factors", settings.n_factors)),
            iterations=int(chosen.get("iterations", settings.iterations)),
            draws=int(chosen.get("draws", settings.draws)),
        )

    def _is_better(self, chosen: dict[str, float], least_gain: float) -> bool:
        """Take what was chosen where that lowers the error by a share that is no chance."""
        trial = self._try(chosen)
        if not trial.error < self.best.error * (1 - least_gain):
            return False
        if not (self.is_whole or least_gain < 0 or self._is_sure(self.best.squared - trial.squared)):
            return False
        self.best = trial
        return True

    def _is_sure(self, gains: np.ndarray) -> bool:
        """Say whether the mean of gains, by rating held out, is more than chance makes of it."""
        n = min(len(gains), len(self.ratings))  # a rating that several copies lack is one
        return bool(gains.mean() > _SURE * gains.std() / math.sqrt(n))

    def _try(self, chosen: dict[str, float], folds: list[np.ndarray] | None = None) -> Trial:
        folds = folds or self.folds
        settings = self._settings(self.short, chosen)
        if chosen.get("factors") == OFF:
            settings = replace(settings, n_factors=1)  # they are all 0
        with np.errstate(all="ignore"):  # what ends in no number is not chosen
            fits = fit_each(self.ratings, folds, settings, self.users, self.movies)
        if fits[0].history.stopped:
            raise KeyboardInterrupt  # nothing was learnt that could be kept
        predictions = np.concatenate([fit.val_predictions for fit in fits])
        return Trial(chosen, np.square(predictions - self.truth[: len(predictions)], dtype=np.float64), fits)


def _folds(ratings: Ratings, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the rows, rising, that copies of a table lack, a fifth each: the smaller the table, the more copies."""
    n_copies = max(1, _COPIED_RATINGS // max(len(ratings), ratings.n_users + ratings.n_movies))
    parts: list[np.ndarray] = []
    while len(parts) < n_copies:
        parts += np.array_split(rng.permutation(len(ratings)), _N_FOLDS)
    return [np.sort(part) for part in parts[: min(n_copies, _MOST_COPIES)]]


def _sample(
    ratings: Ratings, users: list[FeatureBlock], movies: list[FeatureBlock], rng: np.random.Generator
) -> tuple[Ratings, list[FeatureBlock], list[FeatureBlock]]:
    """Return enough of a table to choose by, without users and movies that have no ratings there.

    Of a large table these are all ratings of some users, and where they have too many, those of some movies.
    """
    kept = all_but(np.empty(0, np.int64), len(ratings))
    for idx, n, most in ((ratings.user_idx, ratings.n_users, MANY_RATINGS), (ratings.movie_idx, 0, 2 * MANY_RATINGS)):
        if kept.sum() > most:
            there = rows_of(idx, kept)
            is_drawn = drawn(sums_by(there, n or int(there.max()) + 1), rng, MANY_RATINGS)
            kept[kept] = by_block(is_drawn.__getitem__, there)
    some_users, user_idx = np.unique(ratings.user_idx[kept], return_inverse=True)
    some_movies, movie_idx = np.unique(ratings.movie_idx[kept], return_inverse=True)
    found = replace(
        ratings,
        user_ids=ratings.user_ids[some_users],
        movie_ids=ratings.movie_ids[some_movies],
        user_idx=user_idx.astype(np.int32),
        movie_idx=movie_idx.astype(np.int32),
        rating=ratings.rating[kept],
        timestamp=None,
        titles=ratings.titles[some_movies],
        years=ratings.years[some_movies],
        genres=ratings.genres[some_movies],
        declared_range=ratings.rating_range,
    )
    users = [block._replace(matrix=block.matrix[some_users]) for block in users]
    return found, users, [block._replace(matrix=block.matrix[some_movies]) for block in movies]


def drawn(counts: np.ndarray, rng: np.random.Generator, enough: int) -> np.ndarray:
    """Return which rows (n,) bool were drawn until there were enough ratings, of the numbers that they have."""
    order = rng.permutation(len(counts))
    n_drawn = int(np.searchsorted(np.cumsum(counts[order]), enough)) + 1
    is_drawn = np.zeros(len(counts), bool)
    is_drawn[order[:n_drawn]] = True
    return is_drawn

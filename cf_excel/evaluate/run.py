"""Fit every system on every fold, and measure it on the ratings that it did not see."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cf_excel import metrics
from cf_excel.evaluate.splits import Fold, hold_back, make_folds
from cf_excel.evaluate.systems import Scorer, System
from cf_excel.metrics import Interval, Ranking
from cf_excel.ratings.table import Ratings

LIST_LENGTH = 10
RANKED_USERS = 200  # of a fold, drawn with the seed: the same ones for every system
SHARES = (0.5, 0.9)


@dataclass(frozen=True)
class Result:
    """A system on a split. mse in squared rating units, rmse and mae in rating units; NaN for one that just ranks.

    more_than_first: by how much the MSE is above that of the first system of the split, with a 95% interval.
    coverage: what share of the ratings lay in the intervals for 50% and 90%. ranking: means over users.
    Seconds are sums over the folds. settings: those of each fold; n_tried: how many were compared on a holdout within
    the training ratings.
    """

    split: str
    system: str
    n_test: int
    mse: float
    rmse: float
    mae: float
    more_than_first: Interval | None
    coverage: tuple[float, ...] | None
    ranking: Ranking | None
    fit_seconds: float
    predict_seconds: float
    n_tried: int
    settings: list[dict] = field(default_factory=list)


@dataclass
class _Tally:
    """What the folds of one system come to."""

    errors: list[np.ndarray] = field(default_factory=list)
    deviations: list[np.ndarray] = field(default_factory=list)
    rankings: list[Ranking] = field(default_factory=list)
    settings: list[dict] = field(default_factory=list)
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0


def evaluate(
    ratings: Ratings,
    split: str,
    systems: Sequence[System],
    *,
    seed: int = 0,
    n_given: int = 10,
    n_trials: int = 1,
    tell: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Return a result for each system; tell hears of each as soon as it is there.

    n_trials: up to how many settings of each system are compared on a holdout within the training ratings of a fold.
    Raises InputError as make_folds does.
    """
    folds = make_folds(ratings, split, seed, n_given)
    users = np.concatenate([fold.users for fold in folds])
    results: list[Result] = []
    first: np.ndarray | None = None
    for system in systems:
        tally, n_tried = _Tally(), 1
        for fold in folds:
            settings, n_tried = choose(system, fold, n_trials, seed)
            _measure(system, fold, settings, seed, ratings, tally)
        squared = np.concatenate(tally.errors) ** 2 if system.rates else None
        compared = None if first is None or squared is None else metrics.paired_difference(first, squared, users)
        first = squared if first is None else first
        results.append(_result(split, system, len(users), tally, compared, n_tried))
        tell(results[-1])
    return results


def choose(system: System, fold: Fold, n_trials: int, seed: int) -> tuple[dict, int]:
    """Return the settings with the lowest MSE on a fifth of the training ratings, and how many were tried.

    For a system that just ranks: those with the highest NDCG.
    """
    candidates = system.candidates(np.random.default_rng(seed), n_trials)
    if len(candidates) < 2:
        return candidates[0], 1
    inner = hold_back(fold, seed)
    losses = [_loss(system, inner, settings, seed) for settings in candidates]
    return candidates[int(np.argmin(losses))], len(candidates)


def _loss(system: System, fold: Fold, settings: dict, seed: int) -> float:
    scorer = system.fit(fold, settings, seed)
    if system.rates:
        return metrics.mse(_cut_off(scorer.score(fold.users, fold.movies), fold.train), fold.rating)
    return -float(np.mean([ranking.ndcg for ranking in _rankings(scorer, fold, fold.train.rating_range, seed)]))


def _measure(system: System, fold: Fold, settings: dict, seed: int, ratings: Ratings, tally: _Tally) -> None:
    start = time.perf_counter()
    scorer = system.fit(fold, settings, seed)
    fitted = time.perf_counter()
    scores = scorer.score(fold.users, fold.movies)
    tally.predict_seconds += time.perf_counter() - fitted
    tally.fit_seconds += fitted - start
    tally.settings.append(settings)
    if system.rates:
        tally.errors.append(_cut_off(scores, fold.train) - fold.rating)
    if scorer.deviation is not None:
        tally.deviations.append(scorer.deviation(fold.users, fold.movies))
    if system.ranks:
        tally.rankings.extend(_rankings(scorer, fold, ratings.rating_range, seed))


def _cut_off(scores: np.ndarray, train: Ratings) -> np.ndarray:
    """Return the predictions of any system, cut off alike at the lowest and the highest rating."""
    return np.clip(np.asarray(scores, np.float64), *train.rating_range)


def _rankings(scorer: Scorer, fold: Fold, rating_range: tuple[float, float], seed: int) -> list[Ranking]:
    """Return how well each user's ten best of the movies not rated in training find those rated well in the test.

    Well is in the upper quarter of the scale: 4 and more of 0.5 to 5 and of 1 to 5.
    """
    low, high = rating_range
    is_good = fold.rating >= low + 0.75 * (high - low)
    users = np.unique(fold.users[is_good])
    users = np.sort(np.random.default_rng(seed).permutation(users)[:RANKED_USERS])
    movies = np.arange(fold.train.n_movies)
    found = []
    for user in users:
        scores = np.array(scorer.score(np.full(len(movies), user), movies), np.float64)
        scores[fold.train.movie_idx[fold.train.user_idx == user]] = -np.inf
        best = np.argsort(-scores, kind="stable")[:LIST_LENGTH]
        good = fold.movies[is_good & (fold.users == user)]
        found.append(metrics.ranking(np.isin(best, good), len(good), LIST_LENGTH))
    return found


def _result(split: str, system: System, n_test: int, tally: _Tally, compared: Interval | None, n_tried: int) -> Result:
    mse = mae = np.nan
    covered = None
    if system.rates:
        errors = np.concatenate(tally.errors)
        mse, mae = float((errors**2).mean()), float(np.abs(errors).mean())
        if tally.deviations:
            deviations = np.concatenate(tally.deviations)
            covered = tuple(metrics.coverage(errors, deviations, share) for share in SHARES)
    ranking = Ranking(*map(float, np.mean(tally.rankings, axis=0))) if tally.rankings else None
    return Result(
        split=split,
        system=system.name,
        n_test=n_test,
        mse=mse,
        rmse=float(np.sqrt(mse)),
        mae=mae,
        more_than_first=compared,
        coverage=covered,
        ranking=ranking,
        fit_seconds=tally.fit_seconds,
        predict_seconds=tally.predict_seconds,
        n_tried=n_tried,
        settings=tally.settings,
    )

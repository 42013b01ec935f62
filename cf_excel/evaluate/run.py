"""Fit every system on every fold, and measure it on the ratings that it did not see."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cf_excel import metrics
from cf_excel.evaluate.list_results import ListResult, ListTally, mean_ranking
from cf_excel.evaluate.splits import Fold, hold_back, make_folds
from cf_excel.evaluate.systems import System
from cf_excel.metrics import Interval, Ranking
from cf_excel.ratings.table import Ratings

SHARES = (0.5, 0.9)


@dataclass(frozen=True)
class Result:
    """A system on a split. mse in squared rating units, rmse and mae in rating units; NaN for one that just ranks.

    more_than_first: by how much the MSE is above that of the first system of the split, with a 95% interval.
    coverage: what share of the ratings lay in the intervals for 50% and 90%. lists: by each order that the system has;
    ranking: how they find what users liked by the predicted rating or, of one that just ranks, by its own order.
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
    lists: list[ListResult] = field(default_factory=list)


@dataclass
class _Tally:
    """What the folds of one system come to."""

    errors: list[np.ndarray] = field(default_factory=list)
    deviations: list[np.ndarray] = field(default_factory=list)
    lists: dict[str, ListTally] = field(default_factory=dict)
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
    first_lists: ListTally | None = None
    for system in systems:
        tally, n_tried = _Tally(), 1
        for fold in folds:
            settings, n_tried = choose(system, fold, n_trials, seed)
            _measure(system, fold, settings, seed, tally)
        squared = np.concatenate(tally.errors) ** 2 if system.rates else None
        compared = None if first is None or squared is None else metrics.paired_difference(first, squared, users)
        first = squared if first is None else first
        first_lists = first_lists or next(iter(tally.lists.values()), None)
        lists = [of_order.result(by, first_lists) for by, of_order in tally.lists.items() if first_lists]
        results.append(_result(split, system, len(users), tally, compared, n_tried, lists))
        tell(results[-1])
    return results


def choose(system: System, fold: Fold, n_trials: int, seed: int) -> tuple[dict, int]:
    """Return the settings with the lowest MSE on a fifth of the training ratings, and how many were tried.

    For a system that just ranks: those with the highest NDCG where a fifth is held back as the fold does it.
    """
    candidates = system.candidates(np.random.default_rng(seed), n_trials)
    if len(candidates) < 2:
        return candidates[0], 1
    inner = hold_back(fold, seed, alike=not system.rates)
    losses = [_loss(system, inner, settings, seed) for settings in candidates]
    return candidates[int(np.argmin(losses))], len(candidates)


def _loss(system: System, fold: Fold, settings: dict, seed: int) -> float:
    scorer = system.fit(fold, settings, seed)
    if scorer.score is not None:
        return metrics.mse(_cut_off(scorer.score(fold.users, fold.movies), fold.train), fold.rating)
    tally = ListTally()
    for scores in scorer.orders().values():
        tally.add(scores, fold)
    return -tally.ndcg


def _measure(system: System, fold: Fold, settings: dict, seed: int, tally: _Tally) -> None:
    start = time.perf_counter()
    scorer = system.fit(fold, settings, seed)
    fitted = time.perf_counter()
    tally.fit_seconds += fitted - start
    tally.settings.append(settings)
    if scorer.score is not None:
        scores = scorer.score(fold.users, fold.movies)
        tally.predict_seconds += time.perf_counter() - fitted
        tally.errors.append(_cut_off(scores, fold.train) - fold.rating)
    if scorer.deviation is not None:
        tally.deviations.append(scorer.deviation(fold.users, fold.movies))
    began = time.perf_counter()
    orders = scorer.orders()
    learnt = time.perf_counter() - began
    for by, order in orders.items():
        lists = tally.lists.setdefault(by, ListTally())
        lists.add(order, fold)
        lists.fit_seconds += fitted - start + (0 if by == "rating" else learnt)


def _cut_off(scores: np.ndarray, train: Ratings) -> np.ndarray:
    """Return the predictions of any system, cut off alike at the lowest and the highest rating."""
    return np.clip(np.asarray(scores, np.float64), *train.rating_range)


def _result(
    split: str,
    system: System,
    n_test: int,
    tally: _Tally,
    compared: Interval | None,
    n_tried: int,
    lists: list[ListResult],
) -> Result:
    mse = mae = np.nan
    covered = None
    if system.rates:
        errors = np.concatenate(tally.errors)
        mse, mae = float((errors**2).mean()), float(np.abs(errors).mean())
        if tally.deviations:
            deviations = np.concatenate(tally.deviations)
            covered = tuple(metrics.coverage(errors, deviations, share) for share in SHARES)
    by = tally.lists.get("rating") or tally.lists.get("own")
    return Result(
        split=split,
        system=system.name,
        n_test=n_test,
        mse=mse,
        rmse=float(np.sqrt(mse)),
        mae=mae,
        more_than_first=compared,
        coverage=covered,
        ranking=mean_ranking(by.liked) if by else None,
        fit_seconds=tally.fit_seconds,
        predict_seconds=tally.predict_seconds if system.rates else np.nan,
        n_tried=n_tried,
        settings=tally.settings,
        lists=lists,
    )

"""Measures of predictions and of rankings. MSE is the lesson's loss, RMSE its root."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cf_excel.errors import InputError


def mse(predictions: ArrayLike, ratings: ArrayLike) -> float:
    """Return the mean squared error, in squared rating units.

    Both have one shape, which is not broadcast. Raises InputError for different shapes and for nothing to compare.
    """
    return float(np.square(_errors(predictions, ratings)).mean())


def rmse(predictions: ArrayLike, ratings: ArrayLike) -> float:
    """Return the root of the mean squared error, in rating units; shapes and errors as for mse."""
    return math.sqrt(mse(predictions, ratings))


def mae(predictions: ArrayLike, ratings: ArrayLike) -> float:
    """Return the mean absolute error, in rating units; shapes and errors as for mse."""
    return float(np.abs(_errors(predictions, ratings)).mean())


def coverage(errors: ArrayLike, deviations: ArrayLike, share: float) -> float:
    """Return how many of the errors lie in normal intervals that should hold a share of them, 0 to 1.

    errors, deviations: (n,), in rating units; the deviations are standard deviations.
    """
    width = NormalDist().inv_cdf(0.5 + share / 2)
    return float((np.abs(np.asarray(errors)) <= width * np.asarray(deviations)).mean())


class Ranking(NamedTuple):
    """How good the head of a list is, each 0 to 1; hit: whether it has any relevant item, of many the share that do."""

    precision: float
    recall: float
    ndcg: float
    hit: float


def ranking(is_relevant: ArrayLike, n_relevant: int, length: int) -> Ranking:
    """Return precision, recall, NDCG and hit at a length (Järvelin & Kekäläinen 2002, with gains of 0 and 1).

    is_relevant: of the listed items, the best first, at most length of them. n_relevant: how many there are in all.
    Raises InputError where nothing is relevant.
    """
    if n_relevant < 1:
        raise InputError("there is no relevant item to find")
    hits = np.zeros((1, length))
    given = np.asarray(is_relevant, np.float64)[:length]
    hits[0, : len(given)] = given
    n_hits, ndcg = float(hits.sum()), float(ndcgs(hits, np.array([n_relevant]))[0])
    return Ranking(n_hits / length, n_hits / n_relevant, ndcg, float(n_hits > 0))


def ndcgs(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """Return the NDCG of lists, (n,), as ranking has it.

    hits (n, length): which of the listed items are relevant. n_relevant (n,): how many there are in all, 1 or more.
    """
    gains = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    return hits @ gains / np.cumsum(gains)[np.minimum(n_relevant, len(gains)) - 1]


class Interval(NamedTuple):
    """A mean with the interval that holds it with a probability of 95%."""

    mean: float
    low: float
    high: float


def paired_difference(ours: ArrayLike, theirs: ArrayLike, groups: ArrayLike, n: int = 2000, seed: int = 0) -> Interval:
    """Return the mean of theirs - ours (n_rows,), with a 95% bootstrap interval (Efron 1979).

    Whole groups (n_rows,), such as the users, are drawn: the errors of one user are no independent witnesses.
    """
    difference = np.asarray(theirs, np.float64) - np.asarray(ours, np.float64)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    totals, sizes = np.bincount(group, difference), np.bincount(group)
    rng = np.random.default_rng(seed)
    means = np.empty(n)
    for i in range(n):
        times = np.bincount(rng.integers(0, len(sizes), len(sizes)), minlength=len(sizes))
        means[i] = times @ totals / (times @ sizes)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(difference.mean()), float(low), float(high))


def _errors(predictions: ArrayLike, ratings: ArrayLike) -> np.ndarray:
    try:
        predictions, ratings = np.asarray(predictions, np.float64), np.asarray(ratings, np.float64)
    except (TypeError, ValueError):
        raise InputError("predictions and ratings: expected two tables of numbers") from None
    if predictions.shape != ratings.shape:
        raise InputError(
            f"predictions of shape {predictions.shape} against ratings of shape {ratings.shape}: expected one shape"
        )
    if not predictions.size:
        raise InputError("there are no ratings to compare the predictions with")
    return predictions - ratings

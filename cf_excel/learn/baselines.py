"""What a model must beat: predictions that know no factors."""

import math
from collections.abc import Callable

import numpy as np

from cf_excel.errors import InputError
from cf_excel.learn.bayes.comm import ALONE, Comm, mean_of
from cf_excel.ratings.spill import all_but, by_block, rows_of, sums_by
from cf_excel.ratings.table import Ratings

Errors = tuple[float, float, float]
"""MSE in squared rating units, RMSE and MAE in rating units."""
SHRINK = 5.0  # ratings' worth of trust in the mean
ROUNDS = 20


def baseline_errors(ratings: Ratings, val_rows: np.ndarray, comm: Comm = ALONE) -> list[Errors]:
    """Return the validation errors of the mean and of the biases, which a model must beat; none without such rows.

    comm: processes of which each has the ratings of its users, and val_rows of these.
    """
    if not comm.total(len(val_rows)):
        return []
    truth = rows_of(ratings.rating, val_rows)
    return [errors_of(found(ratings, val_rows, comm), truth, comm) for found in _BASELINES]


def errors_of(predictions: np.ndarray, truth: np.ndarray, comm: Comm = ALONE) -> Errors:
    """Return the errors of predictions (n,), of which each process has some. Raises InputError for none at all."""
    if comm.size == 1 and not len(truth):
        raise InputError("there are no ratings to compare the predictions with")
    errors = by_block(lambda some, rating: some.astype(np.float64) - rating, predictions, truth)
    squared, absolute = (float(mean_of(by_block(of, errors), comm)) for of in (np.square, np.abs))
    return squared, math.sqrt(squared), absolute


def mean_baseline(ratings: Ratings, val_rows: np.ndarray, comm: Comm = ALONE) -> np.ndarray:
    """Return the mean of the training ratings for each validation row, (n_val,)."""
    mean = _mean(rows_of(ratings.rating, all_but(val_rows, len(ratings))), comm)
    return by_block(lambda rows: np.full(len(rows), mean), val_rows)


def bias_baseline(ratings: Ratings, val_rows: np.ndarray, comm: Comm = ALONE) -> np.ndarray:
    """Return mean + user bias + movie bias for each validation row, (n_val,), fitted to the training ratings."""
    is_training = all_but(val_rows, len(ratings))
    users, movies, rating = (
        rows_of(part, is_training) for part in (ratings.user_idx, ratings.movie_idx, ratings.rating)
    )
    mean, user_bias, movie_bias = fit_biases(users, movies, rating, ratings.n_users, ratings.n_movies, comm)
    pairs = ratings.user_idx, ratings.movie_idx
    return by_block(lambda rows: mean + user_bias[pairs[0][rows]] + movie_bias[pairs[1][rows]], val_rows)


def fit_biases(
    users: np.ndarray, movies: np.ndarray, rating: np.ndarray, n_users: int, n_movies: int, comm: Comm = ALONE
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the mean and the biases of users (n_users,) and movies (n_movies,), from rows and ratings (n,).

    Each bias is the mean of what the rest leaves over, shrunk to 0 as if by SHRINK more ratings; movies and users
    take turns (Koren 2010, "Factor in the neighbors", section 2.1). comm: processes of which each has the ratings of
    its users, and gets the biases of these.
    """
    mean = _mean(rating, comm)

    def rest(bias: np.ndarray, idx: np.ndarray) -> Callable[[slice], np.ndarray]:
        return lambda rows: rating[rows] - mean - bias[idx[rows]]

    user_bias, movie_bias = np.zeros(n_users), np.zeros(n_movies)
    for _ in range(ROUNDS):
        movie_bias = _shrunk_mean(movies, rest(user_bias, users), n_movies, comm)
        user_bias = _shrunk_mean(users, rest(movie_bias, movies), n_users, ALONE)
    return mean, user_bias, movie_bias


def _mean(rating: np.ndarray, comm: Comm) -> float:
    return float(rating.mean(dtype=np.float64) if comm.size == 1 else mean_of(rating, comm))


def _shrunk_mean(idx: np.ndarray, values: Callable[[slice], np.ndarray], n: int, comm: Comm) -> np.ndarray:
    sums, counts = comm.total(sums_by(idx, n, values)), comm.total(sums_by(idx, n))
    return np.asarray(sums / (counts + SHRINK))


_BASELINES = mean_baseline, bias_baseline

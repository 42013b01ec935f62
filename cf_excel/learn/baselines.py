"""What a model must beat: predictions that know no factors."""

import math

import numpy as np

from cf_excel.learn.bayes.comm import ALONE, Comm, mean_of
from cf_excel.metrics import mae, mse, rmse
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
    return [errors_of(found(ratings, val_rows, comm), ratings.rating[val_rows], comm) for found in _BASELINES]


def errors_of(predictions: np.ndarray, truth: np.ndarray, comm: Comm = ALONE) -> Errors:
    """Return the errors of predictions (n,), of which each process has some. Raises InputError for none at all."""
    if comm.size == 1:
        return mse(predictions, truth), rmse(predictions, truth), mae(predictions, truth)
    errors = predictions.astype(np.float64) - truth
    squared = float(mean_of(errors**2, comm))
    return squared, math.sqrt(squared), float(mean_of(np.abs(errors), comm))


def mean_baseline(ratings: Ratings, val_rows: np.ndarray, comm: Comm = ALONE) -> np.ndarray:
    """Return the mean of the training ratings for each validation row, (n_val,)."""
    return np.full(len(val_rows), _mean(np.delete(ratings.rating, val_rows), comm))


def bias_baseline(ratings: Ratings, val_rows: np.ndarray, comm: Comm = ALONE) -> np.ndarray:
    """Return mean + user bias + movie bias for each validation row, (n_val,), fitted to the training ratings."""
    users, movies, rating = (
        np.delete(part, val_rows) for part in (ratings.user_idx, ratings.movie_idx, ratings.rating)
    )
    mean, user_bias, movie_bias = fit_biases(users, movies, rating, ratings.n_users, ratings.n_movies, comm)
    return mean + user_bias[ratings.user_idx[val_rows]] + movie_bias[ratings.movie_idx[val_rows]]


def fit_biases(
    users: np.ndarray, movies: np.ndarray, rating: np.ndarray, n_users: int, n_movies: int, comm: Comm = ALONE
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the mean and the biases of users (n_users,) and movies (n_movies,), from rows and ratings (n,).

    Each bias is the mean of what the rest leaves over, shrunk to 0 as if by SHRINK more ratings; movies and users
    take turns (Koren 2010, "Factor in the neighbors", section 2.1). comm: processes of which each has the ratings of
    its users, and gets the biases of these.
    """
    mean = _mean(rating, comm)
    user_bias, movie_bias = np.zeros(n_users), np.zeros(n_movies)
    for _ in range(ROUNDS):
        movie_bias = _shrunk_mean(movies, rating - mean - user_bias[users], n_movies, comm)
        user_bias = _shrunk_mean(users, rating - mean - movie_bias[movies], n_users, ALONE)
    return mean, user_bias, movie_bias


def _mean(rating: np.ndarray, comm: Comm) -> float:
    return float(rating.mean(dtype=np.float64) if comm.size == 1 else mean_of(rating, comm))


def _shrunk_mean(idx: np.ndarray, values: np.ndarray, n: int, comm: Comm) -> np.ndarray:
    sums, counts = comm.total(np.bincount(idx, values, n)), comm.total(np.bincount(idx, minlength=n))
    return np.asarray(sums / (counts + SHRINK))


_BASELINES = mean_baseline, bias_baseline

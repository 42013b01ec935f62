"""What a model must beat: predictions that know no factors."""

import numpy as np

from cf_excel.ratings.table import Ratings

SHRINK = 5.0  # ratings' worth of trust in the mean
ROUNDS = 20


def mean_baseline(ratings: Ratings, val_rows: np.ndarray) -> np.ndarray:
    """Return the mean of the training ratings for each validation row, (n_val,)."""
    return np.full(len(val_rows), np.delete(ratings.rating, val_rows).mean(dtype=np.float64))


def bias_baseline(ratings: Ratings, val_rows: np.ndarray) -> np.ndarray:
    """Return mean + user bias + movie bias for each validation row, (n_val,), fitted to the training ratings."""
    users, movies, rating = (
        np.delete(part, val_rows) for part in (ratings.user_idx, ratings.movie_idx, ratings.rating)
    )
    mean, user_bias, movie_bias = fit_biases(users, movies, rating, ratings.n_users, ratings.n_movies)
    return mean + user_bias[ratings.user_idx[val_rows]] + movie_bias[ratings.movie_idx[val_rows]]


def fit_biases(
    users: np.ndarray, movies: np.ndarray, rating: np.ndarray, n_users: int, n_movies: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the mean and the biases of users (n_users,) and movies (n_movies,), from rows and ratings (n,).

    Each bias is the mean of what the rest leaves over, shrunk to 0 as if by SHRINK more ratings; movies and users
    take turns (Koren 2010, "Factor in the neighbors", section 2.1).
    """
    mean = float(rating.mean(dtype=np.float64))
    user_bias, movie_bias = np.zeros(n_users), np.zeros(n_movies)
    for _ in range(ROUNDS):
        movie_bias = _shrunk_mean(movies, rating - mean - user_bias[users], n_movies)
        user_bias = _shrunk_mean(users, rating - mean - movie_bias[movies], n_users)
    return mean, user_bias, movie_bias


def _shrunk_mean(idx: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(idx, values, n) / (np.bincount(idx, minlength=n) + SHRINK)

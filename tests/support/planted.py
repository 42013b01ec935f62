"""Ratings whose answer is known: made from factors, without noise."""

import numpy as np

from cf_excel.ratings.table import Ratings


def make_ratings(user_idx: np.ndarray, movie_idx: np.ndarray, rating: np.ndarray) -> Ratings:
    """Return ratings with ids 100, 101, ... and 500, 501, ... for the rows given."""
    n_users, n_movies = int(np.max(user_idx)) + 1, int(np.max(movie_idx)) + 1
    return Ratings(
        user_ids=np.arange(n_users, dtype=np.int64) + 100,
        movie_ids=np.arange(n_movies, dtype=np.int64) + 500,
        user_idx=np.asarray(user_idx, np.int32),
        movie_idx=np.asarray(movie_idx, np.int32),
        rating=np.asarray(rating, np.float32),
        timestamp=None,
        titles=np.array([f"Film {i}" for i in range(n_movies)], object),
        years=np.zeros(n_movies, np.int16),
        genres=np.full(n_movies, "", object),
        source="planted ratings",
    )


def low_rank_ratings(n_users: int = 60, n_movies: int = 80, rank: int = 2, seed: int = 0) -> Ratings:
    """Return half of the table 0.5 + 4.5 * sigmoid(p.q + user bias + movie bias), in random order."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.7, (n_users, rank)) @ rng.normal(0, 0.7, (n_movies, rank)).T
    x += rng.normal(0, 0.7, (n_users, 1)) + rng.normal(0, 0.7, n_movies)
    rows = rng.permutation(n_users * n_movies)[: n_users * n_movies // 2]
    users, movies = rows // n_movies, rows % n_movies
    return make_ratings(users, movies, 0.5 + 4.5 / (1 + np.exp(-x[users, movies])))

"""Ratings of any size that are skewed as MovieLens is, made from a seed."""

import numpy as np

from cf_excel.ratings import Ratings

N_FACTORS = 8
CHUNK = 1_000_000


def skewed_ratings(n: int, n_users: int, n_movies: int, seed: int = 0) -> Ratings:
    """Return n ratings in half stars, by planted factors and noise, in random order; a pair may come up twice.

    How many ratings a user gives is lognormal with sigma 1.2: the median is half of the mean, as in ml-25m. A movie's
    share falls with the square of its rank: of 25 million ratings of 60,000 movies the first gets 80,000, the median 8.
    """
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 1.2, n_users)
    popularity = (1 + np.arange(n_movies) / (0.005 * n_movies)) ** -2.0
    user_idx, movie_idx = _draw(rng, activity, n), rng.permutation(n_movies).astype(np.int32)[_draw(rng, popularity, n)]
    users, movies = (rng.normal(0, 0.35, (rows, N_FACTORS)).astype(np.float32) for rows in (n_users, n_movies))
    user_bias, movie_bias = (rng.normal(0, 0.45, rows).astype(np.float32) for rows in (n_users, n_movies))
    rating = np.empty(n, np.float32)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        u, m = user_idx[part], movie_idx[part]
        stars = 3.5 + (users[u] * movies[m]).sum(1) + user_bias[u] + movie_bias[m] + rng.normal(0, 0.85, len(u))
        rating[part] = np.clip(np.round(2 * stars) / 2, 0.5, 5)
    return Ratings(
        user_ids=np.arange(1, n_users + 1),
        movie_ids=np.arange(1, n_movies + 1),
        user_idx=user_idx,
        movie_idx=movie_idx,
        rating=rating,
        timestamp=None,
        titles=np.full(n_movies, "", object),
        years=np.zeros(n_movies, np.int16),
        genres=np.full(n_movies, "", object),
        source=f"{n:,} synthetic ratings",
        declared_range=(0.5, 5.0),
    )


def _draw(rng: np.random.Generator, weights: np.ndarray, n: int) -> np.ndarray:
    """Return n rows, (n,) int32, each row as often as its weight says."""
    ends = np.cumsum(weights / weights.sum())
    parts = [np.searchsorted(ends, rng.random(min(CHUNK, n - start))) for start in range(0, n, CHUNK)]
    return np.minimum(np.concatenate([part.astype(np.int32) for part in parts]), len(weights) - 1)

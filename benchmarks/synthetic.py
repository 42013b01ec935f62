"""Ratings of any size in MovieLens' shape, and picks, made from factors that a model should find again."""

from typing import NamedTuple

import numpy as np

from cf_excel.learn.bayes.features import from_lists
from cf_excel.ratings.table import Ratings

RANK = 8
N_GENRES = 18
MEAN, USER_STD, MOVIE_STD, FACTOR_STD, NOISE_STD = 3.5, 0.4, 0.45, 0.45, 0.8


class Planted(NamedTuple):
    """Ratings; what each would be without noise, (n,); and the factors behind them, (n_movies, RANK)."""

    ratings: Ratings
    truth: np.ndarray
    movie_factors: np.ndarray


def movielens_shaped(n: int, seed: int = 0) -> Planted:
    """Return about n ratings, 0.5 to 5 in half steps, of as many users and movies as MovieLens' data sets have.

    A user rates 20 movies and more, log-normally many, and picks them by a popularity that falls like Zipf's law.
    A movie's factors and bias come half from its genres; the noise has the standard deviation NOISE_STD.
    """
    rng = np.random.default_rng(seed)
    n_users, n_movies = max(20, round(n / 149)), round(9066 * (n / 1e5) ** 0.34)
    users, movies = _pairs(rng, n, n_users, n_movies)
    genres = [[f"genre {g}" for g in rng.choice(N_GENRES, k, replace=False)] for k in rng.integers(1, 4, n_movies)]
    features = from_lists(genres)
    half = np.sqrt(0.5)

    def of_movies(k: int) -> np.ndarray:
        return half * (features @ rng.normal(0, 1, (N_GENRES, k)) + rng.normal(0, 1, (n_movies, k)))

    p, q = rng.normal(0, 1, (n_users, RANK)), of_movies(RANK) * FACTOR_STD / np.sqrt(RANK)
    user_bias, movie_bias = rng.normal(0, USER_STD, n_users), of_movies(1)[:, 0] * MOVIE_STD
    truth = np.empty(len(users), np.float32)
    for start in range(0, len(users), 1 << 20):
        u, m = users[start : start + (1 << 20)], movies[start : start + (1 << 20)]
        truth[start : start + (1 << 20)] = MEAN + user_bias[u] + movie_bias[m] + np.einsum("nk,nk->n", p[u], q[m])
    noisy = truth + rng.normal(0, NOISE_STD, len(truth)).astype(np.float32)
    ratings = Ratings(
        user_ids=np.arange(n_users),
        movie_ids=np.arange(n_movies),
        user_idx=users,
        movie_idx=movies,
        rating=np.clip(np.round(2 * noisy) / 2, 0.5, 5),
        timestamp=None,
        titles=np.full(n_movies, "", object),
        years=np.zeros(n_movies, np.int16),
        genres=np.array(["|".join(names) for names in genres], object),
        source=f"{len(users):,} planted ratings",
    )
    return Planted(ratings, np.clip(truth, 0.5, 5), q)


def _pairs(rng: np.random.Generator, n: int, n_users: int, n_movies: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the user and movie rows of about n different pairs, in random order."""
    activity = 20 + rng.lognormal(4.0, 1.2, n_users)
    counts = np.ceil(activity * 1.25 * n / activity.sum()).astype(np.int64)  # a quarter more: some pairs come twice
    popularity = 1 / (np.arange(n_movies) + 30.0)
    movies = rng.choice(n_movies, counts.sum(), p=popularity / popularity.sum())
    keys = np.repeat(np.arange(n_users), counts) * n_movies + movies
    keys = rng.permutation(np.unique(keys))[:n]
    return (keys // n_movies).astype(np.int32), (keys % n_movies).astype(np.int32)


def planted_picks(n_users: int, n_movies: int, seed: int = 0) -> Ratings:
    """Return 8 to 24 picks of each user, who has a taste in 5 topics and now and then picks something by chance."""
    rng = np.random.default_rng(seed)
    tastes, topics = rng.gamma(0.2, size=(n_users, 5)), rng.gamma(0.2, size=(5, n_movies))
    chances = tastes @ topics + 1e-3
    chances /= chances.sum(axis=1, keepdims=True)
    counts = rng.integers(8, 25, n_users)
    picked = [rng.choice(n_movies, n, replace=False, p=row) for n, row in zip(counts, chances, strict=True)]
    movies = np.concatenate(picked).astype(np.int32)
    return Ratings(
        user_ids=np.arange(n_users),
        movie_ids=np.arange(n_movies),
        user_idx=np.repeat(np.arange(n_users, dtype=np.int32), counts),
        movie_idx=movies,
        rating=np.ones(len(movies), np.float32),
        timestamp=None,
        titles=np.full(n_movies, "", object),
        years=np.zeros(n_movies, np.int16),
        genres=np.full(n_movies, "", object),
        source=f"{len(movies):,} planted picks",
        implicit=True,
    )

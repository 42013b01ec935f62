"""Planted tables that have what real ones have, for python -m benchmarks.tables."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cf_excel.learn.bayes.features import from_lists
from cf_excel.ratings.table import Ratings

N_GENRES = 8


def stars(seed: int, noise: float = 0.4) -> Ratings:
    """Return a third of 60 x 40 stars of rank 3."""
    return _filled(seed, 60, 40, 0.35, 3, noise)


def clusters(seed: int) -> Ratings:
    """Return a tenth of 300 x 200 stars: 5 kinds of users, 6 of items."""
    rng = np.random.default_rng(seed)
    of_pair = rng.normal(0, 1, (5, 6))[rng.integers(0, 5, 300)][:, rng.integers(0, 6, 200)]
    return _of(3 + of_pair + rng.normal(0, 0.7, (300, 200)), rng.random((300, 200)) < 0.1)


def skewed(seed: int) -> Ratings:
    """Return 500 x 800 stars: few items have most ratings, and users rate what they like."""
    rng = np.random.default_rng(seed)
    x = _sum(rng, 500, 800, 4, 0.8)
    wish = 0.8 * x - 0.8 * np.log(1 + np.arange(800)) + rng.normal(0, 0.8, (500, 1))
    return _of(3.3 + x, rng.random(x.shape) < 1 / (1 + np.exp(-wish - 1)))


def moody(seed: int) -> Ratings:
    """Return a fifth of 300 x 150 stars whose users differ in their noise, from .2 to 1.6."""
    rng = np.random.default_rng(seed)
    x = _sum(rng, 300, 150, 3, 0) + rng.normal(0, 1, (300, 150)) * rng.uniform(0.2, 1.6, (300, 1))
    return _of(3 + x, rng.random(x.shape) < 0.2)


def drifting(seed: int) -> Ratings:
    """Return a fifth of 300 x 150 stars whose users and items grow kinder or sterner; the latest are asked for."""
    rng = np.random.default_rng(seed)
    when = rng.random((300, 150))
    drift = rng.normal(0, 0.6, (300, 1)) + rng.normal(0, 0.4, 150)
    ratings = _of(3 + _sum(rng, 300, 150, 3, 0.6) + drift * (when - 0.5), is_there := rng.random(when.shape) < 0.2)
    return replace(ratings, timestamp=(1e6 * when[is_there]).astype(np.int64))


def with_genres(seed: int) -> Ratings:
    """Return a twentieth of 300 x 400 stars whose items are what their two genres make them."""
    rng = np.random.default_rng(seed)
    genres = [rng.choice(N_GENRES, 2, replace=False) for _ in range(400)]
    known = from_lists([[f"g{i}" for i in pair] for pair in genres]).toarray()
    x = rng.normal(0, 1, (300, 3)) @ (known @ rng.normal(0, 1, (N_GENRES, 3))).T / np.sqrt(3) * 1.4
    x += rng.normal(0, 0.5, (300, 1)) + rng.normal(0, 0.6, x.shape)
    return _with(_of(3 + x, rng.random(x.shape) < 0.05), genres)


def with_noise_as_genres(seed: int) -> Ratings:
    """Return a tenth of 300 x 200 stars of rank 3 with genres that were drawn by lot."""
    rng = np.random.default_rng(seed + 1000)
    ratings = _filled(seed, 300, 200, 0.1, 3, 0.7)
    return _with(ratings, [rng.choice(N_GENRES, 2, replace=False) for _ in range(ratings.n_movies)])


def without_genres(seed: int) -> Ratings:
    """Return the same table without them."""
    return _filled(seed, 300, 200, 0.1, 3, 0.7)


def jokes(seed: int) -> Ratings:
    """Return half of 600 x 80 ratings in -10 to 10, not rounded."""
    rng = np.random.default_rng(seed)
    x = np.clip(4 * _sum(rng, 600, 80, 4, 1.0), -10, 10)
    return _made(x, rng.random(x.shape) < 0.5)


def without_noise(seed: int) -> Ratings:
    """Return half of 60 x 40 ratings that are of rank 2, with biases."""
    rng = np.random.default_rng(seed)
    x = 3 + _sum(rng, 60, 40, 2, 0)
    return _made(x, rng.random(x.shape) < 0.5)


def by_lot(seed: int) -> Ratings:
    """Return a third of 60 x 40 stars that were drawn by lot."""
    rng = np.random.default_rng(seed)
    return _of(rng.integers(1, 6, (60, 40)).astype(float), rng.random((60, 40)) < 0.35)


KINDS: dict[str, Callable[[int], Ratings]] = {
    "stars, 60 x 40": stars,
    "clusters, 300 x 200": clusters,
    "skewed and not at random, 500 x 800": skewed,
    "noise by user, 300 x 150": moody,
    "drift, 300 x 150, latest fifth": drifting,
    "genres that help, 300 x 400": with_genres,
    "300 x 200": without_genres,
    "the same with genres by lot": with_noise_as_genres,
    "-10 to 10, 600 x 80": jokes,
    "no noise, 60 x 40": without_noise,
    "by lot, 60 x 40": by_lot,
}


def _sum(rng: np.random.Generator, n_users: int, n_items: int, rank: int, noise: float) -> np.ndarray:
    x = rng.normal(size=(n_users, rank)) @ rng.normal(size=(n_items, rank)).T / np.sqrt(rank)
    x += rng.normal(0, 0.5, (n_users, 1)) + rng.normal(0, 0.5, n_items)
    return x + rng.normal(0, noise, x.shape) if noise else x


def _filled(seed: int, n_users: int, n_items: int, share: float, rank: int, noise: float) -> Ratings:
    rng = np.random.default_rng(seed)
    x = _sum(rng, n_users, n_items, rank, noise)
    return _of(3 + x, rng.random(x.shape) < share)


def _of(x: np.ndarray, is_there: np.ndarray) -> Ratings:
    return _made(np.clip(np.round(x), 1, 5), is_there)


def _made(x: np.ndarray, is_there: np.ndarray) -> Ratings:
    (users, items), (n_users, n_items) = np.nonzero(is_there), x.shape
    return Ratings(
        user_ids=np.arange(n_users),
        movie_ids=np.arange(n_items),
        user_idx=users.astype(np.int32),
        movie_idx=items.astype(np.int32),
        rating=x[is_there].astype(np.float32),
        timestamp=None,
        titles=np.array([f"item {i}" for i in range(n_items)], object),
        years=np.zeros(n_items, np.int16),
        genres=np.full(n_items, "", object),
        source="planted ratings",
    )


def _with(ratings: Ratings, genres: Sequence[np.ndarray]) -> Ratings:
    return replace(ratings, genres=np.array(["|".join(f"g{i}" for i in row) for row in genres], object))

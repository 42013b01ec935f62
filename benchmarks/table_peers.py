"""Textbook models for python -m benchmarks.tables, which need nothing installed: biases, ridge regressions and KNN."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from cf_excel.evaluate.systems import Scorer, System, grid
from cf_excel.ratings.table import Ratings

MOST_ITEMS = 3_000  # KNN compares each with each
ROUNDS = 15
SHRINKS = tuple({"user": user, "item": item} for user in (2, 8, 30) for item in (2, 8, 30))
SIZES = tuple({"k": k, "ridge": ridge} for k in (2, 5, 15) for ridge in (1, 3, 8, 20))
NEAR = tuple({"k": k, "shrink": shrink} for k in (10, 40) for shrink in (5, 30, 100))
Pairs = Callable[[np.ndarray, np.ndarray], np.ndarray]


def textbook() -> list[System]:
    """Return the models, with the settings among which a holdout within the training ratings chooses."""
    return [
        System("biases", lambda fold, settings, seed: Scorer(biases(fold.train, **settings)), grid(*SHRINKS)),
        System("ALS with biases", lambda fold, settings, seed: Scorer(als(fold.train, seed, **settings)), grid(*SIZES)),
        System("item KNN", lambda fold, settings, seed: Scorer(knn(fold.train, **settings)), grid(*NEAR)),
    ]


def _fit_biases(train: Ratings, user: float, item: float) -> tuple[float, np.ndarray, np.ndarray]:
    mean, users, movies = float(train.rating.mean(dtype=np.float64)), train.user_idx, train.movie_idx
    of_user, of_movie = np.zeros(train.n_users), np.zeros(train.n_movies)
    n_user, n_movie = (np.bincount(i, minlength=n) for i, n in ((users, train.n_users), (movies, train.n_movies)))
    for _ in range(ROUNDS):
        of_movie = np.bincount(movies, train.rating - mean - of_user[users], train.n_movies) / (n_movie + item)
        of_user = np.bincount(users, train.rating - mean - of_movie[movies], train.n_users) / (n_user + user)
    return mean, of_user, of_movie


def biases(train: Ratings, user: float, item: float) -> Pairs:
    """Return mean + user bias + item bias, each shrunk as if by so many more ratings."""
    mean, of_user, of_movie = _fit_biases(train, user, item)
    return lambda users, movies: mean + of_user[users] + of_movie[movies]


def als(train: Ratings, seed: int, k: int, ridge: float) -> Pairs:
    """Return a matrix factorization with biases by alternating ridge regressions."""
    mean, rng = float(train.rating.mean(dtype=np.float64)), np.random.default_rng(seed)
    rating = csr_array((train.rating - mean, (train.user_idx, train.movie_idx)), (train.n_users, train.n_movies))
    ones = csr_array((np.ones(len(train)), (train.user_idx, train.movie_idx)), rating.shape)
    p, q = np.zeros((train.n_users, k + 1)), rng.normal(0, 0.3, (train.n_movies, k + 1))
    q[:, -1] = 0
    turned = ones.T.tocsr(), rating.T.tocsr()
    for _ in range(ROUNDS):
        p = _ridge(q, ones, rating, ridge)
        q = _ridge(p, *turned, ridge)
    return lambda users, movies: (
        mean + np.einsum("nk,nk->n", p[users, :-1], q[movies, :-1]) + p[users, -1] + q[movies, -1]
    )


def _ridge(other: np.ndarray, ones: csr_array, rating: csr_array, ridge: float) -> np.ndarray:
    inputs = np.hstack([other[:, :-1], np.ones((len(other), 1))])
    n, d = inputs.shape
    outer = (inputs[:, :, None] * inputs[:, None]).reshape(n, -1)
    a = (ones @ outer).reshape(-1, d, d) + ridge * np.eye(d)
    b = rating @ inputs - ones @ (inputs * other[:, -1:])
    return np.linalg.solve(a, b[:, :, None])[:, :, 0]


def knn(train: Ratings, k: int, shrink: float) -> Pairs:
    """Return biases plus a mean of what they miss at the k most similar items that the user rated."""
    base = biases(train, 8, 8)
    left = train.rating - base(train.user_idx, train.movie_idx)
    missed = csr_array((left, (train.user_idx, train.movie_idx)), (train.n_users, train.n_movies))
    ones = csr_array((np.ones(len(left)), missed.nonzero()), missed.shape)
    length = np.sqrt(np.maximum((ones.T @ missed.power(2)).toarray().T * (ones.T @ missed.power(2)).toarray(), 1e-12))
    common = (ones.T @ ones).toarray()
    similar = np.maximum((missed.T @ missed).toarray() / length * common / (common + shrink), 0)

    def score(users: np.ndarray, movies: np.ndarray) -> np.ndarray:
        found = base(users, movies)
        for user in np.unique(users):
            rows = np.flatnonzero(users == user)
            start, end = missed.indptr[user : user + 2]
            near = similar[movies[rows]][:, missed.indices[start:end]]
            if near.shape[1] > k:
                near = np.where(near >= -np.partition(-near, k - 1, axis=1)[:, k - 1 : k], near, 0)
            found[rows] += near @ missed.data[start:end] / np.maximum(near.sum(axis=1), 0.1)
        return found

    return score

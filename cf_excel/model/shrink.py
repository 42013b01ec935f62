"""Make a model smaller: fewer users and movies, fewer factors."""

from dataclasses import replace

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.crowd import Crowd, moments
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import most_rated

_USERS_AT_ONCE = 256


def keep_movies(factors: Factors, n: int) -> Factors:
    """Return the model of the n most rated movies, in the model's order. Raises InputError where it has fewer."""
    if not 1 <= n <= factors.n_movies:
        raise InputError(f"--top-movies {n}: expected 1 to {factors.n_movies}, the {factors.nouns.movies} in the model")
    return factors.of_movies(np.sort(most_rated(factors.n_ratings, factors.movie_ids)[:n]))


def keep_users(factors: Factors, n: int) -> Factors:
    """Return the model of the n most active users, in the model's order."""
    return factors.of_users(np.sort(most_rated(factors.n_seen, factors.user_ids)[:n]))


def only_users(factors: Factors, rows: np.ndarray) -> Factors:
    """Return the model of the users in these rows, which still tells how often all users rated each movie."""
    return replace(factors.of_users(rows), crowd=_crowd(factors))


def without_seen(factors: Factors) -> Factors:
    """Return the model without what its users rated, which lists for them need: see Factors.check_seen."""
    return replace(
        factors,
        seen_offsets=np.zeros_like(factors.seen_offsets),
        seen_movies=factors.seen_movies[:0],
        seen_ratings=None,
        crowd=_crowd(factors),
    )


def _crowd(factors: Factors) -> Crowd:
    return factors.crowd or Crowd(factors.n_ratings.astype(np.int64), *moments(factors))


def keep_factors(factors: Factors, n: int) -> tuple[Factors, float]:
    """Return the model with n factors, and by how many rating points predictions change (RMS, over all pairs).

    The products p.q of every user and movie become those of the truncated singular value decomposition, which no other
    n factors come closer to (Eckart & Young 1936); biases stay. Raises InputError for more factors than there are.
    """
    if not 1 <= n <= factors.n_factors:
        raise InputError(f"--factors {n}: expected 1 to {factors.n_factors}, the factors in the model")
    if n == factors.n_factors:
        return factors, 0.0
    user_basis, user_part = np.linalg.qr(factors.user_factors.astype(np.float64))
    movie_basis, movie_part = np.linalg.qr(factors.movie_factors.astype(np.float64))
    left, sizes, right = np.linalg.svd(user_part @ movie_part.T)
    root = np.sqrt(np.pad(sizes, (0, max(0, n - len(sizes))))[:n])
    small = replace(
        factors,
        user_factors=_wide(user_basis @ left, n, root),
        movie_factors=_wide(movie_basis @ right.T, n, root),
        layers=_cut_variances(factors, n),
        record=factors.record | {"factors_before": factors.n_factors},
        crowd=factors.crowd and factors.crowd.with_factors(_projection(movie_part.T @ right.T, n, root)),
    )
    return small, _change(factors, small)


def _wide(vectors: np.ndarray, n: int, root: np.ndarray) -> np.ndarray:
    return (_columns(vectors, n) * root).astype(np.float32)


def _projection(vectors: np.ndarray, n: int, root: np.ndarray) -> np.ndarray:
    """Return what turns the factors of any user into the n whose products with the movies' come closest."""
    return np.divide(_columns(vectors, n), root, out=np.zeros((len(vectors), n)), where=root > 0).T


def _columns(vectors: np.ndarray, n: int) -> np.ndarray:
    return np.pad(vectors, ((0, 0), (0, max(0, n - vectors.shape[1]))))[:, :n]


def _change(one: Factors, other: Factors) -> float:
    predictors, total = (Predictor(one), Predictor(other)), 0.0
    for start in range(0, one.n_users, _USERS_AT_ONCE):
        users = one.user_ids[start : start + _USERS_AT_ONCE, None]
        before, after = (predictor.predict(users, one.movie_ids) for predictor in predictors)
        total += float(np.square(after - before, dtype=np.float64).sum())
    return float(np.sqrt(total / one.n_users / one.n_movies))


def _cut_variances(factors: Factors, n: int) -> dict[str, np.ndarray]:
    # these belong to the old factors; no formula uses them, and the last one is the bias's
    axes = KINDS[factors.kind].layers
    return {
        name: np.column_stack([layer[:, :n], layer[:, -1]]) if "numbers" in axes[name] else layer
        for name, layer in factors.layers.items()
    }

"""How far a prediction of a "bayes" model may be off."""

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.mapped import MappedUsers, is_mapped


def spread_vectors(factors: Factors) -> tuple[np.ndarray | MappedUsers, np.ndarray]:
    """Return vectors of users (n_users, 2 * n_factors + 2) and movies whose dot product is a rating's variance.

    The variance of p.q + bu + bm + noise, with every number independent of the others, is the sum of
    (p^2 + var p) var q + q^2 var p over the factors, plus var bu + var bm + the user's noise variance, in squared
    rating units.
    """
    movie = factors.layers["movie_variance"]
    right = np.hstack([movie, factors.movie_factors**2, np.ones((len(movie), 1), np.float32)])
    users = (factors.user_factors, factors.layers["user_variance"], factors.layers["noise_variance"])
    return MappedUsers(users, _of_users) if is_mapped(factors.user_factors) else _of_users(*users), right


def _of_users(factors: np.ndarray, variance: np.ndarray, noise: np.ndarray) -> np.ndarray:
    alone = variance[:, -1:] + noise[:, None]
    ones = np.ones((len(variance), 1), np.float32)
    return np.hstack([factors**2 + variance[:, :-1], ones, variance[:, :-1], alone])

"""How far a prediction of a "bayes" model may be off."""

import numpy as np

from cf_excel.model.factors import Factors


def spread_vectors(factors: Factors) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of users (n_users, 2 * n_factors + 2) and movies whose dot product is a rating's variance.

    The variance of p.q + bu + bm + noise, with every number independent of the others, is the sum of
    (p^2 + var p) var q + q^2 var p over the factors, plus var bu + var bm + the user's noise variance, in squared
    rating units.
    """
    user, movie = factors.layers["user_variance"], factors.layers["movie_variance"]
    user_ones, movie_ones = np.ones((len(user), 1), np.float32), np.ones((len(movie), 1), np.float32)
    alone = user[:, -1:] + factors.layers["noise_variance"][:, None]
    left = np.hstack([factors.user_factors**2 + user[:, :-1], user_ones, user[:, :-1], alone])
    right = np.hstack([movie, factors.movie_factors**2, movie_ones])
    return left, right

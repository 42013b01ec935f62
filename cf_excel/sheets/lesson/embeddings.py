"""The numbers on the lesson's sheets, computed as the sheets compute them."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The starting numbers: user_factors (n_users, n_factors), movie_factors (n_movies, n_factors), and the biases."""

    user_factors: np.ndarray
    movie_factors: np.ndarray
    user_bias: np.ndarray
    movie_bias: np.ndarray

    @classmethod
    def random(cls, n_users: int, n_movies: int, n_factors: int, seed: int) -> "Embeddings":
        """Draw every number from uniform(0, 1), as the lesson does; six decimals make a smaller file."""
        rng = np.random.default_rng(seed)
        shapes = (n_users, n_factors), (n_movies, n_factors), n_users, n_movies
        return cls(*(rng.random(shape).round(6) for shape in shapes))

    def products(self) -> np.ndarray:
        """Return the dot product of every user (rows) with every movie (columns)."""
        # factor by factor and not with @: BLAS sums in an order that depends on the processor
        total = np.zeros((len(self.user_factors), len(self.movie_factors)))
        for user_factor, movie_factor in zip(self.user_factors.T, self.movie_factors.T, strict=True):
            total = total + user_factor[:, None] * movie_factor[None, :]
        return total


def sheet_rmse(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Return the RMSE over the ratings that are not NaN, 0 without any, as the sheets define it."""
    errors = (ratings - predictions)[~np.isnan(ratings)]
    return math.sqrt(math.fsum((errors**2).tolist()) / max(1, len(errors)))

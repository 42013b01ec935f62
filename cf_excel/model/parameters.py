"""The numbers that a model learns of users and movies."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Parameters:
    """Factors and biases: a trained model's, or those in a sheet's cells, where NaN stands for a blank.

    user_factors (n_users, n_factors), movie_factors (n_movies, n_factors), user_bias (n_users,) and movie_bias
    (n_movies,), both None where there are no biases.
    """

    user_factors: np.ndarray
    movie_factors: np.ndarray
    user_bias: np.ndarray | None = None
    movie_bias: np.ndarray | None = None

    @property
    def n_users(self) -> int:
        """Return how many users there are."""
        return len(self.user_factors)

    @property
    def n_movies(self) -> int:
        """Return how many movies there are."""
        return len(self.movie_factors)

    @property
    def n_factors(self) -> int:
        """Return how many factors a user and a movie have."""
        return self.user_factors.shape[1]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, without biases where there are none."""
        names = ("user_factors", "movie_factors", "user_bias", "movie_bias")
        return {name: array for name in names if (array := getattr(self, name)) is not None}

    def products(self, user_idx: np.ndarray, movie_idx: np.ndarray) -> np.ndarray:
        """Return p.q, float64, in the shape that the rows of users and movies broadcast to.

        Summed factor by factor and not with @: BLAS sums in an order that depends on the processor.
        """
        total = np.zeros(np.broadcast_shapes(user_idx.shape, movie_idx.shape))
        for user_factor, movie_factor in zip(self.user_factors.T, self.movie_factors.T, strict=True):
            total = total + user_factor[user_idx] * movie_factor[movie_idx]
        return total

    def predict(self, user_idx: np.ndarray, movie_idx: np.ndarray) -> np.ndarray:
        """Return p.q plus both biases where there are any, in the shape that the rows broadcast to."""
        products = self.products(user_idx, movie_idx)
        if self.user_bias is None or self.movie_bias is None:
            return products
        return products + self.user_bias[user_idx] + self.movie_bias[movie_idx]

    def without_blanks(self) -> "Parameters":
        """Return the numbers with 0 for those that are NaN, as a sheet counts its blank cells."""
        return replace(self, **{name: np.where(np.isnan(array), 0, array) for name, array in self.arrays.items()})

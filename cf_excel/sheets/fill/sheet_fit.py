"""What a sheet of the lesson is fitted to and by: its ratings, and the numbers that predict them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class SheetParameters:
    """The numbers that a sheet fits: user_factors (n_users, n_factors), movie_factors (n_movies, n_factors), biases.

    user_bias (n_users,) and movie_bias (n_movies,): None on a sheet without biases.
    """

    user_factors: np.ndarray
    movie_factors: np.ndarray
    user_bias: np.ndarray | None = None
    movie_bias: np.ndarray | None = None

    def predict(self, user_idx: np.ndarray, movie_idx: np.ndarray) -> np.ndarray:
        """Return the sheet's predictions of pairs: p.q, plus both biases where there are any."""
        products = np.einsum("nk,nk->n", self.user_factors[user_idx], self.movie_factors[movie_idx])
        return products if self.user_bias is None else products + self.user_bias[user_idx] + self.movie_bias[movie_idx]

    @property
    def is_finite(self) -> bool:
        return all(np.isfinite(array).all() for array in self._arrays)

    @property
    def sum_of_squares(self) -> float:
        return float(sum((array**2).sum() for array in self._arrays))

    @property
    def _arrays(self) -> list[np.ndarray]:
        arrays = (self.user_factors, self.movie_factors, self.user_bias, self.movie_bias)
        return [array for array in arrays if array is not None]


@dataclass(frozen=True, eq=False)
class SheetRatings:
    """The ratings of a sheet: user_idx, movie_idx and rating, (n,) each."""

    user_idx: np.ndarray
    movie_idx: np.ndarray
    rating: np.ndarray

    def __len__(self) -> int:
        return len(self.rating)

    def part(self, chosen: np.ndarray) -> "SheetRatings":
        """Return some of the ratings, by number or by mask."""
        return SheetRatings(self.user_idx[chosen], self.movie_idx[chosen], self.rating[chosen])

    def split(self, fraction: float, seed: int) -> tuple["SheetRatings", "SheetRatings"]:
        """Return the ratings to fit and those held out, a random fraction of them, at least one each."""
        n_held = min(len(self) - 1, max(1, round(fraction * len(self))))
        order = np.random.default_rng(seed).permutation(len(self))
        return self.part(np.sort(order[n_held:])), self.part(np.sort(order[:n_held]))


def rmse_of(parameters: SheetParameters, ratings: SheetRatings) -> float:
    """Return the RMSE of the predictions of the ratings, in rating units."""
    errors = ratings.rating - parameters.predict(ratings.user_idx, ratings.movie_idx)
    return float(np.sqrt(np.mean(errors**2)))

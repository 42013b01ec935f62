"""The squared errors of predictions that are a function of their sums, as of all numbers of a sheet."""

import numpy as np

from cf_excel.model.parameters import Parameters
from cf_excel.sheets.fill.sheet_fit import SheetRatings


class LinkedFit:
    """What Levenberg and Marquardt's steps ask for: costs, slopes and curvatures at some numbers, in one vector."""

    def __init__(self, ratings: SheetRatings, start: Parameters, l2: float) -> None:
        assert ratings.link is not None
        self._ratings, self._link, self._l2 = ratings, ratings.link, l2
        self._names = list(start.arrays)
        self._shapes = [array.shape for array in start.arrays.values()]
        self._ends = np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])
        self.start = np.concatenate([array.ravel() for array in start.arrays.values()])
        self.all_squares = float(ratings.rating @ ratings.rating)

    def parameters(self, x: np.ndarray) -> Parameters:
        """Return the numbers that a vector holds."""
        parts = np.split(x, self._ends[:-1])
        shaped = zip(self._names, parts, self._shapes, strict=True)
        return Parameters(**{name: part.reshape(shape) for name, part, shape in shaped})

    def cost(self, x: np.ndarray) -> float:
        """Return the squared errors + l2 * the squares of all numbers."""
        errors = self._ratings.predicted(self.parameters(x)) - self._ratings.rating
        return float(errors @ errors + self._l2 * (x @ x))

    def slope_and_curvature(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return half the gradient, (n,), and J.T @ J, (n, n)."""
        now = self.parameters(x)
        users, movies, n = self._ratings.user_idx, self._ratings.movie_idx, np.arange(len(self._ratings))
        sums = now.predict(users, movies)
        errors = self._link.shown(sums) - self._ratings.rating
        moves = {
            "user_factors": (users, now.movie_factors[movies]),
            "movie_factors": (movies, now.user_factors[users]),
            "user_bias": (users, 1.0),
            "movie_bias": (movies, 1.0),
        }
        parts = []
        for name, shape in zip(self._names, self._shapes, strict=True):
            part = np.zeros((len(n), *shape))
            rows, values = moves[name]
            part[n, rows] = values
            parts.append(part.reshape(len(n), -1))
        jacobian = np.concatenate(parts, axis=1) * self._link.slope(sums)[:, None]
        return jacobian.T @ errors + self._l2 * x, jacobian.T @ jacobian + self._l2 * np.eye(len(x))

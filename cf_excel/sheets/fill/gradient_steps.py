"""Gradient descent on a sheet's ratings, a step for all of them at once."""

from collections.abc import Callable

import numpy as np

from cf_excel.model.parameters import Parameters
from cf_excel.sheets.fill.sheet_fit import SheetRatings, rmse_of


def descend(
    ratings: SheetRatings, start: Parameters, optimizer: str, steps: int, lr: float, l2: float
) -> tuple[Parameters, list[float]]:
    """Walk down the gradient of the squared errors of a user's or movie's mean number of ratings.

    optimizer: "adam" or "sgd". Return the numbers, and the RMSE of every step, in rating units, the start's first.
    """
    step = _adam(lr) if optimizer == "adam" else _momentum(lr)
    share = max(start.n_users, start.n_movies) / len(ratings)
    values = {name: array.copy() for name, array in start.arrays.items()}
    history = []
    for _ in range(steps):
        now = Parameters(**values)
        errors = ratings.predicted(now) - ratings.rating
        history.append(float(np.sqrt(np.mean(errors**2))))
        if ratings.link:
            errors = errors * ratings.link.slope(now.predict(ratings.user_idx, ratings.movie_idx))
        gradients = _gradients(ratings, now, errors)
        values = {name: step(name, values[name], share * (gradients[name] + l2 * values[name])) for name in values}
    solved = Parameters(**values)
    return solved, [*history, rmse_of(solved, ratings)]


def _gradients(ratings: SheetRatings, now: Parameters, errors: np.ndarray) -> dict[str, np.ndarray]:
    users, movies = ratings.user_idx, ratings.movie_idx
    return {
        "user_factors": _sums(users, errors[:, None] * now.movie_factors[movies], now.n_users),
        "movie_factors": _sums(movies, errors[:, None] * now.user_factors[users], now.n_movies),
        "user_bias": np.bincount(users, errors, now.n_users),
        "movie_bias": np.bincount(movies, errors, now.n_movies),
    }


def _sums(rows: np.ndarray, values: np.ndarray, n_rows: int) -> np.ndarray:
    return np.column_stack([np.bincount(rows, column, n_rows) for column in values.T])


def _momentum(lr: float, beta: float = 0.9) -> Callable[[str, np.ndarray, np.ndarray], np.ndarray]:
    """Return a step of gradient descent with the lesson's momentum."""
    velocity: dict[str, np.ndarray] = {}

    def step(name: str, value: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        velocity[name] = beta * velocity.get(name, 0.0) + gradient
        return value - lr * velocity[name]

    return step


def _adam(lr: float, beta1: float = 0.9, beta2: float = 0.999) -> Callable[[str, np.ndarray, np.ndarray], np.ndarray]:
    """Return a step of Adam (Kingma & Ba 2015)."""
    mean: dict[str, np.ndarray] = {}
    square: dict[str, np.ndarray] = {}
    count: dict[str, int] = {}

    def step(name: str, value: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        count[name] = count.get(name, 0) + 1
        mean[name] = beta1 * mean.get(name, 0.0) + (1 - beta1) * gradient
        square[name] = beta2 * square.get(name, 0.0) + (1 - beta2) * gradient**2
        unbiased = mean[name] / (1 - beta1 ** count[name])
        return value - lr * unbiased / (np.sqrt(square[name] / (1 - beta2 ** count[name])) + 1e-8)

    return step

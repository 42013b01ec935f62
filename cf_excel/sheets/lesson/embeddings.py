"""The numbers that the lesson's sheets start with, and their RMSE as the sheets compute it."""

import math

import numpy as np

from cf_excel.model.parameters import Parameters


def random_parameters(n_users: int, n_movies: int, n_factors: int, seed: int) -> Parameters:
    """Draw every number from uniform(0, 1), as the lesson does; six decimals make a smaller file."""
    rng = np.random.default_rng(seed)
    shapes = (n_users, n_factors), (n_movies, n_factors), n_users, n_movies
    return Parameters(*(rng.random(shape).round(6) for shape in shapes))


def sheet_rmse(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Return the RMSE over the ratings that are not NaN, 0 without any, as the sheets define it."""
    errors = (ratings - predictions)[~np.isnan(ratings)]
    return math.sqrt(math.fsum((errors**2).tolist()) / max(1, len(errors)))

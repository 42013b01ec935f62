"""Measures of the error of predictions. MSE is the lesson's loss, RMSE its root."""

import math

import numpy as np
from numpy.typing import ArrayLike

from cf_excel.errors import InputError


def mse(predictions: ArrayLike, ratings: ArrayLike) -> float:
    """Return the mean squared error, in squared rating units.

    Both have one shape, which is not broadcast. Raises InputError for different shapes and for nothing to compare.
    """
    return float(np.square(_errors(predictions, ratings)).mean())


def rmse(predictions: ArrayLike, ratings: ArrayLike) -> float:
    """Return the root of the mean squared error, in rating units; shapes and errors as for mse."""
    return math.sqrt(mse(predictions, ratings))


def mae(predictions: ArrayLike, ratings: ArrayLike) -> float:
    """Return the mean absolute error, in rating units; shapes and errors as for mse."""
    return float(np.abs(_errors(predictions, ratings)).mean())


def _errors(predictions: ArrayLike, ratings: ArrayLike) -> np.ndarray:
    try:
        predictions, ratings = np.asarray(predictions, np.float64), np.asarray(ratings, np.float64)
    except (TypeError, ValueError):
        raise InputError("predictions and ratings: expected two tables of numbers") from None
    if predictions.shape != ratings.shape:
        raise InputError(
            f"predictions of shape {predictions.shape} against ratings of shape {ratings.shape}: expected one shape"
        )
    if not predictions.size:
        raise InputError("there are no ratings to compare the predictions with")
    return predictions - ratings

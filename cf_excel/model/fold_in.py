"""Fit a user who is not in the data to a trained model, from a handful of ratings.

Ridge regression on the movie factors, with the trained users as the prior: the mean user is where the fit starts, and
the directions in which users differ most cost least (Hoerl & Kennard 1970). It is one linear solve, so that a
spreadsheet can do it too: the line through the mean user's predictions, along their slopes, stands for the model. For
"dot" and "bayes" the model is that line. For "dot-bias" and "collab" it costs next to nothing: on the lesson's 20,000
validation ratings, each user folded in from all, 20 or 5 training ratings, the MSE is .756, .795 and .873 with "collab"
(.817, .844, .907 with "dot-bias") against .754, .795, .873 (.815, .842, .907) when the line is drawn again and again at
the new prediction (Gauss-Newton), which "net" alone needs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.crowd import moments
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.lookup import shown

_STEPS = 8
_DEFAULT_MSE = 0.04  # of the squared rating range: .81 on the lesson's 0.5 to 5, about its validation MSE
# Trained users are shrunk towards each other, so that their covariance is too tight a prior. Of factors from .03 to 10,
# .3 to .5 served all kinds best on the lesson's validation ratings, from 5, 20 or all training ratings of each user.
_LOOSEN = 0.4

_TOO_FAR_APART = "the model's numbers are too far apart to fit a new user to them: train it again"


@dataclass(frozen=True, eq=False)
class UserPrior:
    """What users are like: mean (n_factors + 1,), the bias last, their covariance, and root, a square root of it."""

    mean: np.ndarray
    covariance: np.ndarray
    root: np.ndarray


def user_prior(factors: Factors) -> UserPrior:
    """Return the prior that the trained users make."""
    crowd = factors.crowd
    mean, covariance = moments(factors) if crowd is None else (crowd.mean, crowd.covariance)
    variances, directions = np.linalg.eigh(covariance)
    return UserPrior(mean, covariance, directions * np.sqrt(np.maximum(variances, 0)))


def fit_user(
    factors: Factors, prior: UserPrior, movie_rows: np.ndarray, ratings: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the factors (n_factors,) and the bias of a user who gave these ratings to these movie rows.

    With m and C the prior's mean and covariance, e the errors of m's predictions (n,) and Z their slopes
    (n, n_factors + 1), all in float64, the user is m + C inv(noise I + Z'Z C) Z'e, which is also
    m + C Z' inv(noise I + Z C Z') e, a system of n equations: each has a solution for every C. The last number is the
    bias. For "bayes" this is the posterior mean. Raises InputError where the model's numbers are too far apart for it.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        user = _ridge(factors, prior, movie_rows, ratings)
        single = user.astype(np.float32)
    if not np.isfinite(single).all():
        raise InputError(_TOO_FAR_APART)
    return single[:-1], float(user[-1])


def checked_rating(value: Any, rating_range: tuple[float, float]) -> float:
    """Return a rating that somebody gave. Raises InputError for what is no number and what is out of the range."""
    low, high = rating_range
    try:
        rating = np.nan if isinstance(value, (bool, np.bool_)) else float(value)
    except (TypeError, ValueError, OverflowError):
        rating = np.nan
    if rating != rating:
        raise InputError(f"rating {shown(value)}: expected a number from {low:g} to {high:g}")
    if not low <= rating <= high:
        raise InputError(f"rating {rating:g} is out of the model's range: expected {low:g} to {high:g}")
    return rating


def solve(system: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the solution of linear equations. Raises InputError where rounding has left them none."""
    try:
        return np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        raise InputError(_TOO_FAR_APART) from None


def _ridge(factors: Factors, prior: UserPrior, movie_rows: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    if KINDS[factors.kind].is_net:
        return _gauss_newton(factors, prior, movie_rows, ratings)
    predictions, slopes = _linearise(factors, prior.mean, movie_rows)
    system = noise(factors) * np.eye(len(prior.mean)) + slopes.T @ slopes @ prior.covariance
    return prior.mean + prior.covariance @ solve(system, slopes.T @ (ratings - predictions))


def _gauss_newton(factors: Factors, prior: UserPrior, movie_rows: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """Return the user (n_factors + 1,) of least cost, in steps from the mean one, measured by the prior's root."""
    weight = noise(factors)

    def linearise(step: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return the errors at a step from the mean user, their slopes there, and the cost that ridge makes small."""
        predictions, slopes = _linearise(factors, prior.mean + prior.root @ step, movie_rows)
        errors = ratings - predictions
        return errors, slopes @ prior.root, errors @ errors + weight * step @ step

    step = np.zeros(len(prior.mean))
    errors, slopes, cost = linearise(step)
    for _ in range(_STEPS):
        ridge = slopes.T @ slopes + weight * np.eye(len(step))
        move = solve(ridge, slopes.T @ errors - weight * step)
        for _ in range(_STEPS):  # the straight line is trusted as far as the cost falls
            tried = linearise(step + move)
            if tried[2] <= cost:
                break
            move /= 2
        else:
            break
        gain, step = cost - tried[2], step + move
        errors, slopes, cost = tried
        if gain <= 1e-6 * cost:
            break
    return prior.mean + prior.root @ step


def noise(factors: Factors) -> float:
    """Return the weight of the prior, in squared rating units: how far a rating scatters around the truth.

    For "bayes" 1 / alpha; for the other kinds the model's validation MSE, where it is on record, loosened.
    """
    if "alpha" in factors.layers:
        return 1 / max(float(factors.layers["alpha"][0]), 1e-9)
    known = factors.metric("val_mse")
    if known is not None and 0 < known < np.inf:
        return _LOOSEN * known
    low, high = factors.rating_range
    return _LOOSEN * (_DEFAULT_MSE * (high - low) ** 2 or 1.0)


def _linearise(factors: Factors, user: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a user's predictions for movie rows (n,) and their derivatives by factors and bias (n, n_factors + 1)."""
    movies = factors.movie_factors[rows].astype(np.float64)
    kind = KINDS[factors.kind]
    if kind.is_net:
        w1, b1, w2, b2 = (factors.layers[name].astype(np.float64) for name in ("w1", "b1", "w2", "b2"))
        n_factors = movies.shape[1]
        hidden = movies @ w1[:, n_factors:].T + w1[:, :n_factors] @ user[:-1] + b1
        x = np.maximum(hidden, 0) @ w2[0] + b2
        slopes = np.column_stack([(hidden > 0) * w2[0] @ w1[:, :n_factors], np.zeros(len(rows))])
    else:
        x = factors.global_mean + (movies @ user[:-1] + user[-1] + factors.movie_bias[rows])
        slopes = np.column_stack([movies, np.ones(len(rows))])
    return kind.uncut(x, *factors.rating_range), slopes * kind.slope(x, *factors.rating_range)[:, None]

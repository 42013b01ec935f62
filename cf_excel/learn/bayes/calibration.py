"""Make a fit say how far its predictions are off: as far as they were on ratings held out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cf_excel.learn.bayes.factorization import BayesFit, Rows
from cf_excel.ratings.table import Ratings


def spread_of(fits: Sequence[BayesFit], ratings: Ratings, held_out: Sequence[np.ndarray]) -> float:
    """Return how many times the variances of the fits their squared errors are, on the rows that each lacks."""
    ratios = []
    for fit, rows in zip(fits, held_out, strict=True):
        errors = fit.val_predictions - ratings.rating[rows].astype(np.float64)
        ratios.append(errors**2 / variances(fit, ratings.user_idx[rows], ratings.movie_idx[rows]))
    return float(np.concatenate(ratios).mean())


def variances(fit: BayesFit, users: np.ndarray, movies: np.ndarray) -> np.ndarray:
    """Return the variances (n,) of ratings of pairs of rows, in squared rating units (see spread_vectors)."""
    p, q = fit.users.mean[users, :-1].astype(np.float64), fit.movies.mean[movies, :-1].astype(np.float64)
    of_user, of_movie = fit.users.variance[users], fit.movies.variance[movies]
    of_product = (p**2 + of_user[:, :-1]) * of_movie[:, :-1] + q**2 * of_user[:, :-1]
    return of_product.sum(1) + of_user[:, -1] + of_movie[:, -1] + fit.noise_variance[users]


def with_spread(fit: BayesFit, times: float) -> BayesFit:
    """Return the fit with its variances multiplied; its predictions, and the weight of new ratings, stay."""
    users, movies = (Rows(side.mean, side.variance * np.float32(times)) for side in (fit.users, fit.movies))
    return replace(fit, users=users, movies=movies, noise_variance=fit.noise_variance * np.float32(times))

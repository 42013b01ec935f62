"""Hand a fitted bayes model over as Factors."""

from typing import Any

import numpy as np
import scipy

from cf_excel.errors import InputError
from cf_excel.learn.bayes.comm import ALONE, Comm
from cf_excel.learn.bayes.factorization import BayesFit, as_float32
from cf_excel.learn.record import identities, seen_by_user, training_record
from cf_excel.model.factors import Factors
from cf_excel.ratings.table import Ratings


def bayes_to_factors(fit: BayesFit, ratings: Ratings, split: str) -> Factors:
    """Return the fit as Factors of kind "bayes": posterior means, and variances in `layers`.

    split is the name that validation_rows was asked for, with the seed of the settings.
    Raises InputError where a number is not finite.
    """
    return made_factors(fit, ratings, bayes_record(fit, ratings, split), seen_by_user(ratings))


def bayes_record(fit: BayesFit, ratings: Ratings, split: str, digest: str = "", comm: Comm = ALONE) -> dict:
    """Return what a model file says of its training; all processes of comm call it."""
    record = training_record(fit, ratings, split, {"scipy": scipy.__version__}, digest, comm)
    if fit.workers > 1:
        record |= {"workers": fit.workers, "engine": fit.history.engine}
    return record | {"features": fit.features, "chosen": fit.chosen}


def made_factors(fit: BayesFit, ratings: Ratings, record: dict, seen: dict[str, Any]) -> Factors:
    """Return the fit as Factors, with a record and with who has seen what. Raises as bayes_to_factors does."""
    layers = {
        "alpha": as_float32(np.array([fit.alpha])),
        "noise_variance": fit.noise_variance,
        "user_variance": fit.users.variance,
        "movie_variance": fit.movies.variance,
    }
    for name, array in {"user factors": fit.users.mean, "movie factors": fit.movies.mean, **layers}.items():
        if not np.isfinite(array).all():
            raise InputError(f"the {name} are too large: are there ratings beyond 1e15? divide them all by as much")
    return Factors(
        kind="bayes",
        **identities(ratings),
        nouns=ratings.nouns,
        user_factors=fit.users.mean[:, :-1].copy(),
        movie_factors=fit.movies.mean[:, :-1].copy(),
        user_bias=fit.users.mean[:, -1].copy(),
        movie_bias=fit.movies.mean[:, -1].copy(),
        rating_range=fit.rating_range,
        **seen,
        layers=layers,
        record=record,
        global_mean=fit.global_mean,
    )

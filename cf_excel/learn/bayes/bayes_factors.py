"""Hand a fitted bayes model over as Factors."""

import numpy as np
import scipy

from cf_excel.errors import InputError
from cf_excel.learn.bayes.factorization import BayesFit, as_float32
from cf_excel.learn.record import identities, seen_by_user, training_record
from cf_excel.model.factors import Factors
from cf_excel.ratings.table import Ratings


def bayes_to_factors(fit: BayesFit, ratings: Ratings, split: str) -> Factors:
    """Return the fit as Factors of kind "bayes": posterior means, and variances in `layers`.

    split is the name that validation_rows was asked for, with the seed of the settings.
    Raises InputError where a number is not finite.
    """
    layers = {
        "alpha": as_float32(np.array([fit.alpha])),
        "noise_variance": fit.noise_variance,
        "user_variance": fit.users.variance,
        "movie_variance": fit.movies.variance,
    }
    for name, array in {"user factors": fit.users.mean, "movie factors": fit.movies.mean, **layers}.items():
        if not np.isfinite(array).all():
            raise InputError(f"the {name} are too large: are there ratings beyond 1e15? divide them all by as much")
    record = training_record(fit, ratings, split, {"scipy": scipy.__version__})
    if fit.workers > 1:
        record |= {"workers": fit.workers, "engine": fit.history.engine}
    return Factors(
        kind="bayes",
        **identities(ratings),
        nouns=ratings.nouns,
        user_factors=fit.users.mean[:, :-1].copy(),
        movie_factors=fit.movies.mean[:, :-1].copy(),
        user_bias=fit.users.mean[:, -1].copy(),
        movie_bias=fit.movies.mean[:, -1].copy(),
        rating_range=fit.rating_range,
        **seen_by_user(ratings),
        layers=layers,
        record=record | {"features": fit.features, "chosen": fit.chosen},
        global_mean=fit.global_mean,
    )

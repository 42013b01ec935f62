"""Hand a trained model over as Factors: plain arrays with the record of their training."""

import numpy as np
import torch
from torch import nn

from cf_excel.errors import InputError
from cf_excel.learn.lesson.recipes import Trained
from cf_excel.learn.models import EmbeddingNet
from cf_excel.learn.record import identities, seen_by_user, training_record
from cf_excel.model.factors import Factors
from cf_excel.ratings.table import Ratings


def to_factors(trained: Trained, ratings: Ratings, split: str) -> Factors:
    """Return the trained model as Factors, with the ratings' ids, titles and what each user has seen.

    split is the name that validation_rows was asked for, with the seed of the settings.
    Raises InputError where a weight is not finite.
    """
    model = trained.model
    for name, weights in model.named_parameters():
        if not torch.isfinite(weights).all():
            raise InputError(f"weights {name} are not finite: train again with a lower learning rate")
    versions = {"torch": str(torch.__version__)}
    return Factors(
        kind=trained.settings.kind,
        **identities(ratings),
        nouns=ratings.nouns,
        user_factors=_array(model.u.weight),
        movie_factors=_array(model.m.weight),
        user_bias=_bias(model, "ub", ratings.n_users),
        movie_bias=_bias(model, "mb", ratings.n_movies),
        rating_range=ratings.rating_range,
        **seen_by_user(ratings),
        layers=_layers(model),
        record=training_record(trained, ratings, split, versions),
        global_mean=0.0,
    )


def _array(weights: torch.Tensor) -> np.ndarray:
    return weights.detach().cpu().numpy().copy()


def _bias(model: nn.Module, name: str, n: int) -> np.ndarray:
    embedding = getattr(model, name, None)
    return np.zeros(n, np.float32) if embedding is None else _array(embedding.weight)[:, 0].copy()


def _layers(model: nn.Module) -> dict[str, np.ndarray]:
    if not isinstance(model, EmbeddingNet):
        return {}
    weights = {"w1": model.lin1.weight, "b1": model.lin1.bias, "w2": model.lin2.weight, "b2": model.lin2.bias}
    return {name: _array(values) for name, values in weights.items()}

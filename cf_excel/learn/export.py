"""Hand a trained model over as Factors: plain arrays with the record of their training."""

import platform
from dataclasses import asdict

import numpy as np
import torch
from torch import nn

from cf_excel import __version__
from cf_excel.errors import InputError
from cf_excel.learn.models import EmbeddingNet
from cf_excel.learn.recipes import Trained
from cf_excel.metrics import mae, mse, rmse
from cf_excel.model_file import Factors
from cf_excel.ratings import Ratings, data_hash


def to_factors(trained: Trained, ratings: Ratings, split: str) -> Factors:
    """Return the trained model as Factors, with the ratings' ids, titles and what each user has seen.

    split is the name that validation_rows was asked for, with the seed of the settings.
    Raises InputError where a weight is not finite.
    """
    model = trained.model
    for name, weights in model.named_parameters():
        if not torch.isfinite(weights).all():
            raise InputError(f"weights {name} are not finite: train again with a lower learning rate")
    by_user = np.argsort(ratings.user_idx, kind="stable")
    return Factors(
        kind=trained.settings.kind,
        user_ids=ratings.user_ids,
        movie_ids=ratings.movie_ids,
        titles=ratings.titles,
        years=ratings.years,
        genres=ratings.genres,
        user_factors=_array(model.u.weight),
        movie_factors=_array(model.m.weight),
        user_bias=_bias(model, "ub", ratings.n_users),
        movie_bias=_bias(model, "mb", ratings.n_movies),
        rating_range=ratings.rating_range,
        seen_offsets=np.concatenate([[0], np.cumsum(np.bincount(ratings.user_idx, minlength=ratings.n_users))]),
        seen_movies=ratings.movie_idx[by_user].astype(np.int32),
        layers=_layers(model),
        record=training_record(trained, ratings, split),
    )


def training_record(trained: Trained, ratings: Ratings, split: str) -> dict:
    """Return what is needed to train the same model again and to know how good it is, ready for JSON.

    metrics are those of the validation rows: val_mse in squared rating units, val_rmse and val_mae in rating units;
    there are none without such rows. validation_rows(ratings, record["split"], record["seed"]) finds the rows again.
    """
    n_val = len(trained.val_rows)
    truth = ratings.rating[trained.val_rows]
    measures = {"val_mse": mse, "val_rmse": rmse, "val_mae": mae} if n_val else {}
    settings = asdict(trained.settings)
    return {
        "source": ratings.source,
        "data_hash": data_hash(ratings),
        "split": split,
        "seed": settings.pop("seed"),
        "n_train": len(ratings) - n_val,
        "n_validation": n_val,
        "settings": settings,
        "stopped": trained.history.stopped,
        "metrics": {name: measure(trained.val_predictions, truth) for name, measure in measures.items()},
        "versions": {
            "cf_excel": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


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

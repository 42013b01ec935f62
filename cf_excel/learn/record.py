"""What a model file says of its training, and who has seen what."""

import platform
from dataclasses import asdict
from typing import Any

import numpy as np

from cf_excel import __version__
from cf_excel.metrics import mae, mse, rmse
from cf_excel.ratings.table import Ratings, data_hash, distinct_ratings


def training_record(trained: Any, ratings: Ratings, split: str, versions: dict[str, str]) -> dict:
    """Return what is needed to train the same model again and to know how good it is, ready for JSON.

    trained: has settings, val_rows, val_predictions and history. versions: of the packages that did the work.
    metrics are those of the validation rows: val_mse in squared rating units, val_rmse and val_mae in rating units;
    there are none without such rows. validation_rows(ratings, record["split"], record["seed"]) finds the rows again.
    rating_values: the ratings that occur, none where they are many.
    """
    n_val = len(trained.val_rows)
    truth = ratings.rating[trained.val_rows]
    measures = {"val_mse": mse, "val_rmse": rmse, "val_mae": mae} if n_val else {}
    settings = asdict(trained.settings)
    return {
        "source": ratings.source,
        "data_hash": data_hash(ratings),
        "rating_values": distinct_ratings(ratings.rating),
        "split": split,
        "seed": settings.pop("seed"),
        "n_train": len(ratings) - n_val,
        "n_validation": n_val,
        "settings": settings,
        "stopped": trained.history.stopped,
        "metrics": {name: measure(trained.val_predictions, truth) for name, measure in measures.items()},
        "versions": {"cf_excel": __version__, "numpy": np.__version__, "python": platform.python_version()} | versions,
    }


def seen_by_user(ratings: Ratings) -> dict[str, Any]:
    """Return Factors' seen_offsets (n_users + 1,), seen_movies and seen_ratings (n_ratings,): what each user rated."""
    by_user = np.argsort(ratings.user_idx, kind="stable")
    n_seen = np.bincount(ratings.user_idx, minlength=ratings.n_users)
    offsets = np.concatenate([[0], np.cumsum(n_seen)])
    return {
        "seen_offsets": offsets,
        "seen_movies": ratings.movie_idx[by_user].astype(np.int32),
        "seen_ratings": ratings.rating[by_user].astype(np.float32),
    }


def identities(ratings: Ratings) -> dict[str, Any]:
    """Return Factors' ids, titles, years and genres."""
    return {name: getattr(ratings, name) for name in ("user_ids", "movie_ids", "titles", "years", "genres")}

"""What a model file says of its training, and who has seen what."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from cf_excel import __version__
from cf_excel.learn.baselines import errors_of
from cf_excel.learn.bayes.comm import ALONE, Comm
from cf_excel.ratings.parts import everyones
from cf_excel.ratings.spill import empty, ranges, rows_of, sums_by
from cf_excel.ratings.table import Ratings, data_hash, distinct_ratings

_METRICS = "val_mse", "val_rmse", "val_mae"


def training_record(
    trained: Any, ratings: Ratings, split: str, versions: dict[str, str], digest: str = "", comm: Comm = ALONE
) -> dict:
    """Return what is needed to train the same model again and to know how good it is, ready for JSON.

    trained: has settings, val_rows, val_predictions and history. versions: of the packages that did the work.
    metrics are those of the validation rows: val_mse in squared rating units, val_rmse and val_mae in rating units;
    there are none without such rows. validation_rows(ratings, record["split"], record["seed"]) finds the rows again.
    rating_values: the ratings that occur, none where they are many. digest: the data_hash of the ratings, where it is
    known. comm: processes of which each has the ratings of its users; all call it.
    """
    n, n_val = int(comm.total(len(ratings))), int(comm.total(len(trained.val_rows)))
    errors = errors_of(trained.val_predictions, rows_of(ratings.rating, trained.val_rows), comm) if n_val else ()
    settings = asdict(trained.settings)
    return {
        "source": ratings.source,
        "data_hash": digest or data_hash(ratings),
        "rating_values": _values(ratings.rating, comm),
        "split": split,
        "seed": settings.pop("seed"),
        "n_train": n - n_val,
        "n_validation": n_val,
        "settings": settings,
        "stopped": trained.history.stopped,
        "metrics": dict(zip(_METRICS, errors, strict=False)),
        "versions": {"cf_excel": __version__, "numpy": np.__version__, "python": platform.python_version()} | versions,
    }


def _values(rating: np.ndarray, comm: Comm) -> list[float]:
    """Return the ratings that occur in any process; none where they are many."""
    found = distinct_ratings(rating)
    if comm.size == 1:
        return found
    is_many = comm.total(len(rating) > 0 and not found)
    of_all = np.concatenate(everyones(comm, np.array(found)))
    return [] if is_many else distinct_ratings(of_all.astype(np.float32))


def seen_by_user(ratings: Ratings, comm: Comm = ALONE) -> dict[str, Any]:
    """Return Factors' seen_offsets (n_users + 1,), seen_movies and seen_ratings (n_ratings,): what each user rated.

    comm: processes of which each has the ratings of its users; rank 0 gets those of all, the others nothing.
    """
    users, n_seen = ratings.user_idx, sums_by(ratings.user_idx, ratings.n_users)
    movies, rating = empty(len(ratings), np.int32), empty(len(ratings), np.float32)
    end = 0
    for _, _, rows in ranges(users, ratings.n_users):
        rows = rows[np.argsort(users[rows], kind="stable")]
        start, end = end, end + len(rows)
        movies[start:end], rating[start:end] = ratings.movie_idx[rows], ratings.rating[rows]
    if comm.size > 1:
        n_seen, (movies, rating) = _collected(n_seen, (movies, rating), comm)
    offsets = np.concatenate([[0], np.cumsum(n_seen)])
    return {"seen_offsets": offsets, "seen_movies": movies, "seen_ratings": rating}


def _collected(n_seen: np.ndarray, columns: Sequence[np.ndarray], comm: Comm) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return on rank 0 the numbers of all users' ratings (n_users,), and columns of these, user by user."""
    counts, size = comm.collect(n_seen[comm.rank :: comm.size]), comm.size
    everyones = [comm.collect(values) for values in columns]
    n_of_all = np.zeros(len(n_seen) if counts else 0, np.int64)
    for rank, theirs in enumerate(counts):
        n_of_all[rank::size] = theirs
    starts = np.cumsum(n_of_all) - n_of_all
    found = [np.empty(n_of_all.sum(), values.dtype) for values in columns]
    for rank, theirs in enumerate(counts):
        places = np.repeat(starts[rank::size] - (np.cumsum(theirs) - theirs), theirs) + np.arange(theirs.sum())
        for values, parts in zip(found, everyones, strict=True):
            values[places] = parts[rank]
    return n_of_all, found


def identities(ratings: Ratings) -> dict[str, Any]:
    """Return Factors' ids, titles, years and genres."""
    return {name: getattr(ratings, name) for name in ("user_ids", "movie_ids", "titles", "years", "genres")}

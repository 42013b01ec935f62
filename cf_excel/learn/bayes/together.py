"""Share one fit among processes: rank 0 has the ratings and the say, the others are told and follow."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cf_excel.errors import FileError, InputError
from cf_excel.learn.bayes.bayes_settings import BayesSettings
from cf_excel.learn.bayes.comm import Comm
from cf_excel.learn.bayes.factorization import BayesFit, fit_bayes
from cf_excel.learn.bayes.features import FeatureBlock
from cf_excel.learn.progress import Progress
from cf_excel.ratings.table import Ratings


def check_workers(n_workers: int, ratings: Ratings) -> None:
    """Raise InputError where there are more processes than users, whom they share."""
    if n_workers > ratings.n_users:
        users = f"{ratings.n_users} {ratings.nouns.users}"
        raise InputError(f"{n_workers} workers for {users}: expected at most as many workers as {ratings.nouns.users}")


def fit_together(
    ratings: Ratings,
    val_rows: np.ndarray,
    settings: BayesSettings,
    *,
    comm: Comm,
    user_blocks: list[FeatureBlock] | None = None,
    more_movie_blocks: list[FeatureBlock] | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> BayesFit:
    """Fit as fit_bayes does, as rank 0 of processes whose others follow.

    A fit with draws, which are for tables so small that one process is done in seconds, rank 0 makes alone.
    """
    check_workers(comm.size, ratings)
    blocks: dict[str, Any] = {"user_blocks": user_blocks, "more_movie_blocks": more_movie_blocks}
    if settings.draws:
        comm.shared(None)
        return fit_bayes(ratings, val_rows, settings, **blocks, progress=progress, checkpoint=checkpoint)
    numbers = [np.arange(n) for n in (ratings.n_users, ratings.n_movies)]  # who they are does not matter
    told = replace(ratings, timestamp=None, user_ids=numbers[0], movie_ids=numbers[1])
    comm.shared(((told, val_rows, settings), blocks | {"checkpoint": checkpoint}))
    return fit_bayes(ratings, val_rows, settings, **blocks, progress=progress, comm=comm, checkpoint=checkpoint)


def follow(comm: Comm) -> None:
    """Do this process's part of the fit that rank 0 tells of, if there is one. Raises WorkerError alone.

    What is wrong with the ratings or the checkpoint is so for all of them, and rank 0 says it.
    """
    told = comm.shared(None)
    if told is None:
        return
    given, named = told
    try:
        fit_bayes(*given, **named, comm=comm)
    except (InputError, FileError):
        return

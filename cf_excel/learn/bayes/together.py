"""Train the model bayes, alone or as one of several processes: rank 0 is told what to do, the others follow it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from cf_excel.errors import FileError, InputError
from cf_excel.learn.baselines import Errors, baseline_errors
from cf_excel.learn.bayes.bayes_factors import bayes_record, made_factors
from cf_excel.learn.bayes.bayes_settings import BayesSettings
from cf_excel.learn.bayes.comm import Comm
from cf_excel.learn.bayes.factorization import BayesFit, fit_bayes
from cf_excel.learn.bayes.features import FeatureBlock
from cf_excel.learn.bayes.search import FEW_RATINGS
from cf_excel.learn.bayes.tuning import fit_tuned
from cf_excel.learn.list_fit import fit_lists
from cf_excel.learn.progress import History, Progress, interruptible
from cf_excel.learn.record import seen_by_user
from cf_excel.model.crowd import Crowd, moments
from cf_excel.model.factors import Factors
from cf_excel.model.lists import ListFactors
from cf_excel.ratings.parts import RatingsPart, dealt
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.spill import sums_by
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import validation_rows

T = TypeVar("T")


class Share(NamedTuple):
    """What one process has: its part of the ratings, which rows of these are held back, and how many are in all."""

    part: RatingsPart
    val_rows: np.ndarray
    n_held_back: int

    @classmethod
    def whole(cls, ratings: Ratings, val_rows: np.ndarray) -> "Share":
        """Return the share of a process that is alone."""
        return cls(RatingsPart.whole(ratings), val_rows, len(val_rows))


class Task(NamedTuple):
    """What is to be trained on the ratings that the processes have.

    keep: what of the sizes is not to be chosen, None where nothing is chosen. lists: of LISTS. with_seen: whether the
    model tells who rated what.
    """

    settings: BayesSettings
    split: str
    keep: tuple[str, ...] | None = None
    user_blocks: list[FeatureBlock] | None = None
    movie_blocks: list[FeatureBlock] | None = None
    lists: str = "rating"
    device: str = "auto"
    with_seen: bool = True
    checkpoint: Path | None = None


class TrainedModel(NamedTuple):
    """A model, how its fit went, the errors of what it must beat, and whether Ctrl-C left what lists rank by out."""

    factors: Factors
    history: History
    baselines: list[Errors]
    lists_stopped: bool = False


def is_for_one(n_ratings: int, task: Task) -> bool:
    """Say whether one process fits so many, whatever the number of workers: it averages draws, and is done at once."""
    return task.keep is not None and n_ratings <= FEW_RATINGS


def check_workers(n_workers: int, ratings: Ratings) -> None:
    """Raise InputError where there are more processes than users, whom they share."""
    if n_workers > ratings.n_users:
        users = f"{ratings.n_users} {ratings.nouns.users}"
        raise InputError(f"{n_workers} workers for {users}: expected at most as many workers as {ratings.nouns.users}")


def all_do(comm: Comm, work: Callable[..., T], share: Share | None, *given: Any, **own: Any) -> T:
    """Return what work(comm, share, *given, **own) returns on rank 0, whose followers do the same, but without own.

    Called on rank 0. A Share that work returns is a follower's from then on.
    """
    comm.shared((work, given))
    return work(comm, share, *given, **own)


def follow(comm: Comm) -> None:
    """Do this process's part of all that rank 0 tells of, until there is no more. Raises WorkerError alone.

    What is wrong with the ratings or the checkpoint is so for all of them, and rank 0 says it.
    """
    share: Share | None = None
    while (told := comm.shared(None)) is not None:
        work, given = told
        try:
            found = work(comm, share, *given)
        except (InputError, FileError):
            continue
        share = found if isinstance(found, Share) else share


def deal(comm: Comm, ratings: Ratings, val_rows: np.ndarray) -> Share:
    """Give each process its part of the ratings that rank 0 has read; called there."""
    comm.shared((take, ()))
    return _counted(comm, *dealt(comm, ratings, val_rows))


def take(comm: Comm, share: Share | None) -> Share:
    """Take the part of the ratings that rank 0 deals."""
    return _counted(comm, *dealt(comm, None, None))


def read(comm: Comm, share: Share | None, path: Path | str, how: Reading, movies: Any, split: str) -> Share:
    """Read this process's part of a folder of Parquet files. Raises FileError and InputError as read_part does."""
    from cf_excel.ratings.parquet_parts import read_part

    part = read_part(path, comm, how, movies)
    return _counted(comm, part, validation_rows(part.ratings, split))


def _counted(comm: Comm, part: RatingsPart, val_rows: np.ndarray) -> Share:
    return Share(part, val_rows, int(comm.total(len(val_rows))))


def fit_share(comm: Comm, share: Share, task: Task, progress: Progress | None = None) -> BayesFit:
    """Fit the model with the other processes, if there are any. Raises as fit_bayes does."""
    ratings, row, val_rows = share.part.ratings, share.part.row, share.val_rows
    blocks: dict[str, Any] = {"user_blocks": task.user_blocks, "more_movie_blocks": task.movie_blocks}
    given: dict[str, Any] = blocks | {"progress": progress, "comm": comm, "checkpoint": task.checkpoint}
    if task.keep is None:
        return fit_bayes(ratings, val_rows, task.settings, **given)
    return fit_tuned(ratings, val_rows, task.settings, keep=task.keep, row=row, **given)


def train_share(comm: Comm, share: Share, task: Task, progress: Progress | None = None) -> TrainedModel | None:
    """Train with the other processes, if there are any; return the model on rank 0, and None on the others.

    Ctrl-C ends the fit after the iteration and keeps what it learnt; while what lists rank by is learnt, it leaves
    that out. Raises as fit_tuned and made_factors do.
    """
    ratings, val_rows = share.part.ratings, share.val_rows
    fit = fit_share(comm, share, task, progress)
    lists, lists_stopped = _lists(comm, ratings, val_rows, task)
    baselines = baseline_errors(ratings, val_rows, comm)
    record = bayes_record(fit, ratings, task.split, share.part.data_hash, comm)
    n_rated = comm.total(sums_by(ratings.movie_idx, ratings.n_movies))
    seen = seen_by_user(ratings, comm) if task.with_seen else _NOTHING_SEEN
    if comm.rank:
        return None
    if not task.with_seen:
        seen = seen | {"seen_offsets": np.zeros(ratings.n_users + 1, np.int64)}
    factors = replace(made_factors(fit, ratings, record, seen), lists=lists)
    if not task.with_seen:
        factors = replace(factors, crowd=Crowd(n_rated, *moments(factors)))
    return TrainedModel(factors, fit.history, baselines, lists_stopped)


def _lists(comm: Comm, ratings: Ratings, val_rows: np.ndarray, task: Task) -> tuple[ListFactors | None, bool]:
    """Return what lists rank by, and whether Ctrl-C left it out."""
    if task.lists == "rating":
        return None, False
    try:
        if comm.size == 1:
            return fit_lists(ratings, val_rows, task.lists, task.settings.seed, task.device), False
        with interruptible() as interrupted:
            seed = task.settings.seed
            return fit_lists(ratings, val_rows, task.lists, seed, "cpu", comm, interrupted.is_set), False
    except KeyboardInterrupt:
        return None, True


_NOTHING_SEEN = {"seen_movies": np.empty(0, np.int32), "seen_ratings": None}

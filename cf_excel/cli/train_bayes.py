"""What train does for the model bayes, by one process or by several."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.messages import note
from cf_excel.cli.workers import processes

if TYPE_CHECKING:
    import numpy as np

    from cf_excel.learn.bayes.comm import Comm
    from cf_excel.learn.bayes.features import FeatureBlock
    from cf_excel.learn.bayes.together import Share, Task, TrainedModel
    from cf_excel.learn.progress import Progress


def bayes_trainer(args: argparse.Namespace) -> "Callable[..., TrainedModel]":
    """Return the function that trains the model bayes; its settings are checked now.

    It takes a Share and a Progress, and the processes where these have read their parts already.
    """
    from cf_excel.learn.bayes import together
    from cf_excel.learn.bayes.comm import ALONE

    usual = _task(args)

    def train(share: "Share", report: "Progress", comm: "Comm" = ALONE) -> "TrainedModel":
        ratings = share.part.ratings
        users = read_features(args.user_features, ratings.user_ids, "user")
        movies = read_features(args.movie_features, ratings.movie_ids, "movie")
        task = usual._replace(user_blocks=users, movie_blocks=movies)
        n_workers = args.workers or 1
        together.check_workers(n_workers, ratings)
        if comm.size > 1 or n_workers == 1 or together.is_for_one(share.part.n_ratings, task):
            return _trained(comm, share, task, report)
        with processes(args) as several:
            return _trained(several, together.deal(several, ratings, share.val_rows), task, report)

    return train


def is_for_one(args: argparse.Namespace, share: "Share") -> bool:
    """Say whether one process is to train on what several have read."""
    from cf_excel.learn.bayes import together

    together.check_workers(args.workers, share.part.ratings)
    return together.is_for_one(share.part.n_ratings, _task(args))


def _trained(comm: "Comm", share: "Share", task: "Task", report: "Progress") -> "TrainedModel":
    from cf_excel.learn.bayes.together import all_do, train_share

    trained = all_do(comm, train_share, share, task, progress=report)
    assert trained is not None, "rank 0 has the model"
    return trained


def _task(args: argparse.Namespace) -> "Task":
    """Return what the options ask for, but for features. Raises InputError for settings that can't be."""
    from cf_excel.learn.bayes.bayes_settings import BayesSettings
    from cf_excel.learn.bayes.together import Task

    sizes = {"n_factors": args.factors, "iterations": args.epochs}
    given = {name: value for name, value in sizes.items() if value is not None}
    settings = BayesSettings(seed=args.seed, device=args.device, use_content=not args.ratings_only, **given)
    return Task(
        settings,
        args.split,
        keep=None if args.no_tune else tuple(given),
        lists=args.lists,
        device=args.device,
        with_seen=not args.no_seen,
        checkpoint=args.checkpoint and args.checkpoint.absolute(),
    )


def read_features(path: Path | None, ids: "np.ndarray", kind: str) -> "list[FeatureBlock]":
    """Read the features that --user-features or --movie-features names, and say on stderr which columns tell nothing.

    Raises FileError and InputError as read_blocks does.
    """
    if path is None:
        return []
    from cf_excel.learn.bayes.feature_tables import read_blocks

    blocks, dull = read_blocks(path, ids, kind)
    if dull:
        note(f"{path.name}: left out because no two rows share a value, or all do: {', '.join(dull)}")
    return blocks

"""python -m cf_excel train."""

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, NoReturn

from cf_excel.cli.answers import add_answer_options
from cf_excel.cli.messages import note, say
from cf_excel.cli.options import (
    add_command,
    add_features_options,
    add_picks_options,
    add_ratings_options,
    add_replacing_options,
    check_outputs,
    keep_former,
    read_ratings,
    tell_notes,
    whole,
)
from cf_excel.cli.plain_text import size_of
from cf_excel.cli.train_bayes import bayes_trainer, is_for_one
from cf_excel.cli.train_keep import add_keep_options, find_kept, kept_alone
from cf_excel.cli.train_picks import settle_kind, train_picks
from cf_excel.cli.workers import (
    add_workers_options,
    as_rank_0,
    processes,
    read_in_parts,
    reads_in_parts,
    settle_workers,
)
from cf_excel.cli.working import doing
from cf_excel.errors import FileError, InputError
from cf_excel.model.kinds import DEFAULT_LISTS, KINDS, LISTS

if TYPE_CHECKING:
    from cf_excel.learn.bayes.together import Share, TrainedModel
    from cf_excel.learn.progress import Progress
    from cf_excel.model.factors import Factors
    from cf_excel.ratings.table import Ratings

Trainer = Callable[..., "TrainedModel"]


class _FormerKind(argparse.Action):
    """Take a kind by the option's former name, and say the one it has now."""

    def __call__(
        self, parser: object, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        note(f"{option} means a file elsewhere: say --kind {values}")
        setattr(namespace, self.dest, values)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "train",
        "Train a model on the ratings and keep it in a file.",
        "python -m cf_excel train --ratings my_ratings.csv --split random",
    )
    parser.add_argument(
        "--kind",
        choices=tuple(KINDS),
        help="bayes: the most exact, in about a second (default); the lesson's: dot product, the same with biases, "
        "small neural net, and collab, its learner; picks: of orders, plays, clicks, likes (default for those)",
    )
    parser.add_argument("--model", action=_FormerKind, dest="kind", choices=tuple(KINDS), help=argparse.SUPPRESS)
    parser.add_argument(
        "--epochs", type=whole, metavar="N", help="passes over the ratings (default: 8 for bayes, else the lesson's)"
    )
    parser.add_argument(
        "--factors", type=whole, metavar="N", help="numbers per user and movie (default: 15 for bayes, else 50)"
    )
    parser.add_argument(
        "--lists",
        default=DEFAULT_LISTS,
        choices=tuple(LISTS),
        help="what lists of recommendations rank by: score, how likely a user is to pick a movie times how far its "
        f"predicted rating is above the low end; watch, the former alone; or rating (default: {DEFAULT_LISTS})",
    )
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="same seed, same numbers (default: 0)")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument(
        "--split",
        default="lesson",
        choices=("lesson", "random", "time", "hash", "none"),
        help="which fifth of the ratings is held back to measure the error: the lesson's, a draw with --seed, "
        "the latest, by a hash of user and movie whatever the order of the rows, or none (default: lesson)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="model file (default: where predict looks for it)")
    add_replacing_options(parser, also_forced=", and a better model by one that is no better than the averages")
    bayes = parser.add_argument_group("bayes")
    add_features_options(bayes)
    add_workers_options(bayes)
    bayes.add_argument("--ratings-only", action="store_true", help="leave genres, years and every other feature out")
    bayes.add_argument(
        "--no-tune",
        action="store_true",
        help="keep the precisions that were found on MovieLens (default: they are fitted to these ratings, and so are "
        "--factors and --epochs where there are at most 10,000)",
    )
    lesson = parser.add_argument_group("the lesson's models")
    lesson.add_argument("--lr", type=float, metavar="RATE", help="learning rate (default: the lesson's)")
    lesson.add_argument(
        "--wd", type=float, metavar="DECAY", help="weight decay, which pulls weights to zero (default: the lesson's)"
    )
    lesson.add_argument("--batch-size", type=whole, metavar="N", help="ratings in a step (default: 64)")
    lesson.add_argument(
        "--optimizer",
        choices=("lesson", "sparse-adam"),
        help="lesson: SGD for dot and dot-bias, Adam for net and collab (default); sparse-adam, for these two: "
        "Adam that moves only the rows that a batch names, many times faster, with another result",
    )
    lesson.add_argument(
        "--engine",
        choices=("auto", "torch", "lazy", "fused", "graph"),
        help="lazy (dot, dot-bias) and fused (net, collab) do torch's steps many times faster on the CPU, and auto "
        "takes them where they can; on CUDA, auto takes torch, and lazy (with Triton) and graph (net, collab) are not "
        "tried out yet (default: auto)",
    )
    lesson.add_argument("--threads", type=whole, metavar="N", help="CPU threads (default: 1 for small batches)")
    add_ratings_options(parser)
    add_picks_options(parser)
    add_keep_options(parser)
    add_answer_options(parser, run)


@as_rank_0
def run(args: argparse.Namespace) -> dict[str, Any]:
    """Train, show how it went, and write the model; return what was shown."""
    settle_kind(args)
    _check_options(args)
    settle_workers(args)
    from cf_excel.model.file import default_model_path

    path = args.out or default_model_path()
    check_outputs(args, path, is_ours=_is_model)
    if args.out and not path.parent.is_dir():
        raise FileError(f"--out {path}: there is no folder {path.parent}; make it first")
    _check_features(args)
    train = _lesson_trainer(args) if KINDS[args.kind].of_lesson else bayes_trainer(args)
    if reads_in_parts(args):
        with processes(args) as comm:
            share = read_in_parts(args, comm)
            if not is_for_one(args, share):
                tell_notes(share.part.ratings)
                return _train(args, path, share, partial(train, comm=comm))
    if args.memory is not None:
        return _train_spilled(args, path, train)
    ratings = read_ratings(args)

    from cf_excel.learn.bayes.together import Share
    from cf_excel.ratings.validation import validation_rows

    return _train(args, path, Share.whole(ratings, validation_rows(ratings, args.split, args.seed)), train)


def _train_spilled(args: argparse.Namespace, path: Path, train: Trainer) -> dict[str, Any]:
    from cf_excel.learn.bayes.comm import ALONE
    from cf_excel.ratings.spill import is_in_memory, spilled_beyond

    folder = gettempdir()
    if is_in_memory(folder):
        note(f"{folder}, for what --memory leaves out, is itself in memory: name a folder on a disk in TMPDIR")
    with spilled_beyond(args.memory):
        with doing(f"reading {args.ratings}"):
            share = read_in_parts(args, ALONE)
        tell_notes(share.part.ratings)
        return _train(args, path, share, train)


def _train(args: argparse.Namespace, path: Path, share: "Share", train: Trainer) -> dict[str, Any]:
    """Train on what was read, show how it went, and write the model; return what was shown."""
    from cf_excel.cli import train_report
    from cf_excel.cli.train_report import LinesReport, TerminalReport, choice_words, named_baselines, verdict
    from cf_excel.learn.list_fit import N_COLUMNS

    ratings = share.part.ratings
    kept = find_kept(args, ratings)
    n_of_lists = 0 if args.lists == "rating" else 2 * N_COLUMNS + 1
    n_seen = 0 if args.no_seen else share.part.n_ratings
    _check_room(path, ratings, args.factors or KINDS[args.kind].n_factors, n_of_lists, n_seen)
    _check_held_back(share, args.split)
    if ratings.implicit:
        factors, is_better = train_picks(args, ratings, share.val_rows)
        if not (is_better or args.force or _model_at(path) is None):
            _refuse_worse("a list of what is picked most", path)
        _save(args, kept_alone(args, factors, kept), path)
        return train_report.as_answer(factors, path)
    report = TerminalReport() if sys.stdout.isatty() else LinesReport(ratings.nouns.biases)
    n_train = share.part.n_ratings - share.n_held_back
    say(f"{ratings.source}: {n_train:,} ratings to train on, {share.n_held_back:,} held back (split: {args.split})")
    with report:
        factors, history, errors, lists_stopped = train(share, report)
        baselines = named_baselines(errors, ratings.nouns)
        report.baselines(baselines)
    if history.stopped:
        say(f"stopped after {history.stopped}: the model keeps what it learnt until there")
    if lists_stopped:
        say("stopped while the lists were fitted: they rank by the predicted rating; train again to get the list score")
    if args.kind == "bayes" and not args.no_tune:
        say(choice_words(factors.record["chosen"], ratings.nouns))
    advice = verdict(history.epochs, baselines)
    say(*advice)
    factors = replace(factors, record=factors.record | {"baselines": [errors[0] for errors in baselines.values()]})
    if not args.force:
        _check_no_worse(factors, path)
    _save(args, kept_alone(args, factors, kept), path)
    told = {"chosen": factors.record.get("chosen"), "stopped": history.stopped or None, "verdict": advice}
    return train_report.as_answer(factors, path) | train_report.named_scores(history.epochs, baselines) | told


def _save(args: argparse.Namespace, factors: "Factors", path: Path) -> None:
    from cf_excel.model.file import save_factors

    keep_former(args, path, is_ours=_is_model)
    save_factors(factors, path)
    say(f"model: {path}")


def _check_features(args: argparse.Namespace) -> None:
    for path in (args.user_features, args.movie_features):
        if path is not None and not path.exists():
            raise FileError(f"{path}: there is no such file")


def _check_room(path: Path, ratings: "Ratings", n_factors: int, n_of_lists: int, n_seen: int) -> None:
    """Raise FileError where the disk lacks the room for a model with its variances and who rated what.

    n_of_lists: how many numbers of each movie the lists rank by. n_seen: ratings that it keeps.
    """
    needed = 8 * (ratings.n_users + ratings.n_movies) * (n_factors + 2)
    needed += 8 * n_seen + 4 * ratings.n_movies * n_of_lists
    free = shutil.disk_usage(next(folder for folder in path.absolute().parents if folder.is_dir())).free
    if free < needed:
        raise FileError(f"{path}: the model takes about {size_of(needed)}, and {size_of(free)} are free there")


def _is_model(path: Path) -> bool:
    return _model_at(path) is not None


def _model_at(path: Path) -> "Factors | None":
    from cf_excel.model.file import load_factors

    try:
        return load_factors(path)
    except FileError:
        return None


def _check_no_worse(factors: "Factors", path: Path) -> None:
    """Raise InputError where a model beats fewer baselines, mean and biases, than the one that it would replace.

    One that was not measured counts as one that beats them all, those of the new ratings stand in where it has none.
    """
    former, baselines = _model_at(path), factors.record["baselines"]
    if former is None or not baselines:
        return
    beaten, formerly = (_n_beaten(model, baselines) for model in (factors, former))
    if beaten < formerly:
        _refuse_worse(f"{factors.nouns.biases} alone" if beaten else "no model", path)


def _refuse_worse(than: str, path: Path) -> NoReturn:
    raise InputError(
        f"no better than {than}: the former one stays in {path}; pass --out FILE to keep this one, or --force to "
        "replace the former"
    )


def _n_beaten(factors: "Factors", baselines: list[float]) -> int:
    error, own = factors.metric("val_mse"), factors.record.get("baselines")
    if not (own and isinstance(own, list) and all(isinstance(other, float) for other in own)):
        own = baselines
    return len(own) if error is None else sum(error < other for other in own)


def _lesson_trainer(args: argparse.Namespace) -> Trainer:
    """Return the function that trains a model of the lesson; its settings are checked now."""
    from cf_excel.learn.baselines import baseline_errors
    from cf_excel.learn.bayes.together import TrainedModel
    from cf_excel.learn.lesson.lesson_factors import to_factors
    from cf_excel.learn.lesson.recipes import lesson_settings, train
    from cf_excel.learn.list_fit import with_lists

    names = ("epochs", "lr", "wd", "batch_size", "seed", "device", "threads", "engine")
    optimizer = None if args.optimizer == "lesson" else args.optimizer
    changes = {"n_factors": args.factors, "optimizer": optimizer} | {name: getattr(args, name) for name in names}
    settings = lesson_settings(args.kind, **changes)

    def train_lesson(share: "Share", report: "Progress") -> "TrainedModel":
        ratings, val_rows = share.part.ratings, share.val_rows
        trained = train(ratings, val_rows, settings, report)
        factors, lists_stopped = to_factors(trained, ratings, args.split), False
        try:
            factors = with_lists(factors, ratings, val_rows, args.lists, args.seed, args.device)
        except KeyboardInterrupt:  # the model itself is kept
            lists_stopped = True
        return TrainedModel(factors, trained.history, baseline_errors(ratings, val_rows), lists_stopped)

    return train_lesson


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that the model does not know, instead of ignoring them."""
    of_the_lesson = KINDS[args.kind].of_lesson
    of_lesson, of_bayes = (
        ("lr", "wd", "batch_size", "optimizer", "engine", "threads"),
        ("user_features", "movie_features", "ratings_only", "no_tune", "workers", "checkpoint", "memory"),
    )
    others = of_bayes if of_the_lesson else of_lesson
    for name in others:
        if getattr(args, name) not in (None, False):
            option = f"--{name.replace('_', '-')}"
            whose = "--kind bayes" if of_the_lesson else "the lesson's models: leave it out or pass --kind collab"
            raise InputError(f"{option} is for {whose}")
    if args.ratings_only and (args.user_features or args.movie_features):
        raise InputError("--ratings-only leaves every feature out: leave it out to take those of a table")


def _check_held_back(share: "Share", split: str) -> None:
    """Refuse to hold ratings back where that can tell nothing: there are too few, or all are equal."""
    if split == "none":
        return
    ratings, n = share.part.ratings, share.part.n_ratings
    if not share.n_held_back:
        told = f"{n} {'pick' if ratings.implicit else 'rating'}{'s' if n > 1 else ''}"
        raise InputError(f"{ratings.source} has {told}, too few to hold a fifth of them back: pass --split none")
    is_whole = len(ratings) == n
    low, high = (ratings.rating.min(), ratings.rating.max()) if is_whole else ratings.rating_range
    if low == high and not ratings.implicit:
        raise InputError(
            f"every rating of {ratings.source} is {low:g}, so that those held back would tell nothing: "
            f"pass --split none, and every prediction will be about {low:g}"
        )

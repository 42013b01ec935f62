"""--workers, --checkpoint and --memory of train, and what it does where a launcher starts it several times."""

import argparse
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cf_excel.cli.options import reading_options, whole
from cf_excel.errors import CfExcelError, InputError, WorkerError

if TYPE_CHECKING:
    from cf_excel.learn.bayes.comm import Comm
    from cf_excel.learn.bayes.together import Share
    from cf_excel.learn.bayes.torch_comm import TorchComm

T = TypeVar("T")

_TO_RELEASE = timedelta(minutes=1)  # for the others to get there; one that is gone never does
_NOT_OF_PARQUET = ("sheet", "table", "cells", "form", "items_down", "download")


def add_workers_options(group: argparse._ActionsContainer) -> None:
    """Add --workers, --checkpoint and --memory."""
    group.add_argument(
        "--workers", type=whole, metavar="N", help="processes that share the work, on the CPU (default: 1)"
    )
    group.add_argument(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="folder that keeps where the fit stands after each epoch: the same command goes on from there",
    )
    group.add_argument(
        "--memory",
        type=_size,
        metavar="SIZE",
        help="of what is as long as the ratings keep so much in memory, such as 2GB, and the rest in temporary files "
        "(TMPDIR); for a folder of Parquet files; the same model, later (default: all in memory)",
    )


def _size(text: str) -> int:
    """Read how many bytes a size such as 2GB is. Raises ArgumentTypeError, which argparse shows, for anything else."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([kMGT])(i?)B?", text.strip(), re.IGNORECASE)
    n_bytes = found and int(float(found[1]) * (1024 if found[3] else 1000) ** ("kmgt".index(found[2].lower()) + 1))
    if not n_bytes:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: expected a size like 2GB")
    return n_bytes


def follow_launcher() -> bool:
    """Follow rank 0 where a launcher has started this process as another one, and say whether that was so.

    Ctrl-C is for rank 0, which tells the others.
    """
    if _launched("RANK") < 1:
        return False
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    from cf_excel.learn.bayes.together import follow
    from cf_excel.learn.bayes.torch_comm import launched

    with launched() as comm:
        follow(comm)
    return True


def as_rank_0(run: Callable[[argparse.Namespace], T]) -> Callable[[argparse.Namespace], T]:
    """Return run as a launcher's rank 0 does it; another process follows it and exits, also where rank 0 fails."""

    @wraps(run)
    def run_or_follow(args: argparse.Namespace) -> T:
        if follow_launcher():
            raise SystemExit(0)
        try:
            answer = run(args)
        except Exception:
            _release_followers(args)
            raise
        _release_followers(args)
        return answer

    return run_or_follow


def _release_followers(args: argparse.Namespace) -> None:
    """Let those that a launcher has started go, where they were not needed."""
    if _launched("WORLD_SIZE") < 2 or getattr(args, "has_shared", False):
        return
    from cf_excel.learn.bayes.torch_comm import launched

    with suppress(Exception), launched(_TO_RELEASE) as comm:  # what ended rank 0 is what a person is told
        comm.shared(None)


def settle_workers(args: argparse.Namespace) -> None:
    """Put in args how many processes there are: as a launcher says, where there is one.

    Raises InputError for numbers and devices that can't be, and for other kinds than bayes.
    """
    launched = _launched("WORLD_SIZE")
    if launched > 1:
        if args.workers not in (None, launched):
            raise InputError(f"--workers {args.workers}: the launcher started {launched}; leave it out")
        args.workers = launched
    if args.memory is not None:
        _check_memory(args)
    if args.workers is None:
        return
    if args.workers < 1:
        raise InputError(f"--workers {args.workers}: expected 1 or more")
    if args.workers > 1 and args.device not in ("auto", "cpu"):
        raise InputError(f"--device {args.device} with {args.workers} workers: they run on the CPU, leave it out")
    if args.kind != "bayes":
        raise InputError(f"--workers is for --kind bayes: {args.kind} is trained by one process")


def _check_memory(args: argparse.Namespace) -> None:
    if args.kind != "bayes":
        raise InputError(f"--memory is for --kind bayes: {args.kind} has all ratings in memory")
    if (args.workers or 1) > 1:
        raise InputError(f"--memory is for one process: {args.workers} have a part of the ratings each, leave it out")
    if not _can_be_in_parts(args):
        raise InputError("--memory is for a folder of Parquet files, with --split hash or none")


@contextmanager
def processes(args: argparse.Namespace) -> "Iterator[Comm]":
    """Be rank 0 of as many processes as args say; the others follow until the block ends. Raises WorkerError."""
    from cf_excel.learn.bayes.processes import started
    from cf_excel.learn.bayes.torch_comm import launched

    args.has_shared = True
    there: AbstractContextManager[TorchComm] = launched() if _launched("WORLD_SIZE") > 1 else started(args.workers)
    with there as comm:
        try:
            yield comm
        except WorkerError:
            raise
        except CfExcelError:
            comm.shared(None)
            raise
        comm.shared(None)


def reads_in_parts(args: argparse.Namespace) -> bool:
    """Say whether each process reads its own part of the ratings."""
    return (args.workers or 1) > 1 and _can_be_in_parts(args)


def _can_be_in_parts(args: argparse.Namespace) -> bool:
    """Say whether the ratings are a folder of Parquet files, with a split that asks for no order of all rows."""
    if args.split not in ("hash", "none") or args.ratings is None:
        return False
    from cf_excel.ratings.readers import is_parquet_folder

    return not any(getattr(args, name) for name in _NOT_OF_PARQUET) and is_parquet_folder(args.ratings)


def read_in_parts(args: argparse.Namespace, comm: "Comm") -> "Share":
    """Read this process's part of the ratings while the others read theirs.

    Raises FileError and InputError as load_ratings does.
    """
    from cf_excel.learn.bayes.together import all_do, read
    from cf_excel.ratings.readers import movies_beside
    from cf_excel.ratings.reading import Reading

    how = Reading.of(**reading_options(args))
    path = args.ratings if isinstance(args.ratings, str) else args.ratings.absolute()
    return all_do(comm, read, None, path, how, dict(movies_beside(args.ratings, args.movies)), args.split)


def _launched(variable: str) -> int:
    """Return a number that torchrun and its like tell the processes that they start, 0 where there is none."""
    told = [os.environ.get(name, "") for name in ("MASTER_ADDR", "RANK", "WORLD_SIZE", variable)]
    return int(told[-1]) if all(told) and all(number.isdigit() for number in told[1:]) else 0

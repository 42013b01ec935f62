"""--workers and --checkpoint of train, and what it does where a launcher such as torchrun starts it several times."""

import argparse
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cf_excel.cli.options import whole
from cf_excel.errors import InputError

if TYPE_CHECKING:
    from cf_excel.learn.bayes.factorization import BayesFit
    from cf_excel.learn.bayes.torch_comm import TorchComm

T = TypeVar("T")

_TO_RELEASE = timedelta(minutes=1)  # for the others to get there; one that is gone never does


def add_workers_options(group: argparse._ActionsContainer) -> None:
    """Add --workers and --checkpoint."""
    group.add_argument(
        "--workers", type=whole, metavar="N", help="processes that share the fit, on the CPU (default: 1)"
    )
    group.add_argument(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="folder that keeps where the fit stands after each epoch: the same command goes on from there",
    )


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
            return run(args)
        except Exception:
            if _launched("WORLD_SIZE") > 1 and not getattr(args, "has_shared", False):
                _release_followers()
            raise

    return run_or_follow


def _release_followers() -> None:
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
    if args.workers is None:
        return
    if args.workers < 1:
        raise InputError(f"--workers {args.workers}: expected 1 or more")
    if args.workers > 1 and args.device not in ("auto", "cpu"):
        raise InputError(f"--device {args.device} with {args.workers} workers: they run on the CPU, leave it out")
    if args.kind != "bayes":
        raise InputError(f"--workers is for --kind bayes: {args.kind} is trained by one process")


def fit_function(args: argparse.Namespace, keep: tuple[str, ...]) -> "Callable[..., BayesFit]":
    """Return what fits the model as fit_tuned, or as fit_bayes with --no-tune, by as many processes as args say."""
    from cf_excel.learn.bayes.factorization import fit_bayes
    from cf_excel.learn.bayes.tuning import fit_tuned

    fit = partial(_fit_together, args) if (args.workers or 1) > 1 else fit_bayes
    fit = partial(fit, checkpoint=args.checkpoint)
    return fit if args.no_tune else partial(fit_tuned, keep=keep, fit=fit)


def _fit_together(args: argparse.Namespace, ratings: Any, *given: Any, **named: Any) -> "BayesFit":
    from cf_excel.learn.bayes.processes import started
    from cf_excel.learn.bayes.together import check_workers, fit_together
    from cf_excel.learn.bayes.torch_comm import launched

    check_workers(args.workers, ratings)
    args.has_shared = True
    processes: AbstractContextManager[TorchComm] = launched() if _launched("WORLD_SIZE") > 1 else started(args.workers)
    with processes as comm:
        return fit_together(ratings, *given, comm=comm, **named)


def _launched(variable: str) -> int:
    """Return a number that torchrun and its like tell the processes that they start, 0 where there is none."""
    told = [os.environ.get(name, "") for name in ("MASTER_ADDR", "RANK", "WORLD_SIZE", variable)]
    return int(told[-1]) if all(told) and all(number.isdigit() for number in told[1:]) else 0

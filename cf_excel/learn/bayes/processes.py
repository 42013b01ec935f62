"""The processes that share a fit on one machine: this one starts the others, and all meet in a file."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist

from cf_excel.errors import InputError, WorkerError
from cf_excel.learn.bayes.together import follow
from cf_excel.learn.bayes.torch_comm import TorchComm, joined

_LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # no packet need leave the machine, whatever its name leads to
_FOLLOWED = 3  # the exit code of one that ends because another has
_SECONDS_TO_END = 5.0


@contextmanager
def started(size: int) -> Iterator[TorchComm]:
    """Start the processes with the ranks 1 to size - 1, which follow this one; at the end of the block all are gone.

    Raises WorkerError, which names the rank, where one of them ends before its time, and InputError where the machine
    starts no more.
    """
    context = get_context("spawn")
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, _on_loopback():
        meeting = str(Path(folder) / "meeting")
        others = [context.Process(target=work, args=(rank, size, meeting), daemon=True) for rank in range(1, size)]
        try:
            _start(others)
            store = dist.FileStore(meeting, size)
            while store.add("ready", 0) < len(others):  # one that never gets there would keep the others waiting
                if any(process.exitcode is not None for process in others):
                    raise WorkerError("")
                time.sleep(0.02)
            with joined(store, 0, size) as comm:
                yield comm
            for process in others:
                process.join(_SECONDS_TO_END)
        except WorkerError as error:
            raise WorkerError(f"{_who_ended(others, size)}: the fit can't go on without it") from error
        finally:
            for process in others:
                if process.pid is not None:
                    process.kill()
                    process.join()


def _start(others: Sequence[BaseProcess]) -> None:
    for rank, process in enumerate(others, 1):
        try:
            process.start()
        except OSError as error:
            why = error.strerror or error
            raise InputError(
                f"worker {rank} of {len(others) + 1} can't be started ({why}): pass fewer --workers"
            ) from error


@contextmanager
def _on_loopback() -> Iterator[None]:
    name, variable = _LOOPBACK.get(sys.platform), "GLOO_SOCKET_IFNAME"
    if not name or variable in os.environ:
        yield
        return
    os.environ[variable] = name
    try:
        yield
    finally:
        del os.environ[variable]


def work(rank: int, size: int, meeting: str) -> None:
    """Be one of the processes: what a person is told, rank 0 says, and Ctrl-C is for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    store = dist.FileStore(meeting, size)
    store.add("ready", 1)
    try:
        with joined(store, rank, size) as comm:
            follow(comm)
    except WorkerError:
        sys.exit(_FOLLOWED)


def _who_ended(others: Sequence[BaseProcess], size: int) -> str:
    """Return which process ended first, and how."""
    until = time.monotonic() + _SECONDS_TO_END
    while time.monotonic() < until:
        for rank, process in enumerate(others, 1):
            code = process.exitcode
            if code is not None and code != _FOLLOWED:
                how = f"was killed (signal {-code})" if code < 0 else f"ended (exit code {code})"
                return f"worker {rank} of {size} {how}"
        time.sleep(0.02)
    return f"one of {size} workers does not answer"

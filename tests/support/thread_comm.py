"""Processes of a fit played by threads."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from cf_excel.ratings.parts import dealt
from cf_excel.ratings.table import Ratings


class ThreadComm:
    """What Comm promises, among threads of one process; sent counts the bytes that a process would send."""

    def __init__(self, rank: int, board: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.size, self.board, self.barrier, self.sent = rank, len(board), board, barrier, 0

    def _swap(self, mine: Any) -> list[np.ndarray]:
        return self._all_of(np.array(mine))

    def _all_of(self, mine: Any) -> list[Any]:
        self.board[self.rank] = mine
        self.barrier.wait(60)
        everyones = list(self.board)
        self.barrier.wait(60)
        return everyones

    def gather(self, block: np.ndarray) -> np.ndarray:
        self.sent += (self.size - 1) * block.nbytes
        return np.concatenate(self._swap(block))

    def scatter(self, rows: np.ndarray) -> np.ndarray:
        self.sent += rows.nbytes * (self.size - 1) // self.size
        return sum(np.split(part, self.size)[self.rank] for part in self._swap(rows))

    engine = "threads"

    def shared(self, given: Any) -> Any:
        return self._all_of(given)[0]

    def exchange(self, blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [theirs[self.rank] for theirs in self._all_of(list(blocks))]

    def collect(self, values: np.ndarray) -> list[np.ndarray]:
        everyones = self._swap(values)
        return [] if self.rank else everyones

    def total(self, part: Any) -> Any:
        return sum(self._swap(part))


def on_threads(size: int, work: Callable[[ThreadComm], Any]) -> list[Any]:
    """Return what work returns on each of size ranks."""
    board, barrier = [None] * size, threading.Barrier(size)

    def run(rank: int) -> Any:
        try:
            return work(ThreadComm(rank, board, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, rank) for rank in range(size)]
    errors = [error for future in futures if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error  # the cause, not those that waited in vain
    return [future.result() for future in futures]


def dealt_to(comm: ThreadComm, ratings: Ratings, val_rows: np.ndarray) -> tuple[Ratings, np.ndarray]:
    """Return the part of a rank, and which of its rows are held back."""
    part, rows = dealt(comm, *((ratings, val_rows) if comm.rank == 0 else (None, None)))
    return part.ratings, rows

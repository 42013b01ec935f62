"""The processes of a fit as torch.distributed knows them, on CPUs."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from cf_excel.errors import WorkerError

_PATIENCE = timedelta(hours=6)  # for rank 0, which reads and chooses alone; a process that is gone is noticed at once


class TorchComm:
    """What Comm promises, in the process group that is up; sums are in the order of ranks, so the same bytes twice.

    sent: the bytes of rows that this process has sent; what is small whatever the ratings does not count. Raises
    WorkerError where a process is gone.
    """

    engine = "torch.distributed, gloo"

    def __init__(self) -> None:
        self.rank, self.size, self.sent = dist.get_rank(), dist.get_world_size(), 0

    def gather(self, block: np.ndarray) -> np.ndarray:
        """Return the blocks (n, ...) of all processes, (size * n, ...), in the order of ranks."""
        self.sent += (self.size - 1) * block.nbytes
        return self._gather(block)

    def _gather(self, block: np.ndarray) -> np.ndarray:
        mine = torch.from_numpy(np.ascontiguousarray(block))
        everyones = [torch.empty_like(mine) for _ in range(self.size)]
        self._call(dist.all_gather, everyones, mine)
        return np.concatenate([part.numpy() for part in everyones])

    def scatter(self, rows: np.ndarray) -> np.ndarray:
        """Add up rows (size * n, ...) over all processes; return this one's block (n, ...)."""
        self.sent += rows.nbytes * (self.size - 1) // self.size
        mine = torch.from_numpy(np.ascontiguousarray(rows))
        parts = torch.empty_like(mine)
        self._call(dist.all_to_all_single, parts, mine)
        return np.asarray(parts.numpy().reshape(self.size, len(rows) // self.size, *rows.shape[1:]).sum(0))

    def total(self, part: Any) -> Any:
        """Return the sum over all processes, the same bytes on each."""
        return self._gather(np.asarray(part)[None]).sum(0)

    def shared(self, given: Any) -> Any:
        """Return what rank 0 was given."""
        box = [given]
        self._call(dist.broadcast_object_list, box)
        return box[0]

    def exchange(self, blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Send a block (n, ) of any length to each process; return what each has sent to this one."""
        mine = torch.from_numpy(np.concatenate(blocks))
        sent = [len(block) for block in blocks]
        counts = torch.empty(self.size, dtype=torch.int64)
        self._call(dist.all_to_all_single, counts, torch.tensor(sent))
        theirs = torch.empty(int(counts.sum()), dtype=mine.dtype)
        self._call(dist.all_to_all_single, theirs, mine, counts.tolist(), sent)
        return np.split(theirs.numpy(), np.cumsum(counts.numpy())[:-1])

    def collect(self, values: np.ndarray) -> list[np.ndarray]:
        """Return on rank 0 the arrays (n, ...) of all processes, on the others nothing."""
        counts = self._gather(np.array([len(values)], np.int64)).tolist()
        found = [values]
        if self.rank:
            self._call(dist.send, torch.from_numpy(np.ascontiguousarray(values)), 0)
            return []
        for rank in range(1, self.size):
            theirs = torch.from_numpy(np.empty((counts[rank], *values.shape[1:]), values.dtype))
            self._call(dist.recv, theirs, rank)
            found.append(theirs.numpy())
        return found

    def _call(self, collective: Callable[..., Any], *given: Any) -> None:
        try:
            collective(*given)
        except RuntimeError as error:
            raise WorkerError(f"worker {self.rank} of {self.size}: another one is gone, so that all stop") from error


@contextmanager
def joined(store: dist.Store, rank: int, size: int, patience: timedelta = _PATIENCE) -> Iterator[TorchComm]:
    """Be one of the processes that meet in a store. Raises WorkerError where they do not."""
    try:
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=patience)
    except RuntimeError as error:
        raise WorkerError("the workers did not find each other: is one of them gone?") from error
    try:
        yield TorchComm()
    finally:
        dist.destroy_process_group()


@contextmanager
def launched(patience: timedelta = _PATIENCE) -> Iterator[TorchComm]:
    """Be one of the processes that a launcher such as torchrun has started, and told where they meet.

    patience: how long to wait for the others. Being told to end, it ends at once: Python's own handler would wait for
    what the others never send.
    """
    store, rank, size = next(rendezvous("env://", timeout=patience))
    if os.environ.get("LOCAL_WORLD_SIZE") == str(size):  # restarted on one machine, they find the same store again
        store = dist.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT')}", store)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with joined(store, rank, size, patience) as comm:
            yield comm
    finally:
        signal.signal(signal.SIGTERM, before)

"""The processes of a fit as torch.distributed knows them, on CPUs."""

from typing import Any

import numpy as np
import torch
import torch.distributed as dist


class TorchComm:
    """What Comm promises, in the process group that is up; sums are in the order of ranks, so the same bytes twice."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def gather(self, block: np.ndarray) -> np.ndarray:
        """Return the blocks (n, ...) of all processes, (size * n, ...), in the order of ranks."""
        mine = torch.from_numpy(np.ascontiguousarray(block))
        everyones = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(everyones, mine)
        return np.concatenate([part.numpy() for part in everyones])

    def scatter(self, rows: np.ndarray) -> np.ndarray:
        """Add up rows (size * n, ...) over all processes; return this one's block (n, ...)."""
        mine = torch.from_numpy(np.ascontiguousarray(rows))
        parts = torch.empty_like(mine)
        dist.all_to_all_single(parts, mine)
        return np.asarray(parts.numpy().reshape(self.size, len(rows) // self.size, *rows.shape[1:]).sum(0))

    def total(self, part: Any) -> Any:
        """Return the sum over all processes, the same bytes on each."""
        return self.gather(np.asarray(part)[None]).sum(0)

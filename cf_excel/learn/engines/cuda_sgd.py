"""The lazy SGD of lazy_sgd on a GPU: the steps between two reports are one CUDA graph, which the host only starts.

The maps that lead a row over the steps that it missed are known before the steps are done, so the host computes them
(lazy_kernels.window_maps) for a window of steps and hands them over. A step is two launches: `errors` reads the rows of
every rating and keeps copies; `learn` sums each row's gradients from the copies, always in the same order, and moves
the row. So no two programs write to the same place, and the same seed gives the same numbers.
"""

import numpy as np
import torch
from torch import Tensor

from cf_excel.learn.engines.lazy_sgd import LazySGD
from cf_excel.learn.engines.loop import REPORT_EVERY, REPORT_ROWS, Loop
from cf_excel.learn.model_data import Columns

LARGEST_TILE = 512  # numbers that a warp holds at once


class CudaSGD(LazySGD):
    """Train EmbeddingDot or EmbeddingDotBias with SGD on a CUDA GPU."""

    device = "cuda"
    packages = ("numba", "triton")
    chosen_by_auto = False  # until somebody has seen it run on a GPU
    predict = Loop.predict

    def set_up(self) -> None:
        """Make the arrays of a window of steps, compile, and record the graph."""
        from cf_excel.learn.engines import cuda_kernels, lazy_kernels

        self.kernels, self.window_maps = cuda_kernels, lazy_kernels.window_maps
        self.window = min(REPORT_EVERY, max(REPORT_ROWS // self.bs, 1))
        size = self.window * self.bs
        self.size = self._empty(1, torch.int32).zero_()
        self.ratings = [self._empty(size, dtype) for dtype in (torch.int64, torch.int64, torch.float32)]
        self.sorted = [[self._empty(size, torch.int64) for _ in range(3)] for _ in range(2)]
        self.copies = [self._empty((self.bs, self.width), self.dtype) for _ in range(2)]
        self.slopes, self.squares = self._empty(self.bs, self.dtype), self._empty(size, self.dtype)
        self.map_tensor = self._empty((self.window + 2, 4, self.window + 1), self.dtype).zero_()
        self.map_tensor[-1, 0::3] = 1  # at first, the way to the end of the window changes nothing
        self.graph = None
        self._launch(1)  # without ratings: for the compiler
        if self.device == "cuda":
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._launch(self.window)

    def batches(self, rows: Columns, order: Tensor) -> np.ndarray:
        """Train on these rows, a batch at a time, and return the loss of each batch."""
        n = -(-len(order) // self.bs)
        order = order.to(self.users.device)
        chosen = (rows.cats[order, 0], rows.cats[order, 1], rows.y[order])
        for part, values in zip(self.ratings, chosen, strict=True):
            part[: len(order)] = values
        for parts, of_rating, table in zip(self.sorted, chosen, (self.users, self.movies), strict=False):
            for part, values in zip(parts, sorted_by_row(of_rating, len(table), self.bs), strict=True):
                part[: len(order)] = values
        self.size.fill_(len(order))
        self._set_maps(n)
        if self.graph:
            self.graph.replay()
        else:
            self._launch(n)
        counts = np.full(n, self.bs)
        counts[-1] = len(order) - (n - 1) * self.bs
        self.squares[len(order) : n * self.bs] = 0
        return self.squares[: n * self.bs].view(n, self.bs).sum(1).cpu().numpy() / counts

    def catch_up(self) -> None:
        """Do nothing: a window ends with every row up to date."""

    def _set_maps(self, n: int) -> None:
        """Hand over the maps of the next n steps; the last ones lead to the end of the window, however short."""
        maps = np.zeros((n + 2, 4, n + 1))
        self.window_maps(maps, self.rule, np.concatenate([[0.0], self.lrs(n)]))
        there = torch.from_numpy(maps).to(self.users.device)
        self.map_tensor[: n + 1, :, : n + 1] = there[:-1]
        self.map_tensor[-1, :, : n + 1] = there[-1]

    def _launch(self, n: int) -> None:
        """Start n steps and bring every row up to date."""
        tables = (self.users, self.movies, self.last_user, self.last_movie)
        kept, sizes = (*self.copies, self.slopes), (self.width, self.n_factors, self.map_tensor.shape[2])
        block = 1 << (self.width - 1).bit_length()
        options = {"BLOCK": block, "num_warps": 1}
        learn_options = options | {"TOGETHER": max(1, LARGEST_TILE // block)}
        users, movies = self.sorted
        for step in range(1, n + 1):
            place = (self.size, step, self.bs)
            self.kernels.errors[self.bs,](
                *tables, self.map_tensor, *self.ratings, *place, *kept, self.squares, *sizes, *self.output, **options
            )
            self.kernels.learn[self.bs, 2](
                *tables, self.map_tensor, *users, *movies, *place, *kept, *sizes, **learn_options
            )
        for table, last, constant in zip(tables, tables[2:], (self.n_factors + 1, self.n_factors), strict=False):
            self.kernels.catch_up[len(table),](table, last, self.map_tensor[-1], constant, *sizes[::2], **options)

    def _empty(self, shape: int | tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=self.users.device)


def sorted_by_row(rows: Tensor, n_rows: int, bs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sort the ratings (n,) of each batch by their row of a table.

    Returns the row, the rating's number, and the number of ratings of the same row in the batch where it is the first
    of them, else 0; each (n,) int64.
    """
    numbers = torch.arange(len(rows), device=rows.device)
    keys, order = torch.sort(numbers // bs * n_rows + rows, stable=True)
    runs = torch.searchsorted(keys, keys, right=True) - numbers
    runs[1:][keys[1:] == keys[:-1]] = 0
    return keys % n_rows, order, runs

"""The lazy SGD of lazy_sgd on a GPU: the steps between two reports are one CUDA graph, which the host only starts.

The maps that lead a row over the steps that it missed are known before the steps are done, so the host computes them
(lazy_kernels.window_maps) for a window of steps and hands them over. The ratings of an epoch are sorted at its start,
those of a batch by user and again by movie. A step is two launches: `of_users` has a program for every user of the
batch, which predicts the user's ratings, keeps what the movies need, and moves the user; `of_movies` has one for every
movie. No two programs write to the same place, and sums have an order: the same seed gives the same numbers.
"""

import threading

import numpy as np
import torch
from torch import Tensor

from cf_excel.learn.engines.lazy_sgd import LazySGD
from cf_excel.learn.engines.loop import REPORT_EVERY, REPORT_ROWS, Loop
from cf_excel.learn.model_data import Columns

LARGEST_TILE = 128  # numbers that a warp holds at once
LONG_RUN = 32  # more ratings of a movie in a large batch have a launch of more warps
LARGE_BATCH = 4096
WARPS_OF_LONG_RUN = 8


class CudaSGD(LazySGD):
    """Train EmbeddingDot or EmbeddingDotBias with SGD on a CUDA GPU."""

    device = "cuda"
    packages = ("numba", "triton")
    predict = Loop.predict

    def set_up(self) -> None:
        """Make the arrays that steps share, and compile."""
        from cf_excel.learn.engines import cuda_kernels, lazy_kernels

        self.kernels, self.window_maps = cuda_kernels, lazy_kernels.window_maps
        self.window = min(REPORT_EVERY, max(REPORT_ROWS // self.bs, 1))
        self.n_long = self.bs // LONG_RUN if self.bs >= LARGE_BATCH else 0  # a batch has fewer such runs
        self.range = self._empty(2, torch.int64).zero_()  # of the window's ratings among the epoch's
        self.copies, self.slopes = self._empty((self.bs, self.width), self.dtype), self._empty(self.bs, self.dtype)
        self.map_tensor = self._empty((self.window + 2, 4, self.window + 1), self.dtype).zero_()
        self.map_tensor[-1, 0::3] = 1  # at first, the way to the end of the window changes nothing
        self.graph: torch.cuda.CUDAGraph | None = None
        self.sorted: list[Tensor] = []
        self._sort(torch.zeros((1, 2), dtype=torch.int64, device=self.range.device), self._empty(1, torch.float32))
        self._launch(1)  # without ratings: for the compiler
        self.sorted = []

    def run(self, rows: Columns, order: Tensor, first: int, stop: int, interrupted: threading.Event) -> int:
        """Train on the batches first to stop - 1; an interrupt waits until they are done."""
        self.first = first
        return super().run(rows, order, first, stop, interrupted)

    def start_epoch(self, rows: Columns, order: Tensor) -> None:
        """Sort the ratings of an epoch; at the first one, record the graph."""
        super().start_epoch(rows, order)
        self._sort(rows.cats[order], rows.y[order])
        if self.device == "cuda" and not self.graph:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._launch(self.window)

    def batches(self, rows: Columns, order: Tensor) -> np.ndarray:
        """Train on these rows, a batch at a time, and return the loss of each batch."""
        start, n = self.first * self.bs, -(-len(order) // self.bs)
        self.range.copy_(torch.tensor([start, start + len(order)]))
        self._set_maps(n)
        if self.graph:
            self.graph.replay()
        else:
            self._launch(n)
        counts = np.full(n, self.bs)
        counts[-1] = len(order) - (n - 1) * self.bs
        return self.squares[start : start + n * self.bs].view(n, self.bs).sum(1).cpu().numpy() / counts

    def catch_up(self) -> None:
        """Do nothing: a window ends with every row up to date."""

    def _sort(self, cats: Tensor, y: Tensor) -> None:
        """Keep an epoch's ratings, those of each batch sorted by user, and how to find them sorted by movie."""
        users, order, user_runs = sorted_by_row(cats[:, 0], len(self.users), self.bs)
        movies = cats[order, 1]
        by_movie = sorted_by_row(movies, len(self.movies), self.bs)
        parts = [users, user_runs, movies, y[order], *by_movie, long_runs(by_movie[2], self.bs, self.n_long)]
        if not self.sorted:  # a graph knows where they are
            self.sorted = parts
            self.squares = self._empty(-(-len(y) // self.bs) * self.bs, self.dtype).zero_()
        for kept, part in zip(self.sorted, parts, strict=True):
            kept.copy_(part)

    def _set_maps(self, n: int) -> None:
        """Hand over the maps of the next n steps; the last ones lead to the end of the window, however short."""
        maps = np.zeros((n + 2, 4, n + 1))
        self.window_maps(maps, self.rule, np.concatenate([[0.0], self.lrs(n)]))
        there = torch.from_numpy(maps).to(self.map_tensor)
        self.map_tensor[: n + 1, :, : n + 1] = there[:-1]
        self.map_tensor[-1, :, : n + 1] = there[-1]

    def _launch(self, n: int) -> None:
        """Start n steps and bring every row up to date."""
        tables = (self.users, self.movies, self.last_user, self.last_movie)
        of_users, of_movies, long = self.sorted[:4], self.sorted[4:7], self.sorted[7]
        kept, sizes = (self.copies, self.slopes), (self.width, self.n_factors, self.map_tensor.shape[2])
        block = 1 << (self.width - 1).bit_length()
        together = max(1, LARGEST_TILE // block)
        options = {"BLOCK": block, "num_warps": 1}
        some = options | {"TOGETHER": together}
        of_run = {"LONG_RUN": LONG_RUN if self.n_long else self.bs}
        many = of_run | {"BLOCK": block, "TOGETHER": together * WARPS_OF_LONG_RUN, "num_warps": WARPS_OF_LONG_RUN}
        for step in range(1, n + 1):
            place = (self.range, step, self.bs)
            self.kernels.of_users[self.bs,](
                *tables, self.map_tensor, *of_users, *place, *kept, self.squares, *sizes, *self.output, **some
            )
            movies = (self.movies, self.last_movie, self.map_tensor, *of_movies, long, *place, *kept, *sizes)
            self.kernels.of_movies[self.bs,](*movies, self.n_long, IS_LONG=False, **some, **of_run)
            if self.n_long:
                self.kernels.of_movies[self.n_long,](*movies, self.n_long, IS_LONG=True, **many)
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
    is_first = torch.ones_like(keys, dtype=torch.bool)
    is_first[1:] = keys[1:] != keys[:-1]
    first = is_first.nonzero()[:, 0]
    runs = torch.zeros_like(keys)
    runs[first] = torch.diff(first, append=first.new_tensor([len(keys)]))
    return keys % n_rows, order, runs


def long_runs(runs: Tensor, bs: int, n_long: int) -> Tensor:
    """Return where the runs of over LONG_RUN ratings begin in each batch, (n_batches, n_long) int64, -1 for no more."""
    found = torch.full((-(-len(runs) // bs), n_long), -1, device=runs.device)
    if n_long:
        begins = (runs > LONG_RUN).nonzero()[:, 0]
        batch = begins // bs
        first = torch.searchsorted(batch, batch)
        found[batch, torch.arange(len(begins), device=runs.device) - first] = begins % bs
    return found

"""Arrays as long as the ratings: in memory, or once that is used up in files that the system keeps in memory as it can.

What is worked out of them goes by blocks of rows, to the same bytes as all at once. The files have no name, or lose it
with the process, however that ends.
"""

import math
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from cf_excel.errors import FileError

BLOCK_ROWS = 1 << 18  # that are worked on at a time
SORTED_ROWS = 1 << 21  # that are sorted at a time
_SMALL = 1 << 20  # bytes of an array that is not worth a file
_MOST_BYTES = 64  # of a rating, in memory and files at a time


class _Budget:
    """How many bytes may still be in memory."""

    def __init__(self, left: float) -> None:
        self.left = left

    def give_back(self, n_bytes: int) -> None:
        self.left += n_bytes


_budgets = [_Budget(math.inf)]


@contextmanager
def spilled_beyond(n_bytes: float) -> Iterator[None]:
    """Let arrays beyond so many bytes together be in files, in the folder for temporary ones, until the block ends."""
    _budgets.append(_Budget(n_bytes))
    try:
        yield
    finally:
        _budgets.pop()


def empty(n: int, dtype: DTypeLike) -> np.ndarray:
    """Return an array (n,) with anything in it. Raises FileError where the disk lacks the room for it."""
    n_bytes, budget = n * np.dtype(dtype).itemsize, _budgets[-1]
    if n_bytes < _SMALL or budget.left == math.inf:
        return np.empty(n, dtype)
    if n_bytes > budget.left:
        return _in_file(n, n_bytes, dtype)
    found = np.empty(n, dtype)
    budget.left -= n_bytes
    weakref.finalize(found, budget.give_back, n_bytes).atexit = False
    return found


def check_disk(n_ratings: int) -> None:
    """Raise FileError where the folder for temporary files lacks the room for what so many ratings leave to it."""
    _check_free(_MOST_BYTES * n_ratings - _budgets[-1].left)


def is_in_memory(folder: str) -> bool:
    """Say whether Linux keeps a folder in memory, so that what is there takes no less of it."""
    mountinfo = Path("/proc/self/mountinfo")
    if sys.platform != "linux" or not mountinfo.exists():
        return False
    mounts = [line.split() for line in mountinfo.read_text().splitlines()]
    device = os.stat(folder).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    return any(fields[2] == number and fields[fields.index("-") + 1] == "tmpfs" for fields in mounts)


def _in_file(n: int, n_bytes: int, dtype: DTypeLike) -> np.ndarray:
    try:
        with tempfile.TemporaryFile() as file:
            if hasattr(os, "posix_fallocate"):  # writing to what the disk has no room for would end the process
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            else:
                _check_free(n_bytes)
            return np.memmap(file, dtype, "r+", shape=n).view(np.ndarray)
    except OSError as error:
        _check_free(n_bytes)
        raise FileError(f"can't keep ratings in {tempfile.gettempdir()}: {error.strerror or error}") from error


def _check_free(n_bytes: float) -> None:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        needed, there = (f"{n / 1e9:,.1f} GB" if n >= 1e9 else f"{n / 1e6:,.0f} MB" for n in (n_bytes, free))
        raise FileError(
            f"{folder} has {there} free, and ratings beyond --memory need {needed}: free some, pass more memory, "
            "or name a folder on another disk in TMPDIR"
        )


def blocks(n: int) -> Iterator[slice]:
    """Yield n rows, BLOCK_ROWS at a time; one slice where there are none."""
    for start in range(0, max(n, 1), BLOCK_ROWS):
        yield slice(start, start + BLOCK_ROWS)


def gathered(parts: Iterable[np.ndarray], n: int) -> np.ndarray:
    """Return parts of one dtype one after the other, of n numbers together."""
    parts = iter(parts)
    first = next(parts)
    found, end = empty(n, first.dtype), len(first)
    found[:end] = first
    for part in parts:
        found[end : end + len(part)] = part
        end += len(part)
    return found


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return parts of one dtype, at least one, one after the other."""
    return gathered(parts, sum(map(len, parts)))


def by_block(work: Callable[..., np.ndarray], *columns: np.ndarray) -> np.ndarray:
    """Return work(*columns) of columns (n,), where a row of what it returns (n,) depends on the same row alone."""
    n = len(columns[0])
    if n <= BLOCK_ROWS:
        return work(*columns)
    return gathered((work(*(column[rows] for column in columns)) for rows in blocks(n)), n)


def rows_of(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return values[rows], of numbers of rows or a mask (n,)."""
    if rows.dtype != bool:
        return by_block(values.__getitem__, rows)
    return gathered((values[some][rows[some]] for some in blocks(len(rows))), int(np.count_nonzero(rows)))


def numbers_of(mask: np.ndarray) -> np.ndarray:
    """Return the rising numbers of the rows of a mask (n,), int64."""
    return gathered(
        (some.start + np.flatnonzero(mask[some]) for some in blocks(len(mask))), int(np.count_nonzero(mask))
    )


def all_finite(values: np.ndarray) -> bool:
    """Return whether no number (n,) is infinite or NaN."""
    return all(np.isfinite(values[rows]).all() for rows in blocks(len(values)))


def all_but(rows: np.ndarray, n: int) -> np.ndarray:
    """Return a mask (n,) of the rows that are not named."""
    mask = empty(n, bool)
    mask[:] = True
    mask[rows] = False
    return mask


def sums_by(idx: np.ndarray, n: int, values: Callable[[slice], np.ndarray] | None = None) -> np.ndarray:
    """Return np.bincount(idx, values, n): how many rows each index has, or the sum of its values, asked for by block.

    The summands of each index are added in the order of the rows, as if all at once.
    """
    if len(idx) <= BLOCK_ROWS:
        return np.bincount(idx, None if values is None else values(slice(None)), n)
    found = np.zeros(n, np.int64 if values is None else np.float64)
    for rows in blocks(len(idx)):
        np.add.at(found, idx[rows], 1 if values is None else values(rows).astype(np.float64))
    return found


def ranges(idx: np.ndarray, n: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield ranges of the n indices, first and end, each with the rising numbers of its rows.

    These are SORTED_ROWS at most, but where a single index has more.
    """
    if len(idx) <= SORTED_ROWS:
        yield 0, n, np.arange(len(idx))
        return
    ends = np.append(0, np.cumsum(sums_by(idx, n)))
    first = 0
    while first < n:
        end = max(first + 1, int(np.searchsorted(ends, ends[first] + SORTED_ROWS, "right")) - 1)
        found = [np.flatnonzero((idx[rows] >= first) & (idx[rows] < end)) + rows.start for rows in blocks(len(idx))]
        yield first, end, np.concatenate(found)
        first = end

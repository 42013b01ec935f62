"""Read a large model file by parts: what is as long as the users stays on disk, and of it the rows that are asked for.

Such arrays are np.memmap. Their values are not looked through when the file is loaded, but when they are used.
"""

import json
import math
from collections.abc import Callable

import numpy as np

from cf_excel.errors import FileError

MAPPED_FROM = 2**30  # bytes
_BY_USER = ("user_", "seen_", "layers.user_", "layers.noise_")  # how their names begin
_LARGEST = 1e18  # of a number, so that no product of two is beyond single precision
_IDS_AT_ONCE = 1 << 20


def is_mapped(array: np.ndarray) -> bool:
    """Return whether an array is read from its file when it is used."""
    return isinstance(array, np.memmap)


def arrays_in(data: np.memmap) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the header of a safetensors file, all bytes of which data maps, and its arrays; those by user are mapped.

    Raises ValueError, KeyError and TypeError for bytes that are not a whole safetensors file.
    """
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    if start > len(data):
        raise ValueError("the header is longer than the file")
    header = json.loads(data[8:start].tobytes())
    arrays, ends = {}, []
    for name, told in header.items():
        if name == "__metadata__":
            continue
        dtype, shape = _dtype(told["dtype"]), tuple(told["shape"])
        first, last = told["data_offsets"]
        if not 0 <= first <= last <= len(data) - start or last - first != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} is not where the header has it")
        array = data[start + first : start + last].view(dtype).reshape(shape)
        is_by_user = name.startswith(_BY_USER) and dtype != np.uint8  # texts are read whole
        arrays[name] = array if is_by_user else np.array(array)
        ends.append(last)
    if start + max(ends, default=0) != len(data):
        raise ValueError("the file has another length than its header says")
    return header, arrays


def _dtype(name: str) -> np.dtype:
    """Return the type that a header names by a letter, F, I or U, and its bits."""
    if name[0] not in "FIU":
        raise ValueError(f"{name} is no type of a model")
    return np.dtype(f"<{name[0].lower()}{int(name[1:]) // 8}")


class MappedUsers:
    """Vectors of users, made from their rows of mapped arrays when they are asked for.

    mean: what stands for row -1, in each of the arrays.
    """

    def __init__(
        self,
        arrays: tuple[np.ndarray, ...],
        vectors: Callable[..., np.ndarray],
        mean: tuple[np.ndarray, ...] | None = None,
    ) -> None:
        self._arrays, self._vectors, self._mean = arrays, vectors, mean

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Return the vectors of rows (n,). Raises FileError for numbers that no model has."""
        parts = [checked_rows(array[rows]) for array in self._arrays]
        if self._mean is not None:
            for part, mean in zip(parts, self._mean, strict=True):
                part[rows < 0] = mean
        return self._vectors(*parts)


def checked_rows(numbers: np.ndarray) -> np.ndarray:
    """Return numbers of mapped arrays. Raises FileError for those that are not finite or too large."""
    if not (np.abs(numbers) <= _LARGEST).all():
        raise FileError("the model is damaged: it has values that are not finite; train it again")
    return numbers


def checked_seen(offsets: np.ndarray, movies: np.ndarray, n_movies: int) -> np.ndarray:
    """Return the movies (rows) of a user between two offsets of a mapped array. Raises FileError for wrong ones."""
    first, last = offsets.tolist()
    rows = np.array(movies[first:last]) if 0 <= first <= last <= len(movies) else np.array([-1])
    if len(rows) and not 0 <= rows.min() <= rows.max() < n_movies:
        raise FileError("the model is damaged: its lists of what was rated are not whole; train it again")
    return rows


def rows_in(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the row of each whole number wanted (n,) among mapped ids, -1 where it is none, by reading all once."""
    distinct, which = np.unique(wanted, return_inverse=True)
    found = np.full(len(distinct), -1, np.intp)
    for start in range(0, len(ids) if len(wanted) else 0, _IDS_AT_ONCE):
        piece = np.array(ids[start : start + _IDS_AT_ONCE])
        at = np.minimum(np.searchsorted(distinct, piece), len(distinct) - 1)
        here = np.flatnonzero(distinct[at] == piece)[::-1]
        found[at[here]] = start + here
    return found[which.reshape(-1)]

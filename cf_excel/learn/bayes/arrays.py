"""Two homes for the same arithmetic: numpy and scipy on the CPU, torch on a GPU.

A GPU sums in any order, so two fits with one seed agree there to what float32 rounds off, and not to the bit.
"""

from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from cf_excel.errors import InputError
from cf_excel.ratings.spill import blocks, by_block, sums_by

_MANY_RATINGS = 1_000_000  # fewer are done before torch and a GPU are ready
_CACHED = 1 << 17  # numbers that stay in the processor's cache
Array = Any
"""A numpy array or a torch tensor; only what both understand is done with it."""


class Arrays(NamedTuple):
    """Where arrays live. xp has einsum, concatenate and the like; dense, sparse and to_numpy move arrays in and out.

    columns picks columns of a matrix (n, k) by their numbers; invert inverts positive definite matrices (n, d, d), and
    may write over them. by_block and sums_by are those of ratings/spill.py.
    """

    xp: ModuleType
    dense: Callable[[np.ndarray], Array]
    sparse: Callable[[csr_array], Array]
    to_numpy: Callable[[Array], np.ndarray]
    columns: Callable[[Array, Array], Array]
    invert: Callable[[Array], Array]
    by_block: Callable[..., Array]
    sums_by: Callable[..., Array]


def arrays_on(device: str, n_ratings: int = 0) -> Arrays:
    """Return numpy and scipy for "cpu", torch for "cuda"; "auto" is a GPU for many ratings, where there is one.

    Raises InputError for another device and for one that this machine does not have.
    """
    if device == "cpu" or (device == "auto" and (n_ratings < _MANY_RATINGS or not _has_cuda())):
        of_arrays = np.asarray, lambda x, i: x.take(i, axis=1), invert, by_block, sums_by
        return Arrays(np, np.asarray, lambda matrix: matrix, *of_arrays)
    if device == "auto":
        return torch_arrays("cuda")
    if device != "cuda":
        raise InputError(f"device {device!r}: the model bayes runs on cpu and cuda")
    from cf_excel.learn.devices import pick_device

    return torch_arrays(pick_device(device).type)


def torch_arrays(device: str) -> Arrays:
    """Return torch on a device; torch sums sparse rows faster than numpy does only where there is a GPU."""
    import torch

    def dense(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    def sparse(matrix: csr_array) -> torch.Tensor:
        rows, columns, values = (dense(np.asarray(part)) for part in (matrix.indptr, matrix.indices, matrix.data))
        return torch.sparse_csr_tensor(rows, columns, values, size=matrix.shape, check_invariants=False)

    def of_blocks(work: Callable[..., torch.Tensor], *columns: torch.Tensor) -> torch.Tensor:
        return torch.concatenate([work(*(column[rows] for column in columns)) for rows in blocks(len(columns[0]))])

    return Arrays(
        torch,
        dense,
        sparse,
        lambda tensor: tensor.cpu().numpy(),
        lambda x, i: x[:, i],
        torch.linalg.inv,
        of_blocks,
        lambda idx, n, values: torch.bincount(idx, values(slice(None)), n),
    )


def _has_cuda() -> bool:
    if not find_spec("torch"):
        return False
    import torch

    return torch.cuda.is_available()


def invert(matrices: np.ndarray) -> np.ndarray:
    """Invert symmetric positive definite matrices (n, d, d) in place, and return them.

    Sweeps (Goodnight 1979, "A tutorial on the SWEEP operator") over as many matrices at once as the processor's cache
    holds: half the time of LAPACK's inverse one by one, which is made for large matrices.
    """
    n, d, _ = matrices.shape
    step = max(1, _CACHED // d**2)
    for start in range(0, n, step):
        part = np.ascontiguousarray(matrices[start : start + step].transpose(1, 2, 0))
        least = np.finfo(part.dtype).eps * np.einsum("kkn->kn", part)  # rounding can leave a pivot of 0 or below
        for k in range(d):
            pivot = 1 / np.maximum(part[k, k], least[k])
            row, column = part[k] * pivot, part[:, k].copy()
            part -= column[:, None] * row
            part[:, k], part[k], part[k, k] = -column * pivot, row, pivot
        matrices[start : start + step] = part.transpose(2, 0, 1)
    return matrices

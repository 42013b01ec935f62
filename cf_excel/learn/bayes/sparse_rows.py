"""Lay out as many ratings as there are as sparse matrices, by ranges of rows, with the numbers that scipy makes."""

import numpy as np
from scipy.sparse import csr_array

from cf_excel.ratings.spill import SORTED_ROWS, blocks, empty, gathered, ranges


def by_rows(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """Return csr_array((values, (rows, columns)), shape)."""
    n = len(values)
    if n <= SORTED_ROWS:
        return csr_array((values, (rows, columns)), shape)
    dtype = np.int32 if max(n, *shape) <= np.iinfo(np.int32).max else np.int64  # as scipy's
    data, indices, ends = empty(n, values.dtype), empty(n, dtype), np.zeros(shape[0] + 1, dtype)
    for first, end, some in ranges(rows, shape[0]):
        part = csr_array((values[some], (rows[some] - first, columns[some])), (end - first, shape[1]))
        ends[first + 1 : end + 1] = ends[first] + part.indptr[1:]
        data[ends[first] : ends[end]], indices[ends[first] : ends[end]] = part.data, part.indices
    return csr_array((data[: ends[-1]], indices[: ends[-1]], ends), shape)


def rows_in(matrix: csr_array) -> np.ndarray:
    """Return the row of each number in a matrix, (n,) int64."""
    n, ends = matrix.nnz, matrix.indptr[1:]
    if n <= SORTED_ROWS:
        return np.repeat(np.arange(len(ends)), np.diff(matrix.indptr))
    return gathered((np.searchsorted(ends, np.arange(*rows.indices(n)), "right") for rows in blocks(n)), n)


def transposed(matrix: csr_array, row_of: np.ndarray) -> csr_array:
    """Return matrix.T.tocsr(); row_of: what rows_in says of it."""
    if matrix.nnz <= SORTED_ROWS:
        return matrix.T.tocsr()
    return by_rows(matrix.data, matrix.indices, row_of, matrix.shape[::-1])

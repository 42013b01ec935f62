"""What the processes of one fit tell each other: users stay where they are, rows of items are gathered and added up."""

from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from cf_excel.learn.bayes.arrays import Array


class Comm(Protocol):
    """The collectives that a fit needs; every process calls them in the same order, with arrays of the same shape."""

    rank: int
    size: int
    engine: str

    def gather(self, block: Array) -> Array:
        """Return the blocks (n, ...) of all processes, (size * n, ...), in the order of ranks."""

    def scatter(self, rows: Array) -> Array:
        """Add up rows (size * n, ...) over all processes, in the order of ranks; return this one's block (n, ...)."""

    def total(self, part: Array) -> Array:
        """Return the sum over all processes, the same bytes on each."""

    def shared(self, given: Any) -> Any:
        """Return what rank 0 was given."""


class Alone:
    """One process, which has all users and all items: every collective returns what it was given."""

    rank, size, engine = 0, 1, ""

    def gather(self, block: Array) -> Array:
        """Return the only block."""
        return block

    def scatter(self, rows: Array) -> Array:
        """Return the only summand."""
        return rows

    def total(self, part: Array) -> Array:
        """Return the only part."""
        return part

    def shared(self, given: Any) -> Any:
        """Return what was given."""
        return given


class CutMatrix:
    """A matrix of which a process has its users' ratings: users by items, or with of_users False the transpose.

    Its product takes and returns the process's own rows: of users all that are here, of items a block.
    """

    def __init__(self, local: Array, comm: Comm, of_users: bool) -> None:
        self.local, self.comm, self.of_users = local, comm, of_users
        rows, columns = local.shape
        self.shape = (rows, columns // comm.size) if of_users else (rows // comm.size, columns)

    def __matmul__(self, rows: Array) -> Array:
        if self.of_users:
            return self.local @ self.comm.gather(rows)
        return self.comm.scatter(self.local @ rows)


def cut_matrix(local: Array, comm: Comm, of_users: bool) -> Array:
    """Return a matrix whose products reach over all processes; that of one process is the matrix itself."""
    return local if comm.size == 1 else CutMatrix(local, comm, of_users)


class Cut:
    """Which rows a process has: every size-th user, and of the movies a block; rows of zeros fill up the last block."""

    def __init__(self, comm: Comm, n_users: int, n_movies: int) -> None:
        self.comm, self.n_users, self.n_movies = comm, n_users, n_movies
        self.n_block = -(-n_movies // comm.size)
        self.shape = len(range(comm.rank, n_users, comm.size)), self.n_block * comm.size

    def is_mine(self, users: np.ndarray) -> np.ndarray:
        """Return which users (n,) are this process's; their numbers here are users // size."""
        return users % self.comm.size == self.comm.rank

    def own(self, rows: Any, which: str) -> Any:
        """Return this process's rows of those of all users ("user") or movies, an array or a csr_array."""
        n = self.n_block
        if self.comm.size == 1:
            return rows
        if which == "user":
            return rows[self.comm.rank :: self.comm.size]
        start = min(self.comm.rank * n, self.n_movies)
        block = rows[start : min(start + n, self.n_movies)]
        if isinstance(block, np.ndarray):
            return _padded(block, n)
        ends = np.pad(block.indptr, (0, n - block.shape[0]), "edge")
        return csr_array((block.data, block.indices, ends), (n, block.shape[1]))

    def all(self, own: np.ndarray, which: str) -> np.ndarray:
        """Return the rows of all users or movies, from every process's own."""
        size = self.comm.size
        if size == 1:
            return own
        if which == "movie":
            return self.comm.gather(own)[: self.n_movies]
        n = -(-self.n_users // size)
        rows = self.comm.gather(_padded(own, n)).reshape(size, n, *own.shape[1:])
        return np.swapaxes(rows, 0, 1).reshape(size * n, *own.shape[1:])[: self.n_users]

    def mean(self, values: Array, n: int) -> Array:
        """Return the mean of n values, of which each process has some."""
        return values.mean() if self.comm.size == 1 else self.comm.total(values.sum()) / n

    def put_together(self, own: np.ndarray, is_mine: np.ndarray) -> np.ndarray:
        """Return the values of all rows (n,), of which is_mine (n,) says which are this process's own."""
        if self.comm.size == 1:
            return own
        rows = np.zeros(len(is_mine), own.dtype)
        rows[is_mine] = own
        return np.asarray(self.comm.total(rows))


def _padded(rows: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([rows, np.zeros((n - len(rows), *rows.shape[1:]), rows.dtype)])

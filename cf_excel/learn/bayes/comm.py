"""What the processes of one fit tell each other: users stay where they are, rows of items are gathered and added up."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from scipy.sparse import csr_array

from cf_excel.errors import CfExcelError
from cf_excel.learn.bayes.arrays import Array
from cf_excel.ratings.spill import by_block

T = TypeVar("T")

_DRAWN = 1 << 22  # random numbers in memory at a time


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

    def exchange(self, blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Send a block (n, ) of any length to each process; return what each has sent to this one."""

    def collect(self, values: np.ndarray) -> list[np.ndarray]:
        """Return on rank 0 the arrays (n, ...) of all processes, on the others nothing."""


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

    def exchange(self, blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the only block."""
        return list(blocks)

    def collect(self, values: np.ndarray) -> list[np.ndarray]:
        """Return the only array."""
        return [values]


ALONE = Alone()


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
        """Return the rows of all users or movies, from every process's own; those of users on rank 0 alone."""
        size = self.comm.size
        if size == 1:
            return own
        if which == "movie":
            return self.comm.gather(own)[: self.n_movies]
        everyones = self.comm.collect(own)
        rows = np.empty((self.n_users if everyones else 0, *own.shape[1:]), own.dtype)
        for rank, theirs in enumerate(everyones):
            rows[rank::size] = theirs
        return rows


def _padded(rows: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([rows, np.zeros((n - len(rows), *rows.shape[1:]), rows.dtype)])


def own_rows(users: np.ndarray, comm: Comm) -> np.ndarray:
    """Return the numbers here, (n,), of users of this process."""
    return users if comm.size == 1 else by_block(lambda some: some // comm.size, users)


def mean_of(values: Array, comm: Comm) -> Array:
    """Return the mean of values (n,), of which each process has some."""
    if comm.size == 1:
        return values.mean()
    return comm.total(values.sum(dtype=np.float64)) / comm.total(len(values))


def ends_of(values: np.ndarray, comm: Comm) -> tuple[float, float]:
    """Return the lowest and the highest of values (n,), of which each process has some, and one has any."""
    ends = comm.gather(np.array([values.min(initial=np.inf), values.max(initial=-np.inf)]))
    return float(ends.min()), float(ends.max())


def sum_of_rows(rows: np.ndarray, comm: Comm) -> np.ndarray:
    """Return the sum over all processes of rows (n, ...), each of which has added up a block of them."""
    if comm.size == 1:
        return rows
    n = -(-len(rows) // comm.size) * comm.size
    return comm.gather(comm.scatter(_padded(rows, n)))[: len(rows)]


def normals(rng: np.random.Generator, n: int, width: int, comm: Comm) -> np.ndarray:
    """Return this process's rows, every size-th, of standard normal numbers (n, width), whatever the size the same."""
    if comm.size == 1:
        return rng.normal(size=(n, width))
    step = max(1, _DRAWN // width // comm.size) * comm.size
    own = [rng.normal(size=(min(step, n - start), width))[comm.rank :: comm.size] for start in range(0, n, step)]
    return np.concatenate(own)


def shared_work(comm: Comm, work: Callable[[], T]) -> T:
    """Return what work returns on rank 0, which alone does it; what is wrong there is so in all."""
    if comm.size == 1:
        return work()
    found: T | CfExcelError | None = None
    if comm.rank == 0:
        try:
            found = work()
        except CfExcelError as error:
            found = error
    found = comm.shared(found)
    if isinstance(found, CfExcelError):
        raise found
    return cast(T, found)

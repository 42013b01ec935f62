"""Learn from who rated what, whatever the rating, how likely users are to pick movies.

X~ (n_users, n_movies) is n_u ** -1/2 where user u rated, times the root of the mean n_u, so that nobody who rated much
outweighs the others. Whoever has rated less than an eighth of what users do on average is left out: their few ratings
would weigh that much more each, and teach B that people of such ratings pick nothing else, least of all they
themselves. With precisions L_i = 100 + 3 sum_u X~_ui^2, the least squares |X~ - X~ B|^2 + |L^1/2 B|^2 with zeros on B's
diagonal, each movie predicted by the others, has a solution in closed form (Steck 2019, "Embarrassingly shallow
autoencoders"; the precisions as in Steck 2020, "Autoencoders that don't overfit towards the identity"). Of the singular
values s and vectors V of X~ L^-1/2 the largest do, so that the cost grows with the ratings and not with the square of
the movies:

    f = s^2 / (1 + s^2),  h_i = sum_k f_k V_ik^2,  B = L^-1/2 V f V' L^1/2 / (1 - h) - diag(h / (1 - h))

B is then narrowed to a few columns T, the main right singular vectors of X~ B C, where C = diag(n_i ** -.2) keeps the
movies that everybody rates from taking them all: given = B C T, asked = C^-1 T, and a user's sum of given times asked
is what B says of the user.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from cf_excel.errors import InputError
from cf_excel.learn.bayes.arrays import Array, Arrays, arrays_on
from cf_excel.learn.bayes.comm import ALONE, Comm, mean_of, normals, own_rows, sum_of_rows
from cf_excel.learn.bayes.sparse_rows import by_rows, rows_in, transposed
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import DEFAULT_LISTS, LISTS
from cf_excel.model.lists import ListFactors
from cf_excel.ratings.parts import everyones
from cf_excel.ratings.spill import all_but, by_block, rows_of, sums_by
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import row_numbers

N_COLUMNS = 24
_N_SINGULAR = 64
_PRECISION, _PRECISION_OF_RATING = 100.0, 3.0
_TEMPERING = 0.2  # power of a movie's number of ratings
_LEAST_PART = 1 / 8  # of the mean number of ratings, for a user to be learnt from
_HALF_LIFE = 365.0 * 86400  # seconds in which a rating comes to count half for the popularity
_OVERSAMPLED, _POWER_STEPS = 8, 4
ON_CPU = arrays_on("cpu")
Product = Callable[[Array], Array]


def check_lists(lists: str) -> None:
    """Raise InputError for what lists can't be ranked by."""
    if lists not in LISTS:
        raise InputError(f"lists {lists!r}: expected one of {', '.join(LISTS)}")


def with_lists(
    factors: Factors,
    ratings: Ratings,
    val_rows: np.ndarray,
    lists: str = DEFAULT_LISTS,
    seed: int = 0,
    device: str = "auto",
) -> Factors:
    """Return a model whose lists rank by one of LISTS, learnt from the ratings outside val_rows.

    Raises InputError for other lists.
    """
    check_lists(lists)
    return factors if lists == "rating" else replace(factors, lists=fit_lists(ratings, val_rows, lists, seed, device))


def fit_lists(
    ratings: Ratings,
    val_rows: np.ndarray,
    by: str = "score",
    seed: int = 0,
    device: str = "auto",
    comm: Comm = ALONE,
    is_stopped: Callable[[], bool] = lambda: False,
) -> ListFactors:
    """Return what ranks lists, from the ratings outside val_rows; the same seed, the same numbers.

    device: as of arrays_on, or another, which is the CPU here: mps has no numbers of double precision. comm: processes
    of which each has the ratings of its users; what is as long as the users stays there. Where is_stopped says so in
    one of several, all raise KeyboardInterrupt.
    """
    is_training = all_but(row_numbers(val_rows, len(ratings)), len(ratings))
    users, movies = (rows_of(part, is_training) for part in (ratings.user_idx, ratings.movie_idx))
    time = None if ratings.timestamp is None else rows_of(ratings.timestamp, is_training)
    arrays_here = arrays_on(device if device in ("auto", "cuda") and comm.size == 1 else "cpu", len(ratings))
    learnt, shape = _of_experienced(users, comm), (ratings.n_users, ratings.n_movies)
    rng = np.random.default_rng(seed)
    given, asked = autoencoder(
        rows_of(users, learnt),
        rows_of(movies, learnt),
        shape,
        rng,
        arrays=arrays_here,
        comm=comm,
        is_stopped=is_stopped,
    )
    arrays = {"given": given, "asked": asked, "popularity": popularity_of(movies, time, ratings.n_movies, comm)}
    return ListFactors(**{name: array.astype(np.float32) for name, array in arrays.items()}, by=by)


def _of_experienced(users: np.ndarray, comm: Comm) -> np.ndarray:
    """Return which of the ratings, (n_ratings,), are of users to learn from: of at least half of the users."""
    n_by_user = sums_by(users, int(users.max(initial=-1)) + 1)
    counts = np.concatenate(everyones(comm, n_by_user[n_by_user > 0]))
    is_experienced = n_by_user >= min(counts.mean() * _LEAST_PART, np.median(counts))
    return by_block(is_experienced.__getitem__, users)


def popularity_of(movies: np.ndarray, time: np.ndarray | None, n_movies: int, comm: Comm = ALONE) -> np.ndarray:
    """Return each movie's share of the ratings, (n_movies,), each halved for every year before the newest."""
    weights = None
    if time is not None:
        newest = comm.gather(time.max(initial=np.iinfo(np.int64).min, keepdims=True)).max()

        def weights(rows: slice) -> np.ndarray:
            return 0.5 ** ((newest - time[rows]) / _HALF_LIFE)

    counts = comm.total(sums_by(movies, n_movies, weights).astype(np.float64))
    return np.asarray(counts / counts.sum())


def autoencoder(
    users: np.ndarray,
    movies: np.ndarray,
    shape: tuple[int, int],
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
    *,
    n_columns: int = N_COLUMNS,
    n_singular: int = _N_SINGULAR,
    precision: float = _PRECISION,
    precision_of_rating: float = _PRECISION_OF_RATING,
    arrays: Arrays = ON_CPU,
    comm: Comm = ALONE,
    is_stopped: Callable[[], bool] = lambda: False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return given and asked, (n_movies, n_columns), float64, from the rows of who rated and what, (n_ratings,).

    weights (n_ratings,): how much each counts, all the same without. n_columns, n_singular: at most. precision,
    precision_of_rating: of the weights of a movie, and what each of its ratings adds. comm, is_stopped: of fit_lists;
    shape is that of all processes.
    """
    own_shape = len(range(comm.rank, shape[0], comm.size)), shape[1]
    ones = by_block(lambda some: np.ones(len(some)), users) if weights is None else weights
    rated = by_rows(ones, own_rows(users, comm), movies, own_shape)
    n_by_user, row_of = np.diff(rated.indptr), rows_in(rated)
    of_user = (np.maximum(n_by_user, 1) / mean_of(n_by_user[n_by_user > 0], comm)) ** -0.5
    rated.data = by_block(lambda some, rows: some * of_user[rows], rated.data, row_of)
    rated_t = transposed(rated, row_of)
    n_by_movie = comm.total(np.diff(rated_t.indptr))
    squares = csr_array((by_block(np.square, rated.data), rated.indices, rated.indptr), own_shape)
    root = np.sqrt(precision + precision_of_rating * comm.total(squares.sum(axis=0)))[:, None]
    n_singular, n_columns = min(n_singular, *shape), min(n_columns, *shape)

    root, rated_here, rated_t_here = arrays.dense(root), arrays.sparse(rated), arrays.sparse(rated_t)
    process = _Process(comm, arrays, rng, is_stopped)

    def rated_by_all(z: Array) -> Array:
        return sum_of_rows(rated_t_here @ z, comm)

    vectors, values = _right_singular(
        lambda z: rated_here @ (z / root), lambda z: rated_by_all(z) / root, shape, n_singular, process
    )
    kept = values**2 / (1 + values**2)
    own = (vectors**2 @ kept)[:, None]
    left, right, own = vectors * kept / root, vectors * root / (1 - own), own / (1 - own)
    tempering = arrays.dense(np.maximum(n_by_movie, 1)[:, None] ** -_TEMPERING)

    def times(z: Array) -> Array:
        """Return B C z."""
        z = tempering * z
        return left @ (right.T @ z) - own * z

    def transposed_times(z: Array) -> Array:
        return tempering * (right @ (left.T @ z) - own * z)

    columns, _ = _right_singular(
        lambda z: rated_here @ times(z), lambda z: transposed_times(rated_by_all(z)), shape, n_columns, process
    )
    given, asked = arrays.to_numpy(times(columns)), arrays.to_numpy(columns / tempering)
    columns = arrays.to_numpy(columns)
    signs = np.sign(columns[np.abs(columns).argmax(axis=0), np.arange(n_columns)])  # either would do: keep one
    return given * signs, asked * signs


class _Process(NamedTuple):
    """One of those that look for singular vectors, which have the rows of their users: where, and with what."""

    comm: Comm
    arrays: Arrays
    rng: np.random.Generator
    is_stopped: Callable[[], bool]

    def eigh(self, matrix: Array) -> tuple[np.ndarray, np.ndarray]:
        """Return rising eigenvalues and vectors of a symmetric matrix, the same bytes in all: signs are free."""
        if self.comm.size > 1 and self.comm.total(self.is_stopped()):
            raise KeyboardInterrupt
        found: tuple[np.ndarray, np.ndarray] = self.comm.shared(tuple(np.linalg.eigh(self.arrays.to_numpy(matrix))))
        return found

    def orthonormal(self, columns: Array) -> Array:
        """Return orthonormal columns that span what columns (n, k) do; fewer where some depend on others.

        By the small matrix of their products: a QR factorization of so high a matrix takes many times longer where
        other programs want the processor, too.
        """
        squares, rotation = self.eigh(columns.T @ columns)
        kept = squares > 1e-13 * squares.max(initial=0)
        return columns @ self.arrays.dense(rotation[:, kept] / np.sqrt(squares[kept]))


def _right_singular(
    times: Product, transposed_times: Product, shape: tuple[int, int], k: int, process: _Process
) -> tuple[Array, Array]:
    """Return the k main right singular vectors (n_movies, k) and values (k,), falling, of a matrix of this shape.

    Randomized power iteration (Halko, Martinsson & Tropp 2011), which asks for no more than products with the matrix:
    times gives the rows of this process's users, transposed_times takes them and gives the sum over all.
    """
    comm, arrays = process.comm, process.arrays
    width = min(k + _OVERSAMPLED, *shape)
    if width == min(shape):  # all that there is: nothing to search for
        everything = np.eye(width)
        basis = arrays.dense(everything)
        if width != shape[1]:
            basis = transposed_times(arrays.dense(everything[comm.rank :: comm.size]))
    else:
        basis = transposed_times(arrays.dense(normals(process.rng, shape[0], width, comm)))
        for _ in range(_POWER_STEPS):
            basis = transposed_times(times(process.orthonormal(basis)))
    basis = process.orthonormal(process.orthonormal(basis))  # the second time to full precision
    product = times(basis)
    squares, rotation = process.eigh(comm.total(product.T @ product))
    missing = np.zeros((shape[1], max(0, k - len(squares))))  # of a matrix of a lower rank
    values = np.append(np.sqrt(np.maximum(squares[::-1][:k], 0)), missing[0])
    vectors = basis @ arrays.dense(rotation[:, ::-1][:, :k].copy())
    return arrays.xp.concatenate([vectors, arrays.dense(missing)], 1), arrays.dense(values)

"""Average draws from the posterior of a small table, and write the average as biases and a dot product.

Variational Bayes takes users and movies to be independent, and picks one of several patterns that explain few ratings
alike. Draws by turns (Salakhutdinov & Mnih 2008, "Bayesian probabilistic matrix factorization using Markov chain Monte
Carlo") know better, and find how strict the prior of every factor is. Their average is of low rank but for next to
nothing: its main singular vectors are the factors.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cf_excel.learn.bayes.sides import Side

_SHARE_BEFORE = 0.2  # of the draws, which do not count: they still lead away from the start
_JITTER = 1e-9


class Average(NamedTuple):
    """What draws come to: user and movie rows (n, n_factors + 1), the bias last, and their variances of that shape.

    noise (n_users,): the variance of each user's ratings.
    """

    users: np.ndarray
    movies: np.ndarray
    user_variance: np.ndarray
    movie_variance: np.ndarray
    noise: np.ndarray


def averaged(
    users: Side,
    movies: Side,
    turn: Callable[[Callable[[Side], None]], np.ndarray],
    n_draws: int,
    n_copies: int,
    seed: int,
    is_stopped: Callable[[], bool],
) -> tuple[int, Average | None]:
    """Draw rows and noise by turns; return how many draws were made, and their average, None where none counts yet.

    users, movies: where the draws start; they end as the last one. turn: updates both sides, after each calls what it
    is given, and returns the noise (n_users,). n_copies: so many tables of one size are stacked. is_stopped: asked
    after every draw.
    """
    rng = np.random.default_rng(seed)
    for side in (users, movies):
        _prepare(side)
    draws, n_factors = Draws(n_copies, users.mean, movies.mean), users.mean.shape[1] - 1
    for number in range(1, n_draws + 1):
        noise = turn(lambda side: _draw_rows(side, rng, n_copies))
        if number > _SHARE_BEFORE * n_draws:
            draws.add(users.mean, movies.mean, noise)
        if is_stopped():
            break
    return number, draws.average(n_factors) if draws.n else None


def _prepare(side: Side) -> None:
    """Make a side ready for draws: in float64, and with precisions of every row's own."""
    side.mean, side.weights = (np.asarray(part, np.float64) for part in (side.mean, side.weights))
    side.covariance = np.zeros(side.covariance.shape)
    side.precision = np.broadcast_to(side.precision, side.mean.shape).astype(np.float64)


def _draw_rows(side: Side, rng: np.random.Generator, n_copies: int) -> None:
    """Put a draw from their posterior in place of a side's rows, and then of the precisions of every copy's rows."""
    n, d = side.mean.shape
    spread = side.covariance[:, side.diagonal, side.diagonal]
    side.covariance[:, side.diagonal, side.diagonal] += _JITTER * spread.max(axis=1, keepdims=True)
    side.mean = side.mean + np.einsum("nij,nj->ni", np.linalg.cholesky(side.covariance), rng.normal(size=(n, d)))
    side.covariance[:] = 0
    offset = side.mean - side.design.predict(side.weights)
    squared = np.square(offset).reshape(n_copies, -1, d).sum(axis=1)
    drawn = rng.gamma(1 + n / n_copies / 2, 1 / (1 + squared / 2))
    side.precision = np.repeat(drawn, n // n_copies, axis=0)


class Draws:
    """The sum of draws of the rows of two sides, of each copy of a table by itself.

    The variance of predictions is needed by row alone. That takes no pass over all pairs: the mean square of what a
    row predicts for all rows of the other side is a quadratic form of the row.
    """

    def __init__(self, n_copies: int, users: np.ndarray, movies: np.ndarray) -> None:
        self.n_copies, self.n = n_copies, 0
        u, m = self._copies(users), self._copies(movies)
        self.biases = np.zeros(u.shape[:2]), np.zeros(m.shape[:2])
        self.squared = np.zeros(u.shape[:2]), np.zeros(m.shape[:2])  # predictions of each row, mean of all its pairs
        self.product = np.zeros((n_copies, u.shape[1], m.shape[1]))
        self.noise = np.zeros(len(users))

    def add(self, users: np.ndarray, movies: np.ndarray, noise: np.ndarray) -> None:
        """Count what both sides' rows and the noise are now."""
        u, m = self._copies(users), self._copies(movies)
        self.product += u[:, :, :-1] @ m[:, :, :-1].transpose(0, 2, 1)
        one_u, one_m = (np.insert(rows, place, 1.0, axis=2) for rows, place in ((u, u.shape[2]), (m, m.shape[2] - 1)))
        for bias, squared, rows, own, other in zip(
            self.biases, self.squared, (u, m), (one_u, one_m), (one_m, one_u), strict=True
        ):
            bias += rows[:, :, -1]
            squared += ((own @ (other.transpose(0, 2, 1) @ other)) * own).sum(2) / other.shape[1]
        self.noise += noise
        self.n += 1

    def average(self, n_factors: int) -> Average:
        """Return their average; biases have all of the variance, and add up to that of predictions as best they can."""
        u, m = (bias / self.n for bias in self.biases)
        product = self.product / self.n
        squared = np.square(product + u[:, :, None] + m[:, None])
        of_users, of_movies = (
            total / self.n - squared.mean(axis=axis) for total, axis in zip(self.squared, (2, 1), strict=True)
        )
        half = of_users.mean(axis=1, keepdims=True) / 2
        left, sizes, right = np.linalg.svd(product, full_matrices=False)
        roots = np.sqrt(sizes[:, None, :n_factors])
        factors = left[:, :, :n_factors] * roots, right[:, :n_factors].transpose(0, 2, 1) * roots
        means = [_rows(part, bias, n_factors) for part, bias in zip(factors, (u, m), strict=True)]
        spreads = [
            _rows(np.zeros_like(part), (own - half).clip(0), n_factors)
            for part, own in zip(factors, (of_users, of_movies), strict=True)
        ]
        return Average(means[0], means[1], spreads[0], spreads[1], self.noise / self.n)

    def _copies(self, rows: np.ndarray) -> np.ndarray:
        return rows.reshape(self.n_copies, -1, rows.shape[1])


def _rows(factors: np.ndarray, bias: np.ndarray, n_factors: int) -> np.ndarray:
    """Return factors (n_copies, n, up to n_factors) and biases as rows, one copy after the other."""
    rows = np.zeros((bias.size, n_factors + 1), np.float32)
    rows[:, : factors.shape[2]] = factors.reshape(bias.size, -1)
    rows[:, -1] = bias.ravel()
    return rows

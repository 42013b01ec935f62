"""Average draws from the posterior of a small table, and write the average as biases and a dot product.

Variational Bayes takes users and movies to be independent, and picks one of several patterns that explain few ratings
alike. Draws by turns (Salakhutdinov & Mnih 2008, "Bayesian probabilistic matrix factorization using Markov chain Monte
Carlo") know better, and find how strict the prior of every factor is. Their average is of low rank but for next to
nothing: its main singular vectors are the factors.
"""

from typing import NamedTuple

import numpy as np

from cf_excel.learn.bayes.sides import Side

SHARE_BEFORE = 0.2  # of the draws, which do not count: they still lead away from the start
_JITTER = 1e-9


class Average(NamedTuple):
    """What draws come to: user and movie rows (n, n_factors + 1), the bias last, and their variances of that shape."""

    users: np.ndarray
    movies: np.ndarray
    user_variance: np.ndarray
    movie_variance: np.ndarray


def prepare(side: Side) -> None:
    """Make a side ready for draws: in float64, and with precisions of every row's own."""
    side.mean, side.weights = (np.asarray(part, np.float64) for part in (side.mean, side.weights))
    side.covariance = np.zeros(side.covariance.shape)
    side.precision = np.broadcast_to(side.precision, side.mean.shape).astype(np.float64)


def draw_rows(side: Side, rng: np.random.Generator, n_copies: int) -> None:
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
    """The sum of draws of the rows of two sides, of each copy of a table by itself."""

    def __init__(self, n_copies: int) -> None:
        self.n_copies, self.n = n_copies, 0
        self.biases: tuple[np.ndarray, np.ndarray] | None = None
        self.product = self.squared = np.zeros(())

    def add(self, users: np.ndarray, movies: np.ndarray) -> None:
        """Count what both sides' rows are now."""
        u, m = (rows.reshape(self.n_copies, -1, rows.shape[1]) for rows in (users, movies))
        product = u[:, :, :-1] @ m[:, :, :-1].transpose(0, 2, 1)
        self.product = self.product + product
        self.squared = self.squared + np.square(product + u[:, :, -1:] + m[:, None, :, -1])
        before = self.biases or (0, 0)
        self.biases = before[0] + u[:, :, -1], before[1] + m[:, :, -1]
        self.n += 1

    def average(self, n_factors: int) -> Average:
        """Return their average; biases have all of the variance, and add up to that of predictions as best they can."""
        assert self.biases is not None
        u, m = (bias / self.n for bias in self.biases)
        product = self.product / self.n
        variance = self.squared / self.n - np.square(product + u[:, :, None] + m[:, None])
        left, sizes, right = np.linalg.svd(product, full_matrices=False)
        roots = np.sqrt(sizes[:, None, :n_factors])
        factors = left[:, :, :n_factors] * roots, right[:, :n_factors].transpose(0, 2, 1) * roots
        half = variance.mean(axis=(1, 2))[:, None] / 2
        of_rows = variance.mean(axis=2) - half, variance.mean(axis=1) - half
        means = [_rows(part, bias, n_factors) for part, bias in zip(factors, (u, m), strict=True)]
        nothing = [np.zeros_like(part) for part in factors]
        spreads = [_rows(part, own.clip(0), n_factors) for part, own in zip(nothing, of_rows, strict=True)]
        return Average(means[0], means[1], spreads[0], spreads[1])


def _rows(factors: np.ndarray, bias: np.ndarray, n_factors: int) -> np.ndarray:
    """Return factors (n_copies, n, up to n_factors) and biases as rows, one copy after the other."""
    rows = np.zeros((bias.size, n_factors + 1), np.float32)
    rows[:, : factors.shape[2]] = factors.reshape(bias.size, -1)
    rows[:, -1] = bias.ravel()
    return rows

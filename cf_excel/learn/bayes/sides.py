"""One side of a factorization, users or movies, and its update in variational Bayes."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from cf_excel.learn.bayes.arrays import Array, Arrays
from cf_excel.learn.bayes.comm import Alone, Comm
from cf_excel.learn.bayes.features import Precision

_LEAST_VARIANCE = 1e-30


class Design:
    """The features of one side: content, and which of the other side's rows it rated, scaled to length 1.

    content (n, n_content) sparse; rated (n, n_other) sparse ones and rated_t its transpose, shared with the ratings
    themselves; n_rated (n,) its row sums; unknown (n,) bool, rows without ratings whose set is to come;
    precisions (n_content + n_other, n_factors + 1), of the normal prior of every weight.
    """

    def __init__(
        self,
        content: csr_array,
        rated: Array,
        rated_t: Array,
        n_rated: np.ndarray,
        unknown: np.ndarray,
        precisions: Array,
        arrays: Arrays,
        comm: Comm | None = None,
    ) -> None:
        self.comm = comm or Alone()
        self.n_content, self.precisions, self.xp = content.shape[1], precisions, arrays.xp
        transposed = content.T.tocsr()
        self.content, self.content_t = arrays.sparse(content), arrays.sparse(transposed)
        self.content_t2 = arrays.sparse(transposed.power(2))
        self.rated, self.rated_t = rated, rated_t
        self.unknown = arrays.dense(unknown.astype(np.float32)[:, None])
        self.scale = arrays.dense((1 / np.sqrt(np.maximum(n_rated, 1))).astype(np.float32)[:, None])

    def times(self, weights: Array) -> Array:
        """Return what the features predict with these weights: (n_features, k) to (n, k)."""
        return self.content @ weights[: self.n_content] + self.scale * (self.rated @ weights[self.n_content :])

    def predict(self, weights: Array) -> Array:
        """Return times(weights), but to rows whose set is unknown give the average of the others' sets.

        Such rows have no ratings, and so no part in the fit of the weights.
        """
        own, average = self.sets(weights)
        return self.content @ weights[: self.n_content] + own + self.unknown * average

    def sets(self, weights: Array) -> tuple[Array, Array]:
        """Return what the sets predict, (n, k), and the average of those that are known, (k,)."""
        own = self.scale * (self.rated @ weights[self.n_content :])
        return own, self.comm.total(own.sum(0)) / self.comm.total((1 - self.unknown).sum())

    def transposed_times(self, rows: Array) -> Array:
        """Return (n_features, k): what the transposed features make of rows (n, k)."""
        return self.xp.concatenate([self.comm.total(self.content_t @ rows), self.rated_t @ (self.scale * rows)])

    def squared_times(self, rows: Array) -> Array:
        """Return the same with every feature squared."""
        return self.xp.concatenate([self.comm.total(self.content_t2 @ rows), self.rated_t @ (self.scale**2 * rows)])

    def dot(self, a: Array, b: Array) -> Array:
        """Return the sum of products of weights (n_features, k); each process has all of content, some of the rest."""
        product, n = a * b, self.n_content
        if self.comm.size == 1:
            return product.sum()
        return product[:n].sum() + self.comm.total(product[n:].sum())


class Triangle(NamedTuple):
    """Where a symmetric matrix (d, d), row by row, has its upper triangle, and how to get it back from that."""

    pack: Array
    unpack: Array

    @classmethod
    def of(cls, d: int, arrays: Arrays) -> "Triangle":
        """Return the packing of matrices (d, d)."""
        row, column = np.triu_indices(d)
        unpack = np.zeros((d, d), np.int64)
        unpack[row, column] = unpack[column, row] = np.arange(len(row))
        return cls(arrays.dense(row * d + column), arrays.dense(unpack.ravel()))


class Side:
    """The posterior of the rows of one side: mean (n, d) and covariance (n, d, d), the bias last, d = n_factors + 1.

    A row is its features' prediction plus an offset of its own: mean = features @ weights + offset.
    """

    def __init__(self, design: Design, precision: Precision, start: np.ndarray, arrays: Arrays) -> None:
        n, d = start.shape
        self.design, self.arrays, self.xp = design, arrays, arrays.xp
        self.mean = arrays.dense(start)
        self.covariance = arrays.dense(np.zeros((n, d, d), np.float32))
        self.weights = arrays.dense(np.zeros(design.precisions.shape, np.float32))
        self.precision = arrays.dense(np.array([precision[0]] * (d - 1) + [precision[1]], np.float32))
        self.packing = Triangle.of(d, arrays)
        self.diagonal = arrays.dense(np.arange(d))

    def inputs(self) -> Array:
        """Return each row as an input of the other side's regression: its factors, and a 1 for the other's bias."""
        ones = self.xp.ones_like(self.mean[:, -1:])
        return self.xp.concatenate([self.mean[:, :-1], ones], 1)

    def message(self) -> Array:
        """Return what a rating of each row tells the other side, (n, d * (d + 1) / 2 + d).

        First the expected outer product of the row's inputs, upper triangle; then how far the row's own bias,
        and its covariance with the factors, shift the target.
        """
        inputs, d = self.inputs(), self.mean.shape[1]
        outer = inputs[:, :, None] * inputs[:, None]
        outer[:, :-1, :-1] += self.covariance[:, :-1, :-1]
        shift = inputs * self.mean[:, -1:]
        shift[:, :-1] += self.covariance[:, :-1, -1]
        return self.xp.concatenate([self.arrays.columns(outer.reshape(len(outer), d * d), self.packing.pack), shift], 1)

    def update(self, evidence: Array, target: Array, n_steps: int) -> None:
        """Update weights and rows from the sums of messages (n, ...) and of inputs times ratings (n, d) over ratings.

        The offsets are integrated out while the weights are fitted by conjugate gradients, n_steps from where they
        are; then every row's posterior is exact given the weights.
        """
        n, d = self.mean.shape
        n_outer = len(self.packing.pack)
        target = target - evidence[:, n_outer:]
        precision = self.arrays.columns(evidence, self.packing.unpack).reshape(n, d, d)
        precision[:, self.diagonal, self.diagonal] += self.precision
        self.covariance = self.arrays.invert(precision)
        self._fit_weights(self._times_covariance(target) * self.precision, n_steps)
        prior = self.design.predict(self.weights)
        self.mean = self._times_covariance(target + self.precision * prior)

    def variances(self, is_rated: Array) -> Array:
        """Return by how much every number may be off, (n, d), squared; is_rated (n,) bool: rows with ratings.

        The prior that serves predictions best is often much looser or stricter than the rows are. How much they vary
        is seen in those with ratings; what each has of these stays, and is added to that as a prior.
        """
        variance = self.covariance[:, self.diagonal, self.diagonal].clip(_LEAST_VARIANCE)  # rounding may leave less
        offset = self.mean - self.design.predict(self.weights)
        own, average = self.design.sets(self.weights)

        def seen(offsets: Array) -> Array:
            rows, comm = offsets[is_rated] ** 2 + variance[is_rated], self.design.comm
            return rows.mean(0) if comm.size == 1 else comm.total(rows.sum(0)) / comm.total(is_rated.sum())

        found = 1 / ((1 / variance - self.precision).clip(0) + 1 / seen(offset))
        of_unknown = seen(offset + own - average)  # whose set may be anyone's
        return found * (1 - self.design.unknown) + of_unknown * self.design.unknown

    def n_effective(self) -> float:
        """Return how many of the rows' numbers the ratings fix and not the prior (MacKay 1992)."""
        fixed = (1 - self.precision * self.covariance[:, self.diagonal, self.diagonal]).sum()
        return float(self.design.comm.total(fixed))

    def _fit_weights(self, target: Array, n_steps: int) -> None:
        """Improve the weights: Jacobi-preconditioned conjugate gradients (Shewchuk 1994)."""
        if not self.design.comm.total(len(self.weights)):
            return
        diagonal = self.precision - self.precision**2 * self.covariance[:, self.diagonal, self.diagonal]
        diagonal = diagonal.clip(0)  # rounding may leave it below
        preconditioner = 1 / (self.design.squared_times(diagonal) + self.design.precisions)
        residual = self.design.transposed_times(target) - self._curvature(self.weights)
        step = direction = preconditioner * residual
        size = self.design.dot(residual, step)
        for _ in range(n_steps):
            if not size > 0:  # solved: dividing by it would make NaN
                return
            curved = self._curvature(direction)
            length = size / self.design.dot(direction, curved)
            self.weights = self.weights + length * direction
            residual = residual - length * curved
            step = preconditioner * residual
            size, before = self.design.dot(residual, step), size
            direction = step + size / before * direction

    def _curvature(self, weights: Array) -> Array:
        rows = self.precision * self.design.times(weights)
        marginal = rows - self.precision * self._times_covariance(rows)
        return self.design.transposed_times(marginal) + self.design.precisions * weights

    def _times_covariance(self, rows: Array) -> Array:
        return self.xp.einsum("nij,nj->ni", self.covariance, rows)

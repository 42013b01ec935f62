"""Scores of a model's users and movies by their rows, whatever its kind: predictions, and what lists rank by."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.lists import explored
from cf_excel.model.mapped import MappedUsers, is_mapped
from cf_excel.model.uncertainty import spread_vectors

_CHUNK = 1 << 14  # pairs scored at a time: their factors stay in the processor's cache


class RowScores:
    """Scores of one model; its sums are those before the sigmoid, without the mean rating."""

    def __init__(self, factors: Factors) -> None:
        self.factors = factors
        self._kind = KINDS[factors.kind]
        # Each user and movie becomes one vector, so that a prediction is one product (or, for "net", its second layer);
        # the last row of each is the mean one, which row -1, an unknown id, picks.
        movies, movie_bias = _with_mean(factors.movie_factors), _with_mean(factors.movie_bias)
        if self._kind.is_net:
            self._right = movies @ np.split(factors.layers["w1"], 2, axis=1)[1].T
        else:
            self._right = np.column_stack([movies, np.ones_like(movie_bias), movie_bias])
        users, crowd = (factors.user_factors, factors.user_bias), factors.crowd
        mean = tuple(array.mean(axis=0) for array in users) if crowd is None else (crowd.mean[:-1], crowd.mean[-1])
        self._left: np.ndarray | MappedUsers
        if is_mapped(factors.user_factors):
            self._left = MappedUsers(users, self._of_users, mean)
        else:
            self._left = self._of_users(*map(_and_last, users, mean))

    def _of_users(self, factors: np.ndarray, bias: np.ndarray) -> np.ndarray:
        if not self._kind.is_net:
            return np.column_stack([factors, bias, np.ones_like(bias)])
        return factors @ np.split(self.factors.layers["w1"], 2, axis=1)[0].T + self.factors.layers["b1"]

    @property
    def width(self) -> int:
        """How many numbers the sums need at a time for each of theirs."""
        return self._right.shape[1] if self._kind.is_net else 1

    def predictions(self, users: np.ndarray, movies: np.ndarray) -> np.ndarray | np.float32:
        """Return predicted ratings of rows, -1 the mean user or movie, in the shape that they broadcast to."""
        return self.ratings(self._pairs(self._left, self._right, users, movies))[()]

    def uncertainty(self, users: np.ndarray, movies: np.ndarray) -> np.ndarray | np.float32:
        """Return the standard deviation of predictions, in rating units, in the shape that the rows broadcast to."""
        return np.sqrt(self._pairs(*self._spread, users, movies))[()]

    def sums(self, user_rows: np.ndarray, lower_bound: float = 0.0) -> np.ndarray:
        """Return the sums before the sigmoid of users and every movie, (n_rows, n_movies), the same for one as for all.

        A product of matrices would round otherwise for many users than for one; matrix times vector, each, does not.
        """
        if self._kind.is_net:
            sums = self._join(self._left[user_rows][:, None], self._right[:-1])
        else:
            sums = _times_each(self._right[:-1], self._left[user_rows])
        if lower_bound:
            left, right = self._spread
            sums = sums - np.float32(lower_bound) * np.sqrt(_times_each(right, left[user_rows]))
        return sums

    def of_lists(
        self, user_rows: np.ndarray, lower_bound: float = 0.0, explore: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what the lists of users rank by, and their sums, each (n_rows, n_movies)."""
        sums = self.sums(user_rows, lower_bound)
        return self.ranking(sums, [self.factors.seen(row) for row in user_rows], explore), sums

    def sums_for(self, factors: np.ndarray, bias: float, movies: np.ndarray | slice = slice(-1)) -> np.ndarray:
        """Return the sums before the sigmoid of a user who is not in the data, for rows of movies, or all."""
        right = self._right[movies]
        with np.errstate(over="ignore", invalid="ignore"):
            if self._kind.is_net:
                left = self.factors.layers["w1"][:, : len(factors)] @ factors + self.factors.layers["b1"]
            else:
                left = np.append(factors, np.array([bias, 1], np.float32))
            sums = self._join(left, right)
        if not np.isfinite(sums).all():
            too_large = f"the predictions of this {self.factors.nouns.user} are too large for single precision"
            raise InputError(f"{too_large}: train the model again")
        return sums

    def ratings(self, sums: np.ndarray) -> np.ndarray:
        """Return the ratings for sums without the mean rating."""
        return self._kind.ratings(self._with_mean_rating(sums), *self.factors.rating_range)

    def ranking(self, sums: np.ndarray, seen: Sequence[np.ndarray], explore: float = 0.0) -> np.ndarray:
        """Return what lists rank by, in the shape of sums (n_users, n_movies); seen: the rows that each user rated.

        Sums and not ratings: they differ where predictions are cut off at the highest rating.
        """
        if not 0 <= explore <= 1:
            raise InputError(f"explore {explore:g}: expected 0 to 1")
        lists = self.factors.lists
        if self._kind.of_picks:
            return explored(np.maximum(sums, 0), self.factors.n_ratings, explore) if explore else sums
        if lists is None:
            if explore:
                raise InputError("this model's lists rank by the rating: to explore, train one with --lists score")
            return sums
        ratings = self._kind.uncut(self._with_mean_rating(sums), *self.factors.rating_range)
        watch = explored(lists.watch(seen), self.factors.n_ratings, explore)
        return lists.scores(watch, ratings, self.factors.rating_range)

    def similarities(self, movies: np.ndarray) -> np.ndarray:
        """Return the cosines of movies' factors with those of every movie, (n, n_movies)."""
        return _times_each(self._unit_factors, self._unit_factors[movies])

    @cached_property
    def _spread(self) -> tuple[np.ndarray | MappedUsers, np.ndarray]:
        if not self._kind.knows_spread:
            raise InputError(f"a model of kind {self.factors.kind} knows no uncertainty: train one of kind bayes")
        return spread_vectors(self.factors)

    @cached_property
    def _unit_factors(self) -> np.ndarray:
        lengths = np.linalg.norm(self.factors.movie_factors, axis=1, keepdims=True)
        return self.factors.movie_factors / np.where(lengths > 0, lengths, 1)

    def _with_mean_rating(self, sums: np.ndarray) -> np.ndarray:
        mean = self.factors.global_mean
        return sums + np.float32(mean) if mean else sums

    def _join(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the sum before the sigmoid for rows of _left and _right, over their last axis."""
        if self._kind.is_net:
            return np.maximum(left + right, 0) @ self.factors.layers["w2"][0] + self.factors.layers["b2"][0]
        return right @ left if left.ndim == 1 else np.einsum("...k,...k->...", left, right)

    def _pairs(
        self, left: np.ndarray | MappedUsers, right: np.ndarray, users: np.ndarray, movies: np.ndarray
    ) -> np.ndarray:
        """Return what joins left's user rows and right's movie rows, in the shape that the rows broadcast to."""
        shape = _shape(users, movies)
        if users.size * movies.size == np.prod(shape):  # every user meets every movie: one matrix product
            grid = self._grid(left[users.ravel()], right[movies.ravel()])
            # Each axis belongs to the users or to the movies, the other has length 1 there: interleave them.
            n = len(shape)
            user_shape, movie_shape = ((1,) * (n - rows.ndim) + rows.shape for rows in (users, movies))
            pairs_of_axes = [axis for i in range(n) for axis in (i, n + i)]
            return grid.reshape(user_shape + movie_shape).transpose(pairs_of_axes).reshape(shape)
        users, movies = (np.broadcast_to(rows, shape).ravel() for rows in (users, movies))
        sums = np.empty(len(users), np.float32)
        for start in range(0, len(users), _CHUNK):
            part = slice(start, start + _CHUNK)
            sums[part] = self._join(left[users[part]], right[movies[part]])
        return sums.reshape(shape)

    def _grid(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if not self._kind.is_net:
            return left @ right.T
        step = max(1, _CHUNK // max(1, len(right)))
        parts = [self._join(left[start : start + step, None], right) for start in range(0, len(left), step)]
        return np.concatenate(parts) if parts else np.empty((0, len(right)), np.float32)


def _with_mean(array: np.ndarray) -> np.ndarray:
    return _and_last(array, array.mean(axis=0))


def _and_last(array: np.ndarray, last: np.ndarray) -> np.ndarray:
    return np.concatenate([array, last[None].astype(array.dtype)])


def _times_each(matrix: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return matrix @ vector for each of the vectors (n, n_columns), as (n, n_rows)."""
    return (matrix @ vectors[..., None])[..., 0]


def _shape(users: np.ndarray, movies: np.ndarray) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(users.shape, movies.shape)
    except ValueError:
        shapes = f"users of shape {users.shape} and movies of shape {movies.shape}"
        raise InputError(f"{shapes}: expected one shape or a column and a row") from None

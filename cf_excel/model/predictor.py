"""Score with a trained model of any kind. numpy is all that it needs."""

import threading
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cf_excel.errors import InputError
from cf_excel.model.factors import Factors
from cf_excel.model.file import default_model_path, load_factors
from cf_excel.model.fold_in import UserPrior, checked_rating, fit_user, user_prior
from cf_excel.model.kinds import KINDS
from cf_excel.model.lists import explored, top_rows, usual_least_ratings
from cf_excel.model.lookup import IdIndex, MovieIndex, cut
from cf_excel.model.uncertainty import spread_vectors

_CHUNK = 1 << 14  # pairs scored at a time: their factors stay in the processor's cache


class ScoredMovie(NamedTuple):
    """A movie with its predicted rating, or with its similarity, -1 to 1."""

    movie_id: int | str
    title: str
    score: float


class Predictor:
    """Predictions, recommendations and look-ups of one model.

    A movie is named by its raw id or, where no movie has that id, by its title: exactly, in any case, without the
    year, with "The" in front ("The Matrix" is "Matrix, The (1999)"). 15, 15.0 and "15" are one id.
    """

    def __init__(self, factors: Factors) -> None:
        self.factors = factors
        self._kind = KINDS[factors.kind]
        self._user_index = IdIndex(factors.nouns.user, factors.user_ids)
        self._movie_index = MovieIndex(factors.nouns.movie, factors.movie_ids, factors.titles)
        # Each user and movie becomes one vector, so that a prediction is one product (or, for "net", its second layer);
        # the last row of each is the mean one, which row -1, an unknown id, picks.
        users, movies = _with_mean(factors.user_factors), _with_mean(factors.movie_factors)
        user_bias, movie_bias = _with_mean(factors.user_bias), _with_mean(factors.movie_bias)
        if self._kind.is_net:
            of_users, of_movies = np.split(factors.layers["w1"], 2, axis=1)
            self._left = users @ of_users.T + factors.layers["b1"]
            self._right = movies @ of_movies.T
        else:
            self._left = np.column_stack([users, user_bias, np.ones_like(user_bias)])
            self._right = np.column_stack([movies, np.ones_like(movie_bias), movie_bias])

    def predict(self, user_ids: ArrayLike, movie_ids: ArrayLike, *, unknown: str = "raise") -> np.ndarray | np.float32:
        """Return predicted ratings, float32, in the shape the ids broadcast to: a column against a row is a grid.

        unknown: "raise" raises UnknownIdError with the id in its text; "bias" counts an unknown id as the mean user or
        movie, which leaves the bias of the known side. Raises InputError for shapes that do not fit and a blank id.
        """
        if unknown not in ("raise", "bias"):
            raise InputError(f"unknown {unknown!r}: expected raise or bias")
        find = "require" if unknown == "raise" else "rows"
        return self.predict_rows(getattr(self._user_index, find)(user_ids), getattr(self._movie_index, find)(movie_ids))

    def predict_rows(self, users: np.ndarray, movies: np.ndarray) -> np.ndarray | np.float32:
        """Return what predict does for rows of the model, which user_rows and movie_rows give; -1 is the mean one."""
        return self._scale(self._pairs(self._left, self._right, users, movies))[()]

    def recommend(
        self,
        user_id: object,
        n: int = 10,
        exclude_seen: bool = True,
        lower_bound: float = 0.0,
        *,
        min_ratings: int = 0,
        explore: float = 0.0,
    ) -> list[ScoredMovie]:
        """Return the n movies to recommend first, with their predicted ratings; fewer where there are fewer.

        They rank by their list score (see ListFactors) or, in a model without, by the predicted rating; ties in the
        model's order. exclude_seen leaves out the movies that the user rated, min_ratings those with fewer ratings.
        lower_bound takes that many standard deviations off each prediction first: 1.28 ranks by the rating that 9 of 10
        will pass. explore, 0 to 1, prefers what fewer people rated. Raises UnknownIdError, and InputError for n under
        1, for explore out of its range or in a model that ranks by the rating, and as uncertainty does.
        """
        row = self.user_row(user_id)
        sums = self._sums_of(np.array([row]), lower_bound)
        seen = self.factors.seen(row)
        return self._listed(sums, seen, n, seen if exclude_seen else seen[:0], min_ratings, explore)

    def uncertainty(self, user_ids: ArrayLike, movie_ids: ArrayLike) -> np.ndarray | np.float32:
        """Return the standard deviation of predictions, in rating units, in the shape the ids broadcast to.

        It is that of the rating to come: what the model does not know of user and movie, and how far the user's
        ratings scatter. Raises UnknownIdError, and InputError for shapes that do not fit and for a model of another
        kind than "bayes".
        """
        return self.uncertainty_rows(self._user_index.require(user_ids), self._movie_index.require(movie_ids))

    def uncertainty_rows(self, users: np.ndarray, movies: np.ndarray) -> np.ndarray | np.float32:
        """Return what uncertainty does for rows of the model, from 0."""
        return np.sqrt(self._pairs(*self._spread, users, movies))[()]

    def similar(self, movie: object, n: int = 10, min_ratings: int | None = None) -> list[ScoredMovie]:
        """Return the n movies whose factors have the highest cosine with the movie's, without the movie itself.

        min_ratings leaves out movies with fewer ratings, whose factors have hardly moved from where they started;
        None stands for self.least_ratings.
        """
        row = self.movie_row(movie)
        min_ratings = self.least_ratings if min_ratings is None else min_ratings
        cosines = self._unit_factors @ self._unit_factors[row]
        rows = top_rows(cosines, _count(n), np.append(np.flatnonzero(self.n_ratings < min_ratings), row))
        return self._named(rows, cosines[rows])

    def fold_in(
        self, movies: ArrayLike, ratings: ArrayLike, n: int = 10, *, min_ratings: int = 0, explore: float = 0.0
    ) -> list[ScoredMovie]:
        """Recommend n movies to a user who is not in the data, from the ratings that the user gave.

        See fit_user, and recommend for the order, min_ratings and explore.
        """
        sums = self._sums_for(*self.fit_user(movies, ratings), self._right[:-1])
        rated = np.unique([self.movie_row(movie) for movie in _flat(movies)])
        return self._listed(sums[None], rated, n, rated, min_ratings, explore)

    def fit_user(self, movies: ArrayLike, ratings: ArrayLike) -> tuple[np.ndarray, float]:
        """Return the factors (n_factors,) and bias of a user who is not in the data: ridge regression (see fold_in.py).

        movies, ratings: equally many; of two ratings of one movie the later counts. Raises UnknownIdError, and
        InputError for a rating outside the model's range.
        """
        movies, ratings = _flat(movies), _flat(ratings)
        if len(movies) != len(ratings) or not movies:
            n = f"{len(movies)} {self.factors.nouns.movies} and {len(ratings)} ratings"
            raise InputError(f"{n}: expected equally many, 1 or more")
        value = partial(checked_rating, rating_range=self.factors.rating_range)
        rated = {self.movie_row(movie): value(rating) for movie, rating in zip(movies, ratings, strict=True)}
        return fit_user(self.factors, self._prior, np.array(list(rated)), np.array(list(rated.values())))

    def predict_for(self, factors: ArrayLike, bias: float, movie_ids: ArrayLike) -> np.ndarray | np.float32:
        """Return the predictions of a user whom fit_user fitted, in the shape of movie_ids."""
        rows = self._movie_index.require(movie_ids)
        return self._scale(self._sums_for(np.asarray(factors, np.float32), bias, self._right[rows]))[()]

    def user_factors(self, user_ids: ArrayLike) -> np.ndarray:
        """Return the factors of users, the shape of user_ids with one more axis of n_factors."""
        return self.factors.user_factors[self._user_index.require(user_ids)]

    def movie_factors(self, movie_ids: ArrayLike) -> np.ndarray:
        """Return the factors of movies, the shape of movie_ids with one more axis of n_factors."""
        return self.factors.movie_factors[self._movie_index.require(movie_ids)]

    def user_bias(self, user_ids: ArrayLike) -> np.ndarray | np.float32:
        """Return the biases of users, in the shape of user_ids; zeros where the kind has none."""
        return self.factors.user_bias[self._user_index.require(user_ids)]

    def movie_bias(self, movie_ids: ArrayLike) -> np.ndarray | np.float32:
        """Return the biases of movies, in the shape of movie_ids; zeros where the kind has none."""
        return self.factors.movie_bias[self._movie_index.require(movie_ids)]

    def user_rows(self, user_ids: ArrayLike) -> np.ndarray:
        """Return the row of each user in the model, in the shape of user_ids; -1 where the id is unknown."""
        return self._user_index.rows(user_ids)

    def user_row(self, user: object, *, with_hint: bool = True) -> int:
        """Return the row of a user; with_hint: the UnknownIdError names ids that come close, which takes its time."""
        return int(self._user_index.require(_one(user), with_hint=with_hint))

    def movie_rows(self, movies: ArrayLike) -> np.ndarray:
        """Return the row of each movie, by id or title, in the shape of movies; -1 where none or several have it."""
        return self._movie_index.rows_of(np.asarray(movies))

    def movie_row(self, movie: object, *, with_hint: bool = True) -> int:
        """Return the row of a movie named by id or title; errors as movie_id raises them, with_hint as in user_row."""
        return self._movie_index.row_of(_one(movie), self.n_ratings if with_hint else None)

    def movie_id(self, movie: object) -> int | str:
        """Return the raw id of a movie named by id or title.

        Raises UnknownIdError, and InputError with the candidates where several movies have the title.
        """
        return self.factors.movie_ids[[self.movie_row(movie)]].tolist()[0]

    def title(self, movie: object) -> str:
        """Return the title of a movie named by id or title."""
        return self.factors.titles[self.movie_row(movie)]

    def find(self, text: str, n: int = 10) -> list[tuple[int | str, str]]:
        """Return id and title of up to n movies whose titles have every word of a text, the most rated first.

        Ids that are texts count as titles do.
        """
        rows = self._movie_index.find(text, self.n_ratings)[: _count(n)]
        return [(self.factors.movie_ids[[row]].tolist()[0], self.factors.titles[row]) for row in rows]

    @cached_property
    def labels(self) -> np.ndarray:
        """The title of each movie, (n_movies,), or its id where it has none."""
        return self._movie_index.labels

    @cached_property
    def n_ratings(self) -> np.ndarray:
        """How many ratings each movie has, (n_movies,), training and validation together."""
        return self.factors.n_ratings

    @cached_property
    def least_ratings(self) -> int:
        """How many ratings `similar` asks of a movie unless told otherwise, see usual_least_ratings."""
        return usual_least_ratings(self.n_ratings)

    @cached_property
    def _prior(self) -> UserPrior:
        return user_prior(self.factors)

    @cached_property
    def _spread(self) -> tuple[np.ndarray, np.ndarray]:
        if not self._kind.knows_spread:
            raise InputError(f"a model of kind {self.factors.kind} knows no uncertainty: train one of kind bayes")
        return spread_vectors(self.factors)

    @cached_property
    def _unit_factors(self) -> np.ndarray:
        lengths = np.linalg.norm(self.factors.movie_factors, axis=1, keepdims=True)
        return self.factors.movie_factors / np.where(lengths > 0, lengths, 1)

    def _sums_for(self, factors: np.ndarray, bias: float, right: np.ndarray) -> np.ndarray:
        """Return the sums before the sigmoid of a user who is not in the data, for rows of _right."""
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

    def _join(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the sum before the sigmoid for rows of _left and _right, over their last axis."""
        if self._kind.is_net:
            return np.maximum(left + right, 0) @ self.factors.layers["w2"][0] + self.factors.layers["b2"][0]
        return right @ left if left.ndim == 1 else np.einsum("...k,...k->...", left, right)

    def _pairs(self, left: np.ndarray, right: np.ndarray, users: np.ndarray, movies: np.ndarray) -> np.ndarray:
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

    def _scale(self, sums: np.ndarray) -> np.ndarray:
        """Return the ratings for sums without the mean rating."""
        return self._kind.ratings(self._with_mean_rating(sums), *self.factors.rating_range)

    def _with_mean_rating(self, sums: np.ndarray) -> np.ndarray:
        mean = self.factors.global_mean
        return sums + np.float32(mean) if mean else sums

    def _list_scores(self, user_rows: np.ndarray, lower_bound: float = 0.0, explore: float = 0.0) -> np.ndarray:
        """Return what the lists of users rank by, (n_rows, n_movies): the highest first, ties in the model's order."""
        seen = [self.factors.seen(row) for row in user_rows]
        return self._ranked_by(self._sums_of(user_rows, lower_bound), seen, explore)

    def _sums_of(self, user_rows: np.ndarray, lower_bound: float = 0.0) -> np.ndarray:
        """Return the sums before the sigmoid of users and every movie, (n_rows, n_movies), the same for one as for all.

        A product of matrices would round otherwise for many users than for one; matrix times vector, each, does not.
        """
        if self._kind.is_net:
            sums = self._join(self._left[user_rows, None], self._right[:-1])
        else:
            sums = _times_each(self._right[:-1], self._left[user_rows])
        if lower_bound:
            left, right = self._spread
            sums = sums - np.float32(lower_bound) * np.sqrt(_times_each(right, left[user_rows]))
        return sums

    def _ranked_by(self, sums: np.ndarray, seen: Sequence[np.ndarray], explore: float = 0.0) -> np.ndarray:
        """Return what lists rank by, in the shape of sums (n_users, n_movies); seen: the rows that each user rated.

        Sums and not ratings: they differ where predictions are cut off at the highest rating.
        """
        if not 0 <= explore <= 1:
            raise InputError(f"explore {explore:g}: expected 0 to 1")
        lists = self.factors.lists
        if lists is None:
            if explore:
                raise InputError("this model's lists rank by the rating: to explore, train one with --lists score")
            return sums
        ratings = self._kind.uncut(self._with_mean_rating(sums), *self.factors.rating_range)
        watch = explored(lists.watch(seen), self.n_ratings, explore)
        return lists.scores(watch, ratings, self.factors.rating_range)

    def _listed(
        self, sums: np.ndarray, seen: np.ndarray, n: int, leave_out: np.ndarray, min_ratings: int, explore: float
    ) -> list[ScoredMovie]:
        """Return the best movies of one user, whose sums are (1, n_movies)."""
        if min_ratings:
            leave_out = np.append(leave_out, np.flatnonzero(self.n_ratings < min_ratings))
        rows = top_rows(self._ranked_by(sums, [seen], explore)[0], _count(n), leave_out)
        return self._named(rows, self._scale(sums[0, rows]))

    def _named(self, rows: np.ndarray, scores: np.ndarray) -> list[ScoredMovie]:
        ids, titles = self.factors.movie_ids[rows].tolist(), self.factors.titles[rows].tolist()
        return list(map(ScoredMovie, ids, titles, scores.tolist()))


def load_predictor(path: Path | str | None = None) -> Predictor:
    """Return the predictor of a model file, read again only where the file changed; without a path, the default model.

    Safe to call from several threads. Raises FileError as load_factors does.
    """
    path = (default_model_path() if path is None else Path(path)).absolute()
    with _cache_lock:
        try:
            stamp = _stamp(path)
        except (OSError, ValueError):
            stamp = None
        if stamp is None or _cache.get(path, (None,))[0] != stamp:
            _cache.pop(path, None)
            _cache[path] = (stamp, Predictor(load_factors(path)))
        return _cache[path][1]


_cache: dict[Path, tuple[tuple[int, ...] | None, Predictor]] = {}
_cache_lock = threading.Lock()


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what tells a file from the one that was there before, though it may have the same time and size."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _with_mean(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, array.mean(axis=0, keepdims=True)])


def _times_each(matrix: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return matrix @ vector for each of the vectors (n, n_columns), as (n, n_rows)."""
    return (matrix @ vectors[..., None])[..., 0]


def _one(identity: object) -> object:
    if isinstance(identity, (list, tuple)) or getattr(identity, "ndim", None):
        raise InputError("expected one id, not a range of them")
    return identity


def _flat(values: ArrayLike) -> list:
    return np.asarray(values, dtype=object).ravel().tolist()


def _shape(users: np.ndarray, movies: np.ndarray) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(users.shape, movies.shape)
    except ValueError:
        shapes = f"users of shape {users.shape} and movies of shape {movies.shape}"
        raise InputError(f"{shapes}: expected one shape or a column and a row") from None


def _count(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, float, np.number)) or not float(n).is_integer() or n < 1:
        raise InputError(f"n {cut(str(n), 40)}: expected a whole number, 1 or more")
    return int(n)

"""Score with a trained model of any kind. numpy is all that it needs."""

import threading
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cf_excel.errors import InputError
from cf_excel.model.everyone import best_lists, columns_of, lists_of_movies, lists_of_users
from cf_excel.model.factors import Factors
from cf_excel.model.file import default_model_path, load_factors
from cf_excel.model.fold_in import UserPrior, fit_user, user_prior
from cf_excel.model.kinds import KINDS
from cf_excel.model.lookup import IdIndex, TitleIndex, cut, did_you_mean, shown
from cf_excel.model.uncertainty import spread_vectors

_LEAST_RATINGS, _LISTED = 20, 10
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
        self._movie_index = IdIndex(factors.nouns.movie, factors.movie_ids)
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
        self, user_id: object, n: int = 10, exclude_seen: bool = True, lower_bound: float = 0.0
    ) -> list[ScoredMovie]:
        """Return the n movies with the highest predictions, ties in the model's order; fewer where there are fewer.

        exclude_seen leaves out the movies that the user rated. lower_bound takes that many standard deviations off
        each prediction first: 1.28 ranks by the rating that 9 of 10 will pass. Raises UnknownIdError, and InputError
        for n under 1 and as uncertainty does.
        """
        row = self.user_row(user_id)
        seen = self.factors.seen(row) if exclude_seen else self.factors.seen_movies[:0]
        return self._best(self._sums_of(np.array([row]), lower_bound)[0], n, seen)

    def recommend_all(self, n: int = 10, exclude_seen: bool = True, lower_bound: float = 0.0) -> dict[str, np.ndarray]:
        """Return what recommend does for every user, list after list, as columns of one length, which pandas takes.

        They are user_id, rank, movie_id, title (where the model has any) and prediction; arguments and errors as there.
        """

        def scores(users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            sums = self._sums_of(users, lower_bound)
            return sums, sums

        width = self._right.shape[1] if self._kind.is_net else 1
        lists = lists_of_users(self.factors, _count(n), scores, exclude_seen=exclude_seen, width=width)
        return columns_of(self.factors, lists._replace(scores=self._scale(lists.scores)), "user", "prediction")

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
        cosines = self._similarities(np.array([row]))[0]
        return self._top(cosines, n, np.append(np.flatnonzero(self.n_ratings < min_ratings), row))

    def similar_all(self, n: int = 10, min_ratings: int | None = None) -> dict[str, np.ndarray]:
        """Return what similar does for every movie, as columns: movie_id, rank, similar_movie_id and similarity.

        Both movies have their titles beside them, where the model has any.
        """
        least = self.least_ratings if min_ratings is None else min_ratings
        scores = lambda movies: (self._similarities(movies),) * 2  # noqa: E731
        lists = lists_of_movies(self.factors, _count(n), scores, least)
        return columns_of(self.factors, lists, "movie", "similarity")

    def fold_in(self, movies: ArrayLike, ratings: ArrayLike, n: int = 10) -> list[ScoredMovie]:
        """Recommend n movies to a user who is not in the data, from the ratings that the user gave; see fit_user."""
        sums = self._sums_for(*self.fit_user(movies, ratings), self._right[:-1])
        return self._best(sums, n, [self.movie_row(movie) for movie in _flat(movies)])

    def fit_user(self, movies: ArrayLike, ratings: ArrayLike) -> tuple[np.ndarray, float]:
        """Return the factors (n_factors,) and bias of a user who is not in the data: ridge regression (see fold_in.py).

        movies, ratings: equally many; of two ratings of one movie the later counts. Raises UnknownIdError, and
        InputError for a rating outside the model's range.
        """
        movies, ratings = _flat(movies), _flat(ratings)
        if len(movies) != len(ratings) or not movies:
            n = f"{len(movies)} {self.factors.nouns.movies} and {len(ratings)} ratings"
            raise InputError(f"{n}: expected equally many, 1 or more")
        rated = {self.movie_row(movie): self._rating(rating) for movie, rating in zip(movies, ratings, strict=True)}
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
        movies = np.asarray(movies)
        rows = self._movie_index.rows(movies)
        for position in np.argwhere(rows < 0):
            movie = movies[tuple(position)]
            found = self._titles.rows(movie.strip()) if isinstance(movie, str) else []
            if len(found) == 1:
                rows[tuple(position)] = found[0]
        return rows

    def movie_row(self, movie: object, *, with_hint: bool = True) -> int:
        """Return the row of a movie named by id or title; errors as movie_id raises them, with_hint as in user_row."""
        row = int(self._movie_index.rows(_one(movie)))
        if row >= 0:
            return row
        rows = self._titles.rows(movie.strip()) if isinstance(movie, str) else []
        if len(rows) > 1:
            named = [cut(f"{self.factors.movie_ids[row]} {self.factors.titles[row]}".strip(), 80) for row in rows[:5]]
            more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
            found = f"{shown(movie)} is {len(rows)} {self.factors.nouns.movies}: {', '.join(named)}{more}"
            raise InputError(f"{found}: give the id or the year")
        if not rows:
            hint = did_you_mean(self._close(movie)) if with_hint and isinstance(movie, str) else ""
            raise self._movie_index.unknown(movie, hint)
        return rows[0]

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
        found = {*self._titles.containing(text), *self._movie_index.containing(text)}
        rows = sorted(sorted(found), key=lambda row: -self.n_ratings[row])[: _count(n)]
        return [(self.factors.movie_ids[[row]].tolist()[0], self.factors.titles[row]) for row in rows]

    @cached_property
    def labels(self) -> np.ndarray:
        """The title of each movie, (n_movies,), or its id where it has none."""
        return np.where(self.factors.titles == "", self.factors.movie_ids.astype(object), self.factors.titles)

    @cached_property
    def n_ratings(self) -> np.ndarray:
        """How many ratings each movie has, (n_movies,), training and validation together."""
        return self.factors.n_ratings

    @cached_property
    def least_ratings(self) -> int:
        """How many ratings `similar` asks of a movie unless told otherwise, see usual_least_ratings."""
        return usual_least_ratings(self.n_ratings)

    @cached_property
    def _titles(self) -> TitleIndex:
        return TitleIndex(self.factors.titles)

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

    def _sums_of(self, users: np.ndarray, lower_bound: float) -> np.ndarray:
        """Return the sums before the sigmoid of users and every movie, (n_rows, n_movies), the same for one as for all.

        A product of matrices would round otherwise for many users than for one; matrix times vector, each, does not.
        """
        if self._kind.is_net:
            sums = self._join(self._left[users, None], self._right[:-1])
        else:
            sums = _times_each(self._right[:-1], self._left[users])
        if lower_bound:
            left, right = self._spread
            sums = sums - np.float32(lower_bound) * np.sqrt(_times_each(right, left[users]))
        return sums

    def _similarities(self, movies: np.ndarray) -> np.ndarray:
        return _times_each(self._unit_factors, self._unit_factors[movies])

    def _close(self, text: str) -> list[int | str]:
        """Return the titles, or ids where there are none, of up to 3 movies that a text may have meant."""
        found = [title or identity for identity, title in self.find(text, 3)]
        return found or self.labels[(self._titles.close(text) or self._movie_index.close(text))[:3]].tolist()

    def _rating(self, value: Any) -> float:
        low, high = self.factors.rating_range
        try:
            rating = np.nan if isinstance(value, (bool, np.bool_)) else float(value)
        except (TypeError, ValueError, OverflowError):
            rating = np.nan
        if rating != rating:
            raise InputError(f"rating {shown(value)}: expected a number from {low:g} to {high:g}")
        if not low <= rating <= high:
            raise InputError(f"rating {rating:g} is out of the model's range: expected {low:g} to {high:g}")
        return rating

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
        mean = self.factors.global_mean
        return self._kind.ratings(sums + np.float32(mean) if mean else sums, *self.factors.rating_range)

    def _best(self, sums: np.ndarray, n: int, leave_out: np.ndarray | list[int]) -> list[ScoredMovie]:
        """Return the movies with the highest sums, which differ where predictions are cut off at the highest rating."""
        best = self._top(sums, n, leave_out)
        ratings = self._scale(np.array([movie.score for movie in best], np.float32)).tolist()
        return [movie._replace(score=rating) for movie, rating in zip(best, ratings, strict=True)]

    def _top(self, scores: np.ndarray, n: int, leave_out: np.ndarray | list[int]) -> list[ScoredMovie]:
        """Return the n movies with the highest scores, ties in the model's order."""
        is_open = np.ones((1, len(scores)), bool)
        is_open[0, leave_out] = False
        best = best_lists(scores[None], is_open, _count(n))
        ids, titles = self.factors.movie_ids[best.movies].tolist(), self.factors.titles[best.movies].tolist()
        return list(map(ScoredMovie, ids, titles, best.scores.tolist()))


def usual_least_ratings(n_ratings: np.ndarray) -> int:
    """Return how many ratings, of the numbers that movies have, one must have to be listed as similar to another.

    20, or in a table of fewer ratings so many that a movie and ten like it have them.
    """
    most = np.sort(n_ratings)[::-1]
    return min(_LEAST_RATINGS, int(most[min(_LISTED, len(most) - 1)]))


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

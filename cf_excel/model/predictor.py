"""Score with a trained model of any kind. numpy is all that it needs."""

from __future__ import annotations  # so that help() says ArrayLike, and not what that is

import threading
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cf_excel.errors import InputError, wrong_type
from cf_excel.model.everyone import Tell, best_lists, columns_of, lists_of_movies, lists_of_users
from cf_excel.model.factors import AnyModel, Factors, factors_of
from cf_excel.model.file import default_model_path, load_factors
from cf_excel.model.fold_in import UserPrior, checked_rating, fit_user, user_prior
from cf_excel.model.kinds import KINDS
from cf_excel.model.lists import usual_least_ratings
from cf_excel.model.lookup import IdIndex, MovieIndex, cut, listed
from cf_excel.model.picks import checked_count, picked
from cf_excel.model.row_scores import RowScores


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

    def __init__(self, factors: AnyModel) -> None:
        self.factors = factors = factors_of(factors)
        self.kind = KINDS[factors.kind]
        self.row_scores = RowScores(factors)
        self._user_index = IdIndex(factors.nouns.user, factors.user_ids)
        self._movie_index = MovieIndex(factors.nouns.movie, factors.movie_ids, factors.titles)

    def __reduce__(self) -> tuple[type[Predictor], tuple[Factors]]:
        return type(self), (self.factors,)  # the rest is made from these, by functions that no pickle holds

    def __repr__(self) -> str:
        return f"<Predictor: {self.factors.summary}>"

    def predict(self, user_ids: ArrayLike, movie_ids: ArrayLike, *, unknown: str = "raise") -> np.ndarray | np.float32:
        """Return predicted ratings, float32, in the shape the ids broadcast to: a column against a row is a grid.

        unknown: "raise" raises UnknownIdError with the id in its text; "bias" counts an unknown id as the mean user or
        movie, which leaves the bias of the known side. Raises InputError for shapes that do not fit and a blank id.
        """
        if unknown not in ("raise", "bias"):
            raise InputError(f"unknown {unknown!r}: expected raise or bias")
        if unknown == "raise":
            return self.predict_rows(self._user_index.require(user_ids), self._movies(movie_ids))
        return self.predict_rows(self.user_rows(user_ids), self.movie_rows(movie_ids))

    def predict_rows(self, users: np.ndarray, movies: np.ndarray) -> np.ndarray | np.float32:
        """Return what predict does for rows of the model, which user_rows and movie_rows give; -1 is the mean one."""
        return self.row_scores.predictions(users, movies)

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
        sums = self.row_scores.sums(np.array([row]), lower_bound)
        seen = self.factors.seen(row)
        return self._listed(sums, seen, n, seen if exclude_seen else seen[:0], min_ratings, explore)

    def recommend_all(
        self,
        n: int = 10,
        exclude_seen: bool = True,
        lower_bound: float = 0.0,
        *,
        min_ratings: int = 0,
        explore: float = 0.0,
        tell: Tell | None = None,
    ) -> dict[str, np.ndarray]:
        """Return what recommend does for every user, list after list, as columns of one length, which pandas takes.

        They are user_id, rank, movie_id, title (where the model has any), prediction (score where it is of picks) and
        n_ratings, how many rated the movie; arguments and errors as there. tell: called with how many users have their
        lists, and how many there are.
        """
        scores = partial(self.row_scores.of_lists, lower_bound=lower_bound, explore=explore)
        lists = lists_of_users(
            self.factors,
            _count(n),
            scores,
            exclude_seen=exclude_seen,
            min_ratings=min_ratings,
            width=self.row_scores.width,
            tell=tell,
        )
        return columns_of(
            self.factors, lists._replace(scores=self.row_scores.ratings(lists.scores)), "user", self.kind.score
        )

    def uncertainty(self, user_ids: ArrayLike, movie_ids: ArrayLike) -> np.ndarray | np.float32:
        """Return the standard deviation of predictions, in rating units, in the shape the ids broadcast to.

        It is that of the rating to come: what the model does not know of user and movie, and how far the user's
        ratings scatter. Raises UnknownIdError, and InputError for shapes that do not fit and for a model of another
        kind than "bayes".
        """
        return self.uncertainty_rows(self._user_index.require(user_ids), self._movies(movie_ids))

    def uncertainty_rows(self, users: np.ndarray, movies: np.ndarray) -> np.ndarray | np.float32:
        """Return what uncertainty does for rows of the model, from 0."""
        return self.row_scores.uncertainty(users, movies)

    def similar(self, movie: object, n: int = 10, min_ratings: int | None = None) -> list[ScoredMovie]:
        """Return the n movies whose factors have the highest cosine with the movie's, without the movie itself.

        min_ratings leaves out movies with fewer ratings, whose factors have hardly moved from where they started;
        None stands for self.least_ratings.
        """
        row = self.movie_row(movie)
        min_ratings = self.least_ratings if min_ratings is None else min_ratings
        cosines = self.row_scores.similarities(np.array([row]))
        rows = self._best(cosines, n, np.append(np.flatnonzero(self.n_ratings < min_ratings), row))
        return self._named(rows, cosines[0, rows])

    def similar_all(
        self, n: int = 10, min_ratings: int | None = None, *, tell: Tell | None = None
    ) -> dict[str, np.ndarray]:
        """Return what similar does for every movie, as columns.

        They are movie_id, rank, similar_movie_id, similarity and n_ratings, of the similar movie; both movies have
        their titles beside them, where the model has any. tell: as in recommend_all.
        """
        least = self.least_ratings if min_ratings is None else min_ratings
        scores = lambda movies: (self.row_scores.similarities(movies),) * 2  # noqa: E731
        lists = lists_of_movies(self.factors, _count(n), scores, least, tell)
        return columns_of(self.factors, lists, "movie", "similarity")

    def fold_in(
        self, movies: ArrayLike, ratings: ArrayLike, n: int = 10, *, min_ratings: int = 0, explore: float = 0.0
    ) -> list[ScoredMovie]:
        """Recommend n movies to a user who is not in the data, from the ratings that the user gave.

        See fit_user, and recommend for the order, min_ratings and explore.
        """
        sums = self.row_scores.sums_for(*self.fit_user(movies, ratings))
        rated = np.unique([self.movie_row(movie) for movie in listed(movies)])
        return self._listed(sums[None], rated, n, rated, min_ratings, explore)

    def fit_user(self, movies: ArrayLike, ratings: ArrayLike) -> tuple[np.ndarray, float]:
        """Return the factors (n_factors,) and bias of a user who is not in the data: ridge regression (see fold_in.py).

        movies, ratings: equally many; of two ratings of one movie the later counts. A model of kind "picks" takes
        counts for ratings, and adds up what it has learnt of these movies. Raises UnknownIdError, and InputError for a
        rating outside the model's range or a count that is not above 0.
        """
        movies, ratings = listed(movies), listed(ratings)
        if len(movies) != len(ratings) or not movies:
            n = f"{len(movies)} {self.factors.nouns.movies} and {len(ratings)} ratings"
            raise InputError(f"{n}: expected equally many, 1 or more")
        if self.kind.of_picks:
            value: Callable[[Any], float] = checked_count
        else:
            value = partial(checked_rating, rating_range=self.factors.rating_range)
        rated = {self.movie_row(movie): value(rating) for movie, rating in zip(movies, ratings, strict=True)}
        rows, values = np.array(list(rated)), np.array(list(rated.values()))
        if self.kind.of_picks:
            return picked(self.factors.layers, rows, values), 0.0
        return fit_user(self.factors, self._prior, rows, values)

    def predict_for(self, factors: ArrayLike, bias: float, movie_ids: ArrayLike) -> np.ndarray | np.float32:
        """Return the predictions of a user whom fit_user fitted, in the shape of movie_ids."""
        rows = self._movies(movie_ids)
        return self.row_scores.ratings(self.row_scores.sums_for(np.asarray(factors, np.float32), bias, rows))[()]

    def user_factors(self, user_ids: ArrayLike) -> np.ndarray:
        """Return the factors of users, the shape of user_ids with one more axis of n_factors."""
        return self.factors.user_factors[self._user_index.require(user_ids)]

    def movie_factors(self, movie_ids: ArrayLike) -> np.ndarray:
        """Return the factors of movies, the shape of movie_ids with one more axis of n_factors."""
        return self.factors.movie_factors[self._movies(movie_ids)]

    def user_bias(self, user_ids: ArrayLike) -> np.ndarray | np.float32:
        """Return the biases of users, in the shape of user_ids; zeros where the kind has none."""
        return self.factors.user_bias[self._user_index.require(user_ids)]

    def movie_bias(self, movie_ids: ArrayLike) -> np.ndarray | np.float32:
        """Return the biases of movies, in the shape of movie_ids; zeros where the kind has none."""
        return self.factors.movie_bias[self._movies(movie_ids)]

    def user_rows(self, user_ids: ArrayLike) -> np.ndarray:
        """Return the row of each user in the model, in the shape of user_ids; -1 where the id is unknown."""
        return self._user_index.rows(user_ids)

    def user_row(self, user: object, *, with_hint: bool = True) -> int:
        """Return the row of a user; with_hint: the UnknownIdError names ids that come close, which takes its time."""
        return int(self._user_index.require(_one(user), with_hint=with_hint))

    def movie_rows(self, movies: ArrayLike) -> np.ndarray:
        """Return the row of each movie, by id or title, in the shape of movies; -1 where none or several have it."""
        return self._movie_index.rows_of(movies)

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
        if not isinstance(text, str):
            raise wrong_type(text, "a text, words of a title")
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

    def _movies(self, movies: ArrayLike) -> np.ndarray:
        """Return what movie_rows does; errors of the first movie that is none as movie_row raises them."""
        rows = self.movie_rows(movies)
        for position in np.argwhere(rows < 0)[:1]:
            self.movie_row(np.asarray(movies, dtype=object)[tuple(position)])
        return rows

    def _listed(
        self, sums: np.ndarray, seen: np.ndarray, n: int, leave_out: np.ndarray, min_ratings: int, explore: float
    ) -> list[ScoredMovie]:
        """Return the best movies of one user, whose sums are (1, n_movies)."""
        if min_ratings:
            leave_out = np.append(leave_out, np.flatnonzero(self.n_ratings < min_ratings))
        rows = self._best(self.row_scores.ranking(sums, [seen], explore), n, leave_out)
        return self._named(rows, self.row_scores.ratings(sums[0, rows]))

    def _best(self, scores: np.ndarray, n: int, leave_out: np.ndarray) -> np.ndarray:
        """Return the rows of the n movies with the highest scores, (1, n_movies), ties in the model's order."""
        is_open = np.ones(scores.shape, bool)
        is_open[0, leave_out] = False
        return best_lists(scores, is_open, _count(n)).movies

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


def _one(identity: object) -> object:
    if isinstance(identity, (list, tuple)) or getattr(identity, "ndim", None):
        raise InputError("expected one id, not a range of them")
    return identity


def _count(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, float, np.number)) or not float(n).is_integer() or n < 1:
        raise InputError(f"n {cut(str(n), 40)}: expected a whole number, 1 or more")
    return int(n)

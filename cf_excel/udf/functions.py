"""The functions that spreadsheets call, in plain Python: no host and no cell is known here, numpy is all they need.

An argument is a single value or a range, that is rows of values: numbers (14 and 14.0), texts ("14", a title), blanks
(None, "", NaN), TRUE and FALSE, and error values (a number such as -2146826246 or a text such as "#N/A"). A result is a
single value or rows of values. Each docstring is the help that a host shows (255 characters at most).
"""

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike

from cf_excel.errors import CfExcelError, InputError
from cf_excel.model.file import default_model_path
from cf_excel.model.kinds import KINDS
from cf_excel.model.lookup import shown
from cf_excel.model.predictor import Predictor, ScoredMovie, load_predictor
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.table import canonical_id
from cf_excel.udf.values import (
    Found,
    Rows,
    Value,
    as_cells,
    as_numbers,
    as_single,
    error_name,
    find_rows,
    is_blank,
    is_missing,
    is_range,
    whole_number,
)

MOST_CELLS = 20_000_000
_NO_NOTE = np.array(None, object)
_Find = Callable[[Predictor, Value], Found]


def _sheet_function(function: Callable) -> Callable:
    """Show an error of ours as a value, behind the function's name, where a host would show something worse."""

    @functools.wraps(function)
    def shown(self: "Functions", *args: Value) -> Value:
        try:
            return function(self, *args)
        except CfExcelError as error:
            return self.error_value(_named(function.__name__, str(error)))

    return shown


@dataclass(frozen=True)
class Functions:
    """The functions of a host, under the names that the sheet knows.

    path: the model's file, by default the one at default_model_path() at every call; it is read again only where it
    changed. error_value: makes of a message what the host shows, by default the text itself; it may raise. Safe to call
    from several threads.
    """

    path: Path | None = None
    error_value: Callable[[str], Value] = str

    def load(self) -> Predictor:
        """Return the model. Raises FileError as load_predictor does."""
        return load_predictor(self.path)

    @_sheet_function
    def CF_PREDICT(self, user: Value, movie: Value) -> Value:
        """Predicted rating of a movie or item (id or title) by a user or customer. Users in a column and movies in a
        row give a grid."""
        return self._pairs("CF_PREDICT", user, movie, Predictor.predict_rows)

    @_sheet_function
    def CF_UNCERTAINTY(self, user: Value, movie: Value) -> Value:
        """How far a prediction may be off: the standard deviation of the rating to come. Shapes as in CF_PREDICT. Only
        a model of kind bayes knows it."""
        return self._pairs("CF_UNCERTAINTY", user, movie, Predictor.uncertainty_rows)

    @_sheet_function
    def CF_USER_FACTORS(self, users: Value) -> Value:
        """Learned factors of users or customers: a row of numbers for each user of a column, a column for each user of
        a row."""
        return self._factors("CF_USER_FACTORS", users, _users, "user_factors")

    @_sheet_function
    def CF_MOVIE_FACTORS(self, movies: Value) -> Value:
        """Learned factors of movies or items (id or title): a row of numbers for each movie of a column, a column for
        each movie of a row."""
        return self._factors("CF_MOVIE_FACTORS", movies, _movies, "movie_factors")

    @_sheet_function
    def CF_USER_BIAS(self, users: Value) -> Value:
        """Learned bias of users or customers: how much more they give than others, before the sigmoid."""
        return self._looked_up("CF_USER_BIAS", users, _users, lambda model: model.factors.user_bias)

    @_sheet_function
    def CF_MOVIE_BIAS(self, movies: Value) -> Value:
        """Learned bias of movies or items (id or title): how much better they are liked than others, before the
        sigmoid."""
        return self._looked_up("CF_MOVIE_BIAS", movies, _movies, lambda model: model.factors.movie_bias)

    @_sheet_function
    def CF_TITLE(self, movies: Value) -> Value:
        """Title of movies or items by their ids."""
        return self._looked_up("CF_TITLE", movies, _movies, lambda model: model.labels)

    @_sheet_function
    def CF_RECOMMEND(self, user: Value, n: Value = 10) -> Value:
        """The n movies or items that a user will like best, without those already rated: title and predicted rating, n
        rows."""
        return self._table("CF_RECOMMEND", n, lambda count: self._recommended(user, count))

    @_sheet_function
    def CF_SIMILAR(self, movie: Value, n: Value = 10, min_ratings: Value = None) -> Value:
        """The n movies or items most like one (id or title): title and similarity, -1 to 1, n rows. Those with fewer
        than min_ratings ratings (20, or fewer in a small table, unless given) are left out."""
        return self._table("CF_SIMILAR", n, lambda count: self._similar(movie, count, min_ratings))

    @_sheet_function
    def CF_RATE(self, movies: Value, ratings: Value, n: Value = 10) -> Value:
        """The n movies or items for someone who rated these (ids or titles) with these ratings: title and predicted
        rating, n rows. Those without a rating do not count."""
        return self._table("CF_RATE", n, lambda count: self._rated(movies, ratings, count))

    @_sheet_function
    def CF_FIND(self, text: Value, n: Value = 10) -> Value:
        """Up to n movies or items whose titles have every word of a text, the most rated first: id and title, n
        rows."""
        return self._table("CF_FIND", n, lambda count: self._containing(text, count))

    @_sheet_function
    def CF_RMSE(self, actual: Value, predicted: Value) -> Value:
        """Root of the mean squared difference of two ranges of one size, in rating points. Only cells where both hold a
        number count."""
        first, second = as_numbers(actual), as_numbers(predicted)
        if first.shape != second.shape:
            sizes = " and ".join(f"{r:,} x {c:,}" for r, c in (first.shape, second.shape))
            raise InputError(f"the ranges are {sizes} cells: expected one size")
        both = ~np.isnan(first) & ~np.isnan(second)
        if not both.any():
            raise InputError("no cell of one range has a number where the other has one")
        with np.errstate(over="ignore", invalid="ignore"):
            result = float(np.sqrt(np.mean((first[both] - second[both]) ** 2)))
        if not np.isfinite(result):
            raise InputError("the numbers are too large to be squared")
        return result

    @_sheet_function
    def CF_MODEL(self) -> Value:
        """What model is loaded, when its file was written, and its RMSE on the ratings that were held back."""
        path = self.path or default_model_path()
        factors = self.load().factors
        error = factors.metric("val_rmse")
        sizes = f"{factors.n_users:,} {factors.nouns.users}, {factors.n_movies:,} {factors.nouns.movies}"
        parts = [f"{factors.kind}: {sizes}, {factors.n_factors} factors"]
        with contextlib.suppress(OSError, OverflowError, ValueError):  # just removed, or with a time of no calendar
            parts.append(f"trained {time.strftime('%Y-%m-%d %H:%M', time.localtime(path.stat().st_mtime))}")
        if KINDS[factors.kind].of_picks:
            ndcg = factors.metric("val_ndcg")
            parts.append("no validation NDCG" if ndcg is None else f"validation NDCG of lists of 10 {ndcg:.4f}")
        else:
            parts.append("no validation RMSE" if error is None else f"validation RMSE {error:.4f}")
        return "; ".join([*parts, path.name])  # not where it lies: workbooks are passed on

    @_sheet_function
    def CF_FILL(self, table: Value) -> Value:
        """The same ratings with the blanks predicted, in the shape of the range: users down and items across, with
        names around them or without. Learns from these ratings alone, no model is needed."""
        return _of_tables().fill(table)

    @_sheet_function
    def CF_TOP(self, table: Value, n: Value = 10) -> Value:
        """For each user of a range of ratings the name and the n best items that are not rated yet, by name. Learns
        from these ratings alone, no model is needed."""
        return _of_tables().top(table, whole_number(n, "n", 1) or 10)

    @_sheet_function
    def CF_FIT(self, table: Value) -> Value:
        """How far predictions from a range of ratings are off on ratings held out, beside the mean and the biases:
        words and numbers, 6 rows, 2 columns."""
        return _of_tables().fit(table)

    def _pairs(self, name: str, user: Value, movie: Value, score: Callable[..., ArrayLike]) -> Value:
        """Return the score of each pair, in the shape that users and movies broadcast to."""
        model = self.load()
        users, movies = _users(model, user), _movies(model, movie)
        try:
            shape = np.broadcast_shapes(users.rows.shape, movies.rows.shape)
        except ValueError:
            sizes = " and ".join(f"{r:,} x {c:,}" for r, c in (users.rows.shape, movies.rows.shape))
            left, top = model.factors.nouns.users, model.factors.nouns.movies
            expected = f"expected one size, or {left} in a column and {top} in a row"
            raise InputError(f"{left} and {top} are {sizes} cells: {expected}") from None
        if shape[0] * shape[1] > MOST_CELLS:
            raise InputError(f"{shape[0]:,} x {shape[1]:,} predictions: {MOST_CELLS:,} at once is the most")
        result = self._noted(name, np.asarray(score(model, users.rows, movies.rows)), _both(users.notes, movies.notes))
        return result if is_range(user) or is_range(movie) else result[0][0]

    def _recommended(self, user: Value, n: int) -> Rows:
        single = self._single(user, "user")
        if is_missing(single):
            return []
        model = self.load()
        nouns = model.factors.nouns
        found = _titles_and_scores(model.recommend(single, n))
        return found or [[f"this {nouns.user} {model.kind.did} every {nouns.movie} in the model"]]

    def _similar(self, movie: Value, n: int, min_ratings: Value) -> Rows:
        single = self._single(movie, "movie")
        least = whole_number(min_ratings, "min_ratings", 0)
        if is_missing(single):
            return []
        model = self.load()
        least = model.least_ratings if least is None else least
        found = _titles_and_scores(model.similar(single, n, least))
        if len(model.n_ratings) == 1:
            return [[f"the model has no other {model.factors.nouns.movie}"]]
        return found or [[f"no other {model.factors.nouns.movie} has {least} ratings: give a smaller min_ratings"]]

    def _rated(self, movies: Value, ratings: Value, n: int) -> Rows:
        titles, stars = as_cells(movies).ravel().tolist(), as_cells(ratings).ravel().tolist()
        if len(titles) != len(stars):
            given = f"{len(titles):,} {self._nouns.movies} and {len(stars):,} ratings"
            raise InputError(f"{given}: expected equally many cells")
        for error in filter(None, map(error_name, titles + stars)):
            raise InputError(error)
        rated = [pair for pair in zip(titles, stars, strict=True) if not any(map(is_blank, pair))]
        if not rated:
            return []
        found = self.load().fold_in([title for title, _ in rated], [star for _, star in rated], n)
        return _titles_and_scores(found) or [[f"every {self._nouns.movie} in the model is {self.load().kind.did}"]]

    def _containing(self, text: Value, n: int) -> Rows:
        single = as_single(text, "text")
        if is_missing(single):
            return []
        wanted = single if isinstance(single, str) else str(canonical_id(single))
        model = self.load()
        what = "title" if model.factors.titles.any() else self._nouns.movie
        return [list(pair) for pair in model.find(wanted, n)] or [[f"no {what} has {shown(wanted)} in it"]]

    @property
    def _nouns(self) -> Nouns:
        return self.load().factors.nouns

    def _single(self, value: Value, side: str) -> Value:
        """Return the one value of a single cell, which names one of a side: user or movie."""
        is_one = as_cells(value).size == 1
        return as_single(value, side if is_one else getattr(self._nouns, side))

    def _table(self, name: str, n: Value, rows: Callable[[int], Rows]) -> Rows:
        """Return exactly n rows of two cells, blank ones below what there is; an error stands in the first cell."""
        count = 1
        try:
            count = whole_number(n, "n", 1) or 10
            found = rows(count)
        except CfExcelError as error:
            found = [[self.error_value(_named(name, str(error)))]]
        return [[*row, ""][:2] for row in found] + [["", ""]] * (count - len(found))

    def _factors(self, name: str, ids: Value, find: _Find, array: str) -> Rows:
        model = self.load()
        found, factors = find(model, ids), getattr(model.factors, array)
        n_rows, n_columns = found.rows.shape
        if n_rows > 1 and n_columns > 1:
            raise InputError(f"expected a row or a column of ids, not {n_rows:,} x {n_columns:,} cells")
        if found.rows.size * factors.shape[1] > MOST_CELLS:
            raise InputError(f"{found.rows.size:,} x {factors.shape[1]} factors: {MOST_CELLS:,} at once is the most")
        values = factors[found.rows.ravel()]
        notes = None
        if found.notes is not None:  # what there is to say stands in the first cell, and the others are blank
            notes = np.full(values.shape, None, object)
            flat = found.notes.ravel()
            notes[np.array([note is not None for note in flat])] = ""
            notes[:, 0] = flat
        across = n_columns > 1
        return self._noted(name, values.T if across else values, notes.T if across and notes is not None else notes)

    def _looked_up(self, name: str, ids: Value, find: _Find, values: Callable[[Predictor], np.ndarray]) -> Value:
        model = self.load()
        found = find(model, ids)
        result = self._noted(name, values(model)[found.rows], found.notes)
        return result if is_range(ids) else result[0][0]

    def _noted(self, name: str, values: np.ndarray, notes: np.ndarray | None) -> Rows:
        """Return values as rows, with the notes where there are any."""
        if notes is None:
            return values.tolist()
        cells, notes = values.astype(object), np.broadcast_to(notes, values.shape)
        marked = np.not_equal(notes, _NO_NOTE)
        found = notes[marked].tolist()
        shown = {note: note and self.error_value(_named(name, note)) for note in set(found)}
        cells[marked] = np.fromiter((shown[note] for note in found), object, len(found))
        return cells.tolist()


def _of_tables() -> ModuleType:
    """Return the functions that learn, which load more than numpy, when the first of them is called."""
    from cf_excel.udf import fill_functions

    return fill_functions


def _users(model: Predictor, value: Value) -> Found:
    return find_rows(value, model.user_rows, lambda user, hint: _fault_of(model.user_row, user, hint))


def _movies(model: Predictor, value: Value) -> Found:
    return find_rows(value, model.movie_rows, lambda movie, hint: _fault_of(model.movie_row, movie, hint))


def _fault_of(look_up: Callable[..., object], value: Value, with_hint: bool) -> str:
    try:
        look_up(value, with_hint=with_hint)
    except CfExcelError as error:
        return str(error)
    raise AssertionError(f"{value!r} is known")


def _named(name: str, text: str) -> str:
    """Return what a cell shows of an error: an error value that came in goes out as it is."""
    return text if error_name(text) else f"{name}: {text}"


def _both(users: np.ndarray | None, movies: np.ndarray | None) -> np.ndarray | None:
    """Return the notes of pairs: a blank on either side counts before an error, a user's error before a movie's."""
    if users is None or movies is None:
        return users if movies is None else movies
    users, movies = np.broadcast_arrays(users, movies)
    notes = np.where(np.not_equal(users, _NO_NOTE), users, movies)
    notes[(users == "") | (movies == "")] = ""
    return notes


def _titles_and_scores(movies: Sequence[ScoredMovie]) -> Rows:
    return [[movie.title or movie.movie_id, movie.score] for movie in movies]

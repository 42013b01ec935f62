"""The ratings table: ids and their indices, the crosstab for the spreadsheet."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cf_excel.errors import InputError, wrong_type
from cf_excel.ratings.hashes import content_sums, digest_of, id_hashes
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.ratings.spill import blocks

if TYPE_CHECKING:
    import pandas as pd

USUAL_SIZE = 15  # users and movies of the lesson's table
LESSON_SOURCE = "MovieLens (ml-latest-small, 2016)"
_WHOLE_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]{0,18}))(?:\.0+)?")
_PANDAS_BLANKS = ("NAType", "NaTType")  # looking at these does without loading pandas
_INT64 = range(-(2**63), 2**63)
_MANY_BITS = 2000  # Python writes no integers of more than some thousand digits


def canonical_id(value: object) -> int | str:
    """Return the one form of a raw id: 15, 15.0, "15" and " 15.0 " are all 15; any other text is itself, stripped.

    Leading zeros are kept, so "007" is a text and not 7, and so is a number beyond 64 bits.
    Raises InputError for a blank.
    """
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        number = int(value)
        text = str(number) if number.bit_length() < _MANY_BITS else hex(number)
    elif isinstance(value, (float, np.floating)):
        real = float(value)
        is_whole = real.is_integer() and abs(real) < 2**53
        text = "" if real != real else str(int(real)) if is_whole else repr(real)
    else:
        text = "" if value is None or type(value).__name__ in _PANDAS_BLANKS else str(value).strip()
    if not text:
        raise InputError("an id is blank: expected a whole number or a text")
    whole = _WHOLE_NUMBER.fullmatch(text)
    return number if whole and (number := int(whole[1])) in _INT64 else text


def ids_as_array(ids: Sequence[int | str]) -> np.ndarray:
    """Return canonical ids as int64 where every one is a whole number, else as an object array of texts."""
    if all(isinstance(value, int) for value in ids):
        return np.array(ids, dtype=np.int64)
    return np.array([str(value) for value in ids], dtype=object)


class GridOrder(NamedTuple):
    """Who and what a grid has, in its order, with those that have no rating; items_down: whether users are across."""

    user_ids: list[int | str]
    movie_ids: list[int | str]
    items_down: bool


class UnratedRows(NamedTuple):
    """The rows of a list that name who and what, but have no rating, in their order."""

    user_ids: list[int | str]
    movie_ids: list[int | str]


NONE_UNRATED = UnratedRows([], [])


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings of movies by users, with ids mapped to indices by order of first appearance, as in the lesson.

    user_ids (n_users,), movie_ids (n_movies,): raw ids, int64 or texts (object).
    user_idx, movie_idx (n,): int32 rows of the ids above. rating (n,): float32. timestamp (n,): int64 seconds, or None.
    titles, genres (n_movies,): texts, "" where unknown; genres are joined by "|". years (n_movies,): int16, 0 unknown.
    source: what the ratings were read from, for messages.
    n_duplicates: rows left out because the same pair is rated again, later.
    declared_range: lowest and highest rating there may be, if the user said so.
    notes: lines on how they were read and what was left out. nouns: what their table calls a user and a movie.
    grid: the order of the grid that they were read from, None for a list. unrated: the list's rows without a rating.
    implicit: whether they are no ratings, but counts of picks, all above 0: of orders, plays, clicks ...
    """

    user_ids: np.ndarray
    movie_ids: np.ndarray
    user_idx: np.ndarray
    movie_idx: np.ndarray
    rating: np.ndarray
    timestamp: np.ndarray | None
    titles: np.ndarray
    years: np.ndarray
    genres: np.ndarray
    source: str = "the ratings"
    n_duplicates: int = 0
    declared_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    nouns: Nouns = USUAL_NOUNS
    grid: GridOrder | None = None
    unrated: UnratedRows = NONE_UNRATED
    implicit: bool = False

    @classmethod
    def from_frame(
        cls,
        table: object,
        *,
        user: str | None = None,
        item: str | None = None,
        rating: str | None = None,
        timestamp: str | None = None,
        rating_range: tuple[float, float] | None = None,
        nouns: tuple[str, str] | None = None,
        implicit: bool | None = False,
    ) -> "Ratings":
        """Return the ratings in a DataFrame of pandas, polars or pyarrow, a row a rating.

        user, item, rating, timestamp: names of its columns; usual ones are found without. The rest is as in
        load_ratings. Raises InputError for columns that are not there and for rows that can't be read.
        """
        named = {"user": user, "movie": item, "rating": rating, "timestamp": timestamp}
        columns = {kind: name for kind, name in named.items() if name is not None}
        readers = import_module("cf_excel.ratings.readers")  # which imports this module, and pandas
        found: Ratings = readers.frame_ratings(
            table, columns=columns, rating_range=rating_range, nouns=nouns, implicit=implicit
        )
        return found

    def to_frame(self) -> "pd.DataFrame":
        """Return a row for each rating: user_id, movie_id, rating and, where there are any, timestamp."""
        frame: pd.DataFrame = import_module("cf_excel.ratings.own_split").ratings_frame(self)  # it brings pandas
        return frame

    def __len__(self) -> int:
        return len(self.rating)

    def __repr__(self) -> str:
        counts = f"{self.n_users:,} {self.nouns.users}, {self.n_movies:,} {self.nouns.movies}"
        return f"<Ratings: {len(self):,} by {counts}, from {self.source}>"

    def _repr_html_(self) -> str:
        own_split = import_module("cf_excel.ratings.own_split")  # which imports this module, and pandas
        told = "<br>".join(map(escape, (repr(self)[1:-1], *self.remarks)))
        return f"<p>{told}</p>{own_split.ratings_frame(self, 5).to_html()}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and a line on what was left out because it is rated again."""
        if not self.n_duplicates:
            return self.notes
        n = f"{self.n_duplicates:,} rating{'s' if self.n_duplicates > 1 else ''}"
        later = "in a later row" if self.timestamp is None else "again, later"
        again = f"the same {self.nouns.user} rates the same {self.nouns.movie} {later}, which counts"
        return *self.notes, f"{n} left out: {again}"

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_movies(self) -> int:
        return len(self.movie_ids)

    @cached_property
    def user2idx(self) -> dict[int | str, int]:
        """Raw user id to row."""
        return {user_id: row for row, user_id in enumerate(self.user_ids.tolist())}

    @cached_property
    def movie2idx(self) -> dict[int | str, int]:
        """Raw movie id to row."""
        return {movie_id: row for row, movie_id in enumerate(self.movie_ids.tolist())}

    @cached_property
    def rating_range(self) -> tuple[float, float]:
        """Lowest and highest rating: as declared, or else those in the table.

        Every kind of model takes it from here, from all ratings, those that are held back among them: the ends of a
        scale say what may be answered, not who answered what, and a split must not cut 1 to 5 down to 3 to 5.
        """
        if self.declared_range is not None:
            return self.declared_range
        low, high = as_written(np.array([self.rating.min(), self.rating.max()]))
        return float(low), float(high)


def check_ratings(ratings: object) -> None:
    """Raise InputError, which says how to make some, for what is no Ratings: a table, or the path of a file."""
    if not isinstance(ratings, Ratings):
        raise wrong_type(ratings, "Ratings, as cf_excel.load_ratings(path) and Ratings.from_frame(table) make them")


def as_written(ratings: np.ndarray) -> np.ndarray:
    """Return float32 ratings as the float64 that was written: 3.7 and not 3.7000000477."""
    return ratings.astype(str).astype(np.float64)


def distinct_ratings(ratings: np.ndarray, most: int = 20) -> list[float]:
    """Return the ratings that occur, rising; none where they are more than `most`. NaN does not count."""
    found: list[float] = []
    for rows in blocks(len(ratings)):
        rest = ratings[rows]
        rest = rest[(rest == rest) & ~np.isin(rest, found)]
        while len(rest) and len(found) <= most:  # no sorting: there may be millions
            found.append(rest[0])
            rest = rest[rest != rest[0]]
    return sorted(as_written(np.array(found)).tolist()) if len(found) <= most else []


@dataclass(frozen=True, eq=False)
class Crosstab:
    """Ratings of the most active users (rows) for the most rated movies (columns); NaN where there is none."""

    user_ids: list[int | str]
    movie_ids: list[int | str]
    titles: list[str]
    values: np.ndarray


def most_rated(counts: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return all rows by falling count, ties to the smaller id: the lesson's rule."""
    by_id = sorted(range(len(ids)), key=ids.tolist().__getitem__)
    return np.array(by_id)[np.argsort(-counts[by_id], kind="stable")]


def crosstab(ratings: Ratings, n_users: int | None = None, n_movies: int | None = None) -> Crosstab:
    """Return the table of the users and the movies with most ratings; None asks for 15, or all where there are fewer.

    Raises InputError where the ratings have fewer users or movies than asked.
    """
    n_users = min(USUAL_SIZE, ratings.n_users) if n_users is None else n_users
    n_movies = min(USUAL_SIZE, ratings.n_movies) if n_movies is None else n_movies
    for kind, several, asked, there in (
        ("user", ratings.nouns.users, n_users, ratings.n_users),
        ("movie", ratings.nouns.movies, n_movies, ratings.n_movies),
    ):
        if asked < 1:
            raise InputError(f"--top-{kind}s {asked}: expected 1 or more")
        if asked > there:
            raise InputError(
                f"asked for {asked:,} {several}, but {ratings.source} has {there:,}: pass --top-{kind}s {there}"
            )
    users = _head(ratings.user_idx, ratings.user_ids, n_users)
    movies = _head(ratings.movie_idx, ratings.movie_ids, n_movies)
    user_row = np.full(ratings.n_users, -1)
    user_row[users] = np.arange(n_users)
    movie_column = np.full(ratings.n_movies, -1)
    movie_column[movies] = np.arange(n_movies)
    row, column = user_row[ratings.user_idx], movie_column[ratings.movie_idx]
    inside = (row >= 0) & (column >= 0)
    values = np.full((n_users, n_movies), np.nan)
    values[row[inside], column[inside]] = as_written(ratings.rating[inside])
    return Crosstab(
        user_ids=ratings.user_ids[users].tolist(),
        movie_ids=ratings.movie_ids[movies].tolist(),
        titles=ratings.titles[movies].tolist(),
        values=values,
    )


def _head(idx: np.ndarray, ids: np.ndarray, n: int) -> list[int]:
    rows = most_rated(np.bincount(idx, minlength=len(ids)), ids)[:n].tolist()
    return sorted(rows, key=ids.tolist().__getitem__)


def data_hash(ratings: Ratings) -> str:
    """Return a hash of who rated what how, in hexadecimal: the same ratings in any order, the same text."""
    return digest_of(content_sums(*hashed_pairs(ratings), ratings.rating))


def hashed_pairs(ratings: Ratings) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return hashes of the ids of users and of movies, and who and what each rating has."""
    return id_hashes(ratings.user_ids), id_hashes(ratings.movie_ids), ratings.user_idx, ratings.movie_idx


def former_data_hash(ratings: Ratings) -> str:
    """Return what older models have for data_hash, which another order of the ratings changes."""
    digest = hashlib.sha256()
    for ids in (ratings.user_ids, ratings.movie_ids):
        digest.update("\0".join(map(str, ids.tolist())).encode(errors="surrogatepass") + b"\n")
    for array, dtype in ((ratings.user_idx, "<i4"), (ratings.movie_idx, "<i4"), (ratings.rating, "<f4")):
        digest.update(np.ascontiguousarray(array, dtype).data)
    return digest.hexdigest()

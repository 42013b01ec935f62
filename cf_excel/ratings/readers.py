"""Read ratings from files of every usual form into the ratings table."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

import numpy as np
import pandas as pd

from cf_excel.errors import InputError
from cf_excel.ratings.columns import TextTable, find_columns, look_at, shorten
from cf_excel.ratings.lesson_ratings import LESSON_DATA, load_lesson_ratings
from cf_excel.ratings.movies import Movie, read_movies
from cf_excel.ratings.quoting import Quoting
from cf_excel.ratings.sources import Source, list_sources
from cf_excel.ratings.table import LESSON_SOURCE, Ratings, canonical_id, ids_as_array

# How MovieLens names its files, in every release so far.
_RATINGS_FILES = ("ratings.csv", "ratings.dat", "u.data")
_MOVIES_FILES = ("movies.csv", "movies.dat", "u.item")
_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".dat", ".data")
_LARGEST_RATING = 1e6
_LARGEST_EXACT = 2**53  # of the whole numbers in a float
_CHUNK_ROWS = 500_000


def load_ratings(
    path: Path | str | None = None,
    *,
    movies: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    rating_range: tuple[float, float] | None = None,
) -> Ratings:
    """Read ratings from a file, folder or zip; without a path the lesson's 100,004 that come with cf_excel.

    A file is a table with comma, semicolon, tab, "|" or "::" between the cells, also gzipped; a folder or zip is one of
    MovieLens' own, or holds a single table. movies is a table of titles, for a path that has none or other ones.
    columns names the columns of "user", "movie", "rating" and "timestamp" where they are not the usual ones;
    "timestamp": "none" leaves the times out. Every rating must lie in rating_range, if given.
    Where a user rates a movie more than once, the last row in the file counts: the others are left out and counted in
    n_duplicates, and the rows of users and movies follow the first appearance in what is left.
    32 million ratings take less than three times the size of their arrays.

    Raises FileError for a file that can't be read and InputError, with the line, for what is in it.
    """
    if rating_range is not None and not -_LARGEST_RATING <= rating_range[0] < rating_range[1] <= _LARGEST_RATING:
        low, high = rating_range
        raise InputError(f"rating range {low:g} to {high:g}: expected the lower end first, none beyond a million")
    if path is None and not (movies or columns or rating_range):
        return load_lesson_ratings()
    sources = list_sources(LESSON_DATA if path is None else Path(path))
    names = dict(columns or {})
    kinds: tuple[str, ...] = ("timestamp",)
    if names.get("timestamp") == "none":
        names.pop("timestamp")
        kinds = ()
    table = look_at(_choose(sources, _RATINGS_FILES, path, "ratings"), always_header=bool(names))
    column = find_columns(table, ("user", "movie", "rating"), kinds, names)
    table = replace(table, number_column=column["rating"])
    rows = table.read_with(lambda table: _read_rows(table, column, rating_range))
    movies_source = _movies_source(sources, movies)
    known = read_movies(movies_source) if movies_source else {}
    return _assemble(rows, known, Path(path).resolve().name if path is not None else LESSON_SOURCE, rating_range)


def _choose(sources: list[Source], usual: tuple[str, ...], path: Path | str | None, what: str) -> Source:
    """Return the file that has MovieLens' name for it, or else the only table."""
    if len(sources) == 1:
        return sources[0]
    for name in usual:
        if named := [source for source in sources if source.file_name == name]:
            return named[0]  # the one that lies least deep
    tables = [source for source in sources if source.file_name.endswith(_TABLE_ENDINGS) and source.file_name[0] != "."]
    if len(tables) == 1:
        return tables[0]
    found = ", ".join(source.name for source in tables[:6]) or "no table"
    raise InputError(f"{path}: expected {', '.join(usual)} or a single table of {what} (found: {found})")


def _movies_source(sources: list[Source], movies: Path | str | None) -> Source | None:
    if movies is not None:
        return _choose(list_sources(Path(movies)), _MOVIES_FILES, movies, "movies")
    return next((source for name in _MOVIES_FILES for source in sources if source.file_name == name), None)


class _BadCell(Exception):
    """Something wrong in a row of the chunk at hand."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


class _Ids:
    """Canonical ids and their rows, by order of first appearance over many chunks."""

    def __init__(self, kind: str) -> None:
        self.row_of_id: dict[int | str, int] = {}
        self._row_of_text: dict[str, int] = {}
        self._kind = kind

    def rows(self, texts: pd.Series) -> np.ndarray:
        """Return the int32 row of every text, with new rows for new ids."""
        codes, uniques = pd.factorize(texts.to_numpy())
        row_of_code = np.empty(len(uniques), np.int32)
        for code, text in enumerate(uniques):
            row = self._row_of_text.get(text)
            if row is None:
                if not text.strip():
                    raise _BadCell(_first(codes, code), f"the {self._kind}'s id is blank")
                row = self.row_of_id.setdefault(canonical_id(text), len(self.row_of_id))
                self._row_of_text[text] = row
            row_of_code[code] = row
        return row_of_code[codes]


@dataclass
class _Rows:
    """The ratings as read: ids by row, and columns in pieces that become one array each when all is read."""

    users: _Ids = field(default_factory=lambda: _Ids("user"))
    movies: _Ids = field(default_factory=lambda: _Ids("movie"))
    columns: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def append(self, **pieces: np.ndarray) -> None:
        for name, piece in pieces.items():
            self.columns.setdefault(name, []).append(piece)

    def joined(self) -> dict[str, np.ndarray]:
        """Return whole arrays, giving up the pieces of one column before the next, to spare memory."""
        return {name: np.concatenate(self.columns.pop(name)) for name in list(self.columns)}


def _read_rows(table: TextTable, column: dict[str, int], rating_range: tuple[float, float] | None) -> _Rows:
    rows = _Rows()
    n_before = 0
    for chunk in _chunks(table, column):
        try:
            _refuse_wide_rows(chunk.pop("wide"), table.n_columns)
            pieces = {
                "user_idx": rows.users.rows(chunk["user"]),
                "movie_idx": rows.movies.rows(chunk["movie"]),
                "rating": _as_ratings(chunk["rating"], table.separator in ";\t", rating_range),
            }
            if "timestamp" in chunk:
                pieces["timestamp"] = _as_seconds(chunk["timestamp"])
        except _BadCell as bad:
            raise InputError(f"{table.name} line {_line_of(table, n_before + bad.row)}: {bad}") from bad
        rows.append(**pieces)
        n_before += len(chunk)
    if n_before == 0:
        raise InputError(f"{table.name} has a header but no ratings")
    return rows


def _chunks(table: TextTable, column: dict[str, int]) -> Iterable[pd.DataFrame]:
    """Yield rows piece by piece: texts as written, but for the timestamps, and what stands right of the last column."""
    step = 2 if table.separator == "::" else 1  # read as ":", with an empty column between two: pandas' fast parser
    n_fields = step * (table.n_columns - 1) + 1
    name_of_field = {step * i: kind for kind, i in column.items()} | {n_fields: "wide"}
    names = [name_of_field.get(i, f"unused {i}") for i in range(n_fields + 1)]
    separator = table.separator[0]
    n_rows = 0
    try:
        with table.open(header=separator.join(names) + "\n") as text:
            for chunk in pd.read_csv(
                text,
                sep=separator,
                quoting=csv.QUOTE_NONE if table.quoting is Quoting.LITERAL else csv.QUOTE_MINIMAL,
                usecols=list(name_of_field.values()),
                dtype={name: object for name in name_of_field.values() if name != "timestamp"},
                chunksize=_CHUNK_ROWS,
                na_filter=False,
                index_col=False,
                low_memory=False,
                engine="c",
            ):
                n_rows += len(chunk)
                yield chunk
            table.check_count(text, n_rows)
    except pd.errors.ParserError as error:
        raise InputError(f"{table.name} is no table: {error}") from error


def _refuse_wide_rows(wide: pd.Series, n_columns: int) -> None:
    codes, uniques = pd.factorize(wide.to_numpy())
    for code, text in enumerate(uniques):
        if text.strip():
            raise _BadCell(_first(codes, code), f"more than the header's {n_columns} cells (a comma to quote?)")


def _as_ratings(texts: pd.Series, decimal_comma: bool, rating_range: tuple[float, float] | None) -> np.ndarray:
    codes, uniques = pd.factorize(texts.to_numpy())
    values = np.empty(len(uniques), np.float32)
    for code, text in enumerate(uniques):
        try:
            values[code] = _as_rating(text.strip(), decimal_comma, rating_range)
        except InputError as error:
            raise _BadCell(_first(codes, code), str(error)) from error
    return values[codes]


def _as_rating(text: str, decimal_comma: bool, rating_range: tuple[float, float] | None) -> float:
    if not text:
        raise InputError("the rating is blank")
    try:
        value = float(text.replace(",", ".") if decimal_comma else text)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or "_" in text:
        raise InputError(f"rating {shorten(text)}: expected a number")
    low, high = rating_range or (-_LARGEST_RATING, _LARGEST_RATING)
    if not low <= value <= high:
        raise InputError(f"rating {shorten(text)}: expected {low:,.10g} to {high:,.10g}")
    return value


def _as_seconds(times: pd.Series) -> np.ndarray:
    """Return int64 seconds since 1970 from whole seconds or ISO 8601 dates (UTC unless they say otherwise)."""
    if times.dtype == np.int64:
        return times.to_numpy()
    seconds = pd.to_numeric(times, errors="coerce").astype(float)
    if seconds.isna().any():
        dates = pd.to_datetime(times[seconds.isna()].astype(str), format="ISO8601", utc=True, errors="coerce")
        since_1970 = (dates - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
        seconds = seconds.fillna(since_1970)  # type: ignore[arg-type]  # pandas' types know no Series here
    wrong = ~(seconds.abs() < _LARGEST_EXACT).to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        cell = shorten(str(times.iloc[row]))
        raise _BadCell(
            row, f"timestamp {cell}: expected whole seconds or 2016-10-17 12:00 (or --timestamp-column none)"
        )
    return seconds.to_numpy().astype(np.int64)


def _first(codes: np.ndarray, code: int) -> int:
    return int(np.argmax(codes == code))


def _line_of(table: TextTable, row: int) -> int:
    """Return the line of a row by reading the file once more: there may be blank lines, and line breaks in quotes."""
    for i, (line, _) in enumerate(table.records()):
        if i == row:
            return line
    return row + table.n_header_lines + 1


def _assemble(
    rows: _Rows, known: Mapping[int | str, Movie], source: str, rating_range: tuple[float, float] | None
) -> Ratings:
    columns = rows.joined()
    user_ids, movie_ids = list(rows.users.row_of_id), list(rows.movies.row_of_id)
    n_read = len(columns["rating"])
    kept = _last_of_each_pair(columns["user_idx"], columns["movie_idx"], len(movie_ids))
    if kept is not None:
        for name in columns:
            columns[name] = columns[name][kept]
        columns["user_idx"], user_ids = _by_first_appearance(columns["user_idx"], user_ids)
        columns["movie_idx"], movie_ids = _by_first_appearance(columns["movie_idx"], movie_ids)
    info = [known.get(movie_id, Movie()) for movie_id in movie_ids]
    return Ratings(
        user_ids=ids_as_array(user_ids),
        movie_ids=ids_as_array(movie_ids),
        user_idx=columns["user_idx"],
        movie_idx=columns["movie_idx"],
        rating=columns["rating"],
        timestamp=columns.get("timestamp"),
        titles=np.array([movie.title for movie in info], dtype=object),
        years=np.array([movie.year for movie in info], dtype=np.int16),
        genres=np.array([movie.genres for movie in info], dtype=object),
        source=source,
        n_duplicates=n_read - len(columns["rating"]),
        declared_range=rating_range,
    )


def _last_of_each_pair(user_idx: np.ndarray, movie_idx: np.ndarray, n_movies: int) -> np.ndarray | None:
    """Return which rows to keep so that every (user, movie) pair stays once, its last; None where none comes twice."""
    keys = _pair_keys(user_idx, movie_idx, n_movies)
    keys.sort()
    if not (keys[1:] == keys[:-1]).any():
        return None
    keys = _pair_keys(user_idx, movie_idx, n_movies)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    is_last = np.append(keys[1:] != keys[:-1], True)
    kept = np.zeros(len(order), dtype=bool)
    kept[order[is_last]] = True
    return kept


def _pair_keys(user_idx: np.ndarray, movie_idx: np.ndarray, n_movies: int) -> np.ndarray:
    keys = user_idx.astype(np.int64)
    keys *= n_movies
    keys += movie_idx
    return keys


def _by_first_appearance(idx: np.ndarray, ids: list[int | str]) -> tuple[np.ndarray, list[int | str]]:
    order = pd.unique(idx)
    rank = np.empty(len(ids), dtype=np.int32)
    rank[order] = np.arange(len(ids), dtype=np.int32)
    return rank[idx], [ids[row] for row in order]

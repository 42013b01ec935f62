"""Check the rows of a table, piece by piece: ids, ratings, times; leave out what is no rating, name what is wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from cf_excel.errors import InputError
from cf_excel.ratings.column_names import Headed
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.movies import Movie, movie_of
from cf_excel.ratings.nouns import USUAL_NOUNS
from cf_excel.ratings.rating_texts import as_rating, is_blank, means_not_rated
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.spill import joined
from cf_excel.ratings.table import UnratedRows, canonical_id
from cf_excel.ratings.timestamps import EXPECTED, as_seconds, day_comes_first, is_ambiguous
from cf_excel.ratings.totals import is_total

_STORED_ROWS = 1 << 22  # read at a time and kept together: a process may have some hundred files alone
_MOST_FAULTS = 20  # rows that a message tells of


class RatingsTable(Headed, Protocol):
    """A table with a row for each rating."""

    @property
    def n_columns(self) -> int: ...
    @property
    def decimal_comma(self) -> bool | None: ...
    def chunks(self, column: dict[str, int]) -> Iterator[pd.DataFrame]: ...
    def places(self, rows: list[int]) -> list[str]: ...


class _Texts:
    """A column of texts as codes (n,) of its distinct ones."""

    def __init__(self, texts: pd.Series) -> None:
        if isinstance(texts.dtype, pd.CategoricalDtype):
            self.codes, self.uniques = texts.cat.codes.to_numpy(), texts.cat.categories.to_numpy()
        else:
            self.codes, self.uniques = pd.factorize(texts.to_numpy())

    def rows_where(self, holds: Callable[[str], bool]) -> np.ndarray | None:
        """Return which rows have a text of which that holds, as a mask; None where there is none."""
        return self._rows([holds(text) for text in self.uniques])

    def blank_rows(self) -> np.ndarray | None:
        """Return which rows have a blank, as a mask; None where there is none."""
        return self._rows([not text or text.isspace() for text in self.uniques])

    def _rows(self, chosen: list[bool]) -> np.ndarray | None:
        return np.array(chosen)[self.codes] if any(chosen) else None


class _Ids:
    """Canonical ids and their rows, by order of first appearance over many chunks."""

    def __init__(self) -> None:
        self.row_of_id: dict[int | str, int] = {}
        self._row_of_text: dict[str, int] = {}

    def rows(self, texts: _Texts, kept: np.ndarray | None) -> np.ndarray:
        """Return the int32 row of every text that is kept, with new rows for new ids."""
        codes = texts.codes if kept is None else texts.codes[kept]
        row_of_code = np.empty(len(texts.uniques), np.int32)
        for code in range(len(texts.uniques)) if kept is None else pd.unique(codes).tolist():
            text = texts.uniques[code]
            row = self._row_of_text.get(text)
            if row is None:
                row = self.row_of_id.setdefault(canonical_id(text), len(self.row_of_id))
                self._row_of_text[text] = row
            row_of_code[code] = row
        return row_of_code[codes]


class _Sieve:
    """The rows of a piece: which are out, because they are no ratings, and which are bad, and why."""

    def __init__(self, n: int) -> None:
        self.out = np.zeros(n, bool)
        self.bad = np.zeros(n, bool)
        self.faults: list[tuple[int, str]] = []

    def leave_out(self, rows: np.ndarray) -> int:
        """Leave rows out, and return how many more those are."""
        n_before = np.count_nonzero(self.out)
        self.out |= rows
        return int(np.count_nonzero(self.out) - n_before)

    def refuse(self, rows: np.ndarray | None, fault: str | Callable[[int], str]) -> None:
        """Mark the rows of a mask that are not out as bad, for a fault, which may be told from the row's number."""
        if rows is None:
            return
        found = np.flatnonzero(rows & ~self.out)
        self.bad[found] = True
        first = found[:_MOST_FAULTS].tolist()
        self.faults += [(row, fault if isinstance(fault, str) else fault(row)) for row in first]

    @property
    def kept(self) -> np.ndarray | None:
        """The rows that stay, as a mask; None where all do."""
        gone = self.out | self.bad
        return ~gone if gone.any() else None


@dataclass
class ReadRows:
    """The ratings as read: ids by row, and columns in pieces that become one array each when all is read."""

    users: _Ids = field(default_factory=_Ids)
    movies: _Ids = field(default_factory=_Ids)
    columns: dict[str, list[np.ndarray]] = field(default_factory=dict)
    beside: list[pd.DataFrame] = field(default_factory=list)
    unrated: UnratedRows = field(default_factory=lambda: UnratedRows([], []))
    n_not_rated: int = 0
    n_totals: int = 0
    n_bad: int = 0
    first_fault: str = ""
    first_bad_row: int = 0
    n_stored: int = 0

    def store(self) -> None:
        """Put what was read since the last time into one array of each column, where that is many rows."""
        for pieces in self.columns.values():
            loose = pieces[self.n_stored :]
            ends = np.cumsum([len(piece) for piece in loose])
            if ends[-1] < _STORED_ROWS:
                return
            pieces[self.n_stored :] = np.split(joined(loose), ends[:-1])
        self.n_stored = len(self.columns.get("rating", ()))

    def joined(self) -> dict[str, np.ndarray]:
        """Return whole arrays, giving up the pieces of one column before the next, to spare memory."""
        return {name: joined(self.columns.pop(name)) for name in list(self.columns)}

    def known(self) -> dict[int | str, Movie]:
        """Return what the table says of its movies beside the ratings, by canonical id."""
        return _movies_beside(self.beside, list(self.movies.row_of_id)) if self.beside else {}


def read_rows(table: RatingsTable, column: dict[str, int], how: Reading) -> ReadRows:
    """Return the ratings of a table whose columns are known, with a note in how on what was left out.

    Raises InputError with the lines of the first 20 rows that are wrong, unless bad ones are to be skipped, and for a
    table without ratings.
    """
    rows = collect_rows(table, column, how)
    tell_left_out(table.name, rows, sum(map(len, rows.columns.get("rating", ()))), how)
    return rows


def collect_rows(table: RatingsTable, column: dict[str, int], how: Reading) -> ReadRows:
    """Return the ratings of a table, maybe none, without a note. Raises InputError as read_rows does for rows."""
    rows = ReadRows()
    n_before = 0
    for chunk in table.chunks(column):
        n_before = _read_piece(table, chunk, how, rows, n_before)
        rows.store()
    return rows


def tell_left_out(name: str, rows: ReadRows, n_ratings: int, how: Reading) -> None:
    """Note in how what was left out of a table. Raises InputError where no rating is left."""
    if not n_ratings:
        raise InputError(f"{name} has a header but no ratings{_why_none(rows)}")
    if rows.n_not_rated:
        how.note(f"{_counted(rows.n_not_rated)} without a rating left out: not rated")
    if rows.n_totals:
        how.note(f"{_counted(rows.n_totals)} of totals left out")
    if rows.n_bad:
        how.note(f"{_counted(rows.n_bad)} that can't be read left out ({rows.first_fault})")


def _counted(n: int) -> str:
    return f"{n:,} row{'s' if n > 1 else ''}"


def _why_none(rows: ReadRows) -> str:
    if rows.n_bad:
        return f": {_counted(rows.n_bad)} can't be read ({rows.first_fault})"
    if rows.n_not_rated:
        return f": {_counted(rows.n_not_rated)} without one (formulas never calculated? save it in Excel once)"
    return ""


def _read_piece(table: RatingsTable, chunk: pd.DataFrame, how: Reading, rows: ReadRows, n_before: int) -> int:
    sieve = _Sieve(len(chunk))
    users, movies = (_Texts(chunk[kind]) for kind in ("user", "movie"))
    ratings = _Texts(chunk["rating"]) if "rating" in chunk else None  # picks may have no counts
    no_user, no_movie = (texts.blank_rows() for texts in (users, movies))
    if ratings is not None:
        unrated = ratings.rows_where(means_not_rated(how.not_rated, table.decimal_comma))
    else:
        unrated = None if no_user is None or no_movie is None else no_user & no_movie
    if no_user is not None or no_movie is not None:
        _leave_out_no_ratings(sieve, users, movies, no_user, no_movie, unrated, rows)
    if unrated is not None and ratings is not None:
        named = np.flatnonzero(unrated & ~sieve.out)
        for texts, ids in zip((users, movies), rows.unrated, strict=True):
            ids += [canonical_id(text) for text in texts.uniques[texts.codes[named]].tolist()]
        rows.n_not_rated += sieve.leave_out(unrated)
    if "wide" in chunk:
        wide = _Texts(chunk["wide"])
        fault = f"more than the header's {table.n_columns} cells (a comma to quote?)"
        sieve.refuse(wide.rows_where(lambda text: not is_blank(text)), fault)
    for mask, noun in zip((no_user, no_movie), how.nouns or USUAL_NOUNS, strict=True):
        sieve.refuse(mask, f"the {noun}'s id is blank")
    pieces = {"rating": np.ones(len(chunk), np.float32)}
    if ratings is not None:
        pieces["rating"] = _read_ratings(ratings, table.decimal_comma, how.rating_range, sieve)
    if "timestamp" in chunk:
        pieces["timestamp"] = _read_times(chunk["timestamp"], how.date_format, sieve)
    if sieve.faults:
        _report(table, n_before, how, rows, sieve)
    kept = sieve.kept
    if kept is not None:
        pieces = {name: piece[kept] for name, piece in pieces.items()}
    pieces = {"user_idx": rows.users.rows(users, kept), "movie_idx": rows.movies.rows(movies, kept)} | pieces
    for name, piece in pieces.items():
        rows.columns.setdefault(name, []).append(piece)
    beside = [kind for kind in Movie._fields if kind in chunk]
    if beside:
        told = chunk[beside] if kept is None else chunk[beside][kept]
        rows.beside.append(told.assign(movie=pieces["movie_idx"]).drop_duplicates())
    return n_before + len(chunk)


def _leave_out_no_ratings(
    sieve: _Sieve,
    users: _Texts,
    movies: _Texts,
    no_user: np.ndarray | None,
    no_movie: np.ndarray | None,
    unrated: np.ndarray | None,
    rows: ReadRows,
) -> None:
    """Leave out blank rows and lines of text, which have neither both ids nor a rating, and rows of totals."""
    nobody = np.zeros(len(sieve.out), bool)
    no_user, no_movie = (nobody if mask is None else mask for mask in (no_user, no_movie))
    if unrated is not None:
        sieve.leave_out((no_user | no_movie) & unrated)
    rows.n_totals += sieve.leave_out(no_user & no_movie)
    for blank, texts in ((no_user, movies), (no_movie, users)):
        totals = texts.rows_where(is_total)
        if totals is not None:
            rows.n_totals += sieve.leave_out(blank & totals)


def _read_ratings(
    texts: _Texts, decimal_comma: bool | None, rating_range: tuple[float, float] | None, sieve: _Sieve
) -> np.ndarray:
    values = np.zeros(len(texts.uniques), np.float32)
    faults: dict[int, str] = {}
    for code, text in enumerate(texts.uniques):
        try:
            values[code] = as_rating(text.strip(), decimal_comma, rating_range)
        except InputError as error:
            faults[code] = str(error)
    if faults:
        is_wrong = np.zeros(len(texts.uniques), bool)
        is_wrong[list(faults)] = True
        sieve.refuse(is_wrong[texts.codes], lambda row: faults[int(texts.codes[row])])
    return values[texts.codes]


def _read_times(times: pd.Series, date_format: str | None, sieve: _Sieve) -> np.ndarray:
    day_first = day_comes_first(date_format)
    if isinstance(times.dtype, pd.CategoricalDtype):
        seconds, wrong = as_seconds(times.cat.categories.to_series(), day_first)
        codes = times.cat.codes.to_numpy()
        seconds, wrong = seconds[codes], None if wrong is None else wrong[codes]
    else:
        seconds, wrong = as_seconds(times, day_first)

    def fault(row: int) -> str:
        text = str(times.iloc[row])
        if is_ambiguous(text):
            return f"timestamp {shorten(text)}: day or month first? pass --date-format DD/MM/YYYY or MM/DD/YYYY"
        return f"timestamp {shorten(text)}: {EXPECTED}"

    sieve.refuse(wrong, fault)
    return seconds


def _report(table: RatingsTable, n_before: int, how: Reading, rows: ReadRows, sieve: _Sieve) -> None:
    """Count the bad rows where they are to be skipped, else raise InputError for the first of them."""
    first: dict[int, list[str]] = {}
    for row, fault in sorted(sieve.faults, key=lambda found: found[0]):
        first.setdefault(n_before + row, []).append(fault)
    chosen = list(first)[:_MOST_FAULTS]
    if how.skip_bad:
        if not rows.n_bad:
            rows.first_bad_row = chosen[0]
            rows.first_fault = f"{table.places(chosen[:1])[0]}: {first[chosen[0]][0]}"
        rows.n_bad += int(np.count_nonzero(sieve.bad))
        return
    places: dict[str, list[str]] = {}  # of each fault
    for row, place in zip(chosen, table.places(chosen), strict=True):
        for fault in first[row]:
            places.setdefault(fault, []).append(place)
    told = [f"{', '.join(found)}: {fault}" for fault, found in places.items()]
    n_bad = int(np.count_nonzero(sieve.bad))
    if n_bad == 1:
        raise InputError(f"{table.name} {'; '.join(told)}")
    more = f" (the first {len(chosen)} of {n_bad:,})" if n_bad > len(chosen) else ""
    raise InputError(f"{table.name}: rows that can't be read{more}: {'; '.join(told)}: mend them, or pass --skip-bad")


def _movies_beside(pieces: list[pd.DataFrame], movie_ids: list[int | str]) -> dict[int | str, Movie]:
    """Return the movies that the columns beside the ratings tell of, where those say the same in most of their rows.

    A title or a year may be one of the rating: of a review, of an order. Then it differs between those of a movie.
    """
    told = pd.concat(pieces).drop_duplicates()
    known = {}
    for kind in [kind for kind in told if kind != "movie"]:
        values = told.loc[told[kind].str.strip() != "", ["movie", kind]].drop_duplicates()
        n_values = values["movie"].value_counts()
        if (n_values > 1).mean() <= 0.25 if len(n_values) else False:
            known[kind] = values.drop_duplicates("movie").set_index("movie")[kind]
    frame = pd.DataFrame(known).fillna("") if known else pd.DataFrame()
    return {
        movie_ids[row]: movie_of(*(str(cells.get(kind, "")).strip() for kind in ("title", "genres", "year")))
        for row, cells in zip(frame.index, frame.to_dict("records"), strict=True)
    }

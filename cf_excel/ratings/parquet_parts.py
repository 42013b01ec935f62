"""The part of one process in reading a folder of Parquet files with others: it ends up with its users' ratings.

For ratings that are more than one machine's memory.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from cf_excel.errors import CfExcelError, FileError, InputError
from cf_excel.ratings.assembly import arrays_of, one_of_each_pair
from cf_excel.ratings.column_names import REQUIRED, NoRatingColumn, columns_beside, find_columns, noun_of
from cf_excel.ratings.hashes import content_sums, digest_of, id_hashes
from cf_excel.ratings.movies import Movie
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.parquet_files import Parquet, read_parquet
from cf_excel.ratings.parts import RatingsPart, Team, everyones, most, moved, summed
from cf_excel.ratings.pick_tables import why_picks
from cf_excel.ratings.rating_rows import ReadRows, collect_rows, tell_left_out
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.sources import Source, is_url, list_sources
from cf_excel.ratings.spill import by_block, check_disk, gathered, rows_of
from cf_excel.ratings.table import Ratings, as_written

T = TypeVar("T")

_ROUND_IDS = 1 << 16
_NO_PICKS = "several processes read ratings, not picks, and so does --memory: train these with one process, without it"
_NEVER = np.iinfo(np.int64).max


def read_part(
    path: Path | str, team: Team, how: Reading | None = None, movies: Mapping[int | str, Movie] | None = None
) -> RatingsPart:
    """Read a folder of Parquet files, or its address, with other processes; all call it with the same arguments.

    Row groups are dealt out in turn; ratings go to the process of their user in bounded rounds, so that in
    memory are its share of the rows, its users' ratings, one round, and the ids of all users and movies. All parts
    together are what load_ratings reads of the folder, whatever the number of processes: ids in order of first
    appearance, of each pair the latest rating. movies: what is known of them, by id, besides what columns beside the
    ratings tell. Raises FileError and InputError as load_ratings does, the same in every process, whichever met it, and
    InputError for picks.
    """
    how = how or Reading()
    if how.implicit:
        raise InputError(f"{path}: {_NO_PICKS}")
    table, column = _agreed(team, lambda: _table(path, how))
    share = _Share.of(table, team)
    check_disk(sum(part.n_rows for part in table.parts))
    rows = _agreed(team, lambda: collect_rows(share, column, how))
    columns = _columns_of(rows, share, column)
    left_out = _added_up(team, rows, share)
    n_read = summed(team, len(columns["rating"]))
    _agreed(team, lambda: tell_left_out(table.name, left_out, n_read, how))
    if how.implicit is None and not how.rating_range:
        _check_no_picks(team, table, columns["rating"], table.first_record[column["rating"]])
    known = _known_to_all(team, rows) | dict(movies or {})
    user_ids, columns["user_idx"] = _merged(team, list(rows.users.row_of_id), columns["user_idx"], columns["row"])
    movie_ids, columns["movie_idx"] = _merged(team, list(rows.movies.row_of_id), columns["movie_idx"], columns["row"])
    del rows
    columns = moved(team, columns)
    kept = one_of_each_pair(columns["user_idx"], columns["movie_idx"], len(movie_ids), columns.get("timestamp"))
    if kept is not None:
        columns = {name: rows_of(columns.pop(name), kept) for name in list(columns)}
    n_ratings = summed(team, len(columns["rating"]))
    if n_ratings < n_read:
        user_ids, columns["user_idx"] = _renumbered(team, user_ids, columns["user_idx"], columns["row"])
        movie_ids, columns["movie_idx"] = _renumbered(team, movie_ids, columns["movie_idx"], columns["row"])
        columns = moved(team, columns)
    user, movie = (table.first_record[column[kind]] for kind in ("user", "movie"))
    ratings = Ratings(
        **arrays_of(columns, user_ids, movie_ids, known),
        source=table.name if is_url(path) else Path(path).resolve().name,
        n_duplicates=n_read - n_ratings,
        declared_range=how.rating_range or _range(team, columns["rating"]),
        notes=tuple(how.notes),
        nouns=how.nouns or Nouns(noun_of(user, "user"), noun_of(movie, "movie")),
    )
    row = columns["row"] if team.size > 1 else np.empty(0, np.int64)
    return RatingsPart(ratings, row, n_ratings, _hash(team, ratings))


@dataclass(frozen=True)
class _Share:
    """The row groups of one process, as a table; groups: of each the part, its number in it and its first row.

    pieces: the first row and the length of each chunk that was read.
    """

    table: Parquet
    groups: list[tuple[int, int, int]]
    pieces: list[tuple[int, int]] = field(default_factory=list)

    has_header = True
    decimal_comma = False

    @classmethod
    def of(cls, table: Parquet, team: Team) -> "_Share":
        groups, first = [], 0
        for i, part in enumerate(table.parts):
            for number, n_rows in enumerate(part.groups):
                groups.append((i, number, first))
                first += n_rows
        return cls(table, groups[team.rank :: team.size])

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def first_record(self) -> list[str]:
        return self.table.first_record

    @property
    def n_columns(self) -> int:
        return self.table.n_columns

    def chunks(self, column: dict[str, int]) -> Iterator[pd.DataFrame]:
        for i, number, first in self.groups:
            for chunk in self.table.chunks_of(self.table.parts[i], range(number, number + 1), column):
                self.pieces.append((first, len(chunk)))
                first += len(chunk)
                yield chunk

    def places(self, rows: list[int]) -> list[str]:
        return self.table.places(self.rows_of(rows))

    def rows_of(self, rows: list[int]) -> list[int]:
        """Return which rows of the whole table rows of the share are."""
        firsts, lengths = map(np.array, zip(*self.pieces, strict=True))
        ends = np.cumsum(lengths)
        at = np.searchsorted(ends, rows, "right")
        found: list[int] = (firsts[at] + rows - (ends - lengths)[at]).tolist()
        return found


def _table(path: Path | str, how: Reading) -> tuple[Parquet, dict[str, int]]:
    if is_url(path):
        (source,) = list_sources(path)
    else:
        source = Source(Path(path), kind="parquet")
        if not source.path.exists():
            raise FileError(f"{path}: no such file or folder")
    table = read_parquet(source)
    try:
        column = find_columns(table, REQUIRED, how.optional, how.names)
    except NoRatingColumn as error:
        raise InputError(f"{error}; if it has picks: {_NO_PICKS}") from None
    return table, column | columns_beside(table.first_record, set(column.values()))


def _check_no_picks(team: Team, table: Parquet, rating: np.ndarray, header: str) -> None:
    """Raise InputError where the first ratings of all processes are counts of picks, as as_picks finds."""
    first = np.concatenate(everyones(team, rating[:_ROUND_IDS]))
    if len(first) and (why := why_picks(first, header)):
        raise InputError(f"{table.name}: {why}, as of picks: {_NO_PICKS}, or pass --explicit: they are ratings")


def _known_to_all(team: Team, rows: ReadRows) -> dict[int | str, Movie]:
    """Return what the columns beside the ratings tell of movies, in any process; the first one counts."""
    own = list(rows.known().items())
    known: dict[int | str, Movie] = {}
    for start in range(0, most(team, len(own)), _ROUND_IDS):
        for told in _everyones_json(team, own[start : start + _ROUND_IDS]):
            for identity, (title, year, genres) in told:
                first = known.get(identity, Movie())
                known[identity] = Movie(first.title or title, first.year or year, first.genres or genres)
    return known


def _columns_of(rows: ReadRows, share: _Share, column: dict[str, int]) -> dict[str, np.ndarray]:
    """Return the rows of a share, with numbers that rise as the rows of the whole table do; gaps are those left out."""
    dtypes: dict[str, type[np.generic]] = {"user_idx": np.int32, "movie_idx": np.int32, "rating": np.float32}
    dtypes |= {"timestamp": np.int64} if "timestamp" in column else {}
    lengths = [len(kept) for kept in rows.columns.get("rating", ())]
    numbers = (first + np.arange(n, dtype=np.int64) for (first, _), n in zip(share.pieces, lengths, strict=True))
    joined = rows.joined()
    columns = {name: joined.get(name, np.empty(0, dtype)).astype(dtype, copy=False) for name, dtype in dtypes.items()}
    return columns | {"row": gathered(chain([np.empty(0, np.int64)], numbers), sum(lengths))}


def _everyones_json(team: Team, value: Any) -> list[Any]:
    texts = everyones(team, np.frombuffer(json.dumps(value).encode(), np.uint8))
    return [json.loads(text.tobytes()) for text in texts]


def _agreed(team: Team, work: Callable[[], T]) -> T:
    """Return what work returns; where it fails in any process, raise the error of the first such one in all."""
    fault: list[str] = []
    try:
        result = work()
    except CfExcelError as error:
        fault = ["file" if isinstance(error, FileError) else "input", str(error)]
    for other in _everyones_json(team, fault):
        if other:
            raise (FileError if other[0] == "file" else InputError)(other[1])
    return result


def _added_up(team: Team, rows: ReadRows, share: _Share) -> ReadRows:
    """Return what was left out in all processes, with the fault of the table's first bad row."""
    at = share.rows_of([rows.first_bad_row])[0] if rows.n_bad else _NEVER
    told = _everyones_json(team, [[rows.n_not_rated, rows.n_totals, rows.n_bad], [int(at), rows.first_fault]])
    n_not_rated, n_totals, n_bad = (sum(counts) for counts in zip(*(one[0] for one in told), strict=True))
    first_fault = min(one[1] for one in told)[1]
    return ReadRows(n_not_rated=n_not_rated, n_totals=n_totals, n_bad=n_bad, first_fault=first_fault)


def _merged(team: Team, ids: list[int | str], idx: np.ndarray, row: np.ndarray) -> tuple[list[int | str], np.ndarray]:
    """Return the ids of all processes in order of first appearance, and what rows of ids become in it."""
    first = np.full(len(ids), _NEVER)
    np.minimum.at(first, idx, row)
    firsts: dict[int | str, int] = {}
    for start in range(0, most(team, len(ids)), _ROUND_IDS):
        told = _everyones_json(team, ids[start : start + _ROUND_IDS])
        for part, rows in zip(told, everyones(team, first[start : start + _ROUND_IDS]), strict=True):
            for identity, at in zip(part, rows.tolist(), strict=True):
                firsts[identity] = min(at, firsts.get(identity, at))
    merged = sorted(firsts, key=firsts.__getitem__)
    place = {identity: i for i, identity in enumerate(merged)}
    return merged, by_block(np.array([place[identity] for identity in ids], np.int32).__getitem__, idx)


def _renumbered(
    team: Team, ids: list[int | str], idx: np.ndarray, row: np.ndarray
) -> tuple[list[int | str], np.ndarray]:
    """Return the ids in order of their first row that is left, and what rows of ids become in it."""
    first = np.full(len(ids), _NEVER)
    np.minimum.at(first, idx, row)
    step = _ROUND_IDS
    for start in range(0, len(ids), step):
        block = first[start : start + step]
        first[start : start + step] = team.gather(block).reshape(team.size, len(block)).min(0)
    order = np.argsort(first)  # every id has a rating left, and so a row of its own
    place = np.empty(len(ids), np.int32)
    place[order] = np.arange(len(ids))
    return [ids[i] for i in order.tolist()], by_block(place.__getitem__, idx)


def _range(team: Team, rating: np.ndarray) -> tuple[float, float]:
    ends = [rating.min(initial=np.inf), rating.max(initial=-np.inf)]
    every = team.gather(np.array(ends, np.float32)).reshape(team.size, 2)
    low, high = as_written(np.array([every[:, 0].min(), every[:, 1].max()], np.float32)).tolist()
    return low, high


def _hash(team: Team, ratings: Ratings) -> str:
    ids = id_hashes(ratings.user_ids), id_hashes(ratings.movie_ids)
    sums = content_sums(*ids, ratings.user_idx, ratings.movie_idx, ratings.rating)
    return digest_of(team.gather(sums.view(np.int64)).view(np.uint64).reshape(team.size, 3).sum(0))

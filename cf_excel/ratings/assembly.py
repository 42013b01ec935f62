"""Put the rows that were read together: each pair once, ids in order of appearance, titles beside them."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cf_excel.errors import InputError
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.movies import Movie
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.rating_rows import ReadRows
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.spill import all_but, ranges, rows_of
from cf_excel.ratings.table import Ratings, ids_as_array

_MOST_COMPARED = 100_000  # texts; a note on more is not worth the wait


def assemble(rows: ReadRows, known: Mapping[int | str, Movie], source: str, nouns: Nouns, how: Reading) -> Ratings:
    """Return the ratings: of each pair the latest, or without times the last row; of picks all counts, added up.

    Picks whose counts come to 0 or less, as of what was sent back, are left out. Raises InputError where none is left.
    """
    columns = rows.joined()
    user_ids, movie_ids = list(rows.users.row_of_id), list(rows.movies.row_of_id)
    n_read = len(columns["rating"])
    kept = one_of_each_pair(columns["user_idx"], columns["movie_idx"], len(movie_ids), columns.get("timestamp"))
    if how.implicit:
        kept = _add_up(columns, len(movie_ids), kept, source, how)
    if kept is not None:
        for name in columns:
            columns[name] = rows_of(columns[name], kept)
        columns["user_idx"], user_ids = _by_first_appearance(columns["user_idx"], user_ids)
        columns["movie_idx"], movie_ids = _by_first_appearance(columns["movie_idx"], movie_ids)
    for ids, several in ((user_ids, nouns.users), (movie_ids, nouns.movies)):
        _tell_look_alikes(ids, several, how)
    return Ratings(
        **arrays_of(columns, user_ids, movie_ids, known),
        source=source,
        n_duplicates=0 if how.implicit else n_read - len(columns["rating"]),
        declared_range=how.rating_range,
        notes=tuple(how.notes),
        nouns=nouns,
        unrated=rows.unrated,
        implicit=bool(how.implicit),
    )


def arrays_of(
    columns: Mapping[str, np.ndarray],
    user_ids: Sequence[int | str],
    movie_ids: Sequence[int | str],
    known: Mapping[int | str, Movie],
) -> dict[str, Any]:
    """Return the arrays of Ratings by name: the columns of the ratings, and who is rated by whom, with titles."""
    info = [known.get(movie_id, Movie()) for movie_id in movie_ids]
    return {
        "user_ids": ids_as_array(user_ids),
        "movie_ids": ids_as_array(movie_ids),
        "user_idx": columns["user_idx"],
        "movie_idx": columns["movie_idx"],
        "rating": columns["rating"],
        "timestamp": columns.get("timestamp"),
        "titles": np.array([movie.title for movie in info], dtype=object),
        "years": np.array([movie.year for movie in info], dtype=np.int16),
        "genres": np.array([movie.genres for movie in info], dtype=object),
    }


def _tell_look_alikes(ids: Sequence[int | str], several: str, how: Reading) -> None:
    """Note texts that differ in case or in blanks alone, as the same name typed by two people does."""
    texts = [identity for identity in ids if isinstance(identity, str)]
    if len(texts) > _MOST_COMPARED:
        return
    first: dict[str, str] = {}
    alike = [(met, text) for text in texts if (met := first.setdefault(_folded(text), text)) != text]
    if alike:
        n, (one, other) = len(alike), alike[0]
        how.note(
            f"{n:,} of the {several} differ{'s' if n == 1 else ''} from another in case or blanks alone, such as "
            f"{shorten(one)} and {shorten(other)}: they count as different {several}"
        )


def _folded(text: str) -> str:
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(plain.casefold().split())


def _add_up(
    columns: dict[str, np.ndarray], n_movies: int, kept: np.ndarray | None, source: str, how: Reading
) -> np.ndarray | None:
    """Put the sum of a pair's counts into each of its rows, and return which rows to keep, None for all."""
    n_read = len(columns["rating"])
    if kept is not None:
        keys = _pair_keys(columns["user_idx"], columns["movie_idx"], n_movies)
        _, pair = np.unique(keys, return_inverse=True)
        columns["rating"] = np.bincount(pair, columns["rating"])[pair].astype(np.float32)
        how.note(f"{n_read:,} rows are {np.count_nonzero(kept):,} pairs: the counts of a pair are added up")
    none = columns["rating"] <= 0
    if kept is not None:
        none &= kept
    if none.any():
        n_none = np.count_nonzero(none)
        how.note(f"{n_none:,} pair{'s' if n_none > 1 else ''} with a count of 0 or less left out")
        kept = ~none if kept is None else kept & ~none
        if not kept.any():
            raise InputError(f"{source}: no count is above 0, so that nothing was picked")
    return kept


def one_of_each_pair(
    user_idx: np.ndarray, movie_idx: np.ndarray, n_movies: int, timestamp: np.ndarray | None
) -> np.ndarray | None:
    """Return which rows to keep so that every (user, movie) pair stays once; None where none comes twice.

    Of the rows of a pair the latest stays, and of those at the same time, or without times, the last.
    """
    n_users = int(user_idx.max(initial=-1)) + 1
    former = [
        rows[_former(_pair_keys(user_idx[rows], movie_idx[rows], n_movies), rows, timestamp)]
        for _, _, rows in ranges(user_idx, n_users)
    ]
    return all_but(np.concatenate(former), len(user_idx)) if any(map(len, former)) else None


def _former(keys: np.ndarray, rows: np.ndarray, timestamp: np.ndarray | None) -> np.ndarray:
    """Return which of these rows, with the key of each, have a later one of the same key."""
    in_order = np.sort(keys)
    if not (in_order[1:] == in_order[:-1]).any():
        return np.empty(0, np.int64)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    again = keys[1:] == keys[:-1]
    if timestamp is not None:
        several = np.flatnonzero(np.append(again, False) | np.append(False, again))
        by_time = np.lexsort((timestamp[rows[order[several]]], keys[several]))
        order[several] = order[several][by_time]
    return order[:-1][again]


def _pair_keys(user_idx: np.ndarray, movie_idx: np.ndarray, n_movies: int) -> np.ndarray:
    keys = user_idx.astype(np.int64)
    keys *= n_movies
    keys += movie_idx
    return keys


def _by_first_appearance(idx: np.ndarray, ids: list[int | str]) -> tuple[np.ndarray, list[int | str]]:
    order = pd.unique(idx)
    rank = np.empty(len(ids), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)  # some ids may have lost all their rows
    return rank[idx], [ids[row] for row in order]

"""Read what is known of the movies: title, year, genres."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from cf_excel.errors import InputError
from cf_excel.ratings.column_names import MOVIE_COLUMNS, Headed, find_columns
from cf_excel.ratings.columns import TextTable, look_at
from cf_excel.ratings.sources import Source
from cf_excel.ratings.table import canonical_id

# The flags of ml-100k's u.item, in their order (its u.genre); "unknown" says nothing.
_FLAGS_100K = (
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_N_COLUMNS_100K = 5 + len(_FLAGS_100K)
_NO_GENRES = "(no genres listed)"
# "(1999)", and of a series "(1975-1979)" or "(2007-)", at the end of a title.
_YEAR_IN_TITLE = re.compile(r"\(([0-9]{4})(?:\s*[-–]\s*(?:[0-9]{4})?)?\s*\)\s*$")
_YEAR_IN_CELL = re.compile(r"(?<![0-9])((?:1[89]|20)[0-9]{2})(?![0-9])")
_LINE_BREAK = re.compile("\r\n|[\0\n\r\x85\u2028\u2029]")


class Movie(NamedTuple):
    """What is known of a movie: "" and 0 where nothing is."""

    title: str = ""
    year: int = 0
    genres: str = ""


def read_movies(source: Source) -> Mapping[int | str, Movie]:
    """Return the movies of a table by canonical id; where an id comes twice, the last row counts.

    Reads texts with a header (id, title, genres, year, all but the id optional) and ml-100k's and ml-1m's own forms.
    The year comes from its column, else from the end of the title. Line breaks and NULs in titles become spaces.
    Raises FileError for a file that can't be read and InputError for what is in it.
    """
    return look_at(source, always_header=True).read_with(_read)


def _read(table: TextTable) -> dict[int | str, Movie]:
    is_100k = table.separator == "|" and table.n_columns == _N_COLUMNS_100K
    if is_100k:
        table = replace(table, n_header_lines=0)
        column = {"id": 0, "title": 1}
    elif table.separator == "::" and table.n_columns == 3:
        table = replace(table, n_header_lines=0)
        column = {"id": 0, "title": 1, "genres": 2}
    else:
        column = find_columns(table, *MOVIE_COLUMNS)
    return read_movie_records(table, column, table.records(), "line", is_100k=is_100k)


def read_movie_records(
    table: Headed, column: dict[str, int], records: Iterable[tuple[int, list[str]]], unit: str, is_100k: bool = False
) -> dict[int | str, Movie]:
    """Return the movies of records by canonical id, each with its number: of a line of a text, or a row of a sheet.

    column: the positions of "id" and, where there are such columns, "title", "genres" and "year".
    Raises InputError for a blank id and for a record that is wider than the header.
    """
    at_id, at_title, at_genres, at_year = (column.get(kind, -1) for kind in ("id", "title", "genres", "year"))
    n_columns = len(table.first_record)
    movies = {}
    for number, record in records:
        place = f"{table.name} {unit} {number}"
        if len(record) > n_columns and any(record[n_columns:]):
            raise InputError(f"{place}: {len(record)} cells, expected {n_columns} (a title to quote?)")
        record += [""] * (n_columns + 1 - len(record))  # short rows; and -1 stands for a column that is not there
        if not record[at_id].strip():
            raise InputError(f"{place}: the movie's id is blank")
        genres = _flagged(record) if is_100k else record[at_genres]
        movies[canonical_id(record[at_id])] = movie_of(record[at_title], genres.strip(), record[at_year])
    return movies


def _flagged(record: list[str]) -> str:
    flags = zip(_FLAGS_100K, record[-1 - len(_FLAGS_100K) :], strict=False)
    return "|".join(genre for genre, flag in flags if flag == "1" and genre != "unknown")


def movie_of(title: str, genres: str, year: str) -> Movie:
    """Return what a table says of a movie: the year is in its cell, or at the end of the title."""
    match = _YEAR_IN_CELL.search(year) or _YEAR_IN_TITLE.search(title)
    return Movie(_one_line(title), int(match[1]) if match else 0, "" if genres == _NO_GENRES else _one_line(genres))


def _one_line(text: str) -> str:
    return text if text.isprintable() else _LINE_BREAK.sub(" ", text)

"""Read what one person rated: the exports of Letterboxd, IMDb and Goodreads, or a table or sheet of titles or ids."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cf_excel.errors import InputError
from cf_excel.ratings.cell_tables import ListOfCells
from cf_excel.ratings.column_names import USUAL_NAMES, named_as
from cf_excel.ratings.columns import TextTable, look_at
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.forms import first_list
from cf_excel.ratings.movies import movie_of
from cf_excel.ratings.rating_texts import as_number
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.sources import Source, list_sources
from cf_excel.ratings.unread_cells import UnreadCell, tell_unread
from cf_excel.ratings.workbooks import read_sheets

_SERIES = re.compile(r"\s*\([^()]*#[^()]*\)\s*$")  # Goodreads: "Dune (Dune, #1)"
# headers of titles alone, whose numbers are no ids: 300 and 1984 are titles
_TITLES = (
    *("title", "name", "movietitle", "moviename", "itemname", "productname", "booktitle", "filmtitle", "titel"),
    *("titre", "titulo", "producttitle"),
)
_IDS = tuple(name for name in USUAL_NAMES["id"] if name not in _TITLES)


class OwnRating(NamedTuple):
    """A rating of one person: titles, the likeliest first, year (0: unknown), rating, and an id, "" for none."""

    titles: tuple[str, ...]
    year: int
    rating: float
    movie_id: str = ""

    @property
    def name(self) -> str:
        """What to call the movie: its title, with the year where that is known."""
        title = next((title for title in self.titles if title), self.movie_id)
        return f"{title} ({self.year})" if self.year and not title.endswith(f"({self.year})") else title


@dataclass(frozen=True)
class OwnRatings:
    """What one person rated. layout: whose export it is, "" for a table; n_unrated: rows without a rating."""

    layout: str
    ratings: list[OwnRating]
    n_unrated: int


class _Export(NamedTuple):
    """An export: the columns that tell it, those to read ("" for none), its scale, and what stands for no rating."""

    name: str
    told_by: str
    titles: tuple[str, ...]
    year: str
    rating: str
    scale: tuple[float, float]
    unrated: str = ""


# Goodreads' years are those of editions, which a model may have of others
_LAYOUTS = (
    _Export("Letterboxd", "letterboxduri", ("name",), "year", "rating", (0.5, 5)),
    _Export("IMDb", "const", ("title", "originaltitle"), "year", "yourrating", (1, 10)),
    _Export("Goodreads", "bookid", ("title",), "", "myrating", (1, 5), unrated="0"),
)


class _Columns(NamedTuple):
    titles: list[int]
    year: int
    rating: int
    id: int


def read_own_ratings(path: Path, rating_range: tuple[float, float]) -> OwnRatings:
    """Read the ratings of one person, on the scale of a model: rating_range, its lowest and highest.

    An export's scale is stretched to that one, end to end; a table's ratings are on it already. A folder or a zip is
    read for its ratings.csv, a workbook for its only list. Raises FileError for a file that can't be read and
    InputError for what is in it.
    """
    source = _source(path)
    if source.kind == "workbook":
        return _read(_list_in(source), rating_range)
    return look_at(source, always_header=True).read_with(lambda table: _read(table, rating_range))


def _source(path: Path) -> Source:
    sources = list_sources(path)
    named = [source for source in sources if PurePosixPath(source.member or source.path.name).name == "ratings.csv"]
    found = sources if len(sources) == 1 else named
    if len(found) != 1:
        raise InputError(f"{path}: expected one table, or a folder or zip with one ratings.csv")
    if found[0].kind not in ("text", "workbook"):
        raise InputError(f"{found[0].name} is a {found[0].kind} file: expected a CSV or a workbook; save it as one")
    return found[0]


def _list_in(source: Source) -> ListOfCells:
    """Return the list of titles or ids and ratings in a workbook, whose header is the first row with such names."""
    found = [table for cells in read_sheets(source) if (table := first_list(cells, _is_rated))]
    if len(found) != 1:
        listed = ", ".join(table.name.removeprefix(f"{source.name} sheet ") for table in found) or "none"
        raise InputError(f"{source.name}: expected one sheet with columns title (or id) and rating (found: {listed})")
    return found[0]


def _read(table: TextTable | ListOfCells, rating_range: tuple[float, float]) -> OwnRatings:
    unit = table.cells.unit if isinstance(table, ListOfCells) else "line"
    layout = next((layout for layout in _LAYOUTS if _is_of(table, layout)), None)
    columns = _columns(table) if layout is None else _columns_of(table, layout)
    scale, unrated = (rating_range, "") if layout is None else (layout.scale, layout.unrated)
    if isinstance(table, ListOfCells):
        tell_unread(table.name, _unread(table, columns.rating), Reading())
    ratings, n_unrated = [], 0
    for line, record in table.records():
        place = f"{table.name} {unit} {line}"
        cells = [cell.strip() for cell in record]
        cells += [""] * (table.n_columns + 1 - len(cells))  # short rows; and -1 stands for a column that is not there
        if len(record) > table.n_columns and any(cells[table.n_columns :]):
            raise InputError(f"{place}: {len(record)} cells, expected {table.n_columns} (a title to quote?)")
        if cells[columns.rating] in ("", unrated):
            n_unrated += 1
            continue
        titles = tuple(_SERIES.sub("", cells[i]) if unrated else cells[i] for i in columns.titles)
        if not (any(titles) or cells[columns.id]):
            raise InputError(f"{place}: a rating without a title")
        value = as_number(cells[columns.rating], table.decimal_comma)
        if value is None or not scale[0] <= value <= scale[1]:
            wanted = f"expected a number from {scale[0]:g} to {scale[1]:g}"
            raise InputError(f"{place}: rating {shorten(cells[columns.rating])}: {wanted}")
        year = movie_of(titles[0] if titles else "", "", cells[columns.year]).year
        ratings.append(OwnRating(titles, year, _stretched(value, scale, rating_range), cells[columns.id]))
    if not ratings:
        unrated_rows = f" ({n_unrated:,} row{'s' if n_unrated > 1 else ''} without one)" if n_unrated else ""
        raise InputError(f"{table.name} has no ratings{unrated_rows}")
    return OwnRatings("" if layout is None else layout.name, ratings, n_unrated)


def _unread(table: ListOfCells, at: int) -> list[tuple[str, UnreadCell]]:
    cells = [(f"{table.cells.unit} {number}", record[at]) for number, record in table.records() if at < len(record)]
    return [(place, cell) for place, cell in cells if isinstance(cell, UnreadCell)]


def _stretched(value: float, scale: tuple[float, float], to: tuple[float, float]) -> float:
    share = (value - scale[0]) / (scale[1] - scale[0])
    return value if scale == to else round(to[0] + share * (to[1] - to[0]), 6)


def _at(header: list[str], *names: str) -> int:
    """Return the position of the column that has the first of these names that occurs, -1 where none does."""
    return next(iter(named_as(header, names)), -1)


def _rating_at(header: list[str]) -> int:
    return _at(header, *USUAL_NAMES["rating"], "myrating", "yourrating")


def _named_at(header: list[str]) -> tuple[int, int]:
    """Return the positions of the column of titles and that of ids."""
    return _at(header, *_TITLES, *USUAL_NAMES["title"]), _at(header, *_IDS)


def _is_rated(table: ListOfCells) -> bool:
    return _rating_at(table.first_record) >= 0 <= max(_named_at(table.first_record))


def _is_of(table: TextTable | ListOfCells, layout: _Export) -> bool:
    return all(_at(table.first_record, name) >= 0 for name in (layout.told_by, layout.titles[0], layout.rating))


def _columns_of(table: TextTable | ListOfCells, layout: _Export) -> _Columns:
    header = table.first_record
    titles = [i for name in layout.titles if (i := _at(header, name)) >= 0]
    return _Columns(titles, _at(header, layout.year) if layout.year else -1, _at(header, layout.rating), -1)


def _columns(table: TextTable | ListOfCells) -> _Columns:
    """Return the columns of a table that is nobody's export."""
    header = table.first_record
    rating, (title, own_id) = _rating_at(header), _named_at(header)
    if rating < 0 or max(title, own_id) < 0:
        found = ", ".join(map(shorten, header[:12]))
        raise InputError(
            f"{table.name} has no columns title (or id) and rating (found: {found}): expected them, or a ratings "
            "export of Letterboxd, IMDb or Goodreads"
        )
    return _Columns([title] if title >= 0 else [], _at(header, *USUAL_NAMES["year"]), rating, own_id)

"""Read ratings from files of every usual form into the ratings table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from cf_excel.errors import InputError
from cf_excel.ratings.assembly import assemble
from cf_excel.ratings.cell_tables import ListOfCells, ListOfGrid, TableCells, cut, refuse_blank, text_of
from cf_excel.ratings.column_names import MOVIE_COLUMNS, REQUIRED, NoRatingColumn, columns_beside, find_columns, noun_of
from cf_excel.ratings.columns import TextTable, look_at
from cf_excel.ratings.forms import HEAD_ROWS, find_table, has_columns, is_first_row, refuse
from cf_excel.ratings.grouped_rows import ungrouped
from cf_excel.ratings.lesson_ratings import LESSON_DATA, load_lesson_ratings
from cf_excel.ratings.movies import Movie, read_movie_records, read_movies
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.ratings.parquet_files import holds_parquet, read_parquet
from cf_excel.ratings.pick_tables import as_picks, pick_columns
from cf_excel.ratings.rating_rows import RatingsTable, read_rows
from cf_excel.ratings.rating_texts import means_not_rated
from cf_excel.ratings.reading import PAIR, Reading
from cf_excel.ratings.record_files import (
    as_frame,
    find_in_frame,
    in_python,
    is_json_lines,
    naming_arguments,
    read_json_lines,
)
from cf_excel.ratings.sources import WORKBOOK_ENDINGS, Source, is_url, list_sources
from cf_excel.ratings.table import LESSON_SOURCE, Ratings
from cf_excel.ratings.timestamps import serials_as_seconds
from cf_excel.ratings.unread_cells import tell_unread

# How MovieLens names its files, in every release so far.
_RATINGS_FILES = ("ratings.csv", "ratings.dat", "u.data")
_MOVIES_FILES = ("movies.csv", "movies.dat", "u.item")
_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".dat", ".data", *WORKBOOK_ENDINGS)


def load_ratings(
    path: Path | str | None = None,
    *,
    movies: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    rating_range: tuple[float, float] | None = None,
    sheet: str | None = None,
    table: str | None = None,
    cells: str | None = None,
    form: str | None = None,
    items_down: bool = False,
    not_rated: Sequence[str | float] = (),
    skip_bad: bool = False,
    encoding: str | None = None,
    date_format: str | None = None,
    nouns: tuple[str, str] | None = None,
    implicit: bool | None = False,
    tell: Callable[[int, int], None] | None = None,
) -> Ratings:
    """Read ratings from a file, folder or zip; without a path the lesson's 100,004 that come with cf_excel.

    A file is a workbook (.xlsx, .xlsm, .xlsb, .xls, .ods), JSON lines, Parquet, or a text table with comma, semicolon,
    tab, "|" or "::" between the cells, also compressed by gzip, bzip2 or xz; a folder or zip is one of MovieLens' own,
    or holds a single table; all Parquet files of a folder, or of an address such as s3://bucket/folder, are one.
    movies is a table of titles, as text or in a workbook, for a path that has none or other ones.
    The table is a list, a row a rating, or a grid with users down and items across (items_down: the other way), which
    is found within the cells, or forced by form. sheet, table (Excel's) and cells, a range such as columns B to D,
    name its place in a workbook where several sheets hold ratings.
    columns names the columns of "user", "movie", "rating" and "timestamp" where they are not the usual ones, or counts
    them from 1; "timestamp": "none" leaves the times out. Every rating must lie in rating_range, if given.
    A blank rating, or one of not_rated, is none. skip_bad leaves rows out that can't be read. date_format, such as
    DD/MM/YYYY, is needed where days can't be told from months. nouns: what a user and a movie are called, such as
    ("customer", "product"); without them the headers say it, else they are "user" and "movie".
    Where a user rates a movie more than once, the latest counts, or without times the last row in the file: the others
    are left out and counted in n_duplicates, and the rows of users and movies follow the first appearance in what is
    left. What else there is to tell stands in notes.
    implicit: whether the rows are picks, such as orders, plays and clicks: they need no column of ratings, which counts
    them if there is one, and the counts of a pair are added up. None: where there is no such column, where all ratings
    are the same, or where they are counts.
    tell: called, while a text is read, with how many of its bytes were, and how many it has.
    32 million ratings take less than three times the size of their arrays.

    Raises FileError for a file that can't be read and InputError, with the lines, for what is in it.
    """
    how = Reading.of(
        columns,
        nouns,
        not_rated,
        rating_range=rating_range,
        sheet=sheet,
        table=table,
        cells=cells,
        form=form,
        items_down=items_down,
        skip_bad=skip_bad,
        encoding=encoding,
        date_format=date_format,
        implicit=implicit,
    )
    if path is None and how == Reading(implicit=implicit) and not movies and not implicit:
        return load_lesson_ratings()
    sources = [replace(one, tell=tell) for one in list_sources(LESSON_DATA if path is None else path)]
    try:
        found = find_rows(_choose(sources, _RATINGS_FILES, path, "ratings"), how)
        column = _columns(found, how)
    except NoRatingColumn as error:
        if not how.may_be_picks:
            raise
        raise InputError(f"{error}, or --implicit where each row is an order, a play, a click ...") from None
    how = replace(how, nouns=how.nouns or _nouns(found, column))
    if isinstance(found, TextTable):
        rows = replace(found, number_column=column.get("rating")).read_with(lambda table: read_rows(table, column, how))
    else:
        if isinstance(found, ListOfCells):
            found = ungrouped(found, column, how)
        if isinstance(found, ListOfCells | ListOfGrid):
            tell_unread(found.name, found.unread(column), how)
        rows = read_rows(found, column, how)
    if isinstance(found, ListOfCells) and found.cells.unit == "row" and "timestamp" in rows.columns:
        rows.columns["timestamp"] = [serials_as_seconds(np.concatenate(rows.columns["timestamp"]))]
    movies_source = _movies_source(sources, movies)
    told = _read_movies(movies_source) if movies_source else {}
    nouns = how.nouns or USUAL_NOUNS
    if movies_source and movies and told.keys().isdisjoint(rows.movies.row_of_id):
        how.note(f"{movies_source.name} tells of none of the {nouns.movies} that are rated: expected their ids there")
    name = LESSON_SOURCE if path is None else found.name if is_url(path) else Path(path).resolve().name
    how = as_picks(found, column, rows, how)
    ratings = assemble(rows, rows.known() | dict(told), name, nouns, how)
    return replace(ratings, grid=found.order()) if isinstance(found, ListOfGrid) else ratings


@naming_arguments()
def frame_ratings(
    table: object,
    *,
    columns: Mapping[str, str] | None = None,
    rating_range: tuple[float, float] | None = None,
    nouns: tuple[str, str] | None = None,
    implicit: bool | None = False,
) -> Ratings:
    """Return the ratings in a DataFrame, a row a rating; arguments as in load_ratings, errors too.

    table: of pandas, polars or pyarrow, or what pandas makes a DataFrame of.
    """
    named = {kind: str(name) for kind, name in (columns or {}).items()}
    how = Reading.of(named, nouns, rating_range=rating_range, implicit=implicit)
    try:
        found, column = find_in_frame(as_frame(table), lambda records: _columns(records, how))
    except NoRatingColumn as error:
        picks = 'implicit=True (kind="picks" to fit) where each row is an order, a play, a click ...'
        raise InputError(f"{error}, or {picks}") from None
    how = replace(how, nouns=how.nouns or _nouns(found, column))
    rows = read_rows(found, column, how)
    how = as_picks(found, column, rows, how)
    how = replace(how, notes=[in_python(note) for note in how.notes])
    return assemble(rows, rows.known(), found.name, how.nouns or USUAL_NOUNS, how)


@naming_arguments()
def frame_pairs(table: object, columns: Mapping[str, str] | None = None) -> tuple[pd.DataFrame, str, str]:
    """Return a table of pairs as a DataFrame, and the names of its columns of users and of movies.

    Raises InputError where they are not there.
    """
    names = {kind: str(name) for kind, name in (columns or {}).items()}
    found, column = find_in_frame(as_frame(table), lambda records: find_columns(records, PAIR, (), names))
    return found.frame, found.frame.columns[column["user"]], found.frame.columns[column["movie"]]


def _choose(sources: list[Source], usual: tuple[str, ...], path: Path | str | None, what: str) -> Source:
    """Return the file that has MovieLens' name for it, or else the only table, or all Parquet files of a folder."""
    for name in usual:
        if named := [source for source in sources if source.file_name == name]:
            return named[0]  # the one that lies least deep
    tables = [one for one in sources if one.file_name.endswith(_TABLE_ENDINGS) and one.file_name[0] not in ".~"]
    if what == "ratings" and path is not None and not is_url(path):
        beside = {one.file_name for one in tables} <= set(_MOVIES_FILES)
        if beside and holds_parquet(Path(path)):
            return Source(Path(path), kind="parquet")
    if len(sources) == 1:
        return sources[0]
    if len(tables) == 1:
        return tables[0]
    found = ", ".join(source.name for source in tables[:6]) or "no table"
    raise InputError(f"{path}: expected {', '.join(usual)} or a single table of {what} (found: {found})")


def is_parquet_folder(path: Path | str) -> bool:
    """Say whether a path stands for all Parquet files of a folder, or is an address of such."""
    if is_url(path):
        return True
    return Path(path).is_dir() and _choose(list_sources(path), _RATINGS_FILES, path, "ratings").path == Path(path)


def movies_beside(path: Path | str, movies: Path | str | None) -> Mapping[int | str, Movie]:
    """Return what is known of the movies of a folder, from a table that is named or lies there; maybe nothing.

    Raises FileError and InputError as load_ratings does.
    """
    source = _movies_source(list_sources(path), movies)
    return _read_movies(source) if source else {}


def _movies_source(sources: list[Source], movies: Path | str | None) -> Source | None:
    if movies is not None:
        return _choose(list_sources(movies), _MOVIES_FILES, movies, "movies")
    return next((source for name in _MOVIES_FILES for source in sources if source.file_name == name), None)


def _read_movies(source: Source) -> Mapping[int | str, Movie]:
    if source.kind != "workbook":
        return read_movies(source)
    from cf_excel.ratings.workbooks import read_movies_sheet

    sheet = read_movies_sheet(source)
    return read_movie_records(sheet, find_columns(sheet, *MOVIE_COLUMNS), sheet.records(), "row")


def find_rows(source: Source, how: Reading) -> RatingsTable:
    """Return the table of ratings, or of pairs, in a file. Raises FileError or InputError where there is none."""
    if source.kind == "workbook":
        from cf_excel.ratings.workbooks import read_workbook

        return read_workbook(source, how)
    for option, value in (("--sheet", how.sheet), ("--table", how.table)):
        if value is not None:
            raise InputError(f"{option} {value}: {source.name} is no workbook")
    is_json = source.kind == "text" and is_json_lines(source)
    if (source.kind == "parquet" or is_json) and (how.cells or how.form == "grid" or how.items_down):
        raise InputError(
            f"{source.name} has records, not cells: --range, --form grid and --items-down don't go with it"
        )
    if source.kind == "parquet":
        return read_parquet(source)
    if is_json:
        return read_json_lines(source)
    return _find_in_text(source, how)


def _find_in_text(source: Source, how: Reading) -> RatingsTable:
    """Return a text as the list that it nearly always is, from its first line on, or what is found further in."""
    table = look_at(source, encoding=how.encoding, notes=how.notes, is_data=lambda cells: is_first_row(cells, how))
    missing: InputError | None = None  # columns, of a list from the first line on
    if how.cells is None and how.form != "grid" and not how.items_down:
        try:
            find_columns(table, how.wanted, how.optional, how.names)
        except InputError as error:
            missing = error
            if pick_columns(table, how):
                return table
        else:
            return table
    whole = table.from_start()
    try:
        head = _cells(whole, HEAD_ROWS if how.cells is None else None, how)
    except InputError as error:
        raise missing or error from None
    found = find_table(head, replace(how, notes=[]))
    if found is None:
        if missing is not None and table.n_columns > 1:
            raise missing
        refuse(head, how)
    if isinstance(found, ListOfCells) and how.cells is None:
        listed = _from_header_on(whole, head, found)
        if has_columns(listed, how) or pick_columns(listed, how):
            return listed  # else another table stands beside it
    found = find_table(head if how.cells is not None else _cells(whole, None, how), how)
    if found is None:
        raise missing or InputError(f"{source.name} has no table of {how.content}")
    return found


def _from_header_on(whole: TextTable, head: TableCells, found: ListOfCells) -> TextTable:
    """Return a text as the list that was found in its first rows, so that the rest is read piece by piece."""
    n_above = len(head.rows) - len(found.cells.rows)
    header = [str(cell).strip() for cell in head.rows[n_above - found.has_header]]
    n_lines = head.numbers[n_above - 1] if n_above else whole.n_header_lines
    return replace(whole, first_record=header, n_header_lines=n_lines, has_header=found.has_header)


def _cells(table: TextTable, n_rows: int | None, how: Reading) -> TableCells:
    records = table.read_with(lambda table: list(islice(table.records(), n_rows)))
    rows: list[list] = [cells for _, cells in records]
    cells = TableCells(table.name, rows, [line for line, _ in records], "line", table.decimal_comma)
    if how.cells is not None:
        cells = cut(cells, how.cells)
        refuse_blank(cells, how.cells)
    return cells


def _columns(table: RatingsTable, how: Reading) -> dict[str, int]:
    """Return the positions of the columns of ratings, and of what is beside them."""
    if isinstance(table, ListOfGrid):
        _note_grid(table, how)
        return {kind: i for i, kind in enumerate(REQUIRED)}
    try:
        column = find_columns(table, REQUIRED, how.optional, how.names)
    except NoRatingColumn:
        picks = pick_columns(table, how)
        if picks is None:
            raise
        column = picks
    return column | (columns_beside(table.first_record, set(column.values())) if table.has_header else {})


def _note_grid(table: ListOfGrid, how: Reading) -> None:
    is_none = means_not_rated(how.not_rated, table.decimal_comma)
    rated = [cell for cell in table.values if not is_none(text_of(cell[2]))]
    n_users, n_items = (len({cell[i] for cell in rated}) for i in (0, 1))
    nouns = how.nouns or _nouns(table, {})
    down, across = f"{n_users:,} {nouns.users}", f"{n_items:,} {'items' if nouns.movie == 'movie' else nouns.movies}"
    if table.items_down:
        down, across = across, down
    how.note(f"{table.name} read as a grid: {down} down, {across} across, {len(rated):,} ratings")


def _nouns(table: RatingsTable, column: dict[str, int]) -> Nouns:
    """Return what the headers call those who rate and what is rated; else user and movie."""
    if isinstance(table, ListOfGrid):
        return Nouns(*table.nouns())
    if not table.has_header:
        return USUAL_NOUNS
    user, movie = (table.first_record[column[kind]] for kind in ("user", "movie"))
    return Nouns(noun_of(user, "user"), noun_of(movie, "movie"))

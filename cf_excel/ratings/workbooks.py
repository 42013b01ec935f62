"""Read workbooks of Excel and LibreOffice: the sheet, the table or the range of cells that holds ratings."""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
    TablesNotSupported,
)

from cf_excel.errors import CfExcelError, FileError, InputError
from cf_excel.ratings.cell_tables import ListOfCells, TableCells, column_number, cut, refuse_blank
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.forms import Found, find_movies, find_table, has_columns, refuse
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.sources import BROKEN_FILE, LIMITS, Source, reason
from cf_excel.ratings.unread_cells import UnreadCells, refuse_uncalculated
from cf_excel.zip_guard import UnpackingLimits

_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # what an .xlsx with a password has in place of its sheets
FILLED = "Filled in by cf_excel: "  # the first words of a sheet with predictions, which are no ratings
_LIMITS = UnpackingLimits("workbook is", ratio=200, most=LIMITS.most)  # XML of many equal cells shrinks a hundredfold
_MOST_CELLS = 64 * 10**6
_HEAD_BYTES = 4096
_EXTENT = re.compile(rb'<(?:\w+:)?dimension ref="[A-Z]+[0-9]+:([A-Z]+)([0-9]+)"')


def read_workbook(source: Source, how: Reading) -> Found:
    """Return the table of ratings in a workbook: in the sheet, table or range that is named, else the only one there.

    Raises FileError for a workbook that can't be read, and InputError where there is no such place or no ratings in
    it, or where several sheets hold some.
    """
    with _opened(source, load_tables=how.table is not None) as (book, unread):
        return _read_sheets(book, unread, source, how) if how.table is None else _read_table(book, unread, source, how)


def read_sheets(source: Source) -> list[TableCells]:
    """Return what is in the sheets that show, but for those that cf_excel filled in.

    Raises FileError for a workbook that can't be read.
    """
    with _opened(source) as (book, unread):
        names = _visible(book)
        sheets = [_cells(f"{source.name} sheet {name}", book.get_sheet_by_name(name), unread, None) for name in names]
    return [cells for cells in sheets if not _is_filled_in(cells)]


def read_movies_sheet(source: Source) -> ListOfCells:
    """Return the list of movies in a workbook: in the only sheet that has an id and a title, genres or a year of each.

    A sheet of ratings is none where there is another. Raises FileError for a workbook that can't be read, and
    InputError where there is no such sheet, or where there are several.
    """
    found = [table for cells in read_sheets(source) if (table := find_movies(cells))]
    found = [table for table in found if not has_columns(table, Reading())] or found
    if len(found) == 1:
        return found[0]
    listed = ", ".join(table.name.removeprefix(f"{source.name} sheet ") for table in found) or "none"
    raise InputError(
        f"{source.name}: expected one sheet with columns such as product id, title, category (found: {listed})"
    )


@contextmanager
def _opened(source: Source, load_tables: bool = False) -> Iterator[tuple[CalamineWorkbook, UnreadCells]]:
    """Open a workbook. Raises FileError, also while it is read, for one that can't be read."""
    try:
        content = source.read_bytes()
        _check(source.name, content)
        with CalamineWorkbook.from_filelike(io.BytesIO(content), load_tables=load_tables) as book:
            yield book, UnreadCells(content)
    except TablesNotSupported as error:
        raise InputError(f"{source.name}: only .xlsx and .xlsm have tables; pass --sheet or --range") from error
    except PasswordError as error:
        raise FileError(f"{source.name} has a password: save it without one") from error
    except CfExcelError:
        raise
    except (CalamineError, *BROKEN_FILE) as error:
        raise FileError(f"{source.name} can't be read as a workbook: {reason(error)}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what the reader does not foresee of a damaged file
            raise
        raise FileError(f"{source.name} can't be read as a workbook: it is damaged") from error


def _check(name: str, content: bytes) -> None:
    """Raise FileError for a workbook with a password, for one that unpacks to too much, and for a value far off.

    A sheet is held whole, up to its last cell: a single one in the last row and column would need 400 GB.
    """
    if not content.startswith(b"PK"):
        if _ENCRYPTED in content:
            raise FileError(f"{name} has a password: save it without one")
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        _LIMITS.check(name, len(content), sum(entry.file_size for entry in entries))
        for entry in entries:
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", entry.filename):
                with archive.open(entry) as part:
                    extent = _EXTENT.search(part.read(_HEAD_BYTES))
                if extent and column_number(extent[1].decode()) * int(extent[2]) > _MOST_CELLS:
                    last = (extent[1] + extent[2]).decode()
                    raise FileError(f"{name}: a sheet has its last value in {last}: delete what stands so far off")


def _read_table(book: CalamineWorkbook, unread: UnreadCells, source: Source, how: Reading) -> Found:
    name = _named(source, "table", how.table or "", book.table_names or [])
    table = book.get_table_by_name(name)
    top, left = table.start or (1, 0)
    rows = table.to_python()
    unread.mark(table.sheet, rows, top, left)
    cells = TableCells(f"{source.name} table {name}", [list(table.columns), *rows], range(top, top + 1 + table.height))
    found = find_table(cells, how)
    if found is None:
        refuse_uncalculated(cells.name, cells.rows)
        refuse(cells, how)
    return found


def _read_sheets(book: CalamineWorkbook, unread: UnreadCells, source: Source, how: Reading) -> Found:
    sheets = [sheet.name for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    names = _visible(book) if how.sheet is None else [_named(source, "sheet", how.sheet, sheets)]
    found, notes, others = {}, {}, []
    for name in names:
        cells = _cells(f"{source.name} sheet {name}", book.get_sheet_by_name(name), unread, how.cells)
        if how.cells is not None and len(names) == 1:
            refuse_blank(cells, how.cells)
        if how.sheet is None and _is_filled_in(cells):
            continue
        own = replace(how, notes=[])
        table = find_table(cells, own)
        if table is not None:
            found[name], notes[name] = table, own.notes
        else:
            others.append(cells)
    if how.may_be_picks:  # a sheet without ratings is none beside one that has some
        rated = {name: table for name, table in found.items() if has_columns(table, how)}
        found = rated or found
    if len(found) > 1:
        listed = ", ".join(shorten(name) for name in found)
        raise InputError(
            f"{source.name} has {len(found)} sheets that may hold the {how.content} ({listed}): pass --sheet NAME"
        )
    if not found:
        for cells in others:
            refuse_uncalculated(cells.name, cells.rows)
        if len(names) == 1 and others:
            refuse(others[0], how)
        listed = ", ".join(shorten(name) for name in names[:12]) or "none"
        raise InputError(
            f"{source.name} has no sheet with {how.content} (looked at: {listed}): expected columns such as customer, "
            f"product{'' if how.is_of_pairs else ', rating, or a grid of users down and items across'}; "
            "pass --sheet NAME to hear more"
        )
    (name,) = found
    if len(sheets) > 1 and how.sheet is None:
        how.note(f"the {how.content} are in sheet {name}")
    for note in notes[name]:
        how.note(note)
    return found[name]


def _visible(book: CalamineWorkbook) -> list[str]:
    is_shown = SheetTypeEnum.WorkSheet, SheetVisibleEnum.Visible
    return [sheet.name for sheet in book.sheets_metadata if (sheet.typ, sheet.visible) == is_shown]


def _is_filled_in(cells: TableCells) -> bool:
    return bool(cells.rows) and str(cells.rows[0][0]).startswith(FILLED)


def _cells(name: str, sheet: CalamineSheet, unread: UnreadCells, cells: str | None) -> TableCells:
    """Return the values of a sheet, or of a range of it, with what is merged downwards in each of its rows."""
    top, left = sheet.start or (0, 0)
    rows = sheet.to_python()
    unread.mark(sheet.name, rows, top, left)
    for (first, column), (last, _) in sheet.merged_cell_ranges or ():
        for i in range(first + 1 - top, min(last + 1 - top, len(rows))):
            if first - top >= 0 and 0 <= column - left < len(rows[i]) and rows[i][column - left] == "":
                rows[i][column - left] = rows[first - top][column - left]
    whole = TableCells(name, rows, range(top + 1, top + 1 + len(rows)))
    return whole if cells is None else cut(whole, cells, left)


def _named(source: Source, kind: str, wanted: str, names: list[str]) -> str:
    for name in names:
        if name.casefold() == wanted.strip().casefold():
            return name
    listed = ", ".join(shorten(name) for name in names[:12]) or "none"
    raise InputError(f"{source.name} has no {kind} {shorten(wanted)} (found: {listed})")

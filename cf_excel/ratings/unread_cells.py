"""Cells of a workbook without a value for us though something is in them: error values, formulas without a result."""

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from html import unescape
from typing import IO

from cf_excel.errors import InputError
from cf_excel.ratings.reading import Reading

_ROOT = "_rels/.rels"
_RELATION = re.compile(rb"<(?:[\w.-]+:)?Relationship\s([^>]*)>")
_SHEET = re.compile(rb"<(?:[\w.-]+:)?sheet\s([^>]*)>")
_ATTRIBUTE = re.compile(rb"""([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_TO_CALCULATE = re.compile(rb"""<(?:[\w.-]+:)?calcPr\s[^>]*fullCalcOnLoad=["'](?:1|true)["']""")
_CELL = rb"<(?:[\w.-]+:)?c\s([^>]*)>"
_ERROR = re.compile(rb"""<(?:[\w.-]+:)?c\s([^>]*\bt=["']e["'][^>]*)>""")
_FORMULA = rb"\s*<(?:[\w.-]+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:[\w.-]+:)?f>)\s*"
_NO_VALUE = rb"(?:<(?:[\w.-]+:)?v\s*(?:/>|>\s*(?P<zero>0?)\s*</(?:[\w.-]+:)?v>))?\s*</"
_NEVER_OR_ZERO = re.compile(_CELL + _FORMULA + _NO_VALUE)
_CALCULATED = re.compile(_CELL + _FORMULA + rb"<(?:[\w.-]+:)?v(?:\s[^>]*)?>(?!0?<)")
_TO_DO = "open it in Excel or LibreOffice, and save it there"
_MOST_PLACES = 5
_PIECE_BYTES = 2**20
_PLACE = re.compile(rb"([A-Z]{1,3})([1-9][0-9]*)")


class UnreadCell(str):
    """A blank text that knows why it is blank, by being one of the two below."""

    __slots__ = ()


ERROR_VALUE = UnreadCell()
NEVER_CALCULATED = UnreadCell()


def tell_unread(name: str, places: Sequence[tuple[str, UnreadCell]], how: Reading) -> None:
    """Note the ratings that are error values; raise InputError for formulas without a result, unless bad ones may go.

    places: where such cells stand in the table of that name.
    """
    errors, formulas = ([place for place, cell in places if cell is kind] for kind in (ERROR_VALUE, NEVER_CALCULATED))
    if errors:
        what = "1 rating is an error value" if len(errors) == 1 else f"{len(errors):,} ratings are error values"
        how.note(f"{what}, read as not rated: {_first(errors)}")
    if formulas and not how.skip_bad:
        raise InputError(f"{name}: {_never_calculated(len(formulas))} ({_first(formulas)}): {_TO_DO}")
    if formulas:
        how.note(f"{_never_calculated(len(formulas))}, left out: {_first(formulas)}")


def refuse_uncalculated(name: str, rows: list[list]) -> None:
    """Raise InputError for cells without a table of ratings that has formulas which were never calculated."""
    n = sum(value is NEVER_CALCULATED for row in rows for value in row)
    if n:
        raise InputError(f"{name} has no ratings, but {_never_calculated(n)}: {_TO_DO}")


def _never_calculated(n: int) -> str:
    return "1 formula was never calculated" if n == 1 else f"{n:,} formulas were never calculated"


def _first(places: list[str]) -> str:
    return "; ".join(places[:_MOST_PLACES]) + ("; …" if len(places) > _MOST_PLACES else "")


class UnreadCells:
    """The cells without a value of an .xlsx or .xlsm; of other workbooks none are known."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def mark(self, sheet: str, rows: list[list], top: int, left: int) -> None:
        """Put ERROR_VALUE and NEVER_CALCULATED into the blanks of a sheet's rows, whose first cell is at (top, left).

        Where the program that wrote the workbook left all calculating to the one that opens it, a formula's 0 is none
        if all formulas have it.
        """
        if not self._content.startswith(b"PK"):
            return
        with zipfile.ZipFile(io.BytesIO(self._content)) as archive:
            part, is_to_calculate = _find_sheet(archive, sheet)
            if not part or not (is_to_calculate or any("" in row for row in rows)):
                return
            with archive.open(part) as xml:
                found = _unread(xml, is_to_calculate)
        for row, column, cell in found:
            i, j = row - top, column - left
            if 0 <= i < len(rows) and 0 <= j < len(rows[i]):
                rows[i][j] = cell


def _unread(xml: IO[bytes], is_to_calculate: bool) -> list[tuple[int, int, UnreadCell]]:
    """Return row and column, from 0 on, of the cells of a sheet that have no value."""
    found: list[tuple[int, int, UnreadCell]] = []
    zeros: list[tuple[int, int, UnreadCell]] = []  # of formulas
    for rows in _row_by_row(xml):
        if b't="e"' in rows or b"t='e'" in rows:
            found += [place for match in _ERROR.finditer(rows) for place in _placed(match[1], ERROR_VALUE)]
        if b"<f" not in rows and b":f" not in rows:
            continue
        is_to_calculate = is_to_calculate and not _CALCULATED.search(rows)
        for match in _NEVER_OR_ZERO.finditer(rows):
            if _attributes(match[1]).get("t", "n") == "n":  # a formula that has a text may have a blank one
                (zeros if match["zero"] else found).extend(_placed(match[1], NEVER_CALCULATED))
    return found + zeros if is_to_calculate else found


def _row_by_row(xml: IO[bytes]) -> Iterator[bytes]:
    """Yield a sheet in pieces of whole rows: all of it may be 100 MB."""
    rest = b""
    while piece := xml.read(_PIECE_BYTES):
        whole, end, rest = (rest + piece).rpartition(b"row>")
        yield whole + end
    yield rest


def _placed(attributes: bytes, cell: UnreadCell) -> Iterator[tuple[int, int, UnreadCell]]:
    place = _PLACE.fullmatch(_attributes(attributes).get("r", "").encode())
    if place:
        column = 0
        for letter in place[1]:
            column = column * 26 + letter - ord("A") + 1
        yield int(place[2]) - 1, column - 1, cell


def _find_sheet(archive: zipfile.ZipFile, sheet: str) -> tuple[str, bool]:
    """Return the part that is a sheet, "" where it is not found, and whether all is to be calculated on opening."""
    names = set(archive.namelist())
    books = [part for kind, part in _relations(archive, _ROOT, "").values() if kind.endswith("/officeDocument")]
    if not books or books[0] not in names:
        return "", False
    folder, name = posixpath.split(books[0])
    parts = _relations(archive, posixpath.join(folder, "_rels", f"{name}.rels"), folder)
    xml = archive.read(books[0])
    for match in _SHEET.finditer(xml):
        attributes = _attributes(match[1])
        of_id = next((value for key, value in attributes.items() if key.endswith(":id")), "")
        part = parts.get(of_id, ("", ""))[1]
        if attributes.get("name") == sheet and part in names:
            return part, bool(_TO_CALCULATE.search(xml))
    return "", False


def _relations(archive: zipfile.ZipFile, rels: str, folder: str) -> dict[str, tuple[str, str]]:
    """Return kind and part of each relation by its id."""
    if rels not in archive.namelist():
        return {}
    found = [_attributes(match[1]) for match in _RELATION.finditer(archive.read(rels))]
    return {
        one.get("Id", ""): (one.get("Type", ""), posixpath.normpath(posixpath.join("/", folder, one["Target"]))[1:])
        for one in found
        if "Target" in one
    }


def _attributes(tag: bytes) -> dict[str, str]:
    return {
        match[1].decode(): unescape((match[2] or match[3] or b"").decode("utf-8", "replace"))
        for match in _ATTRIBUTE.finditer(tag)
    }

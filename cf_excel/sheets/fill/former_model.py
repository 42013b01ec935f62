"""The sheet `model` that an earlier call of write added: a new model takes its place where it is as it was written.

A mark in the sheet's note tells whether its cells are. The same rule holds for a file and for what Excel has open, of
which a copy is looked at.
"""

import re
import zlib
from collections.abc import Iterable
from functools import lru_cache
from xml.etree import ElementTree

from cf_excel.errors import InputError
from cf_excel.model.kinds import KINDS
from cf_excel.ratings.nouns import Nouns
from cf_excel.sheets.fill.added_layout import ModelSheet
from cf_excel.sheets.find.sheet import MODEL_NOTE, MODEL_TITLE
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue, SheetXml
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.formulas import CellFormula
from cf_excel.xlsx.references import take_apart

# What programs write into every sheet; anything else is the work of somebody.
_USUAL = {
    *("sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "phoneticPr"),
    *("printOptions", "pageMargins", "pageSetup", "headerFooter"),
}
_MARK = " As written: "
_SHAPE = r"(\d{1,7}) .{1,80}?, (\d{1,7}) .{1,80}?, (\d{1,5}) factors"
_NOTE = re.compile(rf"{MODEL_NOTE}([\w-]+): {_SHAPE}; .*{_MARK}(\w+)")
# The sheet's name before a !, looked at from the !, of which there are few.
_PRINTED = re.compile(rb"""<[^<>]*definedName\s(?=[^<>]*\bname\s*=\s*["']_xlnm\.Print_)[^<>]*>[^<]*(?=</)""")
_REFERRED = re.compile(
    rb"!(?:%s)" % b"|".join(rb"(?<=\b%s%s!)" % (MODEL_TITLE.encode(), end) for end in (b"", b"'", b"&apos;", b"&#39;")),
    re.IGNORECASE,
)


Written = Iterable[tuple[Address, CellValue | CellFormula]]


def marked_note(kind: str, nouns: Nouns, layout: ModelSheet, how: str, cells: Written) -> str:
    """Return the sheet's note: what it shows, and a mark that fits its other cells as they are written."""
    shape = f"{layout.n_users} {nouns.users}, {layout.n_movies} {nouns.movies}, {layout.n_factors} factors"
    return f"{MODEL_NOTE}{kind}: {shape}; {how}.{_MARK}{_mark(cells)}"


def former_frame(book: OpenedBook) -> bytes | None:
    """Return the XML, without rows, of the sheet that an earlier call wrote; None where a new sheet has to be added.

    That is where there is none, and where anything on it was added, changed or dressed, or something else refers to it,
    which the book's notes then say.
    """
    if MODEL_TITLE not in book.titles:
        return None
    sheet = book.sheet(MODEL_TITLE)
    note = str(sheet.value((1, 1)))
    if not note.startswith(MODEL_NOTE):
        return None
    frame = b"".join(sheet.written.frame(has_rows=False))
    if not _is_as_written(sheet, note) or not _is_usual(frame) or book.related(MODEL_TITLE):
        book.notes.append(f"sheet {MODEL_TITLE} is no longer as write left it: it stays, and another one is added")
        return None
    if _is_referred_to(book):
        book.notes.append(
            f"something in the workbook refers to sheet {MODEL_TITLE}: it stays, and another one is added"
        )
        return None
    return frame


def former_page(book: OpenedBook) -> Block:
    """Return what is printed of the sheet that an earlier call wrote, as that call chose it."""
    layout = _layout_of(str(book.sheet(MODEL_TITLE).value((1, 1))))
    assert layout is not None  # former_frame has seen to it
    return layout.page


def _layout_of(note: str) -> ModelSheet | None:
    """Return where everything is on a sheet with this note, None where it is not one that write writes."""
    named = _NOTE.fullmatch(note)
    if not named or named[1] not in KINDS:
        return None
    try:
        return ModelSheet(MODEL_TITLE, int(named[2]), int(named[3]), int(named[4]), named[1])
    except InputError:
        return None


def _is_usual(frame: bytes) -> bool:
    """Whether there is nothing in a sheet's XML but what every program writes, in the way that sheet_xml reads."""
    names = {child.tag.rpartition("}")[2] for child in ElementTree.fromstring(frame)}
    return names <= _USUAL and frame.count(b"<sheetData></sheetData>") == 1


def _is_as_written(sheet: SheetXml, note: str) -> bool:
    """Whether the cells, their formulas and looks are those that the note was written for."""
    layout = _layout_of(note)
    if layout is None:
        return False
    first = layout.note.top, layout.note.left
    cells = ((a, sheet.formula(a) or sheet.value(a)) for a in sheet.addresses if a != first)
    return _mark(cells) == note.rpartition(_MARK)[2] and _is_dressed_evenly(sheet, layout)


def _mark(cells: Written) -> str:
    """Return eight digits that change with the cells; blank ones, and digits that programs may round, do not count."""
    total = 0
    for (row, column), value in cells:
        if isinstance(value, CellFormula):
            text = _relative(value.text, row - value.rows, column - value.columns)
        elif isinstance(value, str):
            text = " ".join(value.split())
        else:
            text = "" if value is None or value != value else f"{value + 0.0:.12g}"  # no -0
        if text:
            total += zlib.crc32(f"{row},{column},{text}".encode())
    return f"{total & 0xFFFFFFFF:08x}"


@lru_cache(maxsize=1 << 16)
def _relative(formula: str, row: int, column: int) -> str:
    """Return a formula as seen from the cell that holds its text: the same for all cells that are filled from it."""
    skeleton, references = take_apart(formula)
    places = []
    for reference in references:
        block = reference.block
        edges = zip((block.top, block.left, block.bottom, block.right), (row, column) * 2, reference.fixed, strict=True)
        places.append((reference.sheet, *(edge if fixed else f"{edge - origin:+}" for edge, origin, fixed in edges)))
    return f"={skeleton}{places}"


def _is_dressed_evenly(sheet: SheetXml, layout: ModelSheet) -> bool:
    """Whether the cells of each block look alike, and those outside like none: write dresses whole blocks."""
    inside: set[Address] = set()
    for block in layout.blocks:
        places = set(sheet.addresses_in(block))
        if block != layout.settings and len({sheet.style(place) for place in places}) > 1:
            return False
        inside |= places
    return all(place in inside or not sheet.style(place) for place in sheet.addresses)


def _is_referred_to(book: OpenedBook) -> bool:
    """Whether a formula, a name or a chart names the sheet; its own parts and what of it is printed do not count."""
    own = book.part_of(MODEL_TITLE)
    parts = (book.archive.read(name) for name in book.archive.names if name != own and _is_xml(name))
    return any(_REFERRED.search(_PRINTED.sub(b"", xml)) for xml in parts)


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".vml")) and not name.lower().endswith("sharedstrings.xml")

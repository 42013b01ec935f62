"""The sheet `model` that an earlier call of write added: a new model takes its place where nothing else is on it."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from cf_excel.book.cells import Block
from cf_excel.book.edit.added_sheets import MODEL_FORMS, MODEL_NOTE, MODEL_TITLE, ModelSheet
from cf_excel.book.edit.opened import OpenedBook
from cf_excel.book.edit.references import take_apart
from cf_excel.book.edit.sheet_xml import SheetXml
from cf_excel.errors import InputError

# What programs write into every sheet; anything else is the work of somebody.
_USUAL = {
    *("sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "phoneticPr"),
    *("printOptions", "pageMargins", "pageSetup", "headerFooter"),
}
_NAMED = re.compile(rf"{MODEL_NOTE}([\w-]+) with (\d{{1,5}}) factors;")
# The sheet's name before a !, looked at from the !, of which there are few.
_REFERRED = re.compile(
    rb"!(?:%s)" % b"|".join(rb"(?<=\b%s%s!)" % (MODEL_TITLE.encode(), end) for end in (b"", b"'", b"&apos;", b"&#39;")),
    re.IGNORECASE,
)


def former_frame(book: OpenedBook) -> bytes | None:
    """Return the XML, without rows, of the sheet that an earlier call wrote; None where a new sheet has to be added.

    That is where there is none, and where something else is on it or refers to it, which the book's notes then say.
    """
    if MODEL_TITLE not in book.titles:
        return None
    sheet = book.sheet(MODEL_TITLE)
    named = _NAMED.match(str(sheet.value((1, 1))))
    if not named or named[1] not in MODEL_FORMS:
        return None
    frame = b"".join(sheet.written.frame(has_rows=False))
    if not _is_as_written(sheet, named[1], int(named[2])) or not _is_usual(frame) or book.related(MODEL_TITLE):
        book.notes.append(f"sheet {MODEL_TITLE} holds more than write puts there: it stays, and another one is added")
        return None
    if _is_referred_to(book):
        book.notes.append(
            f"something in the workbook refers to sheet {MODEL_TITLE}: it stays, and another one is added"
        )
        return None
    return frame


def _is_usual(frame: bytes) -> bool:
    """Whether there is nothing in a sheet's XML but what every program writes, in the way that sheet_xml reads."""
    names = {child.tag.rpartition("}")[2] for child in ElementTree.fromstring(frame)}
    return names <= _USUAL and frame.count(b"<sheetData></sheetData>") == 1


def _is_as_written(sheet: SheetXml, kind: str, n_factors: int) -> bool:
    """Whether cells are where the model's numbers and formulas are, and nowhere else."""
    top, left = ModelSheet(MODEL_TITLE, 1, 1, 1, "").freeze.top, 2
    n_users, n_movies = _run(sheet, (top, 1), (1, 0)), _run(sheet, (top - 1, left), (0, 1))
    try:
        layout = ModelSheet(MODEL_TITLE, n_users, n_movies, n_factors, MODEL_FORMS[kind])
    except InputError:
        return False
    formulas = {address: take_apart(text)[0] for block, text in layout.formulas.items() for address in _cells(block)}
    constants = {address for block in layout.blocks for address in _cells(block)} - formulas.keys()
    for address in sheet.addresses:
        formula = sheet.formula(address)
        if formula.skeleton != formulas.get(address) if formula else address in formulas:
            return False
        if not formula and address not in constants and sheet.value(address) is not None:
            return False
    return True


def _run(sheet: SheetXml, start: tuple[int, int], step: tuple[int, int]) -> int:
    """Return how many cells hold something, from one on, before a blank one."""
    n = 0
    while sheet.value((start[0] + n * step[0], start[1] + n * step[1])) is not None:
        n += 1
    return n


def _cells(block: Block) -> Iterator[tuple[int, int]]:
    for row in range(block.top, block.bottom + 1):
        for column in range(block.left, block.right + 1):
            yield row, column


def _is_referred_to(book: OpenedBook) -> bool:
    """Whether a formula, a name or a chart names the sheet; its own parts do not count."""
    own = book.part_of(MODEL_TITLE)
    parts = (book.archive.read(name) for name in book.archive.names if name != own and _is_xml(name))
    return any(_REFERRED.search(xml) for xml in parts)


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".vml")) and not name.lower().endswith("sharedstrings.xml")

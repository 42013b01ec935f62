"""Write drafts into a workbook: as new sheets, or in the place of those that an earlier call wrote."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cf_excel.errors import InputError
from cf_excel.ratings.workbooks import FILLED
from cf_excel.sheets.own.draft import LOOKS, DraftPart, SheetDraft, is_marked, printed_head
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.added_styles import AddedStyles, Look
from cf_excel.xlsx.edit.added_table import filtered_out, resize_table, table_of
from cf_excel.xlsx.edit.markup import attributes_of
from cf_excel.xlsx.edit.new_sheet import add_sheet
from cf_excel.xlsx.edit.printed_part import PRINT_AREA, PRINT_TITLES, PrintedPart, has_settings
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue, SheetXml
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.write.sheet_cells import SheetCells, sheet_xml

_NO_ROWS = b"<sheetData></sheetData>"


@dataclass(frozen=True)
class FormerSheet:
    """A sheet that an earlier call wrote, as it is now.

    values: what its cells hold, the note and blank ones left out. frame: its XML without rows.
    """

    title: str
    xml: SheetXml = field(repr=False)
    values: dict[Address, CellValue] = field(repr=False)
    frame: bytes = field(repr=False)

    @property
    def extent(self) -> Block:
        """The rectangle of its cells below the note."""
        rows, columns = zip(*self.values, strict=True)
        return Block(min(rows), min(columns), max(rows), max(columns))

    def style(self, address: Address) -> int | None:
        """Return the number of a cell's style, None where there is no cell."""
        return self.xml.style(address) if address in self.xml else None

    def height(self, row: int) -> float | None:
        """Return the height that was given to a row."""
        written = self.xml.written
        found = written.by_number.get(row)
        tag = written.xml_of(found).partition(b">")[0] if found else b""
        given = attributes_of(tag)
        height = float(given.get(b"ht", b"0")) if given.get(b"customHeight") in (b"1", b"true") else 0.0
        return (int(height) if height.is_integer() else height) or None


def refuse_filled(book: OpenedBook, title: str | None) -> None:
    """Raise InputError for a sheet that an earlier call wrote, where that is named as the one with the ratings."""
    if title in book.titles and str(book.sheet(title).value((1, 1))).startswith(FILLED):
        raise InputError(f"{book.path.name} sheet {title} is what fill wrote, no ratings: choose the sheet with yours")


def find_former(book: OpenedBook, usual: str) -> FormerSheet | None:
    """Return the sheet of a usual name, or of that with a number behind it, that an earlier call wrote.

    One in which values were changed or added is somebody's work: it stays, which the book's notes then say.
    """
    for title in book.titles:
        if not re.fullmatch(rf"{usual}( \d+)?", title, re.IGNORECASE):
            continue
        sheet = book.sheet(title)
        note = str(sheet.value((1, 1)))
        if not note.startswith(FILLED):
            continue
        values = {address: sheet.value(address) for address in sheet.addresses if address != (1, 1)}
        values = {address: value for address, value in values.items() if value not in (None, "")}
        frame = b"".join(sheet.written.frame(has_rows=False))
        if is_marked(note, values.items()) and not sheet.fills and frame.count(_NO_ROWS) == 1:
            return FormerSheet(title, sheet, values, frame)
        book.notes.append(f"sheet {title} was changed by hand: it stays as it is, and another one is filled in")
    return None


class DraftBook(Protocol):
    """A workbook, its file or what Excel has open of it, that drafts are put into; nothing is saved."""

    @property
    def notes(self) -> list[str]:
        """What its owner may want to know."""

    def has(self, title: str) -> bool:
        """Return whether an earlier call wrote a sheet of this usual name."""

    def put(self, draft: SheetDraft) -> tuple[str, FormerSheet | None]:
        """Write a draft; return the sheet's name, and the former one whose place it took."""


class FileDrafts:
    """Puts drafts into a file's parts."""

    def __init__(self, book: OpenedBook) -> None:
        self._book, self._styles = book, AddedStyles(book)

    @property
    def notes(self) -> list[str]:
        return self._book.notes

    def has(self, title: str) -> bool:
        """Return whether an earlier call wrote a sheet of this usual name."""
        return find_former(self._book, title) is not None

    def put(self, draft: SheetDraft) -> tuple[str, FormerSheet | None]:
        """Write a draft; return the sheet's name, and the former one whose place it took."""
        book, former = self._book, find_former(self._book, draft.title)
        cells = SheetCells(_Numbers(former_styles(draft, former), self._styles))
        for i, part in enumerate(all_parts(draft)):
            if isinstance(part.looks, str):
                cells.put(part.block, f"{i} {part.looks}", part.rows)
            else:
                cells.put_dressed(part.block, np.char.add(f"{i} ", part.looks), part.rows)
        cells.row_heights = dict(draft.heights)
        if former is None:
            title = book.free_title(draft.title)
            add_sheet(
                *(book, title, cells),
                freeze=draft.freeze,
                widths=draft.widths,
                table=draft.table,
                rules=draft.rules_xml,
                printed=draft.printed,
            )
            return title, None
        cells.row_heights |= {row: height for row in (1, 2, 3) if (height := former.height(row)) is not None}
        if draft.table:
            _fit_table(book, former.title, draft, cells)
        frame = _resized(former, draft)
        is_first, printed = printed_anew(book, former, draft)
        if is_first:
            frame = printed.put_into(frame)
        names = printed.names_on(former.title)
        if names:
            book.add_names(former.title, names)
        book.replace_sheet(former.title, b"".join(sheet_xml(frame, cells)))
        return former.title, former


class _Numbers(dict[str, int]):
    """Style numbers by part and look: those of a former sheet, else styles that are added."""

    def __init__(self, known: dict[str, int], styles: AddedStyles) -> None:
        super().__init__(known)
        self._styles = styles

    def __missing__(self, look: str) -> int:
        self[look] = self._styles.number(look_of(look))
        return self[look]


def look_of(key: str) -> Look:
    """Return the look of a part and look, as cells_by_look names them."""
    return LOOKS[key.partition(" ")[2]]


def all_parts(draft: SheetDraft) -> list[DraftPart]:
    """Return the parts of a draft, the note last."""
    return [*draft.parts, DraftPart(draft.note, draft.note_look, [[draft.marked_note]])]


def cells_by_look(draft: SheetDraft) -> dict[str, list[Address]]:
    """Return the places of the cells of each part and look."""
    found: dict[str, list[Address]] = defaultdict(list)
    for i, part in enumerate(all_parts(draft)):
        for address, look, _ in part.cells():
            found[f"{i} {look}"].append(address)
    return found


def former_styles(draft: SheetDraft, former: FormerSheet | None) -> dict[str, int]:
    """Return the number of the style that most cells of each part and look have in the former sheet."""
    if former is None:
        return {}
    votes: dict[str, Counter[int]] = defaultdict(Counter)
    places = _places(draft, former)
    for i, part in enumerate(all_parts(draft)):
        for address, look, value in part.cells():
            before = places.get(address, address) if part.block == draft.scale else address
            style = former.style(before)
            if style is not None and (look != "given" or former.values.get(before) == value):
                votes[f"{i} {look}"][style] += 1
    return {key: styles.most_common(1)[0][0] for key, styles in votes.items()}


def _places(draft: SheetDraft, former: FormerSheet) -> dict[Address, Address]:
    """Return where the former sheet has the pairs of a grid, by where the new one has them."""
    if not draft.scale:
        return {}
    top, left = draft.scale.top - 1, draft.scale.left - 1
    rows = {value: row for (row, column), value in former.values.items() if column == left}
    columns = {value: column for (row, column), value in former.values.items() if row == top}
    new = draft.values
    return {
        (row, column): (rows.get(new.get((row, left)), 0), columns.get(new.get((top, column)), 0))
        for row, column in draft.scale.addresses()
    }


def _fit_table(book: OpenedBook, title: str, draft: SheetDraft, cells: SheetCells) -> None:
    """Let the former sheet's table have the draft's rows, those hidden that its filters hide."""
    table = table_of(book, title)
    if table is None or draft.table is None:
        return
    block = draft.table.block
    resize_table(book, title, draft.table)
    values = draft.values
    rows = [
        [values.get((row, column)) for column in range(block.left, block.right + 1)]
        for row in range(block.top + 1, block.bottom + 1)
    ]
    hidden = filtered_out(table, rows)
    if hidden is None:
        book.notes.append(f"sheet {title}: apply its filter again, it is not of the kind that is followed here")
    cells.hidden_rows = {block.top + 1 + i for i in hidden or ()}


def printed_anew(book: OpenedBook, former: FormerSheet, draft: SheetDraft) -> tuple[bool, PrintedPart]:
    """Return what of a former sheet is to be printed otherwise, and whether nobody has said anything of it before.

    Its area follows the cells as long as it is the one that an earlier call chose: what somebody set stays.
    """
    own = {name: text for name, text in book.names_on(former.title).items() if name in (PRINT_AREA, PRINT_TITLES)}
    if not own and not has_settings(former.frame):
        return True, draft.printed
    before, after = printed_head(former.extent), draft.page
    chosen = PrintedPart(area=before).names_on(former.title).get(PRINT_AREA, "")
    if before == after or own.get(PRINT_AREA, "").replace("'", "") != chosen.replace("'", ""):
        return False, PrintedPart()
    return False, PrintedPart(area=after or draft.extent)


def _resized(former: FormerSheet, draft: SheetDraft) -> bytes:
    """Return the former sheet's frame, where what covered its cells covers the new ones; widths of columns stay."""
    frame = former.frame
    before = former.extent
    if draft.scale:
        old = Block(draft.scale.top, draft.scale.left, before.bottom, before.right).address
        frame = frame.replace(f'sqref="{old}"'.encode(), f'sqref="{draft.scale.address}"'.encode())
    last = max(block.right for block in draft.widths)
    known = [int(n) for n in re.findall(rb'<col [^>]*?\bmax="(\d+)"', frame)]
    if draft.scale and known and max(known) < last:
        wide = next(width for block, width in draft.widths.items() if block.right == last)
        more = f'<col min="{max(known) + 1}" max="{last}" width="{wide}" customWidth="1"/>'
        frame = frame.replace(b"</cols>", more.encode() + b"</cols>", 1)
    return frame

"""A sheet to be written into somebody's own workbook, before it is known whether a former one is there."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cf_excel.ratings.workbooks import FILLED
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.added_styles import PERCENT, THOUSANDS, TWO_DECIMALS, WHOLE, Look
from cf_excel.xlsx.edit.added_table import TableArea
from cf_excel.xlsx.edit.printed_part import PrintedPart, is_upright
from cf_excel.xlsx.edit.sheet_xml import Address
from cf_excel.xlsx.texts import CellValue, shown_value
from cf_excel.xlsx.write.styles import HEADER_FILL, QUIET_INK

_AS_WRITTEN = " As written: "
_WIDEST = 44  # characters of a column
_PRINTED_ROWS, _PRINTED_COLUMNS = 400, 40
_CENTER, _TOP = 'horizontal="center"', 'vertical="top"'
_INDENTED = 'horizontal="left" indent="1"'
LOOKS = {
    "note": Look(italic=True, ink=QUIET_INK),
    "note_wrapped": Look(italic=True, ink=QUIET_INK, alignment=f'{_TOP} wrapText="1"'),
    "header": Look(bold=True, fill=HEADER_FILL),
    "header_number": Look(bold=True, fill=HEADER_FILL, alignment='horizontal="right"'),
    "header_rank": Look(bold=True, fill=HEADER_FILL, alignment=_CENTER),
    "header_words": Look(bold=True, fill=HEADER_FILL, alignment=_INDENTED),
    "name": Look(bold=True, fill=HEADER_FILL, alignment='horizontal="left" wrapText="1"'),
    "name_across": Look(bold=True, fill=HEADER_FILL, alignment='horizontal="center" vertical="bottom"'),
    "name_upright": Look(bold=True, fill=HEADER_FILL, alignment='horizontal="center" textRotation="90" wrapText="1"'),
    "text": Look(alignment='horizontal="left" wrapText="1"'),
    "rank": Look(number=WHOLE, alignment=_CENTER),
    "number": Look(number=TWO_DECIMALS),
    "given": Look(bold=True, alignment=_CENTER),
    "predicted": Look(number=TWO_DECIMALS, italic=True, ink="546E7A", alignment=_CENTER),
    "verdict": Look(bold=True, alignment=f'{_TOP} wrapText="1"'),
    "count": Look(number=THOUSANDS),
    "share": Look(number=PERCENT),
    "words": Look(ink=QUIET_INK, alignment=_INDENTED),
}


@dataclass(frozen=True)
class DraftPart:
    """A block of values that look alike, or a look a cell: looks (n_rows, n_columns), names of LOOKS."""

    block: Block
    looks: str | np.ndarray
    rows: Sequence[Sequence[CellValue]]

    def cells(self) -> Iterator[tuple[Address, str, CellValue]]:
        """Give place, look and value of each cell."""
        values = [value for row in self.rows for value in row]
        looks = [self.looks] * len(values) if isinstance(self.looks, str) else self.looks.ravel().tolist()
        return zip(self.block.addresses(), looks, values, strict=True)


@dataclass
class SheetDraft:
    """A sheet: its usual name, what its note says, its cells, and what else it starts with.

    table: the cells that are one of Excel's tables. scale: those that are coloured by their values. merged: cells that
    are one. widths: of columns, in characters. heights: of rows, in points. is_empty: there is nothing to say, but to
    a sheet that said something the time before.
    """

    title: str
    about: str
    note: Block
    freeze: Block
    parts: list[DraftPart] = field(default_factory=list)
    table: TableArea | None = None
    scale: Block | None = None
    merged: Block | None = None
    widths: dict[Block, float] = field(default_factory=dict)
    heights: dict[int, float] = field(default_factory=dict)
    is_empty: bool = False

    def put(self, block: Block, looks: str | np.ndarray, rows: Sequence[Sequence[CellValue]] | np.ndarray) -> None:
        """Add values to the sheet, one sequence a row."""
        values = rows.tolist() if isinstance(rows, np.ndarray) else rows
        self.parts.append(DraftPart(block, looks, [[_as_shown(value) for value in row] for row in values]))

    @property
    def values(self) -> dict[Address, CellValue]:
        """What the cells hold, the note left out."""
        return {at: value for part in self.parts for at, _, value in part.cells() if value is not None}

    @property
    def titles(self) -> Block | None:
        """The row that each printed page repeats: the names above a grid or a table."""
        top = self.freeze.top - 1
        return Block(top, self.note.left, top, self.note.left) if self.table or self.scale else None

    @property
    def page(self) -> Block | None:
        """What is printed of a large sheet, a few pages: its head; None for all of others."""
        return printed_head(self.extent)

    @property
    def extent(self) -> Block:
        """The rectangle of its cells."""
        bottom, right = (max(getattr(part.block, side) for part in self.parts) for side in ("bottom", "right"))
        return Block(self.note.top, self.note.left, bottom, right)

    @property
    def printed(self) -> PrintedPart:
        """What a new sheet prints, and how."""
        return PrintedPart(self.titles, self.page, is_upright(self.widths))

    @property
    def note_look(self) -> str:
        """How the note looks: wrapped where it has merged cells."""
        return "note_wrapped" if self.merged and self.merged.first == self.note.first else "note"

    @property
    def marked_note(self) -> str:
        """What the note says, with a mark that fits the other cells as they are written."""
        return f"{FILLED}{self.about}{_AS_WRITTEN}{mark_of(self.values.items())}"

    @property
    def rules_xml(self) -> str:
        """What stands behind the cells in a new sheet's XML."""
        xml = f'<mergeCells count="1"><mergeCell ref="{self.merged.address}"/></mergeCells>' if self.merged else ""
        if self.scale:
            points = "".join(f'<cfvo type="{kind}"/>' for kind in ("min", 'percentile" val="50', "max"))
            colors = "".join(f'<color rgb="FF{color}"/>' for color in SCALE)
            xml += (
                f'<conditionalFormatting sqref="{self.scale.address}"><cfRule type="colorScale" priority="1">'
                f"<colorScale>{points}{colors}</colorScale></cfRule></conditionalFormatting>"
            )
        return xml


def printed_head(extent: Block) -> Block | None:
    """Return what is printed of so many cells, a few pages: their head; None for all of others."""
    head = Block(1, 1, min(extent.bottom, _PRINTED_ROWS), min(extent.right, _PRINTED_COLUMNS))
    return None if (head.bottom, head.right) == (extent.bottom, extent.right) else head


SCALE = "F8BBAF", "FFF6D6", "A9D8AC"


def is_marked(note: str, values: Iterable[tuple[Address, CellValue]]) -> bool:
    """Return whether a note's mark fits the other cells of its sheet: they are as they were written, or sorted."""
    return note.startswith(FILLED) and note.rpartition(_AS_WRITTEN)[2] == mark_of(values)


def mark_of(values: Iterable[tuple[Address, CellValue]]) -> str:
    """Return eight digits that change with the cells of the rows, but not with the order of the rows."""
    rows: dict[int, list[tuple[int, str]]] = {}
    for (row, column), value in values:
        text = " ".join(value.split()) if isinstance(value, str) else "" if value is None else f"{value + 0.0:.12g}"
        if text:
            rows.setdefault(row, []).append((column, text))
    return f"{sum(zlib.crc32(repr(sorted(cells)).encode()) for cells in rows.values()) & 0xFFFFFFFF:08x}"


def width_of(texts: Iterable[object]) -> float:
    """Return the width of a column of texts, in characters."""
    return min(_WIDEST, max(8, 2 + max((len(str(text)) for text in texts if text is not None), default=0)))


def _as_shown(value: CellValue) -> CellValue:
    return None if value is None or value != value else shown_value(value)

"""The cells of a sheet's XML: their values and formulas."""

import re
from collections.abc import Iterator
from functools import cached_property
from html import unescape
from itertools import zip_longest

from cf_excel.errors import FileError
from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.markup import Cell, WrittenFormula, attributes_of
from cf_excel.xlsx.edit.sheet_rows import Row, Shape, SheetRows
from cf_excel.xlsx.formulas import CellFormula, Fill

Address = tuple[int, int]  # row, column
CellValue = str | float | bool | None

_FEW = 8  # a number that comes early in its row is found without cutting all of them
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class SheetXml:
    """One sheet: values and formulas by (row, column).

    strings: the workbook's shared strings. name: what messages call the sheet. part: what they call its XML.
    Raises FileError for XML that is not whole or is no sheet.
    """

    marks_arrays = True  # an array formula says so

    def __init__(self, xml: bytes, strings: list[str], name: str, part: str | None = None) -> None:
        self.name = name
        self.written = SheetRows(xml, name, part or name)
        self._strings = strings
        self._rows = self.written.by_number
        self._last: tuple[Row | None, list[bytes]] = (None, [])

    def __contains__(self, address: Address) -> bool:
        return self._find(address) is not None

    @property
    def addresses(self) -> Iterator[Address]:
        """The cells that are written in the sheet, blank ones included."""
        return ((row.number, column) for row in self.written.rows for column in row.shape.cells)

    @property
    def last_row(self) -> int:
        """The number of the last row that is written, 0 where there is none."""
        return max(self._rows, default=0)

    def addresses_in(self, block: Block) -> Iterator[Address]:
        """Give the cells of a rectangle that are written in the sheet, blank ones included."""
        span = range(block.top, block.bottom + 1)
        rows = (self._rows[n] for n in span if n in self._rows) if len(span) < len(self._rows) else self._rows.values()
        for row in rows:
            if block.top <= row.number <= block.bottom:
                for column in row.shape.cells:
                    if block.left <= column <= block.right:
                        yield row.number, column

    def value(self, address: Address) -> CellValue:
        """Return a number, a text, a truth value, or None for a blank; an error is the text Excel shows."""
        row = self._rows.get(address[0])
        found = row.shape.cells.get(address[1]) if row else None
        if not row or not found or not found.body:
            return None
        if found.kind == b"inlineStr":
            return "".join(_unescaped(part[1] or b"") for part in self.written.tags.text.finditer(found.body))
        inner = self._inner(row, found)
        if not inner:
            return "" if inner is not None and found.kind == b"str" else None
        try:
            if found.kind == b"s":
                return self._strings[int(inner)]
            if found.kind in (b"str", b"e", b"d"):
                return _unescaped(inner)
            number = float(inner)
        except (ValueError, IndexError):
            raise FileError(f"{self.name}: cell {cell(*address)} holds {_unescaped(inner)[:40]!r}, damaged") from None
        return bool(number) if found.kind == b"b" else number

    def style(self, address: Address) -> int:
        """Return the number of a cell's style, 0 where there is none."""
        found = self._find(address)
        number = attributes_of(found.attributes).get(b"s", b"0") if found else b"0"
        return int(number) if number.isdigit() else 0

    def formula(self, address: Address) -> CellFormula | None:
        """Return the formula of a cell, None where it has none; cells that an array formula fills have that one."""
        row = self._rows.get(address[0])
        written = row.shape.formulas.get(address[1]) if row else None
        if written:
            return self._formula(address, written)
        if self._arrays and address in self:
            for fill in self._arrays:
                area = fill.block
                if area.top <= address[0] <= area.bottom and area.left <= address[1] <= area.right:
                    return fill.first
        return None

    def formulas_in(self, row: int) -> dict[int, CellFormula]:
        """Return the formulas that a row writes, by column."""
        written = self._rows[row].shape.formulas
        return {column: self._formula((row, column), formula) for column, formula in written.items()}

    @cached_property
    def fills(self) -> list[Fill]:
        """All formulas: rectangles that were filled from one cell, array formulas, and single cells."""
        return [*self._arrays, *self._single_fills(), *self._shared_fills()]

    def runs(self) -> Iterator[tuple[int, int]]:
        """Give the first and the last row of each run of rows of one shape that has formulas."""
        first: Row | None = None
        for row, below in zip_longest(self.written.rows, self.written.rows[1:]):
            first = first or row
            if below is None or below.shape is not row.shape or below.number != row.number + 1:
                if row.shape.formulas:
                    yield first.number, row.number
                first = None

    def shown_formula(self, address: Address) -> str:
        """Return the formula as the cell shows it, for messages and for cells that lose their shared formula.

        "" where it has none.
        """
        formula = self.formula(address)
        if not formula or not (formula.rows or formula.columns):
            return formula.text if formula else ""
        from openpyxl.formula.translate import Translator

        origin = cell(address[0] - formula.rows, address[1] - formula.columns)
        return Translator(f"={formula.text}", origin).translate_formula(cell(*address))[1:]

    def _find(self, address: Address) -> Cell | None:
        row = self._rows.get(address[0])
        return row.shape.cells.get(address[1]) if row else None

    def _inner(self, row: Row, found: Cell) -> bytes | None:
        """Return what stands in a cell's <v>, None where it has none."""
        if found.number >= 0:
            return self._number(row, found.number)
        written = self.written.tags.value.search(found.body)
        return (written[1] or b"") if written else None

    def _number(self, row: Row, index: int) -> bytes:
        """Return one of a row's numbers; who reads on in the same row finds them cut."""
        if index < _FEW:
            return self.written.tags.cut_numbers(row.numbers, index + 1)[index]
        if self._last[0] is not row:
            self._last = row, self.written.tags.cut_numbers(row.numbers)
        return self._last[1][index]

    def _formula(self, address: Address, written: WrittenFormula) -> CellFormula:
        if written.kind == b"shared":
            (row, column), text = self._masters.get(written.group, (address, ""))
            return CellFormula(text, address[0] - row, address[1] - column)
        if written.kind in (b"array", b"dataTable"):
            return CellFormula(written.text, array=written.area or Block(*address, *address))
        return CellFormula(written.text)

    @cached_property
    def _shapes(self) -> list[tuple[Shape, int]]:
        """Every shape that has formulas, with the first row of it."""
        first = {id(row.shape): row for row in reversed(self.written.rows) if row.shape.formulas}
        return [(row.shape, row.number) for row in sorted(first.values(), key=lambda row: row.number)]

    @cached_property
    def _masters(self) -> dict[bytes, tuple[Address, str]]:
        """The cell that holds the text of each shared formula, and the text."""
        return {
            formula.group: ((row, column), formula.text)
            for shape, row in self._shapes
            for column, formula in shape.formulas.items()
            if formula.kind == b"shared" and formula.text
        }

    @cached_property
    def _arrays(self) -> list[Fill]:
        found = []
        for shape, row in self._shapes:
            for column, formula in shape.formulas.items():
                first = self._formula((row, column), formula)
                if first.array:
                    found.append(Fill(first.array, first))
        return found

    def _single_fills(self) -> Iterator[Fill]:
        for row in self.written.rows:
            for column, text in row.shape.own_texts:
                yield Fill(Block(row.number, column, row.number, column), CellFormula(text))

    def _shared_fills(self) -> Iterator[Fill]:
        """Give the rectangles of shared formulas: neighbours in a row, and rows below each other."""
        growing: dict[tuple[bytes, int, int], Block] = {}
        for top, bottom in self.runs():
            for group, left, right in self._rows[top].shape.filled:
                above = growing.get((group, left, right))
                if above and above.bottom == top - 1:
                    growing[group, left, right] = Block(above.top, left, bottom, right)
                    continue
                if above:
                    yield self._filled(group, above)
                growing[group, left, right] = Block(top, left, bottom, right)
        for (group, _, _), block in growing.items():
            yield self._filled(group, block)

    def _filled(self, group: bytes, block: Block) -> Fill:
        (row, column), text = self._masters.get(group, ((block.top, block.left), ""))
        return Fill(block, CellFormula(text, block.top - row, block.left - column))


def _unescaped(text: bytes) -> str:
    plain = unescape(text.decode("utf-8", "replace"))
    return _ESCAPED.sub(
        lambda found: found[0] if 0xD7FF < int(found[1], 16) < 0xE000 else chr(int(found[1], 16)), plain
    )

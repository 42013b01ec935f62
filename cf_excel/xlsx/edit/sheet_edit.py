"""Change cells of a sheet in its XML's bytes: everything else stays as it was written."""

import re
from collections.abc import Iterator
from html import escape
from typing import TypeVar

from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.markup import VALUE, Cell
from cf_excel.xlsx.edit.new_values import NumberTable, Results
from cf_excel.xlsx.edit.sheet_rows import SPOT, Row, Shape
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue, SheetXml
from cf_excel.xlsx.edit.xml_check import check_xml
from cf_excel.xlsx.formula_tree import ErrorValue
from cf_excel.xlsx.texts import number_text

V = TypeVar("V")
Edit = tuple[int, int, bytes]  # from where to where in a row, and what takes the place


def changed_sheet(
    sheet: SheetXml, numbers: dict[Address, float], results: Results, *, drop_formulas: bool = False
) -> Iterator[bytes]:
    """Give the XML, piece by piece, with new constants and new results of formulas; a result of None is taken out.

    A constant takes the place of a formula only with drop_formulas. Cells that are not written yet are added, with
    the style of no cell. The order of attributes and all that is not named stays.
    """
    kept = _kept_formulas(sheet, numbers) if drop_formulas else {}
    held = {address: results[address] if address in results else sheet.value(address) for address in kept}
    cells = {address: value for address, value in results.cells.items() if address not in numbers} | held
    change = _Change(sheet, numbers, cells, results.tables, kept)
    written = sheet.written
    new_rows = {row: change.new_row(row) for row in sorted(change.constants) if row not in written.by_number}
    head, tail = written.frame(has_rows=bool(new_rows))
    to_check = [head]  # numbers in the place of numbers need no check
    yield head
    for row in written.rows:
        above = [number for number in new_rows if number < row.number]
        changed = [new_rows.pop(number) for number in above]
        xml = change.renumbered(row)
        if xml is None:
            changed.append(change.rewritten(row))
        to_check += changed
        yield from changed
        if xml is not None:
            yield xml
    below = [*new_rows.values(), tail]
    check_xml(b"".join([*to_check, *below]), f"{sheet.name} with its new numbers")
    yield from below


class _Change:
    """What becomes of the rows: constants and results by row and column, tables of results, texts of formulas."""

    def __init__(
        self,
        sheet: SheetXml,
        numbers: dict[Address, float],
        cells: dict[Address, CellValue],
        tables: dict[Block, NumberTable],
        kept: dict[Address, bytes],
    ) -> None:
        self.written, self.prefix, self.tags = sheet.written, sheet.written.prefix, sheet.written.tags
        self.constants, self.results, self.kept = _by_row(numbers), _by_row(cells), _by_row(kept)
        self.tables = [(block, number_texts(table, self.tags.closing)) for block, table in tables.items()]
        self._first_numbers: dict[Shape, dict[tuple[int, int], int]] = {}  # of tables, by their columns
        self._cut_shapes: dict[Shape, list[bytes]] = {}

    def renumbered(self, row: Row) -> bytes | None:
        """Return a row with other numbers between its markup, None where the markup must change, too."""
        number, shape = row.number, row.shape
        constants, results = self.constants.get(number, {}), self.results.get(number, {})
        tables = [(block, texts) for block, texts in self.tables if block.top <= number <= block.bottom]
        if not (constants or results or tables):
            return self.written.xml_of(row)
        new = self._new_numbers(shape, constants, results)
        firsts = [self._first_number(shape, block) for block, _ in tables]
        if number in self.kept or new is None or -1 in firsts:
            return None
        pieces = self._cut(row)
        for first, (block, texts) in zip(firsts, tables, strict=True):
            pieces[2 * first + 1 : 2 * (first + block.n_columns) : 2] = texts[number - block.top]
        for index, text in new.items():
            pieces[2 * index + 1] = text
        return VALUE.join(pieces).replace(SPOT, b'%d"' % number)

    def _cut(self, row: Row) -> list[bytes]:
        """Return a row cut between markup and numbers, with SPOT for its own number in the addresses."""
        if row.shape not in self._cut_shapes:
            mark = b'%d"' % row.number
            pieces = self.tags.pieces(self.written.xml_of(row))
            pieces[::2] = [markup.replace(mark, SPOT) for markup in pieces[::2]]
            self._cut_shapes[row.shape] = pieces
        pieces = self._cut_shapes[row.shape].copy()
        if row.numbers:
            pieces[1::2] = row.numbers.split(VALUE)
        return pieces

    def _new_numbers(
        self, shape: Shape, constants: dict[int, float], results: dict[int, CellValue]
    ) -> dict[int, bytes] | None:
        """Return new numbers by their place among the row's, None where something else than a number must change."""
        new = {}
        for column, value in results.items():
            found = shape.cells.get(column)
            if found:
                if not found.is_plain or not isinstance(value, float):
                    return None
                new[found.number] = _written(value) + self.tags.closing
        for column, value in constants.items():
            found = shape.cells.get(column)
            if not found or not found.is_plain or column in shape.formulas:
                return None
            new[found.number] = _written(value) + self.tags.closing
        return new

    def rewritten(self, row: Row) -> bytes:
        """Return a row with cells that changed whole, and cells that are new."""
        constants, results = self.constants.get(row.number, {}), self.results.get(row.number, {})
        shape, xml = self.written.read_shape(row), self.written.xml_of(row)  # the places of this very row
        edits = []
        for block, texts in self.tables:
            if block.top <= row.number <= block.bottom:
                given = zip(range(block.left, block.right + 1), texts[row.number - block.top], strict=True)
                edits += [
                    self._with_result(xml, shape.cells[column], b"", text.removesuffix(self.tags.closing))
                    for column, text in given
                    if column in shape.cells and column not in results and column not in constants
                ]
        for column, value in results.items():
            if column in shape.cells:
                formula = self.kept.get(row.number, {}).get(column)
                edits.append(self._with_result(xml, shape.cells[column], *_typed(value), formula))
        missing = {column: value for column, value in constants.items() if column not in shape.cells}
        edits += [self._with_constant(shape.cells[c], value) for c, value in constants.items() if c not in missing]
        edits += self._added(row, shape, missing)
        return _spliced(xml, edits)

    def new_row(self, number: int) -> bytes:
        """Return a row for constants where the sheet has none."""
        cells = self._new_cells(number, self.constants[number])
        return b'<%srow r="%d">%s</%srow>' % (self.prefix, number, cells, self.prefix)

    def _first_number(self, shape: Shape, block: Block) -> int:
        """Return which of a row's numbers is a table's first, -1 where not all of them are plain and in order."""
        firsts, columns = self._first_numbers.setdefault(shape, {}), (block.left, block.right)
        if columns not in firsts:
            cells = [shape.cells.get(column) for column in range(block.left, block.right + 1)]
            numbers = [found.number if found and found.is_plain else -1 for found in cells]
            in_order = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            firsts[columns] = numbers[0] if in_order else -1
        return firsts[columns]

    def _with_constant(self, found: Cell, value: float) -> Edit:
        p = self.prefix
        attributes = _without(found.attributes, b"t", b"cm", b"vm")
        extra = re.search(rb"<%sextLst.*" % p, found.body, re.DOTALL)
        new = b"<%sc%s><%sv>%s</%sv>%s</%sc>" % (p, attributes, p, _written(value), p, extra[0] if extra else b"", p)
        return found.start, found.end, new

    def _with_result(
        self, xml: bytes, found: Cell, kind: bytes, text: bytes | None, formula: bytes | None = None
    ) -> Edit:
        """Return the edit that gives a formula's cell another result and, where it is given, another formula."""
        p = self.prefix
        body = xml[found.body_start : found.body_start + len(found.body)]
        old, after = self.tags.value.search(found.body), self.tags.formula.search(found.body)
        start, end = old.span() if old else (after.end(),) * 2 if after else (0, 0)
        result = b"" if text is None else b"<%sv>%s</%sv>" % (p, text, p)
        before = body[:start]
        if formula is not None:
            own = b"<%sf>%s</%sf>" % (p, formula, p)
            before = re.sub(rb"<%sf(?=[\s/>])[^>]*?/>" % p, lambda _: own, before, count=1)
        attributes = _without(found.attributes, b"t")
        return found.start, found.end, b"<%sc%s%s>%s%s%s</%sc>" % (p, attributes, kind, before, result, body[end:], p)

    def _added(self, row: Row, shape: Shape, missing: dict[int, float]) -> Iterator[Edit]:
        """Give the edits that put new cells into a row, in the order of columns."""
        if not missing:
            return
        xml = self.written.xml_of(row)
        end = xml.index(b">") + 1
        tag = xml[:end]
        if tag.endswith(b"/>"):
            cells = self._new_cells(row.number, missing)
            yield 0, end, tag[:-2].rstrip() + b">" + cells + b"</%srow>" % self.prefix
            return
        for column in sorted(missing):
            place = max((found.end for other, found in shape.cells.items() if other < column), default=end)
            yield place, place, self._new_cells(row.number, {column: missing[column]})

    def _new_cells(self, row: int, values: dict[int, float]) -> bytes:
        p = self.prefix
        return b"".join(
            b'<%sc r="%s"><%sv>%s</%sv></%sc>' % (p, cell(row, column).encode(), p, _written(values[column]), p, p)
            for column in sorted(values)
        )


def number_texts(table: NumberTable, closing: bytes) -> list[list[bytes]]:
    """Return a table's rows as cells store them, each number with what closes it."""
    texts = [[_written(value) + closing for value in row] for row in table.values.tolist()]
    return [texts[row] for row in table.rows.tolist()]


def _written(number: float) -> bytes:
    return number_text(number).encode()


def _by_row(cells: dict[Address, V]) -> dict[int, dict[int, V]]:
    rows: dict[int, dict[int, V]] = {}
    for (row, column), value in cells.items():
        rows.setdefault(row, {})[column] = value
    return rows


def _kept_formulas(sheet: SheetXml, overwritten: dict[Address, float]) -> dict[Address, bytes]:
    """Return the formulas of cells whose shared formula loses the cell that holds its text: each gets its own."""
    kept = {}
    for fill in sheet.fills:
        origin = fill.block.top - fill.first.rows, fill.block.left - fill.first.columns
        if fill.first.array or (fill.block.is_one_cell and origin == (fill.block.top, fill.block.left)):
            continue
        if origin in overwritten:
            for address in sheet.addresses_in(fill.block):
                if address not in overwritten:
                    kept[address] = escape(sheet.shown_formula(address), quote=False).encode()
    return kept


def _typed(value: CellValue) -> tuple[bytes, bytes | None]:
    """Return what a cell with a result says of its type, and the result's text."""
    if isinstance(value, str):
        kind = b' t="e"' if isinstance(value, ErrorValue) else b' t="str"'
        return kind, escape(value, quote=False).encode()
    if value is None:
        return b"", None
    return b' t="b"' if isinstance(value, bool) else b"", _written(value)


def _without(attributes: bytes, *names: bytes) -> bytes:
    for name in names:
        if name in attributes:
            attributes = re.sub(rb"""\s%s\s*=\s*(?:"[^"]*"|'[^']*')""" % name, b"", attributes, count=1)
    return attributes.rstrip()


def _spliced(xml: bytes, edits: list[Edit]) -> bytes:
    parts, position = [], 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += [xml[position:start], new]
        position = end
    return b"".join([*parts, xml[position:]])

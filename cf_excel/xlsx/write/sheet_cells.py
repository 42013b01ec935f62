"""The cells of a sheet as XML, each formula with its result.

A rectangle of formulas is stored once and filled (ECMA-376, 18.3.1.40: shared formulas), and a sheet streams row by
row, so that millions of cells need little memory.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import islice

import numpy as np

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.texts import CellValue, number_text, shown_value, xml_text
from cf_excel.xlsx.well_formed import WellFormed

_ROWS_AT_ONCE = 500
_SHEET_DATA = re.compile(rb"<sheetData\s*/>|<sheetData></sheetData>")


def _text(text: str) -> str:
    return f' t="inlineStr"><is><t xml:space="preserve">{xml_text(text)}</t></is></c>'


def _content(value: CellValue) -> str:
    """Return the rest of a <c> element after its address and style."""
    if isinstance(value, str):
        return _text(value)
    if value is None or value != value:
        return "/>"
    if abs(value) >= 1e15:
        value = shown_value(value)
        return _text(value) if isinstance(value, str) else f"{_result(value)}</c>"
    return f"><v>{number_text(value)}</v></c>"


def _result(value: CellValue, formula: str = "") -> str:
    """Return the rest of a <c> element after its style, up to its end: its formula and what that gives."""
    if value is None or value != value:
        return f">{formula}"
    if isinstance(value, str):
        return f' t="str">{formula}<v>{xml_text(value)}</v>'
    if not math.isfinite(value):  # what a cell shows where a number is too large for it
        return f' t="e">{formula}<v>#NUM!</v>'
    return f">{formula}<v>{number_text(value)}</v>"


@dataclass(frozen=True)
class _Values:
    block: Block
    style: int
    rows: Sequence[Sequence[CellValue]]

    def rows_xml(self) -> Iterator[str]:
        """Yield the cells of each row."""
        letters = self.block.letters
        if len(letters) == 1:  # a table is written column by column
            for row, (value,) in enumerate(self.rows, self.block.top):
                yield f'<c r="{letters[0]}{row}" s="{self.style}"{_content(value)}'
            return
        for row, values in enumerate(self.rows, self.block.top):
            style = f'{row}" s="{self.style}"'
            yield "".join(
                [f'<c r="{name}{style}{_content(value)}' for name, value in zip(letters, values, strict=True)]
            )


@dataclass(frozen=True)
class _Pieces:
    """Columns of values, each with its style, of which some rows at a time are there."""

    block: Block
    styles: list[int]
    pieces: Iterable[Sequence[Sequence[CellValue]]]

    def rows_xml(self) -> Iterator[str]:
        """Yield the cells of each row."""
        row, letters = self.block.top, self.block.letters
        for columns in self.pieces:
            for values in zip(*columns, strict=True):
                cells = zip(letters, self.styles, values, strict=True)
                yield "".join([f'<c r="{name}{row}" s="{style}"{_content(value)}' for name, style, value in cells])
                row += 1


@dataclass(frozen=True)
class _Dressed(_Values):
    """Values of which each has a style of its own; styles: (n_rows, n_columns) numbers."""

    styles: list[list[int]]

    def rows_xml(self) -> Iterator[str]:
        """Yield the cells of each row."""
        letters = self.block.letters
        for row, (values, styles) in enumerate(zip(self.rows, self.styles, strict=True), self.block.top):
            cells = zip(letters, styles, values, strict=True)
            yield "".join([f'<c r="{name}{row}" s="{style}"{_content(value)}' for name, style, value in cells])


@dataclass(frozen=True)
class _Filled:
    block: Block
    style: int
    formula: str
    index: int
    results: np.ndarray

    def rows_xml(self) -> Iterator[str]:
        """Yield the cells of each row."""
        rows = self._numbers_xml(self._template) if self.results.dtype != object else self._texts_xml()
        yield next(rows).replace(self._follower, self._leader, 1)
        yield from rows

    def _results(self) -> Iterator[tuple[int, list]]:
        for start in range(0, len(self.results), _ROWS_AT_ONCE):
            yield from enumerate(self.results[start : start + _ROWS_AT_ONCE].tolist(), self.block.top + start)

    def _numbers_xml(self, template: str) -> Iterator[str]:
        for row, results in self._results():
            yield template.replace("\0", str(row)) % tuple(results)

    def _texts_xml(self) -> Iterator[str]:
        for row, results in self._results():
            cells = [self._cell(*pair) for pair in zip(self.block.letters, results, strict=True)]
            yield "".join(cells).replace("\0", str(row))

    @property
    def _template(self) -> str:
        # most of a large workbook: one replacement and one % a row are three times faster than a call a cell
        return "".join(
            f'<c r="{letters}\0" s="{self.style}">{self._follower}<v>%r</v></c>' for letters in self.block.letters
        )

    def _cell(self, letters: str, value: float | str) -> str:
        return f'<c r="{letters}\0" s="{self.style}"{_result(value, self._follower)}</c>'

    @property
    def _leader(self) -> str:
        """The formula of the first cell."""
        if self.block.is_one_cell:
            return f"<f>{escape(self.formula, quote=False)}</f>"
        return f'<f t="shared" ref="{self.block.address}" si="{self.index}">{escape(self.formula, quote=False)}</f>'

    @property
    def _follower(self) -> str:
        """The formula of the cells that are filled from it."""
        return f'<f t="shared" si="{self.index}"/>'


@dataclass(frozen=True)
class _SideBySide:
    """Filled blocks of numbers with the same rows, written together: one replacement and one % a row for all."""

    parts: list[_Filled]

    @property
    def block(self) -> Block:
        first, last = self.parts[0].block, self.parts[-1].block
        return Block(first.top, first.left, last.bottom, last.right)

    def rows_xml(self) -> Iterator[str]:
        whole = _Filled(self.block, 0, "", 0, np.hstack([part.results for part in self.parts]))
        rows = whole._numbers_xml("".join(part._template for part in self.parts))
        first = next(rows)
        for part in self.parts:
            first = first.replace(part._follower, part._leader, 1)
        yield first
        yield from rows


class _FilledWithArrays(_Filled):
    def rows_xml(self) -> Iterator[str]:
        from openpyxl.formula.translate import Translator  # slow to load, and seldom needed

        origin = Translator(f"={self.formula}", self.block.first)
        for row, results in self._results():
            cells = []
            for letters, value in zip(self.block.letters, results, strict=True):
                formula = escape(origin.translate_formula(f"{letters}{row}")[1:], quote=False)
                own = f'<f t="array" ref="{letters}{row}">{formula}</f>'
                cells.append(self._cell(letters, value).replace(self._follower, own))
            yield "".join(cells).replace("\0", str(row))


@dataclass(frozen=True)
class _OneArray(_Values):
    """Results of one array formula, which stands in the first cell."""

    formula: str

    def rows_xml(self) -> Iterator[str]:
        """Yield the cells of each row."""
        letters = self.block.letters
        formula = f'<f t="array" ref="{self.block.span()}">{escape(self.formula, quote=False)}</f>'
        for row, values in enumerate(self.rows, self.block.top):
            cells = []
            for name, value in zip(letters, values, strict=True):
                cells.append(f'<c r="{name}{row}" s="{self.style}"{_result(value, formula)}</c>')
                formula = ""
            yield "".join(cells)


@dataclass
class SheetCells:
    """The cells of one sheet, as rectangles that do not overlap."""

    styles: dict[str, int]
    row_heights: dict[int, float] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    _regions: list["_Values | _Pieces | _Filled | _SideBySide"] = field(default_factory=list)
    _n_filled: int = 0

    def put(self, block: Block, style: str, rows: Sequence[Sequence[CellValue]] | np.ndarray) -> None:
        """Put texts and numbers into a block, one sequence a row; None and NaN make blank cells of that style."""
        self._regions.append(_Values(block, self.styles[style], _as_rows(block, rows)))

    def put_dressed(self, block: Block, styles: np.ndarray, rows: Sequence[Sequence[CellValue]]) -> None:
        """Put values into a block, each with a style of its own; styles: (n_rows, n_columns) names."""
        names, places = np.unique(styles, return_inverse=True)
        numbers = np.array([self.styles[name] for name in names.tolist()])[places.reshape(styles.shape)]
        self._regions.append(_Dressed(block, 0, _as_rows(block, rows), numbers.tolist()))

    def put_pieces(self, block: Block, styles: list[str], pieces: Iterable[Sequence[Sequence[CellValue]]]) -> None:
        """Put columns into a block, each with its style; pieces: the columns of some rows after those of others."""
        self._regions.append(_Pieces(block, [self.styles[style] for style in styles], pieces))

    def fill(
        self, block: Block, style: str, formula: str, results: np.ndarray | Sequence, *, array: bool = False
    ) -> None:
        """Fill a block from the formula of its first cell, as Excel's fill handle does, with the results beside it.

        results: (n_rows, n_columns) numbers and texts. array: every cell is an array formula of its own, as a function
        that wants one text (EXACT) needs where it is given many.
        """
        results = np.asarray(results, dtype=getattr(results, "dtype", object))
        if results.dtype != object or not any(isinstance(value, str) for value in results.flat):
            results = results.astype(float)
            if not np.isfinite(results).all():
                results = results.astype(object)
        results = results.reshape(block.n_rows, block.n_columns)
        kind = _FilledWithArrays if array else _Filled
        self._regions.append(kind(block, self.styles[style], formula, self._n_filled, results))
        self._n_filled += 1

    def fill_side_by_side(self, fills: Sequence[tuple[Block, str, str]], results: np.ndarray) -> None:
        """Fill blocks that have the same rows, from left to right, each a (block, style, formula), with numbers.

        results: (n_rows, columns of all blocks); the blocks may leave columns between them blank, but hold no others.
        """
        ends = np.cumsum([block.n_columns for block, _, _ in fills])[:-1]
        parts = [
            _Filled(block, self.styles[style], formula, self._n_filled + i, part)
            for i, ((block, style, formula), part) in enumerate(zip(fills, np.hsplit(results, ends), strict=True))
        ]
        self._n_filled += len(parts)
        self._regions.append(_SideBySide(parts))

    def fill_at_once(
        self, block: Block, style: str, formula: str, results: Sequence[Sequence[CellValue]] | np.ndarray
    ) -> None:
        """Fill a block from one array formula that gives all its values; results: (n_rows, n_columns) numbers."""
        self._regions.append(_OneArray(block, self.styles[style], _as_rows(block, results), formula))

    @property
    def blocks(self) -> list[Block]:
        """The blocks that were put or filled, in that order."""
        return [region.block for region in self._regions]

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return sum(part.block.n_rows * part.block.n_columns for part in self._parts)

    @property
    def formulas(self) -> list[Block]:
        """The blocks that have formulas."""
        return [part.block for part in self._parts if isinstance(part, (_Filled, _OneArray))]

    @property
    def _parts(self) -> list["_Values | _Pieces | _Filled"]:
        """The regions, with what is filled side by side one by one."""
        return [part for one in self._regions for part in (one.parts if isinstance(one, _SideBySide) else [one])]

    @property
    def extent(self) -> Block:
        """The smallest rectangle that holds every cell."""
        blocks = self.blocks
        return Block(
            min(b.top for b in blocks),
            min(b.left for b in blocks),
            max(b.bottom for b in blocks),
            max(b.right for b in blocks),
        )

    def rows_xml(self) -> Iterator[str]:
        """Yield the <row> elements in order."""
        waiting = sorted(self._regions, key=lambda region: -region.block.top)
        # left column, last row, and the rows still to come of every region that crosses the current row
        active: list[tuple[int, int, Iterator[str]]] = []
        next_end = 0
        for row in range(self.extent.top, self.extent.bottom + 1):
            arrived = bool(waiting) and waiting[-1].block.top == row
            while waiting and waiting[-1].block.top == row:
                region = waiting.pop()
                active.append((region.block.left, region.block.bottom, region.rows_xml()))
            if arrived:
                active.sort(key=lambda region: region[0])
                next_end = min(bottom for _, bottom, _ in active)
            if active:
                height = self.row_heights.get(row)
                custom = f' ht="{height}" customHeight="1"' if height else ""
                custom += ' hidden="1"' if row in self.hidden_rows else ""
                yield f'<row r="{row}"{custom}>{"".join([next(rows) for _, _, rows in active])}</row>'
            if row == next_end:
                active = [region for region in active if region[1] > row]
                next_end = min((bottom for _, bottom, _ in active), default=0)


def _as_rows(block: Block, rows: Sequence[Sequence[CellValue]] | np.ndarray) -> list[list[CellValue]]:
    lists = [list(row) for row in (rows.tolist() if isinstance(rows, np.ndarray) else rows)]
    if len(lists) != block.n_rows or any(len(row) != block.n_columns for row in lists):
        raise ValueError(f"{block.address} wants {block.n_rows} x {block.n_columns} values")
    return lists


def sheet_xml(frame: bytes, cells: SheetCells, name: str = "a sheet") -> Iterator[bytes]:
    """Yield the XML of a sheet, piece by piece: an empty one, with the cells in it.

    Raises FileError where a piece is not well-formed; name: what the message calls the sheet.
    """
    head, tail = _SHEET_DATA.split(frame)
    part = WellFormed(name)
    dimension = f'<dimension ref="{cells.extent.address}"'.encode()
    yield part.checked(re.sub(rb'<dimension ref="[^"]*"', dimension, head) + b"<sheetData>")
    rows = cells.rows_xml()
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        yield part.checked_rows(some)
    yield part.checked(b"</sheetData>" + tail, is_last=True)

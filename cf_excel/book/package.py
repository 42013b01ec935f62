"""Write workbooks: openpyxl makes the frame (styles, names, charts, views), the cells come with their results.

openpyxl writes formulas without results, so that previewers, phones and pandas show blanks. Here every formula cell
carries its result, a rectangle of formulas is stored once and filled (ECMA-376, 18.3.1.40: shared formulas), and a
sheet streams row by row, so that millions of cells need little memory. The bytes depend on nothing but the inputs.
"""

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np
from openpyxl import Workbook
from openpyxl.formula.translate import Translator

from cf_excel.book.cells import Block, column_letters
from cf_excel.files import replacing

MAX_TEXT = 32_767
_ROWS_AT_ONCE = 500
_TIME = (2018, 1, 1, 0, 0, 0)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_SHEET_DATA = re.compile(rb"<sheetData\s*/>|<sheetData></sheetData>")
_FONT_ORDER = (
    *("b", "i", "strike", "condense", "extend", "outline", "shadow", "u", "vertAlign", "sz", "color"),
    *("name", "family", "charset", "scheme"),
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PREFIXES = {
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "cp": "http://schemas.openxmlformats.org/package/2006/metadata/core-properties",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}

CellValue = str | int | float | None


def clean_text(text: str) -> str:
    """Return a text as XML and a cell can hold it.

    Characters that XML forbids become spaces; beyond the 32,767 characters of a cell a text ends in an ellipsis.
    """
    text = _NOT_XML.sub(" ", text)
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return text


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def shown_value(value: CellValue) -> CellValue:
    """Return what a cell shows: texts cleaned, and whole numbers beyond the 15 digits that a cell keeps as texts."""
    if isinstance(value, int) and abs(value) >= 10**15:
        return str(value)
    return clean_text(value) if isinstance(value, str) else value


def _cell(address: str, style: int, value: CellValue) -> str:
    if value is None or value != value:
        return f'<c r="{address}" s="{style}"/>'
    value = shown_value(value)
    if isinstance(value, str):
        text = escape(_LOOKS_ESCAPED.sub("_x005F_", value))
        return f'<c r="{address}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f'<c r="{address}" s="{style}"><v>{_number(value)}</v></c>'


@dataclass(frozen=True)
class _Values:
    block: Block
    style: int
    rows: Sequence[Sequence[CellValue]]

    def row_xml(self, row: int) -> str:
        values = self.rows[row - self.block.top]
        return "".join(
            _cell(f"{column_letters(self.block.left + i)}{row}", self.style, value) for i, value in enumerate(values)
        )


@dataclass(frozen=True)
class _Filled:
    block: Block
    style: int
    formula: str
    index: int
    results: np.ndarray

    def row_xml(self, row: int) -> str:
        results = self.results[row - self.block.top].tolist()
        if self.results.dtype == object:
            cells = [self._cell(*pair) for pair in zip(self._letters, results, strict=True)]
            xml = "".join(cells).replace("\0", str(row))
        else:
            xml = self._template.replace("\0", str(row)) % tuple(results)
        return xml.replace(self._follower, self._leader, 1) if row == self.block.top else xml

    @cached_property
    def _letters(self) -> list[str]:
        return [column_letters(column) for column in range(self.block.left, self.block.right + 1)]

    @cached_property
    def _template(self) -> str:
        # most of a large workbook: one replacement and one % a row are three times faster than a call a cell
        return "".join(
            f'<c r="{letters}\0" s="{self.style}">{self._follower}<v>%r</v></c>' for letters in self._letters
        )

    def _cell(self, letters: str, value: float | str) -> str:
        kind, result = (
            (' t="str"', escape(_LOOKS_ESCAPED.sub("_x005F_", value)))
            if isinstance(value, str)
            else ("", _number(value))
        )
        return f'<c r="{letters}\0" s="{self.style}"{kind}>{self._follower}<v>{result}</v></c>'

    @property
    def _leader(self) -> str:
        """The formula of the first cell."""
        if self.block.is_one_cell:
            return f"<f>{escape(self.formula)}</f>"
        return f'<f t="shared" ref="{self.block.address}" si="{self.index}">{escape(self.formula)}</f>'

    @property
    def _follower(self) -> str:
        """The formula of the cells that are filled from it."""
        return f'<f t="shared" si="{self.index}"/>'


class _FilledWithArrays(_Filled):
    def row_xml(self, row: int) -> str:
        origin = Translator(f"={self.formula}", self.block.first)
        cells = []
        for letters, value in zip(self._letters, self.results[row - self.block.top].tolist(), strict=True):
            formula = escape(origin.translate_formula(f"{letters}{row}")[1:])
            own = f'<f t="array" ref="{letters}{row}">{formula}</f>'
            cells.append(self._cell(letters, value).replace(self._follower, own))
        return "".join(cells).replace("\0", str(row))


@dataclass(frozen=True)
class _OneArray(_Values):
    """Results of one array formula, which stands in the first cell."""

    formula: str

    def row_xml(self, row: int) -> str:
        xml = super().row_xml(row)
        if row > self.block.top:
            return xml
        formula = f'<f t="array" ref="{self.block.span()}">{escape(self.formula)}</f>'
        head, tag, rest = xml.partition("<v>")
        return f"{head}{formula}{tag}{rest}"


@dataclass
class SheetCells:
    """The cells of one sheet, as rectangles that do not overlap."""

    styles: dict[str, int]
    row_heights: dict[int, float] = field(default_factory=dict)
    _regions: list[_Values | _Filled] = field(default_factory=list)

    def put(self, block: Block, style: str, rows: Sequence[Sequence[CellValue]] | np.ndarray) -> None:
        """Put texts and numbers into a block, one sequence a row; None and NaN make blank cells of that style."""
        self._add(_Values(block, self.styles[style], _as_rows(block, rows)))

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
        results = results.reshape(block.n_rows, block.n_columns)
        kind = _FilledWithArrays if array else _Filled
        self._add(kind(block, self.styles[style], formula, len(self._regions), results))

    def fill_at_once(
        self, block: Block, style: str, formula: str, results: Sequence[Sequence[CellValue]] | np.ndarray
    ) -> None:
        """Fill a block from one array formula that gives all its values, with the results beside it."""
        self._add(_OneArray(block, self.styles[style], _as_rows(block, results), formula))

    def _add(self, region: _Values | _Filled) -> None:
        self._regions.append(region)

    @property
    def blocks(self) -> list[Block]:
        """The blocks that were put or filled, in that order."""
        return [region.block for region in self._regions]

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
        active: list[_Values | _Filled] = []
        for row in range(self.extent.top, self.extent.bottom + 1):
            arrived = bool(waiting) and waiting[-1].block.top == row
            while waiting and waiting[-1].block.top == row:
                active.append(waiting.pop())
            if arrived:
                active.sort(key=lambda region: region.block.left)
            if active:
                height = self.row_heights.get(row)
                custom = f' ht="{height}" customHeight="1"' if height else ""
                yield f'<row r="{row}"{custom}>{"".join(region.row_xml(row) for region in active)}</row>'
            active = [region for region in active if region.block.bottom > row]


def _as_rows(block: Block, rows: Sequence[Sequence[CellValue]] | np.ndarray) -> list[list[CellValue]]:
    rows = rows.tolist() if isinstance(rows, np.ndarray) else [list(row) for row in rows]
    if len(rows) != block.n_rows or any(len(row) != block.n_columns for row in rows):
        raise ValueError(f"{block.address} wants {block.n_rows} x {block.n_columns} values")
    return rows


def write_workbook(path: Path, workbook: Workbook, cells: dict[str, SheetCells]) -> None:
    """Write a workbook whose cells are given by sheet name, whole or not at all.

    Every sheet of the openpyxl workbook that is named in cells must hold no cell of its own. Raises FileError.
    """
    frame = io.BytesIO()
    workbook.save(frame)
    parts = {f"xl/worksheets/sheet{i}.xml": cells.get(sheet.title) for i, sheet in enumerate(workbook.worksheets, 1)}
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(frame) as source,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            with target.open(entry, "w", force_zip64=False) as part:
                content = _mended(name, source.read(name))
                sheet = parts.get(name)
                for chunk in [content] if sheet is None else _sheet(content, sheet):
                    part.write(chunk)


def _sheet(frame: bytes, cells: SheetCells) -> Iterator[bytes]:
    head, tail = _SHEET_DATA.split(frame)
    yield re.sub(rb'<dimension ref="[^"]*"', f'<dimension ref="{cells.extent.address}"'.encode(), head) + b"<sheetData>"
    rows = []
    for row in cells.rows_xml():
        rows.append(row)
        if len(rows) == _ROWS_AT_ONCE:
            yield "".join(rows).encode()
            rows = []
    yield "".join(rows).encode()
    yield b"</sheetData>" + tail


def _mended(name: str, content: bytes) -> bytes:
    """Return a part of the frame as every program wants it, in the same bytes whichever XML library openpyxl found."""
    if not name.endswith((".xml", ".rels")):
        return content
    root = ElementTree.fromstring(content)
    if name.endswith(".rels"):
        _make_targets_relative(name, root)
    elif name == "xl/styles.xml":
        _order_fonts(root)
    elif name == "docProps/core.xml":
        for tag in ("created", "modified"):
            for stamp in root.iter(f"{{{_PREFIXES['dcterms']}}}{tag}"):
                stamp.text = "2018-01-01T00:00:00Z"
    for prefix, uri in _PREFIXES.items():
        ElementTree.register_namespace(prefix, uri)
    ElementTree.register_namespace("", root.tag[1:].partition("}")[0])
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _make_targets_relative(name: str, root: ElementTree.Element) -> None:
    # openpyxl's absolute targets are legal, but some readers take them for relative ones
    folder = posixpath.dirname(posixpath.dirname(name)) or "."
    for relationship in root:
        target = relationship.get("Target", "")
        if target.startswith("/"):
            relationship.set("Target", posixpath.relpath(target[1:], folder))


def _order_fonts(root: ElementTree.Element) -> None:
    # the schema fixes the order of a font's parts; openpyxl writes another one
    for font in root.iter(f"{{{_MAIN}}}font"):
        font[:] = sorted(font, key=lambda part: _FONT_ORDER.index(part.tag.rpartition("}")[2]))

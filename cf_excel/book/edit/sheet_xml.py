"""Read the cells of a sheet's XML, and change some of them in its bytes: everything else stays as it was written.

The XML is known to be whole (see archive.check_xml) before it is searched.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from html import unescape
from xml.sax.saxutils import escape

from cf_excel.book.cells import MAX_COLUMNS, MAX_ROWS, Block, cell
from cf_excel.book.edit.references import column_number, take_apart
from cf_excel.errors import FileError

Address = tuple[int, int]  # row, column
CellValue = str | float | bool | None

_ADDRESS = re.compile(rb"\$?([A-Z]{1,3})\$?(\d{1,7})")
_PLACE = re.compile(rb"""\sr\s*=\s*["']\$?([A-Z]{1,3})\$?(\d{1,7})["']""")
_ATTRIBUTE = re.compile(rb"""\s([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_HIDDEN = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True)
class CellFormula:
    """The formula of a cell: the text of the cell it was filled from, and how far away that is."""

    text: str
    rows: int = 0
    columns: int = 0
    array: Block | None = None  # the cells that one array formula fills

    @property
    def skeleton(self) -> str:
        """The text with # for every reference."""
        return take_apart(self.text)[0]

    @property
    def blocks(self) -> list[Block]:
        """The rectangles that it refers to, whatever their sheets."""
        return [reference.shifted(self.rows, self.columns) for reference in take_apart(self.text)[1]]


@dataclass(frozen=True, slots=True)
class _Cell:
    start: int
    body_start: int
    end: int
    attributes: bytes
    body: bytes  # as it is searched, see SheetXml.__init__


class SheetXml:
    """One sheet: values and formulas by (row, column), and the XML with changed cells.

    strings: the workbook's shared strings. name: what messages call the sheet.
    """

    def __init__(self, xml: bytes, strings: list[str], name: str) -> None:
        self.xml = xml
        self.name = name
        self._strings = strings
        if not re.search(rb"<(?:[\w.-]+:)?worksheet[\s>]", xml):
            raise FileError(f"{name} is no worksheet")
        self._prefix = tag_prefix(xml, b"worksheet")
        # comments and the like must not be taken for cells; same length, so that places stay
        self._tags = {tag: _element(self._prefix, tag) for tag in (b"f", b"v", b"t")}
        self._searched = _HIDDEN.sub(lambda found: _veiled(found[0]), xml) if _HIDDEN.search(xml) else xml
        self._cells: dict[Address, _Cell] = {}
        self._rows: dict[int, tuple[int, int, bool]] = {}  # start, end of the start tag, is it an empty element
        self._scan()

    def __contains__(self, address: Address) -> bool:
        return address in self._cells

    @property
    def addresses(self) -> list[Address]:
        """The cells that are written in the sheet, blank ones included."""
        return list(self._cells)

    def value(self, address: Address) -> CellValue:
        """Return a number, a text, a truth value, or None for a blank; an error is the text Excel shows."""
        found = self._cells.get(address)
        if not found or not found.body:
            return None
        kind = _attributes(found.attributes).get(b"t", b"n") if b"t" in found.attributes else b"n"
        if kind == b"inlineStr":
            return self._text(found.body)
        written = self._tags[b"v"].search(found.body)
        if not written or not written[1]:
            return "" if written and kind == b"str" else None
        inner = written[1]
        try:
            if kind == b"s":
                return self._strings[int(inner)]
            if kind in (b"str", b"e", b"d"):
                return _unescaped(inner)
            number = float(inner)
        except (ValueError, IndexError):
            raise FileError(f"{self.name}: cell {cell(*address)} holds {_unescaped(inner)[:40]!r}, damaged") from None
        return bool(number) if kind == b"b" else number

    @cached_property
    def formulas(self) -> dict[Address, CellFormula]:
        """The formulas by cell; a cell that an array formula fills from elsewhere has that formula."""
        found, masters, arrays = {}, {}, []
        for address, written in self._cells.items():
            match = self._tags[b"f"].search(written.body) if written.body else None
            if not match:
                continue
            attributes = _formula_attributes(match[0][: match[0].index(b">")])
            text = unescape((match[1] or b"").decode("utf-8", "replace"))
            kind = attributes.get(b"t")
            if kind == b"shared":
                group = attributes.get(b"si", b"")
                if text:
                    masters[group] = address, text
                found[address] = group
            elif kind in (b"array", b"dataTable"):
                area = _block(attributes.get(b"ref", b"")) or Block(*address, *address)
                found[address] = CellFormula(text, array=area)
                arrays.append(found[address])
            else:
                found[address] = CellFormula(text)
        for address, group in found.items():
            if isinstance(group, bytes):
                (row, column), text = masters.get(group, (address, ""))
                found[address] = CellFormula(text, address[0] - row, address[1] - column)
        for formula in arrays:
            area = formula.array
            if not area.is_one_cell:
                for inside in self._cells:
                    if area.top <= inside[0] <= area.bottom and area.left <= inside[1] <= area.right:
                        found.setdefault(inside, formula)
        return found

    def style(self, address: Address) -> int:
        """Return the number of a cell's style, 0 where there is none."""
        found = self._cells.get(address)
        number = _attributes(found.attributes).get(b"s", b"0") if found else b"0"
        return int(number) if number.isdigit() else 0

    def shown_formula(self, address: Address) -> str:
        """Return the formula as the cell shows it, for messages and for cells that lose their shared formula."""
        formula = self.formulas[address]
        if not (formula.rows or formula.columns):
            return formula.text
        from openpyxl.formula.translate import Translator

        origin = cell(address[0] - formula.rows, address[1] - formula.columns)
        return Translator(f"={formula.text}", origin).translate_formula(cell(*address))[1:]

    def changed(
        self, numbers: dict[Address, float], results: dict[Address, CellValue], *, drop_formulas: bool = False
    ) -> bytes:
        """Return the XML with new constants and new results of formulas; a result of None is taken out.

        A constant takes the place of a formula only with drop_formulas. Cells that are not written yet are added, with
        the style of no cell. The order of attributes and all that is not named stays.
        """
        kept = dict(self._kept_followers(set(numbers), results)) if drop_formulas else {}
        edits = list(kept.values())
        missing: dict[int, dict[int, bytes]] = {}
        for address, value in numbers.items():
            if address in self._cells:
                edits.append(self._with_constant(address, value))
            else:
                missing.setdefault(address[0], {})[address[1]] = self._new_cell(address, value)
        for address, value in results.items():
            if address in self._cells and address not in kept and address not in numbers:
                edits.append(self._with_result(address, value))
        for row, cells in missing.items():
            edits += self._added(row, cells)
        return _spliced(self.xml, edits)

    def _scan(self) -> None:
        tag = re.compile(
            rb"<%(p)s(?:c(?=[\s/>])([^>]*?)(?:/>|>(.*?)</%(p)sc\s*>)|row(?=[\s/>])([^>]*?)(/?)>)"
            % {b"p": self._prefix},
            re.DOTALL,
        )
        data = re.search(rb"<%ssheetData[^>]*?(/?)>" % self._prefix, self._searched)
        if not data:
            raise FileError(f"{self.name} is damaged: it has no cells")
        self._data_start, self._is_empty = data.span(), bool(data[1])
        closing = self._searched.find(b"</%ssheetData" % self._prefix, data.end())
        self._data_end = data.end() if self._is_empty or closing < 0 else closing
        row = column = 0
        for found in tag.finditer(self._searched, data.end(), self._data_end):
            attributes, body, row_attributes, empty = found.groups()
            if row_attributes is not None:
                number = _attributes(row_attributes).get(b"r")
                row, column = int(number) if number and number.isdigit() else row + 1, 0
                self._rows[row] = (found.start(), found.end(), bool(empty))
                continue
            place = _PLACE.search(attributes)
            column = column_number(place[1].decode()) if place else column + 1
            if place:
                row = int(place[2])
            if not 1 <= column <= MAX_COLUMNS or not 1 <= row <= MAX_ROWS or (row, column) in self._cells:
                raise FileError(f"{self.name} is damaged: a cell is outside the sheet or there twice")
            self._cells[row, column] = _Cell(found.start(), found.start(2), found.end(), attributes, body or b"")

    def _text(self, body: bytes) -> str:
        parts = (found[1] or b"" for found in self._tags[b"t"].finditer(body))
        return "".join(map(_unescaped, parts))

    def _kept_followers(
        self, overwritten: set[Address], results: dict[Address, CellValue]
    ) -> Iterator[tuple[Address, tuple[int, int, bytes]]]:
        """Give the cells, with their edits, whose shared formula would lose its first cell: each gets its own text."""
        masters = {
            address
            for address in overwritten
            if address in self.formulas and not (self.formulas[address].rows or self.formulas[address].columns)
        }
        tag = re.compile(rb"<%sf(?=[\s/>])[^>]*?/>" % self._prefix)
        for address, formula in self.formulas.items():
            origin = address[0] - formula.rows, address[1] - formula.columns
            if origin in masters and address not in overwritten:
                text = escape(self.shown_formula(address)).encode()
                own = b"<%sf>%s</%sf>" % (self._prefix, text, self._prefix)
                yield address, self._with_result(address, results.get(address, self.value(address)), formula=(tag, own))

    def _new_cell(self, address: Address, value: float) -> bytes:
        p = self._prefix
        return b'<%sc r="%s"><%sv>%s</%sv></%sc>' % (p, cell(*address).encode(), p, number_text(value), p, p)

    def _with_constant(self, address: Address, value: float) -> tuple[int, int, bytes]:
        p, found = self._prefix, self._cells[address]
        attributes = _without(found.attributes, b"t", b"cm", b"vm")
        extra = re.search(rb"<%sextLst.*" % p, found.body, re.DOTALL)
        new = b"<%sc%s><%sv>%s</%sv>%s</%sc>" % (p, attributes, p, number_text(value), p, extra[0] if extra else b"", p)
        return found.start, found.end, new

    def _with_result(
        self, address: Address, value: CellValue, formula: tuple[re.Pattern, bytes] | None = None
    ) -> tuple[int, int, bytes]:
        """Return the edit that gives a formula cell another result and, where it is given, another <f>."""
        p, found = self._prefix, self._cells[address]
        attributes = _without(found.attributes, b"t")
        body = self.xml[found.body_start : found.body_start + len(found.body)]
        old, after = self._tags[b"v"].search(found.body), self._tags[b"f"].search(found.body)
        start, end = old.span() if old else (after.end(),) * 2 if after else (0, 0)
        kind, result = b"", b""
        if value is not None:
            kind = b' t="str"' if isinstance(value, str) else b' t="b"' if isinstance(value, bool) else b""
            text = escape(value).encode() if isinstance(value, str) else number_text(value)
            result = b"<%sv>%s</%sv>" % (p, text, p)
        before = body[:start]
        if formula:
            before = formula[0].sub(lambda _: formula[1], before, count=1)
        new = b"<%sc%s%s>%s%s%s</%sc>" % (p, attributes, kind, before, result, body[end:], p)
        return found.start, found.end, new

    def _added(self, row: int, cells: dict[int, bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Give the edits that put new cells into a row, in the order of columns."""
        p = self._prefix
        if row in self._rows:
            start, end, empty = self._rows[row]
            if empty:
                tag = self.xml[start:end].rstrip()[:-2].rstrip() + b">"
                yield start, end, tag + b"".join(cells[column] for column in sorted(cells)) + b"</%srow>" % p
                return
            written = sorted((address[1], found.end) for address, found in self._cells.items() if address[0] == row)
            for column in sorted(cells):
                place = max((stop for other, stop in written if other < column), default=end)
                yield place, place, cells[column]
            return
        new = b'<%srow r="%d">%s</%srow>' % (p, row, b"".join(cells[column] for column in sorted(cells)), p)
        below = [start for other, (start, _, _) in self._rows.items() if other > row]
        if self._is_empty:
            start, end = self._data_start
            yield start, end, b"<%ssheetData>%s</%ssheetData>" % (p, new, p)
        else:
            place = min(below, default=self._data_end)
            yield place, place, new


def number_text(value: float) -> bytes:
    """Return a number as a cell stores it, whole ones without a point."""
    value = float(value)
    return (str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)).encode()


def _element(prefix: bytes, tag: bytes) -> re.Pattern:
    """Return what finds an element, empty or not, and its content."""
    name = prefix + tag
    return re.compile(rb"<%s(?=[\s/>])(?:[^>]*?/>|[^>]*>(.*?)</%s\s*>)" % (name, name), re.DOTALL)


def _without(attributes: bytes, *names: bytes) -> bytes:
    for name in names:
        if name not in attributes:
            continue
        attributes = re.sub(rb"""\s%s\s*=\s*(?:"[^"]*"|'[^']*')""" % name, b"", attributes, count=1)
    return attributes.rstrip()


def tag_prefix(xml: bytes, root: bytes) -> bytes:
    """Return what stands before the names of elements: b"x:", or nothing."""
    found = re.search(rb"<(?:([\w.-]+):)?%s[\s>]" % root, xml)
    return found[1] + b":" if found and found[1] else b""


def _spliced(xml: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    parts, position = [], 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += [xml[position:start], new]
        position = end
    return b"".join([*parts, xml[position:]])


def _veiled(hidden: bytes) -> bytes:
    if hidden.startswith(b"<![CDATA["):
        # a text in a cell: without the marks it reads as the text it is
        text = hidden[9:-3].translate(bytes.maketrans(b"<>&\"'", b"....."))
        return b" " * 9 + text + b" " * 3
    return b" " * len(hidden)


@lru_cache(maxsize=1 << 12)
def _formula_attributes(tag: bytes) -> dict[bytes, bytes]:
    # thousands of cells share a formula, and write the same tag
    return _attributes(tag)


def _attributes(tag: bytes) -> dict[bytes, bytes]:
    return {name: double or single for name, double, single in _ATTRIBUTE.findall(tag)}


def _unescaped(text: bytes) -> str:
    plain = unescape(text.decode("utf-8", "replace"))
    return _ESCAPED.sub(
        lambda found: found[0] if 0xD7FF < int(found[1], 16) < 0xE000 else chr(int(found[1], 16)), plain
    )


def _block(text: bytes) -> Block | None:
    found = [(int(row), column_number(letters.decode())) for letters, row in _ADDRESS.findall(text)]
    return Block(*found[0], *found[-1]) if found else None

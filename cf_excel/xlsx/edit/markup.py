"""How a sheet's XML writes rows, cells, formulas and values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import NamedTuple

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.references import column_number

_ADDRESS = re.compile(rb"\$?([A-Z]{1,3})\$?(\d{1,7})")
_PLACE = re.compile(rb"""\sr\s*=\s*["']\$?([A-Z]{1,3})\$?(\d{1,7})["']""")
_ATTRIBUTE = re.compile(rb"""\s([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
VALUE = b"v>"  # the end of the tags that open and close a value


@dataclass(frozen=True)
class WrittenFormula:
    """What a cell's <f> says: its kind (None, b"shared", b"array", b"dataTable"), text, group and cells."""

    kind: bytes | None
    text: str
    group: bytes
    area: Block | None


class Cell(NamedTuple):
    """A cell as a row writes it; places count from where the row begins.

    number: which of the row's numbers is its value, -1 where the value is written in another way.
    is_plain: whether another number may take the value's place and nothing else need change.
    """

    start: int
    body_start: int
    end: int
    attributes: bytes
    body: bytes
    kind: bytes
    number: int
    is_plain: bool


# Letters of the column and number of the row, which may be missing; formula and cell.
ReadCell = tuple[bytes, bytes, WrittenFormula | None, Cell]


class Tags:
    """How a sheet writes its elements: with a prefix or without."""

    def __init__(self, prefix: bytes) -> None:
        self.formula, self.value, self.text = (_element(prefix, tag) for tag in (b"f", b"v", b"t"))
        # what most cells look like: attributes, column, row; then what is in them, formula and number
        named = rb'<%(p)sc( r="([A-Z]{1,3})(\d{1,7})"(?: s="\d+")?)'
        holding = rb"((<%(p)sf(?=[\s/])[^>]*/>)?<%(p)sv>([^<]*)</%(p)sv>)</%(p)sc>"
        usual = named + b"(?:/>|>" + holding + b")"
        other = rb"<%(p)sc(?=[\s/>])([^>]*?)(?:/>|>(.*?)</%(p)sc\s*>)"
        self._cell = re.compile((usual + b"|" + other) % {b"p": prefix}, re.DOTALL)
        self.row_start = re.compile(rb"<%srow(?=[\s/>])(?: r=\"([1-9]\d{0,6})\")?([^>]*)>" % prefix)
        self.closing = b"</%s" % prefix  # of a value, without its name
        self._row_end = b"</%srow>" % prefix
        self._closings: dict[int, bytes] = {}

    def cells(self, row: bytes, places: dict[int, int]) -> Iterator[ReadCell]:
        """Give the cells of a row; places: which of its numbers begins where."""
        for found in self._cell.finditer(row):
            yield self._usual_cell(found, places) if found[2] else self._other_cell(found, places)

    def row_number(self, tag: re.Match[bytes], before: int) -> int:
        """Return the number of the row that begins with this tag; before: that of the row above."""
        if tag[1]:
            return int(tag[1])
        number = attributes_of(tag[2]).get(b"r", b"")
        return int(number) if number.isdigit() and len(number) < 9 else before + 1

    def pieces(self, xml: bytes) -> list[bytes]:
        """Cut a row between the markup and the numbers of its values; VALUE.join puts it together again.

        Markup ends with what opens a value, a number with what closes it: `... <` `3.5</` `</c> ...`.
        """
        return xml.split(VALUE)

    def closings(self, n: int) -> bytes:
        """Return what is left of n numbers, joined as pieces are, without the numbers."""
        if n not in self._closings:
            self._closings[n] = VALUE.join([self.closing] * n)
        return self._closings[n]

    def cut_numbers(self, numbers: bytes, n: int = -1) -> list[bytes]:
        """Return a row's numbers, n of them and a rest, from how they are joined."""
        return numbers.removesuffix(self.closing).split(self.closing + VALUE, n)

    def is_whole_row(self, xml: bytes) -> bool:
        """Whether a row's XML is an element from its first byte to its last, if it is whole at all."""
        start = xml.find(b">")
        return xml[start - 1 : start] != b"/" and xml.endswith(self._row_end) and xml.count(self._row_end) == 1

    def number_places(self, xml: bytes) -> dict[int, int]:
        """Return which of a row's numbers begins where."""
        places, end = {}, 0
        for i, piece in enumerate(self.pieces(xml)):
            if i % 2:
                places[end] = i // 2
            end += len(piece) + len(VALUE)
        return places

    def _usual_cell(self, found: re.Match[bytes], places: dict[int, int]) -> ReadCell:
        attributes, letters, row, body, formula = found.group(1, 2, 3, 4, 5)
        number = places.get(found.start(6), -1)
        cell = Cell(found.start(), found.start(4), found.end(), attributes, body or b"", b"n", number, number >= 0)
        return letters, row, _written(formula, b"") if formula else None, cell

    def _other_cell(self, found: re.Match[bytes], places: dict[int, int]) -> ReadCell:
        attributes, body = found[7], found[8] or b""
        place = _PLACE.search(attributes)
        given, start = attributes_of(attributes), found.start(8)
        value, formula = (tag.search(body) if body else None for tag in (self.value, self.formula))
        number = places.get(start + value.start(1), -1) if value and value[1] is not None else -1
        kind = given.get(b"t", b"n")
        is_plain = number >= 0 and kind == b"n" and not given.keys() & {b"cm", b"vm"}
        cell = Cell(found.start(), start, found.end(), attributes, body, kind, number, is_plain)
        letters, row = place.groups() if place else (b"", b"")
        return letters, row, _written(formula[0], formula[1] or b"") if formula else None, cell


def attributes_of(tag: bytes) -> dict[bytes, bytes]:
    """Return the attributes of a start tag, as they are written."""
    return {name: double or single for name, double, single in _ATTRIBUTE.findall(tag)}


def tag_prefix(xml: bytes, root: bytes) -> bytes:
    """Return what stands before the names of elements: b"x:", or nothing."""
    found = re.search(rb"<(?:([\w.-]+):)?%s[\s>]" % root, xml)
    return prefix_of(found) if found else b""


def prefix_of(found: re.Match[bytes]) -> bytes:
    """Return the prefix, with its colon, that the first group of a match holds."""
    return found[1] + b":" if found[1] else b""


@lru_cache(maxsize=1 << 12)
def _written(element: bytes, content: bytes) -> WrittenFormula:
    # thousands of cells that share a formula write the same
    given = attributes_of(element[: element.index(b">")])
    text = unescape(content.decode("utf-8", "replace"))
    corners = [(int(row), column_number(letters.decode())) for letters, row in _ADDRESS.findall(given.get(b"ref", b""))]
    rows, columns = zip(*corners, strict=True) if corners else ((), ())
    area = Block(min(rows), min(columns), max(rows), max(columns)) if corners else None
    return WrittenFormula(given.get(b"t"), text, given.get(b"si", b""), area)


def _element(prefix: bytes, tag: bytes) -> re.Pattern[bytes]:
    """Return what finds an element, empty or not, and its content."""
    name = prefix + tag
    return re.compile(rb"<%s(?=[\s/>])(?:[^>]*?/>|[^>]*>(.*?)</%s\s*>)" % (name, name), re.DOTALL)

"""The rows of a sheet's XML, and what many of them have in common.

A table of ten thousand rows writes one row ten thousand times, with other numbers in it. Rows that are the same but for
the numbers between <v> and </v> and for the row's own number have one shape, which is checked and read once.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

from cf_excel.errors import FileError
from cf_excel.xlsx.cells import MAX_COLUMNS, MAX_ROWS
from cf_excel.xlsx.cells import cell as address
from cf_excel.xlsx.edit.markup import VALUE, Cell, Tags, WrittenFormula, prefix_of
from cf_excel.xlsx.edit.xml_check import check_xml
from cf_excel.xlsx.references import column_number

_HIDDEN = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
SPOT = b"\0"  # stands nowhere in XML
MAX_FORMULA = 2 * 8192  # Excel's limit, and as much again for prefixes such as _xlfn. that only files have
_OF_NUMBERS = b"0123456789.+-eE"


@dataclass(frozen=True, eq=False)
class Shape:
    """What rows of one shape have in common: cells and formulas by column.

    The places of cells are those in the first row of the shape. In another one the numbers may be longer, so that only
    which of the row's numbers a value is (Cell.number) holds in all of them; who needs places reads the row anew.
    """

    cells: dict[int, Cell]
    formulas: dict[int, WrittenFormula]
    may_be_shared: bool = False

    @cached_property
    def own_texts(self) -> list[tuple[int, str]]:
        """Columns of formulas that are no part of a group, with their texts."""
        many = (b"shared", b"array", b"dataTable")
        return [(column, formula.text) for column, formula in self.formulas.items() if formula.kind not in many]

    @cached_property
    def filled(self) -> list[tuple[bytes, int, int]]:
        """Groups of shared formulas, each with its first and last column; a group may come up more than once."""
        found: list[tuple[bytes, int, int]] = []
        for column in sorted(self.formulas):
            formula = self.formulas[column]
            if formula.kind != b"shared":
                continue
            if found and found[-1][0] == formula.group and found[-1][2] == column - 1:
                found[-1] = (formula.group, found[-1][1], column)
            else:
                found.append((formula.group, column, column))
        return found


@dataclass(slots=True, eq=False)
class Row:
    """A row: where its XML begins and ends in the sheet's; its numbers as they are written."""

    number: int
    start: int
    end: int
    numbers: bytes
    shape: Shape = Shape({}, {})


class SheetRows:
    """A sheet's XML as what comes before its rows, the rows in order, and the rest.

    name: what messages call the sheet. part: what they call its XML.
    Raises FileError where the XML is not whole, declares entities, has cells where none can be or endless formulas.
    """

    def __init__(self, xml: bytes, name: str, part: str) -> None:
        self.name, self.xml, self._part = name, xml, part
        self.hides = False
        self._searched = xml
        shapes = self._cut_rows()
        if shapes is None:
            # what must not be taken for cells is blanked out, so that places stay
            self.hides = True
            self._searched = _HIDDEN.sub(lambda found: _veiled(found[0]), xml)
            check_xml(xml, part)
            self._cut_rows()
            shapes = [-1] * len(self.rows)
        self._read_shapes(shapes)
        self.by_number = {row.number: row for row in self.rows}
        if len(self.by_number) != len(self.rows):
            raise FileError(f"{name} is damaged: a row is there twice")

    def xml_of(self, row: Row) -> bytes:
        """Return a row as it is written."""
        return self.xml[row.start : row.end]

    def frame(self, has_rows: bool) -> tuple[bytes, bytes]:
        """Return what stands before the rows and behind them; has_rows: whether there are some by now."""
        if self.rows:
            return self.xml[: self.rows[0].start], self.xml[self.rows[-1].end :]
        data, p = self._data, self.prefix
        if not data[1] or not has_rows:
            return self.xml[: data.end()], self.xml[data.end() :]
        return self.xml[: data.start()] + b"<%ssheetData>" % p, b"</%ssheetData>" % p + self.xml[data.end() :]

    def _cut_rows(self) -> list[int] | None:
        """Find the rows and check the XML; return which shape each row has, -1 for one of its own.

        None where comments and the like may pass for cells.
        """
        start, end = self._find_data()
        found = list(self.tags.row_start.finditer(self._searched, start, end))
        self.rows = []
        shapes: list[int] = []
        novel: list[bytes] = []  # one row of each shape: where these are whole, all are
        known = KnownShapes(self.tags)
        number = 0
        for tag, below in zip_longest(found, found[1:]):
            number = self.tags.row_number(tag, number)
            start, stop = tag.start(), below.start() if below else end
            xml = self._searched[start:stop]
            numbers, shape, is_new = (b"", -1, True) if self.hides else known.look_up(xml, number)
            self.rows.append(Row(number, start, stop, numbers))
            shapes.append(shape)
            if is_new:
                novel.append(xml)
        if self.hides:
            return shapes
        head, tail = self.frame(has_rows=False)
        # a mark of anything hidden is in here, too: a row that it stands in or behind is like no other
        sample = b"".join([head, *novel, tail])
        if _hides(sample):
            return None
        check_xml(sample, self._part)
        return shapes

    def _find_data(self) -> tuple[int, int]:
        """Return where the rows begin and end."""
        root = re.search(rb"<(?:([\w.-]+):)?worksheet[\s>]", self._searched)
        data = root and re.search(rb"<%ssheetData(?=[\s/>])[^>]*?(/?)>" % prefix_of(root), self._searched)
        if not root or not data:
            check_xml(self.xml, self._part)
            raise FileError(f"{self.name} is no worksheet" if not root else f"{self.name} is damaged: it has no cells")
        self.prefix, self._data = prefix_of(root), data
        self.tags = Tags(self.prefix)
        closing = -1 if data[1] else self._searched.rfind(b"</%ssheetData" % self.prefix)
        return data.end(), max(closing, data.end())

    def _read_shapes(self, numbers: list[int]) -> None:
        shapes: dict[int, Shape | None] = {}
        for row, number in zip(self.rows, numbers, strict=True):
            # the first row tells whether others may share its shape; where they may not, each is read
            shape = shapes.get(number)
            if shape is None:
                shape = self.read_shape(row)
                shapes[number] = shape if number >= 0 and shape.may_be_shared else None
            row.shape = shape

    def read_shape(self, row: Row) -> Shape:
        """Read the cells of a row. Raises FileError for a cell that is elsewhere or there twice."""
        cells: dict[int, Cell] = {}
        formulas: dict[int, WrittenFormula] = {}
        places = self.tags.number_places(self.xml_of(row)) if row.numbers else {}
        column, all_named = 0, True
        for letters, number, formula, cell in self.tags.cells(self._searched[row.start : row.end], places):
            all_named = all_named and bool(letters)
            column = column_number(letters.decode()) if letters else column + 1
            inside = 1 <= column <= MAX_COLUMNS and 1 <= row.number <= MAX_ROWS
            if not inside or column in cells or (letters and int(number) != row.number):
                raise FileError(f"{self.name} is damaged: a cell is outside the sheet, in another row or there twice")
            cells[column] = cell
            if formula:
                if len(formula.text) > MAX_FORMULA:
                    n = f"{len(formula.text):,} characters, {MAX_FORMULA:,} is the most"
                    raise FileError(f"{self.name}: the formula of {address(row.number, column)} has {n}: not read")
                formulas[column] = formula
        # what begins in a row, such as a formula for many cells, does not begin in others
        begins_here = any(formula.kind and (formula.text or formula.area) for formula in formulas.values())
        return Shape(cells, formulas, may_be_shared=all_named and not begins_here)


class KnownShapes:
    """Tell rows of the same shape by their markup.

    Two rows have one shape where their markup is the same once the numbers between <v> and </v> and the row's own
    number are out. The row's number is found by its digits before a quote (7" in r="A7"), and so would be a style,
    s="7", in row 7 alone: a row counts as known only where these stand as often as in the first of its shape, and a
    shape is kept only where they stand in addresses alone.
    """

    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self._known: dict[bytes, tuple[int, int]] = {}  # which shape, and how often its rows name their number
        self._last = b"", -1  # markup with SPOT for the number, and shape

    def look_up(self, xml: bytes, number: int) -> tuple[bytes, int, bool]:
        """Return the numbers of a row, which shape the row has, and whether that is new.

        Shape -1 is one of the row's own: it may mean something that another row of the same looks does not.
        """
        pieces = self._tags.pieces(xml)
        numbers = VALUE.join(pieces[1::2])
        # anything but digits in a value, or a value that is not closed, is for the slow way to tell or to refuse
        if len(pieces) % 2 == 0 or numbers.translate(None, _OF_NUMBERS) != self._tags.closings(len(pieces) // 2):
            return b"", -1, True
        markup = VALUE.join(pieces[::2])
        mark = b'%d"' % number
        if self._last[0].replace(SPOT, mark) == markup:  # most rows are like the one above: no key need be made
            return numbers, self._last[1], False
        key = markup.replace(mark, b'"')
        n_marks = (len(markup) - len(key)) // (len(mark) - 1)
        shape, expected = self._known.get(key, (-1, 0))
        if shape >= 0:
            if n_marks != expected:
                return numbers, -1, True
            self._last = markup.replace(mark, SPOT), shape
            return numbers, shape, False
        # the row's number stands at the end of each address, and nowhere else
        if n_marks != xml.count(b' r="') or not self._tags.is_whole_row(xml):
            return numbers, -1, True
        shape = len(self._known)
        self._known[key] = shape, n_marks
        self._last = markup.replace(mark, SPOT), shape
        return numbers, shape, True


def _hides(xml: bytes) -> bool:
    """Whether there is a comment, a marked text, a declaration of types or an instruction in the XML."""
    declaration = re.match(rb"\s*<\?xml[\s\w.=\"'-]*\?>", xml)
    start = declaration.end() if declaration else 0
    return any(xml.find(mark, start) >= 0 for mark in (b"<!", b"<?"))


def _veiled(hidden: bytes) -> bytes:
    """Return something of the same length that is taken neither for a cell nor for a row."""
    if hidden.startswith(b"<![CDATA["):
        # a text in a cell: without the marks it reads as the text it is
        text = hidden[9:-3].translate(bytes.maketrans(b"<>&\"'", b"....."))
        return b" " * 9 + text + b" " * 3
    return b" " * len(hidden)

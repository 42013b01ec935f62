"""LibreOffice in the place of Excel under the real xlwings: an engine with as much as a live workbook needs.

What it shows is that our calls of xlwings do in a spreadsheet program what they are meant to; what only Excel does
with them stays unknown.
"""

import re
import types
from pathlib import Path

import xlwings
from xlwings import base_classes

from cf_excel.xlsx.cells import Block, column_number
from support.office import Office, OfficeError

SCRIPTS = Path(__file__).with_name("live_scripts.py")


class Engine:
    """Takes values as they are."""

    name, type = "office", "desktop"

    @staticmethod
    def clean_value_data(data, datetime_builder, empty_as, number_builder, err_to_str):
        shown = {2042: "#N/A"}
        return [
            [
                empty_as if value is None else shown[value["error"]] if isinstance(value, dict) else value
                for value in row
            ]
            for row in data
        ]

    @staticmethod
    def prepare_xl_data_element(value, options):
        return None if value is None or value != value else value


class App(base_classes.App):
    engine = Engine
    screen_updating, display_alerts, books = True, True, None

    def __init__(self, book):
        self.alerts = []
        self.books = types.SimpleNamespace(active=book)

    def alert(self, prompt, title, buttons, mode, callback):
        self.alerts.append(prompt)

    pid = 1


class Book(base_classes.Book):
    def __init__(self, office: Office, path: Path):
        self._office, self._path, self._app = office, str(path), App(self)
        self.scales = {}  # points of colour scales, by sheet and address
        self.frozen = {}  # top left cell of what scrolls, by sheet
        self.call("open_book")

    def call(self, function, *args):
        try:
            return self._office.call(function, self._path, *args, script=SCRIPTS)
        except OfficeError as error:
            raise RuntimeError(str(error).splitlines()[-1]) from None

    app = property(lambda self: self._app)
    api = property(lambda self: self)
    name = property(lambda self: Path(self._path).name)
    fullname = property(lambda self: self._path)
    names = ()
    sheets = property(lambda self: Sheets(self))

    def SaveCopyAs(self, copy):
        self.call("save_copy", copy)

    def Windows(self, number):
        return Window(self)

    def close(self):
        self.call("close_book")


class Window:
    """A window of Excel's: what is frozen on the sheet that it shows is kept, LibreOffice saves none without one."""

    def __init__(self, book):
        self.book = book

    def __setattr__(self, name, value):
        vars(self)[name] = value
        if name == "FreezePanes":
            assert (value, self.ScrollRow, self.ScrollColumn) == (True, 1, 1)
            first = Block(self.SplitRow + 1, self.SplitColumn + 1, self.SplitRow + 1, self.SplitColumn + 1)
            self.book.frozen[self.book.call("active")] = first.address


class Sheets(base_classes.Sheets):
    def __init__(self, book):
        self.book = book

    @property
    def active(self):
        return Sheet(self.book, self.book.call("active"))

    def __len__(self):
        return len(self.book.call("titles"))

    def __iter__(self):
        return (Sheet(self.book, title) for title in self.book.call("titles"))

    def __call__(self, name_or_index):
        titles = self.book.call("titles")
        return Sheet(self.book, name_or_index if isinstance(name_or_index, str) else titles[name_or_index - 1])

    def add(self, before=None, after=None, name=None):
        assert after.name == self.book.call("titles")[-1]
        self.book.call("add_sheet", name)
        sheet = Sheet(self.book, name)
        sheet.Activate()
        return sheet


class Sheet(base_classes.Sheet):
    def __init__(self, book, name):
        self._book, self._name = book, name

    book = property(lambda self: self._book)
    api = property(lambda self: self)
    name = property(lambda self: self._name)

    def range(self, arg1, arg2=None):
        if isinstance(arg1, str):
            areas = [[_place(corner) for corner in area.split(":")] for area in arg1.split(",")]
            return Range(self, areas[0][0], areas[0][-1], others=[(area[0], area[-1]) for area in areas[1:]])
        elif isinstance(arg1, tuple) and len(arg1) == 4:  # row, column, number of rows, number of columns
            arg1, arg2 = arg1[:2], (arg1[0] + arg1[2] - 1, arg1[1] + arg1[3] - 1)
        corners = [corner.first if isinstance(corner, Range) else corner for corner in (arg1, arg2 or arg1)]
        return Range(self, *corners)

    @property
    def used_range(self):
        rows, columns = self._book.call("used", self._name)
        return Range(self, (1, 1), (rows, columns))

    tables = property(lambda self: Tables(self))
    Cells = property(lambda self: self)
    FormatConditions = property(lambda self: Conditions(self))
    PageSetup = property(lambda self: PageSetup(self))

    def Activate(self):
        self._book.call("activate", self._name)

    def clear(self):
        self._book.call("clear", self._name)

    def clear_contents(self):
        self.clear()


class Range(base_classes.Range):
    def __init__(self, sheet, first, last, others=()):
        self.sheet, self.first, self._last = sheet, first, last
        self.areas = [self, *(Range(sheet, *corners) for corners in others)]

    api = property(lambda self: self)
    address = property(lambda self: Block(*self.first, *self._last).address)
    row = property(lambda self: self.first[0])
    column = property(lambda self: self.first[1])
    shape = property(lambda self: tuple(last - first + 1 for first, last in zip(self.first, self._last, strict=True)))

    def __len__(self):
        return self.shape[0] * self.shape[1]

    def __call__(self, arg1, arg2=None):
        row, column = divmod(arg1 - 1, self.shape[1]) if arg2 is None else (arg1 - 1, arg2 - 1)
        place = self.first[0] + row, self.first[1] + column
        return Range(self.sheet, place, place)

    @property
    def _edges(self):
        (top, left), (bottom, right) = self.first, self._last
        return left - 1, top - 1, right - 1, bottom - 1

    def _call(self, function, *args):
        return self.sheet.book.call(function, self.sheet.name, self._edges, *args)

    @property
    def raw_value(self):
        return self._call("values")

    @raw_value.setter
    def raw_value(self, rows):
        self._call("set_values", [list(row) for row in rows] if isinstance(rows, (list, tuple)) else [[rows]])

    @property
    def formula(self):
        rows = self._call("formulas")
        return rows[0][0] if len(self) == 1 else tuple(map(tuple, rows))

    @formula.setter
    def formula(self, text):
        self._call("set_formula", text)

    @property
    def number_format(self):
        return self._call("look")[0]

    @number_format.setter
    def number_format(self, text):
        self._call("look", [text, self._call("look")[1]])

    @property
    def color(self):
        number = self._call("look")[1]
        return None if number < 0 else (number >> 16, number >> 8 & 255, number & 255)

    @color.setter
    def color(self, color):
        number = -1 if color is None else color[0] << 16 | color[1] << 8 | color[2]
        self._call("look", [self._call("look")[0], number])

    column_width = property(
        lambda self: self._call("size", "width"), lambda self, width: self._call("size", "width", width)
    )
    row_height = property(
        lambda self: self._call("size", "height"), lambda self, height: self._call("size", "height", height)
    )
    Font = property(lambda self: Dressed(self, "Font."))
    Interior = property(lambda self: Dressed(self, "Interior."))
    EntireRow = property(lambda self: self)
    FormatConditions = property(lambda self: Conditions(self.sheet, self))

    def __getattr__(self, name):
        if not name[0].isupper():
            raise AttributeError(name)
        return self._call("dress", name)

    def __setattr__(self, name, value):
        if not name[0].isupper():
            return object.__setattr__(self, name, value)
        self._call("dress", name, value, [area._edges for area in self.areas[1:]])

    def clear(self):
        self._call("clear_area")

    def merge(self, across):
        self._call("merge")

    @property
    def wrap_text(self):
        return self._call("wrapped")

    @wrap_text.setter
    def wrap_text(self, value):
        self._call("wrapped", value)


class PageSetup:
    """How a sheet is printed, with Excel's properties."""

    def __init__(self, sheet):
        vars(self).update(sheet=sheet)

    def __setattr__(self, name, value):
        self.sheet.book.call("page", self.sheet.name, name, value)


class Dressed:
    """Font or interior of a range, with Excel's properties."""

    def __init__(self, area, prefix):
        vars(self).update(area=area, prefix=prefix)

    def __getattr__(self, name):
        return self.area._call("dress", self.prefix + name)

    def __setattr__(self, name, value):
        setattr(self.area, self.prefix + name, value)


class Tables(base_classes.Tables):
    """Tables of a sheet, which LibreOffice calls database ranges."""

    def __init__(self, sheet):
        self.sheet = sheet

    def _names(self):
        return self.sheet.book.call("tables", self.sheet.name)

    def __len__(self):
        return len(self._names())

    def __iter__(self):
        return (Table(self.sheet, name) for name in self._names())

    def __call__(self, number):
        return Table(self.sheet, self._names()[number - 1])

    def add(self, source_type, source, link_source, has_headers, destination, table_style_name, name):
        assert (has_headers, table_style_name) == (True, "TableStyleLight1")
        source.impl._call("add_table", name)
        return Table(self.sheet, name)


class Table(base_classes.Table):
    """A table; filters: what Excel's are asked to do with it, which LibreOffice does not do here."""

    filters = types.SimpleNamespace(FilterMode=False)  # of all tables

    def __init__(self, sheet, name):
        self.sheet, self._name = sheet, name
        self.Sort = types.SimpleNamespace(SortFields=types.SimpleNamespace(Clear=lambda: None))

    api = property(lambda self: self)
    name = property(lambda self: self._name)
    AutoFilter = property(lambda self: self.filters)

    @property
    def range(self):
        left, top, right, bottom = self.sheet.book.call("table_area", self.sheet.name, self._name)
        return Range(self.sheet, (top + 1, left + 1), (bottom + 1, right + 1))

    def resize(self, area):
        (top, left), (bottom, right) = area.impl.first, area.impl._last
        self.sheet.book.call("table_area", self.sheet.name, self._name, [left - 1, top - 1, right - 1, bottom - 1])


class Conditions:
    """What colours cells by their values: all that a sheet has, and where a range gets more."""

    def __init__(self, sheet, area=None):
        self.sheet, self.area = sheet, area

    @property
    def Count(self):
        return len(self.sheet.book.call("conditions", self.sheet.name))

    def __call__(self, number):
        address = self.sheet.book.call("conditions", self.sheet.name)[number - 1]
        return types.SimpleNamespace(
            AppliesTo=types.SimpleNamespace(Address=address),
            ModifyAppliesToRange=lambda area: area._call("move_condition", number - 1),
        )

    def AddColorScale(self, n):
        """Keep what is asked for in the book's scales; LibreOffice 7.4 ends where a program adds one."""
        points = [types.SimpleNamespace(Value=None, FormatColor=types.SimpleNamespace()) for _ in range(n)]
        self.sheet.book.scales[self.sheet.name, self.area.address] = points
        return types.SimpleNamespace(ColorScaleCriteria=lambda number: points[number - 1])


def _place(address: str) -> tuple[int, int]:
    letters, row = re.fullmatch(r"\$?([A-Z]+)\$?(\d+)", address).groups()
    return int(row), column_number(letters)


def open_live(office: Office, path: Path) -> xlwings.Book:
    """Open a workbook in LibreOffice and return it as xlwings shows it."""
    return xlwings.Book(impl=Book(office, path))

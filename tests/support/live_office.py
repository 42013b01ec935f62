"""LibreOffice in the place of Excel under the real xlwings: an engine with as much as a live workbook needs.

What it shows is that our calls of xlwings do in a spreadsheet program what they are meant to; what only Excel does
with them stays unknown.
"""

import re
from pathlib import Path

import xlwings
from xlwings import base_classes

from cf_excel.xlsx.cells import column_number
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

    def __init__(self):
        self.alerts = []

    def alert(self, prompt, title, buttons, mode, callback):
        self.alerts.append(prompt)

    pid = 1


class Book(base_classes.Book):
    def __init__(self, office: Office, path: Path):
        self._office, self._path, self._app = office, str(path), App()
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

    def close(self):
        self.call("close_book")


class Sheets(base_classes.Sheets):
    def __init__(self, book):
        self.book = book

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
        return Sheet(self.book, name)


class Sheet(base_classes.Sheet):
    def __init__(self, book, name):
        self._book, self._name = book, name

    book = property(lambda self: self._book)
    api = property(lambda self: self)
    name = property(lambda self: self._name)

    def range(self, arg1, arg2=None):
        if isinstance(arg1, str):
            letters, row = re.fullmatch(r"\$?([A-Z]+)\$?(\d+)", arg1).groups()
            arg1 = int(row), column_number(letters)
        elif isinstance(arg1, tuple) and len(arg1) == 4:  # row, column, number of rows, number of columns
            arg1, arg2 = arg1[:2], (arg1[0] + arg1[2] - 1, arg1[1] + arg1[3] - 1)
        corners = [corner.first if isinstance(corner, Range) else corner for corner in (arg1, arg2 or arg1)]
        return Range(self, *corners)

    @property
    def used_range(self):
        rows, columns = self._book.call("used", self._name)
        return Range(self, (1, 1), (rows, columns))

    def clear(self):
        self._book.call("clear", self._name)

    def clear_contents(self):
        self.clear()


class Range(base_classes.Range):
    def __init__(self, sheet, first, last):
        self.sheet, self.first, self._last = sheet, first, last

    api = property(lambda self: self)
    row = property(lambda self: self.first[0])
    column = property(lambda self: self.first[1])
    shape = property(lambda self: tuple(last - first + 1 for first, last in zip(self.first, self._last, strict=True)))

    def __len__(self):
        return self.shape[0] * self.shape[1]

    def __call__(self, arg1, arg2=None):
        row, column = divmod(arg1 - 1, self.shape[1]) if arg2 is None else (arg1 - 1, arg2 - 1)
        place = self.first[0] + row, self.first[1] + column
        return Range(self.sheet, place, place)

    def _call(self, function, *args):
        (top, left), (bottom, right) = self.first, self._last
        edges = left - 1, top - 1, right - 1, bottom - 1
        return self.sheet.book.call(function, self.sheet.name, edges, *args)

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

    column_width = property(lambda self: None, lambda self, width: None)

    @property
    def wrap_text(self):
        return self._call("wrapped")

    @wrap_text.setter
    def wrap_text(self, value):
        self._call("wrapped", value)


def open_live(office: Office, path: Path) -> xlwings.Book:
    """Open a workbook in LibreOffice and return it as xlwings shows it."""
    return xlwings.Book(impl=Book(office, path))

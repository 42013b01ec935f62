"""A workbook that is open in Excel, through xlwings: the same sheets are found in it and changed as in a file.

Excel calculates what follows from the new numbers and saves the workbook when its user does; what it shows besides
stays as it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import numpy as np

from cf_excel.errors import CfExcelError, InputError
from cf_excel.model.factors import Factors
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.fill.changes import Outcome
from cf_excel.sheets.fill.former_model import former_frame
from cf_excel.sheets.fill.matching import Chosen
from cf_excel.sheets.fill.model_sheet import model_layout, write_model_cells
from cf_excel.sheets.fill.write_back import check_constants
from cf_excel.sheets.find.find_grid import check_no_other_form, grid_form
from cf_excel.sheets.find.find_sheet import find_sheet
from cf_excel.sheets.find.found_sheet import FoundSheet
from cf_excel.sheets.find.look_up import MATCHES
from cf_excel.sheets.find.sheet import MODEL_TITLE, holds_model
from cf_excel.udf.live_cells import area_of, put_formula, put_values, saved_copy, set_pages
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.new_values import rectangles
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue
from cf_excel.xlsx.edit.workbook_file import OpenedBook, free_title
from cf_excel.xlsx.formulas import CellFormula, Fill

if TYPE_CHECKING:
    import xlwings

T = TypeVar("T")


class LiveSheet:
    """Values and formulas of a sheet, as it is now; see SheetXml, which reads them from a file."""

    marks_arrays = False  # an array formula reads like others

    def __init__(self, sheet: "xlwings.Sheet") -> None:
        self.name = f"sheet {sheet.name}"
        self.sheet = sheet
        used = sheet.used_range
        self._top, self._left = used.row, used.column
        self._values = used.options(ndim=2, err_to_str=True).value
        texts = used.formula
        self._texts = [[texts]] if isinstance(texts, str) or texts is None else [list(row) for row in _rows(texts)]

    def value(self, address: Address) -> CellValue:
        """Return a number, a text, a truth value, or None for a blank."""
        value = self._at(self._values, address)
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def formula(self, address: Address) -> CellFormula | None:
        """Return the formula of a cell, None where it has none."""
        text = self._at(self._texts, address)
        if not isinstance(text, str) or not text.startswith("=") or text == self._at(self._values, address):
            return None
        return CellFormula(text[1:])

    def shown_formula(self, address: Address) -> str:
        """Return the formula as the cell shows it, "" where it has none."""
        formula = self.formula(address)
        return formula.text if formula else ""

    @property
    def last_row(self) -> int:
        """The number of the last row in use."""
        return self._top + len(self._texts) - 1

    def addresses_in(self, block: Block) -> Iterator[Address]:
        """Give the cells of a rectangle that are in use."""
        bottom, right = self._top + len(self._texts) - 1, self._left + len(self._texts[0]) - 1
        for row in range(max(block.top, self._top), min(block.bottom, bottom) + 1):
            for column in range(max(block.left, self._left), min(block.right, right) + 1):
                yield row, column

    @cached_property
    def fills(self) -> list[Fill]:
        """All formulas, cell by cell."""
        return [
            Fill(Block(row, column, row, column), formula)
            for row, formulas in self._formulas.items()
            for column, formula in formulas.items()
        ]

    def runs(self) -> Iterator[tuple[int, int]]:
        """Give the rows with formulas, one by one."""
        return ((row, row) for row in self._formulas)

    def formulas_in(self, row: int) -> dict[int, CellFormula]:
        """Return the formulas of a row, by column."""
        return self._formulas.get(row, {})

    @cached_property
    def _formulas(self) -> dict[int, dict[int, CellFormula]]:
        found: dict[int, dict[int, CellFormula]] = {}
        for row, texts in enumerate(self._texts, self._top):
            for column in range(self._left, self._left + len(texts)):
                formula = self.formula((row, column))
                if formula:
                    found.setdefault(row, {})[column] = formula
        return found

    def _at(self, rows: list[list[T]], address: Address) -> T | None:
        row, column = address[0] - self._top, address[1] - self._left
        inside = 0 <= row < len(rows) and 0 <= column < len(rows[row])
        return rows[row][column] if inside else None


class LiveBook:
    """The sheets of a workbook that is open in Excel; path: what messages call it, without one its name there."""

    def __init__(self, book: "xlwings.Book", path: Path | None = None) -> None:
        self.book = book
        self.path = path or Path(book.name)
        self.notes: list[str] = []  # what somebody may want to know about a change
        self._sheets: dict[str, LiveSheet] = {}

    @property
    def titles(self) -> list[str]:
        """Names of the worksheets, in order."""
        return [sheet.name for sheet in self.book.sheets]

    def sheet(self, title: str) -> LiveSheet:
        """Return a sheet's cells, as they were when they were first asked for."""
        if title not in self._sheets:
            self._sheets[title] = LiveSheet(self.book.sheets[title])
        return self._sheets[title]

    def form(self, title: str) -> str | None:
        """Tell what a sheet's predictions are: "dot", "bias", "rows" (one a rating), None without any."""
        if holds_model(title, self.sheet):
            return None
        texts = [fill.first.text for fill in self.sheet(title).fills]
        looks_up = any(name in text for text in texts for name in MATCHES)
        has_roots = any("SQRT(" in text for text in texts)
        return grid_form(texts, has_roots=has_roots) or ("rows" if looks_up else None)

    def find(self, title: str) -> FoundSheet | None:
        """Return what a sheet of the lesson's kinds holds, None for others. Raises InputError for a broken one."""
        form = self.form(title)
        found = find_sheet(title, form, self.sheet(title)) if form else None
        if found is None:
            texts = (fill.first.text for fill in self.sheet(title).fills)
            check_no_other_form(title, (text for text in texts if "MMULT(" in text))
        return found

    def sheet_size(self, title: str) -> int:
        """Return 0: what Excel has open is there to be read."""
        return 0

    def read_ahead(self, titles: Iterable[str]) -> None:
        """Do nothing: a sheet is read when it is wanted."""


class LiveChanges:
    """Changes of a workbook that is open in Excel: they are made there, and nothing is saved."""

    def __init__(self, book: LiveBook, *, force: bool = False) -> None:
        self.book, self.force = book, force
        self._cells: dict[str, dict[Address, float]] = {}

    def check(self, *, backup: bool, history: bool) -> None:
        """Raise InputError for what only a file can have."""
        if backup:
            refuse_backup(self.book.path)
        if history:
            _refuse_history(self.book.path)

    def put(self, sheet: FoundSheet, numbers: Parameters) -> None:
        """Note numbers for a sheet's factor cells; NaN leaves a cell alone.

        Raises InputError where a cell holds a formula, unless force is set.
        """
        cells = sheet.cells_of(sheet.leave_idle(numbers))
        check_constants(sheet, cells, force=self.force)
        self._cells[sheet.title] = cells

    def apply(self) -> None:
        """Write the numbers into the sheets, rectangle by rectangle."""
        for title, cells in self._cells.items():
            target = self.book.book.sheets[title]
            for block in rectangles(cells):
                rows = range(block.top, block.bottom + 1)
                put_values(target, block, [[cells[row, column] for column in _columns(block)] for row in rows])

    def add_model(self, sheets: list[FoundSheet], factors: Factors, chosen: Chosen) -> tuple[str, float]:
        """Add the sheet `model`; return its name and the RMSE of the predictions of the workbook's ratings."""
        book = self.book.book
        target, is_new = _sheet_for_model(book, self.book.notes)
        layout = model_layout(target.name, factors, chosen)
        rmse = write_model_cells(_LiveCells(target, _looks(book, sheets)), layout, factors, chosen)
        for block, width in layout.widths.items():
            area_of(target, block).column_width = width
        if is_new:
            set_pages(target, layout.printed)
        return layout.title, rmse

    def add_history(self, sheets: list[FoundSheet], histories: dict[str, list[float]], optimizer: str) -> str:
        """Raise InputError, as check does."""
        _refuse_history(self.book.path)

    def finish(self) -> Outcome:
        """Tell who saves the workbook."""
        return live_outcome(self.book.path)


def live_outcome(path: Path) -> Outcome:
    """Return what became of a workbook that is open in Excel; path: what messages call it."""
    return Outcome((f"wrote into {path}, which is open in Excel: save it there",))


def refuse_backup(path: Path) -> NoReturn:
    """Raise InputError: only a file can have a backup. path: what messages call the open workbook."""
    raise InputError(f"--backup copies the file as it is saved: save {path} in Excel under another name")


def _refuse_history(path: Path) -> NoReturn:
    raise InputError(f"--history adds a sheet to the file: close {path} in Excel, or pass --out for a copy")


def _sheet_for_model(book: "xlwings.Book", notes: list[str]) -> "tuple[xlwings.Sheet, bool]":
    """Return the sheet that an earlier call filled, emptied, or else a new one, and whether it is new.

    notes: gets why a former one stays as it is.
    """
    titles = [sheet.name for sheet in book.sheets]
    if MODEL_TITLE in titles and _may_be_replaced(book, notes):
        sheet = book.sheets[MODEL_TITLE]
        sheet.clear()
        return sheet, False
    return book.sheets.add(free_title(MODEL_TITLE, titles), after=book.sheets[len(book.sheets) - 1]), True


def _may_be_replaced(book: "xlwings.Book", notes: list[str]) -> bool:
    """Whether the sheet `model` is as write left it: a copy of the workbook as it is now is looked at as a file is."""
    try:
        with saved_copy(book) as copy:
            opened = OpenedBook(copy)
            frame = former_frame(opened)
    except CfExcelError as error:
        notes.append(f"sheet {MODEL_TITLE} stays, and another one is added: {error}")
        return False
    notes += opened.notes
    return frame is not None


class _LiveCells:
    """Write blocks of values and formulas into a sheet, in the looks of other cells."""

    def __init__(self, sheet: "xlwings.Sheet", looks: "dict[str, xlwings.Range]") -> None:
        self._sheet, self._looks = sheet, looks

    def put(self, block: Block, style: str, rows: Sequence[Sequence[CellValue]] | np.ndarray) -> None:
        """Put texts and numbers into a block; None and NaN make blank cells."""
        put_values(self._sheet, block, rows.tolist() if isinstance(rows, np.ndarray) else rows)
        self._dress(block, style)

    def fill(self, block: Block, style: str, formula: str, results: np.ndarray | Sequence) -> None:
        """Fill a block from the formula of its first cell; Excel calculates the results."""
        put_formula(self._sheet, block, formula)
        self._dress(block, style)

    def _dress(self, block: Block, style: str) -> None:
        if style in self._looks:
            area, look = area_of(self._sheet, block), self._looks[style]
            area.number_format, area.color = look.number_format, look.color
        if style == "upright":  # titles: xlwings can't turn them, so they wrap
            area_of(self._sheet, block).wrap_text = True


def _looks(book: "xlwings.Book", sheets: list[FoundSheet]) -> "dict[str, xlwings.Range]":
    """Return cells of the lesson's sheets that show how ratings, predictions and the like look."""
    return {
        name: book.sheets[sheet.title].range(address)
        for sheet in reversed(sheets)
        for name, address in sheet.looks.items()
    }


def _columns(block: Block) -> range:
    return range(block.left, block.right + 1)


def _rows(texts: Sequence) -> Sequence[Sequence[str]]:
    """Return the formulas of a range by rows; a range of one row may come as it is."""
    return [texts] if isinstance(texts[0], str) or texts[0] is None else texts

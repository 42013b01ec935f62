"""Bring learned numbers into a workbook's sheets: which cells change, from what to what, and which formulas follow."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.factors import Factors
from cf_excel.sheets.fill.matching import Chosen
from cf_excel.sheets.find.found_sheet import FoundSheet, Numbers
from cf_excel.sheets.find.lesson_book import LessonBook
from cf_excel.xlsx.cells import cell
from cf_excel.xlsx.edit.change import change
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_xml import Address


@dataclass
class WriteBack:
    """Changes of constants by sheet, with the results of the formulas that are known."""

    is_live: ClassVar[Literal[False]] = False

    book: LessonBook
    force: bool = False
    cells: dict[str, dict[Address, float]] = field(default_factory=dict)
    results: dict[str, Results] = field(default_factory=dict)
    # by sheet, how many results of formulas are computed anew, and how many are taken out
    stale_counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def put(self, sheet: FoundSheet, numbers: Numbers) -> None:
        """Put numbers into a sheet's factor cells; NaN leaves a cell alone.

        Raises InputError where a cell holds a formula, unless force is set.
        """
        numbers = sheet.leave_idle(numbers)
        cells = sheet.cells_of(numbers)
        check_constants(sheet, cells, force=self.force)
        self.cells[sheet.title] = cells
        with np.errstate(over="ignore", invalid="ignore"):
            self.results[sheet.title] = sheet.results(_filled(numbers, sheet))

    def changes(self) -> list[tuple[str, str, object, float]]:
        """Return sheet, address, old and new value of every constant that changes."""
        found: list[tuple[str, str, object, float]] = []
        for title, cells in self.cells.items():
            sheet = self.book.sheet(title)
            for address, value in cells.items():
                if sheet.value(address) != value or sheet.formula(address):
                    found.append((title, cell(*address), sheet.value(address), value))
        return found

    def apply(self) -> None:
        """Make the changes in the workbook's parts; the book's save writes them."""
        fresh = change(self.book, self.cells, self.results, drop_formulas=self.force)
        for title, (n_results, n_unknown) in ((title, known.counts()) for title, known in fresh.items()):
            self.stale_counts[title] = n_results - n_unknown, n_unknown

    def add_model(self, sheets: list[FoundSheet], factors: Factors, chosen: Chosen) -> tuple[str, float]:
        """Add the sheet `model`; return its name and the RMSE of the predictions of the workbook's ratings."""
        from cf_excel.sheets.fill.model_sheet import add_model_sheet  # loaded while large sheets are packed

        return add_model_sheet(self.book, sheets, factors, chosen)


def check_constants(sheet: FoundSheet, cells: Iterable[Address], *, force: bool) -> None:
    """Raise InputError where a cell holds a formula, unless force is set, and where it is part of an array formula."""
    for address in cells:
        formula = sheet.xml.formula(address)
        if not formula:
            continue
        where = f"sheet {sheet.title}: {cell(*address)}"
        if formula.array and not formula.array.is_one_cell:
            raise InputError(f"{where} is part of an array formula: clear that first")
        if not force:
            shown = sheet.xml.shown_formula(address)[:60]
            raise InputError(f"{where} holds a formula (={shown}): --force puts a number there")


def _filled(numbers: Numbers, sheet: FoundSheet) -> Numbers:
    """Return the numbers, with those of the sheet where they are NaN."""
    given = {name: new for name, new in vars(numbers).items() if new is not None}
    if all(np.isfinite(new).all() for new in given.values()) and ("user_bias" in given or not sheet.with_bias):
        return numbers
    old = sheet.numbers()
    filled = {name: np.where(np.isnan(new), getattr(old, name), new) for name, new in given.items()}
    return replace(old, **filled)

"""A sheet as those who look for the lesson's predictions in it see it."""

from collections.abc import Callable, Iterator
from typing import Protocol

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue
from cf_excel.xlsx.formulas import CellFormula, Fill

ANSWERS = " answers"  # ends the name of a sheet that answers the one whose name is before it: no sheet to be fitted
MODEL_TITLE, MODEL_NOTE = "model", "A trained model of kind "  # of the sheet that write adds, and its first words


class Sheet(Protocol):
    """Values and formulas by (row, column): SheetXml has those of a file, LiveSheet those of what Excel has open."""

    name: str  # what messages call it
    marks_arrays: bool  # whether a formula says that it is one for arrays

    @property
    def last_row(self) -> int:
        """The number of the last row that is in use."""

    @property
    def fills(self) -> list[Fill]:
        """All formulas, in rectangles that were filled from one cell, or cell by cell."""

    def value(self, address: Address) -> CellValue:
        """Return a number, a text, a truth value, or None for a blank; an error is the text Excel shows."""

    def formula(self, address: Address) -> CellFormula | None:
        """Return the formula of a cell, None where it has none."""

    def shown_formula(self, address: Address) -> str:
        """Return the formula as the cell shows it."""

    def addresses_in(self, block: Block) -> Iterator[Address]:
        """Give the cells of a rectangle that are in use."""

    def runs(self) -> Iterator[tuple[int, int]]:
        """Give the first and the last row of each run of rows that are alike and have formulas."""

    def formulas_in(self, row: int) -> dict[int, CellFormula]:
        """Return the formulas of a row, by column."""


def holds_model(title: str, sheet: Callable[[str], Sheet]) -> bool:
    """Whether a sheet of this title, which sheet reads, is one that write added: its numbers are a trained model's."""
    return title.lower().startswith(MODEL_TITLE) and str(sheet(title).value((1, 1))).startswith(MODEL_NOTE)

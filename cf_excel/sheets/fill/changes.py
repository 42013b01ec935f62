"""What becomes of a workbook that somebody owns, a file or one that is open in Excel, and what is told of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from cf_excel.model.factors import Factors
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.fill.matching import Chosen
from cf_excel.sheets.find.find_sheet import Workbook
from cf_excel.sheets.find.found_sheet import FoundSheet
from cf_excel.xlsx.edit.sheet_xml import CellValue


class CellChange(NamedTuple):
    """A constant that changes: sheet, address such as B3, old and new value."""

    sheet: str
    address: str
    old: CellValue
    new: float


@dataclass(frozen=True, repr=False)
class Outcome:
    """What became of a workbook: lines to print, the file that was written and the former one, or a dry run's changes.

    path: None after a dry run, and for a workbook that is open in Excel, where its user saves it. changes: those that
    a dry run would make, () otherwise.
    """

    lines: tuple[str, ...]
    path: Path | None = None
    backup: Path | None = None
    changes: tuple[CellChange, ...] = ()

    def __repr__(self) -> str:
        return "\n".join(self.lines)  # a notebook shows what the command prints


class Changes(Protocol):
    """Takes the changes of a workbook and makes them."""

    @property
    def book(self) -> Workbook:
        """The workbook, whose notes say what its owner may want to know."""

    def put(self, sheet: FoundSheet, numbers: Parameters) -> None:
        """Put numbers into a sheet's factor cells; NaN leaves a cell alone."""

    def apply(self) -> None:
        """Make the changes."""

    def add_model(self, sheets: list[FoundSheet], factors: Factors, chosen: Chosen) -> tuple[str, float]:
        """Add the sheet `model`; return its name and the RMSE of the predictions of the workbook's ratings."""

    def add_history(self, sheets: list[FoundSheet], histories: dict[str, list[float]], optimizer: str) -> str:
        """Add the sheet `history` with the RMSE of every step; return its name."""

    def finish(self) -> Outcome:
        """Write the workbook, or tell what would be written."""

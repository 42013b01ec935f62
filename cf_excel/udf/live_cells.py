"""Write into the sheets of a workbook that is open in Excel, and look at a copy of it as it is now."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.errors import CfExcelError, InputError
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.printed_part import FOOTER, PrintedPart
from cf_excel.xlsx.texts import CellValue, typed_value

if TYPE_CHECKING:
    import xlwings

_ROWS_AT_ONCE = 5_000  # Excel refuses very large blocks
_PORTRAIT, _LANDSCAPE = 1, 2  # Excel's numbers


@contextmanager
def saved_copy(book: "xlwings.Book") -> Iterator[Path]:
    """Give a copy of an open workbook as it is now, unsaved changes and all, under its own name in a folder of its own.

    Raises InputError where Excel saves none, as on a Mac.
    """
    with tempfile.TemporaryDirectory(prefix="cf_excel_") as folder:
        copy = Path(folder) / (book.name if Path(book.name).suffix else f"{book.name}.xlsx")
        try:
            book.api.SaveCopyAs(str(copy))
        except Exception as error:  # each host has exceptions of its own
            raise InputError(f"Excel saves no copy of {book.name} to be looked at: save and close it") from error
        yield copy


@contextmanager
def naming_refusals(place: str) -> Iterator[None]:
    """Raise InputError where Excel refuses to change a place, each host with an exception of its own."""
    try:
        yield
    except CfExcelError:
        raise
    except Exception as error:
        hint = "unprotect the sheet, or end the editing of a cell, and try again"
        raise InputError(f"Excel refused to change {place} ({str(error)[:80]}): {hint}") from error


def area_of(sheet: "xlwings.Sheet", block: Block) -> "xlwings.Range":
    """Return the cells of a block."""
    return sheet.range((block.top, block.left), (block.bottom, block.right))


def put_values(sheet: "xlwings.Sheet", block: Block, rows: Sequence[Sequence[CellValue]]) -> None:
    """Put texts and numbers into a block; None and NaN make blank cells. Raises InputError where Excel refuses."""
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        part = Block(block.top + start, block.left, block.top + start + len(some) - 1, block.right)
        with naming_refusals(f"{sheet.name}!{part.address}"):
            area_of(sheet, part).value = [[typed_value(value) for value in row] for row in some]


def set_pages(sheet: "xlwings.Sheet", printed: PrintedPart) -> None:
    """Let a sheet print as wide as a page, as in a file; where Excel can't, as without a printer, it stays."""
    with suppress(Exception):  # each host has exceptions of its own, and what is printed is no reason to stop
        page = sheet.api.PageSetup
        page.Orientation = _PORTRAIT if printed.is_upright else _LANDSCAPE
        page.Zoom, page.FitToPagesWide, page.FitToPagesTall = False, 1, 1 if printed.on_one_page else False
        page.CenterFooter = FOOTER
        if printed.titles:
            page.PrintTitleRows = printed.title_rows
        set_print_area(sheet, printed)


def set_print_area(sheet: "xlwings.Sheet", printed: PrintedPart) -> None:
    """Let a sheet print its head, where that is said; where Excel can't, it stays."""
    with suppress(Exception):
        if printed.area:
            sheet.api.PageSetup.PrintArea = printed.area.fixed


def put_formula(sheet: "xlwings.Sheet", block: Block, formula: str) -> None:
    """Fill a block from the formula of its first cell. Raises InputError where Excel refuses."""
    with naming_refusals(f"{sheet.name}!{block.address}"):
        area_of(sheet, block).formula = f"={formula}"

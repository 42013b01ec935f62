"""Add a whole sheet to a workbook that somebody owns, in the looks of the sheets that are there."""

import re

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.added_table import TableArea, add_table
from cf_excel.xlsx.edit.printed_part import PrintedPart
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.opc import CHART_TYPE, DRAWING_TYPE, MAIN, OFFICE
from cf_excel.xlsx.write.charts import Chart, anchor_xml
from cf_excel.xlsx.write.frame import drawing_xml
from cf_excel.xlsx.write.sheet_cells import SheetCells, sheet_xml


def add_sheet(
    book: OpenedBook,
    title: str,
    cells: SheetCells,
    *,
    freeze: Block,
    widths: dict[Block, float],
    printed: PrintedPart,
    chart: Chart | None = None,
    table: TableArea | None = None,
    rules: str = "",
) -> None:
    """Add a sheet with its cells.

    freeze: top left cell of what scrolls. widths: of the columns that a block stands in, in characters. table: which of
    its cells are one of Excel's tables. rules: XML of merged cells and of formats that depend on values.
    """
    part = book.free_name("worksheets", "sheet")
    last = _add_drawing(book, part, chart) if chart else ""
    last += add_table(book, part, table) if table else ""
    if cells.formulas:
        book.drop_calculation_chain()
    frame = _frame(freeze, widths, last, rules, printed)
    book.add_sheet(title, part, b"".join(sheet_xml(frame, cells)))
    names = printed.names_on(title)
    if names:
        book.add_names(title, names)


def replace_sheet(book: OpenedBook, title: str, cells: SheetCells, frame: bytes, *, widths: dict[Block, float]) -> None:
    """Give a sheet other cells and widths of columns; frame: its XML without rows, of which the rest stays."""
    if book.has_calculation_chain:
        sheet = book.sheet(title)
        before = {address for fill in sheet.fills for address in sheet.addresses_in(fill.block)}
        if before != {address for block in cells.formulas for address in block.addresses()}:
            book.drop_calculation_chain()
    frame = re.sub(rb"<cols>.*?</cols>|<cols/>", b"", frame, flags=re.DOTALL)
    frame = frame.replace(b"<sheetData>", _cols(widths) + b"<sheetData>", 1)
    book.replace_sheet(title, b"".join(sheet_xml(frame, cells)))


def _add_drawing(book: OpenedBook, sheet: str, chart: Chart) -> str:
    """Add the drawing of a sheet's part with a chart in it; return what the sheet says of it."""
    drawing_part, chart_part = book.free_name("drawings", "drawing"), book.free_name("charts", "chart")
    book.archive.add(chart_part, chart.xml.encode(), CHART_TYPE)
    anchor = anchor_xml(chart, 1, book.archive.relate(drawing_part, f"{OFFICE}/chart", chart_part))
    book.archive.add(drawing_part, drawing_xml(anchor).encode(), DRAWING_TYPE)
    identity = book.archive.relate(sheet, f"{OFFICE}/drawing", drawing_part)
    return f'<drawing xmlns:r="{OFFICE}" r:id="{identity}"/>'


def _frame(freeze: Block, widths: dict[Block, float], last: str, rules: str, printed: PrintedPart) -> bytes:
    """Return the XML of a sheet without cells."""
    rows, columns = freeze.top - 1, freeze.left - 1
    pane = "bottomRight" if rows and columns else "bottomLeft" if rows else "topRight"
    splits = "".join(f' {name}="{n}"' for name, n in (("xSplit", columns), ("ySplit", rows)) if n)
    return (
        f'<worksheet xmlns="{MAIN}"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
        f'<dimension ref="{freeze.address}"/><sheetViews><sheetView workbookViewId="0">'
        f'<pane{splits} topLeftCell="{freeze.address}" activePane="{pane}" state="frozen"/>'
        f'<selection pane="{pane}"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>'
        f'{_cols(widths).decode()}<sheetData/>{rules}<pageMargins left="0.75" right="0.75" top="1" bottom="1" '
        f'header="0.5" footer="0.5"/>{printed.xml.decode()}{last}</worksheet>'
    ).encode()


def _cols(widths: dict[Block, float]) -> bytes:
    cols = "".join(
        f'<col min="{block.left}" max="{block.right}" width="{width}" customWidth="1"/>'
        for block, width in sorted(widths.items(), key=lambda pair: pair[0].left)
    )
    return f"<cols>{cols}</cols>".encode()

"""Write answers as a workbook: one of Excel's tables, its rows streamed."""

from html import unescape
from pathlib import Path

from openpyxl import Workbook
from openpyxl.packaging.core import DocumentProperties
from openpyxl.worksheet.filters import AutoFilter
from openpyxl.worksheet.table import Table, TableColumn, TableStyleInfo

from cf_excel.sheets.answers.answer_table import RANKS, SCORES, AnswerTable
from cf_excel.sheets.answers.answers_layout import AnswersSheet
from cf_excel.sheets.page_setup import fit_to_page, set_widths
from cf_excel.xlsx.texts import xml_text
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import STYLES, style_ids

_WIDEST, _NARROWEST = 50, 9
_FOR_BUTTON = 4  # characters that the button of a filter covers
# as a text format has it, 007 stays what it is when somebody edits its cell, and =1+1 too
_STYLES = STYLES | {"id": STYLES["id_left"] | {"number_format": "@"}}


def write_book(path: Path, table: AnswerTable) -> None:
    """Write a workbook with one sheet, whole or not at all. Raises FileError."""
    sheet = AnswersSheet(len(table.columns), len(table))
    workbook = Workbook()
    workbook.properties = DocumentProperties(creator="cf_excel", title=table.title.capitalize())
    worksheet = workbook.active
    worksheet.title = table.title
    worksheet.freeze_panes = sheet.freeze
    worksheet.print_title_rows = sheet.rows_on_every_page
    fit_to_page(worksheet)
    worksheet.add_table(_excel_table(table, sheet))
    cells = SheetCells(style_ids(workbook, _STYLES))
    looks = [_look(table, name) for name in table.columns]
    for i, (header, (header_style, _)) in enumerate(zip(table.headers, looks, strict=True)):
        cells.put(sheet.headers.column(i), header_style, [[header]])
        width = max(_NARROWEST, len(header) + _FOR_BUTTON, _longest(table, i) + 2)
        set_widths(worksheet, {sheet.width_of(i): min(width, _WIDEST)})
    cells.put_pieces(sheet.cells, [style for _, style in looks], table.pieces())
    write_workbook(path, workbook, {table.title: cells})


def _look(table: AnswerTable, name: str) -> tuple[str, str]:
    """Return the styles of a column's header and of its cells."""
    column = table.columns[name]
    if name in table.own:
        return ("header_left", "plain") if column.dtype == object else ("header_right", "plain")
    if name in RANKS:
        return "header", "point"
    if name in SCORES:
        return "header_right", "mean"
    is_text_id = name.endswith("_id") and column.dtype == object
    return "header_left", "id" if is_text_id else "id_left"


def _longest(table: AnswerTable, i: int) -> int:
    column = list(table.columns.values())[i]
    if column.dtype.kind == "f":
        return _NARROWEST
    if column.dtype.kind == "i":
        return max(len(str(column.min())), len(str(column.max())))
    return max(len(str(value)) for value in set(column.tolist()))


def _excel_table(table: AnswerTable, sheet: AnswersSheet) -> Table:
    columns = [TableColumn(id=i, name=unescape(xml_text(header))) for i, header in enumerate(table.headers, 1)]
    style = TableStyleInfo(name="TableStyleLight1", showRowStripes=True)
    area = sheet.table.address
    found = Table(displayName=table.title, ref=area, tableColumns=columns, tableStyleInfo=style)
    found.autoFilter = AutoFilter(ref=area)
    return found

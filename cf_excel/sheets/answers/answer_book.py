"""Write answers as a workbook: one of Excel's tables, its rows streamed."""

from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Alignment
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.sheets.answers.answer_table import RANKS, SCORES, AnswerTable
from cf_excel.sheets.answers.answers_layout import MOST_PRINTED, AnswersSheet
from cf_excel.sheets.page_setup import excel_table, fit_to_page, heights_of_texts, set_widths
from cf_excel.xlsx.texts import CellValue
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import STYLES, style_ids

_WIDEST, _NARROWEST = 60, 9
_FOR_BUTTON = 6  # characters that the button of a filter takes, on both sides of a header in the middle
_UPRIGHT = 140  # characters that an upright page shows large enough to be read
_MARGIN = 0.6  # inches
_LONGEST_TEXT = 255  # beyond, Excel shows a text as #### in the format of texts
_WORDS = {"alignment": Alignment(horizontal="left", indent=1)}
_LONG = {"alignment": Alignment(horizontal="left", indent=1, wrap_text=True)}
# in the format of texts, 007 stays what it is when somebody edits its cell, and so does =1+1
_STYLES = STYLES | {
    "header_words": STYLES["header_left"] | _WORDS,
    "words": STYLES["plain"] | _WORDS,
    "text": STYLES["plain"] | _WORDS | {"number_format": "@"},
    "long_text": STYLES["plain"] | _LONG | {"number_format": "@"},
    "long_words": STYLES["plain"] | _LONG,
}


def write_book(path: Path, table: AnswerTable) -> None:
    """Write a workbook with one sheet, whole or not at all. Raises FileError."""
    sheet = AnswersSheet(len(table.columns), len(table))
    workbook = Workbook()
    worksheet = workbook.active
    worksheet.title = table.title
    worksheet.freeze_panes = sheet.freeze
    worksheet.print_title_rows = sheet.rows_on_every_page
    worksheet.print_area = sheet.head.address if sheet.head else None
    worksheet.add_table(excel_table(table.title, sheet.table, table.headers))
    cells = SheetCells(style_ids(workbook, _STYLES))
    total = 0.0
    looks: list[tuple[str, str]] = []
    wrapped: list[tuple[list[CellValue], float]] = []
    for i, (name, header) in enumerate(zip(table.columns, table.headers, strict=True)):
        longest = _longest(table, name)
        looks.append(_look(table, name, longest))
        cells.put(sheet.headers.column(i), looks[i][0], [[header]])
        width = min(_WIDEST, max(_NARROWEST, len(header) + _FOR_BUTTON, longest + 3))
        set_widths(worksheet, {sheet.width_of(i): width})
        if width == _WIDEST:
            wrapped.append((table.columns[name].tolist(), width))
        total += width
    _set_page(worksheet, table, is_upright=total <= _UPRIGHT)
    cells.row_heights = heights_of_texts(sheet.cells.top, *wrapped)
    cells.put_pieces(sheet.cells, [style for _, style in looks], table.pieces())
    write_workbook(path, workbook, {table.title: cells}, title=table.title.capitalize())


def _set_page(worksheet: Worksheet, table: AnswerTable, *, is_upright: bool) -> None:
    """Print with the numbers of the pages below; a long table says that its head is printed, and how to get all."""
    fit_to_page(worksheet)
    if is_upright:
        worksheet.page_setup.orientation = "portrait"
    for side in ("left", "right", "top", "bottom"):
        setattr(worksheet.page_margins, side, _MARGIN)
    worksheet.page_margins.header = worksheet.page_margins.footer = _MARGIN / 2
    if len(table) > MOST_PRINTED:
        of_all = f"The first {MOST_PRINTED:,} of {len(table):,} rows"
        worksheet.oddFooter.center.text = f"{of_all}, page &P of &N. All: Page Layout, Print Area, Clear"


def _look(table: AnswerTable, name: str, longest: int) -> tuple[str, str]:
    """Return the styles of a column's header and of its cells."""
    kind = table.kinds[name]
    if name in RANKS or name == "n_ratings":
        return "header", "point"
    if name in SCORES:
        return "header", "mean"
    if name in table.own and kind in ("whole", "number"):
        return "header", "plain"
    look = "text" if kind == "text" and longest <= _LONGEST_TEXT else "words"
    return "header_words", f"long_{look}" if longest + 3 > _WIDEST else look


def _longest(table: AnswerTable, name: str) -> int:
    """Return how many characters the longest value of a column has, about."""
    column, kind = table.columns[name], table.kinds[name]
    if kind == "number":
        return _NARROWEST
    ends = (column.min(), column.max()) if column.dtype.kind == "i" else set(column.tolist()) - {None}
    return max((len(str(value)) for value in ends), default=0)

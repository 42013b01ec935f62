"""What every sheet shares: widths of columns, colours, one page in print, and the first sheet's table of texts."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from html import unescape

from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.worksheet.filters import AutoFilter
from openpyxl.worksheet.table import Table, TableColumn, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.sheets.lesson.intro import TextLine
from cf_excel.sheets.lesson.lesson_layout import IntroSheet
from cf_excel.xlsx.cells import Block, column_letters
from cf_excel.xlsx.edit.added_table import TABLE_STYLE
from cf_excel.xlsx.edit.printed_part import FOOTER
from cf_excel.xlsx.texts import CellValue, xml_text
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import HIGH, LOW, MIDDLE

_LINE = 116  # characters of a text in Calibri that a column of width 100 shows
_PER_WIDTH = 1.1  # the same of titles, a unit of width
_LINE_HEIGHT, _HIGHEST = 15, 409  # points; Excel has no higher row


def set_widths(worksheet: Worksheet, widths: dict[Block, float]) -> None:
    """Set the widths of the columns of each block, in characters."""
    for block, width in widths.items():
        for column in range(block.left, block.right + 1):
            worksheet.column_dimensions[column_letters(column)].width = width


def width_of_texts(texts: Iterable[CellValue], widest: float) -> float:
    """Return the width of a column of texts, in characters; what is longer than the widest one shows is wrapped."""
    longest = max((len(str(text)) for text in texts if text is not None), default=0)
    return min(widest, longest / _PER_WIDTH + 2)


def heights_of_texts(top: int, *columns: tuple[Iterable[CellValue], float]) -> dict[int, float]:
    """Return the heights of the rows, from `top` on, that have a text of more than a line; columns: texts, width.

    Programs fit a row to its text when somebody changes the cell, not every one when it opens a file.
    """
    found: dict[int, float] = {}
    for texts, width in columns:
        room = int(width * _PER_WIDTH)
        for row, text in enumerate(texts, top):
            if isinstance(text, str) and len(text) > room:
                height = min(_HIGHEST, _LINE_HEIGHT * len(textwrap.wrap(text, room)))
                found[row] = max(height, found.get(row, 0))
    return found


def shortened(title: str, room: int) -> str:
    """Return a title in as many characters as there is room for, its year still behind it."""
    if len(title) <= room:
        return title
    year = re.search(r" \(\d{4}\)$", title)
    end = f"…{year[0]}" if year else "…"
    return title[: room - len(end)].rstrip() + end


def rating_scale(rating_range: tuple[float, float]) -> ColorScaleRule:
    """Return the colours of predictions, from the lowest rating to the highest."""
    low, high = rating_range
    ends = {"start_type": "num", "start_value": low, "end_type": "num", "end_value": high}
    middle = {"mid_type": "num", "mid_value": (low + high) / 2, "mid_color": MIDDLE}
    return ColorScaleRule(start_color=LOW, end_color=HIGH, **ends, **middle)


def rating_steps(rating_range: tuple[float, float], n: int = 10) -> list[tuple[float | None, str]]:
    """Return the colours of rating_scale in steps: below which rating, None for the last, and the colour."""
    low, high = rating_range
    steps: list[tuple[float | None, str]] = []
    for i in range(n):
        share = 2 * i / (n - 1)
        start, end = (LOW, MIDDLE) if share <= 1 else (MIDDLE, HIGH)
        color = _between(start, end, share if share <= 1 else share - 1)
        steps.append((low + (high - low) * (i + 1) / n if i < n - 1 else None, color))
    return steps


def _between(start: str, end: str, share: float) -> str:
    """Return the colour between two, as six hexadecimal digits."""
    pairs = ((int(start[i : i + 2], 16), int(end[i : i + 2], 16)) for i in (0, 2, 4))
    return "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


def excel_table(name: str, block: Block, headers: list[str]) -> Table:
    """Return one of Excel's tables, with filters; headers: what the cells of its first row hold, no two alike."""
    columns = [TableColumn(id=i, name=unescape(xml_text(header))) for i, header in enumerate(headers, 1)]
    style = TableStyleInfo(name=TABLE_STYLE, showRowStripes=True)
    table = Table(displayName=name, ref=block.address, tableColumns=columns, tableStyleInfo=style)
    table.autoFilter = AutoFilter(ref=block.address)
    return table


def fit_to_page(worksheet: Worksheet) -> None:
    """Print in landscape, as wide as one page, with the sheet's name and the page's number below."""
    worksheet.page_setup.orientation = "landscape"
    worksheet.oddFooter.center.text = FOOTER
    worksheet.page_setup.fitToHeight = 0
    worksheet.sheet_properties.pageSetUpPr.fitToPage = True


def write_intro(
    worksheet: Worksheet, cells: SheetCells, lines: list[TextLine], rmse: Mapping[str, tuple[str, float | None]]
) -> None:
    """Write the first sheet. rmse: by name of a sheet the address of its RMSE, and its value, None if still blank."""
    sheet = IntroSheet(len(lines))
    first = next(i for i, line in enumerate(lines) if line.rmse_of)
    heading = max(i for i, line in enumerate(lines[:first]) if line.style == "heading")
    cells.put(sheet.rmse(heading), "header", [["RMSE"]])
    for i, line in enumerate(lines):
        cells.put(sheet.names.row(i), line.style, [[line.name or None]])
        cells.put(sheet.texts.row(i), "wrapped", [[line.text or None]])
        if line.rmse_of:
            address, value = rmse[line.rmse_of]
            formula = f'IF({address}="","",{address})' if value is None else address  # a blank cell would show as 0
            cells.fill(sheet.rmse(i), "result", formula, ["" if value is None else value])
        # not every program fits the height of a row to its text
        cells.row_heights[i + 1] = (
            24 if line.style == "title" else 1 + 15 * max(1, len(textwrap.wrap(line.text, _LINE)))
        )
    set_widths(worksheet, {sheet.names: 18, sheet.texts: 100, sheet.rmse(0): 11})
    worksheet.sheet_view.showGridLines = False
    fit_to_page(worksheet)
    worksheet.page_setup.fitToHeight = 1

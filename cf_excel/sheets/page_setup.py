"""What every sheet shares: widths of columns, colours, one page in print, and the first sheet's table of texts."""

import textwrap

from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.sheets.lesson.intro import TextLine
from cf_excel.sheets.lesson.lesson_layout import IntroSheet
from cf_excel.xlsx.cells import Block, column_letters
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import HIGH, LOW, MIDDLE

_LINE = 116  # characters of a text in Calibri that a column of width 100 shows


def set_widths(worksheet: Worksheet, widths: dict[Block, float]) -> None:
    """Set the widths of the columns of each block, in characters."""
    for block, width in widths.items():
        for column in range(block.left, block.right + 1):
            worksheet.column_dimensions[column_letters(column)].width = width


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


def fit_to_page(worksheet: Worksheet) -> None:
    """Print in landscape, as wide as one page."""
    worksheet.page_setup.orientation = "landscape"
    worksheet.page_setup.fitToHeight = 0
    worksheet.sheet_properties.pageSetUpPr.fitToPage = True


def write_intro(
    worksheet: Worksheet, cells: SheetCells, lines: list[TextLine], rmse: dict[str, tuple[str, float]]
) -> None:
    """Write the first sheet. rmse: by name of a sheet the address of its RMSE, and its value."""
    sheet = IntroSheet(len(lines))
    first = next(i for i, line in enumerate(lines) if line.rmse_of)
    heading = max(i for i, line in enumerate(lines[:first]) if line.style == "heading")
    cells.put(sheet.rmse(heading), "header", [["RMSE"]])
    for i, line in enumerate(lines):
        cells.put(sheet.names.row(i), line.style, [[line.name or None]])
        cells.put(sheet.texts.row(i), "wrapped", [[line.text or None]])
        if line.rmse_of:
            address, value = rmse[line.rmse_of]
            cells.fill(sheet.rmse(i), "result", address, [value])
        # not every program fits the height of a row to its text
        cells.row_heights[i + 1] = (
            24 if line.style == "title" else 1 + 15 * max(1, len(textwrap.wrap(line.text, _LINE)))
        )
    set_widths(worksheet, {sheet.names: 18, sheet.texts: 100, sheet.rmse(0): 11})
    worksheet.sheet_view.showGridLines = False
    fit_to_page(worksheet)
    worksheet.page_setup.fitToHeight = 1

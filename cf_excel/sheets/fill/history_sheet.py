"""The sheet `history`: how the RMSE of each sheet fell, step by step, and its chart."""

import numpy as np

from cf_excel.sheets.fill.added_layout import HistorySheet
from cf_excel.sheets.find.found_sheet import FoundSheet, looks_of
from cf_excel.xlsx.cells import on_sheet
from cf_excel.xlsx.edit.added_styles import AddedStyles, Look
from cf_excel.xlsx.edit.new_sheet import add_sheet
from cf_excel.xlsx.edit.printed_part import PrintedPart
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.write.charts import Chart, Curve
from cf_excel.xlsx.write.sheet_cells import SheetCells

_RMSE_FORMAT = "0.000000"
_INKS = ("1F4FBF", "E07B39", "2E8B57")


def add_history(book: OpenedBook, sheets: list[FoundSheet], histories: dict[str, list[float]], optimizer: str) -> str:
    """Add the RMSE of every step, from the start on, by sheet; return the name of the new sheet."""
    n_steps = max(map(len, histories.values()))
    layout = HistorySheet(book.free_title("history"), len(histories), n_steps)
    cells = SheetCells(looks_of(book, sheets))
    table = np.full((n_steps, len(histories)), np.nan)
    for i, history in enumerate(histories.values()):
        table[: len(history), i] = np.round(history, 6)  # as many places as people compare
    cells.put(layout.note, "plain", [[f"RMSE of each sheet after every step of {optimizer}; step 0 is the start."]])
    cells.put(layout.headers, "id", [["step", *histories]])
    cells.put(layout.steps, "plain", [[step] for step in range(n_steps)])
    cells.styles["rmse"] = AddedStyles(book).number(Look(_RMSE_FORMAT))
    cells.put(layout.rmse, "rmse", table)
    chart = _chart(layout, table, list(histories))
    printed = PrintedPart(area=layout.page, on_one_page=True)
    add_sheet(book, layout.title, cells, freeze=layout.freeze, widths=layout.widths, chart=chart, printed=printed)
    return layout.title


def _chart(layout: HistorySheet, table: np.ndarray, names: list[str]) -> Chart:
    # on a logarithmic axis, where all happens at once, there is no place for step 0
    is_sudden = _is_sudden(table)
    first, last = int(is_sudden), len(table) - 1
    steps = on_sheet(layout.title, layout.steps.rows_from(first)), range(first, last + 1)
    curves = [
        Curve(
            name,
            steps,
            (on_sheet(layout.title, layout.rmse.column(i).rows_from(first)), table[first:, i]),
            _INKS[i % len(_INKS)],
            size=0,
        )
        for i, name in enumerate(names)
    ]
    x_ends = (first, last) if last > first else None
    axes = "x" if is_sudden else ""
    return Chart("RMSE, step by step", "step", "RMSE", curves, layout.chart, axes, x_ends, has_legend=True)


def _is_sudden(table: np.ndarray) -> bool:
    """Whether every column has fallen by nine tenths of its fall within the first twentieth of its steps."""
    if len(table) < 40:
        return False
    early = table[: len(table) // 20 + 1]
    start, least = table[0], np.nanmin(table, axis=0)
    return bool((np.nanmin(early, axis=0) <= start - 0.9 * (start - least)).all())

"""The sheet `history`: how the RMSE of each sheet fell, step by step, and its chart."""

import numpy as np

from cf_excel.sheets.fill.added_layout import HistorySheet
from cf_excel.sheets.find.found_sheet import FoundSheet, looks_of
from cf_excel.xlsx.cells import on_sheet
from cf_excel.xlsx.edit.new_sheet import add_sheet
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.write.charts import Chart, Curve
from cf_excel.xlsx.write.sheet_cells import SheetCells

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
    cells.put(layout.rmse, "plain", table)
    chart = _chart(layout, table, list(histories))
    add_sheet(book, layout.title, cells, freeze=layout.freeze, widths=layout.widths, chart=chart)
    return layout.title


def _chart(layout: HistorySheet, table: np.ndarray, names: list[str]) -> Chart:
    steps = on_sheet(layout.title, layout.steps), range(len(table))
    curves = [
        Curve(name, steps, (on_sheet(layout.title, layout.rmse.column(i)), table[:, i]), _INKS[i % len(_INKS)], size=0)
        for i, name in enumerate(names)
    ]
    return Chart("RMSE, step by step", "step", "RMSE", curves, layout.chart, has_legend=True)

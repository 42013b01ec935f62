"""The sheet `history`: how the RMSE of each sheet fell, step by step, and its chart."""

import numpy as np
from openpyxl.chart import ScatterChart
from openpyxl.chart.data_source import AxDataSource, NumData, NumDataSource, NumRef, NumVal, StrData, StrRef, StrVal
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties

from cf_excel.book.cells import column_letters, on_sheet
from cf_excel.book.edit.added_sheets import HistorySheet
from cf_excel.book.edit.found import FoundSheet
from cf_excel.book.edit.new_sheet import add_sheet, frame, looks_of
from cf_excel.book.edit.opened import OpenedBook
from cf_excel.book.package import SheetCells

_INKS = ("1F4FBF", "E07B39", "2E8B57")


def add_history(book: OpenedBook, sheets: list[FoundSheet], histories: dict[str, list[float]], optimizer: str) -> str:
    """Add the RMSE of every step, from the start on, by sheet; return the name of the new sheet."""
    n_steps = max(map(len, histories.values()))
    layout = HistorySheet(book.free_title("history"), len(histories), n_steps)
    workbook, worksheet = frame(layout.title)
    cells = SheetCells(looks_of(sheets))
    table = np.full((n_steps, len(histories)), np.nan)
    for i, history in enumerate(histories.values()):
        table[: len(history), i] = np.round(history, 6)  # as many places as people compare
    cells.put(layout.note, "plain", [[f"RMSE of each sheet after every step of {optimizer}; step 0 is the start."]])
    cells.put(layout.headers, "id", [["step", *histories]])
    cells.put(layout.steps, "plain", [[step] for step in range(n_steps)])
    cells.put(layout.rmse, "plain", table)
    worksheet.add_chart(_chart(layout, table, list(histories)), layout.chart)
    worksheet.freeze_panes = layout.freeze
    for column in range(layout.rmse.left, layout.rmse.right + 1):
        worksheet.column_dimensions[column_letters(column)].width = 16
    add_sheet(book, workbook, cells)
    return layout.title


def _chart(layout: HistorySheet, table: np.ndarray, names: list[str]) -> ScatterChart:
    chart = ScatterChart(scatterStyle="lineMarker")
    steps = np.arange(len(table))
    for i, name in enumerate(names):
        x = _numbers(on_sheet(layout.title, layout.steps), steps)
        y = _numbers(on_sheet(layout.title, layout.rmse.column(i)), table[:, i])
        label = SeriesLabel(
            strRef=StrRef(f=on_sheet(layout.title, layout.headers.column(i + 1)), strCache=_texts(name))
        )
        series = XYSeries(tx=label, xVal=AxDataSource(numRef=x), yVal=NumDataSource(numRef=y))
        series.graphicalProperties = GraphicalProperties()
        series.graphicalProperties.line.solidFill = _INKS[i % len(_INKS)]
        series.graphicalProperties.line.width = 19_050  # 1.5 points
        series.marker = Marker(symbol="none")
        series.smooth = False
        chart.series.append(series)
    chart.title, chart.x_axis.title, chart.y_axis.title = "RMSE, step by step", "step", "RMSE"
    chart.legend.position = "b"
    for axis in (chart.x_axis, chart.y_axis):
        axis.delete = False
        axis.majorGridlines = None
        axis.number_format = "General"
    chart.width, chart.height = 20, 11
    return chart


def _texts(text: str) -> StrData:
    return StrData(ptCount=1, pt=[StrVal(idx=0, v=text)])


def _numbers(address: str, values: np.ndarray) -> NumRef:
    # a chart keeps a copy of its numbers: programs that do not recalculate draw from it
    points = [NumVal(idx=i, v=repr(float(value))) for i, value in enumerate(values) if value == value]
    return NumRef(f=address, numCache=NumData(formatCode="General", ptCount=len(values), pt=points))

"""The sheet `history`: one number format, and a chart in which the fall can be seen."""

import openpyxl
import pytest
from support.owned import make

from cf_excel.sheets.fill.history_sheet import add_history
from cf_excel.xlsx.edit.workbook_file import OpenedBook

SLOW = [2 - step / 1000 for step in range(1001)]
SUDDEN = [0.4 + 2.5 * 0.8**step for step in range(1001)]


def chart_of(tmp_path, histories):
    path = make(tmp_path / "mine.xlsx")
    book = OpenedBook(path)
    title = add_history(book, [], histories, "adam")
    book.archive.save(path)
    sheet = openpyxl.load_workbook(path)[title]
    assert {cell.number_format for row in sheet["B3:C1003"] for cell in row[: len(histories)]} == {"0.000000"}
    return sheet._charts[0]


def test_an_axis_ends_where_the_steps_do(tmp_path):
    chart = chart_of(tmp_path, {"dotprod": SLOW, "bias": SUDDEN})
    assert (chart.x_axis.scaling.min, chart.x_axis.scaling.max, chart.x_axis.scaling.logBase) == (0, 1000, None)


def test_where_all_happens_at_once_the_axis_is_logarithmic(tmp_path):
    """There is no place for step 0 on it."""
    chart = chart_of(tmp_path, {"dotprod": SUDDEN, "bias": SUDDEN})
    assert (chart.x_axis.scaling.min, chart.x_axis.scaling.max, chart.x_axis.scaling.logBase) == (1, 1000, 10)
    reference = chart.series[0].xVal.numRef
    assert reference.f == "history!$A$4:$A$1003"
    assert [point.v for point in reference.numCache.pt[:2]] == pytest.approx([1, 2])

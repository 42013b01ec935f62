"""Native charts that show their points in every program, previewers included."""

import numpy as np
from openpyxl.chart import ScatterChart
from openpyxl.chart.data_source import AxDataSource, NumData, NumDataSource, NumRef, NumVal
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import XYSeries
from openpyxl.chart.shapes import GraphicalProperties

DOT_COLOR = "1F4FBF"


def _data(address: str, values: np.ndarray) -> NumRef:
    # a chart keeps a copy of its numbers: programs that do not recalculate draw from it
    points = [NumVal(idx=i, v=repr(float(value))) for i, value in enumerate(values)]
    return NumRef(f=address, numCache=NumData(formatCode="General", ptCount=len(points), pt=points))


def scatter_chart(title: str, x: tuple[str, str, np.ndarray], y: tuple[str, str, np.ndarray]) -> ScatterChart:
    """Return a chart of points; x and y are each a name, the address of the numbers, and the numbers."""
    series = XYSeries(xVal=AxDataSource(numRef=_data(*x[1:])), yVal=NumDataSource(numRef=_data(*y[1:])))
    series.marker = Marker(symbol="circle", size=5)
    series.marker.graphicalProperties = GraphicalProperties(solidFill=DOT_COLOR)
    series.marker.graphicalProperties.line.noFill = True
    series.graphicalProperties = GraphicalProperties()
    series.graphicalProperties.line.noFill = True
    chart = ScatterChart(scatterStyle="lineMarker")
    chart.series.append(series)
    chart.title, chart.x_axis.title, chart.y_axis.title = title, x[0], y[0]
    chart.legend = None
    for axis in (chart.x_axis, chart.y_axis):
        axis.delete = False
        axis.majorGridlines = None
        axis.number_format = "General"
    chart.width, chart.height = 14, 10
    return chart

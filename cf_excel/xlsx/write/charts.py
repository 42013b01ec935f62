"""Native charts that show their points in every program, previewers included (ECMA-376 part 1, 21.2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.opc import CHART_TYPE, DRAWING_MAIN, OFFICE
from cf_excel.xlsx.write.frame import Frame, drawing_of

BLUE, RED = "1F4FBF", "D32F2F"
_CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"


@dataclass(frozen=True)
class Curve:
    """Points, or a line through them: x and y are each the address of the numbers, and the numbers.

    size: of the points, 0 for none. A NaN among the numbers leaves a gap. width: of the line, in points.
    is_sheer: whether what lies below the line is seen through it; programs differ in which curve is on top.
    """

    name: str
    x: tuple[str, Iterable[float]]
    y: tuple[str, Iterable[float]]
    color: str = BLUE
    size: int = 4
    joined: bool = True
    width: float = 1.5
    in_legend: bool = True
    is_sheer: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart that covers a block of cells.

    logarithmic: which axes are, of "x" and "y". x_ends: where the x axis begins and ends; None leaves it to the
    program, which rounds up. has_legend None: with a legend where there are more than two curves. legend_at: "r", the
    right side, or "b", the bottom.
    """

    title: str
    x_title: str
    y_title: str
    curves: list[Curve]
    place: Block
    logarithmic: str = ""
    x_ends: tuple[float, float] | None = None
    has_legend: bool | None = None
    legend_at: str = "r"

    @property
    def xml(self) -> str:
        """The chart's part."""
        x_axis = _axis(
            (10, 20), "b", self.x_title, self._scaling("x"), "min" if "y" in self.logarithmic else "autoZero"
        )
        y_axis = _axis(
            (20, 10), "l", self.y_title, self._scaling("y"), "min" if "x" in self.logarithmic else "autoZero"
        )
        has_legend = len(self.curves) > 2 if self.has_legend is None else self.has_legend
        legend = self._legend if has_legend else ""
        return (
            f'<c:chartSpace xmlns:c="{_CHART}" xmlns:a="{DRAWING_MAIN}"><c:roundedCorners val="0"/><c:chart>'
            f'{_title(self.title, 1100)}<c:autoTitleDeleted val="0"/><c:plotArea><c:layout/>'
            '<c:scatterChart><c:scatterStyle val="lineMarker"/><c:varyColors val="0"/>'
            f"{''.join(_series(i, curve) for i, curve in enumerate(self.curves))}"
            '<c:axId val="10"/><c:axId val="20"/></c:scatterChart>'
            f'{x_axis}{y_axis}</c:plotArea>{legend}<c:plotVisOnly val="1"/><c:dispBlanksAs val="gap"/></c:chart>'
            "</c:chartSpace>"
        )

    @property
    def _legend(self) -> str:
        left_out = "".join(
            f'<c:legendEntry><c:idx val="{i}"/><c:delete val="1"/></c:legendEntry>'
            for i, curve in enumerate(self.curves)
            if not curve.in_legend
        )
        return f'<c:legend><c:legendPos val="{self.legend_at}"/>{left_out}<c:overlay val="0"/></c:legend>'

    def _scaling(self, axis: str) -> str:
        base = '<c:logBase val="10"/>' if axis in self.logarithmic else ""
        ends = (
            f'<c:max val="{self.x_ends[1]:g}"/><c:min val="{self.x_ends[0]:g}"/>' if axis == "x" and self.x_ends else ""
        )
        return f'<c:scaling>{base}<c:orientation val="minMax"/>{ends}</c:scaling>'


def add_charts(frame: Frame, number: int, charts: list[Chart]) -> None:
    """Add charts to the sheet with this number, counted from 1."""
    for i, chart in enumerate(charts, 1):
        name = f"xl/charts/chart{number}_{i}.xml"
        frame.add(name, chart.xml.encode(), CHART_TYPE)
        relation = frame.relate(drawing_of(number), f"{OFFICE}/chart", name)
        frame.append_to_drawing(number, anchor_xml(chart, i, relation))


def anchor_xml(chart: Chart, number: int, relation: str) -> str:
    """Return what puts a chart into a drawing: number counts its charts from 1, relation leads to the chart's part."""
    return (
        f'<xdr:twoCellAnchor>{corners_xml(chart.place)}<xdr:graphicFrame macro=""><xdr:nvGraphicFramePr>'
        f'<xdr:cNvPr id="{number + 1}" name="Chart {number}"/><xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr>'
        '<xdr:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm>'
        f'<a:graphic><a:graphicData uri="{_CHART}">'
        f'<c:chart xmlns:c="{_CHART}" xmlns:r="{OFFICE}" r:id="{relation}"/>'
        "</a:graphicData></a:graphic></xdr:graphicFrame><xdr:clientData/></xdr:twoCellAnchor>"
    )


def corners_xml(block: Block, prefix: str = "xdr:") -> str:
    """Return the from and to of an object that covers a block, both with a prefix; what is in them always has xdr."""
    corners = {"from": (block.left - 1, block.top - 1), "to": (block.right, block.bottom)}
    return "".join(
        f"<{prefix}{name}><xdr:col>{column}</xdr:col><xdr:colOff>0</xdr:colOff>"
        f"<xdr:row>{row}</xdr:row><xdr:rowOff>0</xdr:rowOff></{prefix}{name}>"
        for name, (column, row) in corners.items()
    )


def _title(text: str, size: int) -> str:
    return (
        f'<c:title><c:tx><c:rich><a:bodyPr/><a:p><a:pPr><a:defRPr sz="{size}" b="1"/></a:pPr>'
        f'<a:r><a:rPr lang="en-US" sz="{size}" b="1"/><a:t>{escape(text, quote=False)}</a:t></a:r></a:p>'
        '</c:rich></c:tx><c:overlay val="0"/></c:title>'
    )


def _axis(ids: tuple[int, int], side: str, title: str, scaling: str, crosses: str) -> str:
    return (
        f'<c:valAx><c:axId val="{ids[0]}"/>{scaling}<c:delete val="0"/>'
        f'<c:axPos val="{side}"/>{_title(title, 900)}<c:numFmt formatCode="General" sourceLinked="0"/>'
        '<c:majorTickMark val="out"/><c:minorTickMark val="none"/><c:tickLblPos val="low"/>'
        f'<c:crossAx val="{ids[1]}"/><c:crosses val="{crosses}"/><c:crossBetween val="midCat"/></c:valAx>'
    )


def _series(index: int, curve: Curve) -> str:
    fill = f'<a:solidFill><a:srgbClr val="{curve.color}"/></a:solidFill>'
    ink = fill.replace("/>", '><a:alpha val="45000"/></a:srgbClr>', 1) if curve.is_sheer else fill
    line = f'<a:ln w="{12700 * curve.width:.0f}">{ink}</a:ln>' if curve.joined else "<a:ln><a:noFill/></a:ln>"
    points = f'<c:symbol val="circle"/><c:size val="{curve.size}"/><c:spPr>{fill}<a:ln><a:noFill/></a:ln></c:spPr>'
    marker = points if curve.size else '<c:symbol val="none"/>'
    return (
        f'<c:ser><c:idx val="{index}"/><c:order val="{index}"/>'
        f"<c:tx><c:v>{escape(curve.name, quote=False)}</c:v></c:tx><c:spPr>{line}</c:spPr>"
        f"<c:marker>{marker}</c:marker>"
        f'<c:xVal>{_numbers(*curve.x)}</c:xVal><c:yVal>{_numbers(*curve.y)}</c:yVal><c:smooth val="0"/></c:ser>'
    )


def _numbers(address: str, values: Iterable[float]) -> str:
    # a chart keeps a copy of its numbers: programs that do not recalculate draw from it
    values = [float(value) for value in values]
    points = [f'<c:pt idx="{i}"><c:v>{value!r}</c:v></c:pt>' for i, value in enumerate(values) if value == value]
    return (
        f"<c:numRef><c:f>{escape(address, quote=False)}</c:f><c:numCache><c:formatCode>General</c:formatCode>"
        f'<c:ptCount val="{len(values)}"/>{"".join(points)}</c:numCache></c:numRef>'
    )

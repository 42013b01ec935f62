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

    size: of the points, 0 for none. A NaN among the numbers leaves a gap.
    """

    name: str
    x: tuple[str, Iterable[float]]
    y: tuple[str, Iterable[float]]
    color: str = BLUE
    size: int = 4
    joined: bool = True


@dataclass(frozen=True)
class Chart:
    """A chart that covers a block of cells; has_legend None: with a legend where there are more than two curves."""

    title: str
    x_title: str
    y_title: str
    curves: list[Curve]
    place: Block
    logarithmic: bool = False
    has_legend: bool | None = None

    @property
    def xml(self) -> str:
        """The chart's part."""
        scale, crosses = ('<logBase val="10"/>', "min") if self.logarithmic else ("", "autoZero")
        x_axis = _axis((10, 20), "b", self.x_title, "", crosses)
        y_axis = _axis((20, 10), "l", self.y_title, scale, "autoZero")
        has_legend = len(self.curves) > 2 if self.has_legend is None else self.has_legend
        legend = '<legend><legendPos val="r"/><overlay val="0"/></legend>' if has_legend else ""
        return (
            f'<chartSpace xmlns="{_CHART}" xmlns:a="{DRAWING_MAIN}"><roundedCorners val="0"/><chart>'
            f'{_title(self.title, 1100)}<autoTitleDeleted val="0"/><plotArea><layout/>'
            '<scatterChart><scatterStyle val="lineMarker"/><varyColors val="0"/>'
            f"{''.join(_series(i, curve) for i, curve in enumerate(self.curves))}"
            '<axId val="10"/><axId val="20"/></scatterChart>'
            f'{x_axis}{y_axis}</plotArea>{legend}<plotVisOnly val="1"/><dispBlanksAs val="gap"/></chart></chartSpace>'
        )


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
        f'<twoCellAnchor>{corners_xml(chart.place)}<graphicFrame macro=""><nvGraphicFramePr>'
        f'<cNvPr id="{number + 1}" name="Chart {number}"/><cNvGraphicFramePr/></nvGraphicFramePr>'
        '<xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xfrm>'
        f'<a:graphic><a:graphicData uri="{_CHART}">'
        f'<c:chart xmlns:c="{_CHART}" xmlns:r="{OFFICE}" r:id="{relation}"/>'
        "</a:graphicData></a:graphic></graphicFrame><clientData/></twoCellAnchor>"
    )


def corners_xml(block: Block, prefix: str = "") -> str:
    """Return the <from> and <to> of an object that covers a block; what is in them gets a prefix."""
    corners = {"from": (block.left - 1, block.top - 1), "to": (block.right, block.bottom)}
    return "".join(
        f"<{name}><{prefix}col>{column}</{prefix}col><{prefix}colOff>0</{prefix}colOff>"
        f"<{prefix}row>{row}</{prefix}row><{prefix}rowOff>0</{prefix}rowOff></{name}>"
        for name, (column, row) in corners.items()
    )


def _title(text: str, size: int) -> str:
    return (
        f'<title><tx><rich><a:bodyPr/><a:p><a:pPr><a:defRPr sz="{size}" b="1"/></a:pPr>'
        f'<a:r><a:rPr lang="en-US" sz="{size}" b="1"/><a:t>{escape(text, quote=False)}</a:t></a:r></a:p></rich></tx>'
        '<overlay val="0"/></title>'
    )


def _axis(ids: tuple[int, int], side: str, title: str, scale: str, crosses: str) -> str:
    return (
        f'<valAx><axId val="{ids[0]}"/><scaling>{scale}<orientation val="minMax"/></scaling><delete val="0"/>'
        f'<axPos val="{side}"/>{_title(title, 900)}<numFmt formatCode="General" sourceLinked="0"/>'
        '<majorTickMark val="out"/><minorTickMark val="none"/><tickLblPos val="low"/>'
        f'<crossAx val="{ids[1]}"/><crosses val="{crosses}"/></valAx>'
    )


def _series(index: int, curve: Curve) -> str:
    fill = f'<a:solidFill><a:srgbClr val="{curve.color}"/></a:solidFill>'
    line = f'<a:ln w="19050">{fill}</a:ln>' if curve.joined else "<a:ln><a:noFill/></a:ln>"
    points = f'<symbol val="circle"/><size val="{curve.size}"/><spPr>{fill}<a:ln><a:noFill/></a:ln></spPr>'
    marker = points if curve.size else '<symbol val="none"/>'
    return (
        f'<ser><idx val="{index}"/><order val="{index}"/>'
        f"<tx><v>{escape(curve.name, quote=False)}</v></tx><spPr>{line}</spPr>"
        f"<marker>{marker}</marker>"
        f'<xVal>{_numbers(*curve.x)}</xVal><yVal>{_numbers(*curve.y)}</yVal><smooth val="0"/></ser>'
    )


def _numbers(address: str, values: Iterable[float]) -> str:
    # a chart keeps a copy of its numbers: programs that do not recalculate draw from it
    values = [float(value) for value in values]
    points = [f'<pt idx="{i}"><v>{value!r}</v></pt>' for i, value in enumerate(values) if value == value]
    return (
        f"<numRef><f>{escape(address, quote=False)}</f><numCache><formatCode>General</formatCode>"
        f'<ptCount val="{len(values)}"/>{"".join(points)}</numCache></numRef>'
    )

"""Add a whole sheet to a workbook that somebody owns, in the looks of the sheets that are there."""

import re

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.opc import CHART_TYPE, DRAWING, DRAWING_MAIN, DRAWING_TYPE, OFFICE
from cf_excel.xlsx.write.charts import Chart, anchor_xml
from cf_excel.xlsx.write.sheet_cells import SheetCells, sheet_xml

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_IDENTITY = "rId1"


def add_sheet(
    book: OpenedBook,
    title: str,
    cells: SheetCells,
    *,
    freeze: Block,
    widths: dict[Block, float],
    chart: Chart | None = None,
) -> None:
    """Add a sheet with its cells.

    freeze: top left cell of what scrolls. widths: of the columns that a block stands in, in characters.
    """
    xml = b"".join(sheet_xml(_frame(freeze, widths, has_drawing=chart is not None), cells))
    if chart is None:
        book.add_sheet(title, xml, {})
        return
    drawing_part = book.free_name(f"{book.folder}/drawings", "drawing")
    chart_part = book.free_name(f"{book.folder}/charts", "chart")
    drawing_name, chart_name = (part.rpartition("/")[2] for part in (drawing_part, chart_part))
    drawing = f'<wsDr xmlns="{DRAWING}" xmlns:a="{DRAWING_MAIN}">{anchor_xml(chart, 1, _IDENTITY)}</wsDr>'
    book.archive.put(f"{book.folder}/drawings/_rels/{drawing_name}.rels", _relation("chart", f"../charts/{chart_name}"))
    added = {drawing_part: (drawing.encode(), DRAWING_TYPE), chart_part: (chart.xml.encode(), CHART_TYPE)}
    book.add_sheet(title, xml, added, _relation("drawing", f"../drawings/{drawing_name}"))


def replace_sheet(book: OpenedBook, title: str, cells: SheetCells, frame: bytes, *, widths: dict[Block, float]) -> None:
    """Give a sheet other cells and widths of columns; frame: its XML without rows, of which the rest stays."""
    frame = re.sub(rb"<cols>.*?</cols>|<cols/>", b"", frame, flags=re.DOTALL)
    frame = frame.replace(b"<sheetData>", _cols(widths) + b"<sheetData>", 1)
    book.replace_sheet(title, b"".join(sheet_xml(frame, cells)))


def _frame(freeze: Block, widths: dict[Block, float], *, has_drawing: bool) -> bytes:
    """Return the XML of a sheet without cells, to be printed in landscape and as wide as one page."""
    rows, columns = freeze.top - 1, freeze.left - 1
    pane = "bottomRight" if rows and columns else "bottomLeft" if rows else "topRight"
    splits = "".join(f' {name}="{n}"' for name, n in (("xSplit", columns), ("ySplit", rows)) if n)
    drawing = f'<drawing xmlns:r="{OFFICE}" r:id="{_IDENTITY}"/>' if has_drawing else ""
    return (
        f'<worksheet xmlns="{_MAIN}"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
        f'<dimension ref="{freeze.address}"/><sheetViews><sheetView workbookViewId="0">'
        f'<pane{splits} topLeftCell="{freeze.address}" activePane="{pane}" state="frozen"/>'
        f'<selection pane="{pane}"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>'
        f'{_cols(widths).decode()}<sheetData/><pageMargins left="0.75" right="0.75" top="1" bottom="1" header="0.5" '
        f'footer="0.5"/><pageSetup orientation="landscape" fitToHeight="0"/>{drawing}</worksheet>'
    ).encode()


def _cols(widths: dict[Block, float]) -> bytes:
    cols = "".join(
        f'<col min="{block.left}" max="{block.right}" width="{width}" customWidth="1"/>'
        for block, width in sorted(widths.items(), key=lambda pair: pair[0].left)
    )
    return f"<cols>{cols}</cols>".encode()


def _relation(kind: str, target: str) -> bytes:
    link = f'<Relationship Id="{_IDENTITY}" Type="{OFFICE}/{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{_RELATIONSHIPS}">{link}</Relationships>'.encode()

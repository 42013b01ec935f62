"""Add a whole sheet to a workbook that somebody owns, in the looks of the sheets that are there."""

import io
import re
import zipfile
from xml.etree import ElementTree

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.book.edit.found import FoundSheet
from cf_excel.book.edit.opened import OpenedBook
from cf_excel.book.package import SheetCells, sheet_bytes

_DRAWING = "application/vnd.openxmlformats-officedocument.drawing+xml"
_CHART = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def looks_of(sheets: list[FoundSheet]) -> dict[str, int]:
    """Return style numbers by name, taken from cells of the lesson's sheets, so that no style has to be added."""
    styles = dict.fromkeys(("plain", "rating", "prediction", "input", "id", "upright", "result"), 0)
    for sheet in reversed(sheets):
        styles |= {name: sheet.xml.style(address) for name, address in sheet.looks.items()}
    return styles


def frame(title: str) -> tuple[Workbook, Worksheet]:
    """Return an empty openpyxl workbook with one sheet, for views, widths and charts."""
    workbook = Workbook()
    workbook.active.title = title
    return workbook, workbook.active


def add_sheet(book: OpenedBook, workbook: Workbook, cells: SheetCells) -> None:
    """Add the one sheet of an openpyxl workbook, with its cells and its charts, to a workbook that somebody owns."""
    saved = io.BytesIO()
    workbook.save(saved)
    with zipfile.ZipFile(saved) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    xml = sheet_bytes(parts["xl/worksheets/sheet1.xml"], cells)
    title = workbook.worksheets[0].title
    # only one sheet of a workbook is selected when it opens
    xml = re.sub(rb'\stabSelected="[^"]*"', b"", xml)
    if "xl/drawings/drawing1.xml" not in parts:
        book.add_sheet(title, xml, {})
        return
    drawing = book.free_name(f"{book.folder}/drawings", "drawing")
    chart = book.free_name(f"{book.folder}/charts", "chart")
    identity = next(iter(ElementTree.fromstring(parts["xl/drawings/_rels/drawing1.xml.rels"]))).get("Id")
    links = f"{book.folder}/drawings/_rels/{drawing.rsplit('/')[-1]}.rels"
    book.archive.put(links, _relation(identity, "chart", f"../charts/{chart.rsplit('/')[-1]}"))
    added = {drawing: (parts["xl/drawings/drawing1.xml"], _DRAWING), chart: (parts["xl/charts/chart1.xml"], _CHART)}
    own = next(iter(ElementTree.fromstring(parts["xl/worksheets/_rels/sheet1.xml.rels"]))).get("Id")
    book.add_sheet(title, xml, added, _relation(own, "drawing", f"../drawings/{drawing.rsplit('/')[-1]}"))


def _relation(identity: str, kind: str, target: str) -> bytes:
    link = f'<Relationship Id="{identity}" Type="{_TYPES}/{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{_RELATIONSHIPS}">{link}</Relationships>'.encode()

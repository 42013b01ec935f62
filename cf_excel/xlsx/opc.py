"""The parts of a package by name, and how they are declared and related (ECMA-376 part 2)."""

import posixpath
import re
from xml.etree import ElementTree

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
DRAWING_MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
DRAWING_TYPE = "application/vnd.openxmlformats-officedocument.drawing+xml"
CHART_TYPE = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "[Content_Types].xml"
# what the schema wants after drawings and controls
_SHEET_END = re.compile(rb"<tableParts|<extLst|</worksheet>")
_FONT_ORDER = (
    *("b", "i", "strike", "condense", "extend", "outline", "shadow", "u", "vertAlign", "sz", "color"),
    *("name", "family", "charset", "scheme"),
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PREFIXES = {
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "cp": "http://schemas.openxmlformats.org/package/2006/metadata/core-properties",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}


class Parts(dict[str, bytes]):
    """The parts of a workbook by name, without the cells."""

    def declare(self, name: str, content_type: str) -> None:
        """Say what a part holds; a name without a slash stands for all parts with that ending."""
        kind, key, name = ("Override", "PartName", f"/{name}") if "/" in name else ("Default", "Extension", name)
        entry = f'<{kind} {key}="{name}" ContentType="{content_type}"/>'.encode()
        if entry not in self[_TYPES]:
            self[_TYPES] = self[_TYPES].replace(b"</Types>", entry + b"</Types>")

    def relate(self, owner: str, kind: str, target: str) -> str:
        """Add a relationship to a part and return its id."""
        folder, _, name = owner.rpartition("/")
        path = f"{folder}/_rels/{name}.rels"
        relationships = self.get(path, f'<Relationships xmlns="{_PACKAGE}"></Relationships>'.encode())
        identity = f"rIdAdded{relationships.count(b'<Relationship ') + 1}"
        entry = f'<Relationship Id="{identity}" Type="{kind}" Target="{target}"/></Relationships>'
        self[path] = relationships.replace(b"</Relationships>", entry.encode())
        return identity

    def append_to_sheet(self, number: int, xml: str) -> None:
        """Add an element to the sheet with this number, counted from 1, behind those that it has."""
        sheet = f"xl/worksheets/sheet{number}.xml"
        self[sheet] = _SHEET_END.sub(lambda match: xml.encode() + match[0], self[sheet], count=1)

    def append_to_drawing(self, number: int, xml: str) -> None:
        """Add an anchored object to the drawing of the sheet with this number; the first one makes the drawing."""
        name = drawing_of(number)
        if name not in self:
            self[name] = f'<wsDr xmlns="{DRAWING}" xmlns:a="{DRAWING_MAIN}"></wsDr>'.encode()
            self.declare(name, DRAWING_TYPE)
            sheet = f"xl/worksheets/sheet{number}.xml"
            identity = self.relate(sheet, f"{OFFICE}/drawing", f"../drawings/drawing{number}.xml")
            self.append_to_sheet(number, f'<drawing xmlns:r="{OFFICE}" r:id="{identity}"/>')
        self[name] = self[name].replace(b"</wsDr>", xml.encode() + b"</wsDr>")


def drawing_of(number: int) -> str:
    """Return the name of the drawing of the sheet with this number, counted from 1."""
    return f"xl/drawings/drawing{number}.xml"


def mended(name: str, content: bytes) -> bytes:
    """Return a part of the frame as every program wants it, in the same bytes whichever XML library openpyxl found."""
    if not name.endswith((".xml", ".rels")):
        return content
    root = ElementTree.fromstring(content)
    if name.endswith(".rels"):
        _make_targets_relative(name, root)
    elif name == "xl/styles.xml":
        _order_fonts(root)
    elif name == "docProps/core.xml":
        for tag in ("created", "modified"):
            for stamp in root.iter(f"{{{_PREFIXES['dcterms']}}}{tag}"):
                stamp.text = "2018-01-01T00:00:00Z"
    for prefix, uri in _PREFIXES.items():
        ElementTree.register_namespace(prefix, uri)
    ElementTree.register_namespace("", root.tag[1:].partition("}")[0])
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _make_targets_relative(name: str, root: ElementTree.Element) -> None:
    # openpyxl's absolute targets are legal, but some readers take them for relative ones
    folder = posixpath.dirname(posixpath.dirname(name)) or "."
    for relationship in root:
        target = relationship.get("Target", "")
        if target.startswith("/"):
            relationship.set("Target", posixpath.relpath(target[1:], folder))


def _order_fonts(root: ElementTree.Element) -> None:
    # the schema fixes the order of a font's parts; openpyxl writes another one
    for font in root.iter(f"{{{_MAIN}}}font"):
        font[:] = sorted(font, key=lambda part: _FONT_ORDER.index(part.tag.rpartition("}")[2]))

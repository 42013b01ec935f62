"""The frame of a new workbook: the parts that openpyxl makes, as programs want them, and what is added to them."""

import posixpath
import re
from xml.etree import ElementTree

from cf_excel.xlsx.opc import DRAWING, DRAWING_MAIN, DRAWING_TYPE, MAIN, OFFICE, Package

# what the schema wants after drawings and controls
_SHEET_END = re.compile(rb"<tableParts|<extLst|</worksheet>")
_FONT_ORDER = (
    *("b", "i", "strike", "condense", "extend", "outline", "shadow", "u", "vertAlign", "sz", "color"),
    *("name", "family", "charset", "scheme"),
)
_EXTENDED = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"
_PREFIXES = {
    "r": OFFICE,
    "a": DRAWING_MAIN,
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "cp": "http://schemas.openxmlformats.org/package/2006/metadata/core-properties",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}


class Frame(Package):
    """The parts of a new workbook by name, without the cells."""

    def __init__(self, parts: dict[str, bytes]) -> None:
        """Take the parts as openpyxl wrote them."""
        self._parts = {name: _mended(name, content) for name, content in parts.items()}

    @property
    def names(self) -> list[str]:
        return list(self._parts)

    def read(self, name: str) -> bytes:
        return self._parts[name]

    def put(self, name: str, content: bytes) -> None:
        self._parts[name] = content

    def drop(self, name: str) -> None:
        del self._parts[name]

    def append_to_sheet(self, number: int, xml: str) -> None:
        """Add an element to the sheet with this number, counted from 1, behind those that it has."""
        sheet = sheet_of(number)
        self.put(sheet, _SHEET_END.sub(lambda match: xml.encode() + match[0], self.read(sheet), count=1))

    def append_to_drawing(self, number: int, xml: str) -> None:
        """Add an anchored object to the drawing of the sheet with this number; the first one makes the drawing."""
        name = drawing_of(number)
        if name not in self._parts:
            self.add(name, drawing_xml("").encode(), DRAWING_TYPE)
            identity = self.relate(sheet_of(number), f"{OFFICE}/drawing", name)
            self.append_to_sheet(number, f'<drawing xmlns:r="{OFFICE}" r:id="{identity}"/>')
        self.put(name, self.read(name).replace(b"</xdr:wsDr>", xml.encode() + b"</xdr:wsDr>"))


def drawing_xml(objects: str) -> str:
    """Return a drawing with anchored objects. With Excel's own prefix: some readers know the elements by it alone."""
    return f'<xdr:wsDr xmlns:xdr="{DRAWING}" xmlns:a="{DRAWING_MAIN}">{objects}</xdr:wsDr>'


def sheet_of(number: int) -> str:
    """Return the name of the sheet with this number, counted from 1."""
    return f"xl/worksheets/sheet{number}.xml"


def drawing_of(number: int) -> str:
    """Return the name of the drawing of the sheet with this number, counted from 1."""
    return f"xl/drawings/drawing{number}.xml"


def _mended(name: str, content: bytes) -> bytes:
    """Return a part in the same bytes whichever XML library openpyxl found."""
    if not name.endswith((".xml", ".rels")):
        return content
    root = ElementTree.fromstring(content)
    if name.endswith(".rels"):
        _make_targets_relative(name, root)
    elif name == "xl/styles.xml":
        _order_fonts(root)
    elif name == "docProps/core.xml":
        for tag in ("created", "modified"):  # the time of the build: the bytes would depend on it
            for stamp in root.findall(f"{{{_PREFIXES['dcterms']}}}{tag}"):
                root.remove(stamp)
    elif name == "docProps/app.xml":
        _name_application(root)
    for prefix, uri in _PREFIXES.items():
        ElementTree.register_namespace(prefix, uri)
    ElementTree.register_namespace("", root.tag[1:].partition("}")[0])
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _name_application(root: ElementTree.Element) -> None:
    # LibreOffice takes stored results for good where the name begins with Microsoft Excel, and recalculates others
    for child in list(root):
        root.remove(child)
    ElementTree.SubElement(root, f"{{{_EXTENDED}}}Application").text = "Microsoft Excel Compatible / cf_excel"


def _make_targets_relative(name: str, root: ElementTree.Element) -> None:
    # openpyxl's absolute targets are legal, but some readers take them for relative ones
    folder = posixpath.dirname(posixpath.dirname(name)) or "."
    for relationship in root:
        target = relationship.get("Target", "")
        if target.startswith("/"):
            relationship.set("Target", posixpath.relpath(target[1:], folder))


def _order_fonts(root: ElementTree.Element) -> None:
    # the schema fixes the order of a font's parts; openpyxl writes another one
    for font in root.iter(f"{{{MAIN}}}font"):
        font[:] = sorted(font, key=lambda part: _FONT_ORDER.index(part.tag.rpartition("}")[2]))

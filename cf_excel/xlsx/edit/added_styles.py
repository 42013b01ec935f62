"""Add what cells look like to a workbook that somebody owns, beside the styles that are there."""

import re
from dataclasses import dataclass
from html import escape
from xml.etree import ElementTree

from cf_excel.errors import FileError
from cf_excel.xlsx.edit.markup import tag_prefix
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.opc import MAIN, with_child

_STYLES_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"
_MAIN = f"{{{MAIN}}}"
_LINE = "".join(f'<{side} style="thin"><color rgb="FFCFD8DC"/></{side}>' for side in ("left", "right", "top", "bottom"))
_NEW = (
    f'<styleSheet xmlns="{MAIN}"><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
GENERAL, WHOLE, TWO_DECIMALS, THOUSANDS, PERCENT = 0, 1, 2, 3, 9  # number formats that every workbook has
_LAST_BUILT_IN = 163


@dataclass(frozen=True)
class Look:
    """What cells look like, in the font of the workbook's plain cells.

    number: one of the number formats above, or a format's code. ink, fill: colours as RRGGBB. alignment: attributes of
    <alignment>.
    """

    number: int | str = GENERAL
    bold: bool = False
    italic: bool = False
    ink: str = ""
    fill: str = ""
    box: bool = False
    alignment: str = ""


class AddedStyles:
    """Numbers of the styles by which cells name looks; a look that the workbook lacks is added when it is asked for."""

    def __init__(self, book: OpenedBook) -> None:
        self._book = book
        self._part = book.root_target("styles") or book.add_root_target("styles", _NEW.encode(), _STYLES_TYPE)
        self._numbers: dict[Look, int] = {}

    def number(self, look: Look) -> int:
        """Return the number of a look's style. Raises FileError where the workbook's styles are damaged."""
        if look not in self._numbers:
            font = self._add("fonts", self._font(look))
            solid = (
                f'<patternFill patternType="solid"><fgColor rgb="FF{look.fill}"/><bgColor indexed="64"/></patternFill>'
            )
            fill = self._add("fills", f"<fill>{solid}</fill>") if look.fill else 0
            border = self._add("borders", f"<border>{_LINE}<diagonal/></border>") if look.box else 0
            applied = "".join(
                f' apply{name}="1"'
                for name, wanted in (
                    ("NumberFormat", look.number),
                    ("Font", font),
                    ("Fill", fill),
                    ("Border", border),
                    ("Alignment", look.alignment),
                )
                if wanted
            )
            inner = f"><alignment {look.alignment}/></xf>" if look.alignment else "/>"
            number = self._number_format(look.number) if isinstance(look.number, str) else look.number
            numbers = f'numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="{border}" xfId="0"'
            self._numbers[look] = self._add("cellXfs", f"<xf {numbers}{applied}{inner}")
        return self._numbers[look]

    def _number_format(self, code: str) -> int:
        """Return the number of a number format, which is added where the workbook lacks it."""
        xml = self._book.archive.read_xml(self._part)
        there = ElementTree.fromstring(xml).findall(f"{_MAIN}numFmts/{_MAIN}numFmt")
        for one in there:
            if one.get("formatCode") == code:
                return int(one.attrib["numFmtId"])
        number = max([_LAST_BUILT_IN, *(int(one.attrib["numFmtId"]) for one in there)]) + 1
        if not there:  # the first child, and an empty one says nothing
            prefix = tag_prefix(xml, b"styleSheet")
            xml = re.sub(rb"<%snumFmts\b[^>]*?(/>|>\s*</%snumFmts\s*>)" % (prefix, prefix), b"", xml)
            formats = b'<%snumFmts count="0"></%snumFmts>' % (prefix, prefix)
            xml = re.sub(rb"<%sstyleSheet\b[^>]*>" % prefix, lambda match: match[0] + formats, xml, count=1)
            self._book.archive.put(self._part, xml)
        self._append("numFmts", f'<numFmt numFmtId="{number}" formatCode="{escape(code)}"/>', len(there))
        return number

    def _font(self, look: Look) -> str:
        fonts = ElementTree.fromstring(self._book.archive.read_xml(self._part)).find(f"{_MAIN}fonts")
        plain = fonts[0] if fonts is not None and len(fonts) else ElementTree.Element("font")
        found = {child.tag.removeprefix(_MAIN): child for child in plain}
        if look.bold or look.italic or look.ink:
            found.pop("scheme", None)
        parts = ["<b/>"] * look.bold + ["<i/>"] * look.italic
        for name in ("sz", "color", "name", "family", "charset", "scheme"):
            if name == "color" and look.ink:
                parts.append(f'<color rgb="FF{look.ink}"/>')
            elif name in found:
                given = "".join(f' {key}="{escape(value)}"' for key, value in found[name].attrib.items())
                parts.append(f"<{name}{given}/>")
        return f"<font>{''.join(parts)}</font>"

    def _add(self, collection: str, element: str) -> int:
        """Return the place of an element in a collection of styles, where it is added unless an equal one is there."""
        xml = self._book.archive.read_xml(self._part)
        there = ElementTree.fromstring(xml).find(f"{_MAIN}{collection}")
        if there is None or not len(there):
            raise FileError(f"{self._book.path.name}: its styles are damaged ({collection} is missing or empty)")
        wanted = _essence(ElementTree.fromstring(f'<a xmlns="{MAIN}">{element}</a>')[0])
        for i, child in enumerate(there):
            if _essence(child) == wanted:
                return i
        self._append(collection, element, len(there))
        return len(there)

    def _append(self, collection: str, element: str, n_there: int) -> None:
        xml = self._book.archive.read_xml(self._part)
        prefix = tag_prefix(xml, b"styleSheet")
        prefixed = re.sub(rb"<(/?)", rb"<\1" + prefix, element.encode())
        xml = with_child(xml, collection.encode(), prefixed[1 + len(prefix) :])
        count = rb"(<%s%s\b[^>]*?\scount=[\"'])\d+" % (prefix, collection.encode())
        xml = re.sub(count, rb"\g<1>%d" % (n_there + 1), xml, count=1)
        self._book.archive.put(self._part, xml)


def _essence(element: ElementTree.Element) -> tuple:
    return element.tag, sorted(element.attrib.items()), [_essence(child) for child in element]

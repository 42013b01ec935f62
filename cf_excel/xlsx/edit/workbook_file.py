"""A workbook that somebody owns: its parts, and its sheets by name.

Only the parts that must differ are touched; the zip's other parts stay as they are (see zip_archive.py).
"""

import posixpath
import re
from collections.abc import Collection, Iterable
from functools import cached_property
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from cf_excel.errors import FileError
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.markup import tag_prefix
from cf_excel.xlsx.edit.sheet_xml import SheetXml
from cf_excel.xlsx.edit.zip_archive import Archive, open_archive
from cf_excel.xlsx.opc import MAIN, OFFICE, rels_of, with_child
from cf_excel.xlsx.references import take_apart

_MAIN = f"{{{MAIN}}}"
_STRICT = "http://purl.oclc.org/ooxml/"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_SHEET_NUMBER = re.compile(r"\s*[0-9]{1,10}\s*")
# What may stand before calcPr in a workbook (ECMA-376, 18.2.27).
_BEFORE_NAMES = ("externalReferences", "functionGroups", "sheets")
_BEFORE_CALC = ("definedNames", *_BEFORE_NAMES)


class OpenedBook:
    """A workbook as it was read; what is put, added and replaced is what the archive saves."""

    def __init__(self, path: Path) -> None:
        """Read a workbook. Raises FileError for anything but a whole, unencrypted .xlsx or .xlsm."""
        self.path = Path(path)
        self.archive: Archive = open_archive(self.path)
        self.archive.read(self.archive.find(rels_of("")))
        roots = self._targets("", "officeDocument")
        if not roots:
            raise FileError(f"{self.path.name} names no workbook: its relations are damaged")
        self.root = roots[0]
        self._sheets: dict[str, SheetXml] = {}
        self.notes: list[str] = []  # what somebody may want to know about a change

    @cached_property
    def titles(self) -> list[str]:
        """Names of the worksheets, in order."""
        return list(self._sheet_parts)

    def sheet(self, title: str) -> SheetXml:
        """Return a sheet's cells, as they were read."""
        if title not in self._sheets:
            part = self.part_of(title)
            name = f"{self.path.name}: {part}"
            self._sheets[title] = SheetXml(self.archive.read(part), self._strings, f"sheet {title}", name)
        return self._sheets[title]

    def read_ahead(self, titles: Iterable[str]) -> None:
        """Unpack sheets in the background that will be read."""
        self.archive.unpack_ahead(self.part_of(title) for title in titles)

    def sheet_size(self, title: str) -> int:
        """Return the number of bytes of a sheet's XML."""
        return self.archive.size(self.part_of(title))

    def free_title(self, title: str) -> str:
        """Return a sheet's name if it is free, else the name with a number behind it."""
        return free_title(title, self.all_titles)

    def add_sheet(self, name: str, part: str, xml: bytes, *, has_formulas: bool = True) -> None:
        """Add a worksheet under a name and as a part that are free."""
        self.archive.add(part, xml, _SHEET_TYPE)
        self._list_sheet(name, self.archive.relate(self.root, f"{OFFICE}/worksheet", part))
        if has_formulas:
            self.calculate_on_load()

    def add_names(self, title: str, names: dict[str, str]) -> None:
        """Define names that belong to a sheet: what they stand for, by name, in the place of former ones."""
        place = self.all_titles.index(title)
        elements = [
            f'definedName name="{name}" localSheetId="{place}">{escape(text, quote=False)}</'.encode()
            for name, text in names.items()
        ]
        xml = self.archive.read(self.root)
        prefix = tag_prefix(xml, b"workbook")
        if not re.search(rb"</%sdefinedNames\s*>" % prefix, xml):
            xml = re.sub(rb"<%sdefinedNames\s*/>" % prefix, b"", xml)
            end = _end_of(xml, prefix, _BEFORE_NAMES)
            xml = xml[:end] + b"<%(p)sdefinedNames></%(p)sdefinedNames>" % {b"p": prefix} + xml[end:]
        own = rb'(?=[^>]*\bname\s*=\s*["\'](?:%b)["\'])(?=[^>]*\blocalSheetId\s*=\s*["\']%d["\'])'
        own %= "|".join(map(re.escape, names)).encode(), place
        xml = re.sub(
            rb"<%(p)sdefinedName\s%(own)s[^>]*>[^<]*</%(p)sdefinedName\s*>" % {b"p": prefix, b"own": own}, b"", xml
        )
        for element in elements:
            xml = with_child(xml, b"definedNames", element + prefix + b"definedName>")
        self.archive.put(self.root, xml)
        vars(self).pop("_workbook", None), vars(self).pop("names", None)

    def replace_sheet(self, title: str, xml: bytes) -> None:
        """Give a worksheet other XML, formulas included; its name, its place and what it relates to stay."""
        self.archive.put(self.part_of(title), xml)
        self._sheets.pop(title, None)
        self.calculate_on_load()

    def part_of(self, title: str) -> str:
        """Return the name of a worksheet's part."""
        return self._sheet_parts[title]

    def root_target(self, kind: str) -> str | None:
        """Return the part of a type, given by its last word, that the workbook itself leads to."""
        return next(iter(self._targets(self.root, kind)), None)

    def add_root_target(self, kind: str, content: bytes, content_type: str) -> str:
        """Add a part that the workbook itself leads to, and return its name."""
        usual = posixpath.join(posixpath.dirname(self.root), f"{kind}.xml")  # the only name that some programs know
        part = self.free_name("", kind) if self.archive.find(usual) in self.archive.names else usual
        self.archive.add(part, content, content_type)
        self.archive.relate(self.root, f"{OFFICE}/{kind}", part)
        return part

    def related(self, title: str) -> list[str]:
        """Return the types of what a sheet relates to, settings of printers left out."""
        found = self.archive.relations(self.part_of(title)).values()
        return [kind for kind, _ in found if not kind.endswith("/printerSettings")]

    def free_name(self, folder: str, stem: str) -> str:
        """Return a part name that is free in a folder beside the workbook's part."""
        return self.archive.free_name(posixpath.join(posixpath.dirname(self.root), folder), stem)

    @cached_property
    def _workbook(self) -> ElementTree.Element:
        xml = self.archive.read_xml(self.root)
        if _STRICT.encode() in xml:
            raise FileError(f"{self.path.name} is a strict Open XML workbook: save it as a plain .xlsx and pass that")
        return ElementTree.fromstring(xml)

    @cached_property
    def all_titles(self) -> list[str]:
        """Names of all sheets, chart sheets included, in order."""
        return [sheet.get("name", "") for sheet in self._workbook.iter(f"{_MAIN}sheet")]

    @property
    def sheet_parts(self) -> list[tuple[str, str, str]]:
        """Name, kind ("worksheet", "chartsheet", ...) and part of every sheet, in order."""
        relations = self.archive.relations(self.root)
        parts = []
        for sheet in self._workbook.iter(f"{_MAIN}sheet"):
            kind, target = relations.get(sheet.get(f"{{{OFFICE}}}id", ""), ("", ""))
            parts.append((sheet.get("name", ""), kind.rpartition("/")[2], target))
        return parts

    @cached_property
    def _sheet_parts(self) -> dict[str, str]:
        return {title: part for title, kind, part in self.sheet_parts if kind == "worksheet"}

    @cached_property
    def _strings(self) -> list[str]:
        roots = [
            ElementTree.fromstring(self.archive.read_xml(part)) for part in self._targets(self.root, "sharedStrings")
        ]
        return [_plain_text(item) for root in roots[:1] for item in root.iter(f"{_MAIN}si")]

    def _targets(self, owner: str, kind: str) -> list[str]:
        """Return the parts of one type, given by its last word, that a part relates to."""
        return [part for found, part in self.archive.relations(owner).values() if found.endswith(f"/{kind}")]

    def sheet_bytes(self, title: str) -> bytes:
        """Return a sheet's XML, unchecked."""
        return self.archive.read(self.part_of(title))

    @cached_property
    def names(self) -> dict[str, str]:
        """What the defined names stand for, by name in lower case: all of it, where sheets have names of their own."""
        texts: dict[str, str] = {}
        for defined in self._workbook.iter(f"{_MAIN}definedName"):
            name, text = defined.get("name", "").lower(), defined.text or ""
            if not name.startswith("solver_"):  # Solver's own names are no part of any formula
                texts[name] = f"{texts[name]},{text}" if name in texts else text
        return texts

    @cached_property
    def tables(self) -> dict[str, tuple[str, Block]]:
        """Sheet and rectangle of every table, by name in lower case."""
        tables = {}
        for title, part in self._sheet_parts.items():
            for target in self._targets(part, "table"):
                table = ElementTree.fromstring(self.archive.read_xml(target))
                area = take_apart(table.get("ref", ""))[1]
                if area:
                    tables[table.get("displayName", "").lower()] = title, area[0].block
        return tables

    def names_on(self, title: str) -> dict[str, str]:
        """Return what the names stand for that belong to a sheet, as the file has them."""
        place = str(self.all_titles.index(title))
        defined = self._workbook.iter(f"{_MAIN}definedName")
        return {one.get("name", ""): one.text or "" for one in defined if one.get("localSheetId") == place}

    def calculate_on_load(self) -> None:
        """Let whoever opens the workbook calculate it anew."""
        xml = self.archive.read(self.root)
        prefix = tag_prefix(xml, b"workbook")
        tag = re.search(rb"<%scalcPr(?=[\s/>])[^>]*>" % prefix, xml)
        if tag:
            plain = re.sub(rb"""\sfullCalcOnLoad\s*=\s*(?:"[^"]*"|'[^']*')""", b"", tag[0])
            new = plain.replace(b"calcPr", b'calcPr fullCalcOnLoad="1"', 1)
            xml = xml[: tag.start()] + new + xml[tag.end() :]
        else:
            new = b'<%scalcPr fullCalcOnLoad="1"/>' % prefix
            place = _end_of(xml, prefix, _BEFORE_CALC)
            xml = xml[:place] + new + xml[place:]
        self.archive.put(self.root, xml)

    def drop_calculation_chain(self) -> None:
        """Take out the list of the cells with formulas: Excel makes it again, but distrusts a wrong one."""
        if self.archive.drop_related(self.root, "calcChain"):
            self.notes.append(
                "formulas are added or removed, so that Excel's calculation chain goes; Excel makes it anew"
            )

    @property
    def has_calculation_chain(self) -> bool:
        """Whether a list of the cells with formulas is there."""
        return bool(self._targets(self.root, "calcChain"))

    def _list_sheet(self, name: str, identity: str) -> None:
        xml = self.archive.read_xml(self.root)
        numbers = [sheet.get("sheetId", "") for sheet in self._workbook.iter(f"{_MAIN}sheet")]
        if not all(_SHEET_NUMBER.fullmatch(number) for number in numbers):
            raise FileError(f"{self.path.name} is damaged: its sheets have the numbers {', '.join(numbers)[:80]}")
        number = max(map(int, numbers)) + 1
        shown = escape(name)
        new = f'sheet xmlns:r="{OFFICE}" name="{shown}" sheetId="{number}" r:id="{identity}"/>'
        self.archive.put(self.root, with_child(xml, b"sheets", new.encode()))
        vars(self).pop("_workbook"), vars(self).pop("all_titles", None), vars(self).pop("_sheet_parts", None)
        vars(self).pop("titles", None)


def free_title(title: str, taken: Collection[str]) -> str:
    """Return a sheet's name if it is free, else the name with a number behind it."""
    lower = {other.lower() for other in taken}
    numbered = (f"{title} {n}" for n in range(2, len(lower) + 3))
    return title if title.lower() not in lower else next(name for name in numbered if name.lower() not in lower)


def _plain_text(item: ElementTree.Element) -> str:
    """Return a shared string without the reading aids of East Asian texts."""
    texts = [item.find(f"{_MAIN}t"), *(run.find(f"{_MAIN}t") for run in item.findall(f"{_MAIN}r"))]
    return "".join(text.text or "" for text in texts if text is not None)


def _end_of(xml: bytes, prefix: bytes, tags: tuple[str, ...]) -> int:
    for tag in tags:
        found = list(re.finditer(rb"</%(t)s\s*>|<%(t)s(?=[\s/>])[^>]*/>" % {b"t": prefix + tag.encode()}, xml))
        if found:
            return found[-1].end()
    raise FileError("the workbook is damaged: it lists no sheets")

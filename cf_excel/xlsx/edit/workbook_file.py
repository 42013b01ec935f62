"""A workbook that somebody owns: its parts, and its sheets by name.

Only the parts that must differ are touched; the zip's other parts stay as they are (see zip_archive.py).
"""

import posixpath
import re
from collections.abc import Collection, Iterable
from functools import cached_property
from html import escape
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from cf_excel.errors import FileError
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.markup import tag_prefix
from cf_excel.xlsx.edit.sheet_xml import SheetXml
from cf_excel.xlsx.edit.zip_archive import Archive, open_archive
from cf_excel.xlsx.references import take_apart

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "http://purl.oclc.org/ooxml/"
_RELATIONS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_SHEET_NUMBER = re.compile(r"\s*[0-9]{1,10}\s*")
# What may stand before calcPr in a workbook (ECMA-376, 18.2.27).
_BEFORE_CALC = ("definedNames", "externalReferences", "functionGroups", "sheets")


class OpenedBook:
    """A workbook as it was read; what is put, added and replaced is what the archive saves."""

    def __init__(self, path: Path) -> None:
        """Read a workbook. Raises FileError for anything but a whole, unencrypted .xlsx or .xlsm."""
        self.path = Path(path)
        self.archive: Archive = open_archive(self.path)
        relations = self._relations("_rels/.rels", "")
        roots = [target for kind, target in relations.values() if kind.endswith("/officeDocument")]
        if not roots:
            raise FileError(f"{self.path.name} names no workbook: its relations are damaged")
        self._root = roots[0]
        folder, name = posixpath.split(self._root)
        self._rels = self.archive.find(posixpath.join(folder, "_rels", f"{name}.rels"))
        self._types = self.archive.find("[Content_Types].xml")
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

    def add_sheet(self, name: str, xml: bytes, parts: dict[str, tuple[bytes, str]], relations: bytes = b"") -> None:
        """Add a worksheet under a name that is free, with the parts it needs.

        parts: content and content type by name. relations: the sheet's own .rels.
        """
        folder = posixpath.join(posixpath.dirname(self._root), "worksheets")
        part = self.free_name(folder, "sheet")
        self.archive.put(part, xml)
        if relations:
            self.archive.put(f"{folder}/_rels/{posixpath.basename(part)}.rels", relations)
        for other, (content, _) in parts.items():
            self.archive.put(other, content)
        self._register({f"/{part}": _SHEET_TYPE} | {f"/{other}": kind for other, (_, kind) in parts.items()})
        identity = self._add_relation(f"{_TYPES}/worksheet", posixpath.relpath(part, posixpath.dirname(self._root)))
        self._list_sheet(name, identity)
        self.drop_calculation_chain()
        self.calculate_on_load()

    def replace_sheet(self, title: str, xml: bytes) -> None:
        """Give a worksheet other XML, formulas included; its name, its place and what it relates to stay."""
        self.archive.put(self.part_of(title), xml)
        self._sheets.pop(title, None)
        self.drop_calculation_chain()
        self.calculate_on_load()

    def part_of(self, title: str) -> str:
        """Return the name of a worksheet's part."""
        return self._sheet_parts[title]

    def related(self, title: str) -> list[str]:
        """Return the types of what a sheet relates to, settings of printers left out."""
        folder, name = posixpath.split(self.part_of(title))
        rels = self.archive.find(posixpath.join(folder, "_rels", f"{name}.rels"))
        found = self._relations(rels, folder).values() if rels in self.archive.names else ()
        return [kind for kind, _ in found if not kind.endswith("/printerSettings")]

    def free_name(self, folder: str, stem: str) -> str:
        """Return a part name that is free in a folder, counted up from the highest."""
        n = 1
        while self.archive.find(f"{folder}/{stem}{n}.xml") in self.archive.names:
            n += 1
        return f"{folder}/{stem}{n}.xml"

    @property
    def folder(self) -> str:
        """The folder of the workbook's parts."""
        return posixpath.dirname(self._root)

    @cached_property
    def _workbook(self) -> ElementTree.Element:
        xml = self.archive.read_xml(self._root)
        if _STRICT.encode() in xml:
            raise FileError(f"{self.path.name} is a strict Open XML workbook: save it as a plain .xlsx and pass that")
        return ElementTree.fromstring(xml)

    @cached_property
    def all_titles(self) -> list[str]:
        """Names of all sheets, chart sheets included, in order."""
        return [sheet.get("name", "") for sheet in self._workbook.iter(f"{_MAIN}sheet")]

    @cached_property
    def _sheet_parts(self) -> dict[str, str]:
        relations = self._relations(self._rels, posixpath.dirname(self._root))
        parts = {}
        for sheet in self._workbook.iter(f"{_MAIN}sheet"):
            kind, target = relations.get(sheet.get(f"{_RELATIONS}id", ""), ("", ""))
            if kind.endswith("/worksheet"):
                parts[sheet.get("name", "")] = target
        return parts

    @cached_property
    def _strings(self) -> list[str]:
        for kind, target in self._relations(self._rels, posixpath.dirname(self._root)).values():
            if kind.endswith("/sharedStrings"):
                root = ElementTree.fromstring(self.archive.read_xml(target))
                return [_plain_text(item) for item in root.iter(f"{_MAIN}si")]
        return []

    def _relations(self, name: str, folder: str) -> dict[str, tuple[str, str]]:
        """Return type and target of relations by id; targets outside the workbook are left out."""
        relations = {}
        for relation in ElementTree.fromstring(self.archive.read_xml(self.archive.find(name))):
            target = relation.get("Target", "")
            if relation.get("TargetMode") != "External" and target:
                path = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
                relations[relation.get("Id", "")] = relation.get("Type", ""), self.archive.find(path)
        return relations

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
            folder, name = posixpath.split(part)
            rels = self.archive.find(posixpath.join(folder, "_rels", f"{name}.rels"))
            if rels in self.archive.names:
                for kind, target in self._relations(rels, folder).values():
                    if kind.endswith("/table"):
                        table = ElementTree.fromstring(self.archive.read_xml(target))
                        area = take_apart(table.get("ref", ""))[1]
                        if area:
                            tables[table.get("displayName", "").lower()] = title, area[0].block
        return tables

    def calculate_on_load(self) -> None:
        """Let whoever opens the workbook calculate it anew."""
        xml = self.archive.read(self._root)
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
        self.archive.put(self._root, xml)

    def drop_calculation_chain(self) -> None:
        """Take out the order in which formulas were calculated: Excel makes it again, but distrusts a wrong one."""
        for identity, (kind, part) in self._relations(self._rels, posixpath.dirname(self._root)).items():
            if kind.endswith("/calcChain"):
                relation = (
                    rb"<[\w:]*Relationship\b(?=[^>]*\sId\s*=\s*[\"']%s[\"'])[^>]*?(?:/>|>\s*</[\w:]*Relationship>)"
                )
                rels = re.sub(relation % re.escape(identity.encode()), b"", self.archive.read(self._rels))
                override = (
                    rb"<[\w:]*Override\b(?=[^>]*\sPartName\s*=\s*[\"']/(?:%s)[\"'])[^>]*?(?:/>|>\s*</[\w:]*Override>)"
                )
                # the part's name may be written there in another way than in the zip
                same = rb"(?i:%s)|%s" % tuple(re.escape(name.encode()) for name in (part, quote(part)))
                types = re.sub(override % same, b"", self.archive.read(self._types))
                self.archive.drop(part)
                self.archive.put(self._rels, rels)
                self.archive.put(self._types, types)

    def _register(self, types: dict[str, str]) -> None:
        xml = self.archive.read_xml(self._types)
        prefix = tag_prefix(xml, b"Types")
        new = b"".join(
            b'<%sOverride PartName="%s" ContentType="%s"/>' % (prefix, name.encode(), kind.encode())
            for name, kind in types.items()
        )
        self.archive.put(self._types, _before_end(xml, prefix + b"Types", new))

    def _add_relation(self, kind: str, target: str) -> str:
        xml = self.archive.read_xml(self._rels)
        prefix = tag_prefix(xml, b"Relationships")
        taken = {relation.get("Id") for relation in ElementTree.fromstring(xml)}
        identity = next(f"rId{n}" for n in range(1, len(taken) + 2) if f"rId{n}" not in taken)
        new = f'Relationship Id="{identity}" Type="{kind}" Target="{escape(target)}"/>'
        self.archive.put(self._rels, _before_end(xml, prefix + b"Relationships", b"<" + prefix + new.encode()))
        return identity

    def _list_sheet(self, name: str, identity: str) -> None:
        xml = self.archive.read_xml(self._root)
        prefix = tag_prefix(xml, b"workbook")
        numbers = [sheet.get("sheetId", "") for sheet in self._workbook.iter(f"{_MAIN}sheet")]
        if not all(_SHEET_NUMBER.fullmatch(number) for number in numbers):
            raise FileError(f"{self.path.name} is damaged: its sheets have the numbers {', '.join(numbers)[:80]}")
        number = max(map(int, numbers)) + 1
        shown = escape(name)
        new = f'sheet xmlns:r="{_TYPES}" name="{shown}" sheetId="{number}" r:id="{identity}"/>'
        self.archive.put(self._root, _before_end(xml, prefix + b"sheets", b"<" + prefix + new.encode()))
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


def _before_end(xml: bytes, tag: bytes, new: bytes) -> bytes:
    place = xml.rfind(b"</%s" % tag)
    if place < 0:
        raise FileError(f"the workbook is damaged: {tag.decode()} is missing or empty")
    return xml[:place] + new + xml[place:]


def _end_of(xml: bytes, prefix: bytes, tags: tuple[str, ...]) -> int:
    for tag in tags:
        found = list(re.finditer(rb"</%(t)s\s*>|<%(t)s(?=[\s/>])[^>]*/>" % {b"t": prefix + tag.encode()}, xml))
        if found:
            return found[-1].end()
    raise FileError("the workbook is damaged: it lists no sheets")

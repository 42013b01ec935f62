"""The parts of a package by name, and how they are declared and related (ECMA-376 part 2).

New workbooks and those that somebody owns are written through the same methods; in the latter, markup that is there
stays as it is, to the byte.
"""

import itertools
import posixpath
import re
from abc import ABC, abstractmethod
from html import escape
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from cf_excel.errors import FileError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
DRAWING_MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
DRAWING_TYPE = "application/vnd.openxmlformats-officedocument.drawing+xml"
CHART_TYPE = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
XLSM_TYPE = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
VBA_TYPE = "application/vnd.ms-office.vbaProject"
VBA_RELATION = "http://schemas.microsoft.com/office/2006/relationships/vbaProject"
CONTENT_TYPES = "[Content_Types].xml"
_RELATIONS_TYPE = "application/vnd.openxmlformats-package.relationships+xml"
_NO_RELATIONS = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"></Relationships>'
_PREFIX = rb"((?:[\w.-]+:)?)"


class Package(ABC):
    """The parts of a workbook by name."""

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Names of the parts, in order."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return a part as it is now."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Replace a part, or add one at the end that needs not be declared."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Leave a part out."""

    def read_xml(self, name: str) -> bytes:
        """Return a part that is whole XML in UTF-8 and declares no entities."""
        return self.read(name)

    def find(self, name: str) -> str:
        """Return the name under which a part is stored, from one that may differ in case and in escaped characters."""
        names = self.names
        return name if name in names else next((stored for stored in names if plain(stored) == plain(name)), name)

    def add(self, name: str, content: bytes, content_type: str) -> None:
        """Add a part and declare what it holds."""
        self.put(name, content)
        self._declare("Override", "PartName", f"/{name}", content_type)

    def declare_ending(self, ending: str, content_type: str) -> None:
        """Declare what all parts with an ending hold."""
        self._declare("Default", "Extension", ending, content_type)

    def relations(self, owner: str) -> dict[str, tuple[str, str]]:
        """Return type and part of what a part relates to, by id; what is outside the package is left out.

        owner: a part's name, "" for the package itself.
        """
        rels, folder = self.find(rels_of(owner)), posixpath.dirname(owner)
        if rels not in self.names:
            return {}
        relations = {}
        for relation in ElementTree.fromstring(self.read_xml(rels)):
            target = relation.get("Target", "")
            if relation.get("TargetMode") != "External" and target:
                path = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
                relations[relation.get("Id", "")] = relation.get("Type", ""), self.find(path)
        return relations

    def relate(self, owner: str, kind: str, part: str) -> str:
        """Let a part lead to another one and return the relation's id."""
        rels = self.find(rels_of(owner))
        xml = self.read_xml(rels) if rels in self.names else _NO_RELATIONS
        if xml is _NO_RELATIONS:  # some programs declare each of theirs by itself
            self.declare_ending("rels", _RELATIONS_TYPE)
        taken = {relation.get("Id") for relation in ElementTree.fromstring(xml)}
        number = len(taken) + 1
        while f"rIdAdded{number}" in taken:
            number += 1
        target = posixpath.relpath(part, posixpath.dirname(owner) or ".")
        entry = f'Relationship Id="rIdAdded{number}" Type="{kind}" Target="{escape(target)}"/>'
        self.put(rels, with_child(xml, b"Relationships", entry.encode()))
        return f"rIdAdded{number}"

    def drop_related(self, owner: str, kind: str) -> bool:
        """Take out the parts of one type, given by its last word, that a part leads to; say whether there were any."""
        related = {i: part for i, (found, part) in self.relations(owner).items() if found.endswith(f"/{kind}")}
        for identity, part in related.items():
            self.drop_relation(owner, identity, part)
        return bool(related)

    def drop_relation(self, owner: str, identity: str, part: str) -> None:
        """Take out a part to which another one has the relation with this id."""
        # the part's name may be written there in another way than in the zip
        same = rb"/(?:(?i:%s)|%s)" % tuple(re.escape(name.encode()) for name in (part, quote(part)))
        self._take_out(rels_of(owner), b"Relationship", b"Id", re.escape(identity.encode()))
        self._take_out(CONTENT_TYPES, b"Override", b"PartName", same)
        self.drop(part)

    def free_name(self, folder: str, stem: str) -> str:
        """Return a part name that is free in a folder, counted up from 1.

        Programs that delete a part may leave behind what they declared of it, or its relations: its name is not free.
        """
        declared = ElementTree.fromstring(self.read_xml(self.find(CONTENT_TYPES)))
        taken = {plain(name) for name in self.names} | {plain(one.get("PartName", "")[1:]) for one in declared}
        names = (posixpath.join(folder, f"{stem}{n}.xml") for n in itertools.count(1))
        return next(name for name in names if not {plain(name), plain(rels_of(name))} & taken)

    def _declare(self, kind: str, key: str, name: str, content_type: str) -> None:
        types = self.find(CONTENT_TYPES)
        xml = self.read_xml(types)
        if all(plain(entry.get(key, "")) != plain(name) for entry in ElementTree.fromstring(xml)):
            entry = f'{kind} {key}="{escape(name)}" ContentType="{content_type}"/>'
            self.put(types, with_child(xml, b"Types", entry.encode()))

    def _take_out(self, name: str, tag: bytes, key: bytes, value: bytes) -> None:
        """Take the elements out of a part in which a key has a value; value: a pattern."""
        stored = self.find(name)
        found = rb"<%s%s\b(?=[^>]*\s%s\s*=\s*[\"'](?:%s)[\"'])[^>]*?(?:/>|>\s*</\1%s>)"
        self.put(stored, re.sub(found % (_PREFIX, tag, key, value, tag), b"", self.read(stored)))


def plain(name: str) -> str:
    """Return a part's name as names are compared: their case and how they are escaped do not count."""
    return unquote(name).lower()


def rels_of(owner: str) -> str:
    """Return the name of the part that holds what a part relates to; "" is the package."""
    folder, name = posixpath.split(owner)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def with_child(xml: bytes, parent: bytes, child: bytes) -> bytes:
    """Return XML with an element at the end of its last parent of this name; child: without < and prefix.

    Raises FileError where the parent is missing or empty.
    """
    ends = list(re.finditer(rb"</%s%s\s*>" % (_PREFIX, parent), xml))
    if not ends:
        raise FileError(f"the workbook is damaged: {parent.decode()} is missing or empty")
    place = ends[-1].start()
    return xml[:place] + b"<" + ends[-1][1] + child + xml[place:]

"""What is wrong with a workbook's package (ECMA-376 part 2), and what one may not do to another's.

Nothing here uses the code that it checks.
"""

import posixpath
import zipfile
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

CONTENT_TYPES = "[content_types].xml"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
OFFICE_STRICT = "http://purl.oclc.org/ooxml/officeDocument/relationships"
# What the parts hold that a workbook's and a sheet's relations lead to.
HOLDS = {
    **{kind: f"spreadsheetml.{kind}+xml" for kind in ("worksheet", "styles", "sharedStrings", "table", "calcChain")},
    "drawing": "officedocument.drawing+xml",
    "chart": "drawingml.chart+xml",
}
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)


def plain(name: str) -> str:
    """Return a part's name as names are compared: case, escapes, and which way a slash leans do not count."""
    return unquote(name).replace("\\", "/").lower().lstrip("/")


@dataclass(frozen=True)
class Package:
    """The parts of a workbook by their plain names. names: as they stand in the zip, which may have one twice."""

    parts: dict[str, bytes]
    names: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "Package":
        """Unpack a workbook, folders left out. Raises what zipfile raises for a file that is damaged."""
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.filename.endswith(("/", "\\"))]
            return cls({plain(e.filename): archive.read(e) for e in entries}, tuple(e.filename for e in entries))

    def xml(self, name: str) -> etree._Element:
        """Return a part's root. Raises LookupError where it is missing, XMLSyntaxError where it is no XML."""
        return etree.fromstring(self.parts[name], _PARSER)

    def relations(self, owner: str, *, external: bool = False) -> list[tuple[str, str, str]]:
        """Return id, type's last word and plain part name of what a part relates to, by default in the package."""
        rels, folder = rels_of(owner), posixpath.dirname(owner)
        return [
            (
                relation.get("Id", ""),
                relation.get("Type", "").rpartition("/")[2],
                _resolved(folder, relation.get("Target", "")),
            )
            for relation in (self.xml(rels).iter("{*}Relationship") if rels in self.parts else ())
            if external or relation.get("TargetMode") != "External"
        ]

    @property
    def workbook(self) -> str:
        """The workbook's part. Raises LookupError where none is named."""
        return next(part for _, kind, part in self.relations("") if kind == "officeDocument")

    def sheets(self) -> dict[str, str]:
        """Return the worksheets' parts by title."""
        parts = {identity: part for identity, kind, part in self.relations(self.workbook) if kind == "worksheet"}
        found = ((s.get("name", ""), _identities(s)) for s in self.xml(self.workbook).iterfind("{*}sheets/{*}sheet"))
        return {title: parts[identities[0]] for title, identities in found if identities and identities[0] in parts}

    def types(self) -> dict[str, str]:
        """Return the content type of every part that has one."""
        root = self.xml(CONTENT_TYPES)
        ending = {e.get("Extension", "").lower(): e.get("ContentType", "") for e in root.iterfind("{*}Default")}
        named = {plain(e.get("PartName", "")): e.get("ContentType", "") for e in root.iterfind("{*}Override")}
        found = {name: named.get(name, ending.get(name.rpartition(".")[2])) for name in self.parts}
        return {name: kind for name, kind in found.items() if kind is not None}


def rels_of(owner: str) -> str:
    """Return the plain name of the part that holds what a part relates to; "" is the package."""
    folder, name = posixpath.split(owner)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _resolved(folder: str, target: str) -> str:
    return plain(posixpath.normpath(posixpath.join("/", folder, target.replace("\\", "/"))))


def package_faults(package: Package) -> set[str]:
    """Return, in a line each, what makes a package unsound."""
    faults = {f"{name} is there twice" for name, n in Counter(map(plain, package.names)).items() if n > 1}
    broken = set()
    for name, content in package.parts.items():
        if name.endswith((".xml", ".rels", ".vml")):
            try:
                etree.fromstring(content, _PARSER)
            except etree.XMLSyntaxError as error:
                broken.add(name)
                faults.add(f"{name} is no whole XML: {error.msg}")
    if any(name == CONTENT_TYPES or name.endswith(".rels") for name in broken):
        return faults
    return faults | {*_type_faults(package), *_relation_faults(package, broken)}


def _type_faults(package: Package) -> Iterator[str]:
    root, types = package.xml(CONTENT_TYPES), package.types()
    yield from (f"{name} has no content type" for name in package.parts if name not in types | {CONTENT_TYPES: ""})
    named = Counter(plain(entry.get("PartName", "")) for entry in root.iterfind("{*}Override"))
    endings = Counter(entry.get("Extension", "").lower() for entry in root.iterfind("{*}Default"))
    yield from (f"an Override names {name}, which is missing" for name in named if name not in package.parts)
    yield from (f"the content type of {name} is said twice" for name, n in (named + endings).items() if n > 1)


def _relation_faults(package: Package, broken: Set[str]) -> Iterator[str]:
    types = package.types()
    for owner in ("", *package.parts):
        relations = package.relations(owner)
        known = Counter(identity for identity, _, _ in relations)
        yield from (f"two relations of {owner} are called {identity}" for identity, n in known.items() if n > 1)
        for identity, kind, part in relations:
            if part not in package.parts:
                yield f"relation {identity} of {owner or 'the package'} leads to {part}, which is missing"
            elif kind in HOLDS and not types.get(part, "").lower().endswith(HOLDS[kind].lower()):
                yield f"{part} is a {kind}, and its content type says {types.get(part)}"
        if owner.endswith(".xml") and owner not in broken:
            every = {identity for identity, _, _ in package.relations(owner, external=True)}
            used = {identity for element in package.xml(owner).iter("*") for identity in _identities(element)}
            yield from (f"{owner} uses relation {identity}, which is missing" for identity in used - every)
    for name in package.parts:
        folder, file = posixpath.split(name)
        owner = posixpath.join(posixpath.dirname(folder), file.removesuffix(".rels"))
        if posixpath.basename(folder) == "_rels" and owner and owner not in package.parts:
            yield f"{name} has the relations of a part that is missing"


def _identities(element: etree._Element) -> list[str]:
    return [
        value for name, value in element.items() if name.startswith((f"{{{OFFICE}}}", f"{{{OFFICE_STRICT}}}")) and value
    ]


def new_faults(before: Package, after: Package, constants: dict[str, set[str]]) -> list[str]:
    """Return, in a line each, what a change of a workbook has harmed; faults that it had are none.

    constants: by the part of a sheet, the addresses of the cells that may hold another number.
    """
    faults = package_faults(after) - package_faults(before)
    if not any("XML" in fault for fault in faults):
        faults |= set(_changes(before, after, constants))
    return sorted(faults)


def _changes(before: Package, after: Package, constants: dict[str, set[str]]) -> Iterator[str]:
    workbook, sheets = before.workbook, set(before.sheets().values())
    chain = {part for _, kind, part in before.relations(workbook) if kind == "calcChain"}
    styles = {part for _, kind, part in before.relations(workbook) if kind == "styles"}
    gone = before.parts.keys() - after.parts.keys()
    yield from (f"{name} is gone" for name in gone - chain)
    for name in before.parts.keys() & after.parts.keys():
        if before.parts[name] == after.parts[name]:
            continue
        old, new = before.xml(name), after.xml(name)
        if name in sheets:
            yield from (f"{name}: {change}" for change in _sheet_changes(old, new, constants.get(name, set())))
        elif name in (CONTENT_TYPES, rels_of(workbook), workbook):
            kept = before.parts.keys() - gone
            yield from (f"{name} has lost {_shown(e)}" for e in _lost(old, new) if not _may_go(e, workbook, kept))
        elif name in styles:
            yield from (f"{name}: {change}" for change in _style_changes(old, new))
        else:
            yield f"{name} is another one, though nothing in it had to change"
    old_titles, new_titles = list(before.sheets()), list(after.sheets())
    if new_titles[: len(old_titles)] != old_titles:
        yield f"the sheets were {', '.join(old_titles)} and are {', '.join(new_titles)}"


def _style_changes(old: etree._Element, new: etree._Element) -> Iterator[str]:
    """Give the collections of styles that are no longer those of before, but for others behind them."""
    collections = {child.tag: list(map(etree.tostring, child)) for child in new}
    for child in old:
        before, after = list(map(etree.tostring, child)), collections.get(child.tag, [])
        if after[: len(before)] != before:
            yield f"{_shown(child)} has changed"


def _may_go(element: etree._Element, workbook: str, kept: Set[str]) -> bool:
    """Whether an element may go or get other attributes: what names a part that is gone, or never was."""
    kind, target = etree.QName(element).localname, element.get("PartName") or element.get("Target", "")
    part = _resolved(posixpath.dirname(workbook), target)
    external = element.get("TargetMode") == "External"
    return kind == "calcPr" or (kind in ("Override", "Relationship") and part not in kept and not external)


def _lost(old: etree._Element, new: etree._Element) -> Iterator[etree._Element]:
    """Yield the elements of the old XML that the new one lacks, or has with other attributes."""
    if not _same(old, new):
        yield old
        return
    rest = list(new)
    for child in old:
        kept = next((i for i, other in enumerate(rest) if _same(child, other)), None)
        if kept is None:
            yield child
        else:
            yield from _lost(child, rest[kept])
            del rest[: kept + 1]


def _sheet_changes(old: etree._Element, new: etree._Element, constants: set[str]) -> Iterator[str]:
    """Yield what differs in a sheet but the results of formulas and these constants."""
    if not _same(old, new) or len(old) != len(new):
        yield f"{_shown(old)} is another one"
        return
    for before, after in zip(old, new, strict=True):
        if etree.QName(before).localname != "c" if isinstance(before.tag, str) else True:
            yield from _sheet_changes(before, after, constants)
        elif etree.tostring(before, with_tail=False) != etree.tostring(after, with_tail=False):
            may_change = before.find("{*}f") is not None or before.get("r") in constants
            if not may_change or _without_value(before) != _without_value(after):
                yield f"{_shown(before)} is another one"


def _same(old: etree._Element, new: etree._Element) -> bool:
    return (old.tag, dict(old.attrib), (old.text or "").strip()) == (
        new.tag,
        dict(new.attrib),
        (new.text or "").strip(),
    )


def _without_value(cell: etree._Element) -> list[object]:
    kept = [child for child in cell if etree.QName(child).localname not in ("v", "is")]
    return [
        {name: value for name, value in cell.items() if name != "t"},
        *((child.tag, dict(child.attrib), child.text) for child in kept),
    ]


def _shown(element: etree._Element) -> str:
    if not isinstance(element.tag, str):
        return "a comment"
    attributes = "".join(f' {etree.QName(name).localname}="{value}"' for name, value in element.items())
    return f"<{etree.QName(element).localname}{attributes}>"[:150]

"""The code names by which a VBA project knows the workbook and its sheets.

A name that is given here can be taken back, to the byte.
"""

import itertools
import re
from collections.abc import Iterable
from html import escape, unescape

from cf_excel.xlsx.edit.markup import tag_prefix
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.vba.vba_project import WORKBOOK_CODE_NAME, is_module_name

KINDS = ("worksheet", "chartsheet")  # of the sheets that a project knows
_CODE_NAME = re.compile(rb"""\scodeName\s*=\s*("[^"]*"|'[^']*')""")
# what may stand before workbookPr in a workbook (ECMA-376, 18.2.27)
_START = rb"<%(p)s%(root)s(?:\s[^>]*)?>(?:\s*<%(p)sfile(?:Version|Sharing)[\s/][^>]*?(?:/>|>\s*</%(p)s\w+\s*>))*"


def give_code_names(book: OpenedBook, taken: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Give a code name to the workbook and to every sheet that lacks one which VBA takes.

    taken: names of modules, which no sheet may have. Return the code names of the sheets with the kind of each, and
    those that were given with the former ones, "" for none.
    """
    given: dict[str, str] = {}
    _rename(book, book.root, "workbook", WORKBOOK_CODE_NAME, given)
    sheets = [(kind, part) for _, kind, part in book.sheet_parts if kind in KINDS]
    found = [code_name(book.archive.head(part), kind) for kind, part in sheets]
    names = _free_names(found, [WORKBOOK_CODE_NAME, *taken])
    for (kind, part), name in zip(sheets, names, strict=True):
        _rename(book, part, kind, name, given)
    return {name: kind for name, (kind, _) in zip(names, sheets, strict=True)}, given


def take_code_names_back(book: OpenedBook, given: dict[str, str]) -> None:
    """Give the workbook and its sheets the code names that they had before."""
    sheets = [(kind, part) for _, kind, part in book.sheet_parts if kind in KINDS]
    for kind, part in [("workbook", book.root), *sheets]:
        name = code_name(book.archive.head(part), kind)
        if name in given:
            book.archive.put(part, _renamed(book.archive.read(part), kind, given[name]))


def _free_names(found: list[str], taken: Iterable[str]) -> list[str]:
    """Return a name for each sheet: its own where VBA takes it, else Sheet1, Sheet2, ..."""
    lower = {name.lower() for name in taken}
    names = []
    for name in found:
        names.append(name if is_module_name(name) and name.lower() not in lower else "")
        lower.add(names[-1].lower())
    free = (f"Sheet{n}" for n in itertools.count(1) if f"sheet{n}" not in lower)
    return [name or next(free) for name in names]


def _rename(book: OpenedBook, part: str, kind: str, name: str, given: dict[str, str]) -> None:
    former = code_name(book.archive.head(part), kind)
    if former != name:
        given[name] = former
        book.archive.put(part, _renamed(book.archive.read_xml(part), kind, name))


def code_name(xml: bytes, kind: str) -> str:
    """Return the code name in a part of a kind, "" where there is none."""
    tag = _tag(xml, kind)
    name = _CODE_NAME.search(tag[0]) if tag else None
    return unescape(name[1][1:-1].decode("utf-8", "replace")) if name else ""


def _tag(xml: bytes, kind: str) -> re.Match[bytes] | None:
    return re.search(rb"<%s%s(?=[\s/>])[^>]*>" % (tag_prefix(xml, kind.encode()), _element(kind)), xml)


def _element(kind: str) -> bytes:
    return b"workbookPr" if kind == "workbook" else b"sheetPr"


def _renamed(xml: bytes, kind: str, name: str) -> bytes:
    """Return a part with another code name, or without one where that is "".

    An element that is added has its code name in single quotes, an attribute in double ones: so they are told apart.
    """
    prefix, element, tag = tag_prefix(xml, kind.encode()), _element(kind), _tag(xml, kind)
    new = escape(name).encode()
    if tag is None:
        start = re.search(_START % {b"p": prefix, b"root": kind.encode()}, xml)
        place = start.end() if start else 0
        return xml[:place] + b"<%s%s codeName='%s'/>" % (prefix, element, new) + xml[place:]
    old = _CODE_NAME.search(tag[0])
    if old is None:
        changed = tag[0].replace(element, b'%s codeName="%s"' % (element, new), 1)
    elif name:
        quotes = old[1][:1]
        changed = tag[0].replace(old[1], quotes + new + quotes, 1)
    elif tag[0] == b"<%s%s codeName=%s/>" % (prefix, element, old[1]) and old[1].startswith(b"'"):
        changed = b""
    else:
        changed = tag[0].replace(old[0], b"", 1)
    return xml[: tag.start()] + changed + xml[tag.end() :]

"""Which formulas of a workbook a change makes stale: those that refer to a changed cell, directly or through others."""

import re
from collections.abc import Iterable
from html import unescape
from typing import TYPE_CHECKING

from cf_excel.book.cells import Block
from cf_excel.book.edit.references import Reference, same_cells, take_apart
from cf_excel.book.edit.sheet_xml import Address, CellFormula, CellValue, tag_prefix

if TYPE_CHECKING:
    from cf_excel.book.edit.opened import OpenedBook

_WORD = re.compile(r"[^\W\d][\w.]*")
# What a formula may reach with these can't be told from its text: they count as dependent.
_ANYWHERE = re.compile(r"\b(?:INDIRECT|OFFSET|CELL)\(", re.IGNORECASE)
_TABLE = re.compile(r"([^\W\d][\w.]*)?\[(?!\d+\])")  # Sales[price] or [@price]; [1] is another workbook


def stale_cells(
    book: "OpenedBook", cells: dict[str, dict[Address, float]], results: dict[str, dict[Address, CellValue]]
) -> dict[str, set[Address]]:
    """Return the formula cells, by sheet, whose results are old once cells are changed.

    results: those of them that are known to be, with their new results.
    """
    stale = {title: set(part) for title, part in results.items()}
    changed = [(t, block) for part in (cells, results) for t, places in part.items() for block in rectangles(places)]
    waiting = {}
    for title in book.titles:
        if title in cells or _looks_elsewhere(book, title):
            for address, formula in book.sheet(title).formulas.items():
                if address not in stale.get(title, ()):
                    waiting[title, address] = _watched(book, title, formula)
    while changed:
        found: dict[str, set[Address]] = {}
        for (title, address), watched in list(waiting.items()):
            if watched is None or any(
                other == where and same_cells(block, seen) for where, seen in watched for other, block in changed
            ):
                del waiting[title, address]
                found.setdefault(title, set()).add(address)
        for title, addresses in found.items():
            stale.setdefault(title, set()).update(addresses)
        changed = [(title, block) for title, addresses in found.items() for block in rectangles(addresses)]
    return stale


def rectangles(addresses: Iterable[Address]) -> list[Block]:
    """Return rectangles that cover the cells and no others: runs of a row, those above each other joined."""
    runs: list[Block] = []
    start = end = (0, 0)
    for address in [*sorted(addresses), (0, 0)]:
        if address == (end[0], end[1] + 1):
            end = address
            continue
        if start[0]:
            runs.append(Block(start[0], start[1], end[0], end[1]))
        start = end = address
    growing: dict[tuple[int, int], Block] = {}
    done = []
    for run in runs:
        above = growing.get((run.left, run.right))
        if above and above.bottom == run.top - 1:
            run = Block(above.top, run.left, run.bottom, run.right)
        elif above:
            done.append(above)
        growing[run.left, run.right] = run
    return done + list(growing.values())


def _looks_elsewhere(book: "OpenedBook", title: str) -> bool:
    """Whether a formula of a sheet may name another sheet, so that it is worth reading."""
    xml = book.sheet_bytes(title)
    written = re.compile(rb"<%sf(?:\s[^>]*+)?+>([^<]+)" % tag_prefix(xml, b"worksheet"))
    texts = {unescape(text.decode("utf-8", "replace")).lower() for text in set(written.findall(xml))}
    names = [*book.names, *book.tables]
    return any("!" in text or _ANYWHERE.search(text) or any(name in text for name in names) for text in texts)


def _watched(book: "OpenedBook", title: str, formula: CellFormula) -> list[tuple[str, Block]] | None:
    """Return the rectangles that a formula depends on, with their sheets; None where they can't be told."""
    if _ANYWHERE.search(formula.text):
        return None
    skeleton, references = take_apart(formula.text)
    watched = [(reference.sheet or title, reference.shifted(formula.rows, formula.columns)) for reference in references]
    if any(":" in where and where not in book.all_titles for where, _ in watched):
        return None  # a range of sheets
    for word in _names_in(book, skeleton):
        named = _named(book, word, set())
        if named is None:
            return None
        watched += [(reference.sheet or title, reference.block) for reference in named]
    for name in {name.lower() for name in _TABLE.findall(skeleton)}:
        here = [table for table in book.tables.values() if table[0] == title]
        watched += [book.tables[name]] if name in book.tables else here
    same_case = {name.lower(): name for name in book.all_titles}
    return [(same_case.get(where.lower(), where), block) for where, block in watched]


def _named(book: "OpenedBook", word: str, seen: set[str]) -> list[Reference] | None:
    """Return what a defined name stands for, through other names; None where it can't be told."""
    text = book.names[word]
    if _ANYWHERE.search(text):
        return None
    skeleton, references = take_apart(text)
    found = list(references)
    seen = seen | {word}
    for other in _names_in(book, skeleton) - seen:
        inner = _named(book, other, seen)
        if inner is None:
            return None
        found += inner
    return found


def _names_in(book: "OpenedBook", skeleton: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(skeleton)} & book.names.keys()

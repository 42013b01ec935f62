"""Which formulas of a workbook a change makes stale: those that refer to a changed cell, directly or through others.

A result that is taken out though it holds is a blank in programs that don't calculate; one that is kept though it is
old is a wrong number. What can't be told from a formula's text counts as stale.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape

from cf_excel.xlsx.cells import MAX_COLUMNS, MAX_ROWS, Block
from cf_excel.xlsx.edit.markup import tag_prefix
from cf_excel.xlsx.edit.new_values import Results, rectangles
from cf_excel.xlsx.edit.sheet_xml import Address
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.formulas import Fill
from cf_excel.xlsx.references import same_cells, take_apart

_WORD = re.compile(r"[^\W\d][\w.]*")
# What a formula may reach with these can't be told from its text: they count as dependent. CELL with one argument alone
# tells of the cell that was changed last.
_ANYWHERE = re.compile(r"""\b(?:INDIRECT\(|CELL\((?!\s*"[^"]*"\s*,))""", re.IGNORECASE)
# OFFSET reaches any cell of its first argument's sheet, and no other sheet.
_OFFSET = re.compile(r"\bOFFSET\((#(?=,))?", re.IGNORECASE)
# A colon between two references spans what is between them, where what functions and names give is not known.
_SPAN = re.compile(r"[#)]:|:(?:#|[^\W\d][\w.]*\()")
_BESIDE_COLON = re.compile(r"([^\W\d][\w.]*)?:([^\W\d][\w.]*)?")
_QUOTED = re.compile(r'"[^"]*"')
_SHEET = Block(1, 1, MAX_ROWS, MAX_COLUMNS)
_TABLE = re.compile(r"([^\W\d][\w.]*)?\[(?!\d+\])")  # Sales[price] or [@price]; [1] is another workbook


def stale_cells(
    book: OpenedBook, cells: dict[str, dict[Address, float]], results: dict[str, Results]
) -> dict[str, set[Address]]:
    """Return the formula cells, by sheet, whose results are old once cells are changed and that results do not know."""
    stale: dict[str, set[Address]] = {}
    known = {title: part.rectangles() for title, part in results.items()}
    changed = [(title, block) for title, places in cells.items() for block in rectangles(places)]
    changed += [(title, block) for title, blocks in known.items() for block in blocks]
    waiting: list[_Waiting] = []
    for title in book.titles:
        if title in cells or _looks_elsewhere(book, title):
            for fill in book.sheet(title).fills:
                waiting += _unknown(book, title, fill, results.get(title, Results()), known.get(title, []))
    # In rounds: what turns out to be old makes others old. A fill of a million cells is looked at as a whole, by the
    # rectangles that all of its cells reach, and cell by cell only once something changed in there; cells that don't
    # depend on it wait on by themselves.
    while changed:
        still: list[_Waiting] = []
        found: dict[str, set[Address]] = {}
        for one in waiting:
            if not one.depends_on(changed):
                still.append(one)
                continue
            for part in one.cells(book):
                if part.depends_on(changed):
                    found.setdefault(part.title, set()).add(part.place)
                else:
                    still.append(part)
        waiting = still
        for title, addresses in found.items():
            stale.setdefault(title, set()).update(addresses)
        changed = [(title, block) for title, addresses in found.items() for block in rectangles(addresses)]
    return stale


def lasting(
    book: OpenedBook, cells: dict[str, dict[Address, float]], results: dict[str, Results]
) -> tuple[dict[str, Results], dict[str, set[Address]]]:
    """Return the results that still hold once cells are changed, and the formula cells whose results are old.

    A sheet's results don't hold where they were computed from old ones, such as ratings that depend on the factors.
    """
    # results that are left out are stale cells of the next round, which may take away what others were computed from
    while True:
        stale = stale_cells(book, cells, results)
        hold = {
            title: known
            for title, known in results.items()
            if title not in stale or not (stale[title] - cells.get(title, {}).keys()) & known.sources()
        }
        if len(hold) == len(results):
            return results, stale
        results = hold


@dataclass(frozen=True)
class _Waiting:
    """A formula whose result may turn out to be old: of one cell, or of many at once."""

    title: str
    fill: Fill
    watched: tuple[tuple[str, Block], ...] | None  # what it depends on, with sheets; None where that can't be told

    @property
    def place(self) -> Address:
        return self.fill.block.top, self.fill.block.left

    def depends_on(self, changed: list[tuple[str, Block]]) -> bool:
        return self.watched is None or any(
            other == where and same_cells(block, seen) for where, seen in self.watched for other, block in changed
        )

    def cells(self, book: OpenedBook) -> Iterable["_Waiting"]:
        return [self] if self.fill.block.is_one_cell else _cells_of(book, self.title, self.fill)


def _unknown(book: OpenedBook, title: str, fill: Fill, results: Results, known: list[Block]) -> list[_Waiting]:
    """Return what of a fill has results that are not known; known: rectangles of those that are."""
    if results.covers(fill.block):
        return []
    if fill.first.array or any(same_cells(fill.block, block) for block in known):
        return list(_cells_of(book, title, fill, results))
    return [_Waiting(title, fill, _watched(book, title, fill))]


def _cells_of(book: OpenedBook, title: str, fill: Fill, but: Results | None = None) -> Iterator[_Waiting]:
    """Give the cells of a fill one by one, without some of them."""
    sheet = book.sheet(title)
    for row, column in sheet.addresses_in(fill.block):
        if (but is not None and (row, column) in but) or (
            fill.first.array and sheet.formula((row, column)) != fill.first
        ):
            continue
        cell = Fill(Block(row, column, row, column), fill.at(row, column))
        yield _Waiting(title, cell, _watched(book, title, cell))


def _looks_elsewhere(book: OpenedBook, title: str) -> bool:
    """Whether a formula of a sheet may name another sheet, so that it is worth reading."""
    # Reading all formulas of a large sheet takes seconds, searching its bytes for what they would need does not. A
    # character reference (&#33; for !) may hide any of it.
    xml = book.sheet_bytes(title)
    names = [*book.names, *book.tables]
    if b"&#" not in xml and not _may_name(xml.lower(), names):
        return False
    written = re.compile(rb"<%sf(?>(?:\s[^>]*+)?)>([^<]+)" % tag_prefix(xml, b"worksheet"))
    texts = {unescape(text.decode("utf-8", "replace")).lower() for text in set(written.findall(xml))}
    return any("!" in text or _ANYWHERE.search(text) or any(name in text for name in names) for text in texts)


def _may_name(xml: bytes, names: list[str]) -> bool:
    """Whether XML in lower case has what a formula that looks elsewhere would have: a quick look at large sheets."""
    words = ("!", "indirect(", "cell(", *names)
    return any(not word.isascii() or word.encode() in xml for word in words)


def _watched(book: OpenedBook, title: str, fill: Fill) -> tuple[tuple[str, Block], ...] | None:
    """Return the rectangles that a formula depends on, with their sheets; None where they can't be told."""
    named = [book.names[name] for name in _names_of(book, fill.first.text)]
    texts = [fill.first.text, *named]
    if any(_ANYWHERE.search(text) for text in texts):
        return None
    moved = [_moved(book, text) for text in texts]
    # names without dollars are counted from where they are used
    by_name = [
        [(reference, reference.block if all(reference.fixed) else _SHEET) for reference in take_apart(text)[1]]
        for text in named
    ]
    watched = [
        (reference.sheet or title, _SHEET if i in (indices or ()) else block)
        for reached, indices in zip([fill.reach(), *by_name], moved, strict=True)
        for i, (reference, block) in enumerate(reached)
    ]
    for name in {name.lower() for text in texts for name in _TABLE.findall(take_apart(text)[0])}:
        here = [table for table in book.tables.values() if table[0] == title]
        watched += [book.tables[name]] if name in book.tables else here
    # What OFFSET, or a colon beside a function or name, makes of a reference is some rectangle of the same sheet: the
    # sheets that a formula names are known though the cells are not, so whole sheets are watched, and all of the book
    # only where a sheet can't be told either.
    on_sheets = [_sheets(book, where) for where, _ in watched]
    nearby = None in moved
    if not all(on_sheets) or (nearby and not watched):
        return None
    blocks = [_SHEET if nearby else block for _, block in watched]
    return tuple((sheet, block) for sheets, block in zip(on_sheets, blocks, strict=True) for sheet in sheets)


def _moved(book: OpenedBook, text: str) -> set[int] | None:
    """Return which references of a formula OFFSET moves on their sheets, None where it may be any of them."""
    skeleton, references = take_apart(text)
    bare = _QUOTED.sub("", skeleton)
    beside = {word.lower() for words in _BESIDE_COLON.findall(bare) for word in words}
    if _SPAN.search(bare) or beside & book.names.keys():
        return None
    bases = list(_OFFSET.finditer(bare))
    if not bases:
        return set()
    if not all(base[1] for base in bases) or bare.count("#") != len(references):  # #N/A has the sign, too
        return None
    return {bare.count("#", 0, base.start()) for base in bases}


def _sheets(book: OpenedBook, where: str) -> list[str]:
    """Return the sheets that a reference names, all of first:last; none where these are not in the workbook."""
    titles, lower = book.all_titles, [title.lower() for title in book.all_titles]
    first, _, last = where.lower().partition(":")
    if not last:
        return [titles[lower.index(first)]] if first in lower else [where]
    if first not in lower or last not in lower:
        return []
    ends = sorted((lower.index(first), lower.index(last)))
    return titles[ends[0] : ends[1] + 1]


def _names_of(book: OpenedBook, text: str) -> set[str]:
    """Return the defined names that a formula uses, directly or through others."""
    found: set[str] = set()
    waiting = [text]
    while waiting:
        words = {word.lower() for word in _WORD.findall(take_apart(waiting.pop())[0])}
        new = (words & book.names.keys()) - found
        found |= new
        waiting += [book.names[name] for name in new]
    return found

"""Make cells one of Excel's tables, in a workbook that somebody owns, and let a table have other rows."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.workbook_file import OpenedBook, free_title
from cf_excel.xlsx.opc import MAIN, OFFICE
from cf_excel.xlsx.texts import xml_text

_TABLE_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.table+xml"
_MAIN = f"{{{MAIN}}}"
TABLE_STYLE = "TableStyleLight1"


@dataclass(frozen=True)
class TableArea:
    """A table: the name that formulas have for it, its cells with the headers in the first row, the headers."""

    name: str
    block: Block
    headers: list[str]


def add_table(book: OpenedBook, sheet: str, table: TableArea) -> str:
    """Add a table to a sheet's part and return what the sheet says of it."""
    part = book.free_name("tables", "table")
    numbers = [int(ElementTree.fromstring(book.archive.read_xml(there)).get("id", "0")) for there in _parts(book)]
    name = free_table_name(book, table.name)
    columns = _columns(table.headers, 1)
    xml = (
        f'<table xmlns="{MAIN}" id="{max(numbers, default=0) + 1}" name="{name}" displayName="{name}" '
        f'ref="{table.block.address}" totalsRowShown="0"><autoFilter ref="{table.block.address}"/>'
        f'<tableColumns count="{len(table.headers)}">{columns}</tableColumns><tableStyleInfo name="{TABLE_STYLE}" '
        'showFirstColumn="0" showLastColumn="0" showRowStripes="1" showColumnStripes="0"/></table>'
    )
    book.archive.add(part, xml.encode(), _TABLE_TYPE)
    vars(book).pop("tables", None)
    identity = book.archive.relate(sheet, f"{OFFICE}/table", part)
    return f'<tableParts count="1"><tablePart xmlns:r="{OFFICE}" r:id="{identity}"/></tableParts>'


def free_table_name(book: OpenedBook, name: str) -> str:
    """Return a table's name if it is free, else the name with a number behind it."""
    return free_title(name, {*book.tables, *book.names}).replace(" ", "_")


def table_of(book: OpenedBook, title: str) -> ElementTree.Element | None:
    """Return the table of a sheet that has one and no more."""
    parts = _parts(book, title)
    return ElementTree.fromstring(book.archive.read_xml(parts[0])) if len(parts) == 1 else None


def resize_table(book: OpenedBook, title: str, table: TableArea) -> None:
    """Let the table of a sheet have other rows, and columns behind its own.

    What it is sorted by, which need not hold any longer, goes.
    """
    (part,) = _parts(book, title)
    xml = book.archive.read_xml(part)
    xml = re.sub(rb"<sortState\b.*?</sortState>|<sortState\b[^>]*/>", b"", xml, flags=re.DOTALL)
    new = re.sub(rb"""(<(?:table|autoFilter)\b[^>]*?\sref=["'])[^"']*""", rb"\g<1>" + table.block.address.encode(), xml)
    numbers = [int(n) for n in re.findall(rb"""<tableColumn\b[^>]*?\sid=["'](\d+)""", new)]
    more = table.headers[len(numbers) :]
    if more:
        new = re.sub(rb"""(<tableColumns\b[^>]*?\scount=["'])\d+""", rb"\g<1>%d" % len(table.headers), new)
        end = b"</tableColumns>"
        new = new.replace(end, _columns(more, max(numbers, default=0) + 1).encode() + end)
    if new != book.archive.read(part):
        book.archive.put(part, new)
    vars(book).pop("tables", None)


def _parts(book: OpenedBook, title: str = "") -> list[str]:
    titles = [title] if title else book.titles
    relations = (book.archive.relations(book.part_of(one)).values() for one in titles)
    return [part for some in relations for kind, part in some if kind.endswith("/table")]


def _columns(headers: list[str], first_id: int) -> str:
    return "".join(f'<tableColumn id="{i}" name="{_attribute(name)}"/>' for i, name in enumerate(headers, first_id))


def _attribute(header: str) -> str:
    return xml_text(header).replace('"', "&quot;").replace("\n", "_x000a_")


def filtered_out(table: ElementTree.Element, rows: list[list[str | float | None]]) -> list[int] | None:
    """Return which rows the table's filters hide; None where a filter is of another kind than a choice of values."""
    hidden: set[int] = set()
    for column in table.iter(f"{_MAIN}filterColumn"):
        chosen = column.find(f"{_MAIN}filters")
        if chosen is None or any(not child.tag.endswith("}filter") for child in chosen):
            return None
        at = int(column.get("colId", "0"))
        wanted = {child.get("val", "").casefold() for child in chosen}
        blank = chosen.get("blank") in ("1", "true")
        for i, row in enumerate(rows):
            value = row[at]
            shown = "" if value is None else value.casefold() if isinstance(value, str) else f"{value:g}"
            if not (shown in wanted or (blank and not shown)):
                hidden.add(i)
    return sorted(hidden)

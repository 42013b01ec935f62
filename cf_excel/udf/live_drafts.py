"""Drafts of sheets into a workbook that is open in Excel: what put_drafts does to a file's parts, Excel does here.

A copy of the workbook, as it is now, tells whether a former sheet is as it was written, and what its cells look like.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cf_excel.sheets.own.draft import SCALE, SheetDraft
from cf_excel.sheets.own.put_drafts import (
    FormerSheet,
    all_parts,
    cells_by_look,
    find_former,
    former_styles,
    look_of,
    printed_anew,
)
from cf_excel.udf.live_cells import area_of, naming_refusals, put_values, set_pages, set_print_area
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.added_styles import GENERAL, PERCENT, THOUSANDS, TWO_DECIMALS, WHOLE, Look
from cf_excel.xlsx.edit.added_table import TABLE_STYLE, free_table_name
from cf_excel.xlsx.edit.new_values import rectangles
from cf_excel.xlsx.edit.sheet_xml import Address
from cf_excel.xlsx.edit.workbook_file import OpenedBook, free_title

if TYPE_CHECKING:
    import xlwings

Dress = dict[str, Any]  # properties of Excel's ranges

_NUMBER_FORMATS = {GENERAL: "General", WHOLE: "0", TWO_DECIMALS: "0.00", THOUSANDS: "#,##0", PERCENT: "0%"}
# Excel's numbers for automatic, none, general and so on
_PLAIN: Dress = {
    "NumberFormat": "General",
    "Font.Bold": False,
    "Font.Italic": False,
    "Font.ColorIndex": -4105,
    "Interior.Pattern": -4142,
    "HorizontalAlignment": 1,
    "VerticalAlignment": -4107,
    "Orientation": -4128,
    "WrapText": False,
}
_ALIGNED: dict[str, tuple[str, dict[str, Any]]] = {
    "horizontal": ("HorizontalAlignment", {"left": -4131, "center": -4108, "right": -4152}),
    "vertical": ("VerticalAlignment", {"top": -4160, "bottom": -4107}),
    "textRotation": ("Orientation", {"90": 90}),
    "wrapText": ("WrapText", {"1": True}),
    "indent": ("IndentLevel", {"1": 1}),
}
# in an order in which one does not undo the other: a colour makes a pattern
_SHOWN = (
    *("NumberFormat", "Font.Name", "Font.Size", "Font.Bold", "Font.Italic", "Font.Color"),
    *("Interior.Color", "Interior.Pattern", "HorizontalAlignment", "VerticalAlignment", "Orientation", "WrapText"),
    "IndentLevel",
)
_LOWEST, _HIGHEST, _PERCENTILE = 1, 2, 5  # points of a colour scale
_LONGEST_ADDRESS = 255  # characters


class LiveDrafts:
    """Puts drafts into a workbook that is open in Excel; copy: of it, as it is now."""

    def __init__(self, book: "xlwings.Book", copy: OpenedBook) -> None:
        self._book, self._copy = book, copy
        self._titles = list(copy.all_titles)

    @property
    def notes(self) -> list[str]:
        return self._copy.notes

    def has(self, title: str) -> bool:
        """Return whether an earlier call wrote a sheet of this usual name."""
        return find_former(self._copy, title) is not None

    def put(self, draft: SheetDraft) -> tuple[str, FormerSheet | None]:
        """Write a draft; return the sheet's name, and the former one whose place it took.

        Raises InputError where Excel refuses.
        """
        former = find_former(self._copy, draft.title)
        title = former.title if former else free_title(draft.title, self._titles)
        with naming_refusals(f"sheet {title}"), _quiet(self._book):
            if former:
                is_first, printed = printed_anew(self._copy, former, draft)
                _fill_in(self._book.sheets[title], draft, former)
                (set_pages if is_first else set_print_area)(self._book.sheets[title], printed)
            else:
                self._titles.append(title)
                last = self._book.sheets[len(self._book.sheets) - 1]
                self._start(self._book.sheets.add(title, after=last), draft)
        return title, former

    def _start(self, sheet: "xlwings.Sheet", draft: SheetDraft) -> None:
        """Fill a new sheet and give it all that it starts with."""
        _put_parts(sheet, draft)
        if draft.table:
            name = free_table_name(self._copy, draft.table.name)
            area = area_of(sheet, draft.table.block)
            sheet.tables.add(source=area, name=name, has_headers=True, table_style_name=TABLE_STYLE)
        for key, places in cells_by_look(draft).items():
            _dress(sheet, places, {name: value for name, value in _dress_of(key).items() if _PLAIN.get(name) != value})
        if draft.merged:
            area_of(sheet, draft.merged).merge()
        if draft.scale:
            _color(area_of(sheet, draft.scale).api)
        for block, width in draft.widths.items():
            area_of(sheet, block).column_width = width
        for row, height in draft.heights.items():
            sheet.range((row, 1)).row_height = height
        _freeze(sheet, draft.freeze)
        set_pages(sheet, draft.printed)


@contextmanager
def _quiet(book: "xlwings.Book") -> Iterator[None]:
    """Let Excel show what was done when it is done, and then the sheet that was shown before."""
    shown = book.sheets.active
    with book.app.properties(screen_updating=False):
        try:
            yield
        finally:
            shown.api.Activate()


def _fill_in(sheet: "xlwings.Sheet", draft: SheetDraft, former: FormerSheet) -> None:
    """Give a former sheet the draft's cells; what somebody made of its looks stays."""
    dresses = list(_new_dresses(sheet, draft, former))
    table = sheet.tables[0] if draft.table and len(sheet.tables) == 1 else None
    filters = table.api.AutoFilter if table else None
    is_filtered = filters is not None and filters.FilterMode
    if table and draft.table:
        if is_filtered:
            table.range.api.EntireRow.Hidden = False
        table.api.Sort.SortFields.Clear()
        table.resize(area_of(sheet, draft.table.block))
    if draft.scale:
        old = Block(draft.scale.top, draft.scale.left, former.extent.bottom, former.extent.right)
        _move_conditions(sheet, old, draft.scale)
    kept = {place for places in cells_by_look(draft).values() for place in places}
    for block in rectangles({*former.xml.addresses} - kept):
        area_of(sheet, block).clear()
    _put_parts(sheet, draft)
    for places, dress in dresses:
        _dress(sheet, places, dress)
    for block, width in draft.widths.items():
        new = Block(block.top, max(block.left, former.extent.right + 1), block.bottom, block.right)
        if draft.scale and new.left <= new.right:
            area_of(sheet, new).column_width = width
    for row, height in draft.heights.items():
        if former.height(row) is None:
            sheet.range((row, 1)).row_height = height
    if filters is not None and is_filtered:
        filters.ApplyFilter()


def _put_parts(sheet: "xlwings.Sheet", draft: SheetDraft) -> None:
    for part in all_parts(draft):
        put_values(sheet, part.block, part.rows)


def _new_dresses(
    sheet: "xlwings.Sheet", draft: SheetDraft, former: FormerSheet
) -> Iterator[tuple[list[Address], Dress]]:
    """Give the cells that look otherwise than those of their kind, and what these look like: as the sheet is now."""
    known = former_styles(draft, former)
    examples = {former.style(place): place for place in former.xml.addresses}
    for key, places in cells_by_look(draft).items():
        style = known.get(key)
        others = [place for place in places if style is None or former.style(place) != style]
        if others:
            yield others, _dress_of(key) if style is None else _dress_at(sheet, examples[style])


def _dress_of(key: str) -> Dress:
    look: Look = look_of(key)
    dress = _PLAIN | {
        "NumberFormat": look.number if isinstance(look.number, str) else _NUMBER_FORMATS[look.number],
        "Font.Bold": look.bold,
        "Font.Italic": look.italic,
    }
    dress |= {"Font.Color": _color_number(look.ink)} if look.ink else {}
    dress |= {"Interior.Color": _color_number(look.fill)} if look.fill else {}
    for attribute, value in re.findall(r'(\w+)="(\w+)"', look.alignment):
        name, numbers = _ALIGNED[attribute]
        dress[name] = numbers[value]
    return dress


def _dress_at(sheet: "xlwings.Sheet", place: Address) -> Dress:
    found: Dress = {}
    for name in _SHOWN:
        owner, last = _owner(sheet.range(place).api, name)
        found[name] = getattr(owner, last)
    return found if found["IndentLevel"] else {name: found[name] for name in _SHOWN[:-1]}


def _dress(sheet: "xlwings.Sheet", places: list[Address], dress: Dress) -> None:
    for address in _addresses(rectangles(places)):
        area = sheet.range(address).api
        for name, value in dress.items():
            owner, last = _owner(area, name)
            setattr(owner, last, value)


def _owner(area: Any, name: str) -> tuple[Any, str]:
    first, _, last = name.rpartition(".")
    return getattr(area, first) if first else area, last


def _addresses(blocks: Iterable[Block]) -> Iterator[str]:
    """Give addresses of several blocks each, as long as Excel takes them."""
    text = ""
    for block in blocks:
        if text and len(text) + len(block.address) >= _LONGEST_ADDRESS:
            yield text
            text = ""
        text += f",{block.address}" if text else block.address
    if text:
        yield text


def _color(area: Any) -> None:
    criteria = area.FormatConditions.AddColorScale(len(SCALE)).ColorScaleCriteria
    for i, (kind, color) in enumerate(zip((_LOWEST, _PERCENTILE, _HIGHEST), SCALE, strict=True), start=1):
        criterion = criteria(i)
        criterion.Type = kind
        if kind == _PERCENTILE:
            criterion.Value = 50
        criterion.FormatColor.Color = _color_number(color)


def _move_conditions(sheet: "xlwings.Sheet", old: Block, new: Block) -> None:
    """Let what coloured all of the former cells colour all of the new ones."""
    conditions = sheet.api.Cells.FormatConditions
    for i in range(1, conditions.Count + 1) if old != new else ():
        condition = conditions(i)
        if condition.AppliesTo.Address.replace("$", "") == old.address:
            condition.ModifyAppliesToRange(area_of(sheet, new).api)


def _color_number(color: str) -> int:
    """Return Excel's number of a colour RRGGBB."""
    red, green, blue = bytes.fromhex(color)
    return red | green << 8 | blue << 16


def _freeze(sheet: "xlwings.Sheet", first: Block) -> None:
    sheet.api.Activate()  # a window freezes the sheet that it shows
    window = sheet.book.api.Windows(1)
    window.ScrollRow, window.ScrollColumn = 1, 1
    window.SplitRow, window.SplitColumn = first.top - 1, first.left - 1
    window.FreezePanes = True

"""How a row of ratings finds its factors: a formula matches the row's id with a table's, others look the factors up."""

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from cf_excel.errors import LayoutError
from cf_excel.ratings.table import canonical_id
from cf_excel.sheets.find.found_sheet import Identity
from cf_excel.sheets.find.sheet import Sheet
from cf_excel.xlsx.cells import MAX_COLUMNS, MAX_ROWS, Block, cell
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue
from cf_excel.xlsx.formulas import CellFormula

# How a formula compares ids: as equal, ignoring case; as the last that is not above, in sorted ids; as equal texts.
_MATCHES = dict.fromkeys(("MATCH(#,#,0)", "MATCH(#,#,FALSE)", "MATCH(#,#,)"), "equal")
_MATCHES |= dict.fromkeys(("MATCH(#,#)", "MATCH(#,#,1)", "MATCH(#,#,TRUE)"), "sorted")
_MATCHES |= dict.fromkeys(("MATCH(TRUE,EXACT(#,#),0)", "IF(EXACT(#,#),1)"), "text")
_OTHERWISE = re.compile(r'IFERROR\((.*),"[^"]*"\)|(IF\(EXACT\(#,#\),1),"[^"]*"\)')
_SINGLE = re.compile(r"_xlfn\.SINGLE\((#|[A-Z]+\([^()]*\))\)")
_GUARDED = re.compile(r"IF\(ISNUMBER\(#\),(.*),0\)")
_LOOK_UP = re.compile(r"(INDEX|OFFSET)\(#,#(?:,(\d*))?\)")
# What of a text stands for other texts where MATCH looks for equal ones.
_WILD = {"*": ".*", "?": ".", "~*": r"\*", "~?": r"\?", "~~": "~"}

MISSING, UNCLEAR = -1, -2  # no row has the id; programs disagree whether one has


class Column(NamedTuple):
    """The cells of one factor, from the row of the table's first id on."""

    column: int
    top: int
    bottom: int


@dataclass(frozen=True)
class TableForm:
    """A table of ids and factors, as the formulas that use it name it.

    compares: how ids are matched, see _MATCHES. guarded: whether an id that is not in the table has factors of 0; it
    has errors otherwise.
    """

    ids: Block
    compares: str
    columns: tuple[Column, ...]
    guarded: bool


@dataclass(frozen=True)
class LookUpSide:
    """The user's or the movie's part of a rating's row."""

    wanted: Address  # the cell with the id
    index: Address  # the cell that says in which row of the table the id is
    looked_up: Block  # the factors in the rating's row
    table: TableForm

    def below(self, rows: int) -> "LookUpSide":
        """Return what it is in a row that so many rows below is the same."""
        wanted, index = ((place[0] + rows, place[1]) for place in (self.wanted, self.index))
        return replace(self, wanted=wanted, index=index, looked_up=moved(self.looked_up, rows))


def read_side(title: str, looked_up: Block, formulas: dict[int, CellFormula]) -> LookUpSide:
    """Return where the factors in some cells of a row come from; formulas: the row's, by column.

    Raises LayoutError where that can't be told.
    """
    row = looked_up.top
    columns, indices, guards = [], set(), set()
    for column in range(looked_up.left, looked_up.right + 1):
        index, found, guarded = _look_up(title, (row, column), formulas.get(column))
        columns.append(found)
        indices.add(index)
        guards.add(guarded)
    first = f"sheet {title}: the factors from {looked_up.first} on"
    if len(indices) > 1 or len(guards) > 1 or len(set(columns)) < len(columns):
        raise LayoutError(f"{first} are looked up in different ways, expected one row of different columns")
    index = indices.pop()
    matching = formulas.get(index[1]) if index[0] == row else None
    if matching is None:
        raise LayoutError(f"{first} are looked up by {cell(*index)}, expected a formula with MATCH in their own row")
    wanted, ids, compares = _match(title, index, matching)
    return LookUpSide(wanted, index, looked_up, TableForm(ids, compares, tuple(columns), guards.pop()))


def _look_up(title: str, place: Address, formula: CellFormula | None) -> tuple[Address, Column, bool]:
    """Return which cell names the row in which a formula looks a factor up, the factor's cells, and if it is guarded.

    Raises LayoutError where the formula is of another form.
    """
    where = f"sheet {title}: {cell(*place)}"
    if formula is None:
        raise LayoutError(f"{where} looks no factor up: expected INDEX or OFFSET of a MATCH")
    _stay_on_sheet(title, where, formula)
    kind, guarded, number = _form_of(formula.skeleton)
    blocks = formula.blocks
    if kind and guarded:
        same, *blocks = blocks
        kind = kind if same == blocks[1] else ""
    if kind == "INDEX":
        table = blocks[0]
        offset = int(number) - 1 if number else 0
        fits = 0 <= offset < table.n_columns and (number or table.n_columns == 1)
        found = Column(table.left + offset, table.top, table.bottom)
    elif kind == "OFFSET":
        base = blocks[0]
        found = Column(base.left + int(number or 0), base.top + 1, MAX_ROWS)
        fits = base.is_one_cell and number is not None and found.column <= MAX_COLUMNS
    else:
        fits = False
    if not fits or not blocks[1].is_one_cell:
        raise LayoutError(f"{where} looks its factor up in a way that can't be followed: expected INDEX(factors,match)")
    return (blocks[1].top, blocks[1].left), found, guarded


def _match(title: str, place: Address, formula: CellFormula) -> tuple[Address, Block, str]:
    """Return the cell with the id that a formula matches, the ids of the table, and how it compares them.

    Raises LayoutError where the formula is of another form.
    """
    where = f"sheet {title}: {cell(*place)}"
    _stay_on_sheet(title, where, formula)
    compares = _comparison_of(formula.skeleton)
    if compares:
        wanted, ids = formula.blocks
        if compares == "text":  # EXACT names the table first
            wanted, ids = ids, wanted
        if wanted.is_one_cell and ids.n_columns == 1:
            return (wanted.top, wanted.left), ids, compares
    raise LayoutError(f"{where} matches ids in a way that can't be followed: expected MATCH(id,ids,0)")


def _stay_on_sheet(title: str, where: str, formula: CellFormula) -> None:
    other = formula.other_sheet(title)
    if other is not None:
        raise LayoutError(f"{where} reads sheet {other}: move what it reads to sheet {title}")


@lru_cache(maxsize=1 << 10)
def _form_of(skeleton: str) -> tuple[str, bool, str | None]:
    """Return INDEX or OFFSET, whether it is guarded, and the number of the column; "" for another form."""
    plain = _SINGLE.sub(r"\1", skeleton)
    guarded = _GUARDED.fullmatch(plain)
    found = _LOOK_UP.fullmatch(guarded[1] if guarded else plain)
    return (found[1], bool(guarded), found[2]) if found else ("", False, None)


@lru_cache(maxsize=1 << 10)
def _comparison_of(skeleton: str) -> str | None:
    plain = _SINGLE.sub(r"\1", skeleton)
    found = _OTHERWISE.fullmatch(plain)
    if found:
        plain = found[1] or f"{found[2]})"
    return _MATCHES.get(plain)


class IdTable:
    """The ids of a table and the places of their factors; rows without an id are no part of it."""

    def __init__(self, title: str, sheet: Sheet, form: TableForm) -> None:
        """Read the ids. Raises LayoutError where there are none, or where they can't be searched."""
        ids, self.form, self._sheet = form.ids, form, sheet
        self.first: Address = ids.top, ids.left
        rows = range(ids.top, min(ids.bottom, sheet.last_row) + 1)
        cells = [(row - ids.top, value) for row in rows if _is_id(value := sheet.value((row, ids.left)))]
        self._values = [value for _, value in cells]
        self.ids: list[Identity] = [canonical_id(value) for value in self._values]
        name = f"sheet {title}: the ids in {ids.address}"
        if not cells:
            raise LayoutError(f"{name} are all blank: expected a table of ids")
        last = cells[-1][0]
        if any(column.top + last > column.bottom for column in form.columns):
            raise LayoutError(f"{name} are more than the rows of factors that are looked up for them")
        if form.compares == "sorted" and not _ascend(self._values):
            raise LayoutError(
                f"{name} are not sorted, and MATCH without a third argument needs that: sort them, or add ,0 to MATCH"
            )
        self.places = [[(column.top + down, column.column) for column in form.columns] for down, _ in cells]
        self.id_places: list[Address] = [(ids.top + down, ids.left) for down, _ in cells]
        self.neighbours: dict[str, Identity] = {}  # ids that are in no row, and those that MATCH takes for them
        self.missing: dict[str, bool] = {}  # ids that MATCH does not find, and whether they are there in another form
        self._rows = {self._key(value): row for row, value in reversed(list(enumerate(self._values)))}
        self._found: dict[tuple[type, CellValue], int] = {}  # most ratings name an id that came up before

    def row(self, place: Address) -> int:
        """Return the row that the sheet's formula finds for the id in a cell, or MISSING, or UNCLEAR."""
        value = self._sheet.value(place)
        key = type(value), value
        if key not in self._found:
            self._found[key] = self._search(value)
        return self._found[key]

    def _search(self, value: CellValue) -> int:
        row = self._position(value)
        if row >= 0:
            if self.form.compares == "sorted" and self._values[row] != value:
                self.neighbours[str(canonical_id(value))] = self.ids[row]
            return row
        # a blank may pass for 0, and some programs find numbers that are stored as texts
        in_another_form = (canonical_id(value) if _is_id(value) else 0) in self.ids
        if _is_id(value):
            self.missing[str(canonical_id(value))] = in_another_form
        return UNCLEAR if in_another_form else MISSING

    def _position(self, value: CellValue) -> int:
        if self.form.compares == "sorted":
            is_number = isinstance(value, float) and value == value
            return bisect_right(self._values, value) - 1 if is_number else MISSING
        if not _is_id(value):
            return MISSING
        if self.form.compares == "equal" and isinstance(value, str) and re.search("[*?~]", value):
            pattern = re.sub(r"~[*?~]|[*?]|[^*?~]+|~", lambda part: _WILD.get(part[0]) or re.escape(part[0]), value)
            texts = ((row, text) for row, text in enumerate(self._values) if isinstance(text, str))
            fitting = (row for row, text in texts if re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL))
            return next(fitting, MISSING)
        return self._rows.get(self._key(value), MISSING)

    def _key(self, value: CellValue) -> tuple[type, CellValue]:
        """Return what is the same for values that the formula takes for equal."""
        if self.form.compares == "text":
            return str, value if isinstance(value, str) else str(canonical_id(value))
        return type(value), value.lower() if isinstance(value, str) else value


def moved(block: Block, rows: int) -> Block:
    """Return the rectangle so many rows below."""
    return Block(block.top + rows, block.left, block.bottom + rows, block.right)


def _is_id(value: CellValue) -> bool:
    return value is not None and bool(str(value).strip())


def _ascend(values: list[CellValue]) -> bool:
    """Whether values are numbers, each above the one before."""
    if not all(isinstance(value, float) for value in values):
        return False
    return all(before < after for before, after in pairwise(values))

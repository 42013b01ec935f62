"""How a row of ratings finds its factors: a formula matches the row's id with a table's, others look the factors up."""

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from cf_excel.errors import LayoutError
from cf_excel.ratings.table import canonical_id
from cf_excel.sheets.find.found_sheet import Identity
from cf_excel.sheets.find.sheet import Sheet
from cf_excel.xlsx.calculate import NotCalculated, calculate
from cf_excel.xlsx.cells import MAX_COLUMNS, MAX_ROWS, Block, cell
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue
from cf_excel.xlsx.formula_tree import Call, Constant, Ref, Tree, formula_tree
from cf_excel.xlsx.formulas import CellFormula

# How MATCH and VLOOKUP compare ids, by what stands after the table: as equal, ignoring case; as the last that is not
# above, in sorted ids. Formulas with EXACT compare them as equal texts.
_LAST_ARGUMENT: dict[float | str | None, str] = {0: "equal", None: "equal", 1: "sorted"}  # FALSE is 0, TRUE is 1
# What of a text stands for other texts where MATCH looks for equal ones.
_WILD = {"*": ".*", "?": ".", "~*": r"\*", "~?": r"\?", "~~": "~"}

MATCHES = ("MATCH(", "EXACT(", "VLOOKUP(", "XLOOKUP(")  # one of them is in every sheet that looks factors up
MISSING, UNCLEAR = -1, -2  # no row has the id; programs disagree whether one has


class Column(NamedTuple):
    """The cells of one factor, from the row of the table's first id on."""

    column: int
    top: int
    bottom: int


@dataclass(frozen=True)
class TableForm:
    """A table of ids and factors, as the formulas that use it name it.

    compares: how ids are matched, "equal", "sorted" or "text". guarded: whether an id that is not in the table has
    factors of 0; it has errors otherwise. numbers: the cells that hold the row of each id's factors, None where an id's
    own row counts.
    """

    ids: Block
    compares: str
    columns: tuple[Column, ...]
    guarded: bool
    numbers: Block | None = None


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


def read_side(title: str, sheet: Sheet, looked_up: Block, formulas: dict[int, CellFormula]) -> LookUpSide:
    """Return where the factors in some cells of a row come from; formulas: the row's, by column.

    Raises LayoutError where that can't be told.
    """
    row = looked_up.top
    columns, indices, guards = [], set(), set()
    for column in range(looked_up.left, looked_up.right + 1):
        formula = formulas.get(column) or sheet.formula((row, column))
        index, found, guarded = _look_up(title, sheet, (row, column), formula)
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
    wanted, ids, compares, numbers = _match(title, sheet, index, matching)
    return LookUpSide(wanted, index, looked_up, TableForm(ids, compares, tuple(columns), guards.pop(), numbers))


def _look_up(title: str, sheet: Sheet, place: Address, formula: CellFormula | None) -> tuple[Address, Column, bool]:
    """Return which cell names the row in which a formula looks a factor up, the factor's cells, and if it is guarded.

    Raises LayoutError where the formula is of another form.
    """
    where = f"sheet {title}: {cell(*place)}"
    if formula is None:
        raise LayoutError(f"{where} looks no factor up: expected INDEX or OFFSET of a MATCH")
    _stay_on_sheet(title, where, formula)
    blocks = formula.blocks
    # one array formula gives each of its cells a column of its own
    across = place[1] - formula.array.left if formula.array else 0
    tree, asked, guarded = formula_tree(formula.skeleton), -1, False
    match tree:
        case Call("IF", (Call("ISNUMBER", (Ref(test),)), inside, Constant(0.0))):
            tree, asked, guarded = inside, test, True
        case Call("IFERROR", (inside, Constant(0.0))):
            tree, guarded = inside, True
    match tree:
        case Call("INDEX", (Ref(table), row, *rest)) if len(rest) < 2:
            block, number = blocks[table], _constant(sheet, rest[0], blocks) if rest else 0
            across = across if number == 0 else 0
            index, shift = _shifted(row)
            found = Column(block.left + max(number - 1, 0) + across, block.top + shift, block.bottom)
            fits = found.column <= block.right and number >= 0 and (number or formula.array or block.n_columns == 1)
        case Call("OFFSET", (Ref(base), row, column)):
            block, number = blocks[base], _constant(sheet, column, blocks)
            index, shift = _shifted(row)
            found = Column(block.left + number + across, block.top + 1 + shift, MAX_ROWS)
            fits = block.n_rows == 1 and block.left + across <= block.right and 0 < found.column <= MAX_COLUMNS
            fits = fits and (block.n_columns == 1 or formula.array is not None)
        case _:
            fits, index = False, -1
    if not fits or index < 0 or not blocks[index].is_one_cell or (asked >= 0 and blocks[asked] != blocks[index]):
        raise LayoutError(f"{where} looks its factor up in a way that can't be followed: expected INDEX(factors,match)")
    return (blocks[index].top, blocks[index].left), found, guarded


def _shifted(tree: Tree) -> tuple[int, int]:
    """Return the number of the reference that names a row, and what is added to it; -1 where it is another formula."""
    match tree:
        case Ref(number):
            return number, 0
        case Call("+" | "-" as sign, (Ref(number), Constant(float() as more))) if more == int(more):
            return number, int(more) * (1 if sign == "+" else -1)
    return -1, 0


def _constant(sheet: Sheet, tree: Tree, blocks: list[Block]) -> int:
    """Return the number of a column: as a formula names it, or as cells hold it; a large negative one for others."""
    values = [sheet.value((block.top, block.left)) if block.is_one_cell else None for block in blocks]
    try:
        number = calculate(tree, values)
    except NotCalculated:
        number = None
    number = 0.0 if tree == Constant(None) else number
    return int(number) if isinstance(number, float) and number == int(number) else -MAX_COLUMNS


def _match(title: str, sheet: Sheet, place: Address, formula: CellFormula) -> tuple[Address, Block, str, Block | None]:
    """Return the cell with the id that a formula matches, the ids of the table, how it compares them, and its numbers.

    The numbers are the cells that hold the rows of the ids; None where these are counted. Raises LayoutError where the
    formula is of another form.
    """
    where = f"sheet {title}: {cell(*place)}"
    _stay_on_sheet(title, where, formula)
    blocks, numbers = formula.blocks, None
    tree, compares = formula_tree(formula.skeleton), None
    match tree:
        case Call("IFERROR", (inside, Constant(str()))):
            tree = inside
        case Call("IF", (Call("EXACT"), Constant(1.0), Constant(str()))):
            tree = Call("IF", tree.arguments[:2])
    match tree:
        case Call("MATCH", (Ref(wanted), Ref(ids))):
            compares = "sorted"
        case Call("MATCH", (Ref(wanted), Ref(ids), Constant(last))):
            compares = _LAST_ARGUMENT.get(last)
        case Call("MATCH", (Constant(True), Call("EXACT", (Ref(ids), Ref(wanted))), Constant(0.0))):
            compares = "text"
        case Call("IF", (Call("EXACT", (Ref(ids), Ref(wanted))), Constant(1.0))):
            compares = "text"
        case Call("VLOOKUP", (Ref(wanted), Ref(ids), column, *rest)):
            kind = rest[0] if rest else Constant(True)
            compares = _LAST_ARGUMENT.get(kind.value) if isinstance(kind, Constant) else None
            table = blocks[ids]
            number = table.left + _constant(sheet, column, blocks) - 1
            blocks[ids] = Block(table.top, table.left, table.bottom, table.left)
            numbers = Block(table.top, number, table.bottom, number)
            compares = compares if table.left <= number <= table.right else None
        case Call("XLOOKUP", (Ref(wanted), Ref(ids), Ref(number))):
            compares, numbers = "equal", blocks[number]
            compares = compares if numbers.n_columns == 1 and numbers.n_rows == blocks[ids].n_rows else None
    if compares and blocks[wanted].is_one_cell and blocks[ids].n_columns == 1:
        return (blocks[wanted].top, blocks[wanted].left), blocks[ids], compares, numbers
    raise LayoutError(f"{where} matches ids in a way that can't be followed: expected MATCH(id,ids,0)")


def _stay_on_sheet(title: str, where: str, formula: CellFormula) -> None:
    other = formula.other_sheet(title)
    if other is not None:
        raise LayoutError(f"{where} reads sheet {other}: move what it reads to sheet {title}")


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
        down = [down for down, _ in cells]
        if form.numbers:
            down = [_row_number(title, sheet, (form.numbers.top + one, form.numbers.left)) - 1 for one in down]
        last = max(down)
        if any(column.top + last > column.bottom for column in form.columns):
            raise LayoutError(f"{name} are more than the rows of factors that are looked up for them")
        if form.compares == "sorted" and not _ascend(self._values):
            raise LayoutError(
                f"{name} are not sorted, and MATCH without a third argument needs that: sort them, or add ,0 to MATCH"
            )
        self.places = [[(column.top + one, column.column) for column in form.columns] for one in down]
        self.id_places: list[Address] = [(ids.top + one, ids.left) for one, _ in cells]
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
            numbers = [one for one in self._values if isinstance(one, float)]  # all of them are
            return bisect_right(numbers, value) - 1 if isinstance(value, float) and value == value else MISSING
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


def _row_number(title: str, sheet: Sheet, place: Address) -> int:
    """Return the number of a row of factors that a cell holds. Raises LayoutError where it holds no such number."""
    value = sheet.value(place)
    if not isinstance(value, float) or value != int(value) or not 0 < value <= MAX_ROWS:
        raise LayoutError(f"sheet {title}: {cell(*place)} holds {value!r}, expected the number of a row of factors")
    return int(value)


def _is_id(value: CellValue) -> bool:
    return value is not None and bool(str(value).strip())


def _ascend(values: list[CellValue]) -> bool:
    """Whether values are numbers, each above the one before."""
    numbers = [value for value in values if isinstance(value, float)]
    return len(numbers) == len(values) and all(before < after for before, after in pairwise(numbers))

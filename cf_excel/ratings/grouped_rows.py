"""Lists that name a customer in the first of its rows alone, as pivot tables in tabular and in outline form do."""

from dataclasses import replace

from cf_excel.ratings.cell_tables import Cell, ListOfCells, text_of
from cf_excel.ratings.nouns import USUAL_NOUNS
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.totals import is_total
from cf_excel.ratings.unread_cells import UnreadCell


def ungrouped(table: ListOfCells, column: dict[str, int], how: Reading) -> ListOfCells:
    """Return a list with each name in all of its rows, and a note in how where some had none.

    A list is as it was unless half of its rows or more lack a name of one kind, no such name stands in two places, and
    nothing is rated twice below one: else a blank is an id that is missing.
    """
    for kind, other, noun in zip(("user", "movie"), ("movie", "user"), how.nouns or USUAL_NOUNS, strict=True):
        rows = _filled_down(table.cells.rows, column[kind], column[other])
        if rows is not None:
            how.note(f"a {noun} named in the first of its rows alone, as in a pivot table, counts in the rest, too")
            return replace(table, cells=replace(table.cells, rows=rows))
    return table


def _filled_down(rows: list[list[Cell]], at: int, beside: int) -> list[list[Cell]] | None:
    """Return rows with the names of a column in all rows of their groups; None where the column is no such one."""
    name: Cell = ""
    names: set[Cell] = set()
    pairs: set[tuple[Cell, Cell]] = set()
    filled: list[list[Cell]] = []
    n_filled = 0
    for row in rows:
        own, other = (row[i] if i < len(row) else "" for i in (at, beside))
        if isinstance(own, UnreadCell):
            return None
        is_named = own != "" and not (other == "" and is_total(text_of(own)))
        if is_named and own in names:
            return None
        if is_named:
            name = own
            names.add(name)
        if other == "":
            # in outline form a group begins with its name and its sum alone
            filled.append([""] * len(row) if is_named else row)
            continue
        if name == "" or (name, other) in pairs:
            return None
        pairs.add((name, other))
        n_filled += own == ""
        filled.append(row if own != "" else [*row[:at], *[""] * (at - len(row)), name, *row[at + 1 :]])
    return filled if n_filled >= len(names) > 1 else None

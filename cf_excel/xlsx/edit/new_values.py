"""New values for many cells: single ones, and whole rectangles of numbers."""

import math
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue


class NumberTable(NamedTuple):
    """Finite numbers of a rectangle: values (n, n_columns), and which row of them each of its rows has, (n_rows,)."""

    values: np.ndarray
    rows: np.ndarray

    def at(self, row: int, column: int) -> float:
        """Return one of the numbers, by its place in the rectangle."""
        return float(self.values[self.rows[row], column])


@dataclass
class Results:
    """Results of formulas by cell, None for one that is not known.

    tables: numbers of whole rectangles; where a cell stands in both, `cells` counts.
    sources: gives the cells of the sheet that the results were computed from.
    """

    cells: dict[Address, CellValue] = field(default_factory=dict)
    tables: dict[Block, NumberTable] = field(default_factory=dict)
    sources: Callable[[], Set[Address]] = frozenset

    def __contains__(self, address: Address) -> bool:
        return address in self.cells or self._table_of(address) is not None

    def __getitem__(self, address: Address) -> CellValue:
        if address in self.cells:
            return self.cells[address]
        block = self._table_of(address)
        if block is None:
            raise KeyError(address)
        return self.tables[block].at(address[0] - block.top, address[1] - block.left)

    def put(self, block: Block, values: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Set the numbers of a rectangle; what is too large for a cell is left for programs to calculate.

        rows: which row of the values each of the rectangle's rows has, where that is not simply the next.
        """
        rows = np.arange(len(values)) if rows is None else rows
        finite = np.isfinite(values)
        if not finite.all():
            unknown = np.argwhere(~finite[rows]).tolist()
            self.cells.update(((block.top + row, block.left + column), None) for row, column in unknown)
            values = np.where(finite, values, 0.0)
        self.tables[block] = NumberTable(values, rows)

    def put_places(self, places: list[Address], values: list[CellValue]) -> None:
        """Set cells that come row by row: as one table where they fill a rectangle with numbers."""
        (top, left), (bottom, right) = places[0], places[-1]
        block = Block(top, left, bottom, right)
        fills = len(places) == block.n_rows * block.n_columns and places == list(block.addresses())
        if fills and all(isinstance(value, float) for value in values):
            self.put(block, np.array(values).reshape(block.n_rows, block.n_columns))
        else:
            self.put_cells(dict(zip(places, values, strict=True)))

    def put_cells(self, values: dict[Address, CellValue]) -> None:
        """Set single cells; what is too large for a cell is left for programs to calculate."""
        self.cells.update(
            (address, None if isinstance(value, float) and not math.isfinite(value) else value)
            for address, value in values.items()
        )

    def covers(self, block: Block) -> bool:
        """Whether one of the tables has all of a rectangle."""
        return any(
            table.top <= block.top and table.left <= block.left and block.bottom <= table.bottom
            and block.right <= table.right
            for table in self.tables
        )  # fmt: skip

    def rectangles(self) -> list[Block]:
        """Return rectangles that cover the cells and no others."""
        return [*self.tables, *rectangles(self.cells)]

    def counts(self) -> tuple[int, int]:
        """Return how many results there are, and how many of them are not known."""
        unknown = sum(value is None for value in self.cells.values())
        inside = sum(self._table_of(address) is not None for address in self.cells)
        return len(self.cells) - inside + sum(block.n_rows * block.n_columns for block in self.tables), unknown

    def _table_of(self, address: Address) -> Block | None:
        for block in self.tables:
            if block.top <= address[0] <= block.bottom and block.left <= address[1] <= block.right:
                return block
        return None


def rectangles(addresses: Iterable[Address]) -> list[Block]:
    """Return rectangles that cover the cells and no others: runs of a row, those above each other joined."""
    growing: dict[tuple[int, int], Block] = {}
    done = []
    for run in _runs(addresses):
        above = growing.get((run.left, run.right))
        if above and above.bottom == run.top - 1:
            run = Block(above.top, run.left, run.bottom, run.right)
        elif above:
            done.append(above)
        growing[run.left, run.right] = run
    return done + list(growing.values())


def _runs(addresses: Iterable[Address]) -> Iterator[Block]:
    """Give the runs of neighbours in a row, from the top left on."""
    start = end = (0, 0)
    for address in [*sorted(addresses), (0, 0)]:
        if address == (end[0], end[1] + 1):
            end = address
            continue
        if start[0]:
            yield Block(start[0], start[1], end[0], end[1])
        start = end = address

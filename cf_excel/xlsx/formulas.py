"""What a sheet computes: the formula of one cell, and rectangles of cells that were filled from one."""

from dataclasses import dataclass

import numpy as np

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.references import Reference, take_apart


@dataclass(frozen=True)
class CellFormula:
    """The formula of a cell: the text of the cell it was filled from, and how far away that is."""

    text: str
    rows: int = 0
    columns: int = 0
    array: Block | None = None  # the cells that one array formula fills

    @property
    def skeleton(self) -> str:
        """The text with # for every reference."""
        return take_apart(self.text)[0]

    @property
    def references(self) -> tuple[Reference, ...]:
        """What the text refers to, as it stands in the cell it was filled from."""
        return take_apart(self.text)[1]

    @property
    def blocks(self) -> list[Block]:
        """The rectangles that it refers to, whatever their sheets."""
        return [reference.shifted(self.rows, self.columns) for reference in self.references]

    def other_sheet(self, title: str) -> str | None:
        """Return another sheet that it refers to, None where it stays on the sheet of this title."""
        sheets = (reference.sheet for reference in self.references)
        return next((sheet for sheet in sheets if sheet is not None and sheet.lower() != title.lower()), None)


@dataclass(frozen=True)
class Fill:
    """Cells that have one formula: the first one's, filled down and to the right; or one array formula's cells."""

    block: Block
    first: CellFormula

    def at(self, row: int, column: int) -> CellFormula:
        """Return the formula of one of the cells."""
        if self.first.array or self.block.is_one_cell:
            return self.first
        down, right = row - self.block.top, column - self.block.left
        return CellFormula(self.first.text, self.first.rows + down, self.first.columns + right)

    def corners(self) -> list[np.ndarray]:
        """Return, for each reference, the rectangle that it is in every cell, row by row.

        Arrays (n_cells, 4) of top, left, bottom, right.
        """
        down, right = (np.arange(n) for n in (self.block.n_rows, self.block.n_columns))
        down, right = (grid.ravel() for grid in np.meshgrid(down, right, indexing="ij"))
        if self.first.array:
            down, right = np.zeros_like(down), np.zeros_like(right)
        return [ref.corners(self.first.rows + down, self.first.columns + right) for ref in self.first.references]

    def reach(self) -> list[tuple[Reference, Block]]:
        """Return the references, each with the smallest rectangle around all that it is in any of the cells."""
        last = self.at(self.block.bottom, self.block.right)
        reached = zip(self.first.references, self.first.blocks, last.blocks, strict=True)
        return [(reference, _around(here, there)) for reference, here, there in reached]


def _around(first: Block, second: Block) -> Block:
    return Block(
        min(first.top, second.top),
        min(first.left, second.left),
        max(first.bottom, second.bottom),
        max(first.right, second.right),
    )

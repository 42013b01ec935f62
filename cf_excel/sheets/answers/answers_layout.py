"""Where everything is in a workbook of answers."""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.sheets.bands import Area, Bands
from cf_excel.xlsx.cells import Block

MOST_PRINTED = 400  # rows


@dataclass(frozen=True)
class AnswersSheet:
    """The only sheet: one of Excel's tables, from the first row on."""

    n_columns: int
    n_rows: int

    @cached_property
    def rows(self) -> Bands:
        return Bands(headers=1, rows=self.n_rows)

    @cached_property
    def columns(self) -> Bands:
        return Bands(columns=self.n_columns)

    table = Area("headers rows", "columns")
    headers = Area("headers", "columns")
    cells = Area("rows", "columns")

    @property
    def freeze(self) -> str:
        """Top left cell of what scrolls."""
        return self.cells.first

    @property
    def rows_on_every_page(self) -> str:
        """What is printed on top of every page."""
        top = self.headers.top
        return f"{top}:{top}"

    @property
    def head(self) -> Block | None:
        """What is printed of a long table, a few pages; None for all of another."""
        return Block(1, 1, MOST_PRINTED + 1, self.n_columns) if self.n_rows > MOST_PRINTED else None

    def width_of(self, column: int) -> Block:
        """Return the cells by which a column's width is set."""
        return self.headers.column(column)

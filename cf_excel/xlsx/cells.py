"""Addresses and rectangles of cells. Rows and columns count from 1."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from cf_excel.errors import InputError

MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384


@lru_cache(maxsize=MAX_COLUMNS)
def column_letters(column: int) -> str:
    """Return the letters of a column: 1 is A, 27 is AA."""
    letters = ""
    while column:
        column, digit = divmod(column - 1, 26)
        letters = chr(65 + digit) + letters
    return letters


@lru_cache(maxsize=1 << 15)
def column_number(letters: str) -> int:
    """Return the number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def cell(row: int, column: int, *, fix_row: bool = False, fix_column: bool = False) -> str:
    """Return the address of a cell, with dollars before what is fixed."""
    return f"{'$' * fix_column}{column_letters(column)}{'$' * fix_row}{row}"


@dataclass(frozen=True)
class Block:
    """A rectangle of cells, bounds included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def n_rows(self) -> int:
        return self.bottom - self.top + 1

    @property
    def n_columns(self) -> int:
        return self.right - self.left + 1

    @property
    def letters(self) -> list[str]:
        """Letters of its columns, from left to right."""
        return [column_letters(column) for column in range(self.left, self.right + 1)]

    @property
    def first(self) -> str:
        """Address of the top left cell."""
        return cell(self.top, self.left)

    def span(self, *, fix_rows: bool = False, fix_columns: bool = False) -> str:
        """Return the address of the rectangle, with dollars before what is fixed.

        A single cell is a range too (A1:A1): some programs look nothing up in A1.
        """
        corners = (self.top, self.left), (self.bottom, self.right)
        return ":".join(cell(row, column, fix_row=fix_rows, fix_column=fix_columns) for row, column in corners)

    @property
    def is_one_cell(self) -> bool:
        return self.n_rows == self.n_columns == 1

    @property
    def address(self) -> str:
        """A1:B2, or A1 for a single cell."""
        return self.first if self.is_one_cell else self.span()

    @property
    def fixed(self) -> str:
        """$A$1:$B$2, or $A$1 for a single cell."""
        span = self.span(fix_rows=True, fix_columns=True)
        return span.partition(":")[0] if self.is_one_cell else span

    def addresses(self) -> Iterator[tuple[int, int]]:
        """Give row and column of its cells, row by row."""
        return product(range(self.top, self.bottom + 1), range(self.left, self.right + 1))

    def row(self, index: int) -> "Block":
        """Return one of its rows, counted from 0."""
        return Block(self.top + index, self.left, self.top + index, self.right)

    def rows_from(self, index: int) -> "Block":
        """Return its rows from one on, counted from 0."""
        return Block(self.top + index, self.left, self.bottom, self.right)

    def column(self, index: int) -> "Block":
        """Return one of its columns, counted from 0."""
        return Block(self.top, self.left + index, self.bottom, self.left + index)


def one_cell(row: int, column: int) -> Block:
    """Return the block of a single cell."""
    return Block(row, column, row, column)


def check_size(title: str, n_rows: int, n_columns: int) -> None:
    """Raise InputError where a sheet would not fit into the 1,048,576 rows and 16,384 columns of every program."""
    if n_rows > MAX_ROWS or n_columns > MAX_COLUMNS:
        raise InputError(
            f"sheet {title} would need {n_rows:,} rows and {n_columns:,} columns, but {MAX_ROWS:,} and {MAX_COLUMNS:,} "
            "is the most: pass smaller --top-users, --top-movies or --factors"
        )


def on_sheet(title: str, block: Block) -> str:
    """Return a fixed address with its sheet: dotprod!$A$1; quoted where the sheet's name needs it."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", title, re.ASCII)
    quoted = title if plain else "'" + title.replace("'", "''") + "'"
    return f"{quoted}!{block.fixed}"

"""A sheet as named bands of rows and of columns; a block of cells is where both meet."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Protocol

from cf_excel.xlsx.cells import Block


class Bands:
    """Rows or columns by name: bands that follow one another from the first on; one of size 0 is left out.

    a | b has both, each from the first row or column on: tables of different heights side by side.
    """

    def __init__(self, **sizes: int) -> None:
        ends = pairwise(accumulate(sizes.values(), initial=0))
        self._ends = {name: (before + 1, end) for name, (before, end) in zip(sizes, ends, strict=True)}

    def __or__(self, other: "Bands") -> "Bands":
        both = Bands()
        both._ends = self._ends | other._ends
        return both

    def __getitem__(self, names: str) -> tuple[int, int]:
        """Return the first and the last row or column of a band, or of "a b": from a band to a later one."""
        bands = [self._ends[name] for name in names.split()]
        return bands[0][0], bands[-1][1]


class Banded(Protocol):
    """A layout that says what its rows and columns are."""

    @property
    def rows(self) -> Bands: ...
    @property
    def columns(self) -> Bands: ...


def meeting(sheet: Banded, rows: str, columns: str, row: int | None = None, column: int | None = None) -> Block:
    """Return the block where bands of rows meet bands of columns, or one of its rows or columns (see Area)."""
    top, bottom = _part(sheet.rows[rows], row)
    left, right = _part(sheet.columns[columns], column)
    return Block(top, left, bottom, right)


def _part(band: tuple[int, int], index: int | None) -> tuple[int, int]:
    first, last = band
    if index is None:
        return band
    at = first + index if index >= 0 else last + 1 + index
    return at, at


@dataclass(frozen=True)
class Area:
    """A block as an attribute of its layout, by names of bands: Area("ratings", "movies").

    row, column: only one of the band's rows or columns, counted from 0, or from the end where it is negative.
    """

    rows: str
    columns: str
    row: int | None = None
    column: int | None = None

    def __get__(self, sheet: Banded, owner: type) -> Block:
        return meeting(sheet, self.rows, self.columns, self.row, self.column)


@dataclass(frozen=True)
class MaybeArea:
    """An area that a sheet may lack: None where a band is left out."""

    rows: str
    columns: str

    def __get__(self, sheet: Banded, owner: type) -> Block | None:
        block = meeting(sheet, self.rows, self.columns)
        return block if block.n_rows and block.n_columns else None

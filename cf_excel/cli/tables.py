"""Tables on the terminal and in pipes."""

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from cf_excel.cli.plain_text import shown

_AT_LEAST = 3  # columns besides the first: a narrower table is folded, because a title may be longer than any line
LEFT = ("title", "model")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], left: Collection[str] = LEFT) -> None:
    """Print a table: framed on a terminal, plain and aligned elsewhere. left: columns of texts; numbers stand right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # for titles that the output's encoding lacks
    console = Console(file=sys.stdout)
    cells = [[shown(" ".join(str(cell).split())) for cell in row] for row in rows]
    if not console.is_terminal:
        _print_lines(headings, cells, left)
        return
    for columns in _beside(headings, cells, console.width):
        table = Table(box=box.SIMPLE_HEAD)
        for i in columns:
            justify: Literal["left", "right"] = "left" if headings[i] in left else "right"
            table.add_column(headings[i], justify=justify, overflow="fold")
        for row in cells:
            table.add_row(*(Text(row[i]) for i in columns))
        console.print(table)


def _print_lines(headings: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[str]) -> None:
    """Print a line a row, however wide: files and pipes don't wrap, and may take a hundred thousand of them."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        cells = []
        for heading, cell, width in zip(headings, row, widths, strict=True):
            blank = " " * (width - cell_len(cell))
            cells.append(cell + blank if heading in left else blank + cell)
        print("  ".join(cells))


def _beside(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Return which columns stand beside each other in the width of the terminal; the first column leads each table."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) + 3 for column in zip(headings, *rows, strict=True)]
    tables, left = [[0]], width - 2 - widths[0]
    for i in range(1, len(widths)):
        if len(tables[-1]) > _AT_LEAST and widths[i] > left:
            tables.append([0])
            left = width - 2 - widths[0]
        tables[-1].append(i)
        left -= widths[i]
    return tables

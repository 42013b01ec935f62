"""Tables on the terminal and in pipes."""

import sys
from collections.abc import Iterable, Sequence

LEFT = ("title", "model")  # columns of texts; numbers stand at the right


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: framed on a terminal, plain and aligned elsewhere."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # for titles that the output's encoding lacks
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = 10_000  # a line a row: files and pipes don't wrap
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=console.is_terminal)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in LEFT else "right", overflow="fold")
    for row in rows:
        cells = (" ".join(str(cell).split()) for cell in row)
        table.add_row(*(Text("".join(c if c.isprintable() else "?" for c in cell)) for cell in cells))
    console.print(table)

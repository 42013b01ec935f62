"""Options and messages of the commands that change a workbook which somebody owns."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cf_excel.cli.messages import note, say

if TYPE_CHECKING:
    from cf_excel.udf.fill_workbook import FillReport, SolveReport, WriteReport
    from cf_excel.udf.functions_workbook import FunctionsReport


def add_workbook_options(parser: argparse.ArgumentParser) -> None:
    """Add the workbook and what to do with it."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a workbook that build made, or one like it")
    parser.add_argument(
        "--sheet", default="all", metavar="NAME", help="dotprod, bias, movielens_emb or another name (default: all)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a copy and leave the workbook as it is")
    parser.add_argument(
        "--backup", action="store_true", help="keep the file that is replaced beside the new one, as NAME.bak.xlsx"
    )
    parser.add_argument("--force", action="store_true", help="put numbers over formulas that stand in factor cells")
    parser.add_argument("--dry-run", action="store_true", help="list the cells that would change, write nothing")


def workbook_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return them as solve and write of cf_excel take them."""
    return {name: getattr(args, name) for name in ("sheet", "out", "backup", "force", "dry_run")}


@contextmanager
def noting_faults() -> Iterator[None]:
    """Print the notes that an error carries, those of the workbook, before the line that says what is wrong."""
    try:
        yield
    except BaseException as error:
        for text in getattr(error, "__notes__", ()):
            note(text)
        raise


def print_report(report: "FillReport | FunctionsReport | SolveReport | WriteReport") -> None:
    """Print what was done, and what the workbook's owner may want to know."""
    for text in report.notes:
        note(text)
    say(*report.lines)

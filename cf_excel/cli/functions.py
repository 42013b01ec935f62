"""python -m cf_excel functions: the functions in a workbook of one's own."""

import argparse
from pathlib import Path

from cf_excel.cli.messages import say
from cf_excel.cli.options import add_command
from cf_excel.cli.workbook_options import print_report


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "functions",
        "Put CF_FILL, CF_PREDICT and their family into a workbook of your own, for Excel on Windows.",
        "python -m cf_excel functions add scores.xlsx",
    )
    parser.add_argument("action", choices=("add", "remove"), help="put the functions in, or take them out")
    parser.add_argument("file", type=Path, metavar="FILE", help="an .xlsx or .xlsm; remove wants the .xlsm")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="workbook to write (default: add writes an .xlsm beside an .xlsx, remove an .xlsx beside the .xlsm)",
    )
    parser.add_argument(
        "--backup", action="store_true", help="keep the file that is replaced beside the new one, as NAME.bak.xlsm"
    )
    parser.add_argument("--force", action="store_true", help="replace a workbook that holds other things")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Add or remove."""
    from cf_excel.udf.functions_workbook import add_functions, remove_functions

    act = add_functions if args.action == "add" else remove_functions
    report = act(args.file, out=args.out, backup=args.backup, force=args.force)
    print_report(report)
    if args.action == "add" and report.path:
        say("open it in Excel on Windows, choose Enable Content, and type =CF_FILL( into a cell")

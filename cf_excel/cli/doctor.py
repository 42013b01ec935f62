"""python -m cf_excel doctor."""

import argparse
import json
from pathlib import Path

from cf_excel.cli.messages import say
from cf_excel.cli.options import add_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "doctor",
        "Check what keeps the functions from working in Excel, and say what to do.",
        "python -m cf_excel doctor collab_filter.xlsm",
    )
    parser.add_argument("workbook", type=Path, nargs="?", metavar="WORKBOOK", help="workbook to check, too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print every check. Raises InputError where something is wrong."""
    from cf_excel.errors import InputError
    from cf_excel.udf.checks import examine

    checks = examine(args.workbook)
    marks = {"ok": "ok     ", "wrong": "WRONG  ", "unknown": "unknown"}
    if args.json:
        names = ("name", "state", "found", "advice")
        print(json.dumps([{name: getattr(check, name) for name in names} for check in checks], indent=2))
    for check in () if args.json else checks:
        say(f"{marks[check.state]} {check.name}: {check.found}")
        if check.advice:
            say(f"        -> {check.advice}")
    wrong = sum(check.state == "wrong" for check in checks)
    if wrong:
        raise InputError(f"{wrong} of {len(checks)} checks found something wrong: see the lines with an arrow")

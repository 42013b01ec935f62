"""python -m cf_excel fill."""

import argparse
from pathlib import Path
from typing import Any

from cf_excel.cli.answers import add_answer_options
from cf_excel.cli.options import add_command, add_picks_options, add_reading_options, reading_options, whole
from cf_excel.cli.workbook_options import noting_faults, print_report
from cf_excel.cli.working import doing


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "fill",
        "Learn from the ratings in a workbook of your own, and write predictions and recommendations into it.",
        "python -m cf_excel fill my_ratings.xlsx --backup",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a workbook with ratings, as a list or as a grid")
    parser.add_argument(
        "--top",
        type=whole,
        default=5,
        metavar="N",
        help="recommendations a user, and similar ones an item (default: 5)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a copy and leave the workbook as it is")
    parser.add_argument(
        "--backup", action="store_true", help="keep the file that is replaced beside the new one, as NAME.bak.xlsx"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, write nothing")
    add_reading_options(parser.add_argument_group("ratings"))
    add_picks_options(parser)
    add_answer_options(parser, run)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read, fit, and write the sheets; return the report."""
    from cf_excel.udf.fill_workbook import fill

    with noting_faults(), doing(f"reading, fitting and writing {args.file}"):
        report = fill(
            args.file,
            top=args.top,
            out=args.out,
            backup=args.backup,
            dry_run=args.dry_run,
            **reading_options(args) | {"implicit": args.implicit or (False if args.explicit else None)},
        )
    print_report(report)
    names = ("path", "backup", "sheets", "rmse", "mean_rmse", "ndcg", "hit_rate", "notes")
    return {name: getattr(report, name) for name in names}

"""python -m cf_excel write."""

import argparse

from cf_excel.cli.options import add_command, add_model_option
from cf_excel.cli.workbook_options import add_workbook_options, noting_faults, print_report, workbook_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "write",
        "Put a trained model into a workbook: a sheet with its numbers and formulas, and the lesson's sheets it fits.",
        "python -m cf_excel write collab_filter.xlsx --backup",
    )
    add_workbook_options(parser)
    add_model_option(parser)
    parser.add_argument(
        "--ids",
        default="auto",
        choices=("auto", "raw", "index"),
        help="whether the workbook names users and movies by raw id, or by index of first appearance, as the course's "
        "own workbook does (default: the one by which its ratings agree with those that the model was trained on)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Match the ids, write factors into the sheets that the model fits, and add the sheet model."""
    from cf_excel.udf.fill_workbook import write

    with noting_faults():
        report = write(args.file, args.model, **workbook_options(args), ids=args.ids)
    print_report(report)

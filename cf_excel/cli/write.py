"""python -m cf_excel write."""

import argparse

from cf_excel.cli.messages import note
from cf_excel.cli.options import add_command, add_model_option
from cf_excel.cli.workbook_options import add_workbook_options, finish, open_target, without_collector


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
        "--movie-ids",
        default="raw",
        choices=("raw", "index"),
        help="whether the workbook names movies by raw id, or by index of first appearance, as the course's own "
        "workbook does (default: raw)",
    )
    parser.set_defaults(run=run)


@without_collector()
def run(args: argparse.Namespace) -> None:
    """Match the ids, write factors into the sheets that the model fits, and add the sheet model."""
    changes = open_target(args)
    from cf_excel.model.file import load_factors
    from cf_excel.sheets.fill.put_model import put_model

    factors = load_factors(args.model)
    report = put_model(changes.book, changes, factors, wanted=args.sheet, movies_by_row=args.movie_ids == "index")
    for text in report.notes:
        note(text)
    finish(args, changes, report.lines)

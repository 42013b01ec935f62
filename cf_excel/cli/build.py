"""python -m cf_excel build."""

import argparse

from cf_excel.cli.options import add_command, add_ratings_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "build", "Write the lesson's workbooks.", "python -m cf_excel build --out lesson")
    add_ratings_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Build the workbooks."""

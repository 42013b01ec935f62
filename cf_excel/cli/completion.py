"""python -m cf_excel completion."""

import argparse
from pathlib import Path

from cf_excel.cli.options import add_command, place

SHELLS = ("bash", "zsh", "tcsh")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "completion",
        "Print the script by which a shell completes commands and options of cf_excel at a tab.",
        "python -m cf_excel completion bash > ~/.cf_excel.bash  # and in ~/.bashrc: source ~/.cf_excel.bash",
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or tcsh")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the script."""
    import shtab

    from cf_excel.cli import make_parser, parsers_of

    parser = make_parser()
    for command in parsers_of(parser).values():
        for action in command._actions:
            if action.type in (Path, place):
                vars(action)["complete"] = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
    print(shtab.complete(parser, args.shell))

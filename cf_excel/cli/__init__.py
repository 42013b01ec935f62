"""The command line: one module a command, each with add_parser(commands) and run(args)."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from cf_excel import __version__
from cf_excel.errors import CfExcelError

COMMANDS = (
    *("build", "solve", "train", "write", "score", "plot", "evaluate", "export"),
    *("libreoffice", "doctor", "serve"),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of every command; nothing heavy is imported."""
    parser = _Parser(prog="cf_excel", description="Collaborative filtering in a spreadsheet and at full size.")
    parser.add_argument("--version", action="version", version=f"cf_excel {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"cf_excel.cli.{name}").add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 after one line on stderr that says what is wrong."""
    args = make_parser().parse_args(argv)
    try:
        args.run(args)
    except CfExcelError as error:
        print(f"cf_excel {args.command}: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print(f"cf_excel {args.command}: not enough memory for this table", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"cf_excel {args.command}: stopped, nothing was written", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return 0

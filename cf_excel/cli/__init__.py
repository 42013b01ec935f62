"""The command line: one module a command, each with add_parser(commands) and run(args)."""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from importlib import import_module

from cf_excel import __version__
from cf_excel.cli.signals import ending_in_order
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


@ending_in_order()
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 after one line on stderr that says what is wrong."""
    if hasattr(sys.stdout, "reconfigure"):
        # names of files and sheets may hold what the terminal's encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    args = make_parser().parse_args(argv)
    try:
        args.run(args)
        if sys.stdout:
            sys.stdout.flush()
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
        _drop_output()
    except OSError as error:  # not from files of ours, which raise FileError: most likely the output's disk is full
        _drop_output()
        print(f"cf_excel {args.command}: can't go on, or print what was done: {error}", file=sys.stderr)
        return 2
    return 0


def _drop_output() -> None:
    """Close the output, so that Python does not try again, in vain, to write what is left of it."""
    with contextlib.suppress(OSError):
        sys.stdout.close()

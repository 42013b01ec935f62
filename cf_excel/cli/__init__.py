"""The command line: one module a command, each with add_parser(commands) and run(args)."""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from cf_excel import __version__, files
from cf_excel.cli.messages import complain, lasting_output
from cf_excel.cli.plain_text import shown
from cf_excel.cli.signals import ending_in_order
from cf_excel.cli.working import working_line
from cf_excel.errors import CfExcelError, needs

COMMANDS = (
    *("build", "solve", "train", "write", "fill", "score", "plot", "evaluate", "export"),
    *("functions", "libreoffice", "doctor", "serve", "completion"),
)


_NO_MEMORY = "not enough memory for this table and these options"


class _Parser(argparse.ArgumentParser):
    def _check_value(self, action: argparse.Action, value: object) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            close = get_close_matches(str(value), map(str, action.choices or ()), n=1)
            if close:
                error.message += f": did you mean {close[0]}?"
            raise

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return what argparse does, but end here, where the command is known, with options that it lacks."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            close = [*get_close_matches(unknown[0].partition("=")[0], self._option_string_actions, n=1, cutoff=0.75)]
            hint = f": did you mean {close[0]}?" if close else ""
            if not close and not unknown[0].startswith("-"):
                hint = ": a name with blanks needs quotes around it"
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {shown(message)} (see {self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of every command; nothing heavy is imported."""
    parser = _Parser(prog="cf_excel", description="Collaborative filtering in a spreadsheet and at full size.")
    parser.add_argument("--version", action="version", version=f"cf_excel {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"cf_excel.cli.{name}").add_parser(commands)
    return parser


def parsers_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every command by its name."""
    return next(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))


@ending_in_order()
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 after one line on stderr that says what is wrong."""
    n_before, command = len(files.written), "cf_excel"
    try:
        with lasting_output() as output:
            args = make_parser().parse_args(argv)
            command = f"cf_excel {args.command}"
            silent = args.command == "serve" or getattr(args, "json", False) or getattr(args, "quiet", False)
            with nullcontext() if silent else working_line(command):
                args.run(args)
    except CfExcelError as error:
        complain(f"{command}: {error}")
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "cf_excel"):
            raise
        complain(f"{command}: {needs(package)}")
        return 2
    except MemoryError:
        complain(f"{command}: {_NO_MEMORY}")
        return 2
    except RuntimeError as error:
        if "memory" not in str(error):  # torch has no class of its own for this on the CPU
            raise
        on_gpu = "; that of the GPU was too small: --device cpu does without" if "CUDA" in str(error) else ""
        complain(f"{command}: {_NO_MEMORY}{on_gpu}")
        return 2
    except KeyboardInterrupt:
        complain(f"{command}: {stopped(n_before)}")
        return 130
    except OSError as error:  # not from files of ours, which raise FileError
        complain(f"{command}: can't go on: {error}")
        return 2
    if output.fault and not isinstance(output.fault, BrokenPipeError):
        complain(f"{command}: done, but what it prints can't be written: {output.fault.strerror}")
        return 2
    return 0


def stopped(n_before: int = 0) -> str:
    """Return what to say after Ctrl-C: what was written until there, from the n_before-th file on."""
    names = ", ".join(map(str, dict.fromkeys(files.written[n_before:])))
    return f"stopped; written before: {names}" if names else "stopped, nothing was written"

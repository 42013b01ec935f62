"""--json and --quiet: a command's report for programs, or none."""

import argparse
import io
import json
import math
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from typing import Any


def add_answer_options(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], dict[str, Any]]) -> None:
    """Add --json and --quiet to a command. run: does it, prints its report, and returns what that says."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON instead of the report, once all is done")
    how.add_argument("--quiet", action="store_true", help="print no report: only notes and what is wrong, on stderr")
    parser.set_defaults(run=partial(_run, run))


def _run(run: Callable[[argparse.Namespace], dict[str, Any]], args: argparse.Namespace) -> None:
    if not (args.json or args.quiet):
        run(args)
        return
    with redirect_stdout(io.StringIO()):
        answer = run(args)
    if args.json:
        print(json.dumps(plain(answer), indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: null for what is no number, and other things by their names."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)

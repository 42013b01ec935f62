"""python -m cf_excel solve."""

import argparse
from typing import TYPE_CHECKING

from cf_excel.cli.messages import note, say
from cf_excel.cli.options import add_command, whole
from cf_excel.cli.workbook_options import add_workbook_options, finish, open_target, without_collector
from cf_excel.errors import InputError

if TYPE_CHECKING:
    from cf_excel.model.parameters import Parameters
    from cf_excel.sheets.find.found_sheet import FoundSheet

_MOST_STEPS = 1_000_000  # a sheet has room for the RMSE of each


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "solve",
        "Fit the factors of a workbook's sheets to its ratings, as the lesson does with Excel's Solver.",
        "python -m cf_excel solve collab_filter.xlsx --backup",
    )
    add_workbook_options(parser)
    parser.add_argument(
        "--optimizer",
        default="lm",
        choices=("lm", "adam", "sgd"),
        help="least squares, or gradient descent the lesson's way (default: lm)",
    )
    parser.add_argument("--steps", type=whole, metavar="N", help="most steps (default: 1000 of lm, 2000 of the others)")
    parser.add_argument("--lr", type=float, metavar="RATE", help="learning rate of adam and sgd (default: 0.05)")
    parser.add_argument(
        "--l2", type=float, default=0.0, metavar="WEIGHT", help="weight of the squares of all numbers (default: 0)"
    )
    parser.add_argument(
        "--hold-out",
        type=float,
        metavar="PART",
        help="fit without this part of the ratings, from random numbers, and show their RMSE, too",
    )
    parser.add_argument("--seed", type=whole, default=42, metavar="N", help="seed of held-out cells and random numbers")
    parser.add_argument("--history", action="store_true", help="add a sheet with the RMSE of every step and its chart")
    parser.set_defaults(run=run)


@without_collector()
def run(args: argparse.Namespace) -> None:
    """Fit every sheet and write the factors back."""
    _check(args)
    changes = open_target(args)
    from cf_excel.sheets.fill.history_sheet import add_history
    from cf_excel.sheets.fill.sheet_fit import SheetRatings, rmse_of
    from cf_excel.sheets.fill.solver import solve
    from cf_excel.sheets.find.find_sheet import lesson_sheets

    if args.history and changes.is_live:
        raise InputError(f"--history adds a sheet to the file: close {args.file} in Excel, or pass --out for a copy")
    notes: list[str] = []
    sheets = lesson_sheets(changes.book, args.sheet, notes=notes)
    for text in notes:
        note(text)
    if args.hold_out:
        note("--hold-out starts from random numbers: the sheets' may know the held-out ratings")
    rows, histories = [], {}
    for sheet in sheets:
        ratings = SheetRatings(sheet.user_idx, sheet.movie_idx, sheet.rating, sheet.link)
        if not len(ratings) or (args.hold_out and len(ratings) < 2):
            raise InputError(f"sheet {sheet.title} has {len(ratings)} ratings: nothing to fit")
        fitted, held = ratings.split(args.hold_out, args.seed) if args.hold_out else (ratings, None)
        start = _start(sheet, args.seed, anew=bool(args.hold_out))
        options = {"optimizer": args.optimizer, "steps": args.steps, "lr": args.lr, "l2": args.l2}
        solved, history = solve(fitted, start, **options)
        changes.put(sheet, solved)
        histories[sheet.title] = history
        held_out = (len(held), rmse_of(start, held), rmse_of(solved, held)) if held else ()
        rows.append((sheet.title, len(fitted), history[0], history[-1], *held_out))
    changes.apply()
    if args.history:
        added = add_history(changes.book, sheets, histories, args.optimizer)
        rows_added = f"added the sheet {added}: the RMSE of every step and its chart"
    finish(args, changes, _table(rows))
    if args.history and not args.dry_run:
        say(rows_added)


def _check(args: argparse.Namespace) -> None:
    if args.steps is not None and args.steps < 1:
        raise InputError(f"--steps {args.steps}: expected 1 or more")
    if args.steps is not None and args.steps > _MOST_STEPS:
        raise InputError(f"--steps {args.steps}: {_MOST_STEPS:,} is the most")
    if args.lr is not None and not 0 < args.lr < float("inf"):
        raise InputError(f"--lr {args.lr}: expected a number above 0")
    if not 0 <= args.l2 < float("inf"):
        raise InputError(f"--l2 {args.l2}: expected 0 or more")
    if args.hold_out is not None and not 0 < args.hold_out < 1:
        raise InputError(f"--hold-out {args.hold_out}: expected a part between 0 and 1, such as 0.1")
    if args.seed < 0:
        raise InputError(f"--seed {args.seed}: expected 0 or more")
    if args.optimizer == "lm" and (args.history or args.lr is not None):
        option = "--history" if args.history else "--lr"
        raise InputError(f"{option} belongs to the steps of adam and sgd: add --optimizer adam")


def _start(sheet: "FoundSheet", seed: int, *, anew: bool) -> "Parameters":
    """Return the sheet's numbers; blank cells, and with anew those of everyone who rated or is rated, are random."""
    import numpy as np

    from cf_excel.model.parameters import Parameters

    rng, arrays = np.random.default_rng(seed), {}
    rated = {"user": sheet.user_idx, "movie": sheet.movie_idx}
    for name, array in sheet.numbers().arrays.items():
        drawn, is_open = rng.random(array.shape), np.isnan(array)
        if anew:
            is_open[rated[name.partition("_")[0]]] = True
        arrays[name] = np.where(is_open, drawn, array)
    return Parameters(**arrays)


def _table(rows: list[tuple]) -> list[str]:
    """Return the lines that show the RMSE of each sheet, of held-out ratings, too, where there are some."""
    columns = f"{'RMSE before':>14}{'after':>14}"
    lines = [f"{'sheet':<16}{'ratings':>8}{columns}" + (f"{'held out':>10}{columns}" if len(rows[0]) > 4 else "")]
    for title, n, before, after, *held in rows:
        line = f"{title:<16}{n:>8,}{_shown(before)}{_shown(after)}"
        lines.append(line + (f"{held[0]:>10,}{_shown(held[1])}{_shown(held[2])}" if held else ""))
    return lines


def _shown(rmse: float) -> str:
    text = f"{rmse:.6f}" if rmse < 1e5 else f"{rmse:.5e}"
    return f" {text:>13}"

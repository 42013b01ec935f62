"""python -m cf_excel write."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.options import add_command
from cf_excel.cli.workbook_options import add_workbook_options, check_target, finish, without_collector

if TYPE_CHECKING:
    from cf_excel.book.edit.found import FoundSheet
    from cf_excel.book.edit.matching import Matched

_MOST_NAMED = 8


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "write",
        "Put a trained model into a workbook: a sheet with its numbers and formulas, and the lesson's sheets it fits.",
        "python -m cf_excel write collab_filter.xlsx --backup",
    )
    add_workbook_options(parser)
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="the model file (default: CF_EXCEL_MODEL, or where train left it)"
    )
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
    target = check_target(args)
    from cf_excel.book.edit.matching import choose, large_misfits, match, misfit, misfit_of_kind, numbers_for
    from cf_excel.book.edit.opened import OpenedBook, lesson_sheets
    from cf_excel.book.edit.write_back import WriteBack
    from cf_excel.model_file import load_factors

    factors = load_factors(args.model)
    book = OpenedBook(args.file)
    skipped = large_misfits(book, factors) if args.sheet == "all" else []
    sheets = lesson_sheets(book, args.sheet, skipped)
    matches = [match(sheet, factors, movies_by_row=args.movie_ids == "index") for sheet in sheets]
    chosen = choose(sheets, factors, matches)
    changes = WriteBack(book, force=args.force)
    lines = []
    for sheet, matched in zip(sheets, matches, strict=True):
        _name_unknown(sheet, matched)
        reason = misfit(sheet, factors)
        if reason:
            lines.append(f"left alone: {reason}")
        else:
            changes.put(sheet, numbers_for(sheet, factors, matched))
            n_users, n_movies = ((rows >= 0).sum() for rows in (matched.users, matched.movies))
            lines.append(f"sheet {sheet.title}: factors of {n_users:,} users, {n_movies:,} movies")
    for title in skipped:
        lines.append(f"left alone: {misfit_of_kind(title, book.form(title), factors, sheets[0].n_factors)}")
    if changes.cells:
        changes.apply()
    from cf_excel.book.edit.model_sheet import add_model_sheet  # loaded while the others are packed

    title, rmse = add_model_sheet(book, sheets, factors, chosen)
    n = len(chosen.users), len(chosen.movies)
    lines.append(f"sheet {title}: {n[0]:,} users, {n[1]:,} movies, RMSE of the ratings {rmse:.6f}")
    print("\n".join(lines))
    finish(args, target, changes)


def _name_unknown(sheet: "FoundSheet", matched: "Matched") -> None:
    for side, ids in matched.unknown(sheet).items():
        if ids:
            named = ", ".join(map(str, ids[:_MOST_NAMED])) + (" and more" if len(ids) > _MOST_NAMED else "")
            print(f"note: sheet {sheet.title}: {side} {named} not in the model, left alone", file=sys.stderr)

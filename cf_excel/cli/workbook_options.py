"""Options and messages of the commands that change a workbook which somebody owns."""

import argparse
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.messages import note, say
from cf_excel.cli.options import check_outputs
from cf_excel.errors import InputError, OpenInExcelError
from cf_excel.files import followed

if TYPE_CHECKING:
    from cf_excel.sheets.fill.write_back import WriteBack
    from cf_excel.udf.live import LiveChanges

_SUFFIXES = (".xlsx", ".xlsm")


def add_workbook_options(parser: argparse.ArgumentParser) -> None:
    """Add the workbook and what to do with it."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a workbook that build made, or one like it")
    parser.add_argument(
        "--sheet", default="all", metavar="NAME", help="dotprod, bias, movielens_emb or another name (default: all)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a copy and leave the workbook as it is")
    parser.add_argument(
        "--backup", action="store_true", help="keep the file that is replaced beside the new one, as NAME.bak.xlsx"
    )
    parser.add_argument("--force", action="store_true", help="put numbers over formulas that stand in factor cells")
    parser.add_argument("--dry-run", action="store_true", help="list the cells that would change, write nothing")


def open_target(args: argparse.Namespace) -> "WriteBack | LiveChanges":
    """Open the workbook that is to change: the file, or what Excel has open of it.

    Raises FileError and InputError where it can't be changed or is no workbook.
    """
    if args.out and args.out.suffix.lower() != args.file.suffix.lower():
        raise InputError(f"--out {args.out}: expected a name that ends in {args.file.suffix}, as the workbook's does")
    if not args.dry_run:
        try:
            check_outputs(args, args.out or args.file)
        except OpenInExcelError:
            live = None if args.out else _live(args)
            if live is None:
                raise
            return live
    from cf_excel.sheets.fill.write_back import WriteBack
    from cf_excel.sheets.find.lesson_book import LessonBook

    return WriteBack(LessonBook(args.file), force=args.force)


def _live(args: argparse.Namespace) -> "LiveChanges | None":
    from cf_excel.udf.live import LiveBook, LiveChanges, find_open_book

    book = find_open_book(args.file)
    if book is None:
        return None
    if args.backup:
        raise InputError(f"--backup copies the file as it is saved: save {args.file} in Excel under another name")
    return LiveChanges(LiveBook(book), force=args.force)


@contextmanager
def without_collector() -> Iterator[None]:
    """Let Python not search for cycles: there are millions of cells and no cycles among them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def finish(args: argparse.Namespace, changes: "WriteBack | LiveChanges", results: list[str]) -> None:
    """Write the workbook, or list what would be written; results are lines to print once they are true."""
    for text in changes.book.notes:
        note(text)
    if changes.is_live:
        say(*results)
        say(f"wrote into {args.file}, which is open in Excel: save it there")
        return
    if args.dry_run:
        say(*results)
        list_changes(changes)
        return
    from cf_excel.xlsx.edit.target import backup_path

    target = followed(args.out or args.file)
    backup = backup_path(target) if args.backup and os.path.exists(target) else None
    changes.book.archive.save(target, backup=backup)
    say(*results)
    for title, (_, cleared) in changes.stale_counts.items():
        if cleared:
            say(f"{title}: {cleared:,} results of formulas to be calculated when the workbook opens")
    if any(name.startswith("_xmlsignatures/") for name in changes.book.archive.names):
        note("the workbook is signed; its signature no longer fits")
    say(f"wrote {target}" + (f", the former one is {backup}" if backup else ""))


def list_changes(changes: "WriteBack") -> None:
    """Print every constant that would change and how many results of formulas would."""
    for title, address, old, new in changes.changes():
        shown = "blank" if old is None else f"{old:.6g}" if isinstance(old, float) else repr(old)
        say(f"{title}!{address}  {shown} -> {new:.6g}")
    for title, (fresh, cleared) in changes.stale_counts.items():
        taken = f", {cleared:,} to be calculated when the workbook opens" if cleared else ""
        say(f"{title}: {fresh:,} results of formulas computed anew{taken}")
    say("dry run: nothing was written")

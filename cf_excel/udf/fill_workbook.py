"""Fit a workbook that somebody owns, or put a model into it: its file, or what Excel has open of it.

What the commands solve and write do, for Python, too.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from cf_excel.errors import InputError, OpenInExcelError, wrong_type
from cf_excel.files import check_target
from cf_excel.model.factors import AnyModel, Factors, factors_of
from cf_excel.sheets.fill.changes import Changes, Outcome

if TYPE_CHECKING:
    import xlwings

    from cf_excel.sheets.fill.fit_sheets import SheetFit
    from cf_excel.sheets.find.find_sheet import Workbook
    from cf_excel.sheets.own.put_drafts import DraftBook
    from cf_excel.xlsx.edit.workbook_file import OpenedBook

WorkbookOrPath: TypeAlias = "str | os.PathLike[str] | xlwings.Book"


@dataclass(frozen=True, repr=False)
class SolveReport(Outcome):
    """What solve did: how each sheet was fitted, the name of the sheet `history` if one was added, and notes.

    str() gives the lines that the command prints. notes: what the workbook's owner may want to know, a line each.
    """

    sheets: "tuple[SheetFit, ...]" = ()
    history_sheet: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class WriteReport(Outcome):
    """What write did: which sheets got factors, the name of the sheet with the model, and its RMSE in rating units.

    str() gives the lines that the command prints. notes: what the workbook's owner may want to know, a line each.
    """

    sheets: tuple[str, ...] = ()
    model_sheet: str = ""
    rmse: float = float("nan")
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class FillReport(Outcome):
    """What fill did: the sheets that it wrote, and the model's error on ratings held out (RMSE, in rating units).

    str() gives the lines that the command prints. notes: what the workbook's owner may want to know, a line each.
    mean_rmse: the error of the mean of all ratings, on the same ones. Of a table of picks both are NaN, and ndcg and
    hit_rate, 0 to 1, are those of lists of 10 on picks held out.
    """

    sheets: tuple[str, ...] = ()
    rmse: float = float("nan")
    mean_rmse: float = float("nan")
    ndcg: float = float("nan")
    hit_rate: float = float("nan")
    notes: tuple[str, ...] = ()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Let Python not search for cycles: there are millions of cells and no cycles among them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_collector()
def solve(
    workbook: WorkbookOrPath,
    *,
    sheet: str = "all",
    optimizer: str = "lm",
    steps: int | None = None,
    lr: float | None = None,
    l2: float = 0.0,
    hold_out: float | None = None,
    seed: int = 42,
    history: bool = False,
    out: str | os.PathLike[str] | None = None,
    backup: bool = False,
    force: bool = False,
    dry_run: bool = False,
    tell: Callable[[int, int], None] | None = None,
) -> SolveReport:
    """Fit the factors of a workbook's sheets to its ratings, as the lesson does with Excel's Solver.

    workbook: a file, or a workbook that is open in Excel, as xlwings.Book gives it; a file that Excel has open is
    changed there, and nothing is saved. sheet: a sheet's name or "all". optimizer: "lm" (least squares), "adam" or
    "sgd", with steps at most (1000 of lm, 2000 of the others) and a learning rate lr (0.05). l2: weight of the squares
    of all numbers. hold_out: the part of the ratings, between 0 and 1, that is not fitted and whose RMSE is shown, too;
    seed chooses them and the random numbers. history: add a sheet with the RMSE of every step. out: write a copy there.
    backup: keep the file that is replaced. force: put numbers over formulas in factor cells. dry_run: change nothing.
    tell: called with how many sheets are fitted, and how many there are.

    Return how each sheet was fitted (RMSE in rating units), and what was written. Raises InputError for options that
    can't work, for a workbook without the lesson's sheets and for one that can't be fitted; FileError where a file
    can't be read or written. Messages name options as the command does; notes of an error are what was found before.
    """
    from cf_excel.sheets.fill.fit_sheets import FitOptions, fit_sheets, fit_table

    options = FitOptions(optimizer, steps, lr, l2, hold_out, seed, history)
    changes = _changes(workbook, out, [], backup=backup, force=force, dry_run=dry_run, history=history)
    with _telling(changes.book):
        fits, added = fit_sheets(changes, options, sheet, tell)
        outcome = changes.finish()
    lines = [*fit_table(fits), *outcome.lines]
    if added and not dry_run:
        lines.append(f"added the sheet {added}: the RMSE of every step and its chart")
    return SolveReport(
        **vars(outcome) | {"lines": tuple(lines)},
        sheets=fits,
        history_sheet=None if dry_run else added,
        notes=tuple(changes.book.notes),
    )


@_without_collector()
def write(
    workbook: WorkbookOrPath,
    model: AnyModel | str | os.PathLike[str] | None = None,
    *,
    sheet: str = "all",
    ids: str = "auto",
    out: str | os.PathLike[str] | None = None,
    backup: bool = False,
    force: bool = False,
    dry_run: bool = False,
) -> WriteReport:
    """Put a trained model into a workbook: a sheet with its numbers and formulas, and the lesson's sheets it fits.

    workbook: a file, or a workbook that is open in Excel, as xlwings.Book gives it; a file that Excel has open is
    changed there, and nothing is saved. model: what fit or train returned, or a file, without one what train wrote
    last. sheet: a sheet's name or "all". ids: whether the workbook names users and movies by "raw" id, or by
    "index" of first appearance, as the course's own workbook does; "auto" for the one by which its ratings agree with
    those that the model was trained on. out: write a copy there. backup: keep the file that is replaced. force: put
    numbers over formulas in factor cells. dry_run: change nothing.

    Return which sheets got factors, the RMSE of the model's predictions of the workbook's ratings (in rating units),
    and what was written. Raises InputError for options that can't work, for a workbook without the lesson's sheets and
    for a model that knows none of its ids; FileError where a file can't be read or written. Messages name options as
    the command does; notes of an error are what was found before.
    """
    from cf_excel.model.file import default_model_path, load_factors
    from cf_excel.sheets.fill.matching import NAMINGS
    from cf_excel.sheets.fill.put_model import put_model

    if ids not in NAMINGS:
        raise InputError(f"--ids {ids}: expected one of {', '.join(NAMINGS)}")
    if model is None or isinstance(model, str | os.PathLike):
        model = default_model_path() if model is None else Path(model)
    else:
        model = factors_of(model)
    inputs = [] if isinstance(model, Factors) else [model]
    changes = _changes(workbook, out, inputs, backup=backup, force=force, dry_run=dry_run)
    with _telling(changes.book):
        factors = model if isinstance(model, Factors) else load_factors(model)
        filled = put_model(changes, factors, wanted=sheet, naming=ids)
        outcome = changes.finish()
    return WriteReport(
        **vars(outcome) | {"lines": (*filled.lines, *outcome.lines)},
        sheets=filled.sheets,
        model_sheet=filled.model_sheet,
        rmse=filled.rmse,
        notes=tuple(changes.book.notes),
    )


@_without_collector()
def fill(
    workbook: WorkbookOrPath,
    *,
    top: int = 5,
    out: str | os.PathLike[str] | None = None,
    backup: bool = False,
    dry_run: bool = False,
    **reading: Any,
) -> FillReport:
    """Learn from the ratings in a workbook of one's own, and write into it what is predicted from them.

    The sheets are `predictions` (the grid, its blanks predicted), `recommendations` (the top best of each user),
    `similar` (as many of each item) and `fit` (how good that is). A table without ratings, of orders, plays or likes,
    gets `scores` in place of `predictions`; implicit=True or False says whether it is one. Sheets of an earlier call
    are replaced and keep their widths, formats and filters; every other part of the file stays as it is.
    workbook: an .xlsx or .xlsm file, or a workbook that is open in Excel, as xlwings.Book gives it; a file that Excel
    has open is read as it is there and changed there, and nothing is saved. out: write a copy there. backup: keep the
    file that is replaced. dry_run: write nothing. reading: which ratings and how, as load_ratings takes them (sheet,
    cells, form, columns, ...).

    Return what was written, and the error on ratings held out. Raises InputError where no ratings are found, where
    nothing can be learnt from them and where Excel refuses, FileError where a file can't be read or written.
    """
    from cf_excel.sheets.fill.write_back import save_book
    from cf_excel.sheets.own.put_drafts import FileDrafts
    from cf_excel.xlsx.edit.workbook_file import OpenedBook

    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InputError(f"--top {top}: expected a whole number, 1 or more")
    path, is_open = _opened(workbook, out, [], backup=backup, dry_run=dry_run)
    if is_open is not None:
        from cf_excel.udf.live import live_outcome, refuse_backup
        from cf_excel.udf.live_cells import saved_copy
        from cf_excel.udf.live_drafts import LiveDrafts

        if backup:
            refuse_backup(path)
        with saved_copy(is_open) as copy:
            now = OpenedBook(copy)
            return _fill(LiveDrafts(is_open, now), now, top, reading, lambda: live_outcome(path))
    target, book = _target(path, None if out is None else Path(out)), OpenedBook(path)
    if dry_run:
        return _fill(FileDrafts(book), book, top, reading, lambda: Outcome(("dry run: nothing was written",)))
    return _fill(
        FileDrafts(book), book, top, reading, lambda: save_book(book, target, backup=backup, is_known_again=True)
    )


def _fill(
    book: "DraftBook", source: "OpenedBook", top: int, reading: dict[str, Any], finish: Callable[[], Outcome]
) -> FillReport:
    """Fill a workbook from the ratings in a file, and finish it."""
    from cf_excel.learn.table_fit import TableFit
    from cf_excel.learn.table_picks import fit_own_table
    from cf_excel.ratings.readers import load_ratings
    from cf_excel.sheets.own.fill_own import check_fit, fill_own, with_nouns
    from cf_excel.sheets.own.put_drafts import refuse_filled

    refuse_filled(source, reading.get("sheet"))
    ratings = with_nouns(load_ratings(source.path, **{"implicit": None} | reading))
    book.notes.extend(ratings.notes)
    with _telling(book):
        fit = fit_own_table(ratings)
        check_fit(fit, ratings)
        filled = fill_own(book, ratings, fit, top)
    outcome = finish()
    report = FillReport(
        **vars(outcome) | {"lines": (*filled.lines, *outcome.lines)}, sheets=filled.sheets, notes=tuple(book.notes)
    )
    if isinstance(fit, TableFit):
        return replace(report, rmse=fit.rmse, mean_rmse=fit.mean_rmse)
    return replace(report, ndcg=fit.quality.ndcg, hit_rate=fit.quality.hit_rate) if fit.quality else report


def _opened(
    workbook: WorkbookOrPath,
    out: str | os.PathLike[str] | None,
    inputs: list[Path],
    *,
    backup: bool,
    dry_run: bool,
) -> "tuple[Path, xlwings.Book | None]":
    """Return what messages call a workbook, and what Excel has open of it, None where its file is to be changed.

    inputs: files that are never to be replaced. Raises FileError and InputError where the workbook can't be changed as
    it is wanted.
    """
    if not isinstance(workbook, str | os.PathLike):
        if not hasattr(workbook, "sheets"):
            raise wrong_type(workbook, "the path of a workbook, or an xlwings.Book")
        if out is not None or dry_run:
            raise InputError(f"{workbook.name} is open in Excel: --out and --dry-run read a file, pass its path")
        return Path(workbook.name), workbook
    path, copy = Path(workbook), None if out is None else Path(out)
    target = _target(path, copy)
    if not dry_run:
        from cf_excel.udf import open_books
        from cf_excel.xlsx.edit.known_copies import check_copy

        try:
            check_target(target, inputs)
        except OpenInExcelError:
            book = None if copy else open_books.find_open_book(path)
            if book is None:
                raise
            return path, book
        if copy:
            open_books.refuse_open_in_cloud(copy)
            if not backup:
                check_copy(copy, path)
        else:
            return path, open_books.find_in_cloud(path)
    return path, None


def _changes(
    workbook: WorkbookOrPath,
    out: str | os.PathLike[str] | None,
    inputs: list[Path],
    *,
    backup: bool,
    force: bool,
    dry_run: bool,
    history: bool = False,
) -> Changes:
    """Return what takes the changes: of the file, or of what Excel has open of it. inputs: never to be replaced.

    Raises FileError and InputError where the workbook can't be changed as it is wanted, or is none.
    """
    path, is_open = _opened(workbook, out, inputs, backup=backup, dry_run=dry_run)
    if is_open is not None:
        from cf_excel.udf.live import LiveBook, LiveChanges

        changes = LiveChanges(LiveBook(is_open, path), force=force)
        changes.check(backup=backup, history=history)
        return changes
    from cf_excel.sheets.fill.write_back import WriteBack
    from cf_excel.sheets.find.lesson_book import LessonBook

    target = None if dry_run else _target(path, None if out is None else Path(out))
    return WriteBack(LessonBook(path), target, backup=backup, force=force)


def _target(path: Path, copy: Path | None) -> Path:
    """Return the file to write. Raises InputError for a copy of another kind."""
    if copy and copy.suffix.lower() != path.suffix.lower():
        raise InputError(f"--out {copy}: expected a name that ends in {path.suffix}, as the workbook's does")
    return copy or path


@contextmanager
def _telling(book: "Workbook | DraftBook") -> Iterator[None]:
    """Let errors carry the notes of the workbook."""
    try:
        yield
    except BaseException as error:
        for text in book.notes:
            error.add_note(text)
        raise

"""Bring learned numbers into a workbook's sheets: which cells change, from what to what, and which formulas follow."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import numpy as np

from cf_excel.errors import InputError, LayoutError
from cf_excel.files import followed
from cf_excel.model.factors import Factors
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.fill.changes import CellChange, Outcome
from cf_excel.sheets.fill.matching import Chosen
from cf_excel.sheets.find.found_sheet import FoundSheet
from cf_excel.sheets.find.lesson_book import LessonBook
from cf_excel.xlsx.cells import cell
from cf_excel.xlsx.edit.change import change
from cf_excel.xlsx.edit.known_copies import seal_copy
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_xml import Address
from cf_excel.xlsx.edit.target import backup_path
from cf_excel.xlsx.edit.workbook_file import OpenedBook


@dataclass
class WriteBack:
    """Changes of constants by sheet, with the results of the formulas that are known.

    target: the file to write, None for a dry run. backup: whether to keep a file that stands there beside it.
    """

    book: LessonBook
    target: Path | None
    backup: bool = False
    force: bool = False
    cells: dict[str, dict[Address, float]] = field(default_factory=dict)
    results: dict[str, Results] = field(default_factory=dict)
    # by sheet, how many results of formulas are computed anew, and how many are taken out
    stale_counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def put(self, sheet: FoundSheet, numbers: Parameters) -> None:
        """Put numbers into a sheet's factor cells; NaN leaves a cell alone.

        Raises InputError where a cell holds a formula, unless force is set.
        """
        numbers = sheet.leave_idle(numbers)
        cells = sheet.cells_of(numbers)
        check_constants(sheet, cells, force=self.force)
        self.cells[sheet.title] = cells
        with np.errstate(over="ignore", invalid="ignore"):
            self.results[sheet.title] = sheet.results(_filled(numbers, sheet))

    def apply(self) -> None:
        """Make the changes in the workbook's parts; the book's save writes them."""
        self._follow()
        fresh = change(self.book, self.cells, self.results, drop_formulas=self.force)
        for title, (n_results, n_unknown) in ((title, known.counts()) for title, known in fresh.items()):
            self.stale_counts[title] = n_results - n_unknown, n_unknown

    def _follow(self) -> None:
        """Compute the results of the sheets that show factors of those that change."""
        names = [escape(title.replace("'", "''"), quote=False) for title in self.cells]
        references = [f"{name}{end}!".encode() for name in names for end in ("", "'")]
        for title in self.book.titles:
            if title in self.cells or not any(name in self.book.sheet_bytes(title) for name in references):
                continue
            try:
                found = self.book.find(title)
            except LayoutError:
                continue  # whatever it shows is left to be calculated
            if found and found.shown_factors:
                shown = {place: self._shown(*source) for place, source in found.shown_factors.items()}
                results = found.results(found.numbers_of(shown))
                results.put_cells({**shown})
                self.results[title] = results

    def _shown(self, title: str, place: Address) -> float:
        """Return the number that a cell will hold, NaN where that is not known."""
        new = self.cells.get(title, {})
        if place in new:
            return new[place]
        old = self.book.sheet(title).value(place) if title in self.book.titles else None
        return old if isinstance(old, float) else np.nan

    def add_model(self, sheets: list[FoundSheet], factors: Factors, chosen: Chosen) -> tuple[str, float]:
        """Add the sheet `model`; return its name and the RMSE of the predictions of the workbook's ratings."""
        from cf_excel.sheets.fill.model_sheet import add_model_sheet  # loaded while large sheets are packed

        return add_model_sheet(self.book, sheets, factors, chosen)

    def add_history(self, sheets: list[FoundSheet], histories: dict[str, list[float]], optimizer: str) -> str:
        """Add the sheet `history` with the RMSE of every step; return its name."""
        from cf_excel.sheets.fill.history_sheet import add_history

        return add_history(self.book, sheets, histories, optimizer)

    def finish(self) -> Outcome:
        """Write the workbook, or list every constant that would change and how many results of formulas would."""
        if self.target is None:
            changes = tuple(self._changes())
            return Outcome(
                (*map(_change_shown, changes), *self._computed(), "dry run: nothing was written"), None, None, changes
            )
        outcome = save_book(self.book, self.target, backup=self.backup, is_known_again=True)
        return replace(outcome, lines=(*self._taken(), *outcome.lines))

    def _changes(self) -> Iterator[CellChange]:
        for title, cells in self.cells.items():
            sheet = self.book.sheet(title)
            for address, value in cells.items():
                if sheet.value(address) != value or sheet.formula(address):
                    yield CellChange(title, cell(*address), sheet.value(address), value)

    def _computed(self) -> Iterator[str]:
        """Say, by sheet, how many results of formulas are computed anew, and how many are taken out."""
        for title, (n_fresh, n_taken) in self.stale_counts.items():
            taken = f", {n_taken:,} to be calculated when the workbook opens" if n_taken else ""
            yield f"{title}: {n_fresh:,} results of formulas computed anew{taken}"

    def _taken(self) -> Iterator[str]:
        for title, (_, n_taken) in self.stale_counts.items():
            if n_taken:
                yield f"{title}: {n_taken:,} results of formulas to be calculated when the workbook opens"


def save_book(book: OpenedBook, target: Path, *, backup: bool, is_known_again: bool = False) -> Outcome:
    """Write a workbook whole or not at all.

    backup: whether to keep a file that stands there beside it. is_known_again: whether a copy gets what check_copy
    knows it by.
    """
    target, archive = followed(target), book.archive
    if is_known_again and not (os.path.exists(target) and os.path.samefile(target, book.path)):
        seal_copy(book)
    kept = backup_path(target) if backup and os.path.exists(target) else None
    archive.save(target, backup=kept)
    if any(name.startswith("_xmlsignatures/") for name in archive.names):
        book.notes.append("the workbook is signed; its signature no longer fits")
    return Outcome((f"wrote {target}" + (f", the former one is {kept}" if kept else ""),), target, kept)


def _change_shown(change: CellChange) -> str:
    old = change.old
    shown = "blank" if old is None else f"{old:.6g}" if isinstance(old, float) else repr(old)
    return f"{change.sheet}!{change.address}  {shown} -> {change.new:.6g}"


def check_constants(sheet: FoundSheet, cells: Iterable[Address], *, force: bool) -> None:
    """Raise InputError where a cell holds a formula, unless force is set, and where it is part of an array formula."""
    for address in cells:
        formula = sheet.xml.formula(address)
        if not formula:
            continue
        where = f"sheet {sheet.title}: {cell(*address)}"
        if formula.array and not formula.array.is_one_cell:
            raise InputError(f"{where} is part of an array formula: clear that first")
        if not force:
            shown = sheet.xml.shown_formula(address)[:60]
            raise InputError(f"{where} holds a formula (={shown}): --force puts a number there")


def _filled(numbers: Parameters, sheet: FoundSheet) -> Parameters:
    """Return the numbers, with those of the sheet where they are NaN."""
    given = numbers.arrays
    if all(np.isfinite(new).all() for new in given.values()) and ("user_bias" in given or not sheet.with_bias):
        return numbers
    old = sheet.numbers()
    filled = {name: np.where(np.isnan(new), getattr(old, name), new) for name, new in given.items()}
    return replace(old, **filled)

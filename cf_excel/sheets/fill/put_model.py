"""Put a trained model into a workbook: the same for a file and for a workbook that is open in Excel."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from cf_excel.model.factors import Factors
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.fill.matching import (
    Chosen,
    Matched,
    choose,
    large_misfits,
    match,
    misfit,
    misfit_of_kind,
    numbers_for,
)
from cf_excel.sheets.find.find_sheet import Book, lesson_sheets
from cf_excel.sheets.find.found_sheet import FoundSheet

_MOST_NAMED = 8


class Changes(Protocol):
    """What becomes of a workbook's sheets."""

    def put(self, sheet: FoundSheet, numbers: Parameters) -> None:
        """Put numbers into a sheet's factor cells; NaN leaves a cell alone."""

    def apply(self) -> None:
        """Make the changes."""

    def add_model(self, sheets: list[FoundSheet], factors: Factors, chosen: Chosen) -> tuple[str, float]:
        """Add the sheet `model`; return its name and the RMSE of the predictions of the workbook's ratings."""


@dataclass
class Report:
    """What was done, a line each, and what somebody may want to mend."""

    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def put_model(
    book: Book, changes: Changes, factors: Factors, *, wanted: str = "all", movies_by_row: bool = False
) -> Report:
    """Write factors into the sheets that the model fits, and add the sheet `model`.

    wanted: a sheet's name or "all". movies_by_row: as in match.
    Raises InputError where no sheet is of the lesson's kinds, or the model knows none of its ids.
    """
    skipped = large_misfits(book, factors) if wanted == "all" else []
    report = Report()
    sheets = lesson_sheets(book, wanted, skipped, report.notes)
    matches = [match(sheet, factors, movies_by_row=movies_by_row) for sheet in sheets]
    chosen = choose(sheets, factors, matches)
    fits = False
    for sheet, matched in zip(sheets, matches, strict=True):
        report.notes += _unknown(sheet, matched)
        reason = misfit(sheet, factors)
        if reason:
            report.lines.append(f"left alone: {reason}")
            continue
        changes.put(sheet, numbers_for(sheet, factors, matched))
        fits = True
        n_users, n_movies = ((rows >= 0).sum() for rows in (matched.users, matched.movies))
        report.lines.append(f"sheet {sheet.title}: factors of {n_users:,} users, {n_movies:,} movies")
    for title in skipped:
        report.lines.append(f"left alone: {misfit_of_kind(title, book.form(title), factors, sheets[0].n_factors)}")
    if fits:
        changes.apply()
    title, rmse = changes.add_model(sheets, factors, chosen)
    n = len(chosen.users), len(chosen.movies)
    report.lines.append(f"sheet {title}: {n[0]:,} users, {n[1]:,} movies, RMSE of the ratings {rmse:.6f}")
    return report


def _unknown(sheet: FoundSheet, matched: Matched) -> Iterator[str]:
    for side, ids in matched.unknown(sheet).items():
        if ids:
            named = ", ".join(map(str, ids[:_MOST_NAMED])) + (" and more" if len(ids) > _MOST_NAMED else "")
            yield f"sheet {sheet.title}: {side} {named} not in the model, left alone"

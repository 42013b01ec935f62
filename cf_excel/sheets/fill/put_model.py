"""Put a trained model into a workbook: the same for a file and for a workbook that is open in Excel."""

from collections.abc import Iterator
from dataclasses import dataclass

from cf_excel.model.factors import Factors
from cf_excel.model.picks import refuse_picks
from cf_excel.ratings.nouns import Nouns
from cf_excel.sheets.fill.changes import Changes
from cf_excel.sheets.fill.matching import (
    Matched,
    choose,
    large_misfits,
    match,
    misfit,
    misfit_of_kind,
    numbers_for,
)
from cf_excel.sheets.find.find_sheet import lesson_sheets
from cf_excel.sheets.find.found_sheet import FoundSheet

_MOST_NAMED = 8


@dataclass(frozen=True)
class Filled:
    """What was put into a workbook: a line a sheet, the sheets that got factors, the sheet `model` and its RMSE."""

    lines: tuple[str, ...]
    sheets: tuple[str, ...]
    model_sheet: str
    rmse: float


def put_model(changes: Changes, factors: Factors, *, wanted: str = "all", naming: str = "auto") -> Filled:
    """Write factors into the sheets that the model fits, and add the sheet `model`.

    wanted: a sheet's name or "all". naming: as in match.
    Raises InputError for a model of picks, where no sheet is of the lesson's kinds, or the model knows none of its ids.
    """
    refuse_picks(factors, "which the sheets predict")
    book = changes.book
    skipped = large_misfits(book, factors) if wanted == "all" else {}
    sheets = lesson_sheets(book, wanted, skipped, book.notes)
    matches = [match(sheet, factors, naming) for sheet in sheets]
    for text in dict.fromkeys(matched.note for matched in matches if matched.note):
        titles = [sheet.title for sheet, matched in zip(sheets, matches, strict=True) if matched.note == text]
        book.notes.append(f"sheet{'s' * (len(titles) > 1)} {', '.join(titles)}: {text}")
    chosen = choose(sheets, factors, matches)
    lines, filled, nouns = [], [], factors.nouns
    for sheet, matched in zip(sheets, matches, strict=True):
        book.notes += _unknown(sheet, matched, factors.nouns)
        reason = misfit(sheet, factors)
        if reason:
            lines.append(f"left alone: {reason}")
            continue
        changes.put(sheet, numbers_for(sheet, factors, matched))
        filled.append(sheet.title)
        n_users, n_movies = ((rows >= 0).sum() for rows in (matched.users, matched.movies))
        lines.append(f"sheet {sheet.title}: factors of {n_users:,} {nouns.users}, {n_movies:,} {nouns.movies}")
    for title, form in skipped.items():
        lines.append(f"left alone: {misfit_of_kind(title, form, factors, sheets[0].n_factors)}")
    if filled:
        changes.apply()
    title, rmse = changes.add_model(sheets, factors, chosen)
    n = len(chosen.users), len(chosen.movies)
    lines.append(f"sheet {title}: {n[0]:,} {nouns.users}, {n[1]:,} {nouns.movies}, RMSE of the ratings {rmse:.6f}")
    return Filled(tuple(lines), tuple(filled), title, rmse)


def _unknown(sheet: FoundSheet, matched: Matched, nouns: Nouns) -> Iterator[str]:
    for side, ids in matched.unknown(sheet).items():
        if ids:
            named = ", ".join(map(str, ids[:_MOST_NAMED])) + (" and more" if len(ids) > _MOST_NAMED else "")
            yield f"sheet {sheet.title}: {getattr(nouns, side)} {named} not in the model, left alone"

"""Find the lesson's sheets in a workbook, a file's or one that is open in Excel."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from cf_excel.errors import InputError, LayoutError
from cf_excel.sheets.find.find_embedding import LOOK_UPS, find_embedding
from cf_excel.sheets.find.find_grid import find_grid
from cf_excel.sheets.find.found_sheet import FoundSheet
from cf_excel.sheets.find.sheet import ANSWERS, Sheet


class Workbook(Protocol):
    """A workbook as those who look for the lesson's sheets see it."""

    path: Path
    notes: list[str]  # what its owner may want to know about a change

    @property
    def titles(self) -> list[str]:
        """Names of the worksheets, in order."""

    def form(self, title: str) -> str | None:
        """Tell at a glance what a sheet's predictions are: "dot", "bias", "rows", None without any."""

    def sheet_size(self, title: str) -> int:
        """Return how much there is to read in a sheet, in bytes of its XML."""

    def read_ahead(self, titles: Iterable[str]) -> None:
        """Begin to read sheets that will be wanted."""

    def find(self, title: str) -> FoundSheet | None:
        """Return what a sheet of the lesson's kinds holds, None for others."""


def find_sheet(title: str, form: str, sheet: Sheet) -> FoundSheet | None:
    """Return what a sheet holds whose predictions have a form of the lesson's: "dot", "bias" or "rows"."""
    if form == "rows":
        return find_embedding(title, sheet) or find_grid(title, sheet)
    found = find_grid(title, sheet)
    if found is None:
        return find_embedding(title, sheet)
    factor = sheet.formula(found.user_places[0][0])
    if factor and any(name in factor.text for name in LOOK_UPS):
        return find_embedding(title, sheet)  # a grid's formula in rows of ratings
    return found


def lesson_sheets(
    book: Workbook, wanted: str = "all", skip: Collection[str] = (), notes: list[str] | None = None
) -> list[FoundSheet]:
    """Return the sheets of the lesson's kinds, all but skip or the one that is wanted.

    notes: gets a line for each sheet that can't be followed, and what the others' owner may want to know.
    Raises InputError where there is none.
    """
    if wanted != "all":
        titles = [title for title in book.titles if title.lower() == wanted.lower()]
        if not titles:
            raise InputError(f"{book.path.name} has no sheet {wanted} (there are: {', '.join(book.titles)[:200]})")
        sheet = book.find(titles[0])
        if sheet is None:
            raise InputError(f"sheet {titles[0]} has no predictions of the lesson's form: expected IF(..., MMULT(...))")
        if source := _source(sheet):
            raise InputError(
                f"sheet {sheet.title} shows the factors of sheet {source}: name that one, this one follows"
            )
        found = [sheet]
    else:
        answers = {title + ANSWERS for title in book.titles}
        found, refused = _all_found(book, [title for title in book.titles if title not in answers.union(skip)])
        if not found and refused:
            raise refused[0]
        if not found:
            name = book.path.name
            raise InputError(
                f"{name} has no sheet like dotprod, bias or movielens_emb: make one with build"
                f" (of ratings that are in it: build --ratings {name})"
            )
        followers = [(sheet, source) for sheet in found if (source := _source(sheet))]
        found = [sheet for sheet in found if not _source(sheet)] or found
        if notes is not None:
            notes += [f"left alone: {error}" for error in refused]
            notes += [
                f"sheet {sheet.title} shows the factors of sheet {source} and follows" for sheet, source in followers
            ]
    if notes is not None:
        notes += [note for sheet in found for note in sheet.notes]
        notes += [sheet.conflict for sheet in found if sheet.conflict]
    return found


def _source(sheet: FoundSheet) -> str | None:
    """Return the sheet whose factors a sheet shows, None for one with factors of its own."""
    return next((title for title, _ in sheet.shown_factors.values()), None)


def _all_found(book: Workbook, titles: list[str]) -> tuple[list[FoundSheet], list[LayoutError]]:
    """Return the sheets of the lesson's kinds, and why others that look like them can't be followed."""
    book.read_ahead(titles)
    found: list[FoundSheet] = []
    refused: list[LayoutError] = []
    for title in titles:
        try:
            sheet = book.find(title)
        except LayoutError as error:
            refused.append(error)
        else:
            found += [sheet] if sheet else []
    return found, refused

"""Fill somebody's own workbook: the same sheets each time, in the place of those of the time before."""

from dataclasses import dataclass, replace

import numpy as np

from cf_excel.errors import InputError
from cf_excel.ratings.nouns import Nouns, capital
from cf_excel.ratings.table import Ratings
from cf_excel.sheets.own.changed import change_of
from cf_excel.sheets.own.draft import SheetDraft
from cf_excel.sheets.own.drafts import OwnTable, drafts_of
from cf_excel.sheets.own.fit_draft import Fitted, FittedPicks
from cf_excel.sheets.own.own_layout import LARGEST_GRID, PREDICTIONS, SCORES
from cf_excel.sheets.own.put_drafts import DraftBook


@dataclass(frozen=True)
class FilledIn:
    """What was written: a line a sheet, and the sheets' names."""

    lines: tuple[str, ...]
    sheets: tuple[str, ...]


def with_nouns(ratings: Ratings) -> Ratings:
    """Return ratings with nouns as headers have them, with a capital letter.

    Items of a grid that does not say what they are are items: they may be no movies.
    """
    user, item = ratings.nouns
    item = "item" if ratings.grid and item == "movie" else item
    return replace(ratings, nouns=Nouns(capital(user), capital(item)))


def check_fit(fit: Fitted, ratings: Ratings) -> None:
    """Raise InputError where nothing was learnt: all are equal, too few, or no better known than their mean."""
    if isinstance(fit, FittedPicks):
        if fit.quality is None:
            raise InputError(f"{ratings.source}: {fit.verdict}")
        return
    if np.isnan(fit.rmse):
        raise InputError(f"{ratings.source}: {fit.verdict}")
    if fit.rmse >= fit.mean_rmse:
        raise InputError(
            f"{ratings.source}: nothing can be learnt from {len(ratings):,} ratings: off by {fit.rmse:.2f} on those "
            f"held out, where the mean of all is off by {fit.mean_rmse:.2f}; more ratings of each are needed"
        )


def fill_own(book: DraftBook, ratings: Ratings, fit: Fitted, top: int) -> FilledIn:
    """Write the sheets into a workbook, which is not saved yet; its notes say what was left out.

    Raises InputError where a list does not fit on a sheet.
    """
    table = OwnTable(ratings, fit)
    if not table.is_small:
        book.notes.append(
            f"sheet {table.grid_title} is left out: it shows at most {LARGEST_GRID} x {LARGEST_GRID} of a list, and "
            f"this is {len(table.user_ids):,} x {len(table.item_ids):,}"
        )
    former = PREDICTIONS if table.of_picks else SCORES
    if book.has(former):
        book.notes.append(f"sheet {former} stays as it was: an earlier call wrote it, which read the table otherwise")
    lines, titles = [fit.verdict], []
    for draft in drafts_of(table, top):
        if draft.is_empty and not book.has(draft.title):
            continue
        title, before = book.put(draft)
        lines.append(f"sheet {title}: {change_of(draft, before) if before else _size_of(draft)}")
        titles.append(title)
    return FilledIn(tuple(lines), tuple(titles))


def _size_of(draft: SheetDraft) -> str:
    if draft.table:
        return f"added, {draft.table.block.n_rows - 1:,} rows"
    return f"added, {draft.scale.n_rows:,} x {draft.scale.n_columns:,} cells" if draft.scale else "added"

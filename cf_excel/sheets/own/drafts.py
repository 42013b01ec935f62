"""What is written into a workbook of ratings or picks: predictions, recommendations, similar items, the fit."""

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor, ScoredMovie
from cf_excel.ratings.table import Ratings, as_written
from cf_excel.sheets.own.draft import SheetDraft, width_of
from cf_excel.sheets.own.fit_draft import Fitted, fit_draft
from cf_excel.sheets.own.own_layout import (
    LARGEST_GRID,
    PREDICTIONS,
    RECOMMENDATIONS,
    SCORES,
    SIMILAR,
    UNRATED,
    PredictionsSheet,
    RankedSheet,
)
from cf_excel.xlsx.cells import MAX_ROWS
from cf_excel.xlsx.edit.added_table import TableArea
from cf_excel.xlsx.texts import CellValue, headers_apart

# what the columns of the tables look like, and their headers
_COLUMNS = {
    UNRATED: ("text", "text", "number"),
    RECOMMENDATIONS: ("text", "rank", "text", "number", "count"),
    SIMILAR: ("text", "rank", "text", "number"),
}
_HEADER_LOOKS = {"text": "header", "rank": "header_rank", "number": "header_number", "count": "header_number"}
_LONG_NAME = 8  # characters, from which on names stand upright
_SCORE = "from 0 to 1, .5 is that of a typical pick"
_FEW_RATINGS = 5  # an item with fewer is like any other


@dataclass(frozen=True, eq=False)
class OwnTable:
    """Somebody's ratings, or picks, with what was learnt from them, in the order of their table's users and items.

    user_ids, item_ids: those without a rating, too. user_rows, item_rows: their rows in the model, -1 for none.
    """

    ratings: Ratings
    fit: Fitted

    @cached_property
    def predictor(self) -> Predictor:
        return Predictor(self.fit.factors)

    @property
    def of_picks(self) -> bool:
        """Whether the table has no ratings, but picks, and what is predicted are scores from 0 to 1."""
        return self.ratings.implicit

    @property
    def grid_title(self) -> str:
        return SCORES if self.of_picks else PREDICTIONS

    @property
    def score_header(self) -> str:
        return KINDS[self.fit.factors.kind].score.capitalize()

    @cached_property
    def user_ids(self) -> list[int | str]:
        return self.ratings.grid.user_ids if self.ratings.grid else self.ratings.user_ids.tolist()

    @cached_property
    def item_ids(self) -> list[int | str]:
        return self.ratings.grid.movie_ids if self.ratings.grid else self.ratings.movie_ids.tolist()

    @cached_property
    def user_rows(self) -> np.ndarray:
        return _rows(self.user_ids, self.ratings.user_ids)

    @cached_property
    def item_rows(self) -> np.ndarray:
        return _rows(self.item_ids, self.ratings.movie_ids)

    @cached_property
    def item_names(self) -> dict[int | str, CellValue]:
        """Titles by id; the id where there is no title, and beside one that several items have."""
        titles = dict(zip(self.ratings.movie_ids.tolist(), self.ratings.titles.tolist(), strict=True))
        n_of_title = Counter(titles.values())
        named: dict[int | str, CellValue] = dict(zip(self.item_ids, self.item_ids, strict=True))
        for identity, title in titles.items():
            named[identity] = f"{title} ({identity})" if title and n_of_title[title] > 1 else title or identity
        return named

    @property
    def is_small(self) -> bool:
        """Whether all pairs of user and item fit on a sheet that people look at."""
        return self.ratings.grid is not None or max(len(self.user_ids), len(self.item_ids)) <= LARGEST_GRID


def drafts_of(table: OwnTable, top: int) -> list[SheetDraft]:
    """Return the sheets in their order; predictions are left out where the pairs of a list are too many.

    top: how many recommendations a user gets, and how many similar ones an item. Raises InputError where a list of them
    does not fit on a sheet.
    """
    predictions = [_predictions(table)] if table.is_small else []
    unrated = [] if table.ratings.grid else [_unrated(table)]
    return [
        *predictions,
        *unrated,
        _recommendations(table, top),
        _similar(table, top),
        fit_draft(table.ratings, table.fit),
    ]


def _predictions(table: OwnTable) -> SheetDraft:
    ratings = table.ratings
    model_grid = np.full((ratings.n_users + 1, ratings.n_movies + 1), np.nan)  # the last ones have no rating
    model_grid[ratings.user_idx, ratings.movie_idx] = as_written(ratings.rating)
    given = model_grid[table.user_rows[:, None], table.item_rows]
    predicted = as_written(np.asarray(table.predictor.predict_rows(table.user_rows[:, None], table.item_rows[None, :])))
    values = np.where(np.isnan(given), predicted, given)
    looks = np.where(np.isnan(given), "predicted", "given")
    down: list[CellValue] = [*table.user_ids]
    across = [table.item_names[identity] for identity in table.item_ids]
    noun = table.ratings.nouns[0]
    if ratings.grid and ratings.grid.items_down:
        down, across, values, looks, noun = across, down, values.T, looks.T, table.ratings.nouns[1]
    layout = PredictionsSheet(len(down), len(across), table.grid_title)
    about = "bold numbers are the ratings given, the others are predicted."
    if table.of_picks:
        about = f"bold numbers are the picks given, the others are scores: {_SCORE}."
    draft = SheetDraft(
        table.grid_title,
        about + _of_the_mean(table, int((table.user_rows < 0).sum()), int((table.item_rows < 0).sum())),
        layout.note,
        layout.freeze,
        scale=layout.grid,
    )
    longest = max(len(str(name)) for name in across)
    is_long = longest > _LONG_NAME
    draft.put(layout.corner, "name", [[noun]])
    draft.put(layout.names_across, "name_upright" if is_long else "name_across", [across])
    draft.put(layout.names_down, "name", [[name] for name in down])
    draft.put(layout.grid, looks, values)
    draft.widths = {layout.corner: width_of([noun, *down]), layout.names_across: 6.5 if is_long else longest + 4}
    draft.heights = {layout.corner.top: min(200, round(6.5 * longest) + 12)} if is_long else {}
    return draft


def _of_the_mean(table: OwnTable, n_users: int, n_items: int) -> str:
    named = [f"{n:,} {noun}" for noun, n in zip(table.ratings.nouns, (n_users, n_items), strict=True) if n]
    without = "without a pick: the score of" if table.of_picks else "without a rating: predicted as"
    return f" {' and '.join(named)} {without} the average one." if named else ""


def _unrated(table: OwnTable) -> SheetDraft:
    """Return the predictions for the rows of a list that have no rating, unless another row of the list has it."""
    ratings = table.ratings
    rated = set(zip(ratings.user_idx.tolist(), ratings.movie_idx.tolist(), strict=True))
    pairs = dict.fromkeys(zip(*ratings.unrated, strict=True))
    known = (_rows([pair[i] for pair in pairs], ids) for i, ids in enumerate((ratings.user_ids, ratings.movie_ids)))
    kept = [(pair, *rows) for pair, *rows in zip(pairs, *known, strict=True) if tuple(rows) not in rated]
    users, items = (np.array([row[i] for row in kept], np.int64) for i in (1, 2))
    scores = as_written(np.asarray(table.predictor.predict_rows(users, items))).tolist()
    n_unknown = (len({pair[i - 1] for pair, *rows in kept if rows[i - 1] < 0}) for i in (1, 2))
    what = "count" if table.of_picks else "rating"
    about = f"the rows of the list that have no {what}.{_of_the_mean(table, *n_unknown)}"
    cells = [
        [user, table.item_names.get(item, item), score] for ((user, item), *_), score in zip(kept, scores, strict=True)
    ]
    draft = _table(UNRATED, about, [*ratings.nouns, table.score_header], cells)
    draft.is_empty = not cells
    return draft


def _recommendations(table: OwnTable, top: int) -> SheetDraft:
    user, item = table.ratings.nouns
    users = [identity for identity, row in zip(table.user_ids, table.user_rows, strict=True) if row >= 0]
    names = table.item_names
    rows = _ranked(users, lambda identity: table.predictor.recommend(identity, top))
    about = f"the best of each {user} among those not rated yet, at most {top}; Ratings is how many rated it."
    if table.of_picks:
        about = (
            f"the best of each {user} among those not picked yet, at most {top}; Score: {_SCORE}; Picks is how many "
            "picked it."
        )
    if table.fit.factors.lists:
        about += f" Ranked by how likely the {user} is to pick it, too, not by the prediction alone."
    n_ratings = dict(zip(table.fit.factors.movie_ids.tolist(), table.predictor.n_ratings.tolist(), strict=True))
    return _table(
        RECOMMENDATIONS,
        about,
        [user, "Rank", item, table.score_header, "Picks" if table.of_picks else "Ratings"],
        [[identity, rank, names[one], score, n_ratings[one]] for identity, rank, one, score in rows],
    )


def _similar(table: OwnTable, top: int) -> SheetDraft:
    item = table.ratings.nouns[1]
    names = table.item_names
    least = min(_FEW_RATINGS, table.predictor.least_ratings)
    items = [
        identity
        for identity, row in zip(table.item_ids, table.item_rows.tolist(), strict=True)
        if row >= 0 and table.predictor.n_ratings[row] >= least
    ]
    rows = _ranked(items, lambda identity: _alike(table.predictor, identity, top))
    likes = "picks" if table.of_picks else "likes"
    about = f"who {likes} one {item} {likes} the other: 1 is the same taste, 0 nothing in common."
    return _table(
        SIMILAR,
        about,
        [item, "Rank", f"Similar {item}", "Similarity"],
        [[names[identity], rank, names[one], score] for identity, rank, one, score in rows],
    )


def _alike(predictor: Predictor, identity: int | str, n: int) -> list[ScoredMovie]:
    return [one for one in predictor.similar(identity, n) if one.score > 0]


def _ranked(ids: Sequence[int | str], best: Callable[[int | str], list[ScoredMovie]]) -> list[list]:
    """Return a row for each of the best of each id: the id, the rank, the other id, the score."""
    rows: list[list] = []
    for identity in ids:
        found = best(identity)
        scores = as_written(np.array([scored.score for scored in found], np.float32)).tolist()
        rows += [[identity, i, one.movie_id, scores[i - 1]] for i, one in enumerate(found, start=1)]
        if len(rows) > MAX_ROWS - 2:
            raise InputError(f"a sheet has {MAX_ROWS:,} rows, too few for so many recommendations: a smaller --top")
    return rows


def _table(title: str, about: str, headers: list[str], rows: list[list]) -> SheetDraft:
    rows = rows or [[None] * len(headers)]  # a table has a row at least
    layout = RankedSheet(title, len(headers), len(rows))
    headers = headers_apart(headers)
    table = TableArea(title, layout.table, headers)
    draft = SheetDraft(title, about, layout.note, layout.freeze, table=table, merged=layout.note_row)
    for i, header in enumerate(headers):
        look = _COLUMNS[title][i]
        draft.put(layout.headers.column(i), _HEADER_LOOKS[look], [[header]])
        draft.put(layout.cells.column(i), look, [[row[i]] for row in rows])
        shown = (row[i] for row in rows if look == "text")
        draft.widths[layout.headers.column(i)] = width_of([header + "....", *shown])
    lines = len(textwrap.wrap(draft.marked_note, int(sum(draft.widths.values()))))
    draft.heights = {layout.note.top: 16 * lines}
    return draft


def _rows(ids: list[int | str], known: np.ndarray) -> np.ndarray:
    """Return the row of each id among those known, -1 for none."""
    row_of = {str(identity): row for row, identity in enumerate(known.tolist())}
    return np.array([row_of.get(str(identity), -1) for identity in ids], np.int64)

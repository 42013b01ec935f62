"""CF_FILL, CF_TOP and CF_FIT: learn from the ratings of a range when a cell asks. Loaded when the first one does.

What was learnt is kept by the content of the range: a formula over ratings that did not change is not fitted again.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cf_excel.errors import InputError
from cf_excel.learn.table_fit import TableFit
from cf_excel.learn.table_picks import PicksTableFit, fit_own_table
from cf_excel.model.lookup import cut
from cf_excel.model.picks import ListQuality
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.cell_tables import Cell
from cf_excel.ratings.ranges import RatedRange, read_range
from cf_excel.ratings.table import canonical_id
from cf_excel.udf.values import Rows, Value, as_cells, as_float, as_text, error_name, is_blank

MOST_CELLS = 1_000_000
_BEYOND_ERRORS = -1e9  # the numbers of error values are below
_LONGEST = 250  # a cell is read at a glance
_KEPT = 8  # ranges whose fits are kept


@dataclass(frozen=True, eq=False)
class _Learnt:
    """What a range holds, and what was learnt from it.

    predictions (n_users, n_items): of all users and items of the range; those without a rating are average. order
    (n_users, n_items): the items, those first that each user's list has first. is_blank (n_rows, n_columns): of the
    cells of the range.
    """

    found: RatedRange
    fit: TableFit | PicksTableFit
    predictions: np.ndarray
    order: np.ndarray
    is_free: np.ndarray
    is_blank: np.ndarray


def fill(table: Value) -> Rows:
    """Return the range with its blank ratings predicted, and all else as it is; those of picks are scores, 0 to 1.

    Raises InputError as read_range does, and for a list, which has no blanks.
    """
    cells = _checked(table)
    learnt = _learn(_content(cells))
    if learnt.found.is_list:
        row = "pick" if learnt.found.ratings.implicit else "rating"
        raise InputError(f"the range is a list, a row a {row}, with no blanks to fill: pass a grid, or take CF_TOP")
    filled = np.where(learnt.is_blank, "", cells)
    for place, value in np.ndenumerate(filled):
        if type(value) not in (float, str):
            filled[place] = _as_given(value)
    place = np.ix_(learnt.found.rows, learnt.found.columns)
    predictions = learnt.predictions.astype(object)
    filled[place] = np.where(learnt.is_blank[place], _laid_out(predictions, learnt.found), filled[place])
    return filled.tolist()


def top(table: Value, n: int) -> Rows:
    """Return a row for each user: the name, then the n items to recommend first, of those that the user did not rate.

    They rank as recommend does it with what was learnt, of picks by the score; behind them are those that nobody rated.
    Blank where there are fewer. Raises InputError as read_range does.
    """
    learnt = _learn(_content(_checked(table)))
    found = learnt.found
    if len(found.users) * (n + 1) > MOST_CELLS:
        raise InputError(f"n {n:,} of {len(found.users):,} users: {MOST_CELLS:,} cells at once are the most")
    users, items = ([canonical_id(name) for name in names] for names in (found.users, found.items))
    rows: Rows = []
    for user, best, free in zip(users, learnt.order, learnt.is_free, strict=True):
        shown = [items[item] for item in best[free[best]][:n].tolist()]
        rows.append([user, *shown, *[""] * (n - len(shown))])
    return rows


def _as_given(value: Value) -> Value:
    """Return what a host handed over as it can take it back: numbers of other types, such as currency, as floats."""
    number = as_float(value)
    if number != number:
        return value
    return number if np.isfinite(number) else as_text(value)


def _laid_out(values: np.ndarray, found: RatedRange) -> np.ndarray:
    """Return values of users and items as the range has them, or those of the range by users and items."""
    return values.T if found.items_down else values


def fit(table: Value) -> Rows:
    """Return what was learnt from the range and how good that is, as rows of words and a number or a sentence.

    Errors are RMSE, in rating points; of picks it is the NDCG of lists and how many have a hit, 0 to 1. Blank where
    nothing can be held out. Raises InputError as read_range does.
    """
    fit = _learn(_content(_checked(table))).fit
    rows = _of_picks(fit) if isinstance(fit, PicksTableFit) else _of_ratings(fit)
    return [[words, "" if is_blank(value) else value] for words, value in rows]


def _of_ratings(fit: TableFit) -> Rows:
    user, item = fit.nouns
    return [
        ["Ratings", fit.n_ratings],
        ["Ratings held out, each predicted without it", fit.n_held_out],
        ["Error of these predictions (RMSE)", fit.rmse],
        ["Error of the mean", fit.mean_rmse],
        [f"Error of the biases of {user} and {item}", fit.bias_rmse],
        ["In a word", fit.verdict],
    ]


def _of_picks(fit: PicksTableFit) -> Rows:
    own, popular = (found or ListQuality(np.nan, np.nan) for found in (fit.quality, fit.popular))
    return [
        ["Picks, not ratings", fit.n_ratings],
        ["Picks held out", fit.n_held_out],
        ["NDCG of lists of 10 against these", own.ndcg],
        ["NDCG of what is picked most", popular.ndcg],
        ["Part of the lists of 10 with a hit", own.hit_rate],
        ["In a word", fit.verdict],
    ]


def _checked(table: Value) -> np.ndarray:
    cells = as_cells(table)
    if cells.size > MOST_CELLS:
        raise InputError(f"{cells.shape[0]:,} x {cells.shape[1]:,} cells: {MOST_CELLS:,} are the most to learn from")
    return cells


def _content(cells: np.ndarray) -> tuple[tuple[Cell, ...], ...]:
    """Return the values of cells as a table has them. Raises InputError for an error value."""
    return tuple(tuple(map(_plain, row)) for row in cells.tolist())


def _plain(value: Value) -> Cell:
    if type(value) is float and value > _BEYOND_ERRORS:  # nearly every cell
        return value
    if is_blank(value):
        return ""
    error = error_name(value)
    if error:
        raise InputError(error)
    if isinstance(value, str):
        return value
    number = as_float(value)
    return as_text(value).upper() if number != number else number


@lru_cache(maxsize=_KEPT)
def _learn(content: tuple[tuple[Cell, ...], ...]) -> _Learnt:
    try:
        found = read_range(content)
        n_users, n_items = len(found.users), len(found.items)
        if n_users * n_items > MOST_CELLS:
            raise InputError(f"{n_users:,} x {n_items:,} pairs: {MOST_CELLS:,} are the most to learn from in a cell")
        fit = fit_own_table(found.ratings)
    except InputError as error:  # it may tell of many rows
        raise InputError(cut(str(error), _LONGEST)) from None
    predictor = Predictor(fit.factors)
    users, items = (np.array([*names, None], object)[:-1] for names in (found.users, found.items))
    user_rows, item_rows = predictor.user_rows(users), predictor.movie_rows(items)
    scores = predictor.predict_rows(user_rows[:, None], item_rows[None])
    is_blank = np.array([[value == "" for value in row] for row in content])
    is_taken = np.zeros((found.ratings.n_users + 1, found.ratings.n_movies + 1), bool)  # the last: who took nothing
    is_taken[found.ratings.user_idx, found.ratings.movie_idx] = True
    order = _order(predictor, user_rows, item_rows)
    return _Learnt(found, fit, np.asarray(scores, float), order, ~is_taken[user_rows[:, None], item_rows], is_blank)


def _order(predictor: Predictor, user_rows: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
    """Return the items of each user in the order of the user's list, those without a rating, -1, last."""
    seen = [predictor.factors.seen(row) if row >= 0 else user_rows[:0] for row in user_rows.tolist()]
    row_scores = predictor.row_scores
    ranking = row_scores.ranking(row_scores.sums(user_rows), seen)
    by_row = np.argsort(item_rows, kind="stable")  # ties stay in the model's order
    by_row = np.roll(by_row, -int((item_rows < 0).sum()))
    scores = np.where(item_rows[by_row] < 0, -np.inf, ranking[:, item_rows[by_row]])
    return by_row[np.argsort(-scores, axis=1, kind="stable")]

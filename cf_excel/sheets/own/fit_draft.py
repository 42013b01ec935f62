"""The sheet `fit`: how good a model of somebody's table is, on ratings or picks that were held out."""

from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.picks import ListQuality
from cf_excel.ratings.table import Ratings
from cf_excel.sheets.own.draft import SheetDraft, width_of
from cf_excel.sheets.own.own_layout import FIT, FitSheet

NDCG = "the model: NDCG"
"""The name of the first measure of picks."""


class _FittedTable(Protocol):
    """A model of a table, and how good it is on what was held out, in one sentence."""

    @property
    def factors(self) -> Factors: ...
    @property
    def n_held_out(self) -> int: ...
    @property
    def sureness(self) -> float: ...
    @property
    def verdict(self) -> str: ...


class FittedRatings(_FittedTable, Protocol):
    """One of ratings, with its errors (RMSE in rating units); as TableFit has them."""

    @property
    def rmse(self) -> float: ...
    @property
    def mean_rmse(self) -> float: ...
    @property
    def bias_rmse(self) -> float: ...


@runtime_checkable
class FittedPicks(_FittedTable, Protocol):
    """One of picks, with how good its lists are, None where nothing was held out; as PicksTableFit has them."""

    @property
    def quality(self) -> ListQuality | None: ...
    @property
    def popular(self) -> ListQuality | None: ...


Fitted: TypeAlias = FittedRatings | FittedPicks


class _Row(NamedTuple):
    name: str
    number: float
    look: str
    words: str


def fit_draft(ratings: Ratings, fit: Fitted) -> SheetDraft:
    """Return the sheet."""
    headers, measures, sentence, lead = _of_picks(fit) if isinstance(fit, FittedPicks) else _of_ratings(ratings, fit)
    user, item = ratings.nouns
    rows, row = ("picks", "pick") if ratings.implicit else ("ratings", "rating")
    facts = [
        _Row("how sure", fit.sureness, "number", f"{lead}, in standard errors; 2 is much"),
        _Row(rows, len(ratings), "count", "that the model learnt from"),
        _Row("held out", fit.n_held_out, "count", "of them, each predicted by a model that did not know it"),
        _Row(user, ratings.n_users, "count", f"who have a {row} or more"),
        _Row(item, ratings.n_movies, "count", f"with a {row} or more"),
        _Row(
            "picked" if ratings.implicit else "rated",
            len(ratings) / ratings.n_users / ratings.n_movies,
            "share",
            f"of all pairs of {user} and {item}",
        ),
    ]
    if not ratings.implicit:
        low, high = ratings.rating_range
        facts += [
            _Row("lowest rating", low, "number", "no prediction is below it"),
            _Row("highest rating", high, "number", "no prediction is above it"),
        ]
    layout = FitSheet(len(measures), len(facts))
    about = f"how far the {'scores' if ratings.implicit else 'predictions'} can be trusted."
    draft = SheetDraft(FIT, about, layout.note, layout.freeze, merged=layout.verdict)
    draft.put(layout.verdict, "verdict", [[sentence[:1].upper() + sentence[1:], None, None]])
    draft.put(layout.headers, np.array([["header", "header_number", "header_words"]]), [headers])
    draft.put(layout.measure_names, "text", [[row.name] for row in measures])
    draft.put(layout.measures, "number", [[row.number] for row in measures])
    draft.put(layout.measure_words, "words", [[row.words] for row in measures])
    draft.put(layout.fact_names, "text", [[row.name] for row in facts])
    draft.put(layout.facts, np.array([[row.look] for row in facts]), [[row.number] for row in facts])
    draft.put(layout.fact_words, "words", [[row.words] for row in facts])
    both = [*measures, *facts]
    draft.widths = {
        layout.headers.column(0): width_of([headers[0], *(row.name for row in both)]),
        layout.headers.column(1): 10,
        layout.headers.column(2): width_of(row.words for row in both) + 26,
    }
    draft.heights = {layout.verdict.top: 34}
    return draft


def _of_ratings(ratings: Ratings, fit: FittedRatings) -> tuple[list[str], list[_Row], str, str]:
    """Return headers, measures, the sentence above and what the sureness is of."""
    user, item = ratings.nouns
    measures = [
        ("the model", fit.rmse, "how far its predictions are off, typically (RMSE, in units of the ratings)"),
        (f"averages of {user} and {item}", fit.bias_rmse, "the same, where both averages are all that is known"),
        ("the mean", fit.mean_rmse, "the same, where the mean of all ratings is all that is known"),
    ]
    within = f"about two of three ratings lie within {fit.rmse:.2f} of their prediction"
    return (
        ["On ratings held out", "Error", "What it is"],
        [_Row(name, number, "number", words) for name, number, words in measures],
        f"{fit.verdict}; {within}.",
        "the model's lead over the better of both",
    )


def _of_picks(fit: FittedPicks) -> tuple[list[str], list[_Row], str, str]:
    measures = []
    if fit.quality is not None and fit.popular is not None:
        of_best = "of lists of 10: 1 where the picks held out come first, 0 where none is listed"
        measures = [
            _Row(NDCG, fit.quality.ndcg, "number", of_best),
            _Row("the model: hits", fit.quality.hit_rate, "number", "the part of these lists with one or more of them"),
            _Row(
                "most picked: NDCG",
                fit.popular.ndcg,
                "number",
                "the same, where everybody is shown what is picked most",
            ),
            _Row("most picked: hits", fit.popular.hit_rate, "number", "the same, for these lists"),
        ]
    return ["On picks held out", "Number", "What it is"], measures, f"{fit.verdict}.", "the lead of the model's NDCG"

"""What ranks the lists of the best, of the picked user and of you: predicted sums, or list factors beside them."""

from collections.abc import Callable

import numpy as np

from cf_excel.model.lists import CAUTION, floor_and_least
from cf_excel.sheets.recommender.calc_formulas import DECIMALS, OUT, list_score
from cf_excel.sheets.recommender.calc_results import Cells, RecommenderResults
from cf_excel.sheets.recommender.recommender_layout import RecommenderSheets
from cf_excel.xlsx.cells import Block

_Result = Callable[[RecommenderResults], np.ndarray]
_LISTED = {"best": "INDEX(user_ratings,user_row)", "your": "COUNT(panel_rated_row)"}  # how many movies each rated


def score_column(name: str, sums: _Result, formula: str, out: _Result, out_formula: str) -> Cells:
    """Return the column of scores by which movies compete, but those whose out is true, or whose formula is above 0."""
    rounded = f"ROUND({formula},{DECIMALS})"
    return Cells(
        name,
        lambda r: np.round(sums(r), DECIMALS) + np.where(out(r), OUT, 0),
        f"{rounded}+IF({out_formula}>0,{OUT:.0f},0)" if out_formula else rounded,
        "at once",
    )


def ranked_columns(
    book: RecommenderSheets, who: str, sums: _Result, formula: str, out: _Result, out_formula: str
) -> list[Cells]:
    """Return the columns that rank the list of "best" or "your": scores and, with list factors, what they are made of.

    sums: the predictions of all movies, before they are squeezed or cut.
    """
    if not book.lists:
        return [score_column(f"{who}_scores", sums, formula, out, out_formula)]
    near = f"{who}_near"
    watch = lambda r: np.maximum(r[near], 0) + r[f"{who}_caution"].item() * r.list_factors.popularity  # noqa: E731
    score = list_score(book, f"{who}_sums", near, f"{who}_caution*movie_popularity")
    return [
        Cells(f"{who}_sums", sums, formula, "at once"),
        Cells(near, lambda r: r.list_factors.asked @ r[f"{who}_given"], f"MMULT(movie_asked,{who}_given)", "at once"),
        score_column(
            f"{who}_scores",
            lambda r: r.list_factors.scores(watch(r), r.uncut(r[f"{who}_sums"]), r.factors.rating_range),
            score,
            out,
            out_formula,
        ),
    ]


def list_scalars(book: RecommenderSheets) -> list[Cells]:
    """Return the single cells of list factors: how much counts what everybody watches, and what ratings count from."""
    if not book.lists:
        return []
    caution = f"{CAUTION:g}/({{}}+{CAUTION:g})"
    best, yours = (caution.format(_LISTED[who]) for who in ("best", "your"))
    return [
        Cells(
            "best_caution",
            lambda r: CAUTION / (r.factors.n_seen[r.picks.user] + CAUTION),
            f"IF(ISNUMBER(user_row),{best},1)",
        ),
        Cells("your_caution", lambda r: CAUTION / (len(r.picks.rated) + CAUTION), yours),
        Cells("rating_floor", lambda r: floor_and_least(r.factors.rating_range)[0]),
        Cells("least_worth", lambda r: floor_and_least(r.factors.rating_range)[1]),
    ]


def given_blocks(book: RecommenderSheets, rated_row: Block) -> dict[Block, Cells]:
    """Return what the movies give to the lists of the picked user and of you; rated_row: the movies that you rated."""
    if not book.lists:
        return {}
    calc = book.calc
    # a cell a number: not every program has a whole row of INDEX in an array
    rows = [(f"${rated_row.row(i).first}", calc.panel_given.row(i).first) for i in range(rated_row.n_rows)]
    ones = calc.panel_ones.fixed
    return {
        calc.panel_given: Cells(
            "panel_given",
            lambda r: r.in_panel(r.list_factors.given[r.picks.rated]),
            row_formulas=[
                f"IF(ISNUMBER({row}),INDEX(movie_given,{row},COLUMNS(${first}:{first})),0)" for row, first in rows
            ],
        ),
        calc.given(0): Cells(
            "best_given",
            lambda r: r.user_given[r.picks.user],
            row_formulas=[
                f"IF(ISNUMBER(user_row),INDEX(user_given,user_row,{i}),0)" for i in range(1, calc.given(0).n_rows + 1)
            ],
        ),
        calc.given(1): Cells(
            "your_given",
            lambda r: r["panel_given"].sum(axis=0) / (len(r.picks.rated) + CAUTION),
            f"MMULT(TRANSPOSE(panel_given),{ones})/({_LISTED['your']}+{CAUTION:g})",
            "at once",
        ),
    }

"""What the recommender's formulas say, in functions that every Excel since 2010 and LibreOffice have.

Cells are called by their names (see RecommenderBook.names). Movies compete by their sums, which differ where
predictions are cut off at the highest rating, or by list scores; rounded, so that ties are ties whatever the order of
the additions.
"""

from cf_excel.model.kinds import KINDS
from cf_excel.ratings.nouns import Nouns, capital, with_article
from cf_excel.sheets.recommender.recommender_layout import RecommenderSheets
from cf_excel.xlsx.cells import Block

DECIMALS = 11  # products of numbers with five decimals have ten: none is halfway between two roundings
OUT = -1e9  # the score of a movie that does not compete
LISTS = ("best", "similar", "yours")
SCORES = {"best": "best_scores", "similar": "similar_scores", "yours": "your_scores"}
SUMS = {"best": "best_sums", "yours": "your_sums"}  # of the lists that list factors rank
_RANGE = "lowest_rating", "highest_rating"


def nothing_rated(nouns: Nouns) -> str:
    """Return the heading of a list for somebody who rated nothing yet."""
    return f"Rate {with_article(nouns.movie)} above, and the ten best for you come here"


def scaled(kind: str, x: str) -> str:
    """Return the formula of the prediction for a sum, a cell or a name; for one value or many."""
    return KINDS[kind].formula(x, *_RANGE)


def uncut(kind: str, x: str) -> str:
    """Return the formula of the prediction that a fold-in starts from, which is cut off nowhere."""
    return KINDS[kind].link.formula(x, *_RANGE)


def slope(kind: str, x: str) -> str:
    """Return the formula of how fast the prediction grows with a sum."""
    return KINDS[kind].link.slope_formula(x, *_RANGE)


def list_score(book: RecommenderSheets, x: str, near: str, popular: str) -> str:
    """Return the formula of what lists rank by where they have list factors, for one movie or many.

    x: the sum of the prediction. near, popular: the two parts of watch (see ListFactors), the first before it is cut
    off at 0.
    """
    watch = f"(IF({near}>0,{near},0)+{popular})"
    if book.lists == "watch":
        return watch
    worth = f"{uncut(book.kind, x)}-rating_floor"
    return f"{watch}*IF({worth}>least_worth,{worth},least_worth)"


def look_up_id(wanted: str, table: str, n: int) -> str:
    """Return the array formula of the row of an id in a table of n; "" where there is none.

    Ids are compared as texts, 15 and "15" are one; EXACT tells ab from AB and reads no * ? ~ as wildcards, as MATCH
    alone would.
    """
    # joined to "", because LibreOffice's EXACT takes no number from a range
    return _row_or_blank(wanted, _place_of_true(f'EXACT({table}&"",{wanted}&"")', n))


def look_up_title(wanted: str, table: str, n: int) -> str:
    """Return the array formula of the row of a title, as it is or else in any case; "" where there is none.

    An apostrophe in front of what somebody types or picks is no part of the cell's text: it is added at last.
    """
    exact, in_any_case = _place_of_true(f"EXACT({table},{wanted})", n), _place_of_true(f'{table}={wanted}&""', n)
    with_mark = _place_of_true(f'{table}="\'"&{wanted}', n)
    return _row_or_blank(wanted, f"IFERROR({exact},IFERROR({in_any_case},{with_mark}))")


def _place_of_true(conditions: str, n: int) -> str:
    if n == 1:  # one condition is no array to search
        return f"IF({conditions},1,NA())"
    return f"MATCH(TRUE,{conditions},0)"


def _row_or_blank(wanted: str, row: str) -> str:
    return f'IF({wanted}="","",IFERROR({row},""))'


def remark_formulas(book: RecommenderSheets, blocks: dict[str, tuple[str, Block]]) -> dict[Block, str]:
    """Return the sentences that say what a pick lacks; of the panel the first, the others follow by filling."""
    predict = book.predict
    user, movie = book.nouns
    a_user, a_movie = map(with_article, book.nouns)
    title, rating = predict.rated_titles.first, predict.given_ratings.first
    panel = (blocks[f"panel_{name}"] for name in ("found", "usable", "rated_row"))
    found, usable, row = (f"{sheet}!{block.first}" for sheet, block in panel)
    rated = (
        f'IF(INDEX(times_rated,movie_row)>0,"This {user} has rated this {movie}.",'
        f'"This {user} has not rated this {movie}.")'
        if book.ratings
        else '""'
    )
    return {
        predict.pick_remark: f'IF(NOT(ISNUMBER(user_row)),"Pick {a_user} from the list.",'
        f'IF(NOT(ISNUMBER(movie_row)),"Pick {a_movie} from the list.",{rated}))',
        predict.rate_remarks: f'IF(AND({title}="",{rating}=""),"",IF({title}="","pick {a_movie}",'
        f'IF({found}="","not in the list",IF({rating}="","pick a rating",'
        f'IF({usable}="","from "&lowest_rating&" to "&highest_rating,IF({row}="","rated again below",""))))))',
    }


def shown_formulas(book: RecommenderSheets, i: int) -> dict[Block, str]:
    """Return the formulas of what one of the LISTS shows from the titles on, of the first row."""
    calc, panel = book.calc, book.predict.list_at(LISTS[i])
    row, value = (f"{calc.title}!{block.first}" for block in (calc.list_rows(i), calc.list_values(i)))
    shown = value if LISTS[i] == "similar" else scaled(book.kind, value)
    if book.lists and LISTS[i] in SUMS:
        shown = KINDS[book.kind].formula_of_term(f"INDEX({SUMS[LISTS[i]]},{row})", *_RANGE)
    columns = (f"INDEX(movie_titles,{row})", f'INDEX(movie_genres,{row})&""', shown, f"INDEX(movie_ratings,{row})")
    return {panel.column(i): f'IF({row}="","",{columns[i - 1]})' for i in range(1, panel.n_columns)}


def heading_formulas(nouns: Nouns) -> dict[str, str]:
    """Return the formulas of the headings of the LISTS."""
    return {
        "best": f'"Ten best for {nouns.user} "&picked_user',
        "similar": f'"{capital(nouns.movies)} like "&picked_movie',
        "yours": f'IF(COUNT(panel_rated_row)>0,"Ten best for you","{nothing_rated(nouns)}")',
    }


def rating_formula(kind: str) -> str:
    """Return the formula of the predicted rating; it counts on no score, because a rated movie has none."""
    total = "global_mean+user_offset+movie_offset+SUMPRODUCT(user_vector,movie_vector)"
    shown = KINDS[kind].formula_of_term(total, *_RANGE)
    return f'IF(AND(ISNUMBER(user_row),ISNUMBER(movie_row)),{shown},"")'

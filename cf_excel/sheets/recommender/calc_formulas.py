"""What the recommender's formulas say, in functions that every Excel since 2010 and LibreOffice have.

Cells are called by their names (see RecommenderBook.names). Movies compete by their sums, which differ where
predictions are cut off at the highest rating; rounded, so that ties are ties whatever the order of the additions.
"""

from cf_excel.model.kinds import KINDS
from cf_excel.sheets.recommender.names import PANEL, RecommenderBook
from cf_excel.sheets.recommender.recommender_layout import N_RATED
from cf_excel.xlsx.cells import Block

DECIMALS = 11  # products of numbers with five decimals have ten: none is halfway between two roundings
OUT = -1e9  # the score of a movie that does not compete
LISTS = ("best", "similar", "yours")
SCORES = {"best": "best_scores", "similar": "similar_scores", "yours": "your_scores"}
_RANGE = "lowest_rating", "highest_rating"
NOTHING_RATED = "Rate a movie above, and the ten best for you come here"


def scaled(kind: str, x: str) -> str:
    """Return the formula of the prediction for a sum, a cell or a name; for one value or many."""
    return KINDS[kind].formula(x, *_RANGE)


def uncut(kind: str, x: str) -> str:
    """Return the formula of the prediction that a fold-in starts from, which is cut off nowhere."""
    return KINDS[kind].link.formula(x, *_RANGE)


def slope(kind: str, x: str) -> str:
    """Return the formula of how fast the prediction grows with a sum."""
    return KINDS[kind].link.slope_formula(x, *_RANGE)


def look_up_id(wanted: str, table: str, n: int) -> str:
    """Return the array formula of the row of an id in a table of n; "" where there is none.

    Ids are compared as texts, 15 and "15" are one; EXACT tells ab from AB and reads no * ? ~ as wildcards, as MATCH
    alone would.
    """
    # joined to "", because LibreOffice's EXACT takes no number from a range
    return _row_or_blank(wanted, _place_of_true(f'EXACT({table}&"",{wanted}&"")', n))


def look_up_title(wanted: str, table: str, n: int) -> str:
    """Return the array formula of the row of a title, as it is or else in any case; "" where there is none."""
    exact, in_any_case = _place_of_true(f"EXACT({table},{wanted})", n), _place_of_true(f'{table}={wanted}&""', n)
    return _row_or_blank(wanted, f"IFERROR({exact},{in_any_case})")


def _place_of_true(conditions: str, n: int) -> str:
    if n == 1:  # one condition is no array to search
        return f"IF({conditions},1,NA())"
    return f"MATCH(TRUE,INDEX({conditions},0),0)"


def _row_or_blank(wanted: str, row: str) -> str:
    return f'IF({wanted}="","",IFERROR({row},""))'


def scalar_formulas(book: RecommenderBook) -> dict[str, str]:
    """Return the formulas of the single cells of `calc`, by name; the others hold numbers."""
    formulas = {
        "user_row": look_up_id("picked_user", "user_ids", book.n_users),
        "movie_row": look_up_title("picked_movie", "movie_titles", book.n_movies),
        "user_offset": "IF(ISNUMBER(user_row),INDEX(user_bias,user_row),0)",
        "movie_offset": "IF(ISNUMBER(movie_row),INDEX(movie_bias,movie_row),0)",
        "movie_length": "IF(ISNUMBER(movie_row),INDEX(movie_lengths,movie_row),1)",
    }
    if book.ratings:  # sorted by user: from the first row of the next user on, numbers are greater
        formulas["first_rating"] = "IF(ISNUMBER(user_row),IFERROR(MATCH(user_row-0.5,rated_users,1),0)+1,1)"
        formulas["last_rating"] = "IF(ISNUMBER(user_row),IFERROR(MATCH(user_row,rated_users,1),0),0)"
    return formulas


def array_formulas(book: RecommenderBook) -> dict[str, str]:
    """Return the array formulas of `calc`, by the name of the cells that each fills."""
    numbers, least = book.movie_numbers, "IF(ISNUMBER(least_ratings),least_ratings,0)"
    mine = "INDEX(rated_movies,first_rating):INDEX(rated_movies,last_rating)"
    formulas = {
        "user_vector": "IF(ISNUMBER(user_row),TRANSPOSE(INDEX(user_factors,user_row,0)),0)",
        "movie_vector": "IF(ISNUMBER(movie_row),TRANSPOSE(INDEX(movie_factors,movie_row,0)),0)",
        "best_scores": _rounded("global_mean+movie_bias+user_offset+MMULT(movie_factors,user_vector)")
        + ("+IF(times_rated>0,OUT,0)" if book.ratings else ""),
        "similar_scores": _rounded("MMULT(movie_factors,movie_vector)/movie_lengths/movie_length")
        + f"+IF((movie_ratings<{least})+({numbers}=movie_row)>0,OUT,0)",
        "panel_sum": "global_mean+panel_movie_bias+MMULT(panel_factors,prior_mean)",
        "panel_products": "MMULT(panel_factors,prior_covariance)",
        "panel_system": "panel_slope*TRANSPOSE(panel_slope)*MMULT(panel_products,TRANSPOSE(panel_factors))"
        "+rating_noise*(ROW(panel_slope)=TRANSPOSE(ROW(panel_slope)))",
        "panel_weight": "panel_slope*MMULT(MINVERSE(panel_system),panel_error)",
        "your_vector": "prior_mean+MMULT(TRANSPOSE(panel_products),panel_weight)",
        "your_scores": _rounded("global_mean+movie_bias+your_bias+MMULT(movie_factors,your_factors)")
        + f"+IF(FREQUENCY(panel_rated_row,{numbers})>0,OUT,0)",
    }
    if book.ratings:
        formulas["times_rated"] = f"IF(last_rating<first_rating,0,FREQUENCY({mine},{numbers}))"
    return {name: formula.replace("OUT", f"{OUT:.0f}") for name, formula in formulas.items()}


def _rounded(sums: str) -> str:
    return f"ROUND({sums},{DECIMALS})"


def list_formulas(book: RecommenderBook, i: int) -> dict[Block, list[str]]:
    """Return the formulas of the scores and the rows of one of the LISTS, one a row."""
    name, calc = LISTS[i], book.calc
    scores, values, rows = SCORES[name], calc.list_values(i), calc.list_rows(i)
    wanted = {
        "best": "ISNUMBER(user_row)",
        "similar": "ISNUMBER(movie_row)",
        "yours": "COUNT(panel_rated_row)>0",
    }[name]
    value_formulas, row_formulas = [], []
    for j in range(values.n_rows):
        value, above = values.row(j).first, values.row(j - 1).first
        row_above = rows.row(j - 1).first
        largest = f"LARGE({scores},{j + 1})"
        competing = f'IF({largest}>{OUT / 2:.0f},{largest},"")' if j < book.n_movies else '""'
        value_formulas.append(f'IF({wanted},{competing},"")')
        first = f"MATCH({value},{scores},0)"
        # of equal scores the next is in the rest of the column
        rest = f"INDEX({scores},{row_above}+1):INDEX({scores},ROWS({scores}))"
        tie = f"IF({value}={above},{row_above}+MATCH({value},{rest},0),{first})" if j else first
        row_formulas.append(f'IF({value}="","",{tie})')
    return {values: value_formulas, rows: row_formulas}


def panel_formulas(book: RecommenderBook, kind: str) -> dict[str, str]:
    """Return the formulas of the first row of the panel's columns in `calc`, by name; the others follow by filling."""
    calc, predict = book.calc, book.predict
    at = {name: calc.panel(i).row(0).span(fix_columns=True).partition(":")[0] for i, name in enumerate(PANEL)}
    sheet = f"{predict.title}!"
    title, rating = sheet + predict.rated_titles.first, sheet + predict.given_ratings.first
    in_range = f"AND(ISNUMBER({rating}),{rating}>=lowest_rating,{rating}<=highest_rating)"
    below = calc.panel_below(PANEL.index("usable"))
    x = at["sum"]
    return {
        "found": look_up_title(title, "movie_titles", book.n_movies),
        "usable": f'IF(AND(ISNUMBER({at["found"]}),{in_range}),{at["found"]},"")',
        # of two ratings of a movie the later counts
        "rated_row": f'IF({at["usable"]}="","",IF(COUNTIF({below},{at["usable"]})>0,"",{at["usable"]}))',
        "movie_bias": f"IF(ISNUMBER({at['rated_row']}),INDEX(movie_bias,{at['rated_row']}),0)",
        "prediction": uncut(kind, x),
        "slope": slope(kind, x),
        "error": f"IF(ISNUMBER({at['rated_row']}),{rating}-{at['prediction']},0)",
    }


def panel_factor_formulas(book: RecommenderBook) -> list[tuple[Block, str]]:
    """Return blocks and array formulas of the rated movies' factors and of the 1 beside them, one row a rating."""
    block, rows = book.calc.panel_factors, book.calc.panel(PANEL.index("rated_row"))
    formulas = []
    for i in range(N_RATED):
        row, number = block.row(i), rows.row(i).first
        factors = Block(row.top, row.left, row.bottom, row.right - 1)
        formulas.append((factors, f"IF(ISNUMBER({number}),INDEX(movie_factors,{number},0),0)"))
        formulas.append((row.column(book.n_factors), f"IF(ISNUMBER({number}),1,0)"))
    return formulas


def remark_formulas(book: RecommenderBook) -> dict[Block, str]:
    """Return the sentences that say what a pick lacks; of the panel the first, the others follow by filling."""
    calc, predict = book.calc, book.predict
    title, rating = predict.rated_titles.first, predict.given_ratings.first
    found, usable, row = (f"{calc.title}!{calc.panel(PANEL.index(n)).first}" for n in ("found", "usable", "rated_row"))
    rated = (
        'IF(INDEX(times_rated,movie_row)>0,"This user has rated this movie.","This user has not rated this movie.")'
        if book.ratings
        else '""'
    )
    return {
        predict.pick_remark: 'IF(NOT(ISNUMBER(user_row)),"Pick a user from the list.",'
        f'IF(NOT(ISNUMBER(movie_row)),"Pick a movie from the list.",{rated}))',
        predict.rate_remarks: f'IF(AND({title}="",{rating}=""),"",IF({title}="","pick a movie",'
        f'IF({found}="","not in the list",IF({rating}="","pick a rating",'
        f'IF({usable}="","from "&lowest_rating&" to "&highest_rating,IF({row}="","rated again below",""))))))',
    }


def shown_formulas(book: RecommenderBook, kind: str, i: int) -> dict[Block, str]:
    """Return the formulas of titles, genres and scores of one of the LISTS, of the first row."""
    calc, panel = book.calc, book.predict.list_at(LISTS[i])
    row, value = (f"{calc.title}!{block.first}" for block in (calc.list_rows(i), calc.list_values(i)))
    shown = value if LISTS[i] == "similar" else scaled(kind, value)
    return {
        panel.column(1): f'IF({row}="","",INDEX(movie_titles,{row}))',
        panel.column(2): f'IF({row}="","",INDEX(movie_genres,{row})&"")',
        panel.column(3): f'IF({row}="","",{shown})',
    }


def heading_formulas() -> dict[str, str]:
    """Return the formulas of the headings of the LISTS."""
    return {
        "best": '"Ten best for user "&picked_user',
        "similar": '"Movies like "&picked_movie',
        "yours": f'IF(COUNT(panel_rated_row)>0,"Ten best for you","{NOTHING_RATED}")',
    }


def rating_formula(kind: str) -> str:
    """Return the formula of the predicted rating; it counts on no score, because a rated movie has none."""
    total = "global_mean+user_offset+movie_offset+SUMPRODUCT(user_vector,movie_vector)"
    shown = KINDS[kind].formula_of_term(total, *_RANGE)
    return f'IF(AND(ISNUMBER(user_row),ISNUMBER(movie_row)),{shown},"")'

"""The cells of the hidden sheet `calc`: where each block is, what its formula says, and the same in numpy.

A new cell is one declaration here: it takes the next place of its group, and formulas call it by its name.
"""

from dataclasses import replace

import numpy as np

from cf_excel.model.fold_in import noise, solve
from cf_excel.sheets.recommender.calc_formulas import (
    LISTS,
    OUT,
    SCORES,
    look_up_id,
    look_up_title,
    slope,
    uncut,
)
from cf_excel.sheets.recommender.calc_results import Cells
from cf_excel.sheets.recommender.list_cells import given_blocks, list_scalars, ranked_columns, score_column
from cf_excel.sheets.recommender.recommender_layout import N_RATED, CalcSheet, RecommenderSheets
from cf_excel.xlsx.cells import Block, one_cell


def calc_cells(book: RecommenderSheets) -> dict[Block, Cells]:
    """Return every block of the sheet, in the order of the workbook's names."""
    calc = book.calc
    titles, *scores = long_columns(book)
    placed = _headed(calc.long(0), titles) | _headed(calc.rating_list, Cells("rating_list", lambda r: r.choices))
    for i, cells in enumerate(scores, 1):
        placed |= _headed(calc.long(i), cells)
    for i, cells in enumerate(scalars(book)):
        placed |= {calc.scalar_label(i): _text(cells.name, "plain"), calc.scalar(i): cells}
    placed |= _panel(book) | _vectors(calc)
    for i, name in enumerate(LISTS):
        placed |= _list(book, i, name)
    return placed


def long_columns(book: RecommenderSheets) -> list[Cells]:
    """Return the columns of one row a movie."""
    numbers, least = book.movie_numbers, "IF(ISNUMBER(least_ratings),least_ratings,0)"
    mine = "INDEX(rated_movies,first_rating):INDEX(rated_movies,last_rating)"
    return [
        Cells("movie_list", lambda r: sorted(r.titles, key=str.casefold)),
        Cells(
            "times_rated",
            lambda r: r.times_rated,
            f"IF(last_rating<first_rating,0,FREQUENCY({mine},{numbers}))" if book.ratings else "",
            "at once",
        ),
        *ranked_columns(
            book,
            "best",
            lambda r: (
                r.factors.global_mean
                + r.factors.movie_bias
                + r.factors.user_bias[r.picks.user]
                + r.factors.movie_factors @ r["user_vector"]
            ),
            "global_mean+movie_bias+user_offset+MMULT(movie_factors,user_vector)",
            lambda r: r.times_rated > 0,
            "times_rated" if book.ratings else "",
        ),
        score_column(
            "similar_scores",
            lambda r: r.factors.movie_factors @ r["movie_vector"] / r.lengths / r.lengths[r.picks.movie],
            "MMULT(movie_factors,movie_vector)/movie_lengths/movie_length",
            lambda r: (r.n_ratings < r.picks.least_ratings) | (np.arange(len(r.lengths)) == r.picks.movie),
            f"(movie_ratings<{least})+({numbers}=movie_row)",
        ),
        *ranked_columns(
            book,
            "your",
            lambda r: (
                r.factors.global_mean
                + r.factors.movie_bias
                + r["your_vector"][-1]
                + r.factors.movie_factors @ r["your_vector"][:-1]
            ),
            "global_mean+movie_bias+your_bias+MMULT(movie_factors,your_factors)",
            lambda r: np.isin(np.arange(len(r.lengths)), r.picks.rated),
            f"FREQUENCY(panel_rated_row,{numbers})",
        ),
    ]


def scalars(book: RecommenderSheets) -> list[Cells]:
    """Return the single cells, one below the other."""
    # sorted by user: from the first row of the next user on, numbers are greater
    first = "IF(ISNUMBER(user_row),IFERROR(MATCH(user_row-0.5,rated_users,1),0)+1,1)"
    last = "IF(ISNUMBER(user_row),IFERROR(MATCH(user_row,rated_users,1),0),0)"
    find_user = look_up_id("picked_user", "user_ids", book.n_users)
    find_movie = look_up_title("picked_movie", "movie_titles", book.n_movies)
    user, movie = "IF(ISNUMBER(user_row),INDEX({},user_row),{})", "IF(ISNUMBER(movie_row),INDEX({},movie_row),{})"
    return [
        Cells("user_row", lambda r: r.picks.user + 1, find_user, "arrays"),
        Cells("movie_row", lambda r: r.picks.movie + 1, find_movie, "arrays"),
        Cells("first_rating", lambda r: r.first_rating, first if book.ratings else ""),
        Cells("last_rating", lambda r: r.last_rating, last if book.ratings else ""),
        Cells("user_offset", lambda r: r.factors.user_bias[r.picks.user], user.format("user_bias", 0)),
        Cells("movie_offset", lambda r: r.factors.movie_bias[r.picks.movie], movie.format("movie_bias", 0)),
        Cells("movie_length", lambda r: r.lengths[r.picks.movie], movie.format("movie_lengths", 1)),
        Cells("lowest_rating", lambda r: r.factors.rating_range[0]),
        Cells("highest_rating", lambda r: r.factors.rating_range[1]),
        Cells("global_mean", lambda r: r.factors.global_mean),
        Cells("rating_noise", lambda r: noise(r.factors)),
        *list_scalars(book),
    ]


def panel_columns(book: RecommenderSheets) -> list[Cells]:
    """Return the columns of the panel in which people rate movies, one row a rating.

    A formula names columns of its own row in braces ({usable}), and what is below in a column as {below_usable};
    {title} and {rating} are what people give.
    """
    in_range = "AND(ISNUMBER({rating}),{rating}>=lowest_rating,{rating}<=highest_rating)"
    return [
        Cells("found", lambda r: r.rated_rows, look_up_title("{title}", "movie_titles", book.n_movies), "arrays"),
        Cells("usable", lambda r: r.rated_rows, f'IF(AND(ISNUMBER({{found}}),{in_range}),{{found}},"")'),
        Cells(
            "rated_row",
            lambda r: r.rated_rows,
            # of two ratings of a movie the later counts
            'IF({usable}="","",IF(COUNTIF({below_usable},{usable})>0,"",{usable}))',
        ),
        Cells(
            "movie_bias",
            lambda r: r.in_panel(r.factors.movie_bias[r.picks.rated]),
            "IF(ISNUMBER({rated_row}),INDEX(movie_bias,{rated_row}),0)",
        ),
        Cells(
            "sum",
            lambda r: r.factors.global_mean + r["panel_movie_bias"] + r["panel_factors"] @ r["prior_mean"],
            "global_mean+panel_movie_bias+MMULT(panel_factors,prior_mean)",
            "at once",
        ),
        Cells("prediction", lambda r: r.uncut(r["panel_sum"]), uncut(book.kind, "{sum}")),
        Cells("slope", lambda r: r.slope(r["panel_sum"]), slope(book.kind, "{sum}")),
        Cells(
            "error",
            lambda r: r.in_panel(r.picks.ratings - r["panel_prediction"][: len(r.picks.rated)]),
            "IF(ISNUMBER({rated_row}),{rating}-{prediction},0)",
        ),
        Cells(
            "weight",
            lambda r: r["panel_slope"] * solve(r["panel_system"], r["panel_error"]),
            "panel_slope*MMULT(MINVERSE(panel_system),panel_error)",
            "at once",
        ),
    ]


def _panel(book: RecommenderSheets) -> dict[Block, Cells]:
    calc, predict = book.calc, book.predict
    columns = {column.name: (calc.panel(i), column) for i, column in enumerate(panel_columns(book))}
    given = {"title": predict.rated_titles, "rating": predict.given_ratings}
    at = {name: f"{predict.title}!{block.first}" for name, block in given.items()}
    for name, (block, _) in columns.items():
        at[name] = block.row(0).span(fix_columns=True).partition(":")[0]
        at[f"below_{name}"] = calc.below_first(block).span(fix_columns=True)
    placed: dict[Block, Cells] = {}
    for name, (block, column) in columns.items():
        named = replace(column, name=f"panel_{name}", formula=column.formula.format(**at))
        placed |= _headed(block, named, name)
    rated_row = columns["rated_row"][0]
    placed |= _equations(calc, rated_row)
    for block, cells in given_blocks(book, rated_row).items():
        placed |= _headed(block, cells)
    return placed


def _equations(calc: CalcSheet, rated_row: Block) -> dict[Block, Cells]:
    """Return what the fold-in solves, and the rated movies' factors with a 1 beside them, one row a rating."""
    system = Cells(
        "panel_system",
        lambda r: (
            r["panel_slope"][:, None] * r["panel_slope"] * (r["panel_products"] @ r["panel_factors"].T)
            + noise(r.factors) * np.eye(len(r["panel_slope"]))
        ),
        "panel_slope*TRANSPOSE(panel_slope)*MMULT(panel_products,TRANSPOSE(panel_factors))"
        f"+rating_noise*{_identity(N_RATED)}",
        "at once",
    )
    factors = Cells("panel_factors", lambda r: r.in_panel(r.rated_numbers), how="parts")
    products = Cells(
        "panel_products",
        lambda r: r["panel_factors"] @ r["prior_covariance"],
        "MMULT(panel_factors,prior_covariance)",
        "at once",
    )
    rows = [rated_row.row(i).first for i in range(rated_row.n_rows)]
    fixed = [f"${row}" for row in rows]  # one cell a factor: not every program has a whole row of INDEX in an array
    numbers = [f"IF(ISNUMBER({row}),INDEX(movie_factors,{row},{calc.factor_number}),0)" for row in fixed]
    ones = [f"IF(ISNUMBER({row}),1,0)" for row in rows]
    return {
        **_headed(calc.panel_system, system),
        **_headed(calc.panel_factors, factors),
        calc.panel_movie_factors: Cells("", lambda r: r["panel_factors"][:, :-1], row_formulas=numbers),
        calc.panel_ones: Cells("", lambda r: r["panel_factors"][:, -1], row_formulas=ones),
        **_headed(calc.panel_products, products),
    }


def _identity(n: int) -> str:
    """Return ones on the diagonal as a constant: not every program compares ROW() of a range with itself turned."""
    return "{" + ";".join(",".join("1" if i == j else "0" for j in range(n)) for i in range(n)) + "}"


def _vectors(calc: CalcSheet) -> dict[Block, Cells]:
    """Return the numbers of the picked user and movie, of the new user, and what users are like; the bias last."""
    numbers = range(1, calc.n_factors + 1)
    user, movie = (
        [f"IF(ISNUMBER({who}_row),INDEX({who}_factors,{who}_row,{i}),0)" for i in numbers] for who in ("user", "movie")
    )
    you = calc.vector(2, with_bias=True)
    return {
        **_headed(
            calc.vector(0),
            Cells("user_vector", lambda r: r.factors.user_factors[r.picks.user], row_formulas=user),
        ),
        **_headed(
            calc.vector(1),
            Cells("movie_vector", lambda r: r.factors.movie_factors[r.picks.movie], row_formulas=movie),
        ),
        **_headed(
            you,
            Cells(
                "your_vector",
                lambda r: r["prior_mean"] + r["panel_products"].T @ r["panel_weight"],
                "prior_mean+MMULT(TRANSPOSE(panel_products),panel_weight)",
                "at once",
            ),
        ),
        calc.vector(2): Cells("your_factors", lambda r: r["your_vector"][:-1], how="parts"),
        one_cell(you.bottom, you.left): Cells("your_bias", lambda r: r["your_vector"][-1], how="parts"),
        **_headed(calc.vector(3, with_bias=True), Cells("prior_mean", lambda r: r.prior.mean)),
        **_headed(calc.covariance, Cells("prior_covariance", lambda r: r.prior.covariance)),
        calc.header_of(calc.vector(4)): _text(None, "header_left"),
    }


def _list(book: RecommenderSheets, i: int, name: str) -> dict[Block, Cells]:
    """Return the ten best scores of one of the LISTS, and the rows of their movies."""
    scores, values, rows = SCORES[name], book.calc.list_values(i), book.calc.list_rows(i)
    wanted = {
        "best": "ISNUMBER(user_row)",
        "similar": "ISNUMBER(movie_row)",
        "yours": "COUNT(panel_rated_row)>0",
    }[name]
    value_formulas, row_formulas = [], []
    for j in range(values.n_rows):
        value, above, row_above = values.row(j).first, values.row(j - 1).first, rows.row(j - 1).first
        largest = f"LARGE({scores},{j + 1})"
        competing = f'IF({largest}>{OUT / 2:.0f},{largest},"")' if j < book.n_movies else '""'
        value_formulas.append(f'IF({wanted},{competing},"")')
        first = f"MATCH({value},{scores},0)"
        # of equal scores the next is in the rest of the column
        rest = f"INDEX({scores},{row_above}+1):INDEX({scores},ROWS({scores}))"
        tie = f"IF({value}={above},{row_above}+MATCH({value},{rest},0),{first})" if j else first
        row_formulas.append(f'IF({value}="","",{tie})')
    score_cells = Cells("", lambda r: r.lists[name][0], row_formulas=value_formulas)
    row_cells = Cells("", lambda r: r.lists[name][1], row_formulas=row_formulas)
    return _headed(values, score_cells, f"{name} score") | _headed(rows, row_cells, f"{name} row")


def _headed(block: Block, cells: Cells, header: str = "") -> dict[Block, Cells]:
    return {CalcSheet.header_of(block): _text(header or cells.name, "header_left"), block: cells}


def _text(text: str | None, style: str) -> Cells:
    return Cells("", lambda r: text, style=style)

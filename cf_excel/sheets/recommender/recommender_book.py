"""Write a trained model as a workbook in which people pick, rate and see predictions, by formulas alone."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from openpyxl import Workbook
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.errors import InputError
from cf_excel.model.factors import AnyModel, Factors, factors_of
from cf_excel.model.kinds import KINDS
from cf_excel.model.lists import ListFactors, usual_least_ratings
from cf_excel.model.picks import refuse_picks
from cf_excel.ratings.table import most_rated
from cf_excel.sheets.page_setup import fit_to_page, heights_of_texts, set_widths, width_of_texts
from cf_excel.sheets.rating_choices import rating_choices
from cf_excel.sheets.recommender.ask_sheets import write_predict
from cf_excel.sheets.recommender.calc_results import Cells, Picks, RecommenderResults
from cf_excel.sheets.recommender.lambdas import lambda_names
from cf_excel.sheets.recommender.movie_labels import shown_genres, unique_titles
from cf_excel.sheets.recommender.name_comments import name_comment
from cf_excel.sheets.recommender.names import RecommenderBook
from cf_excel.sheets.recommender.recommender import Recommender
from cf_excel.sheets.recommender.recommender_layout import (
    LIST_MOVIE_COLUMNS,
    LIST_USER_COLUMNS,
    MOVIE_COLUMNS,
    N_RATED,
    USER_COLUMNS,
    TableSheet,
)
from cf_excel.xlsx.cells import Block, column_letters
from cf_excel.xlsx.texts import shown_ids
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import style_ids

_MOST_RATINGS = 100  # that a dropdown offers
_EXAMPLE = (1.0, 0.9, 0.3, 0.8, 0.1)  # ratings in the panel, from the lowest (0) to the highest (1)


def build_recommender(
    factors: AnyModel,
    path: Path | str,
    *,
    digits: int = 5,
    with_ratings: bool = True,
    made: date | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Recommender:
    """Write the workbook and return what it holds.

    digits: decimals of factors and biases. made: the date of the model. tell: called with how many cells are written,
    and how many there are. Raises InputError for a model of kind net and for one that does not fit on sheets or has ids
    that no cell tells apart, FileError where the file can't be written.
    """
    factors = factors_of(factors)
    check_model(factors, digits)
    written = _as_written(factors, digits)
    choices = rating_choices(*written.rating_range, _rating_values(written))
    nouns = factors.nouns
    user_ids, movie_ids = (
        shown_ids(nouns.users, written.user_ids.tolist()),
        shown_ids(nouns.movies, written.movie_ids.tolist()),
    )
    n_users, n_factors = written.user_factors.shape
    n_ratings = len(written.seen_movies) if with_ratings else 0
    sizes = n_users, len(written.movie_ids), n_factors, n_ratings, len(choices)
    book = RecommenderBook(*sizes, written.kind, nouns, *_lists_of(written))
    titles = unique_titles(written.titles, movie_ids, nouns.movie)
    picks, on_calc = _first_picks(written, choices), book.calc_cells.values()
    user_given = _user_given(written, digits)
    results = RecommenderResults(written, titles, picks, choices, on_calc, book.ratings is not None, user_given)
    recommender = Recommender(written, user_ids, movie_ids, book, results)

    workbook = Workbook()
    workbook.active.title = book.predict.title
    styles = style_ids(workbook)
    cells = {book.predict.title: SheetCells(styles)}
    write_predict(workbook.active, cells[book.predict.title], recommender, made)
    for sheet in filter(None, (book.users, book.movies, book.ratings)):
        cells[sheet.title] = SheetCells(styles)
        worksheet = workbook.create_sheet(sheet.title)
        worksheet.freeze_panes, worksheet.print_area = sheet.freeze, sheet.printed
        worksheet.print_title_rows = f"{sheet.headers.top}:{sheet.headers.bottom}"
        fit_to_page(worksheet)
    _write_users(workbook["users"], cells["users"], recommender)
    _write_movies(workbook["movies"], cells["movies"], recommender)
    if book.ratings:
        _write_ratings(workbook["ratings"], cells["ratings"], book.ratings, written)
    cells[book.calc.title] = SheetCells(styles)
    _write_calc(cells[book.calc.title], book.calc_cells, results)
    workbook.create_sheet(book.calc.title).sheet_state = "hidden"
    for name, text in (book.names | lambda_names(book, factors.kind, text_movies=recommender.text_movies)).items():
        comment = name_comment(name, book.blocks[name][0] if name in book.blocks else "", nouns)
        workbook.defined_names.add(DefinedName(name, attr_text=text, comment=comment))
    write_workbook(path, workbook, cells, title="Recommender", tell=tell)
    return recommender


def check_model(factors: Factors, digits: int) -> None:
    """Raise InputError for a model or a number of decimals that makes no workbook."""
    refuse_picks(factors, "which the workbook's formulas predict")
    if KINDS[factors.kind].is_net:
        raise InputError(
            f"a model of kind {factors.kind} is a neural net, too large for formulas: train one of another kind"
        )
    if not 1 <= digits <= 15:
        raise InputError(f"--digits {digits}: expected 1 to 15")
    factors.check_seen()


def _as_written(factors: Factors, digits: int) -> Factors:
    """Return the model with rounded numbers, float64, its users sorted by id and the movies of each sorted."""
    factors = factors.of_users(np.argsort(factors.user_ids, kind="stable"))
    return replace(
        factors,
        user_factors=_rounded(factors.user_factors, digits),
        movie_factors=_rounded(factors.movie_factors, digits),
        user_bias=_rounded(factors.user_bias, digits),
        movie_bias=_rounded(factors.movie_bias, digits),
        lists=None if factors.lists is None else _lists_as_written(factors.lists, digits),
        seen_movies=factors.seen_movies[np.lexsort((factors.seen_movies, factors.seen_users))],
        seen_ratings=None,  # the workbook shows none
        crowd=None,  # its formulas count what it shows
    )


def _lists_as_written(lists: ListFactors, digits: int) -> ListFactors:
    return replace(
        lists,
        given=_as_precise(lists.given, digits),
        asked=_as_precise(lists.asked, digits),
        popularity=_as_precise(lists.popularity, digits),
    )


def _rounded(array: np.ndarray, decimals: int) -> np.ndarray:
    return np.round(array.astype(np.float64), decimals) + 0.0  # -0.0 becomes 0


def _as_precise(array: np.ndarray, digits: int) -> np.ndarray:
    """Return rounded numbers; small ones with more decimals, so that the greatest keeps as many digits as asked for."""
    greatest = float(np.abs(array).max(initial=0))
    return _rounded(array, digits + max(0, -1 - math.floor(math.log10(greatest))) if greatest > 0 else digits)


def _lists_of(factors: Factors) -> tuple[str, int]:
    """Return what lists rank by and how many columns that takes, nothing where it is the predicted rating."""
    lists = factors.lists
    if lists is None:
        return "", 0
    return "score" if lists.by_rating_too(factors.rating_range) else "watch", lists.given.shape[1]


def _user_given(factors: Factors, digits: int) -> np.ndarray:
    """Return what the movies of each user gave to the user, (n_users, n_columns), as the sheet holds it."""
    if factors.lists is None:
        return np.empty((factors.n_users, 0))
    return _as_precise(factors.lists.user_given([factors.seen(row) for row in range(factors.n_users)]), digits)


def _rating_values(factors: Factors) -> list[float]:
    """Return the ratings that the model was trained on, nothing where its record does not tell; anybody writes one."""
    values = factors.record.get("rating_values")
    if not isinstance(values, list) or len(values) > _MOST_RATINGS:
        return []
    return values if all(type(value) in (int, float) for value in values) else []


def _first_picks(factors: Factors, choices: list[float]) -> Picks:
    """Return picks to start with: the most active user, a much rated movie new to that user, an example of ratings."""
    counts = factors.n_ratings
    movies = most_rated(counts, factors.movie_ids).tolist()
    user = most_rated(factors.n_seen, factors.user_ids)[0]
    rated = movies[:N_RATED]
    ratings = [choices[round(share * (len(choices) - 1))] for share in _EXAMPLE[: len(rated)]]
    least = usual_least_ratings(counts)
    seen = set(factors.seen(user).tolist())
    movie = next((movie for movie in movies if movie not in seen), movies[0])
    return Picks(int(user), movie, rated, ratings, least)


def _write_users(worksheet: Worksheet, cells: SheetCells, recommender: Recommender) -> None:
    factors, sheet = recommender.factors, recommender.book.users
    numbers = np.column_stack([factors.user_bias, factors.user_factors])
    headers = [factors.nouns.user, *list(USER_COLUMNS.values())[1:], *_numbered("factor", factors.n_factors)]
    if factors.lists is not None:
        numbers = np.column_stack([numbers, factors.n_seen, recommender.results.user_given])
        headers += [*LIST_USER_COLUMNS.values(), *_numbered("given", recommender.book.n_columns)]
    cells.put(sheet.headers, "header_left", [headers])
    cells.put(sheet.columns(0), "id_left", [[identity] for identity in recommender.user_ids])
    cells.put(sheet.columns(1, numbers.shape[1]), "plain", numbers)
    set_widths(worksheet, {sheet.columns(0): max(10, width_of_texts(recommender.user_ids, 40))})


def _write_movies(worksheet: Worksheet, cells: SheetCells, recommender: Recommender) -> None:
    factors, sheet, results = recommender.factors, recommender.book.movies, recommender.results
    columns = (
        recommender.movie_ids,
        recommender.titles,
        [int(year) or None for year in factors.years],
        [shown_genres(genres) or None for genres in factors.genres],
        results.n_ratings.tolist(),
    )
    numbers = np.column_stack([results.lengths, factors.movie_bias, factors.movie_factors])
    headers = [factors.nouns.movie, *list(MOVIE_COLUMNS.values())[1:], *_numbered("factor", factors.n_factors)]
    if factors.lists is not None:
        numbers = np.column_stack([numbers, factors.lists.popularity, factors.lists.given, factors.lists.asked])
        headers += LIST_MOVIE_COLUMNS.values()
        headers += [name for of in ("given", "asked") for name in _numbered(of, recommender.book.n_columns)]
    cells.put(sheet.headers, "header_left", [headers])
    widths, looks = (10, 50, 8, 34), ("id_left", "text", "id_left", "text", "plain")
    cells.row_heights = heights_of_texts(sheet.table.top, *zip(columns, widths, strict=False))
    for i, values in enumerate(columns):
        cells.put(sheet.columns(i), looks[i], [[value] for value in values])
    cells.put(sheet.columns(len(columns), numbers.shape[1]), "plain", numbers)
    set_widths(worksheet, {sheet.columns(i): width for i, width in enumerate(widths)})
    for i in (2, 3):  # years and genres
        if not any(columns[i]):
            worksheet.column_dimensions[column_letters(sheet.columns(i).left)].hidden = True


def _write_ratings(worksheet: Worksheet, cells: SheetCells, sheet: TableSheet, factors: Factors) -> None:
    headers = [f"{noun} row" for noun in factors.nouns]
    cells.put(sheet.headers, "header", [headers])
    set_widths(worksheet, {sheet.columns(i): len(header) + 4 for i, header in enumerate(headers)})
    cells.put(sheet.table, "plain", np.column_stack([factors.seen_users, factors.seen_movies]) + 1)


def _numbered(name: str, n: int) -> list[str]:
    return [f"{name} {i}" for i in range(1, n + 1)]


def _write_calc(sheet: SheetCells, placed: dict[Block, Cells], results: RecommenderResults) -> None:
    """Put every block onto the sheet: values, and formulas with their results."""
    for block, cells in placed.items():
        if cells.how == "parts":
            continue
        shown = results[cells.name] if cells.name else results.of(cells)
        rows = shown.reshape(block.n_rows, block.n_columns)
        if not cells.formula and not cells.row_formulas:
            sheet.put(block, cells.style, rows)
        elif cells.formula:
            _fill_calc(sheet, block, cells, cells.formula, rows)
        for i, formula in enumerate(cells.row_formulas):
            _fill_calc(sheet, block.row(i), cells, formula, rows[i : i + 1])


def _fill_calc(sheet: SheetCells, block: Block, cells: Cells, formula: str, rows: np.ndarray) -> None:
    if cells.how == "at once":
        sheet.fill_at_once(block, cells.style, formula, rows)
    else:
        sheet.fill(block, cells.style, formula, rows, array=cells.how == "arrays")

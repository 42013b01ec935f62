"""Build the collaborative-filtering workbook: the lesson's sheets over a crosstab of real ratings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from openpyxl import Workbook
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.model.parameters import Parameters
from cf_excel.ratings.nouns import Nouns, id_headers
from cf_excel.ratings.table import LESSON_SOURCE, Crosstab, Ratings, check_ratings, crosstab
from cf_excel.sheets.exercise import exercise_line
from cf_excel.sheets.lesson.block_names import block_names
from cf_excel.sheets.lesson.embeddings import random_parameters, sheet_rmse
from cf_excel.sheets.lesson.grid_formulas import color_predictions, write_answers, write_predictions
from cf_excel.sheets.lesson.intro import intro_lines, memorising_remark
from cf_excel.sheets.lesson.lesson_layout import NOT_FOUND, CollabBook, EmbeddingSheet, GridSheet, MoviesSheet
from cf_excel.sheets.lesson.movies_table import write_movies
from cf_excel.sheets.lesson.solver_names import solver_names
from cf_excel.sheets.page_setup import (
    fit_to_page,
    heights_of_texts,
    set_widths,
    shortened,
    width_of_texts,
    write_intro,
)
from cf_excel.xlsx.cells import on_sheet
from cf_excel.xlsx.texts import clean_text, shown_ids
from cf_excel.xlsx.write.buttons import Macros
from cf_excel.xlsx.write.charts import Chart, Curve
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import style_ids

_LEGEND_ROOM = 11  # characters of a small text that a column of factors shows
_WIDEST_TITLES = 72
START_NOTE = "Random numbers at first; Solver then changes them by gradient descent."


@dataclass(frozen=True)
class Draft:
    """A workbook before it is written, for sheets that are added to it (see predict.sheet).

    table: ids and titles as cells show them. titles: of all movies, or the id of one without.
    """

    workbook: Workbook
    cells: dict[str, SheetCells]
    styles: dict[str, int]
    book: CollabBook
    titles: list[str]
    table: Crosstab
    predictions: dict[str, np.ndarray]
    nouns: Nouns


def build_collab(
    ratings: Ratings,
    path: Path | str,
    *,
    n_users: int | None = None,
    n_movies: int | None = None,
    n_factors: int = 5,
    seed: int = 42,
    exercise: bool = False,
    extend: Callable[[Draft], Macros | None] | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Write the workbook and return the RMSE of each sheet.

    n_users, n_movies: of the table, 15 or as many as there are unless given.
    exercise: leave the formulas of dotprod and bias to the reader, with the answers on hidden sheets.
    extend: may add sheets before the workbook is written, and returns its macros and buttons.
    tell: called with how many cells are written, and how many there are.
    Raises InputError where the ratings have too few users or movies or ids that no cell tells apart, or a sheet would
    be too large, FileError where the file can't be written.
    """
    check_ratings(ratings)
    nouns = ratings.nouns
    table = _as_shown(crosstab(ratings, n_users, n_movies), nouns)
    n_users, n_movies = table.values.shape
    rated = ~np.isnan(table.values)
    book = CollabBook(n_users, n_movies, n_factors, int(rated.sum()))
    start = random_parameters(n_users, n_movies, n_factors, seed)
    pairs = np.arange(n_users)[:, None], np.arange(n_movies)
    products = start.products(*pairs)
    dot = np.where(rated, products, 0.0)
    biased = np.where(rated, start.predict(*pairs), 0.0)
    rmse = {
        "dotprod": sheet_rmse(table.values, dot),
        "bias": sheet_rmse(table.values, biased),
        "movielens_emb": sheet_rmse(table.values, dot),
    }

    workbook = Workbook()
    workbook.active.title = "intro"
    styles = style_ids(workbook)
    cells = {"intro": SheetCells(styles)}
    is_lesson = ratings.source == LESSON_SOURCE and (n_users, n_movies, n_factors) == (15, 15, 5)
    with_functions = extend is not None
    lines = intro_lines(
        book, source=ratings.source, seed=seed, is_lesson=is_lesson, with_functions=with_functions, nouns=nouns
    )
    if exercise:
        lines.insert(2, exercise_line("beside them"))
    places = {sheet.title: on_sheet(sheet.title, sheet.rmse) for sheet in (book.dotprod, book.bias, book.movielens_emb)}
    to_write = (book.dotprod.title, book.bias.title) if exercise else ()
    shown = {title: (place, None if title in to_write else rmse[title]) for title, place in places.items()}
    write_intro(workbook["intro"], cells["intro"], lines, shown)
    for sheet, predictions in ((book.dotprod, dot), (book.bias, biased)):
        worksheet, cells[sheet.title] = workbook.create_sheet(sheet.title), SheetCells(styles)
        _write_grid(worksheet, cells[sheet.title], sheet, table, start, nouns)
        write_predictions(worksheet, cells[sheet.title], sheet, predictions, rmse[sheet.title], exercise=exercise)
        remark = memorising_remark(book, with_bias=sheet.with_bias)
        cells[sheet.title].put(sheet.remark, "note", [[remark]])
        color_predictions(worksheet, sheet, ratings.rating_range, may_be_blank=exercise)
    rows = book.movielens_emb
    worksheet, cells[rows.title] = workbook.create_sheet(rows.title), SheetCells(styles)
    charts = _write_embedding(worksheet, cells[rows.title], rows, table, start, products, rmse[rows.title], nouns)
    cells[rows.title].put(rows.remark, "note", [[memorising_remark(book, with_bias=False)]])
    movies = MoviesSheet(ratings.n_movies)
    cells[movies.title] = SheetCells(styles)
    write_movies(workbook.create_sheet(movies.title), cells[movies.title], movies, ratings)
    if exercise:
        for sheet, predictions in ((book.dotprod, dot), (book.bias, biased)):
            write_answers(workbook, cells, sheet, predictions, rmse[sheet.title])
    macros = None
    if extend:
        titles = [
            clean_text(str(title or movie)) for title, movie in zip(ratings.titles, ratings.movie_ids, strict=True)
        ]
        macros = extend(Draft(workbook, cells, styles, book, titles, table, {"dotprod": dot, "bias": biased}, nouns))
    write_workbook(
        path,
        workbook,
        cells,
        title="Collaborative filtering",
        charts={rows.title: charts},
        macros=macros,
        tell=tell,
    )
    return rmse


def _write_grid(
    worksheet: Worksheet,
    cells: SheetCells,
    sheet: GridSheet,
    table: Crosstab,
    start: Parameters,
    nouns: Nouns,
) -> None:
    numbers = [f"factor {k}" for k in range(1, sheet.n_factors + 1)]
    labels = ["bias", *numbers] if sheet.with_bias else numbers
    formulas = sheet.formulas
    _write_headings(cells, sheet, table, nouns)
    cells.put(sheet.rating_users, "id", [[user_id] for user_id in table.user_ids])
    cells.put(sheet.rating_movies, "id", [table.movie_ids])
    cells.put(sheet.ratings, "rating", table.values)
    cells.put(sheet.note, "note", [[START_NOTE]])
    cells.put(sheet.movie_titles, "upright", [table.titles])
    cells.put(sheet.movie_labels, "side_note", [[f"{nouns.movie} {label}"] for label in labels])
    cells.put(sheet.user_labels, "header", [labels])
    cells.put(sheet.movie_factors, "input", start.movie_factors.T)
    cells.put(sheet.user_factors, "input", start.user_factors)
    if sheet.movie_bias and sheet.user_bias and start.movie_bias is not None and start.user_bias is not None:
        cells.put(sheet.movie_bias, "input", start.movie_bias[None, :])
        cells.put(sheet.user_bias, "input", start.user_bias[:, None])
    for block, ids in ((sheet.prediction_users, table.user_ids), (sheet.prediction_movies, table.movie_ids)):
        cells.fill(block, "id", formulas[block], ids)
    cells.put(sheet.rmse_label, "result_name", [["RMSE"]])
    cells.row_heights[sheet.movie_titles.top] = 120
    worksheet.freeze_panes = sheet.freeze
    set_widths(worksheet, {sheet.user_labels: 8, sheet.rating_users: 15, sheet.ratings: 7.5})
    _finish(worksheet, sheet, nouns)
    worksheet.page_setup.fitToHeight = 1 if sheet.remark.bottom <= 60 else 0  # of larger ones a page is too small


def _write_headings(cells: SheetCells, sheet: GridSheet, table: Crosstab, nouns: Nouns) -> None:
    """Say what the sheet and its grids are, and what the movies above the ratings are called."""
    cells.put(sheet.heading, "title", [["Dot products and biases" if sheet.with_bias else "Dot products"]])
    if sheet.directions != sheet.heading and sheet.legend:
        cells.put(sheet.directions, "side_note", [[f"{nouns.users} ↓"]])
    cells.put(sheet.rating_corner, "header", [["Ratings"]])
    cells.put(sheet.prediction_corner, "header", [["Predictions"]])
    cells.put(sheet.users_note, "group", [[f"{nouns.users}, one a row"]])
    if sheet.legend:
        room = int(_LEGEND_ROOM * (sheet.directions.left - sheet.legend.left))
        titles = (shortened(title, room) or None for title in table.titles)
        rows = [[movie_id, title] for movie_id, title in zip(table.movie_ids, titles, strict=True)]
        cells.put(sheet.legend.column(0), "index", [row[:1] for row in rows])
        cells.put(sheet.legend.column(1), "legend", [row[1:] for row in rows])
    cells.row_heights[sheet.heading.top] = 22


def _as_shown(table: Crosstab, nouns: Nouns) -> Crosstab:
    """Return the table with ids and titles as cells show them."""
    return replace(
        table,
        user_ids=shown_ids(nouns.users, table.user_ids),
        movie_ids=shown_ids(nouns.movies, table.movie_ids),
        titles=list(map(clean_text, table.titles)),
    )


def _write_embedding(
    worksheet: Worksheet,
    cells: SheetCells,
    sheet: EmbeddingSheet,
    table: Crosstab,
    start: Parameters,
    products: np.ndarray,
    rmse: float,
    nouns: Nouns,
) -> list[Chart]:
    user, movie = np.nonzero(~np.isnan(table.values))
    rating = table.values[user, movie]
    k = sheet.n_factors
    numbers = [f"factor {i}" for i in range(1, k + 1)]
    cells.put(sheet.note, "note", [[START_NOTE]])
    cells.put(sheet.user_labels, "header", [["row", nouns.user, *numbers]])
    cells.put(sheet.user_rows, "index", [[row] for row in range(1, sheet.n_users + 1)])
    cells.put(sheet.user_ids, "id", [[user_id] for user_id in table.user_ids])
    cells.put(sheet.user_factors, "input", start.user_factors)
    cells.put(sheet.movie_labels, "header", [["title", nouns.movie, *numbers]])
    cells.put(sheet.movie_titles, "text", [[title] for title in table.titles])
    width = max(20, width_of_texts(table.titles, _WIDEST_TITLES))
    cells.row_heights |= heights_of_texts(sheet.movie_titles.top, (table.titles, width))
    cells.put(sheet.movie_ids, "id", [[movie_id] for movie_id in table.movie_ids])
    cells.put(sheet.movie_factors, "input", start.movie_factors)
    user_row, movie_row = ([f"{noun} row", *numbers] for noun in nouns)
    names = [*id_headers(nouns), "rating", *user_row, *movie_row, "prediction", "error²"]
    cells.put(sheet.headers, "header", [names])
    rows = [[table.user_ids[u], table.movie_ids[m], r] for u, m, r in zip(user, movie, rating, strict=True)]
    cells.put(sheet.ratings, "rating", rows or [[None] * 3])

    text_users, text_movies = (isinstance(ids[0], str) for ids in (table.user_ids, table.movie_ids))
    formulas = sheet.formulas(text_users=text_users, text_movies=text_movies)
    predicted = products[user, movie]
    looked_up = (
        (sheet.user_index, "index", user + 1, NOT_FOUND),
        (sheet.rating_user_factors, "looked_up", start.user_factors[user], 0.0),
        (sheet.movie_index, "index", movie + 1, NOT_FOUND),
        (sheet.rating_movie_factors, "looked_up", start.movie_factors[movie], 0.0),
        (sheet.predictions, "prediction", predicted, 0.0),
        (sheet.squared_errors, "error", (rating - predicted) ** 2, ""),
    )
    arrays = {sheet.user_index: text_users, sheet.movie_index: text_movies}
    for block, style, results, without_rating in looked_up:
        if not len(rating):
            results = [without_rating] * block.n_columns
        cells.fill(block, style, formulas[block], results, array=arrays.get(block, False))
    cells.put(sheet.rmse_label, "result_name", [["RMSE"]])
    cells.fill(sheet.rmse, "result", formulas[sheet.rmse], [rmse])

    worksheet.freeze_panes = sheet.freeze
    set_widths(
        worksheet,
        {
            sheet.movie_titles: width,
            sheet.movie_ids: 9,
            sheet.movie_factors: 8,
            sheet.ratings: 9,
            sheet.user_index: 9,
            sheet.rating_user_factors: 8,
            sheet.movie_index: 10,
            sheet.rating_movie_factors: 8,
            sheet.predictions: 10.5,
            sheet.squared_errors: 8,
            sheet.rmse: 9,
        },
    )
    worksheet.print_area = ",".join(sheet.printed)
    worksheet.page_margins.top = worksheet.page_margins.bottom = 0.3  # inches: both tables are on one page
    worksheet.print_title_rows = sheet.print_titles
    _finish(worksheet, sheet, nouns)
    if not len(rating):
        return []
    actual, shown = sheet.charted(sheet.ratings.column(2)), sheet.charted(sheet.predictions)
    points = (
        (on_sheet(sheet.title, actual), rating[: actual.n_rows]),
        (on_sheet(sheet.title, shown), predicted[: shown.n_rows]),
    )
    curve = Curve("ratings", *points, size=5, joined=False)
    return [Chart("Predicted against actual rating", "rating", "prediction", [curve], sheet.chart)]


def _finish(worksheet: Worksheet, sheet: GridSheet | EmbeddingSheet, nouns: Nouns) -> None:
    """Name the blocks that people refer to, for Solver and for themselves; set the page."""
    for name, value in solver_names(sheet).items():
        worksheet.defined_names.add(DefinedName(name, attr_text=value, hidden=True))
    for defined in block_names(sheet, nouns):
        worksheet.defined_names.add(defined)
    fit_to_page(worksheet)

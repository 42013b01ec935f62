"""Write the recommender's front sheet, which people see."""

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from openpyxl.formatting.rule import DataBarRule
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.book.cells import column_letters
from cf_excel.book.package import SheetCells, shown_value
from cf_excel.book.recommender.formulas import (
    LISTS,
    heading_formulas,
    rating_formula,
    remark_formulas,
    shown_formulas,
)
from cf_excel.book.recommender.layout import N_BEST, N_RATED, PredictSheet
from cf_excel.book.styles import BAR

if TYPE_CHECKING:
    from cf_excel.book.recommender.results import Recommender


def write_predict(worksheet: Worksheet, cells: SheetCells, recommender: "Recommender", made: date | None) -> None:
    """Put the panels onto the sheet, with dropdowns, data bars and the results of the first picks."""
    book, results = recommender.book, recommender.results
    sheet, factors = book.predict, results.factors
    cells.put(sheet.heading, "banner", [["What to watch next"]])
    cells.put(sheet.notes, "note", [[line] for line in _notes(recommender, made)])
    _write_picks(cells, recommender)
    _write_ratings(cells, recommender)
    for block, formula in heading_formulas(book).items():
        text = {
            "best": f"Ten best for user {shown_value(factors.user_ids[results.picks.user : results.picks.user + 1].tolist()[0])}",
            "similar": f"Movies like {recommender.titles[results.picks.movie]}",
            "yours": "Ten best for you",
        }[next(name for name in LISTS if sheet.list_at(name).heading == block)]
        cells.fill(block.column(0), "panel", formula, np.array([text], object))
        for i in range(1, block.n_columns):
            cells.put(block.column(i), "panel", [[None]])
    for i, name in enumerate(LISTS):
        _write_list(cells, recommender, i, name)
    cells.put(sheet.least_label, "side_note", [["rated at least this often:"]])
    cells.put(sheet.least_ratings, "pick_number", [[results.picks.least_ratings]])
    lines = _help(recommender)
    for i, (style, line) in enumerate(lines):
        cells.put(sheet.help_lines(len(lines)).row(i).column(0), style, [[line]])
    cells.row_heights |= {sheet.heading.top: 32, sheet.rating.top: 24}
    _finish(worksheet, sheet, factors.rating_range)


def _notes(recommender: "Recommender", made: date | None) -> list[str]:
    factors = recommender.factors
    n_users, n_factors = factors.user_factors.shape
    metrics = factors.record.get("metrics")
    rmse = metrics.get("val_rmse") if isinstance(metrics, dict) else None
    model = f"Model: {factors.kind}, {n_factors} factors for each of {n_users:,} users and {len(factors.movie_ids):,} movies"
    if isinstance(rmse, (int, float)):
        model += f"; typical error {rmse:.2f} rating points (validation RMSE)"
    if made:
        model += f"; of {made:%Y-%m-%d}"
    return ["Change the yellow cells. Everything else follows, by formulas over the other sheets: no macros.", f"{model}."]


def _write_picks(cells: SheetCells, recommender: "Recommender") -> None:
    book, results = recommender.book, recommender.results
    sheet, picks, factors = book.predict, results.picks, results.factors
    _write_heading(cells, sheet.pick_heading, "Pick a user and a movie")
    cells.put(sheet.pick_labels, "plain", [["User"], ["Movie"], ["Rating"]])
    user_id = factors.user_ids[picks.user : picks.user + 1].tolist()[0]
    cells.put(sheet.picked_user, "pick", [[shown_value(user_id)]])
    cells.put(sheet.picked_movie, "pick_text", [[recommender.titles[picks.movie]]])
    cells.fill(sheet.rating, "big_score", rating_formula(factors.kind), [results.rating])
    remark = ""
    if book.ratings:
        has = "has" if results.times_rated[picks.movie] else "has not"
        remark = f"This user {has} rated this movie."
    remarks = remark_formulas(book)
    cells.fill(sheet.pick_remark, "note", remarks[sheet.pick_remark], np.array([remark], object))


def _write_ratings(cells: SheetCells, recommender: "Recommender") -> None:
    book, picks = recommender.book, recommender.results.picks
    sheet, blank = book.predict, N_RATED - len(picks.rated)
    _write_heading(cells, sheet.rate_heading, f"Or rate {N_RATED} movies yourself (these are examples)")
    cells.put(sheet.rate_numbers, "index", [[i] for i in range(1, N_RATED + 1)])
    titles = [recommender.titles[row] for row in picks.rated]
    cells.put(sheet.rated_titles, "pick_text", [[title] for title in titles + [None] * blank])
    cells.put(sheet.given_ratings, "pick_number", [[rating] for rating in picks.ratings + [None] * blank])
    formula = remark_formulas(book)[sheet.rate_remarks]
    cells.fill(sheet.rate_remarks, "note", formula, np.array([""] * N_RATED, object))


def _write_list(cells: SheetCells, recommender: "Recommender", i: int, name: str) -> None:
    book, results = recommender.book, recommender.results
    panel = book.predict.list_at(name)
    scores, rows = results.best(
        {"best": results.best_scores, "similar": results.similar_scores, "yours": results.your_scores}[name]
    )
    shown = [score if score == "" or name == "similar" else float(results.scaled(score)) for score in scores]
    genres = recommender.factors.genres
    texts = [["", ""] if row == "" else [recommender.titles[row - 1], genres[row - 1].replace("|", ", ")] for row in rows]
    cells.put(panel.headers, "header_left", [["", "movie", "genres", "similarity" if name == "similar" else "rating"]])
    cells.put(panel.column(0), "index", [[j] for j in range(1, N_BEST + 1)])
    results_of = dict(zip((1, 2, 3), ([t[0] for t in texts], [t[1] for t in texts], shown), strict=True))
    styles = {1: "plain", 2: "quiet", 3: "score"}
    for column, (block, formula) in enumerate(shown_formulas(book, results.factors.kind, i).items(), 1):
        cells.fill(block, styles[column], formula, np.array(results_of[column], object))


def _help(recommender: "Recommender") -> list[tuple[str, str]]:
    factors, title = recommender.factors, recommender.titles[recommender.results.picks.movie]
    user = factors.user_ids[recommender.results.picks.user : recommender.results.picks.user + 1].tolist()[0]
    who, what = (f'"{value}"' if isinstance(value, str) else str(value) for value in (user, title))
    what = f'"{title.replace(chr(34), chr(34) * 2)}"'
    lines = [
        ("name", "In Excel 365 these work in any cell"),
        ("code", f"=CF.PREDICT({who}, {what})"),
        ("code", f"=CF.RECOMMEND({who}, 10)"),
        ("code", f"=CF.SIMILAR({what}, 10, 20)"),
        ("code", "=CF.RATE(rated_titles, given_ratings, 10)"),
        ("note", "Movies by title or id. CF.RECOMMEND lists what is new to the user; add TRUE for all movies."),
        ("note", "The 20 leaves out movies that were rated less often. Copy a line, and press Enter."),
    ]
    if not recommender.book.ratings:
        lines[5] = ("note", "Movies by title or id. This file holds no ratings: lists show movies that the user knows, too.")
    return lines


def _write_heading(cells: SheetCells, block: object, text: str) -> None:
    cells.put(block, "panel", [[text] + [None] * (block.n_columns - 1)])


def _finish(worksheet: Worksheet, sheet: PredictSheet, rating_range: tuple[float, float]) -> None:
    for cells, source, words in (
        (sheet.picked_user, "user_ids", "Pick a user from the list."),
        (sheet.picked_movie, "movie_list", "Pick a movie from the list, in alphabetical order."),
        (sheet.rated_titles, "movie_list", "Pick a movie from the list, in alphabetical order."),
        (sheet.given_ratings, "rating_list", "Pick a rating from the list."),
    ):
        dropdown = DataValidation("list", formula1=source, allow_blank=True, showErrorMessage=True)
        dropdown.error, dropdown.errorTitle = words, "Not in the list"
        dropdown.add(cells.span())
        worksheet.add_data_validation(dropdown)
    whole = DataValidation("whole", operator="greaterThanOrEqual", formula1="0", showErrorMessage=True)
    whole.error, whole.errorTitle = "A whole number, 0 or more.", "How many ratings?"
    whole.add(sheet.least_ratings.first)
    worksheet.add_data_validation(whole)
    low, high = rating_range
    bars = [(sheet.rating, low, high), *((sheet.list_at(name).column(3), low, high) for name in ("best", "yours"))]
    for block, start, end in [*bars, (sheet.list_at("similar").column(3), 0, 1)]:
        rule = DataBarRule("num", start, "num", end, color=BAR, showValue=True)
        worksheet.conditional_formatting.add(block.span(), rule)
    for column, width in sheet.widths.items():
        worksheet.column_dimensions[column_letters(column)].width = width
    worksheet.sheet_view.showGridLines = False
    worksheet.sheet_view.selection[0].activeCell = worksheet.sheet_view.selection[0].sqref = sheet.picked_user.first
    worksheet.page_setup.orientation = "landscape"
    worksheet.page_setup.fitToHeight = 1
    worksheet.sheet_properties.pageSetUpPr.fitToPage = True
    worksheet.print_area = sheet.printed

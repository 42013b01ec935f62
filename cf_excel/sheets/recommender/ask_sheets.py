"""Write the recommender's front sheet, which people see."""

from datetime import date

import numpy as np
from openpyxl.formatting.rule import DataBarRule
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns, capital, with_article
from cf_excel.sheets.page_setup import fit_to_page
from cf_excel.sheets.recommender.calc_formulas import (
    LISTS,
    SUMS,
    heading_formulas,
    nothing_rated,
    rating_formula,
    remark_formulas,
    shown_formulas,
)
from cf_excel.sheets.recommender.movie_labels import shown_genres
from cf_excel.sheets.recommender.name_comments import signatures
from cf_excel.sheets.recommender.recommender import Recommender
from cf_excel.sheets.recommender.recommender_layout import N_BEST, N_RATED, PredictSheet
from cf_excel.xlsx.cells import Block, column_letters
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import BAR


def write_predict(worksheet: Worksheet, cells: SheetCells, recommender: Recommender, made: date | None) -> None:
    """Put the panels onto the sheet, with dropdowns, data bars and the results of the first picks."""
    book, results = recommender.book, recommender.results
    sheet, nouns = book.predict, book.nouns
    cells.put(
        sheet.heading, "banner", [["What to watch next" if nouns == USUAL_NOUNS else f"Which {nouns.movies} next"]]
    )
    cells.put(sheet.notes, "note", [[line] for line in _notes(recommender, made)])
    _write_picks(cells, recommender)
    _write_ratings(cells, recommender)
    for i, name in enumerate(LISTS):
        _write_list(cells, recommender, i, name)
    cells.put(sheet.least_label, "panel_note", [["rated at least this often:"]])
    cells.put(sheet.least_ratings, "pick_number", [[results.picks.least_ratings]])
    lines = _help(recommender)
    for i, (style, line) in enumerate(lines):
        cells.put(sheet.help_lines(len(lines)).row(i).column(0), style, [[line]])
    _write_tries(cells, recommender)
    cells.row_heights |= {sheet.heading.top: 32} | dict.fromkeys(sheet.tall_rows, 20)
    _finish(worksheet, sheet, results.factors.rating_range, nouns)


def _notes(recommender: Recommender, made: date | None) -> list[str]:
    book, rmse = recommender.book, recommender.factors.metric("val_rmse")
    facts = [f"Model: {recommender.factors.kind}"]
    users, movies = f"{book.n_users:,} {book.nouns.users}", f"{book.n_movies:,} {book.nouns.movies}"
    facts += [f"{book.n_factors} factors for each of {users} and {movies}"]
    if rmse is not None:
        before = recommender.factors.record.get("factors_before")
        of = f" of all {before} factors" if before else ""
        facts += [f"typical error {rmse:.2f} rating points (validation RMSE{of})"]
    if made:
        facts += [f"trained {made:%Y-%m-%d}"]
    order = {
        "score": f" First in a list is what the {book.nouns.user} is likely to pick, and to rate high.",
        "watch": f" First in a list is what the {book.nouns.user} is likely to pick.",
    }.get(book.lists, "")
    return [
        f"Change the yellow cells: everything else follows, by formulas over the other sheets.{order}",
        "; ".join(facts) + ".",
    ]


def _write_picks(cells: SheetCells, recommender: Recommender) -> None:
    book, results = recommender.book, recommender.results
    sheet, picks, nouns = book.predict, results.picks, book.nouns
    _write_heading(cells, sheet.pick_heading, f"Pick {with_article(nouns.user)} and {with_article(nouns.movie)}")
    cells.put(sheet.pick_labels, "plain", [[capital(nouns.user)], [capital(nouns.movie)], ["Rating"]])
    style = "pick_text" if isinstance(recommender.user_id, str) else "pick"
    cells.put(sheet.picked_user, style, [[recommender.user_id]])
    cells.put(sheet.picked_movie, "pick_text", [[recommender.movie_title]])
    cells.fill(sheet.rating, "big_score", rating_formula(results.factors.kind), [results.rating])
    remark = ""
    if book.ratings:
        has = "has" if results.times_rated[picks.movie] else "has not"
        remark = f"This {nouns.user} {has} rated this {nouns.movie}."
    remarks = remark_formulas(book, book.blocks)
    cells.fill(sheet.pick_remark, "note", remarks[sheet.pick_remark], np.array([remark], object))


def _write_ratings(cells: SheetCells, recommender: Recommender) -> None:
    book, picks = recommender.book, recommender.results.picks
    sheet, blank = book.predict, N_RATED - len(picks.rated)
    _write_heading(cells, sheet.rate_heading, f"Or rate {N_RATED} {book.nouns.movies} yourself (these are examples)")
    cells.put(sheet.rate_numbers, "index", [[i] for i in range(1, N_RATED + 1)])
    titles = [recommender.titles[row] for row in picks.rated]
    cells.put(sheet.rated_titles, "pick_text", [[title] for title in titles + [None] * blank])
    cells.put(sheet.given_ratings, "pick_number", [[rating] for rating in picks.ratings + [None] * blank])
    formula = remark_formulas(book, book.blocks)[sheet.rate_remarks]
    cells.fill(sheet.rate_remarks, "note", formula, np.array([""] * N_RATED, object))


def _write_list(cells: SheetCells, recommender: Recommender, i: int, name: str) -> None:
    book, results = recommender.book, recommender.results
    panel, nouns = book.predict.list_at(name), book.nouns
    heading = {
        "best": f"Ten best for {nouns.user} {recommender.user_id}",
        "similar": f"{capital(nouns.movies)} like {recommender.movie_title}",
        "yours": "Ten best for you" if results.picks.rated else nothing_rated(nouns),
    }[name]
    cells.fill(panel.heading.column(0), "panel", heading_formulas(nouns)[name], np.array([heading], object))
    taken = (2, 3) if name == "similar" else ()  # by how often a similar movie must be rated
    for column in (column for column in range(1, panel.n_columns) if column not in taken):
        cells.put(panel.heading.column(column), "panel", [[None]])
    headers = [("header", None), ("header_left", nouns.movie)]
    headers += [("header_note", "genres" if recommender.factors.genres.any() else None)]
    headers += [("header_right", "similarity" if name == "similar" else "rating"), ("header_right", "ratings")]
    for column, (style, header) in enumerate(headers[: panel.n_columns]):
        cells.put(panel.headers.column(column), style, [[header]])
    cells.put(panel.column(0), "index", [[j] for j in range(1, N_BEST + 1)])
    columns = zip(("shrunk", "quiet_shrunk", "score", "quiet"), _shown(recommender, name), strict=True)
    for (block, formula), (style, shown) in zip(shown_formulas(book, i).items(), columns, strict=False):
        cells.fill(block, style, formula, np.array(shown, object))


def _shown(recommender: Recommender, name: str) -> list[list]:
    """Return titles, genres and scores of a list, and how many rated its movies."""
    results, genres = recommender.results, recommender.factors.genres
    scores, rows = results.lists[name]
    numbers = [score for score in scores if not isinstance(score, str)]
    found = [row - 1 for row in rows if not isinstance(row, str)]
    blank = [""] * (len(rows) - len(found))
    if recommender.book.lists and name in SUMS:
        numbers = results[SUMS[name]][found].tolist()
    scaled = numbers if name == "similar" else results.scaled(np.array(numbers)).tolist()
    titles = [recommender.titles[row] for row in found]
    columns = [titles, [shown_genres(genres[row]) for row in found], scaled, results.n_ratings[found].tolist()]
    return [column + blank for column in columns]


def _help(recommender: Recommender) -> list[tuple[str, str]]:
    user, movie, movies = recommender.book.nouns.user, recommender.book.nouns.movie, recommender.book.nouns.movies
    add = f"CF.RECOMMEND lists what is new to the {user}; add TRUE for all {movies}."
    if not recommender.book.ratings:
        add = f"This file holds no ratings: CF.RECOMMEND lists {movies} that the {user} knows, too."
    return [
        ("name", "In Excel 365 these work in any cell: try them below"),
        *((("code", signature)) for signature in signatures(recommender.book.nouns)),
        ("note", f"{capital(movies)} by title or id. {add}"),
        ("note", f"least: CF.SIMILAR leaves out {movies} that were rated less often."),
        ("note", f"A list is n rows and two columns, {movie} and score: leave room for it."),
    ]


def _write_tries(cells: SheetCells, recommender: Recommender) -> None:
    """Put the four functions where they can be tried: as texts, because not every program has such functions."""
    sheet, nouns = recommender.book.predict, recommender.book.nouns
    who, what = (_in_formula(value) for value in (recommender.user_id, recommender.movie_title))
    _write_heading(cells, sheet.try_heading, "Try the functions (Excel 365)")
    notes = (
        "Double-click a yellow line and press Enter: the text becomes a formula, and its list fills the cells below.",
        "Where your Excel wants ; between arguments, put ; in the place of each comma before you press Enter.",
    )
    cells.put(sheet.try_notes, "note", [[note] for note in notes])
    tries = (
        (f"The ten best for {nouns.user} {recommender.user_id}", f"=CF.RECOMMEND({who}, {N_BEST})"),
        (f"{capital(nouns.movies)} that go with {recommender.movie_title}", f"=CF.SIMILAR({what}, {N_BEST}, 20)"),
        ("The ten best for who rated as in the panel above", f"=CF.RATE(rated_titles, given_ratings, {N_BEST})"),
        (f"The predicted rating of a {nouns.movie}", f"=CF.PREDICT({who}, {what})"),
    )
    for i, (words, formula) in enumerate(tries):
        area = sheet.try_area(i)
        cells.put(area.row(0), "header_left", [[words, None]])
        cells.put(area.row(1).column(0), "try", [[formula]])


def _in_formula(value: int | str) -> str:
    return str(value) if isinstance(value, int) else '"' + value.replace('"', '""') + '"'


def _write_heading(cells: SheetCells, block: Block, text: str) -> None:
    cells.put(block, "panel", [[text] + [None] * (block.n_columns - 1)])


def _finish(worksheet: Worksheet, sheet: PredictSheet, rating_range: tuple[float, float], nouns: Nouns) -> None:
    a_user, a_movie = map(with_article, nouns)
    for cells, source, words in (
        (sheet.picked_user, "user_ids", f"Pick {a_user} from the list."),
        (sheet.picked_movie, "movie_list", f"Pick {a_movie} from the list, in alphabetical order."),
        (sheet.rated_titles, "movie_list", f"Pick {a_movie} from the list, in alphabetical order."),
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
    fit_to_page(worksheet)
    worksheet.page_setup.fitToHeight = 1
    worksheet.print_area = sheet.printed

"""Write the sheet `predict` and xlwings' settings into a workbook that is being built."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.workbook.properties import CalcProperties
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.ratings.nouns import Nouns, with_article
from cf_excel.ratings.table import distinct_ratings
from cf_excel.sheets.lesson.collab import Draft
from cf_excel.sheets.page_setup import fit_to_page, rating_scale, set_widths
from cf_excel.sheets.panel.panel_layout import N_RATED, N_SHOWN, ConfSheet, PanelSheet, TitlesSheet
from cf_excel.sheets.rating_choices import nearest, rating_choices
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.write.sheet_cells import SheetCells

_NOTE = "Pick {} and {}, and rate five {} yourself. Yellow cells are inputs, the others are functions."
_OFF = (
    "Cells that say #NAME? ask Python, which does not run: in Excel on Windows let the macros run (Enable Content); in "
    "LibreOffice run python -m cf_excel libreoffice install."
)
_EXCEL = 191029  # the calculation engine of Excel since 2019: it calculates files of older ones anew
_MINE = (1.0, 0.75, 0.9, 0.5, 0.25)  # the ratings that the panel starts with, as parts of the range


def add_predict_sheet(draft: Draft, functions: Any, rating_range: tuple[float, float]) -> PanelSheet:
    """Add the sheet `predict` behind the first one, and the names of its users and movies that the macros look for.

    functions: gives what the cells hold until a program calculates them (a udf.functions.Functions).
    """
    sheet, choices_sheet = PanelSheet(draft.book), _add_titles(draft)
    worksheet = draft.workbook.create_sheet(sheet.title, 1)
    cells = draft.cells[sheet.title] = SheetCells(draft.styles)
    titles = [title or movie for title, movie in zip(draft.table.titles, draft.table.movie_ids, strict=True)]
    low, high = rating_range
    choices = rating_choices(low, high, distinct_ratings(draft.table.values.ravel()))
    rated: list[list[str | int | None]] = [[title] for title in titles[:N_RATED]]
    rated += [[None]] * (N_RATED - len(rated))
    stars: list[list[float | None]] = [[nearest(choices, low + part * (high - low))] for part in _MINE[: len(titles)]]
    stars += [[None]] * (N_RATED - len(stars))

    _write_texts(cells, sheet, draft.nouns)
    cells.put(sheet.user, _input_style(draft.table.user_ids), [[draft.table.user_ids[0]]])
    cells.put(sheet.movie, "pick_text", [[titles[0]]])
    cells.put(sheet.rate_movies, "pick_text", rated)
    cells.put(sheet.rate_ratings, "setting", stars)
    _write_copies(cells, sheet, draft)
    _write_calls(cells, sheet, draft, functions, (titles[0], rated, stars))
    for block, source in (
        (sheet.user, sheet.user_choices),
        (sheet.movie, choices_sheet.choices),
        (sheet.rate_movies, choices_sheet.choices),
    ):
        _add_choices(worksheet, block, source)
    for grid in sheet.grids:
        worksheet.conditional_formatting.add(grid.predictions.address, rating_scale(rating_range))
    for name, address in sheet.names.items():
        comment = sheet.name_comments[name].format(users=draft.nouns.users, movies=draft.nouns.movies)
        draft.workbook.defined_names.add(DefinedName(name, attr_text=address, comment=comment))
    set_widths(worksheet, sheet.widths)
    cells.row_heights[sheet.button(0).top] = 24
    worksheet.merged_cells.add(sheet.model_room.address)
    worksheet.sheet_view.showGridLines = False
    fit_to_page(worksheet)
    # what is stored is right: Excel keeps it while macros are off, where to calculate it anew would give #NAME?
    draft.workbook.calculation = CalcProperties(calcId=_EXCEL, fullCalcOnLoad=False)
    return sheet


def _add_titles(draft: Draft) -> TitlesSheet:
    """Add the hidden sheet of titles at the end."""
    titles = sorted(set(draft.titles), key=str.casefold)
    sheet = TitlesSheet(len(titles))
    draft.workbook.create_sheet(sheet.title).sheet_state = "hidden"
    draft.cells[sheet.title] = SheetCells(draft.styles)
    draft.cells[sheet.title].put(sheet.titles, "plain", [[title] for title in titles])
    return sheet


def _input_style(ids: Sequence[int | str]) -> str:
    # what is picked for a cell of texts stays one: 007 and ISBNs are no numbers
    return "pick_text" if isinstance(ids[0], str) else "setting"


def add_conf_sheet(draft: Draft, settings: Sequence[tuple[str, str]]) -> None:
    """Add the sheet from which xlwings reads its settings, at the end."""
    sheet = ConfSheet(len(settings))
    worksheet = draft.workbook.create_sheet(sheet.title)
    fit_to_page(worksheet)
    cells = draft.cells[sheet.title] = SheetCells(draft.styles)
    cells.put(sheet.settings, "plain", [list(pair) for pair in settings])
    set_widths(worksheet, {sheet.settings.column(0): 30, sheet.settings.column(1): 70})


def _write_texts(cells: SheetCells, sheet: PanelSheet, nouns: Nouns) -> None:
    user, movie = nouns
    cells.put(sheet.heading, "title", [["Ask the model"]])
    cells.put(sheet.note, "note", [[_NOTE.format(with_article(user), with_article(movie), nouns.movies)]])
    cells.fill(sheet.without_python, "warning", f'IF({sheet.any_error},"{_OFF}","")', np.array([""], object))
    cells.put(sheet.labels, "name", [[user], [movie], ["predicted rating"], ["model"]])
    for block, names in (
        (sheet.recommended_head, (f"recommended to the {user}", "rating")),
        (sheet.similar_head, (f"like the {movie}", "similarity")),
        (sheet.rate_head, (f"rate five {nouns.movies}", "rating")),
        (sheet.for_you_head, ("recommended to you", "rating")),
    ):
        cells.put(block.column(0), "header_left", [names[:1]])
        cells.put(block.column(1), "header", [names[1:]])
    headings = (
        f"The model's predictions: one array formula, CF_PREDICT of {nouns.users} down and {nouns.movies} across",
        f"The predictions of the sheet {sheet.compared.title}, by its own factors (random ones until Solver ran)",
    )
    for grid, heading in zip(sheet.grids, headings, strict=True):
        cells.put(grid.heading, "heading", [[heading]])
        cells.put(grid.rmse_label, "result_name", [["RMSE"]])


def _write_copies(cells: SheetCells, sheet: PanelSheet, draft: Draft) -> None:
    for grid in sheet.grids:
        cells.fill(grid.users, "id", sheet.copied_users, draft.table.user_ids)
        cells.fill(grid.movies, "id", sheet.copied_movies, draft.table.movie_ids)
    own = draft.predictions[sheet.compared.title]
    cells.fill(sheet.grids[1].predictions, "prediction", sheet.copied_predictions, own)


def _write_calls(
    cells: SheetCells, sheet: PanelSheet, draft: Draft, functions: Any, asked: tuple[object, list, list]
) -> None:
    movie, rated, stars = asked
    user = draft.table.user_ids[0]
    grid = functions.CF_PREDICT([[user] for user in draft.table.user_ids], [draft.table.movie_ids])
    results = {
        sheet.rating: functions.CF_PREDICT(user, movie),
        sheet.model: functions.CF_MODEL(),
        sheet.recommended: functions.CF_RECOMMEND(user, N_SHOWN),
        sheet.similar: functions.CF_SIMILAR(movie, N_SHOWN),
        sheet.for_you: functions.CF_RATE(rated, stars, N_SHOWN),
        sheet.grids[0].predictions: grid,
        sheet.grids[0].rmse: functions.CF_RMSE(draft.table.values, grid),
        sheet.grids[1].rmse: functions.CF_RMSE(draft.table.values, draft.predictions[sheet.compared.title]),
    }
    for block, formula in sheet.calls.items():
        result = results[block]
        if block.is_one_cell:
            cells.fill(block, "shrunk" if block == sheet.model else "result", formula, [result])
        else:  # a single value fills the whole block, as programs do
            rows = result if isinstance(result, list) else [[result] * block.n_columns] * block.n_rows
            cells.fill_at_once(block, "prediction" if block == sheet.grids[0].predictions else "listed", formula, rows)


def _add_choices(worksheet: Worksheet, block: Block, source: str) -> None:
    choices = DataValidation(type="list", formula1=source, allow_blank=True, showErrorMessage=False)
    choices.add(block.address)  # a choice is an offer: ids and titles may be typed, too
    worksheet.add_data_validation(choices)

"""What the workbook's buttons do: write what the model learnt into sheets, through xlwings, in a running Excel."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cf_excel.errors import CfExcelError, InputError
from cf_excel.model.agreement import check_rated
from cf_excel.model.predictor import Predictor, load_predictor
from cf_excel.ratings.nouns import id_headers
from cf_excel.sheets.panel.panel_layout import MOVIES_NAME, RATINGS_NAME, USERS_NAME
from cf_excel.xlsx.cells import MAX_COLUMNS
from cf_excel.xlsx.texts import CellValue, typed_value

if TYPE_CHECKING:
    import xlwings

_ROWS_AT_ONCE = 5_000  # Excel refuses very large blocks


def run(action: Callable[["xlwings.Book", Predictor], None]) -> None:
    """Do one of the actions below, with the model, in the workbook that called."""
    run_in_excel(lambda book: action(book, load_predictor()))


def run_in_excel(action: Callable[["xlwings.Book"], None]) -> None:
    """Do an action with the workbook that called; what is wrong ends Python, and Excel shows the line."""
    import xlwings

    try:
        action(xlwings.Book.caller())
    except CfExcelError as error:
        raise SystemExit(f"cf_excel: {error}") from None


def write_learned(book: "xlwings.Book", model: Predictor) -> None:
    """Do in the open workbook what the command write does, and write the factors of everyone and everything.

    A message says what was done. Raises InputError as put_model and write_factors do.
    """
    from cf_excel.sheets.fill.put_model import put_model
    from cf_excel.udf.live import LiveBook, LiveChanges

    changes = LiveChanges(LiveBook(book))
    filled = put_model(changes, model.factors)
    write_factors(book, model)
    book.app.alert("\n".join([*filled.lines, *changes.book.notes]), title="cf_excel")


def fill_shown_sheet(book: "xlwings.Book") -> None:
    """Do with the sheet that Excel shows, of this or another workbook, what the command fill does with its ratings.

    A message says what was done. Raises InputError and FileError as fill does.
    """
    from cf_excel.udf.fill_workbook import fill

    shown = book.app.books.active
    report = fill(shown, sheet=shown.sheets.active.name)
    book.app.alert("\n".join([*report.lines, *report.notes]), title="cf_excel")


def write_factors(book: "xlwings.Book", model: Predictor) -> None:
    """Write the sheets user_factors and movie_factors: id, title of a movie, bias and factors, a row each.

    Raises InputError where the model has more factors than a sheet has columns.
    """
    factors = model.factors
    if factors.n_factors + 3 > MAX_COLUMNS:
        raise InputError(f"{factors.n_factors:,} factors: a sheet has {MAX_COLUMNS:,} columns")
    user_header, movie_header = id_headers(factors.nouns)
    names = ["bias", *(f"factor {k}" for k in range(1, factors.n_factors + 1))]
    users = zip(factors.user_ids.tolist(), factors.user_bias.tolist(), factors.user_factors.tolist(), strict=True)
    _write(book, "user_factors", [[user_header, *names], *([user, bias, *row] for user, bias, row in users)])
    movies = zip(
        factors.movie_ids.tolist(),
        factors.titles.tolist(),
        factors.movie_bias.tolist(),
        factors.movie_factors.tolist(),
        strict=True,
    )
    rows = ([movie, title, bias, *row] for movie, title, bias, row in movies)
    _write(book, "movie_factors", [[movie_header, "title", *names], *rows])


def write_predictions(book: "xlwings.Book", model: Predictor) -> None:
    """Write the sheet predictions: the model's for the users and movies of the sheet predict, as numbers.

    Raises InputError where the workbook lacks the names of these cells, and where the model was trained on other
    ratings than its; UnknownIdError for ids that the model lacks.
    """
    users, movies = (_named(book, name) for name in (USERS_NAME, MOVIES_NAME))
    if RATINGS_NAME in [defined.name for defined in book.names]:  # older workbooks don't name them
        (_, *movie_ids), *rows = _named(book, RATINGS_NAME, ndim=2)
        rated = [(user, movie, cell) for user, *row in rows for movie, cell in zip(movie_ids, row, strict=True)]
        check_rated(model.factors, [one for one in rated if isinstance(one[2], float | int)], book.name)
    grid = np.asarray(model.predict([[user] for user in users], [movies])).tolist()
    user_header, _ = id_headers(model.factors.nouns)
    _write(book, "predictions", [[user_header, *movies], *([u, *row] for u, row in zip(users, grid, strict=True))])


def _named(book: "xlwings.Book", name: str, ndim: int = 1) -> list:
    for defined in book.names:
        if defined.name == name:
            return defined.refers_to_range.options(ndim=ndim).value
    raise InputError(f"{book.name} has no name {name}: use a workbook that python -m cf_excel build wrote")


def _write(book: "xlwings.Book", title: str, rows: Sequence[Sequence[CellValue]]) -> None:
    """Write rows into the sheet that an earlier call filled, emptied first, or else into a new one, from the top."""
    titles = [sheet.name for sheet in book.sheets]
    if title in titles and _is_ours(book.sheets[title], rows[0]):
        sheet = book.sheets[title]
        sheet.clear_contents()
    else:
        from cf_excel.sheets.answers.answers_layout import AnswersSheet
        from cf_excel.udf.live_cells import set_pages
        from cf_excel.xlsx.edit.printed_part import PrintedPart
        from cf_excel.xlsx.edit.workbook_file import free_title

        sheet = book.sheets.add(free_title(title, titles), after=book.sheets[len(book.sheets) - 1])
        layout = AnswersSheet(len(rows[0]), len(rows) - 1)
        set_pages(sheet, PrintedPart(layout.headers, layout.head))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        sheet.range((start + 1, 1)).value = [
            [typed_value(value) for value in row] for row in rows[start : start + _ROWS_AT_ONCE]
        ]


def _is_ours(sheet: "xlwings.Sheet", heading: Sequence[CellValue]) -> bool:
    """Whether a sheet holds a table with this kind of heading and nothing else, so that nobody's work is lost with it.

    The table may be of another model: other ids, and another number of factors.
    """
    used = sheet.used_range
    first, *rows = used.options(ndim=2).value
    if not rows and all(value in (None, "") for value in first):
        return True  # nothing is there
    n_texts = 2 if heading[1] == "title" else 1
    names = [str(name) for name in first[n_texts:]]
    if "bias" in heading:
        has_heading = names == ["bias", *(f"factor {k}" for k in range(1, len(names)))]
    else:
        has_heading = "" not in names and "None" not in names
    return (
        (used.row, used.column) == (1, 1)
        and has_heading
        and list(first[:n_texts]) == list(heading[:n_texts])
        and all(isinstance(value, (int, float)) for row in rows for value in row[n_texts:])
        and all(row[0] not in (None, "") for row in rows)
    )

"""Names for the blocks of the lesson's sheets that people refer to: =AVERAGE(dotprod!ratings)."""

from openpyxl.workbook.defined_name import DefinedName

from cf_excel.ratings.nouns import Nouns
from cf_excel.sheets.lesson.lesson_layout import EmbeddingSheet, GridSheet
from cf_excel.xlsx.cells import on_sheet

# what the Name Manager says beside each; no name is an address or a function of Excel's
_WORDS = {
    "ratings": "The ratings that are known, a row for each {user}, a column for each {movie}.",
    "user_ids": "The {users} of the rows.",
    "movie_ids": "The {movies} of the columns.",
    "predictions": "What the factors predict for each rating.",
    "user_factors": "The factors of the {users}, one {user} a row.",
    "movie_factors": "The factors of the {movies}, one {movie} a column.",
    "user_bias": "How kind each {user} is: added to every prediction of the row.",
    "movie_bias": "How good each {movie} is: added to every prediction of the column.",
    "rmse": "How far the predictions are off the ratings, typically.",
}
_IN_ROWS = {
    "ratings": "The rating of each row.",
    "user_ids": "The {users} that have factors.",
    "movie_ids": "The {movies} that have factors.",
    "predictions": "What the factors predict for the {user} and the {movie} of each row.",
    "movie_factors": "The factors of the {movies}, one {movie} a row.",
}


def block_names(sheet: GridSheet | EmbeddingSheet, nouns: Nouns) -> list[DefinedName]:
    """Return names that belong to the sheet, each with a comment."""
    factors = {"user_factors": sheet.user_factors, "movie_factors": sheet.movie_factors}
    blocks = factors | {"predictions": sheet.predictions, "rmse": sheet.rmse}
    if isinstance(sheet, EmbeddingSheet):
        words = _WORDS | _IN_ROWS
        blocks |= {"ratings": sheet.ratings.column(2), "user_ids": sheet.user_ids, "movie_ids": sheet.movie_ids}
    else:
        words = _WORDS
        blocks |= {"ratings": sheet.ratings, "user_ids": sheet.rating_users, "movie_ids": sheet.rating_movies}
        biases = {"user_bias": sheet.user_bias, "movie_bias": sheet.movie_bias}
        blocks |= {name: block for name, block in biases.items() if block}
    called = {"user": nouns.user, "movie": nouns.movie, "users": nouns.users, "movies": nouns.movies}
    return [
        DefinedName(name, attr_text=on_sheet(sheet.title, blocks[name]), comment=words[name].format(**called)[:255])
        for name in words
        if name in blocks
    ]

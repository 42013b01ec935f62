"""The sheet `movies`: every movie, as one of Excel's tables."""

import numpy as np
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.ratings.nouns import USUAL_NOUNS, id_headers
from cf_excel.ratings.table import Ratings, most_rated
from cf_excel.sheets.lesson.lesson_layout import MoviesSheet
from cf_excel.sheets.page_setup import excel_table, fit_to_page, heights_of_texts, set_widths
from cf_excel.xlsx.cells import column_letters
from cf_excel.xlsx.texts import headers_apart
from cf_excel.xlsx.write.sheet_cells import SheetCells


def write_movies(worksheet: Worksheet, cells: SheetCells, sheet: MoviesSheet, ratings: Ratings) -> None:
    """Write the sheet of every movie, the most rated first, as one of Excel's tables."""
    count = np.bincount(ratings.movie_idx, minlength=ratings.n_movies)
    # ratings are multiples of a half, or few: a float64 sum in file order is the same on every machine
    total = np.bincount(ratings.movie_idx, weights=ratings.rating, minlength=ratings.n_movies)
    order = most_rated(count, ratings.movie_ids)
    years = [int(year) or None for year in ratings.years[order]]
    titles = ratings.titles[order].tolist()
    if ratings.nouns != USUAL_NOUNS:  # people pick from them
        titles = [title or movie_id for title, movie_id in zip(titles, ratings.movie_ids[order].tolist(), strict=True)]
    columns = (
        ratings.movie_ids[order].tolist(),
        titles,
        years,
        [genres.replace("|", ", ") for genres in ratings.genres[order]],
        count[order].tolist(),
        (total[order] / count[order]).tolist(),
    )
    headers = headers_apart([id_headers(ratings.nouns)[1], "title", "year", "genres", "ratings", "mean rating"])
    cells.put(sheet.headers, "header_left", [headers])
    styles = ("id_left", "text", "id_left", "text", "plain", "mean")
    widths = (10, 60, 8, 48, 10, 13)
    for i, (values, style) in enumerate(zip(columns, styles, strict=True)):
        cells.put(sheet.table.column(i), style, [[value] for value in values])
    cells.row_heights = heights_of_texts(sheet.table.top, *zip(columns, widths, strict=True))
    for i in (2, 3):  # years and genres
        if not any(columns[i]):
            worksheet.column_dimensions[column_letters(sheet.table.column(i).left)].hidden = True
    worksheet.freeze_panes = sheet.freeze
    worksheet.add_table(excel_table(sheet.title, sheet.whole, headers))
    set_widths(worksheet, {sheet.table.column(i): width for i, width in enumerate(widths)})
    worksheet.print_area = sheet.printed
    worksheet.print_title_rows = f"{sheet.headers.top}:{sheet.headers.bottom}"
    fit_to_page(worksheet)

"""Workbooks that somebody has worked in: the lesson's layouts beside everything that openpyxl would drop."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xlsxwriter
import xlwings
from openpyxl.formula.translate import Translator

from cf_excel.sheets.lesson.lesson_layout import EmbeddingSheet, GridSheet
from cf_excel.xlsx.cells import Block, cell
from support.sliced import with_slicer

USERS, MOVIES, N_FACTORS = [7, 15, 30, 42, 73], [1, 110, 260, 296], 2
RATINGS = np.array(
    [[4, 3.5, np.nan, 5], [2, np.nan, 4.5, 3], [5, 4, 4, np.nan], [np.nan, 1, 2.5, 4], [3, 3, 5, 4.5]], dtype=float
)
N_RATINGS = int((~np.isnan(RATINGS)).sum())
DOT = GridSheet("dotprod", len(USERS), len(MOVIES), N_FACTORS, with_bias=False)
BIAS = GridSheet("bias", len(USERS), len(MOVIES), N_FACTORS, with_bias=True)
EMB = EmbeddingSheet(len(USERS), len(MOVIES), N_FACTORS, N_RATINGS)

Sheets = dict[str, xlsxwriter.worksheet.Worksheet]


def put(sheet: xlsxwriter.worksheet.Worksheet, block: Block, rows: object) -> None:
    """Write numbers and texts into a block, NaN as nothing."""
    for i, row in enumerate(np.array(rows, dtype=object).reshape(block.n_rows, block.n_columns).tolist()):
        for j, value in enumerate(row):
            if value == value:
                sheet.write(block.top - 1 + i, block.left - 1 + j, value)


def fill(sheet: xlsxwriter.worksheet.Worksheet, block: Block, formula: str, value: float = 0) -> None:
    """Fill a block from the formula of its first cell, every cell with a text of its own."""
    origin = Translator(f"={formula}", block.first)
    for row in range(block.top, block.bottom + 1):
        for column in range(block.left, block.right + 1):
            text = origin.translate_formula(cell(row, column))
            sheet.write_formula(row - 1, column - 1, text, None, value)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def write_grid(sheet: xlsxwriter.worksheet.Worksheet, layout: GridSheet) -> None:
    """Write a sheet like dotprod or bias."""
    put(sheet, layout.rating_users, USERS)
    put(sheet, layout.rating_movies, MOVIES)
    put(sheet, layout.ratings, RATINGS)
    put(sheet, layout.movie_factors, numbers(N_FACTORS, len(MOVIES)))
    put(sheet, layout.user_factors, numbers(len(USERS), N_FACTORS, seed=1))
    if layout.with_bias:
        put(sheet, layout.movie_bias, numbers(1, len(MOVIES), seed=2))
        put(sheet, layout.user_bias, numbers(len(USERS), 1, seed=3))
    for block, formula in layout.formulas.items():
        fill(sheet, block, formula)


def write_embedding(sheet: xlsxwriter.worksheet.Worksheet, layout: EmbeddingSheet) -> None:
    """Write a sheet like movielens_emb."""
    put(sheet, layout.user_ids, USERS)
    put(sheet, layout.movie_ids, MOVIES)
    put(sheet, layout.user_factors, numbers(len(USERS), N_FACTORS, seed=1))
    put(sheet, layout.movie_factors, numbers(N_FACTORS, len(MOVIES)).T)
    user, movie = np.nonzero(~np.isnan(RATINGS))
    put(sheet, layout.ratings, [[USERS[u], MOVIES[m], RATINGS[u, m]] for u, m in zip(user, movie, strict=True)])
    for block, formula in layout.formulas().items():
        fill(sheet, block, formula)


def make(path: Path, decorate: Callable[[xlsxwriter.Workbook, Sheets], None] | None = None, **options: object) -> Path:
    """Write a workbook of the three sheets, and whatever decorate adds."""
    with xlsxwriter.Workbook(path, options) as workbook:
        sheets = {layout.title: workbook.add_worksheet(layout.title) for layout in (DOT, BIAS, EMB)}
        write_grid(sheets["dotprod"], DOT)
        write_grid(sheets["bias"], BIAS)
        write_embedding(sheets["movielens_emb"], EMB)
        if decorate:
            decorate(workbook, sheets)
    return path


def png(color: tuple[int, int, int] = (31, 79, 191)) -> io.BytesIO:
    """Return a small picture."""
    rows = b"".join(b"\0" + bytes(color) * 16 for _ in range(16))
    chunks = [(b"IHDR", struct.pack(">2L5B", 16, 16, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"".join(struct.pack(">L", len(d)) + k + d + struct.pack(">L", zlib.crc32(k + d)) for k, d in chunks)
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + data)


def charts(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    for kind in ("line", "scatter", "radar", "stock"):
        chart = workbook.add_chart({"type": kind})
        values, categories = (f"=dotprod!{block.row(0).fixed}" for block in (DOT.predictions, DOT.ratings))
        trend = {"trendline": {"type": "linear"}} if kind == "line" else {}
        chart.add_series({"values": values, "categories": categories} | trend)
        sheets["dotprod"].insert_chart(2, 20, chart)
    sheet = workbook.add_chartsheet("all errors")
    chart = workbook.add_chart({"type": "column"})
    chart.add_series({"values": f"=movielens_emb!{EMB.squared_errors.fixed}"})
    sheet.set_chart(chart)


def images(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    sheets["bias"].insert_image(3, 15, "a.png", {"image_data": png(), "description": "a < b & c"})
    sheets["bias"].set_background(png((250, 250, 240)))
    sheets["dotprod"].set_header("&C&G", {"image_center": "b.png", "image_data_center": png()})
    sheets["dotprod"].embed_image(40, 20, "c.png", {"image_data": png((9, 200, 9))})


def shapes(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    for title, sheet in sheets.items():
        sheet.insert_textbox(2, 18, f"my notes on {title}\n=not a formula", {"font": {"bold": True}})
        sheet.insert_textbox(8, 18, "", {"textlink": "=$A$1"})


def tables(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    sheet = workbook.add_worksheet("my table")
    columns = [{"header": "user"}, {"header": "rating"}, {"header": "double", "formula": "=[@rating]*2"}]
    data = [[user, 3] for user in USERS]
    sheet.add_table(0, 0, 5, 2, {"name": "Mine", "columns": columns, "data": data, "total_row": False})
    sheet.write_formula("F1", f"=SUM(Mine[rating])+dotprod!{DOT.rmse.first}")
    sheet.write_formula("F2", "=SUM(Mine[rating])", None, 15)


def buttons(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    quickstart = Path(xlwings.__file__).with_name("quickstart.xlsm")
    with zipfile.ZipFile(quickstart) as package:
        workbook.add_vba_project(io.BytesIO(package.read("xl/vbaProject.bin")), is_stream=True)
    sheets["dotprod"].insert_button(1, 20, {"macro": "Solve", "caption": "Solve"})
    sheets["bias"].insert_checkbox(40, 20, True)


def comments(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    for row, column in ((DOT.ratings.top, DOT.ratings.left), (DOT.user_factors.top, DOT.user_factors.left)):
        sheets["dotprod"].write_comment(row - 1, column - 1, "whose is this?", {"author": "עדי"})


def conditional_formats(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    address = BIAS.predictions.address
    sheets["bias"].conditional_format(address, {"type": "data_bar", "data_bar_2010": True})
    sheets["bias"].conditional_format(address, {"type": "icon_set", "icon_style": "5_ratings"})
    sheets["bias"].conditional_format(address, {"type": "formula", "criteria": f"={BIAS.ratings.first}>3"})


def validations(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    sheets["dotprod"].data_validation(
        DOT.ratings.address, {"validate": "decimal", "criteria": "between", "minimum": 0.5, "maximum": 5}
    )
    sheets["bias"].data_validation("A1", {"validate": "list", "source": f"=dotprod!{DOT.rating_users.fixed}"})


def sparklines(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    for row in range(DOT.predictions.top, DOT.predictions.bottom + 1):
        line = Block(row, DOT.predictions.left, row, DOT.predictions.right)
        sheets["dotprod"].add_sparkline(row - 1, 15, {"range": f"dotprod!{line.address}", "markers": True})


def names(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    workbook.define_name("best_rmse", f"=dotprod!{DOT.rmse.fixed}")
    workbook.define_name("twice", "=2*best_rmse")
    workbook.define_name("bias!local", f"=bias!{BIAS.user_bias.fixed}")
    sheet = workbook.add_worksheet("sums")
    texts = [
        "=best_rmse",
        "=twice+1",
        "=SUM(bias!local)",
        f"=dotprod!{DOT.rmse.first}",
        '=INDIRECT("dotprod!A1")',
        "=1+1",
    ]
    for row, text in enumerate(texts):
        sheet.write_formula(row, 0, text, None, 2 if text == "=1+1" else 0.125)
    sheet.write_formula(0, 1, f"=SUM(dotprod:bias!{DOT.user_factors.first})", None, 0.125)
    sheet.write_formula(1, 1, "=SUM(dotprod:bias!B3)", None, 0.125)


def arrays(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    sheet = workbook.add_worksheet("arrays")
    sheet.write_array_formula(0, 0, 1, 3, f"{{=TRANSPOSE(dotprod!{DOT.user_factors.row(0).span()})}}")
    sheet.write_dynamic_array_formula(5, 0, 5, 0, f"=SORT(dotprod!{DOT.predictions.column(0).address})")
    sheet.write_array_formula(8, 0, 9, 0, "{=ROW(G1:G2)*10}", None, 10)


def protection(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    sheets["dotprod"].protect("secret", {"sort": True})
    sheets["bias"].unprotect_range(BIAS.user_factors.address, "mine")


def looks(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    bold, money = (
        workbook.add_format({"bold": True, "bg_color": "#FFCC00"}),
        workbook.add_format({"num_format": "0.0000"}),
    )
    sheet = sheets["dotprod"]
    for row in range(DOT.user_factors.top, DOT.user_factors.bottom + 1):
        for column in range(DOT.user_factors.left, DOT.user_factors.right + 1):
            sheet.write(row - 1, column - 1, 0.5, money)
    sheet.write_rich_string(60, 0, "rich ", bold, "text", " here")
    sheet.merge_range(62, 0, 63, 3, "merged", bold)
    sheet.write_url(64, 0, "https://grouplens.org/datasets/movielens/", string="data")
    sheet.set_row(65, 30, None, {"level": 2, "hidden": True})
    sheet.set_column(30, 33, 12, bold, {"collapsed": True})
    sheet.autofilter(70, 0, 72, 2)
    sheet.repeat_rows(0)
    sheet.write_blank(DOT.ratings.top, DOT.ratings.left + 1, None, bold)
    workbook.add_worksheet("hidden").hide()
    workbook.set_calc_mode("manual")
    workbook.set_properties({"title": "mine", "comments": "<&>"})
    workbook.set_custom_property("checked", True)


def slicers(workbook: xlsxwriter.Workbook, sheets: Sheets) -> None:
    columns = [{"header": "user"}, {"header": "rating"}]
    sheets["dotprod"].add_table(70, 0, 75, 1, {"name": "Sliced", "columns": columns, "data": [[u, 3] for u in USERS]})
    sheets["dotprod"].insert_textbox(70, 5, "my slicer")
    workbook.define_name("Slicer_user", "=#N/A")


DECORATIONS = {
    "plain": None,
    "charts": charts,
    "images": images,
    "shapes": shapes,
    "tables": tables,
    "buttons": buttons,
    "comments": comments,
    "conditional_formats": conditional_formats,
    "validations": validations,
    "sparklines": sparklines,
    "names": names,
    "arrays": arrays,
    "protection": protection,
    "looks": looks,
    "slicers": slicers,
}


def decorated(name: str, folder: Path) -> Path:
    """Write one workbook of the collection."""
    path = make(folder / f"{name}.{'xlsm' if name == 'buttons' else 'xlsx'}", DECORATIONS[name])
    return with_slicer(path) if name == "slicers" else path


def with_prefix(name: str, content: bytes) -> bytes:
    """Write the elements of sheets and of the workbook with a prefix, as some programs do."""
    if not re.fullmatch(r"xl/(worksheets/sheet\d+|workbook)\.xml", name):
        return content
    content = re.sub(rb"<(/?)(\w)", rb"<\1x:\2", content)
    return content.replace(b"xmlns=", b"xmlns:x=", 1)


def course_grid(sheet: xlsxwriter.worksheet.Worksheet, layout: GridSheet) -> None:
    """Write a sheet with the course's own formulas, faults included: see the lesson's list of them."""
    write_grid(sheet, layout)
    first = layout.ratings.first
    user = layout.user_factors.row(0).span(fix_columns=True)
    movie = layout.movie_factors.column(0).span(fix_rows=True)
    product = f'IF({first}="",0,MMULT({user},{movie}))'
    ratings, predictions = layout.ratings.address, layout.predictions.address
    if layout.with_bias:
        product += f"+{cell(layout.user_bias.top, 1, fix_column=True)}"
        product += f"+{cell(layout.movie_bias.top, layout.movie_bias.left, fix_row=True)}"
        fill(sheet, layout.rmse, f"SQRT(SUMXMY2({ratings},{predictions}))")
    else:
        fill(sheet, layout.rmse, f"SQRT(SUMXMY2({ratings},{predictions})/COUNT({ratings}))")
    fill(sheet, layout.predictions, product)


def course_embedding(sheet: xlsxwriter.worksheet.Worksheet, layout: EmbeddingSheet) -> None:
    """Write a sheet with MATCH that searches a sorted table, and OFFSET."""
    write_embedding(sheet, layout)
    for ids, wanted, index, looked_up, factors in (
        (layout.user_ids, 0, layout.user_index, layout.rating_user_factors, layout.user_factors),
        (layout.movie_ids, 1, layout.movie_index, layout.rating_movie_factors, layout.movie_factors),
    ):
        searched = cell(layout.ratings.top, layout.ratings.left + wanted)
        fill(sheet, index, f"MATCH({searched},{ids.fixed})")
        above = cell(factors.top - 1, factors.left, fix_row=True)
        fill(sheet, looked_up, f"OFFSET({above},{cell(index.top, index.left, fix_column=True)},0)")
    rating, predicted = cell(layout.ratings.top, layout.ratings.left + 2), layout.predictions.first
    fill(sheet, layout.squared_errors, f"({rating}-{predicted})^2")
    errors = layout.squared_errors.address
    fill(sheet, layout.rmse, f"SQRT(SUM({errors})/COUNT({errors}))")


def course(path: Path) -> Path:
    """Write a workbook like the course's own."""
    with xlsxwriter.Workbook(path) as workbook:
        course_grid(workbook.add_worksheet("dotprod"), DOT)
        course_grid(workbook.add_worksheet("bias"), BIAS)
        course_embedding(workbook.add_worksheet("movielens_emb"), EMB)
    return path

"""The lesson's addresses for 15 x 15 x 5, and any other shape against brute force."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.formula.translate import Translator
from openpyxl.utils import get_column_letter

from cf_excel.errors import InputError
from cf_excel.sheets.lesson.lesson_layout import CollabBook, EmbeddingSheet, GridSheet
from cf_excel.sheets.lesson.solver_names import solver_names
from cf_excel.xlsx.cells import Block, cell, column_letters, on_sheet

SIZES = st.integers(1, 30)
LESSON = CollabBook(n_users=15, n_movies=15, n_factors=5, n_ratings=206)


@pytest.mark.parametrize(
    ("sheet", "addresses"),
    [
        (
            LESSON.dotprod,
            {
                "ratings": "H2:V16",
                "rating_movies": "H1:V1",
                "rating_users": "G2:G16",
                "movie_factors": "H19:V23",
                "user_factors": "B25:F39",
                "predictions": "H25:V39",
                "rmse": "V41",
            },
        ),
        (
            LESSON.bias,
            {
                "ratings": "H2:V16",
                "movie_bias": "H19:V19",
                "movie_factors": "H20:V24",
                "user_bias": "A26:A40",
                "user_factors": "B26:F40",
                "predictions": "H26:V40",
                "rmse": "V42",
            },
        ),
        (
            LESSON.movielens_emb,
            {
                "user_factors": "C4:G18",
                "movie_factors": "C22:G36",
                "ratings": "I3:K208",
                "user_index": "L3:L208",
                "rating_user_factors": "M3:Q208",
                "movie_index": "R3:R208",
                "rating_movie_factors": "S3:W208",
                "predictions": "X3:X208",
                "squared_errors": "Y3:Y208",
                "rmse": "AA3",
            },
        ),
    ],
    ids=["dotprod", "bias", "movielens_emb"],
)
def test_lesson_addresses(sheet, addresses):
    assert {name: getattr(sheet, name).address for name in addresses} == addresses


def test_lesson_solver_presets():
    presets = {sheet.title: solver_names(sheet) for sheet in (LESSON.dotprod, LESSON.bias, LESSON.movielens_emb)}
    cells = {title: (names["solver_opt"], names["solver_adj"]) for title, names in presets.items()}
    assert cells == {
        "dotprod": ("dotprod!$V$41", "dotprod!$H$19:$V$23,dotprod!$B$25:$F$39"),
        "bias": ("bias!$V$42", "bias!$H$19:$V$24,bias!$A$26:$F$40"),
        "movielens_emb": ("movielens_emb!$AA$3", "movielens_emb!$C$4:$G$18,movielens_emb!$C$22:$G$36"),
    }
    keys = "adj cvg drv eng est itr mip mni mrt msl neg nod num nwt opt pre rbv rlx rsd scl sho ssz tim tol typ val ver"
    for names in presets.values():
        assert sorted(names) == [f"solver_{key}" for key in keys.split()]
        assert (names["solver_eng"], names["solver_typ"], names["solver_ver"]) == ("1", "2", "3")


def blocks_of(sheet: GridSheet | EmbeddingSheet) -> dict[str, Block]:
    values = {name: getattr(sheet, name) for name in dir(type(sheet)) if not name.startswith("_")}
    return {name: value for name, value in values.items() if isinstance(value, Block)}


def cells_of(block: Block) -> set[tuple[int, int]]:
    return {(r, c) for r in range(block.top, block.bottom + 1) for c in range(block.left, block.right + 1)}


@given(SIZES, SIZES, SIZES, st.integers(0, 60))
def test_blocks_never_overlap(n_users, n_movies, n_factors, n_ratings):
    book = CollabBook(n_users, n_movies, n_factors, n_ratings)
    for sheet in (book.dotprod, book.bias, book.movielens_emb):
        seen: dict[tuple[int, int], str] = {}
        for name, block in blocks_of(sheet).items():
            for position in cells_of(block):
                assert position not in seen, (sheet.title, name, seen[position])
                seen[position] = name


@given(SIZES, SIZES, SIZES, st.booleans())
def test_grid_matches_brute_force(n_users, n_movies, n_factors, with_bias):
    """Lay the sheet out by walking down its rows, as one would by hand."""
    sheet = GridSheet("s", n_users, n_movies, n_factors, with_bias)
    left = 1 + n_factors + 1 + 1  # the bias column, the factors, the ids
    row = 2
    rating_rows = [row + i for i in range(n_users)]
    row += n_users + 2
    bias_row = row
    row += with_bias
    factor_rows = [row + i for i in range(n_factors)]
    row += n_factors + 1
    user_rows = [row + i for i in range(n_users)]
    rmse_row = user_rows[-1] + 2
    columns = [left + j for j in range(n_movies)]
    a1 = lambda r, c: f"{get_column_letter(c)}{r}"  # noqa: E731
    assert cells_of(sheet.ratings) == {(r, c) for r in rating_rows for c in columns}
    assert cells_of(sheet.movie_factors) == {(r, c) for r in factor_rows for c in columns}
    assert cells_of(sheet.user_factors) == {(r, 2 + k) for r in user_rows for k in range(n_factors)}
    assert cells_of(sheet.predictions) == {(r, c) for r in user_rows for c in columns}
    assert cells_of(sheet.rmse) == {(rmse_row, columns[-1])}
    first = sheet.formulas[sheet.predictions]
    for i, j in {(0, 0), (n_users - 1, n_movies - 1), (n_users // 2, n_movies // 3)}:
        here = a1(user_rows[i], columns[j])
        there = Translator("=" + first, sheet.predictions.first).translate_formula(here).replace("$", "")
        users = f"{a1(user_rows[i], 2)}:{a1(user_rows[i], 1 + n_factors)}"
        movies = f"{a1(factor_rows[0], columns[j])}:{a1(factor_rows[-1], columns[j])}"
        biases = f"+{a1(user_rows[i], 1)}+{a1(bias_row, columns[j])}" if with_bias else ""
        blank = f'{a1(rating_rows[i], columns[j])}="",{a1(rmse_row + 1, left - 1)}<>"Yes"'
        assert there == f"=IF(AND({blank}),0,MMULT({users},{movies}){biases})"


@given(SIZES, SIZES, SIZES, st.integers(1, 60))
def test_embedding_matches_brute_force(n_users, n_movies, n_factors, n_ratings):
    """Count the columns from the left, as one would by hand."""
    sheet = EmbeddingSheet(n_users, n_movies, n_factors, n_ratings)
    names = ["title", "id", *["f"] * n_factors, "gap", "user", "movie", "rating", "user row", *["uf"] * n_factors]
    names += ["movie row", *["mf"] * n_factors, "prediction", "error", "gap", "rmse"]
    column = lambda name: names.index(name) + 1  # noqa: E731
    letters = lambda name: get_column_letter(column(name))  # noqa: E731
    rows = (3, 2 + n_ratings)
    assert (sheet.user_factors.top, sheet.user_factors.bottom) == (4, 3 + n_users)
    assert sheet.movie_factors.top == sheet.user_factors.bottom + 4
    assert sheet.movie_factors.n_rows == n_movies
    assert sheet.user_factors.left == sheet.movie_factors.left == column("f")
    for block, name in (
        (sheet.ratings, "user"),
        (sheet.user_index, "user row"),
        (sheet.rating_user_factors, "uf"),
        (sheet.movie_index, "movie row"),
        (sheet.rating_movie_factors, "mf"),
        (sheet.predictions, "prediction"),
        (sheet.squared_errors, "error"),
    ):
        assert (block.top, block.bottom, block.left) == (*rows, column(name)), name
    assert sheet.rmse.address == f"{letters('rmse')}3"
    formulas = sheet.formulas()
    last = cell(rows[1], column("mf") + n_factors - 1)
    looked_up = Translator("=" + formulas[sheet.rating_movie_factors], sheet.rating_movie_factors.first)
    factor = get_column_letter(column("f") + n_factors - 1)
    row = f"{letters('movie row')}{rows[1]}"
    table = f"{factor}{sheet.movie_factors.top}:{factor}{sheet.movie_factors.bottom}"
    assert looked_up.translate_formula(last).replace("$", "") == f"=IF(ISNUMBER({row}),INDEX({table},{row}),0)"


@given(st.integers(1, 16_384))
def test_column_letters(column):
    assert column_letters(column) == get_column_letter(column)


@pytest.mark.parametrize(
    ("title", "quoted"), [("dotprod", "dotprod"), ("my sheet", "'my sheet'"), ("it's", "'it''s'"), ("9", "'9'")]
)
def test_sheet_names_are_quoted(title, quoted):
    assert on_sheet(title, Block(1, 2, 3, 4)) == f"{quoted}!$B$1:$D$3"


def test_no_function_that_is_volatile_or_new():
    formulas = [
        *LESSON.dotprod.formulas.values(),
        *LESSON.bias.formulas.values(),
        *LESSON.movielens_emb.formulas().values(),
        *LESSON.movielens_emb.formulas(text_users=True, text_movies=True).values(),
    ]
    used = {name for formula in formulas for name in re.findall(r"([A-Z.]+)\(", formula)}
    assert used == {
        *("AND", "COUNT", "EXACT", "IF", "IFERROR", "INDEX", "ISNUMBER", "MATCH", "MAX", "MMULT"),
        *("SQRT", "SUM", "SUMPRODUCT"),
    }


def test_sheets_too_large_are_refused():
    with pytest.raises(InputError, match=r"sheet dotprod would need .* 20,008 columns, but 1,048,576 and 16,384"):
        _ = CollabBook(10, 20_000, 6, 1).dotprod
    with pytest.raises(InputError, match="sheet movielens_emb would need 2,000,002 rows"):
        _ = CollabBook(10, 10, 5, 2_000_000).movielens_emb

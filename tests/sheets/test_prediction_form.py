"""How authors write a prediction: the same is read from every variant, and the cells show what LibreOffice shows."""

from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from support.checked_results import check_results, n_not_stored
from support.models import RATED, model_of, saved, values_in
from support.owned import BIAS, DOT, MOVIES, N_RATINGS, USERS, make
from support.printed import printed_rmse

from cf_excel.cli import main
from cf_excel.model.predictor import Predictor
from cf_excel.sheets.find.lesson_book import LessonBook
from cf_excel.sheets.find.prediction_form import PredictionForm, form_of
from cf_excel.sheets.lesson.lesson_layout import GridSheet
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.formulas import CellFormula

# {r} is the rating, {u} a row of the user's factors, {m} a column of the movie's, {b} "" or what adds both biases
FORMS = [
    'IF({r}="",0,MMULT({u},{m}){b})',
    'IF({r}="","",MMULT({u},{m}){b})',
    'IF({r}="",NA(),MMULT({u},{m}){b})',
    'IF({r}<>"",MMULT({u},{m}){b})',
    'IF(NOT({r}=""),MMULT({u},{m}){b},0)',
    "IF(ISBLANK({r}),0,MMULT({u},{m}){b})",
    "IF(NOT(ISBLANK({r})),MMULT({u},{m}){b},0)",
    "IF(ISNUMBER({r}),MMULT({u},{m}){b},0)",
    "IF({r}>0,MMULT({u},{m}){b},0)",
    "IF({r}=0,0,MMULT({u},{m}){b})",
    "IF(COUNT({r}),MMULT({u},{m}){b},0)",
    'IF({r}="",0,SUM(MMULT({u},{m})){b})',
    'IF({r}="",0,INDEX(MMULT({u},{m}),1,1){b})',
    'IF({r}="",0,MMULT({u},{m}){b}+0)',
    'IF({r}="",0,SUMPRODUCT({u},TRANSPOSE({m})){b})',
    'IF({r}="",0,ROUND(MMULT({u},{m}){b},2))',
    'IF({r}="",0,MIN(5,MAX(0.5,MMULT({u},{m}){b})))',
    'IF({r}="",0,MEDIAN(0.5,MMULT({u},{m}){b},5))',
    "MMULT({u},{m}){b}",
    "SUMPRODUCT({u},TRANSPOSE({m})){b}",
    "ROUND(MMULT({u},{m}){b},1)",
    'IF({r}="",0,IF(MMULT({u},{m}){b}>5,5,MMULT({u},{m}){b}))',
    '({r}<>"")*(MMULT({u},{m}){b})',
    'IFERROR(IF({r}="",NA(),MMULT({u},{m}){b}),0)',
]
_MAY_CLEAR = ('""', "NA()", '<>"",')  # what an RMSE makes of texts, errors and truth values differs between programs


def written(sheet: Worksheet, layout: GridSheet, form: str) -> None:
    """Write another formula for a sheet's predictions, as an array formula where it needs that."""
    for row in range(layout.predictions.n_rows):
        for column in range(layout.predictions.n_columns):
            place = sheet.cell(layout.predictions.top + row, layout.predictions.left + column)
            biases = (
                (layout.user_bias.row(row).first, layout.movie_bias.column(column).first) if layout.with_bias else ()
            )
            text = "=" + form.format(
                r=layout.ratings.row(row).column(column).first,
                u=layout.user_factors.row(row).address,
                m=layout.movie_factors.column(column).address,
                b="".join(f"+{bias}" for bias in biases),
            )
            is_array = "TRANSPOSE" in form
            place.value = openpyxl.worksheet.formula.ArrayFormula(place.coordinate, text) if is_array else text


def in_all_forms(path: Path, layout: GridSheet) -> Path:
    """Write a workbook with a sheet for each form."""
    workbook = openpyxl.load_workbook(make(path))
    for number, form in enumerate(FORMS):
        sheet = workbook.copy_worksheet(workbook[layout.title])
        sheet.title = f"form{number}"
        written(sheet, layout, form)
    for title in ("dotprod", "bias", "movielens_emb"):
        del workbook[title]
    workbook.save(path)
    return path


def moved(block: Block, rows: int, columns: int) -> Block:
    return Block(block.top + rows, block.left + columns, block.bottom + rows, block.right + columns)


@pytest.mark.libreoffice
@pytest.mark.parametrize("inserted", [(0, 0), (3, 2)], ids=["as is", "moved"])
@pytest.mark.parametrize("layout", [DOT, BIAS], ids=lambda layout: layout.title)
def test_every_form_is_followed(tmp_path, office, capsys, layout, inserted):
    path = in_all_forms(tmp_path / "forms.xlsx", layout)
    titles = {f"form{number}": form for number, form in enumerate(FORMS)}
    if any(inserted):
        edits = [[kind, title, 1, n] for title in titles for kind, n in zip(("rows", "columns"), inserted, strict=True)]
        office.call("edit", str(path), str(path), edits)
    book = LessonBook(path)
    for title in titles:
        sheet = book.find(title)
        assert (len(sheet.user_ids), len(sheet.movie_ids), len(sheet.rating)) == (5, 4, N_RATINGS), titles[title]
        assert sheet.with_bias == layout.with_bias
    assert main(["solve", str(path)]) == 0
    printed = printed_rmse(capsys.readouterr().out)
    predictions, rmse = (moved(block, *inserted) for block in (layout.predictions, layout.rmse))
    values, stored = office.recalculate(path), openpyxl.load_workbook(path, data_only=True)
    for title, form in titles.items():
        n_empty_texts = 20 - N_RATINGS if '"",""' in form else 0
        assert n_not_stored(stored[title], values[title]["values"], [predictions]) == n_empty_texts, form
        if not any(part in form for part in _MAY_CLEAR):
            assert not n_not_stored(stored[title], values[title]["values"], [rmse]), form
            shown = values[title]["values"][rmse.top - 1][rmse.left - 1]
            assert printed[title][1] == pytest.approx(shown, abs=1e-6), form


@pytest.mark.libreoffice
def test_two_rows_are_multiplied(tmp_path, office):
    """The movies' factors stand in rows of their own, so that SUMPRODUCT multiplies two rows."""
    path = tmp_path / "rows.xlsx"
    workbook = openpyxl.load_workbook(make(path))
    sheet = workbook["dotprod"]
    for column in range(4):
        for k in range(2):
            old = sheet.cell(DOT.movie_factors.top + k, DOT.movie_factors.left + column)
            sheet.cell(60 + column, 3 + k).value, old.value = old.value, None
        for row in range(5):
            rating = DOT.ratings.row(row).column(column).first
            user = DOT.user_factors.row(row).address
            place = sheet.cell(DOT.predictions.top + row, DOT.predictions.left + column)
            place.value = f'=IF({rating}="",0,SUMPRODUCT({user},C{60 + column}:D{60 + column}))'
    workbook.save(path)
    found = LessonBook(path).find("dotprod")
    assert found.user_places[0][0] == (DOT.user_factors.top, DOT.user_factors.left)
    assert found.movie_places[3] == [(63, 3), (63, 4)]
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0
    check_results(path, "dotprod", office, [DOT.predictions, DOT.rmse])


@pytest.mark.libreoffice
def test_a_mean_rating_in_a_cell_is_added(tmp_path, office, capsys):
    """A cell that all predictions add is no bias: it stays as it is."""
    path = tmp_path / "mean.xlsx"
    workbook = openpyxl.load_workbook(make(path))
    written(workbook["bias"], BIAS, 'IF({r}="",0,MMULT({u},{m}){b}+$A$1)')
    workbook["bias"]["A1"] = 3.5
    workbook.save(path)
    assert main(["solve", str(path), "--sheet", "bias"]) == 0
    assert openpyxl.load_workbook(path)["bias"]["A1"].value == 3.5
    check_results(path, "bias", office, [BIAS.predictions, BIAS.rmse])
    plain = make(tmp_path / "plain.xlsx")
    assert main(["solve", str(plain), "--sheet", "bias"]) == 0
    with_mean, without = capsys.readouterr().out.split("wrote")[:2]
    assert printed_rmse(with_mean)["bias"][1] == pytest.approx(printed_rmse(without)["bias"][1], abs=3e-6)


@pytest.mark.libreoffice
@pytest.mark.parametrize("layout", [DOT, BIAS], ids=lambda layout: layout.title)
def test_a_logistic_is_fitted_through(tmp_path, office, capsys, layout):
    path = tmp_path / "logistic.xlsx"
    workbook = openpyxl.load_workbook(make(path))
    written(workbook[layout.title], layout, 'IF({r}="",0,0.5+5/(1+EXP(-(MMULT({u},{m}){b}))))')
    workbook.save(path)
    assert main(["solve", str(path), "--sheet", layout.title]) == 0
    check_results(path, layout.title, office, [layout.predictions, layout.rmse])
    shown = office.recalculate(path)[layout.title]["values"][layout.rmse.top - 1][layout.rmse.left - 1]
    assert printed_rmse(capsys.readouterr().out)[layout.title][1] == pytest.approx(shown, abs=1e-6)
    assert shown < 0.2


def form(text: str) -> PredictionForm | None:
    return form_of(CellFormula(text))


@pytest.mark.parametrize(
    "text",
    [
        "(H2-MMULT(B25:F25,H19:H23))^2",  # an error
        'SUMPRODUCT((H2:H9<>"")*(H2:H9-G2:G9)^2)',
        'IF(H2="",0,MMULT(B25:F25,H19:H23)*MMULT(B25:F25,H19:H23)*2)',
        'IF(H2="",0,MMULT(B25:F25,H19:H23)*H2)',
        'IF(H2="",0,MMULT(B25:F25,H19:H23)+2*A25)',
        'IF(H2="",0,1/(1+EXP(-MMULT(B25:F25,H19:H23)))+A25)',
        'IF(H2="",0,MMULT(B25:F25,H19:H23)+MMULT(B26:F26,H19:H23))',
        'IF(H2="",0,MMULT(B25:F25,VLOOKUP(H2,A1:B9,2)))',
        "SUM(A1:A9)",
        "A1*B1",
    ],
)
def test_what_is_no_prediction(text):
    assert form(text) is None


def test_which_ratings_are_predicted():
    ratings = np.array([np.nan, 0, 0.5, 4])
    for text, expected in {
        'IF(H2="",0,MMULT(B25:F25,H19:H23))': [False, True, True, True],
        "IF(H2=0,0,MMULT(B25:F25,H19:H23))": [False, False, True, True],
        "IF(H2>3,MMULT(B25:F25,H19:H23))": [False, False, False, True],
        "MMULT(B25:F25,H19:H23)": [True] * 4,
    }.items():
        assert form(text).predicts(ratings).tolist() == expected


def test_a_logistic_is_smooth_and_rounding_is_not():
    logistic = form('IF(H2="",0,0.5+5/(1+EXP(-MMULT(B25:F25,H19:H23))))')
    assert (logistic.is_plain, logistic.is_smooth) == (False, True)
    np.testing.assert_allclose(logistic.link(np.array([-40.0, 0, 40]), ()), [0.5, 3, 5.5])
    rounded = form('IF(H2="",0,ROUND(MMULT(B25:F25,H19:H23),1))')
    assert (rounded.is_plain, rounded.is_smooth) == (False, False)
    assert rounded.shown(np.array([np.nan, 3]), np.array([2.25, 2.25]), ()) == [0.0, 2.3]


@pytest.mark.libreoffice
def test_write_takes_what_all_predictions_add_from_the_users_biases(tmp_path, office):
    path = tmp_path / "mean.xlsx"
    workbook = openpyxl.load_workbook(make(path))
    written(workbook["bias"], BIAS, 'IF({r}="",0,MMULT({u},{m}){b}+3.25)')
    workbook.save(path)
    factors = model_of("bayes")
    assert main(["write", str(path), "--sheet", "bias", "--model", saved(factors, tmp_path)]) == 0
    shown = values_in(office.recalculate(path)["bias"], BIAS.predictions).astype(float)
    expected = factors.global_mean + factors.of_users(rows(factors.user_ids, USERS)).of_movies(
        rows(factors.movie_ids, MOVIES)
    ).predict(np.arange(5)[:, None], np.arange(4))
    np.testing.assert_allclose(shown[RATED], expected[RATED], atol=1e-6)


@pytest.mark.libreoffice
def test_write_into_a_logistic(tmp_path, office, capsys):
    """A model that squeezes its sums into the range fits a sheet that shows the same function of them, and no other."""
    path = tmp_path / "logistic.xlsx"
    workbook = openpyxl.load_workbook(make(path))
    written(workbook["bias"], BIAS, 'IF({r}="",0,0.5+4.5/(1+EXP(-(MMULT({u},{m}){b}))))')
    workbook.save(path)
    other = saved(model_of("bayes"), tmp_path)
    assert main(["write", str(path), "--sheet", "bias", "--model", other, "--out", str(tmp_path / "o.xlsx")]) == 0
    line = "left alone: sheet bias shows a function of its sums that a model of kind bayes does not learn"
    assert line in capsys.readouterr().out
    factors = model_of("collab")
    assert main(["write", str(path), "--sheet", "bias", "--model", saved(factors, tmp_path)]) == 0
    shown = values_in(office.recalculate(path)["bias"], BIAS.predictions).astype(float)
    expected = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES))
    np.testing.assert_allclose(shown[RATED], expected[RATED], atol=1e-6)


def rows(ids: np.ndarray, wanted: list[int]) -> np.ndarray:
    return np.array([ids.tolist().index(one) for one in wanted])

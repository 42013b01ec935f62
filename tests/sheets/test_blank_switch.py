"""The switch that shows predictions of blank ratings on dotprod and bias."""

import numpy as np
import openpyxl
import pytest
from support.hosts import IronCalc
from support.models import block_values

import cf_excel
from cf_excel.sheets.find.prediction_form import form_of
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.sheets.lesson.lesson_layout import HIDDEN, SHOWN, CollabBook
from cf_excel.xlsx.formulas import CellFormula

BOOK = CollabBook(15, 15, 5, 206)
OPTIMA = {"dotprod": 0.392901, "bias": 0.318655}


@pytest.mark.libreoffice
@pytest.mark.parametrize("value", [SHOWN, "yes"])
def test_blanks_are_predicted_and_do_not_count(lesson_workbook, office, value):
    sheets = (BOOK.dotprod, BOOK.bias)
    before = office.recalculate(lesson_workbook)
    after = office.recalculate(lesson_workbook, {sheet.title: {sheet.switch.first: value} for sheet in sheets})
    for sheet in sheets:
        assert block_values(before[sheet.title], sheet.switch)[0, 0] == HIDDEN
        ratings, off, on = (
            block_values(found[sheet.title], block)
            for found, block in ((before, sheet.ratings), (before, sheet.predictions), (after, sheet.predictions))
        )
        blank = ratings == ""
        assert blank.sum() == 19
        users, movies = (block_values(after[sheet.title], b) for b in (sheet.user_factors, sheet.movie_factors))
        full = users.astype(float) @ movies.astype(float)
        if sheet.user_bias and sheet.movie_bias:
            biases = [block_values(after[sheet.title], b).astype(float) for b in (sheet.user_bias, sheet.movie_bias)]
            full += biases[0] + biases[1]
        np.testing.assert_allclose(on.astype(float), full, rtol=1e-12)
        assert set(off[blank]) == {0}
        rmse = [block_values(found[sheet.title], sheet.rmse)[0, 0] for found in (before, after)]
        assert rmse[0] == rmse[1] > 1


@pytest.mark.libreoffice
@pytest.mark.parametrize("value", [HIDDEN, SHOWN, None])
def test_solve_leaves_results_that_every_program_finds(tmp_path, lesson_ratings, monkeypatch, office, value):
    """Also in the cells of blank ratings, which the fit does not know."""
    path = tmp_path / "collab_filter.xlsx"
    monkeypatch.setattr("cf_excel.sheets.lesson.grid_formulas.HIDDEN", value)
    build_collab(lesson_ratings, path)
    report = cf_excel.solve(path)
    assert {fit.sheet: round(fit.after, 6) for fit in report.sheets if fit.sheet in OPTIMA} == OPTIMA
    assert {fit.n_ratings for fit in report.sheets} == {206}
    cached = openpyxl.load_workbook(path, data_only=True)
    found, ironcalc = office.recalculate(path), IronCalc(path)
    for sheet in (BOOK.dotprod, BOOK.bias):
        for row, column in [*sheet.predictions.addresses(), *sheet.rmse.addresses()]:
            stored = cached[sheet.title].cell(row, column).value
            assert found[sheet.title]["values"][row - 1][column - 1] == pytest.approx(stored, abs=1e-9)
            assert ironcalc.value(sheet.title, row, column) == pytest.approx(stored, abs=1e-9)
        stored = [[cell.value for cell in row] for row in cached[sheet.title][sheet.predictions.span()]]
        assert (np.array(stored) != 0).all() == (value == SHOWN)


@pytest.mark.parametrize(
    ("formula", "shown", "blanks"),
    [
        ('IF(AND(H2="",$G$42<>"Yes"),0,MMULT($B25:$F25,H$19:H$23))', {"G42": "Yes"}, True),
        ('IF(AND(H2="",$G$42<>"Yes"),0,MMULT($B25:$F25,H$19:H$23))', {}, False),
        ('IF(OR(H2<>"",$A$1),SUMPRODUCT($B25:$F25,TRANSPOSE(H$19:H$23)),"")', {"A1": True}, True),
        ('IF(H2="",IF($A$1=1,MMULT($B25:$F25,H$19:H$23),0),MMULT($B25:$F25,H$19:H$23))', {"A1": 1.0}, True),
        ('IF(H2="",IF($A$1=1,MMULT($B25:$F25,H$19:H$23),0),MMULT($B25:$F25,H$19:H$23))', {"A1": 2.0}, False),
    ],
)
def test_a_switch_of_ones_own(formula, shown, blanks):
    places = {(int(name[1:]), ord(name[0]) - 64): value for name, value in shown.items()}
    form = form_of(CellFormula(formula), places.get)
    assert form.rating is not None
    assert form.predicts(np.array([np.nan, 3.0])).tolist() == [blanks, True]

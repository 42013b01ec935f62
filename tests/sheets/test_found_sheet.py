"""The RMSE of a sheet in every form that is known, as LibreOffice calculates it."""

import openpyxl
import pytest
from support.checked_results import check_results
from support.owned import DOT, EMB, make

from cf_excel.cli import main

RATINGS, PREDICTIONS, ERRORS = DOT.ratings.address, DOT.predictions.address, EMB.squared_errors.address


@pytest.mark.libreoffice
@pytest.mark.parametrize(
    ("layout", "formula"),
    [
        # predictions of blanks are 0, as blanks count where a program does not skip them
        (DOT, f"SQRT(SUMXMY2({RATINGS},{PREDICTIONS}))"),
        (DOT, f"SQRT(SUMXMY2({RATINGS},{PREDICTIONS})/COUNT({RATINGS}))"),
        (DOT, f'SQRT(SUMPRODUCT(({RATINGS}<>"")*({RATINGS}-{PREDICTIONS})^2)/COUNT({RATINGS}))'),
        (EMB, f"SQRT(SUM({ERRORS}))"),
        (EMB, f"SQRT(SUM({ERRORS})/COUNT({ERRORS}))"),
        (EMB, f"SQRT(AVERAGE({ERRORS}))"),
    ],
)
def test_every_form_of_the_rmse(tmp_path, office, layout, formula):
    path = make(tmp_path / "rmse.xlsx")
    workbook = openpyxl.load_workbook(path)
    workbook[layout.title][layout.rmse.first] = f"={formula}"
    workbook.save(path)
    assert main(["solve", str(path), "--sheet", layout.title]) == 0
    check_results(path, layout.title, office, [layout.rmse])


@pytest.mark.libreoffice
@pytest.mark.parametrize(
    "formula",
    [
        f"SQRT(SUMXMY2({RATINGS},{PREDICTIONS})/COUNT({DOT.ratings.row(0).address}))",
        f"SQRT(SUMXMY2({PREDICTIONS},{RATINGS})/COUNT({RATINGS}))",
        f"SQRT(SUMXMY2({DOT.ratings.row(0).address},{PREDICTIONS}))",
    ],
)
def test_other_cells_than_the_ratings_make_no_rmse(tmp_path, office, formula):
    path = make(tmp_path / "rmse.xlsx")
    workbook = openpyxl.load_workbook(path)
    workbook["dotprod"][DOT.rmse.first] = f"={formula}"
    workbook.save(path)
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0
    check_results(path, "dotprod", office, [DOT.rmse], cleared=1)

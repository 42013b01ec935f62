"""The sigmoid of a sum, squeezed into the range of ratings."""

import numpy as np
import pytest

from cf_excel.model.link import squeezed, squeezed_formula
from cf_excel.sheets.fill.added_layout import ModelSheet
from cf_excel.sheets.recommender.calc_formulas import scaled

X = np.array([-1e300, -800.0, -5.0, 0.0, 0.25, 40.0, 800.0])


def test_numbers_stay_in_the_range_whatever_the_sum():
    found = squeezed(X, 0.5, 5.0)
    assert found[[0, 1, 3, 6]].tolist() == [0.5, 0.5, 2.75, 5.0]
    np.testing.assert_allclose(found[2:6], 0.5 + 4.5 / (1 + np.exp(-X[2:6])), rtol=1e-14)


def test_the_formula_computes_the_same():
    ironcalc = pytest.importorskip("ironcalc")
    model = ironcalc.create("link", "en", "UTC", "en")
    for row, x in enumerate(X.tolist(), 1):
        model.set_user_input(0, row, 1, f"={squeezed_formula(f'({x!r})'.upper(), '0.5', '5')}")
    model.evaluate()
    shown = [model.get_cell_value(0, row, 1) for row in range(1, len(X) + 1)]
    np.testing.assert_allclose(shown, squeezed(X, 0.5, 5.0), rtol=1e-14)


def test_the_sheet_and_the_recommender_write_it():
    sheet = ModelSheet("model", 2, 2, 2, "squeezed")
    products = "(MMULT($I7:$J7,B$11:B$12)+$H7+B$10)"
    assert sheet.formulas[sheet.predictions] == squeezed_formula(products, sheet.low.fixed, sheet.high.fixed)
    assert scaled("collab", "x") == squeezed_formula("x", "lowest_rating", "highest_rating")

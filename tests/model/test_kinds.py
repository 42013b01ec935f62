"""What sets the kinds of models apart: how a sum becomes a rating, and how formulas say so."""

import numpy as np
import pytest

from cf_excel.model.kinds import KINDS
from cf_excel.sheets.fill.added_layout import ModelSheet
from cf_excel.sheets.recommender.calc_formulas import scaled

X = np.array([-1e300, -800.0, -5.0, 0.0, 0.25, 40.0, 800.0])
IN_CELLS = [name for name, kind in KINDS.items() if not kind.is_net]


def test_numbers_stay_in_the_range_whatever_the_sum():
    for name in ("dot-bias", "collab"):
        found = KINDS[name].ratings(X, 0.5, 5.0)
        assert found[[0, 1, 3, 6]].tolist() == [0.5, 0.5, 2.75, 5.0]
        np.testing.assert_allclose(found[2:6], 0.5 + 4.5 / (1 + np.exp(-X[2:6])), rtol=1e-14)
    assert KINDS["net"].ratings(X, 0.5, 5.0)[[0, 3, 6]].tolist() == [0.0, 2.75, 5.5]
    assert KINDS["bayes"].ratings(X, 0.5, 5.0).tolist() == [0.5, 0.5, 0.5, 0.5, 0.5, 5.0, 5.0]
    assert KINDS["dot"].ratings(X, 0.5, 5.0).tolist() == X.tolist()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_slope_is_the_derivative_and_precision_stays(kind):
    x, step = np.linspace(-6, 6, 24), 1e-5
    change = kind.uncut(x + step, 0.5, 5.0) - kind.uncut(x - step, 0.5, 5.0)
    np.testing.assert_allclose(kind.slope(x, 0.5, 5.0), change / (2 * step), rtol=1e-6)
    for single in (x.astype(np.float32), np.float32(1)):
        assert kind.ratings(single, np.float64(0.5), np.float64(5)).dtype == np.float32


@pytest.mark.parametrize("name", IN_CELLS)
def test_the_formulas_compute_the_same(name):
    ironcalc = pytest.importorskip("ironcalc")
    kind, model = KINDS[name], ironcalc.create("kinds", "en", "UTC", "en")
    for row, x in enumerate(X.tolist(), 1):
        term = f"({x!r})".upper()
        formulas = kind.formula(term, "0.5", "5"), kind.formula_of_term(f"{term}+0", "0.5", "5")
        formulas += kind.link.formula(term, "0.5", "5"), kind.link.slope_formula(term, "0.5", "5")
        for column, formula in enumerate(formulas, 1):
            model.set_user_input(0, row, column, f"={formula}")
    model.evaluate()
    numbers = (kind.ratings, kind.ratings, kind.uncut, kind.slope)
    for column, expected in enumerate(numbers, 1):
        shown = [model.get_cell_value(0, row, column) for row in range(1, len(X) + 1)]
        np.testing.assert_allclose(shown, expected(X, 0.5, 5.0), rtol=1e-14, atol=1e-14)


def test_the_sheet_and_the_recommender_write_them():
    sheet = ModelSheet("model", 2, 2, 2, "collab")
    x, ends = "MMULT($I7:$J7,B$11:B$12)+$H7+B$10", (sheet.low.fixed, sheet.high.fixed)
    assert sheet.formulas[sheet.predictions] == KINDS["collab"].formula(f"({x})", *ends)
    assert scaled("collab", "x") == KINDS["collab"].formula("x", "lowest_rating", "highest_rating")
    for name, expected in {
        "dot": "MMULT($I7:$J7,B$11:B$12)",
        "bayes": f"MAX({ends[0]},MIN({ends[1]},{sheet.mean.fixed}+{x}))",
        "net": None,
    }.items():
        assert ModelSheet("model", 2, 2, 2, name).formulas.get(sheet.predictions) == expected

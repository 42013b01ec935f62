import numpy as np
import pytest

from cf_excel.errors import InputError
from cf_excel.metrics import mae, mse, rmse


def test_known_answers():
    predictions, ratings = [[1.0, 2.0], [3.0, 4.0]], [[1.0, 4.0], [2.0, 3.0]]
    assert mse(predictions, ratings) == 1.5
    assert rmse(predictions, ratings) == np.sqrt(1.5)
    assert mae(predictions, ratings) == 1.0


def test_float32_is_summed_in_float64():
    predictions = np.full(200_001, 0.1, np.float32)
    assert mse(predictions, np.zeros(200_001, np.float32)) == pytest.approx(float(np.float32(0.1)) ** 2, rel=1e-12)


@pytest.mark.parametrize("measure", [mse, rmse, mae])
@pytest.mark.parametrize(
    ("predictions", "ratings", "words"),
    [
        ([[1.0], [2.0]], [1.0, 2.0], r"\(2, 1\) against ratings of shape \(2,\)"),
        ([], [], "no ratings to compare"),
        (["x"], [1.0], "two tables of numbers"),
        ([[1.0], [1.0, 2.0]], [1.0], "two tables of numbers"),
    ],
)
def test_tables_that_can_not_be_compared(measure, predictions, ratings, words):
    with pytest.raises(InputError, match=words):
        measure(predictions, ratings)

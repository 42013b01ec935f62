import numpy as np
import pytest

from cf_excel.errors import InputError
from cf_excel.metrics import coverage, mae, mse, paired_difference, ranking, rmse


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


def test_coverage_of_normal_errors():
    errors = np.random.default_rng(0).normal(0, 2, 200_000)
    for share in (0.5, 0.9):
        assert coverage(errors, np.full(200_000, 2.0), share) == pytest.approx(share, abs=0.005)
    assert coverage([0.6, -0.7], [1, 1], 0.5) == 0.5  # half of a normal distribution lies within .6745


def test_ranking_by_hand():
    found = ranking([True, False, True], n_relevant=4, length=3)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == 0.5
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    assert found.ndcg == pytest.approx((1 + 1 / 2) / ideal)
    assert ranking([True] * 3 + [False] * 7, 3, 10) == (0.3, 1.0, pytest.approx(1.0), 1.0)
    assert ranking([False, False], 1, 10) == (0, 0, 0, 0)
    assert ranking([True], 1, 10) == (0.1, 1.0, 1.0, 1.0)  # a list may be short
    with pytest.raises(InputError, match="no relevant item"):
        ranking([False], 0, 10)


def test_the_interval_of_a_difference_covers_the_truth():
    rng = np.random.default_rng(1)
    inside = 0
    for seed in range(60):
        users = np.repeat(np.arange(40), 5)
        difference = np.repeat(rng.normal(0.3, 1, 40), 5) + rng.normal(0, 0.5, 200)
        ours = rng.normal(0, 9, 200)
        interval = paired_difference(ours, ours + difference, users, n=300, seed=seed)
        assert interval.low < interval.mean < interval.high
        assert interval.mean == pytest.approx(difference.mean())
        inside += interval.low <= 0.3 <= interval.high
    assert inside >= 50


def test_one_group_leaves_no_doubt():
    assert paired_difference([1, 2], [2, 4], [7, 7]) == (1.5, 1.5, 1.5)

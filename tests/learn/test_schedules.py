import math

from hypothesis import given
from hypothesis import strategies as st

from cf_excel.learn.schedules import doubling_cycles, lesson_cycles, sgdr, two_stages


def test_lesson_cycles() -> None:
    assert lesson_cycles(2, 1, 2) == [1, 2]
    assert lesson_cycles(3, 2) == [2, 2, 2]


@given(st.integers(1, 500))
def test_doubling_cycles_fill_the_epochs(n_epochs: int) -> None:
    cycles = doubling_cycles(n_epochs)
    assert sum(cycles) == n_epochs
    assert cycles[:-1] == [2**i for i in range(len(cycles) - 1)]
    assert 2 ** (len(cycles) - 1) <= cycles[-1] < 2 ** (len(cycles) + 1)


def test_sgdr_by_hand() -> None:
    factor = sgdr([1, 2], 40)
    assert [factor(step) for step in (0, 1)] == [0.01, 0.01]
    assert factor(2) == (1 + math.cos(math.pi * 2 / 40)) / 2
    assert factor(20) == 0.5
    assert factor(39) < 0.002
    assert [factor(step) for step in range(40, 44)] == [0.01] * 4
    assert factor(44) == (1 + math.cos(math.pi * 4 / 80)) / 2
    assert factor(80) == 0.5
    assert factor(120) == 0.0


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 300))
def test_sgdr_falls_within_each_cycle(cycles: list[int], n_batches: int) -> None:
    factor = sgdr(cycles, n_batches)
    start = 0
    for length in cycles:
        end = start + length * n_batches
        warm = math.ceil((end - start) / 20)
        values = [factor(step) for step in range(start + warm, end)]
        assert all(0 < value <= 1 for value in values)
        assert values == sorted(values, reverse=True)
        start = end


def test_two_stages_gives_an_odd_epoch_to_the_first() -> None:
    factor = two_stages(5, 10, 0.1)
    assert [factor(step) for step in (0, 29, 30, 49)] == [1.0, 1.0, 0.1, 0.1]

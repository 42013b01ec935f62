"""New values for many cells, as tables and one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.new_values import Results, rectangles

ADDRESSES = st.sets(st.tuples(st.integers(1, 6), st.integers(1, 6)))


@given(addresses=ADDRESSES)
def test_rectangles_cover_the_cells_and_no_others(addresses):
    covered = [
        (row, column)
        for block in rectangles(addresses)
        for row in range(block.top, block.bottom + 1)
        for column in range(block.left, block.right + 1)
    ]
    assert sorted(covered) == sorted(addresses)


@given(addresses=ADDRESSES.filter(bool), texts=st.booleans())
def test_places_that_fill_a_rectangle_with_numbers_are_a_table(addresses, texts):
    places = sorted(addresses)
    values = ["" if texts and i == 0 else float(i) for i in range(len(places))]
    results = Results()
    results.put_places(places, values)
    assert [results[place] for place in places] == values
    assert results.counts() == (len(places), 0)
    rows, columns = zip(*places, strict=True)
    fills = len(places) == (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)
    assert bool(results.tables) == (fills and not texts)


def test_a_cell_counts_before_the_table_it_stands_in():
    results = Results()
    results.put(Block(2, 3, 3, 4), np.array([[1.0, np.inf], [np.nan, 4.0]]))
    results.put_cells({(2, 3): 9.5, (7, 7): 1e308 * 10, (8, 8): "x"})
    assert [results[address] for address in ((2, 3), (2, 4), (3, 3), (3, 4))] == [9.5, None, None, 4.0]
    assert results[7, 7] is None
    assert results.counts() == (6, 3)
    assert (3, 3) in results
    assert (4, 4) not in results
    assert np.isfinite(results.tables[Block(2, 3, 3, 4)].values).all()


def test_covers():
    results = Results()
    results.put(Block(2, 2, 4, 4), np.zeros((3, 3)))
    assert results.covers(Block(2, 2, 4, 4))
    assert results.covers(Block(3, 3, 3, 4))
    assert not results.covers(Block(3, 3, 5, 4))
    assert not results.covers(Block(1, 2, 2, 2))

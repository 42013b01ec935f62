"""The table is found within cells of any kind, or one line says why there is none."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cf_excel.errors import CfExcelError, InputError
from cf_excel.ratings.assembly import assemble
from cf_excel.ratings.cell_tables import TableCells
from cf_excel.ratings.forms import find_table, refuse
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.rating_rows import read_rows
from cf_excel.ratings.reading import Reading

WORDS = ["Customer", "Product", "Stars", "Title", "Date", "rating", "user", "Total", "Average", "Max", "a", "b", "c"]
CELL = st.one_of(
    st.just(""),
    st.sampled_from([*WORDS, " ", "3,5", "1", "x" * 50]),
    st.sampled_from([1, 2.5, -1, 1e300, float("nan"), float("inf"), True]),
    st.sampled_from([datetime.datetime(2026, 1, 31, 5), datetime.date(2026, 1, 31), datetime.time(1)]),
)


@given(
    st.lists(st.lists(CELL, max_size=7), max_size=9),
    st.sampled_from([None, "list", "grid"]),
    st.booleans(),
)
@settings(max_examples=400)
def test_any_cells_are_read_or_refused(rows, form, skip_bad):
    how = Reading(form=form, skip_bad=skip_bad)
    cells = TableCells("scores.xlsx sheet S", rows, range(1, len(rows) + 1))
    message = "scores.xlsx"
    try:
        found = find_table(cells, how)
        if found is None:
            refuse(cells, how)
        column = {kind: i for i, kind in enumerate(("user", "movie", "rating")) if i < found.n_columns}
        ratings = assemble(read_rows(found, column, how), {}, "scores.xlsx", Nouns(), how)
    except CfExcelError as error:
        message = str(error)
    else:
        assert len(ratings) == len(ratings.user_idx) > 0
    assert message.startswith("scores.xlsx")
    assert message.isprintable()


def test_what_is_told_of_cells_without_a_table():
    numbers = [[1.5, 2.5, 3.5, 4.5]] * 3
    for rows, told in (
        ([], "S is empty"),
        ([["Who", "What", "Mark"], *numbers], "(found: Who, What, Mark)"),
        ([["hello"], *numbers], "(found: hello)"),
    ):
        cells = TableCells("S", rows, range(len(rows)))
        how = Reading(form="list")
        assert find_table(cells, how) is None or rows[0] == ["hello"]
        with pytest.raises(InputError) as error:
            refuse(cells, how)
        assert told in str(error.value)

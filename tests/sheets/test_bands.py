"""Blocks by names of bands."""

from dataclasses import dataclass

import pytest

from cf_excel.sheets.bands import Area, Bands, MaybeArea
from cf_excel.xlsx.cells import Block


@dataclass(frozen=True)
class Sheet:
    n_notes: int
    n_columns: int = 3
    rows = property(lambda self: Bands(head=1, notes=self.n_notes, body=2) | Bands(above=5, chart=20))
    columns = property(lambda self: Bands(ids=1, numbers=self.n_columns))

    body = Area("body", "numbers")
    table = Area("notes body", "ids numbers")
    last = Area("body", "numbers", row=0, column=-1)
    notes = MaybeArea("notes", "ids")
    chart = Area("chart", "numbers", column=1)


def test_an_area_is_where_bands_of_rows_meet_bands_of_columns():
    sheet = Sheet(2)
    assert (sheet.body.address, sheet.table.address, sheet.last.address) == ("B4:D5", "A2:D5", "D4")
    assert sheet.notes == Block(2, 1, 3, 1)


def test_a_band_of_no_rows_is_left_out():
    sheet = Sheet(0, n_columns=1)
    assert (sheet.notes, sheet.body.address, sheet.table.address) == (None, "B2:B3", "A2:B3")


def test_joined_bands_start_from_the_first_row_each():
    assert [Sheet(n).chart.address for n in (0, 9)] == ["C6:C25", "C6:C25"]


def test_an_unknown_band_is_an_error():
    with pytest.raises(KeyError):
        Bands(head=1)["heads"]

"""Stored results against what LibreOffice calculates."""

from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.xlsx.cells import Block


def check_results(path: Path, title: str, office: object, blocks: list[Block], cleared: int = 0) -> None:
    """Check that every stored result in blocks is LibreOffice's, and how many are left for it to calculate."""
    stored = openpyxl.load_workbook(path, data_only=True)[title]
    assert n_not_stored(stored, office.recalculate(path)[title]["values"], blocks) == cleared


def n_not_stored(stored: Worksheet, values: list[list], blocks: list[Block]) -> int:
    """Check that every stored result in blocks is the one calculated; return how many are not stored."""
    blank = 0
    for block in blocks:
        for row in range(block.top, block.bottom + 1):
            for column in range(block.left, block.right + 1):
                value, found = stored.cell(row, column).value, values[row - 1][column - 1]
                if value is None:
                    blank += 1
                elif isinstance(value, str):
                    assert (value == found) or (value.startswith("#") and not isinstance(found, float))
                else:
                    assert found == pytest.approx(float(value), abs=1e-9), (stored.title, row, column)
    return blank

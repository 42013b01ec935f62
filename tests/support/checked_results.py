"""Stored results against what LibreOffice calculates."""

from pathlib import Path

import openpyxl
import pytest

from cf_excel.xlsx.cells import Block


def check_results(path: Path, title: str, office: object, blocks: list[Block], cleared: int = 0) -> None:
    """Check that every stored result in blocks is LibreOffice's, and how many are left for it to calculate."""
    values = office.recalculate(path)[title]["values"]
    stored = openpyxl.load_workbook(path, data_only=True)[title]
    blank = 0
    for block in blocks:
        for row in range(block.top, block.bottom + 1):
            for column in range(block.left, block.right + 1):
                value, found = stored.cell(row, column).value, values[row - 1][column - 1]
                if value is None:
                    blank += 1
                elif isinstance(value, str):
                    assert value == found
                else:
                    assert found == pytest.approx(value, abs=1e-9), (title, row, column)
    assert blank == cleared

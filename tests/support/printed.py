"""What commands print."""

from pathlib import Path

import pytest

from cf_excel.cli import main

OPTIMA = {"dotprod": 0.392901, "bias": 0.318655, "movielens_emb": 0.392901}


def printed_rmse(printed: str) -> dict[str, list[float]]:
    rows = [line.split() for line in printed.splitlines()]
    return {
        row[0]: [float(x) for x in row[2:]]
        for row in rows
        if len(row) > 3 and row[1].isdigit() and row[2][:1].isdigit()
    }


def refused(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Run solve, check that it refuses in one line and changes nothing; return the line."""
    before = {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    assert main(["solve", str(path), *options]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.out == ""  # nothing is claimed that was not written
    assert "Traceback" not in captured.err
    assert {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()} == before
    return captured.err

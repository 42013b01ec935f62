"""Ratings files to read, and to refuse."""

import io
import zipfile
from pathlib import Path

import pytest

from cf_excel.cli import main
from cf_excel.ratings.table import Ratings

ROWS = [(15, 31, 2.5, 1260759144), (15, 1029, 3.0, 1260759179), (7, 31, 4.0, 1260759182)]
CSV = "userId,movieId,rating,timestamp\n15,31,2.5,1260759144\n15,1029,3.0,1260759179\n7,31,4.0,1260759182\n"
HEAD = "userId,movieId,rating,timestamp\n"


def table_of(ratings: Ratings) -> list[tuple]:
    """Return the rows as written: raw user, raw movie, rating and, if there, timestamp."""
    columns = [ratings.user_ids[ratings.user_idx], ratings.movie_ids[ratings.movie_idx], ratings.rating]
    if ratings.timestamp is not None:
        columns.append(ratings.timestamp)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def write_zip(path: Path | io.BytesIO, members: dict[str, str | bytes]) -> Path | io.BytesIO:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def zipped(members: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    write_zip(buffer, members)
    return buffer.getvalue()


def refusal(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """Return the line with which build refuses, having checked that it is a single one."""
    assert main(["build", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("cf_excel build: ")
    assert "\x1b" not in shown.err
    return shown.err


def refusal_of_file(tmp_path: Path, capsys: pytest.CaptureFixture, content: str | bytes) -> str:
    """Return the line with which build refuses a ratings.csv, having checked that a workbook there stays as it was."""
    path = tmp_path / "ratings.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    workbook = tmp_path / "collab_filter.xlsx"
    workbook.write_text("a good file")
    line = refusal(capsys, "--force", "--out", str(tmp_path), "--ratings", str(path))
    assert "ratings.csv" in line
    assert workbook.read_text() == "a good file"
    assert sorted(tmp_path.iterdir()) == [workbook, path]
    return line

"""The bytes of a workbook: the same from the same inputs, and nothing half written."""

import os
import subprocess
import sys
import zipfile

import pytest
from support.cell_texts import write

from cf_excel.errors import FileError, InputError
from cf_excel.sheets.gradient.gradient_books import build_gradient
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.xlsx.write.sheet_cells import SheetCells


def test_same_inputs_same_bytes(tmp_path):
    assert write(tmp_path / "a.xlsx", [["x", 1]]).read_bytes() == write(tmp_path / "b.xlsx", [["x", 1]]).read_bytes()


def test_who_waits_hears_how_many_cells_are_written(tmp_path, busy_ratings):
    heard: list[tuple[int, int]] = []
    build_collab(busy_ratings, tmp_path / "a.xlsx", tell=lambda *share: heard.append(share))
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert len(heard) > 10
    assert heard[-1][0] == heard[-1][1]
    build_gradient(tmp_path, tell=lambda *share: heard.append(share))
    assert heard[-1][0] == heard[-1][1]


def test_properties_say_whose_it_is_and_nothing_is_protected(lesson_workbook):
    with zipfile.ZipFile(lesson_workbook) as package:
        parts = {name: package.read(name).decode() for name in package.namelist() if "docProps" in name}
        assert "Protection" not in package.read("xl/workbook.xml").decode()
    assert "<dc:creator>cf_excel</dc:creator><dc:title>Collaborative filtering</dc:title>" in parts["docProps/core.xml"]
    assert "2018" not in parts["docProps/core.xml"]
    assert "openpyxl" not in "".join(parts.values()).lower()


@pytest.mark.parametrize("flag", ["True", "False"])
def test_same_bytes_with_and_without_lxml(tmp_path, lesson_workbook, flag):
    """openpyxl writes other XML where lxml is installed."""
    command = [sys.executable, "-m", "cf_excel", "build", "--only", "collab", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OPENPYXL_LXML": flag})
    assert (tmp_path / "collab_filter.xlsx").read_bytes() == lesson_workbook.read_bytes()


def test_a_good_file_survives_a_failure(tmp_path, monkeypatch):
    path = write(tmp_path / "t.xlsx", [["good"]])
    before = path.read_bytes()
    monkeypatch.setattr(SheetCells, "rows_xml", lambda self: iter([1 / 0]))
    with pytest.raises(ZeroDivisionError):
        write(path, [["bad"]])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.xlsx"]


def test_folders_and_missing_folders_are_named(tmp_path):
    with pytest.raises(FileError, match="is a folder"):
        write(tmp_path, [["x"]])
    with pytest.raises(FileError, match=r"can't write .*nowhere.t.xlsx: there is no folder .*nowhere; make it first"):
        write(tmp_path / "nowhere" / "t.xlsx", [["x"]])
    with pytest.raises(InputError, match=r"t.xls: expected a name that ends in .xlsx"):
        write(tmp_path / "t.xls", [["x"]])

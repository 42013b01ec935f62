"""What fill, solve and write do with a workbook that stands where --out puts a copy."""

import zipfile

import openpyxl
import pytest
from support.own_books import list_book
from support.owned import make
from support.zip_parts import rewritten

import cf_excel
from cf_excel.cli import main
from cf_excel.errors import FileError
from cf_excel.sheets.lesson.collab import build_collab


def rate(path, value) -> None:
    """Change a workbook as another program does."""
    book = openpyxl.load_workbook(path)
    book.worksheets[0].append(["Zoe", "mug", value])
    book.save(path)


@pytest.fixture
def scores(tmp_path):
    return list_book(tmp_path / "scores.xlsx")


def test_a_workbook_of_somebodys_own_is_no_place_for_a_copy(scores, tmp_path, capsys):
    other = make(tmp_path / "other.xlsx")
    before = other.read_bytes()
    for command in (["fill", str(scores)], ["solve", str(make(tmp_path / "mine.xlsx"))]):
        assert main([*command, "--out", str(other)]) == 2
        error = capsys.readouterr().err
        assert f"{other} is there, and is no copy that cf_excel wrote" in error
        assert error.count("\n") == 1
        assert other.read_bytes() == before
    assert main(["fill", str(scores), "--out", str(other), "--backup"]) == 0
    assert other.with_name("other.bak.xlsx").read_bytes() == before


def test_a_copy_is_written_anew_until_somebody_changes_it(scores, tmp_path):
    copy = tmp_path / "filled.xlsx"
    for value in (3, 4, 5):
        rate(scores, value)
        cf_excel.fill(scores, out=copy)
    cf_excel.fill(copy, out=copy, top=3)  # in its place
    with pytest.raises(FileError, match="was changed since"):
        cf_excel.fill(scores, out=copy)
    copy.unlink()
    cf_excel.fill(scores, out=copy)
    rate(copy, 5)
    with pytest.raises(FileError, match="was changed since"):
        cf_excel.fill(scores, out=copy)


def test_any_other_part_of_a_copy_shows(tmp_path):
    mine, copy = make(tmp_path / "mine.xlsx"), tmp_path / "copy.xlsx"
    cf_excel.solve(mine, out=copy)
    cf_excel.solve(mine, out=copy)
    whole = copy.read_bytes()
    with zipfile.ZipFile(copy) as package:
        names = package.namelist()
        assert package.read("xl/workbook.xml").count(b"<!-- cf_excel copy") == 1
    for name in names:
        copy.write_bytes(whole)
        rewritten(copy, lambda part, content, changed=name: content + b"\n" if part == changed else content)
        with pytest.raises(FileError, match="was changed since"):
            cf_excel.solve(mine, out=copy)


def test_what_build_wrote_is_replaced_and_build_replaces_no_copy(busy_ratings, tmp_path, capsys):
    mine, built = make(tmp_path / "mine.xlsx"), tmp_path / "collab_filter.xlsx"
    build_collab(busy_ratings, built)
    cf_excel.solve(mine, out=built)
    assert main(["build", "--only", "collab", "--out", str(tmp_path)]) == 2
    assert "--backup keeps it" in capsys.readouterr().err


@pytest.mark.validator
def test_a_copy_is_a_whole_workbook(scores, tmp_path, validator_errors):
    copy = tmp_path / "filled.xlsx"
    cf_excel.fill(scores, out=copy)
    assert validator_errors(copy) == []
    cf_excel.fill(copy, out=tmp_path / "again.xlsx")
    assert validator_errors(tmp_path / "again.xlsx") == []

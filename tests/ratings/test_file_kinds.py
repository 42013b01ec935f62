"""A file that is no table is called what it is."""

import io
import re
import zipfile

import numpy as np
import pytest
from support.ratings_files import CSV, HEAD, refusal_of_file, zipped

from cf_excel.errors import FileError
from cf_excel.learn.bayes.feature_tables import read_blocks
from cf_excel.ratings.readers import load_ratings

KINDS = {
    "a web page": ("<!DOCTYPE html>\n<html><head>", "ratings.csv is a web page (HTML): what was saved is not the file"),
    "a web page in capitals": ("\ufeff\n <HTML lang=de>", "is a web page (HTML)"),
    "XML": ('<?xml version="1.0"?>\n<ratings/>', "is an XML file: save it as CSV"),
    "JSON": ('[\n  {"user": 1, "item": 2}\n]', "is a JSON file: save it as CSV"),
    "JSON of lists": ("[1, 2, 3]\n", "is a JSON file: save it as CSV"),
    "the Netflix Prize": (
        "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n",
        "is in the form of the Netflix Prize (a movie's id and a colon, then its ratings): write a row",
    ),
    "a pointer of Git LFS": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "is a pointer of Git LFS, not the file itself: fetch it with git lfs pull",
    ),
    "spaces between the cells": ("1 31 2.5\n1 1029 3\n", "has spaces between its cells: put commas or tabs there"),
    "spaces in columns": ("user  item  rating\n1     31    2.5\n", "has spaces between its cells"),
    "a PDF": ("%PDF-1.7\n", "is a PDF: expected a text table (CSV, TSV)"),
    "a JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF", "is a picture: expected"),
    "a pickle": (b"\x80\x04\x95\x10\0\0", "is a Python pickle: expected"),
    "UTF-16 without its mark": (HEAD.encode("utf-16-le"), "is UTF-16 without the mark that says so: save it as UTF-8"),
    "UTF-16, the other way": (CSV.encode("utf-16-be"), "is UTF-16 without the mark that says so: save it as UTF-8"),
    "UTF-32": (HEAD.encode("utf-32"), "is a text in UTF-32: expected"),
    "something binary": (bytes(range(1, 32)) * 20, "is a binary file: expected a text table (CSV, TSV)"),
    "something binary with NULs": (
        b"\x01\x02\0\0\0\x05\x07" * 20,
        "is a binary file: expected a text table (CSV, TSV)",
    ),
    "a LibreOffice workbook": (
        zipped({"mimetype": "", "content.xml": ""}),
        "can't be read as a workbook: ",
    ),
}


@pytest.mark.parametrize("case", KINDS)
def test_what_is_no_table(tmp_path, capsys, case):
    content, message = KINDS[case]
    assert message in refusal_of_file(tmp_path, capsys, content)


TABLES = {
    "a title of many words": ("userId\tmovieId\trating\n1\tThe Good the Bad\t3\n", 1),
    "a header of words": ("user id,movie id,my rating\n1,2,3\n", None),
    "a name in brackets": ("[user],[item],[rating]\n1,2,3\n", None),
    "numbers at once": ("1,2,3\n4,5,6\n", 2),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_are_not_taken_for_something_else(tmp_path, capsys, case):
    content, n_rows = TABLES[case]
    path = tmp_path / "ratings.csv"
    path.write_text(content)
    if n_rows is None:
        assert "has no column" in refusal_of_file(tmp_path, capsys, content)
    else:
        assert len(load_ratings(path)) == n_rows


def open_document() -> bytes:
    """Return a workbook as LibreOffice begins it: its kind comes first and is not packed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "")
    return buffer.getvalue()


OTHER_TABLES = {
    "an Excel workbook": zipped({"[Content_Types].xml": "", "xl/workbook.xml": ""}),
    "an Excel workbook of another program": zipped({"_rels/.rels": "", "[Content_Types].xml": ""}),
    "a LibreOffice workbook": open_document(),
    "an old Excel workbook (.xls)": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
}


@pytest.mark.parametrize("kind", OTHER_TABLES)
def test_workbooks_that_are_called_csv_and_those_of_features_are_named(tmp_path, kind):
    path, packed = tmp_path / "my.xlsx", tmp_path / "packed.zip"
    path.write_bytes(OTHER_TABLES[kind])
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, "movies.csv")
    says = re.escape(f" is {kind.removesuffix(' of another program')}: save the sheet as CSV and pass that")
    with pytest.raises(FileError, match=f"^my.xlsx{says}$"):
        read_blocks(path, np.arange(3), "user")
    with pytest.raises(FileError, match=f"^packed.zip/movies.csv{says}$"):
        load_ratings(movies=packed)


def test_a_zip_of_features_is_named(tmp_path):
    path = tmp_path / "users.zip"
    path.write_bytes(zipped({"users.csv": "user,age\n1,2\n"}))
    with pytest.raises(FileError, match=r"users.zip is a zip archive: expected a text table"):
        read_blocks(path, np.arange(3), "user")

"""Pairs to predict are read like ratings are, without a rating."""

import zipfile

import openpyxl
import pytest

from cf_excel.errors import InputError
from cf_excel.ratings.pairs import read_pairs
from cf_excel.ratings.reading import Reading

HOW = {"form": "list", "wanted": ("user", "movie")}


def pairs_of(path, **how) -> list[tuple]:
    pairs = read_pairs(path, Reading(**HOW, **how))
    return list(zip(pairs.users.tolist(), pairs.movies.tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("userId,movieId\n1,2\n\n 3 ,4\n", {}, [("1", "2"), ("3", "4")]),
        ("Artikel;x;Kunde\n2;;1\n", {}, [("1", "2")]),
        ("a\tb\n1\t2\n", {"user": "b", "movie": "a"}, [("2", "1")]),
        ("15,2571\n7,C-1\n", {}, [("15", "2571"), ("7", "C-1")]),  # no header, and no row is lost
        ("x,P-1,C-1\n", {"user": "3", "movie": "2"}, [("C-1", "P-1")]),
        ("who,what\n1,2\n", {"user": "1", "movie": "2"}, [("1", "2")]),
        ('{"userId": 1, "movieId": "x"}\n{"userId": 2}\n', {}, [("1", "x"), ("2", "")]),
        ("sep=;\nuserId;movieId\n1;2\n", {}, [("1", "2")]),
    ],
)
def test_texts(tmp_path, text, columns, expected):
    (tmp_path / "pairs.csv").write_text(text)
    assert pairs_of(tmp_path / "pairs.csv", columns=columns) == expected


def test_other_columns_keep_what_they_hold(tmp_path):
    text = "userId,code,movieId,n,x,,empty,y\n1,007,2,5,0.5,a,,1E5\n3,8,4,,-2,b,,2\n,,,,,,,\n"
    (tmp_path / "pairs.csv").write_text(text)
    pairs = read_pairs(tmp_path / "pairs.csv", Reading(**HOW))
    assert [(header, values.tolist()) for header, values in pairs.own] == [
        ("code", ["007", "8"]),
        ("n", [5, None]),
        ("x", [0.5, -2.0]),
        ("column 6", ["a", "b"]),
        ("empty", [None, None]),
        ("y", ["1E5", "2"]),
    ]


def test_a_workbook_in_which_the_list_stands_further_in(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Pairs for November"])
    for row in ([], ["", "Customer", "Product", "Note"], ["", 1, "P1", 0.1], ["", "007", 2.0, None]):
        book.active.append(row)
    book.create_sheet("other").append(["nothing", "here"])
    book.save(tmp_path / "pairs.xlsx")
    how = Reading(**HOW)
    pairs = read_pairs(tmp_path / "pairs.xlsx", how)
    assert list(zip(pairs.users, pairs.movies, strict=True)) == [("1", "P1"), ("007", "2")]
    assert pairs.own[0][0] == "Note"
    assert how.notes == ["the pairs are in sheet Sheet"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("userId,movieId\n", "pairs.csv has a header but no pairs"),
        ("userId,movieId\n1,2\n1,2,3\n", "pairs.csv line 3: more than the header's 2 cells (a comma to quote?)"),
        ("userId,rating\n1,2\n", "has no column 'movieId' (found: userId, rating): pass --movie-column rating"),
        ("userId,movieId,userId\n1,2,3\n", "has 2 columns 'userId': rename all but one"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, words):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_pairs(tmp_path / "pairs.csv", Reading(**HOW))
    assert words in str(caught.value)


def test_one_table_alone(tmp_path):
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as archive:
        archive.writestr("a.csv", "userId,movieId\n1,2\n")
    assert pairs_of(tmp_path / "pairs.zip") == [("1", "2")]
    (tmp_path / "a").write_text("x")
    with pytest.raises(InputError, match="expected a single table of pairs"):
        read_pairs(tmp_path, Reading(**HOW))

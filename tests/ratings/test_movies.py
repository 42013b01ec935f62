"""Titles, years and genres, from MovieLens' files and from others."""

import zipfile

import pytest
from support.binary_books import write_binary_book
from support.own_books import write_sheets
from support.ratings_files import CSV, refusal

from cf_excel.errors import InputError
from cf_excel.ratings.readers import load_ratings


@pytest.mark.parametrize(
    ("movies", "expected"),
    [
        ("movieId,title\n31.0,A (1999)\n", ("A (1999)", 1999, "")),
        ("id;name;genre;year\n31;A;Drama;1998\n", ("A", 1998, "Drama")),
        ("title\tmovie_id\tRelease Date\nA (1999)\t31\t2001-05-06\n", ("A (1999)", 2001, "")),
        ("id,title\n31,First\n31,Last\n", ("Last", 0, "")),
        ("id,title\n31,Series (1975-1979)\n", ("Series (1975-1979)", 1975, "")),
        ("id,title\n31,Series (2007– )\n", ("Series (2007– )", 2007, "")),
        ("id,title\n31,2001 (of 1999) films\n", ("2001 (of 1999) films", 0, "")),
        ("id,title,year\n31,A (1999),\n", ("A (1999)", 1999, "")),
        ('id,title\n31,"two\r\nlines\nand\0NUL"\n', ("two lines and NUL", 0, "")),
        ('id,title\n31,"\ttab\x1b[31m"\n', ("\ttab\x1b[31m", 0, "")),
        ("id,title\n31," + "x" * 40_000 + "\n", ("x" * 40_000, 0, "")),
        ("id,title\n99,Other\n", ("", 0, "")),
    ],
)
def test_movies(tmp_path, movies, expected):
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\n1,31,3\n")
    (tmp_path / "titles.csv").write_text(movies, newline="")
    ratings = load_ratings(tmp_path / "ratings.csv", movies=tmp_path / "titles.csv")
    assert (ratings.titles[0], ratings.years[0], ratings.genres[0]) == expected


def test_leading_zeros_tell_movies_apart(tmp_path):
    (tmp_path / "ratings.csv").write_text("user,isbn,rating\n1,0306406152,3\n1,306406152,4\n")
    (tmp_path / "movies.csv").write_text("isbn,title\n306406152,Without\n0306406152,With\n")
    ratings = load_ratings(tmp_path / "ratings.csv", movies=tmp_path / "movies.csv")
    assert ratings.movie_ids.tolist() == ["0306406152", "306406152"]
    assert ratings.titles.tolist() == ["With", "Without"]


@pytest.mark.parametrize(
    ("movies", "message"),
    [
        ("", "movies.csv is empty"),
        ("name,genres\nA,B\n", "movies.csv has no column 'movieId' (found: name, genres): rename one"),
        ("id,title\n1,A\n ,B\n", "movies.csv line 3: the movie's id is blank"),
        ("id,title\n1,A, B\n", "movies.csv line 2: 3 cells, expected 2 (a title to quote?)"),
        ('id,title\n1,"A\n2,B\n', "movies.csv line 2: a quote opens and never closes"),
        ("id,title\n1," + "x" * 200_000, "movies.csv line 2: field larger than field limit (131072)"),
        (b"PAR1\x15\x04", "movies.csv is a Parquet file"),
    ],
)
def test_refused_movies(tmp_path, capsys, movies, message):
    (tmp_path / "ratings.csv").write_text(CSV)
    (tmp_path / "movies.csv").write_bytes(movies.encode() if isinstance(movies, str) else movies)
    paths = ["--ratings", str(tmp_path / "ratings.csv"), "--movies", str(tmp_path / "movies.csv")]
    assert message in refusal(capsys, "--out", str(tmp_path / "out"), *paths)
    assert not (tmp_path / "out").exists()


ORDERS = [["Client", "SKU", "Stars"], ["Ann", "007", 5], ["Bob", "X-1", 4], ["Bob", "007", 3]]
ARTICLES = [["Our articles"], [], ["SKU", "Product", "Category", "Year"], ["007", "Mug", "China", 1999], ["X-1", "Pot"]]


@pytest.mark.parametrize("write", [write_sheets, write_binary_book])
@pytest.mark.parametrize("form", ["its own", "the same", "folder", "zip"])
def test_titles_in_a_workbook(tmp_path, write, form):
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / ("book.xlsb" if write is write_binary_book else "book.xlsx")
    write(path, {"Notes": [["hello"]], "Orders": ORDERS, "Articles": ARTICLES})
    if form == "its own":
        write(path, {"Articles": ARTICLES})
        write(tmp_path / path.name, {"Orders": ORDERS})
        ratings = load_ratings(tmp_path / path.name, movies=path)
    elif form == "folder":
        (folder / "~$book.xlsx").write_bytes(b"")
        ratings = load_ratings(folder, movies=folder)
    elif form == "zip":
        with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
            archive.write(path, f"2026/{path.name}")
            archive.writestr("2026/readme.pdf", b"%PDF")
        ratings = load_ratings(tmp_path / "packed.zip", movies=tmp_path / "packed.zip")
    else:
        ratings = load_ratings(path, movies=path)
    assert ratings.movie_ids.tolist() == ["007", "X-1"]
    assert ratings.titles.tolist() == ["Mug", "Pot"]
    assert (ratings.genres[0], ratings.years[0]) == ("China", 1999)
    assert ratings.rating.tolist() == [5, 4, 3]


NO_TITLES = {
    "no list of titles": ({"Orders": ORDERS}, "category (found: none)"),
    "two lists of titles": ({"A": ARTICLES, "B": ARTICLES}, "category (found: A, B)"),
    "a blank id": ({"A": [*ARTICLES, ["", "Cup"]]}, "book.xlsx sheet A row 6: the movie's id is blank"),
}


@pytest.mark.parametrize("case", NO_TITLES)
def test_refused_workbooks_of_titles(tmp_path, case):
    sheets, message = NO_TITLES[case]
    write_sheets(tmp_path / "book.xlsx", sheets)
    (tmp_path / "ratings.csv").write_text(CSV)
    with pytest.raises(InputError) as error:
        load_ratings(tmp_path / "ratings.csv", movies=tmp_path / "book.xlsx")
    assert message in str(error.value)


def test_titles_of_none_of_the_items_are_told(tmp_path):
    write_sheets(
        tmp_path / "book.xlsx", {"Orders": [["Client", "Product", "Stars"], ["Ann", "Mug", 5], ["Bob", "Pot", 4]]}
    )
    write_sheets(tmp_path / "titles.xlsx", {"Articles": ARTICLES})
    ratings = load_ratings(tmp_path / "book.xlsx", movies=tmp_path / "titles.xlsx")
    assert "titles.xlsx tells of none of the products that are rated: expected their ids there" in ratings.notes


def test_a_folder_with_two_workbooks_says_which(tmp_path):
    for name in ("a.xlsx", "b.xlsx"):
        write_sheets(tmp_path / name, {"Orders": ORDERS})
    with pytest.raises(InputError, match=r"or a single table of ratings \(found: a.xlsx, b.xlsx\)"):
        load_ratings(tmp_path)

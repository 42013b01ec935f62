import zipfile
from datetime import date

import openpyxl
import pytest

from cf_excel.errors import CfExcelError, InputError
from cf_excel.ratings.exports import read_own_ratings

LETTERBOXD = (
    "Date,Name,Year,Letterboxd URI,Rating\n"
    "2024-01-02,The Matrix,1999,https://boxd.it/2a1m,4.5\n"
    '2024-01-03,"Crouching Tiger, Hidden Dragon",2000,https://boxd.it/x,0.5\n'
    "2024-01-04,Up,2009,https://boxd.it/y,\n"
)
IMDB = (
    "Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres\n"
    "tt0211915,10,2024-01-02,Amelie,Le fabuleux destin,https://imdb.com/title/tt0211915,Movie,8.3,122,2001,Comedy\n"
    "tt0133093,1,2024-01-02,The Matrix,The Matrix,https://imdb.com/title/tt0133093,Movie,8.7,136,1999,Action\n"
)
GOODREADS = (
    "Book Id,Title,Author,Author l-f,Additional Authors,ISBN,ISBN13,My Rating,Average Rating,Year Published\n"
    '11,"Dune (Dune, #1)",Frank Herbert,"Herbert, Frank",,"=""0441""","=""9780441""",5,4.2,1990\n'
    '12,1984,George Orwell,"Orwell, George",,"=""""","=""""",3,4.2,2003\n'
    '13,Emma,Jane Austen,"Austen, Jane",,"=""""","=""""",0,4.0,2003\n'
)


@pytest.fixture
def read(tmp_path):
    def read_text(text, rating_range=(0.5, 5.0), encoding="utf-8"):
        path = tmp_path / "my ratings.csv"
        path.write_bytes(text.encode(encoding))
        own = read_own_ratings(path, rating_range)
        return own.layout, [(r.titles, r.year, r.rating, r.movie_id) for r in own.ratings], own.n_unrated

    return read_text


def test_letterboxd(read):
    found = [(("The Matrix",), 1999, 4.5, ""), (("Crouching Tiger, Hidden Dragon",), 2000, 0.5, "")]
    assert read(LETTERBOXD) == ("Letterboxd", found, 1)
    assert [row[2] for row in read(LETTERBOXD, (0.0, 9.0))[1]] == [8.0, 0.0]


def test_imdb_ends_of_the_scale_are_the_models(read):
    found = [(("Amelie", "Le fabuleux destin"), 2001, 5.0, ""), (("The Matrix", "The Matrix"), 1999, 0.5, "")]
    assert read(IMDB) == ("IMDb", found, 0)
    assert read(IMDB.replace(",1,2024", ",7,2024"))[1][1][2] == 3.5


def test_goodreads_series_go_and_no_stars_are_no_rating(read):
    assert read(GOODREADS, (1, 5)) == ("Goodreads", [(("Dune",), 0, 5, ""), (("1984",), 0, 3, "")], 1)


def test_a_table_of_titles_or_ids(read):
    assert read("title;rating;year\nAmélie;4,5;2001\n", encoding="cp1252")[1] == [(("Amélie",), 2001, 4.5, "")]
    assert read("movieId,rating\n300,4\n")[1] == [((), 0, 4, "300")]
    assert read("Title\tRating\n300 (2006)\t4\n")[1] == [(("300 (2006)",), 2006, 4, "")]
    assert read("movie,score\nHeat,4\n")[1] == [(("Heat",), 0, 4, "Heat")]


def test_the_zip_that_letterboxd_gives(tmp_path):
    with zipfile.ZipFile(tmp_path / "letterboxd.zip", "w") as archive:
        archive.writestr("watched.csv", "Date,Name,Year,Letterboxd URI\n")
        archive.writestr("ratings.csv", LETTERBOXD)
    assert len(read_own_ratings(tmp_path / "letterboxd.zip", (0.5, 5)).ratings) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LETTERBOXD.replace(",4.5", ",6"), "line 2: rating '6': expected a number from 0.5 to 5"),
        (IMDB.replace("133093,1,", "133093,0,"), "line 3: rating '0': expected a number from 1 to 10"),
        ("title,rating\nHeat,good\n", "line 2: rating 'good': expected a number"),
        ("title,rating\nHeat,9\n", "line 2: rating '9': expected a number from 0.5 to 5"),
        ("title,rating\n,4\n", "line 2: a rating without a title"),
        ("title,rating\nCrouching Tiger, Hidden Dragon,4\n", "line 2: 3 cells, expected 2"),
        ("title,rating\nHeat,\n", "has no ratings (1 row without one)"),
        (
            "Date,Name,Year,Letterboxd URI\n2024-01-01,Up,2009,x\n",
            "has no columns title (or id) and rating (found: 'Date'",
        ),
        ("", "is empty"),
    ],
)
def test_what_is_no_such_table(read, text, message):
    with pytest.raises(CfExcelError) as caught:
        read(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_zip_without_ratings(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "x\n")
        archive.writestr("b.csv", "x\n")
    with pytest.raises(InputError, match=r"one table, or a folder or zip with one ratings\.csv"):
        read_own_ratings(tmp_path / "a.zip", (0.5, 5))


def sheet_of(book, title, *rows):
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    return sheet


@pytest.fixture
def book():
    book = openpyxl.Workbook()
    book.active.append(["What I saw this year"])
    return book


def test_a_sheet_of_titles_below_a_heading(tmp_path, book):
    rows = [["Title", "Seen", "Rating", "Year"], ["Heat", date(2024, 1, 2), 4.5, 1995], ["Up", None, None, 2009]]
    sheet_of(book, "Films", ["My films"], [], *rows, [1984, None, "3,5", None])
    sheet_of(book, "hidden", ["title", "rating"], ["Alien", 1]).sheet_state = "hidden"
    book.save(tmp_path / "mine.xlsx")
    own = read_own_ratings(tmp_path / "mine.xlsx", (0.5, 5))
    assert (own.layout, own.n_unrated) == ("", 1)
    assert own.ratings == [(("Heat",), 1995, 4.5, ""), (("1984",), 0, 3.5, "")]


def test_a_list_beside_another_block(tmp_path, book):
    sheet_of(book, "Films", ["Seen", None, "Title", "Rating"], [3, None, "Heat", 4], [7, None, "Up", 2])
    book.save(tmp_path / "mine.xlsx")
    own = read_own_ratings(tmp_path / "mine.xlsx", (0.5, 5))
    assert [(rating.titles, rating.rating) for rating in own.ratings] == [(("Heat",), 4), (("Up",), 2)]


def test_an_export_kept_as_a_workbook(tmp_path, book):
    sheet_of(book, "ratings", *(line.split(",") for line in IMDB.splitlines()))
    book.save(tmp_path / "imdb.xlsx")
    own = read_own_ratings(tmp_path / "imdb.xlsx", (0.5, 5))
    assert (own.layout, [rating.rating for rating in own.ratings]) == ("IMDb", [5, 0.5])


def test_what_is_wrong_with_a_workbook_is_said(tmp_path, book):
    path = tmp_path / "mine.xlsx"

    def told():
        book.save(path)
        with pytest.raises(InputError) as caught:
            read_own_ratings(path, (0.5, 5))
        return str(caught.value)

    wanted = "mine.xlsx: expected one sheet with columns title (or id) and rating"
    assert told() == f"{wanted} (found: none)"
    films = sheet_of(book, "Films", ["title", "rating"], ["Heat", 6])
    assert told() == "mine.xlsx sheet Films row 2: rating '6': expected a number from 0.5 to 5"
    films["B2"] = "=2+2"
    assert told().startswith("mine.xlsx sheet Films: 1 formula was never calculated (row 2): open it in Excel")
    sheet_of(book, "Books", ["title", "rating"], ["Emma", 3])
    assert told() == f"{wanted} (found: Films, Books)"

"""What is no rating is left out and counted; what can't be read is named, twenty rows at once, or skipped."""

import numpy as np
import pytest
from support.ratings_files import table_of

from cf_excel.cli.options import read_ratings
from cf_excel.errors import InputError
from cf_excel.ratings import columns as text_tables
from cf_excel.ratings.readers import load_ratings

HEAD = "userId,movieId,rating\n"


def read(tmp_path, text, **options):
    path = tmp_path / "ratings.csv"
    path.write_text(text, newline="")
    return load_ratings(path, **options)


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (HEAD + "1,2,3\n,,\n , ,\n4,5,2\n,,\n", ()),
        (HEAD + "1,2,3\n7,8,\n7,9, \n4,5,2\n", ("2 rows without a rating left out: not rated",)),
        (HEAD + "1,2,3\n4,5,2\nTotal,,5\n", ("1 row of totals left out",)),
        (HEAD + "1,2,3\n1 Summe,,3\n4,5,2\n,Grand Total,5\n", ("2 rows of totals left out",)),
        (HEAD + "1,2,3\n4,5,2\n,,2.5\n", ("1 row of totals left out",)),
        (HEAD + "1,2,3\n4,5,2\n\nSource: the shop\n", ()),
        ("Scores of 2025\n\n" + HEAD + "1,2,3\n4,5,2\n", ()),
        ('"Scores, all of them",,\nas of,31 January,\n' + HEAD + "1,2,3\n4,5,2\n", ()),
        ("sep=,\r\n" + HEAD + "1,2,3\n4,5,2\n", ()),
        ("sep=;\n1;2;3\n4;5;2\n", ()),
        (HEAD + "1,2,3\n1,3,n/a\n1,4,NA\n1,5,-\n4,5,2\n", ("3 rows without a rating left out: not rated",)),
    ],
)
def test_what_is_no_rating_is_left_out(tmp_path, text, notes):
    ratings = read(tmp_path, text)
    assert table_of(ratings) == [(1, 2, 3), (4, 5, 2)]
    assert ratings.notes == notes


def test_blank_lines_with_times_beside_them(tmp_path):
    text = "user,movie,rating,time\n1,2,3,1260759144\n,,,\n4,5,,\n4,6,2,1260759145\n"
    assert table_of(read(tmp_path, text)) == [(1, 2, 3, 1260759144), (4, 6, 2, 1260759145)]


def test_values_that_mean_not_rated(tmp_path):
    text = HEAD + "1,2,3\n1,3,0\n1,4,-1.0\n1,5,99\n1,6,n/a\n1,7,9\n"
    ratings = read(tmp_path, text, not_rated=[0, -1, "99.0", "N/A"], rating_range=(1, 10))
    assert table_of(ratings) == [(1, 2, 3), (1, 7, 9)]
    assert ratings.notes == ("4 rows without a rating left out: not rated",)
    text = text.replace(",", ";").replace("9\n", "4,5\n")
    assert table_of(read(tmp_path, text, not_rated=["0", "-1", "94.5", "n/a", "4,5"])) == [(1, 2, 3)]


BAD = HEAD + "1,2,good\n1,3,4\n,3,5\n1,,5\n2,3,good\n2,4,5,6\n2,5,1_0\n"


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    with pytest.raises(InputError) as error:
        read(tmp_path, BAD)
    assert str(error.value) == (
        "ratings.csv: rows that can't be read: line 2, line 6: rating 'good': expected a number; "
        "line 4: the user's id is blank; line 5: the movie's id is blank; "
        "line 7: more than the header's 3 cells (a comma to quote?); "
        "line 8: rating '1_0': expected a number: mend them, or pass --skip-bad"
    )


def test_the_first_twenty_rows_are_named(tmp_path):
    with pytest.raises(InputError) as error:
        read(tmp_path, HEAD + "".join(f"{i},1,x\n" for i in range(1000)) + "1,2,y\n")
    message = str(error.value)
    assert "the first 20 of 1,001" in message
    assert message.count("line ") == 20
    assert "line 21: rating 'x'" in message


@pytest.mark.parametrize("chunk_rows", [1, 3, 500_000])
def test_bad_rows_are_skipped_and_counted(tmp_path, monkeypatch, chunk_rows):
    monkeypatch.setattr(text_tables, "CHUNK_ROWS", chunk_rows)
    ratings = read(tmp_path, BAD, skip_bad=True)
    assert table_of(ratings) == [(1, 3, 4)]
    assert ratings.user_ids.tolist() == [1]  # nobody is known by bad rows alone
    assert ratings.notes == ("6 rows that can't be read left out (line 2: rating 'good': expected a number)",)
    with pytest.raises(InputError, match=r"no ratings: 1 row can't be read \(line 2: rating 'x'"):
        read(tmp_path, HEAD + "1,2,x\n", skip_bad=True)


def test_titles_categories_and_years_in_the_same_table(tmp_path):
    text = (
        "userId,movieId,title,genres,year,rating\n"
        "1,31,Heat,Action|Crime,1995,4\n2,31,Heat,Action|Crime,1995,3\n1,32,Babe (1996),Family,,5\n"
    )
    ratings = read(tmp_path, text)
    assert ratings.titles.tolist() == ["Heat", "Babe (1996)"]
    assert ratings.genres.tolist() == ["Action|Crime", "Family"]
    assert ratings.years.tolist() == [1995, 1996]
    (tmp_path / "movies.csv").write_text("movieId,title\n31,Other\n")
    ratings = read(tmp_path, text, movies=tmp_path / "movies.csv")
    assert ratings.titles.tolist() == ["Other", "Babe (1996)"]


def test_what_differs_from_row_to_row_is_no_title(tmp_path):
    reviews = "asin,title,year,user_id,rating\n" + "".join(
        f"p{i % 5},review {i},{2000 + i % 7},u{i},{i % 5 + 1}\n" for i in range(40)
    )
    ratings = read(tmp_path, reviews)
    assert set(ratings.titles) == {""}
    assert set(ratings.years) == {0}


def test_the_command_line_tells_of_all_that_was_left_out(tmp_path, capsys, monkeypatch):
    from cf_excel.cli import main

    taken = []
    monkeypatch.setattr("cf_excel.cli.build.run", lambda args: taken.append(read_ratings(args)))
    path = tmp_path / "scores.csv"
    path.write_text("who;Artikel;Sterne;Datum\nann;mug;5;31.01.2026\nbob;mug;-1;01.02.2026\nbob;cup;x;01.02.2026\n")
    options = ["--user-column", "who", "--item-column", "artikel", "--not-rated", "0", "-1", "--skip-bad"]
    assert main(["build", "--ratings", str(path), *options]) == 0
    assert table_of(taken[0]) == [("ann", "mug", 5, 1769817600)]
    assert capsys.readouterr().err == (
        "note: 1 row without a rating left out: not rated\n"
        "note: 1 row that can't be read left out (line 4: rating 'x': expected a number)\n"
    )


def test_arrays_are_of_one_length_whatever_is_left_out(tmp_path):
    rng = np.random.default_rng(3)
    cells = ["", " ", "x", "1", "2", "Total"]
    lines = [",".join(rng.choice(cells, 3)) for _ in range(400)]
    ratings = read(tmp_path, HEAD + "\n".join(lines), skip_bad=True)
    n_ids = (ratings.user_idx.max() + 1, ratings.movie_idx.max() + 1)
    assert n_ids == (ratings.n_users, ratings.n_movies)
    assert len(ratings.rating) == len(ratings.user_idx) == len(ratings.movie_idx)

"""Tables of every usual form are read as they were written; all else is one clear line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from support.ratings_files import CSV, HEAD, ROWS, refusal_of_file, table_of

from cf_excel.errors import InputError
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings

LINES = CSV.splitlines()
DATES = "2009-12-14 02:52:24", "2009-12-14T02:52:59Z", "2009-12-14 03:53:02+01:00"

FORMS = {
    "csv": CSV,
    "tab": CSV.replace(",", "\t"),
    "semicolon, decimal comma": CSV.replace(",", ";").replace(".", ","),
    "bar": CSV.replace(",", "|"),
    "double colon": CSV.replace(",", "::"),
    "no header, tab": "\n".join(LINES[1:]).replace(",", "\t"),
    "no header, double colon": "\n".join(LINES[1:]).replace(",", "::"),
    "windows line ends": CSV.replace("\n", "\r\n"),
    "old mac line ends": CSV.replace("\n", "\r"),
    "no last line end": CSV.rstrip("\n"),
    "blank lines": "\n  \n" + CSV.replace("\n", "\n\n"),
    "everything quoted": "".join(f'"{line}"\n'.replace(",", '","') for line in LINES),
    "spaces": CSV.replace(",", " , "),
    "floats as ids": CSV.replace("31,", "31.0,").replace("15,", "15.00,"),
    "other order": "\n".join(",".join(reversed(line.split(","))) for line in LINES),
    "other columns": "\n".join([f"n,{LINES[0]},note", *(f"{i},{line},x" for i, line in enumerate(LINES[1:]))]),
    "line breaks in cells": CSV.replace("timestamp", 'timestamp,"two\nlines"').replace("44\n", '44,"a\nb"\n'),
    "other names": CSV.replace(LINES[0], "User ID,item-id,STARS,Date"),
    "dates": "\n".join([LINES[0], *(f"{line[:-10]}{date}" for line, date in zip(LINES[1:], DATES, strict=True))]),
    "seconds and dates": CSV.replace("1260759144", DATES[0]),
    "float timestamps": CSV.replace("1260759144", "1260759144.0"),
    "trailing separators": CSV.replace("\n", ",,\n"),
}


def reads_rows(path: Path, **options) -> Ratings:
    ratings = load_ratings(path, **options)
    assert table_of(ratings) == ROWS
    assert ratings.user_ids.tolist() == [15, 7]
    assert ratings.movie_ids.tolist() == [31, 1029]
    dtypes = (ratings.user_idx.dtype, ratings.movie_idx.dtype, ratings.rating.dtype, ratings.timestamp.dtype)
    assert dtypes == (np.int32, np.int32, np.float32, np.int64)
    return ratings


@pytest.mark.parametrize("form", FORMS)
def test_forms(tmp_path, form):
    path = tmp_path / "ratings.csv"
    path.write_text(FORMS[form], newline="")
    reads_rows(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "ratings.csv"
    path.write_text("userId,movieId,rating\nJörg,קולנוע,4\n", encoding=encoding)
    assert table_of(load_ratings(path)) == [("Jörg", "קולנוע", 4)]


def test_a_file_from_windows_is_read_in_its_encoding_however_late_that_shows(tmp_path):
    path = tmp_path / "ratings.csv"
    rows = "".join(f"u{i},1,4\n" for i in range(20_000))
    path.write_bytes(f"user,movie,rating\n{rows}Jörg €,1,4\n".encode("cp1252"))
    assert table_of(load_ratings(path))[-1] == ("Jörg €", 1, 4)


def test_gzip_whatever_it_is_called(tmp_path):
    for name in ("ratings.csv.gz", "ratings"):
        (tmp_path / name).write_bytes(gzip.compress(CSV.encode()))
        reads_rows(tmp_path / name)


def test_columns_that_options_name(tmp_path):
    path = tmp_path / "watched.csv"
    rows = (f"{user},{movie},no,{rating},{at}\n" for user, movie, rating, at in ROWS)
    path.write_text("who,what,rating,Grade,when\n" + "".join(rows))
    columns = {"user": "who", "movie": "what", "rating": "grade", "timestamp": "when"}
    reads_rows(path, columns=columns)
    assert load_ratings(path, columns=columns | {"timestamp": "none"}).timestamp is None


def test_no_timestamps_are_none(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("userId,movieId,rating\n1,2,3\n")
    ratings = load_ratings(path)
    assert ratings.timestamp is None
    assert (ratings.titles.tolist(), ratings.years.tolist(), ratings.genres.tolist()) == ([""], [0], [""])


def test_a_header_of_any_length(tmp_path):
    path = tmp_path / "wide.csv"
    names = [f"a rather long name of a column {i}" for i in range(5_000)]  # 170 KB
    path.write_text(",".join([*names, "userId,movieId,rating"]) + "\n" + "x," * 5_000 + "15,31,2.5\n")
    assert table_of(load_ratings(path)) == [(15, 31, 2.5)]


def test_no_times_of_a_file_without_a_header(tmp_path):
    path = tmp_path / "ratings.tsv"
    path.write_text("15\t31\t2.5\t02/06/2010\n15\t1029\t3\t03/06/2010\n")
    ratings = load_ratings(path, columns={"timestamp": "none"})
    assert table_of(ratings) == [(15, 31, 2.5), (15, 1029, 3.0)]
    assert ratings.timestamp is None


@pytest.mark.parametrize(
    "text",
    [
        "userId,movieId," + "x" * 500_000 + "\n1,2,3\n",
        "userId,userId,movieId,rating\n".replace("userId", "x" * 200_000) + "1,2,3,4\n",
        HEAD + '1,2,"' + "no number\n" * 50_000 + '",4\n',
        HEAD + '1,2,3,"' + "no time\n" * 50_000 + '"\n',
    ],
)
def test_what_is_long_is_cut_in_messages(tmp_path, text):
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    columns = {"user": "x" * 200_000} if text[0] == "x" else None
    with pytest.raises(InputError) as error:
        load_ratings(path, columns=columns)
    assert str(error.value).startswith("ratings.csv")
    assert len(str(error.value)) < 400


REFUSED = {
    "empty": ("", "is empty: expected a header"),
    "blank": ("\n \n", "is empty: expected a header"),
    "only a header": (HEAD, "has a header but no ratings"),
    "no rating column": (
        "userId,movieId,mark\n1,2,3\n",
        "ratings.csv has no column 'rating' (found: userId, movieId, mark): pass --rating-column mark",
    ),
    "a column of two words": (
        "userId,movieId,my mark\n1,2,3\n",
        '(found: userId, movieId, my mark): pass --rating-column "my mark"',
    ),
    "a column that is no text": (
        "userId,movieId,\x1b[31m\n1,2,3\n",
        r"(found: userId, movieId, \x1b[31m): pass --rating-column NAME",
    ),
    "no columns at all": (
        "a,b,c\n1,2,3\n",
        "has no columns 'userId', 'movieId', 'rating' (found: a, b, c): pass --user-column NAME, --movie-column NAME "
        "and --rating-column NAME",
    ),
    "one column": (
        "userId\n1\n",
        "has no columns 'movieId', 'rating' (found: userId): pass --movie-column NAME and --rating-column NAME",
    ),
    "two rating columns": ("userId,movieId,rating,Rating\n1,2,3,4\n", "has 2 columns 'rating': rename all but one"),
    "a text as rating": (HEAD + "1,2,3,4\n1,3,good,4\n", "ratings.csv line 3: rating 'good': expected a number"),
    "a rating with an underscore": (HEAD + "1,2,1_0,4\n", "line 2: rating '1_0': expected a number"),
    "a decimal comma in a CSV": (HEAD + '1,2,"3,5",4\n', "line 2: rating '3,5': expected a number"),
    "an unquoted decimal comma": (HEAD + "1,2,3,4\n1,2,3,5,4\n", "line 3: more than the header's 4 cells"),
    "blank ratings alone": (HEAD + "1,2, ,4\n1,2\n", "has a header but no ratings: 2 rows without one"),
    "NaN": (HEAD + "1,2,NaN,4\n", "line 2: rating 'NaN': expected a number"),
    "inf": (HEAD + "1,2,-inf,4\n", "line 2: rating '-inf': expected a number"),
    "a huge rating": (HEAD + "1,2,1e300,4\n", "line 2: rating '1e300': expected -1,000,000 to 1,000,000"),
    "a blank user": (HEAD + '"a\nb",2,3,4\n ,2,3,4\n', "line 4: the user's id is blank"),
    "a blank movie": (HEAD + "1,,3,4\n", "line 2: the movie's id is blank"),
    "a blank timestamp": (HEAD + "1,2,3,\n", "line 2: timestamp '': expected whole seconds or 2016-10-17 12:00"),
    "a text as timestamp": (HEAD + "1,2,3,4\n1,3,3,Monday\n", "line 3: timestamp 'Monday': expected whole seconds"),
    "a timestamp out of bounds": (HEAD + "1,2,3,1e300\n", "line 2: timestamp '1e+300': expected whole seconds"),
    "a quote that never closes": (HEAD + '1,2,3,4\n1,"3,3,4\n5,6,3,4\n', "line 3: a quote opens and never closes"),
    "a control character in a value": (HEAD + "1,2,\x1b[31mred,4\n", r"line 2: rating '\x1b[31mred': expected"),
    "NULs in the header": ("user\0Id,movieId,rating\n1,2,3\n", "is a binary file: expected a text table"),
    "a NUL further on": (HEAD + "1,2,3,4\n1\0,2,3,4\n", "has a NUL byte: expected a text table"),
    "one endless line": (HEAD + "x" * 2_000_000, "has a line of more than 1,048,576 bytes: expected a table"),
    "half of a UTF-16 file": (b"\xff\xfe" + HEAD.encode("utf-16-le") + b"1\0,", "as UTF-16: save it as UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_with_nothing_written(tmp_path, capsys, case):
    content, message = REFUSED[case]
    assert message in refusal_of_file(tmp_path, capsys, content)

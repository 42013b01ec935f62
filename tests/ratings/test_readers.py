"""Ratings in folders, zips and pieces; duplicates; random tables written and read back; options that don't fit."""

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ratings_files import CSV, ROWS, refusal, table_of, write_zip

from cf_excel.cli import main
from cf_excel.cli.options import read_ratings
from cf_excel.ratings import columns as text_tables
from cf_excel.ratings.lesson_ratings import LESSON_DATA
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import canonical_id

MOVIES = """movieId,title,genres
31,"Dangerous ""Minds"", The (1995)",Drama
1029,Dumbo (1941),(no genres listed)
5,Not rated,
"""
WITHOUT_HEADER = CSV.split("\n", 1)[1]
MINDS, DUMBO, OTHER = 'Dangerous "Minds", The (1995)', "Dumbo (1941)", "Café|x (1990)"
ITEM = "{}|{}|01-Jan-1995|||0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|1\n"

LAYOUTS = {
    "ml-latest": {
        "ml-latest/ratings.csv": CSV,
        "ml-latest/movies.csv": MOVIES,
        "ml-latest/tags.csv": "userId,movieId\n",
    },
    "ml-1m": {
        "ml-1m/ratings.dat": WITHOUT_HEADER.replace(",", "::"),
        "ml-1m/movies.dat": f"31::{MINDS}::Drama\n1029::{DUMBO}::\n9::{OTHER}::Drama\n".encode("latin-1"),
        "ml-1m/users.dat": "1::F::1::10::48067\n",
    },
    "ml-100k": {
        "ml-100k/u.data": WITHOUT_HEADER.replace(",", "\t"),
        "ml-100k/u.item": "".join(ITEM.format(*m) for m in [(31, MINDS), (1029, DUMBO), (9, "é")]).encode("latin-1"),
        "ml-100k/u1.base": "1\t1\t5\t874965758\n",
    },
    "no folder": {"ratings.csv": CSV, "movies.csv": MOVIES, "__MACOSX/._ratings.csv": b"\0\5\x16\7"},
    "one table of another name": {"export/my films.tsv": CSV.replace(",", "\t"), "export/readme.md": "hello"},
}


@pytest.mark.parametrize("form", ["zip", "folder", "folder above"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout, form):
    path = tmp_path / "data"
    if form == "zip":
        write_zip(path, LAYOUTS[layout])
    else:
        for name, content in LAYOUTS[layout].items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        path = path if form == "folder above" else file.parent if "MACOSX" not in str(file) else path
    ratings = load_ratings(path)
    assert table_of(ratings) == ROWS
    if layout != "one table of another name":
        assert ratings.titles.tolist() == [MINDS, DUMBO]
        assert ratings.years.tolist() == [1995, 1941]
        assert ratings.years.dtype == np.int16
        genres = ["Action|Adventure|Western"] * 2 if layout == "ml-100k" else ["Drama", ""]
        assert ratings.genres.tolist() == genres
    assert ratings.source == path.name


def test_the_default_is_the_zip_that_comes_with_cf_excel(lesson_ratings):
    same = load_ratings(LESSON_DATA)
    assert len(same) == 100_004
    for name in ("user_ids", "movie_ids", "user_idx", "movie_idx", "rating", "timestamp", "titles", "years", "genres"):
        mine, general = getattr(lesson_ratings, name), getattr(same, name)
        assert mine.dtype == general.dtype, name
        np.testing.assert_array_equal(mine, general, err_msg=name)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_who_waits_hears_how_much_is_read(tmp_path, ending):
    path, heard = tmp_path / f"ratings.csv{ending}", []
    rows = "".join(f"{u},{m},{(u * m) % 5 + 1}\n" for u in range(1000) for m in range(40))
    table = f"user,movie,rating\n{rows}".encode()
    path.write_bytes(gzip.compress(table) if ending else table)
    load_ratings(path, tell=lambda *share: heard.append(share))
    assert {size for _, size in heard} == {path.stat().st_size}
    assert heard[-1][0] == path.stat().st_size
    assert len({done for done, _ in heard}) > 1


def test_the_default_takes_other_titles(tmp_path):
    (tmp_path / "titles.csv").write_text("movieId,title\n31,Minds\n")
    ratings = load_ratings(movies=tmp_path / "titles.csv")
    assert ratings.titles[ratings.movie2idx[31]] == "Minds"


@pytest.mark.parametrize("chunk_rows", [1, 2, 500_000])
def test_pieces_make_one_table(tmp_path, monkeypatch, chunk_rows):
    monkeypatch.setattr(text_tables, "CHUNK_ROWS", chunk_rows)
    path = tmp_path / "ratings.csv"
    path.write_text(CSV + "007,31.0,1,5\n15.0,tt1,2,6\n")
    ratings = load_ratings(path)
    assert ratings.user_ids.tolist() == ["15", "7", "007"]
    assert ratings.movie_ids.tolist() == ["31", "1029", "tt1"]
    assert ratings.user_idx.tolist() == [0, 0, 1, 2, 0]
    assert ratings.movie_idx.tolist() == [0, 1, 0, 0, 2]


def test_the_latest_of_a_pair_counts_and_of_those_at_one_time_the_last(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("user,movie,rating,time\na,x,1,9\na,x,2,7\nb,x,3,5\na,y,4,1\na,x,5,9\nb,x,2,4\n")
    assert table_of(load_ratings(path)) == [("b", "x", 3, 5), ("a", "y", 4, 1), ("a", "x", 5, 9)]


def test_the_last_row_of_a_pair_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(text_tables, "CHUNK_ROWS", 2)
    path = tmp_path / "ratings.csv"
    path.write_text("user,movie,rating,time\nb,y,1,1\na,x,2,2\nb,y,3,3\na,y,4,4\nb,y,5,5\n")
    ratings = load_ratings(path)
    assert table_of(ratings) == [("a", "x", 2, 2), ("a", "y", 4, 4), ("b", "y", 5, 5)]
    assert ratings.n_duplicates == 2
    # what is left decides the order of the ids, so that the table written out and read back is the same
    assert (ratings.user_ids.tolist(), ratings.movie_ids.tolist()) == (["a", "b"], ["x", "y"])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 5)), min_size=1))
def test_duplicates_are_left_out_as_a_dict_does(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    path.write_text("user,movie,rating\n" + "".join(f"{u},{m},{r}\n" for u, m, r in rows))
    last = {}
    for user, movie, rating in rows:
        last.pop((user, movie), None)
        last[user, movie] = rating
    ratings = load_ratings(path)
    assert table_of(ratings) == [(user, movie, rating) for (user, movie), rating in last.items()]
    assert ratings.n_duplicates == len(rows) - len(last)
    assert ratings.user_ids.tolist() == list(dict.fromkeys(user for user, _ in last))
    assert ratings.movie_ids.tolist() == list(dict.fromkeys(movie for _, movie in last))


def test_names_that_differ_in_case_or_blanks_alone_are_told(tmp_path):
    path = tmp_path / "ratings.csv"
    names = ["Ann Abbott", " Ann Abbott ", "ANN ABBOTT", "Bob", "Ann\xa0Abbott", "Zoé", "ZOÉ"]
    rows = [f"{name},{product},{1 + i % 5}\n" for i, name in enumerate(names) for product in ("Mug", "Cup")]
    path.write_text("Customer,Product,Rating\n" + "".join(rows), encoding="utf-8")
    ratings = load_ratings(path)
    assert ratings.n_users == 6
    assert ratings.notes == (
        "3 of the customers differ from another in case or blanks alone, such as 'Ann Abbott' and 'ANN ABBOTT': "
        "they count as different customers",
    )


def one_line(text: str) -> str:
    for line_break in ("\r\n", "\n", "\r", "\x85", "\u2028", "\u2029"):
        text = text.replace(line_break, " ")
    return text


ID_TEXTS = st.one_of(
    st.integers(-5, 10**6).map(str),
    st.sampled_from(
        [
            "007",
            "1e5",
            "3.14",
            "2016-10-17",
            "1/2",
            "nan",
            "NA",
            "inf",
            "15",
            "15.0",
            "15.00",
            "0306406152",
            "tt0114709",
            "True",
            "#N/A",
            "=1+1",
            "@a",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8).filter(
        str.strip
    ),
)
TITLES = st.one_of(
    st.sampled_from(
        ['He said "no"', "a, b; c\td|e", "two\nlines", "שלום", "عمر", "🎬 film", "=1+1", "+x", "-x", "@x", "'"]
    ),
    # a table with more than a few control characters is taken for a binary file
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20).filter(
        lambda text: not any("\x01" <= c <= "\x1f" and c not in "\t\n\r" for c in text)
    ),
)
HALF_STARS = st.integers(1, 10).map(lambda n: n / 2)


@given(
    st.dictionaries(
        st.tuples(ID_TEXTS, ID_TEXTS), st.tuples(HALF_STARS, st.integers(0, 2**40)), min_size=1, max_size=30
    ),
    st.data(),
)
def test_round_trip(tmp_path_factory, table, data):
    folder = tmp_path_factory.mktemp("round trip")
    separator = data.draw(st.sampled_from([",", "\t", ";"]))
    expected = {}
    for (user, movie), cells in table.items():
        key = canonical_id(user), canonical_id(movie)
        if cells[1] >= expected.get(key, cells)[1]:  # the latest counts
            expected.pop(key, None)
            expected[key] = cells
    titles = {movie: data.draw(TITLES) for _, movie in expected}

    def text(rows: list) -> str:
        buffer = io.StringIO(newline="")
        csv.writer(
            buffer, delimiter=separator, quoting=data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        ).writerows(rows)
        return buffer.getvalue()

    ratings_text = text(
        [("userId", "movieId", "rating", "timestamp"), *((u, m, *cells) for (u, m), cells in table.items())]
    )
    movies_text = text([("movieId", "title"), *titles.items()])
    form = data.draw(st.sampled_from(["plain", "gzip", "zip"]))
    if form == "zip":
        path = write_zip(folder / "data.zip", {"ratings.csv": ratings_text, "movies.csv": movies_text})
        ratings = load_ratings(path)
    else:
        pack = gzip.compress if form == "gzip" else bytes
        (folder / "ratings").write_bytes(pack(ratings_text.encode()))
        (folder / "movies").write_bytes(pack(movies_text.encode()))
        ratings = load_ratings(folder / "ratings", movies=folder / "movies")
    movie_ids = [canonical_id(movie) for movie in ratings.movie_ids.tolist()]
    users = [canonical_id(user) for user in ratings.user_ids.tolist()]
    read = [
        (users[u], movie_ids[m], r, t)
        for u, m, r, t in zip(ratings.user_idx, ratings.movie_idx, ratings.rating, ratings.timestamp, strict=True)
    ]
    assert read == [(*key, *cells) for key, cells in expected.items()]
    assert ratings.titles.tolist() == [one_line(titles[movie]) for movie in movie_ids]
    assert ratings.n_duplicates == len(table) - len(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ratings", "nowhere.csv"], "nowhere.csv: no such file or folder"),
        (["--ratings", "/dev/null"], "/dev/null is a device, which is never read: save what it holds"),
        (["--ratings", "."], "or a single table of ratings (found: no table)"),
        (["--rating-column", "stars"], "has no column 'stars' (found: userId, movieId, rating, timestamp)"),
        (["--rating-range", "1", "5"], "rating '0.5': expected 1 to 5"),
        (["--rating-range", "5", "1"], "rating range 5 to 1: expected the lower end first"),
        (["--rating-range", "nan", "5"], "rating range nan to 5: expected"),
        (["--rating-range", "0", "inf"], "rating range 0 to inf: expected"),
        (
            ["--user-column", "userId", "--movie-column", "userid"],
            "one column can't be two things (user 'userId', movie",
        ),
        (["--movies", "nowhere.csv"], "nowhere.csv: no such file or folder"),
        (["--download", "ml-99m"], "--download ml-99m: expected one of ml-latest-small,"),
    ],
)
def test_refused_options(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refusal(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_ratings_and_download_together_are_refused(capsys):
    with pytest.raises(SystemExit) as exit_code:
        main(["build", "--ratings", "a.csv", "--download", "ml-1m"])
    assert exit_code.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_line_says_how_many_duplicates_it_left_out(tmp_path, capsys, monkeypatch):
    read = []
    monkeypatch.setattr("cf_excel.cli.build.run", lambda args: read.append(read_ratings(args)))
    path = tmp_path / "ratings.csv"
    path.write_text(CSV + "15,31,5,2000000000\n15,31,1,9\n")
    assert main(["build", "--ratings", str(path), "--rating-range", "0", "5"]) == 0
    assert capsys.readouterr().err == (
        "note: 2 ratings left out: the same user rates the same movie again, later, which counts\n"
    )
    assert table_of(read[0])[-1] == (15, 31, 5, 2000000000)
    assert read[0].rating_range == (0, 5)

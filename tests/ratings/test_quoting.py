"""What a quote means is found from the file, and every row that is written comes back, or one clear line."""

import csv
import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.ratings_files import refusal_of_file, table_of

from cf_excel.errors import InputError
from cf_excel.ratings import columns as text_tables
from cf_excel.ratings import readers
from cf_excel.ratings.movies import read_movies
from cf_excel.ratings.quoting import Watch
from cf_excel.ratings.rating_rows import ReadRows
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.sources import Source

READ = {
    "quotes that are characters in a tab file": (
        'user\titem\trating\na\t"Heroes\t5\nb\tLow\t4\nc\t12" Mix\t3\nd\tLow\t2\n',
        [("a", '"Heroes', 5), ("b", "Low", 4), ("c", '12" Mix', 3), ("d", "Low", 2)],
    ),
    "the same without a header": (
        'a\t"Heroes\t5\nb\tLow\t4\nc\tx"\t3\n',
        [("a", '"Heroes', 5), ("b", "Low", 4), ("c", 'x"', 3)],
    ),
    "two that look like one cell over two lines": (
        'user\titem\trating\na\t"Heroes\t5\nb\tLow"\t4\n',
        [("a", '"Heroes', 5), ("b", 'Low"', 4)],
    ),
    "a tab between quotes that are characters": (
        'user\titem\trating\n"\t"\t5\nb\tc\t4\n',
        [('"', '"', 5), ("b", "c", 4)],
    ),
    "cells of a tab file in quotes": (
        'user\titem\trating\na\t"He said ""no"""\t5\nb\t"two\nlines"\t4\n',
        [("a", 'He said "no"', 5), ("b", "two\nlines", 4)],
    ),
    "a tab file whose header has quotes": (
        '"user"\t"item"\t"rating"\n"a"\t"say "yes" to it"\t"5"\n"b"\t"x"\t"4"\n',
        [("a", '"say "yes" to it"', 5), ("b", "x", 4)],
    ),
    "Spark's quotes": (
        'user,item,rating,review\na,x,5,"size 5\\""\nb,y,4,"size 6\\""\nc,z,3,fine\n',
        [("a", "x", 5), ("b", "y", 4), ("c", "z", 3)],
    ),
    "Spark's quotes in ids, a backslash, a comma and a line break": (
        'user,item,rating\na,"5\\", or \\\\6\\"",5\n"b\\"\nb",C:\\x,4\n',
        [("a", '5", or \\6"', 5), ('b"\nb', "C:\\x", 4)],
    ),
    "escaped quotes outside of quotes": (
        'user,item,rating\na,12\\" Mix,5\nb,c,4\n',
        [("a", '12" Mix', 5), ("b", "c", 4)],
    ),
    "a cell that ends in a backslash": ('user,item,rating\na,"C:\\",5\nb,"x",4\n', [("a", "C:\\", 5), ("b", "x", 4)]),
    "quotes within a cell of a CSV": (
        'user,item,rating\na,12" Mix,5\nb,"Low, The",4\n',
        [("a", '12" Mix', 5), ("b", "Low, The", 4)],
    ),
    "text behind a closing quote": (
        'user,item,rating\na,"Heroes" live,5\nb,"Low, ""The""" x,4\nc,"d",3\n',
        [("a", '"Heroes" live', 5), ("b", '"Low, ""The""" x', 4), ("c", "d", 3)],
    ),
    "a review over lines with commas": (
        'user,item,rating,review\na,x,5,"one, two\nthree, four, five, six"\nb,y,4,\n',
        [("a", "x", 5), ("b", "y", 4)],
    ),
    "a quote in MovieLens' own form": ('1::"2::5\n3::4::4\n', [("1", '"2', 5), ("3", "4", 4)]),
    "old mac line ends": ('user\titem\trating\ra\t"b\t5\rc\td"\t4\r', [("a", '"b', 5), ("c", 'd"', 4)]),
    "blank lines and quotes": ('user,item,rating\n\n"a",b,5\n  \n\nc,"d",4\n\n', [("a", "b", 5), ("c", "d", 4)]),
}


@pytest.mark.parametrize("case", READ)
def test_rows_are_read_as_they_were_written(tmp_path, case):
    text, rows = READ[case]
    path = tmp_path / "ratings.csv"
    path.write_text(text, newline="")
    assert [tuple(map(str, row)) for row in table_of(load_ratings(path))] == [
        (user, movie, str(float(rating))) for user, movie, rating in rows
    ]


@pytest.mark.parametrize("size", [9_000, 500_000])
def test_a_quote_that_shows_late_counts_for_the_whole_file(tmp_path, monkeypatch, size):
    monkeypatch.setattr(text_tables, "CHUNK_ROWS", size)
    path = tmp_path / "ratings.tsv"
    path.write_text("user\titem\trating\n" + "".join(f'u{i}\t"m"\t3\n' for i in range(40_000)) + 'u\t"m\t5\nv\tm\t4\n')
    ratings = load_ratings(path)
    assert len(ratings) == 40_002
    assert ratings.movie_ids.tolist() == ['"m"', '"m', "m"]


HEAD = "user,item,rating\n"
REFUSED = {
    "rows in quotes": (
        HEAD + 'z,z,1\na,"Heroes,5\nb,Low",4\n',
        "ratings.csv line 3: a quote opens here and closes in line 4, over lines that look like rows: remove it, or",
    ),
    "a quote that never closes": (
        HEAD + 'a,b,5\na,"b,5\nc,d,4\n',
        "ratings.csv line 3: a quote opens and never closes",
    ),
    "one that is open for a mebibyte": (
        HEAD + 'a,"b,5\n' + "c,d,4\n" * 300_000 + 'c,d",4\n',
        "ratings.csv line 2: a quote opens and never closes",
    ),
    "text behind the quote of another line": (
        HEAD + 'a,"b\nc" d,5\n',
        "ratings.csv line 2: a quote opens here, and text follows the one that closes it in line 3",
    ),
    "a tab file whose header has quotes": (
        '"user"\t"item"\t"rating"\n"a"\t"b\t"5"\n"c"\t"d"\t"4"\n',
        "ratings.csv line 2: text follows a closing quote (a quote that is",
    ),
    "another fault in a file of literal quotes": (
        'user\titem\trating\na\t"b\t5\nc\td\tgood\n',
        "ratings.csv line 3: rating 'good': expected a number",
    ),
    "another fault in a file of Spark's": (
        HEAD + 'a,"b\\"",5\nc,"d\\"\ne",good\n',
        "ratings.csv line 4: rating 'good': expected a number",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_ambiguous_is_refused_with_its_line(tmp_path, capsys, case):
    content, message = REFUSED[case]
    assert message in refusal_of_file(tmp_path, capsys, content)


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ('id\ttitle\n1\t"Heroes\n2\tLow"\n3\tx\n', {1: '"Heroes', 2: 'Low"', 3: "x"}),
        ('id,title\n1,"5\\" of it"\n2,"a, b"\n', {1: '5" of it', 2: "a, b"}),
        ('id,title\n1,"Heroes" live\n2,"a, b"\n', {1: '"Heroes" live', 2: "a, b"}),
        ('id,title\n1,"a, b\nc, d"\n2,x\n', {1: "a, b c, d", 2: "x"}),
    ],
)
def test_titles_too(tmp_path, text, titles):
    path = tmp_path / "movies.csv"
    path.write_text(text)
    assert {movie_id: movie.title for movie_id, movie in read_movies(Source(path)).items()} == titles


CELL = st.text(st.sampled_from('ab"\\,;|\t\n 5'), min_size=1, max_size=6).filter(str.strip)
ROWS = st.lists(st.tuples(CELL, CELL, st.integers(1, 5), CELL), min_size=1, max_size=6)
NAMES = ("user", "item", "rating", "note")
WRITERS = {
    "doubled": {"doublequote": True},
    "all": {"doublequote": True, "quoting": csv.QUOTE_ALL},
    "texts": {"doublequote": True, "quoting": csv.QUOTE_NONNUMERIC},
    "escaped": {"doublequote": False, "escapechar": "\\", "quoting": csv.QUOTE_NONNUMERIC},
}


def read_rows(folder_factory, text: str) -> list[tuple[str, str, int]] | None:
    """Return the rows that are read of a text, or None where it is refused in one line that names the file."""
    path = folder_factory.mktemp("quotes") / "ratings.csv"
    path.write_text(text, newline="")
    read, message = [], ""
    assemble = readers.assemble

    def keep_all(rows: ReadRows, *others: object) -> object:
        users, movies = list(rows.users.row_of_id), list(rows.movies.row_of_id)
        columns = {name: [x for piece in pieces for x in piece.tolist()] for name, pieces in rows.columns.items()}
        pairs = zip(columns["user_idx"], columns["movie_idx"], columns["rating"], strict=True)
        read.extend((str(users[u]), str(movies[m]), int(rating)) for u, m, rating in pairs)
        return assemble(rows, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "assemble", keep_all)
        try:
            load_ratings(path)
        except InputError as error:
            message = str(error)
    if message:
        assert message.startswith("ratings.csv ")
        assert message.isprintable()
        return None
    return read


@given(ROWS, st.sampled_from(",\t;|"), st.sampled_from(sorted(WRITERS)))
@settings(max_examples=200)
@example([("a\n1,2,3,4", "b", 5, "x")], ",", "doubled")
def test_what_csv_writes_comes_back_or_is_refused(tmp_path_factory, rows, separator, writer):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=separator, **WRITERS[writer]).writerows([NAMES, *rows])
    read = read_rows(tmp_path_factory, buffer.getvalue())
    # where no quote shows that backslashes escape, two of them are two
    as_known = (lambda text: re.sub(r"\\+", "/", text)) if writer == "escaped" else str
    expected = [(user.strip(), movie.strip(), rating) for user, movie, rating, _ in rows]
    assert read is None or [tuple(map(as_known, row[:2])) + row[2:] for row in read] == [
        tuple(map(as_known, row[:2])) + row[2:] for row in expected
    ]


LITERAL = st.text(st.sampled_from('ab"\\ 5'), min_size=1, max_size=6).filter(lambda text: text.strip(' "'))


@given(st.lists(st.tuples(LITERAL, LITERAL, st.integers(1, 5), LITERAL), min_size=1, max_size=6), st.booleans())
@settings(max_examples=200)
def test_tab_files_without_any_marks_come_back_or_are_refused(tmp_path_factory, rows, with_header):
    header = "\t".join(NAMES) + "\n" if with_header else ""
    rows = [(*row[:3], 1) for row in rows] if not with_header else rows
    read = read_rows(tmp_path_factory, header + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    # cells that all have quotes around them may be marked so
    bare = lambda text: re.sub(r'[\\" ]', "", text)  # noqa: E731
    assert read is not None
    assert [(bare(user), bare(movie), rating) for user, movie, rating in read] == [
        (bare(user), bare(movie), rating) for user, movie, rating, _ in rows
    ]


@given(st.text(st.sampled_from('a",\n'), max_size=30), st.integers(1, 5))
def test_the_watch_sees_what_a_careful_reader_sees_however_the_text_is_cut(text, size):
    watch, text = Watch(","), text + "\n"
    fits = all(watch.fits(text[i : i + size]) for i in range(0, len(text), size))
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        assert not (fits and watch.has_seen(text.count("\n")))
    else:
        if fits and watch.has_seen(len(records)):
            assert [",".join(record) for record in records] == [
                line.replace('""', "\1").replace('"', "").replace("\1", '"') for line in text.splitlines()
            ] or '""' in text

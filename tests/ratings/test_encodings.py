"""Texts that are not UTF-8 are read in the encoding that they look like, with a note, or in the one that is named."""

import contextlib
import io

import pytest
from support.ratings_files import table_of

from cf_excel.errors import InputError
from cf_excel.ratings.encodings import guess_encoding
from cf_excel.ratings.readers import load_ratings

TEXTS = {
    "cp1252": ("Jörg", "Café Müller"),
    "cp1251": ("Иван", "Сталкер"),
    "cp1250": ("Żaneta", "Źdźbło gęś"),
    "cp932": ("太郎", "七人の侍"),
    "gb18030": ("李明和王芳", "英雄与少林寺的故事"),
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_guessed(tmp_path, encoding):
    user, movie = TEXTS[encoding]
    path = tmp_path / "ratings.csv"
    path.write_text(f"user,movie,rating\n{user},{movie},4\n", encoding=encoding)
    ratings = load_ratings(path)
    assert table_of(ratings) == [(user, movie, 4)]
    assert ratings.notes == (f"ratings.csv is not UTF-8: read as {encoding} (--encoding names another)",)


@pytest.mark.parametrize("encoding", ["cp1255", "mac_roman", "shift_jis", "utf-16-le", "UTF8"])
def test_named(tmp_path, encoding):
    user = {"cp1255": "דני", "shift_jis": "太郎"}.get(encoding, "Jörg")
    path = tmp_path / "ratings.csv"
    path.write_text(f"user,movie,rating\n{user},1,4\n", encoding=encoding)
    ratings = load_ratings(path, encoding=encoding)
    assert table_of(ratings) == [(user, 1, 4)]
    assert ratings.notes == ()


def test_a_wrong_name_is_refused(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("user,movie,rating\nJörg,1,4\n", encoding="cp1252")
    with pytest.raises(InputError, match="--encoding 'klingon': expected one such as utf-8, cp1252"):
        load_ratings(path, encoding="klingon")
    with pytest.raises(InputError, match="--encoding 'rot13': expected one such as"):
        load_ratings(path, encoding="rot13")
    with pytest.raises(InputError, match=r"ratings.csv can't be read as ASCII"):
        load_ratings(path, encoding="ascii")


def test_a_single_byte_that_is_wrong_does_not_spoil_the_rest(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_bytes("user,movie,rating\nJürgen,a,5\n野,b,4\nbob,caf".encode() + b"\xe9,3\n")
    with pytest.raises(InputError, match=r"ratings.csv line 4: a byte is not UTF-8, as 2 other lines are"):
        load_ratings(path)


def test_names_of_columns_are_read_in_the_encoding_of_the_rows(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("Покупатель;Товар;Оценка\nИван;Кружка;5\nМария;Чашка;4\n", encoding="cp1251")
    ratings = load_ratings(path, columns={"user": "Покупатель", "movie": "Товар", "rating": "Оценка"})
    assert table_of(ratings) == [("Иван", "Кружка", 5), ("Мария", "Чашка", 4)]
    assert ratings.nouns == ("Покупатель", "Товар")
    assert len(ratings.notes) == 1


def test_the_titles_of_movielens_are_read_in_its_encoding(lesson_ratings):
    titles = [title for title in lesson_ratings.titles if not title.isascii()]
    lines = []
    for title in titles:
        with contextlib.suppress(UnicodeError):
            lines.append(f"1::{title}::Drama\n".encode("latin-1"))
    assert len(lines) > 200
    for some in (lines, lines[:30], lines[100:110]):
        assert guess_encoding("movies.dat", io.BytesIO(b"".join(some))) == "cp1252"

import numpy as np
import pytest

from cf_excel.model.title_match import SEVERAL, UNKNOWN, TitleMatcher

TITLES = {
    "Matrix, The (1999)": 1999,
    "Hamlet (1996)": 1996,
    "Hamlet (2000)": 2000,
    "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)": 2001,
    "Seven (a.k.a. Se7en) (1995)": 1995,
    "WALL·E (2008)": 2008,
    "Ocean's Eleven (2001)": 2001,
    "Fast & Furious (2009)": 2009,
    "The Hobbit": 0,
    "Up (2009)": 2009,
    "Thirst (2008)": 2008,
    "Thirst (Bakjwi) (2009)": 2009,
}


@pytest.mark.parametrize(
    ("title", "year", "expected"),
    [
        ("The Matrix", 1999, 0),
        ("the matrix", 2000, 0),
        ("Matrix", 0, 0),
        ("MATRIX, THE (1999)", 1999, 0),
        ("The Matrix", 2003, UNKNOWN),
        ("Hamlet", 1996, 1),
        ("Hamlet", 1999, 2),
        ("Hamlet", 1998, UNKNOWN),
        ("Hamlet", 0, SEVERAL),
        ("Amelie", 2001, 3),
        ("Le Fabuleux Destin d’Amélie Poulain", 2001, 3),
        ("Amélie (The Fabulous Destiny)", 2002, 3),
        ("Se7en", 1995, 4),
        ("WALL-E", 2008, 5),
        ("Oceans Eleven", 2001, 6),
        ("Ocean’s Eleven", 2001, 6),
        ("Fast and Furious", 2009, 7),
        ("Hobbit", 1937, 8),
        ("A Up", 2010, 9),
        ("Thirst", 2009, 11),
        ("Thirst", 2007, 10),
        ("Upper", 2009, UNKNOWN),
        ("", 0, UNKNOWN),
        ("(?)", 0, UNKNOWN),
    ],
)
def test_titles_as_others_write_them(title, year, expected):
    matcher = TitleMatcher(np.array(list(TITLES), object), np.array(list(TITLES.values()), np.int16))
    assert matcher.row([title], year) == expected
    assert matcher.row(["No such title", title], year) == expected


def test_titles_that_are_the_same_but_for_accents_are_several():
    matcher = TitleMatcher(np.array(["Elena", "Eléna"], object), np.array([0, 0], np.int16))
    assert matcher.row(["ELENA"]) == SEVERAL

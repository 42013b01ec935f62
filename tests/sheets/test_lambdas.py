"""The recommender's named functions: their spelling in the file, and their answers in IronCalc."""

import re
from dataclasses import replace
from pathlib import Path

import ironcalc
import numpy as np
import openpyxl
import pytest
from support.recommenders import random_factors, same_list

from cf_excel.model.predictor import Predictor
from cf_excel.sheets.recommender.lambdas import in_file_syntax
from cf_excel.sheets.recommender.recommender_book import build_recommender
from cf_excel.xlsx.cells import Block

KINDS = ("dot", "dot-bias", "collab", "bayes")
MODELS = (*KINDS, "bayes score", "collab score", "dot watch")
NAMES = ("CF.PREDICT", "CF.RECOMMEND", "CF.SIMILAR", "CF.RATE")
# functions of Excel 2010 that need no prefix; every other one must carry its own
OLD = {"COLUMNS", "FREQUENCY", "IF", "IFERROR", "INDEX", "MIN", "MINVERSE", "MMULT", "NA", "ROWS", "SUM", "SUMPRODUCT"}
OLD |= {"EXACT", "TANH", "TRANSPOSE"}
NEW = [
    "DROP",
    "HSTACK",
    "ISOMITTED",
    "LAMBDA",
    "LET",
    "MAKEARRAY",
    "MAP",
    "SEQUENCE",
    "SORTBY",
    "TAKE",
    "TOCOL",
    "XMATCH",
]
PREFIXED = {f"_xlfn.{name}" for name in NEW}
PREFIXED |= {"_xlfn._xlws.FILTER"}


class Asked:
    """A workbook in IronCalc, with formulas added on a sheet of their own."""

    def __init__(self, path: Path) -> None:
        self._model = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
        self._model.add_sheet("asked")
        self._sheet = len(self._model.get_worksheets_properties()) - 1

    def range_of(self, values: list, column: int) -> str:
        """Put texts and numbers into a column and return its address; None leaves a cell blank."""
        for row, value in enumerate(values, 1):
            if isinstance(value, str):
                self._model.update_cell_with_text(self._sheet, row, column, value)
            elif value is not None:
                self._model.update_cell_with_number(self._sheet, row, column, value)
        return f"asked!{Block(1, column, len(values), column).span()}"

    def rate(self, column: int, titles: list[str | None], ratings: list[float | None]) -> str:
        """Return the formula that rates movies, which it puts into two columns from the given one on."""
        return f"=CF.RATE({self.range_of(titles, column)},{self.range_of(ratings, column + 1)},10)"

    def answers(self, formulas: list[str], n_rows: int = 10, n_columns: int = 2) -> list[list[list]]:
        """Return what each formula spills into its own rows and columns."""
        for i, formula in enumerate(formulas):
            self._model.set_user_input(self._sheet, 1 + i * (n_rows + 1), 1, formula)
        self._model.evaluate()
        value = lambda row, column: self._model.get_cell_value(self._sheet, row, column)  # noqa: E731
        return [
            [[value(1 + i * (n_rows + 1) + row, 1 + column) for column in range(n_columns)] for row in range(n_rows)]
            for i in range(len(formulas))
        ]


@pytest.fixture
def asked(tmp_path):
    def ask(factors, **options):
        path = tmp_path / "r.xlsx"
        recommender = build_recommender(factors, path, **options)
        return Asked(path), recommender

    return ask


def text(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_ratings_by_id_and_by_title(kind, asked):
    factors, rng = random_factors(kind), np.random.default_rng(1)
    asked, recommender = asked(factors)
    users, movies = rng.integers(0, 40, 1000), rng.integers(0, 120, 1000)
    movies[:120] = np.arange(120)
    ids = factors.user_ids[users].tolist()
    named = [text(recommender.titles[m]) if i < 500 else factors.movie_ids[m] for i, m in enumerate(movies)]
    formulas = [f"=CF.PREDICT({user},{movie})" for user, movie in zip(ids, named, strict=True)]
    found = [answer[0][0] for answer in asked.answers(formulas, 1, 1)]
    expected = Predictor(factors).predict(factors.user_ids[users], factors.movie_ids[movies])
    np.testing.assert_allclose(np.array(found, float), expected, atol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_top_tens_new_to_a_user_and_all(kind, asked):
    factors = random_factors(kind, n_users=50, seed=2)
    asked, recommender = asked(factors)
    predictor, users = Predictor(recommender.factors), factors.user_ids.tolist()
    answers = asked.answers([f"=CF.RECOMMEND({user},10{seen})" for user in users for seen in ("", ",TRUE")])
    for i, user in enumerate(users):
        for answer, only_new in ((answers[2 * i], True), (answers[2 * i + 1], False)):
            best, every = (predictor.recommend(user, n, only_new) for n in (10, 120))
            same_list(answer, best, every, factors)


def test_similar_movies(asked):
    factors = random_factors("collab", seed=3)
    predictor = Predictor(factors)
    asked, recommender = asked(factors)
    rows = range(0, 120, 5)
    formulas = [f"=CF.SIMILAR({text(recommender.titles[row])},10{least})" for row in rows for least in ("", ",12")]
    answers = asked.answers(formulas)
    for i, row in enumerate(rows):
        for answer, least in ((answers[2 * i], 0), (answers[2 * i + 1], 12)):
            best, every = (predictor.similar(int(factors.movie_ids[row]), n, least) for n in (10, 120))
            same_list(answer, best, every, factors)


@pytest.mark.parametrize("kind", MODELS)
def test_the_ten_for_a_new_user(kind, asked):
    factors, rng = random_factors(kind, seed=4), np.random.default_rng(5)
    asked, recommender = asked(factors)
    predictor = Predictor(recommender.factors)
    panels = [rng.choice(120, n, replace=False) for n in (1, 2, 5, 5, 20)]
    given = [rng.integers(1, 11, len(panel)) / 2 for panel in panels]
    formulas = [
        asked.rate(10 + 2 * i, [recommender.titles[row] for row in panel], ratings.tolist())
        for i, (panel, ratings) in enumerate(zip(panels, given, strict=True))
    ]
    formulas += ["=CF.RATE(rated_titles,given_ratings,10)"]
    panels.append(np.array(recommender.results.picks.rated))
    given.append(np.array(recommender.results.picks.ratings))
    for panel, ratings, answer in zip(panels, given, asked.answers(formulas), strict=True):
        ids = factors.movie_ids[panel]
        same_list(answer, predictor.fold_in(ids, ratings), predictor.fold_in(ids, ratings, 120), factors)


def test_of_two_ratings_the_later_counts_blanks_do_not_and_what_is_unknown_is_an_error(asked):
    factors = random_factors("bayes")
    predictor = Predictor(factors)
    asked, recommender = asked(factors)
    a, b = (recommender.titles[row] for row in (30, 40))
    ids = factors.movie_ids[[30, 40]]
    panels = [
        ([a, None, b, a, b], [1, 2, 3, 5, None]),
        ([a, b, "nowhere"], [1, 2, 3]),
        ([a, b], [1, 6]),
        ([None, None], [1, 2]),
    ]
    formulas = [asked.rate(10 + 2 * i, *panel) for i, panel in enumerate(panels)]
    answers = asked.answers([*formulas, "=CF.PREDICT(999,5)", "=CF.RECOMMEND(999,5)"])
    same_list(answers[0], predictor.fold_in(ids, [5, 3]), predictor.fold_in(ids, [5, 3], 120), factors)
    assert [answer[0][0] for answer in answers[1:5]] == ["#N/A"] * 4
    assert answers[5][0][0] in ("#N/A", "#VALUE!")


def test_ids_are_texts_or_numbers_whatever_is_typed(asked):
    """Numbers find ids that are texts, and texts ids that are numbers; ab is not AB, and * no wildcard."""
    names = np.array(["ab", "AB", "10", "007", "7", "a*", "a\x01", "a\x02"], object)
    factors = random_factors("bayes", n_users=8, n_movies=8)
    texts = replace(factors, user_ids=names, movie_ids=names, titles=np.array(["1984", *"ABCDEFG"], object))
    numbers = replace(texts, user_ids=np.arange(8), movie_ids=np.array([1984, *range(1, 8)])[::-1].copy())
    for model, pairs in (
        (texts, {'"ab","ab"': (0, 0), '"AB","a*"': (1, 5), "10,10": (2, 2), '"007",7': (3, 4), '7,"007"': (4, 3)}),
        (texts, {'"a␁","a␂"': (6, 7), '"a␂","1984"': (7, 0), '"a*",1984': (5, 0), '"ab","c"': (0, 3)}),
        (numbers, {"5,2": (5, 5), '"5","2"': (5, 5), '3,"1984"': (3, 0), "3,1984": (3, 7), '"3","b"': (3, 2)}),
    ):
        questions, _ = asked(model)
        answers = questions.answers([f"=CF.PREDICT({pair})" for pair in pairs], 1, 1)
        users, movies = zip(*pairs.values(), strict=True)
        expected = Predictor(model).predict(model.user_ids[list(users)], model.movie_ids[list(movies)])
        np.testing.assert_allclose([answer[0][0] for answer in answers], expected, atol=1e-4)
    unknown = questions.answers(['=CF.PREDICT("05",2)', "=CF.PREDICT(5,1985)", '=CF.PREDICT("*",2)'], 1, 1)
    assert [answer[0][0] for answer in unknown] == ["#N/A"] * 3


@pytest.mark.parametrize("n", [1, 4])
def test_plain_formulas_find_text_ids(n, tmp_path):
    ids = np.array(["ab", "AB", "007", "10"][:n], object)
    factors, path = replace(random_factors("bayes", n, n, 2), user_ids=ids), tmp_path / "r.xlsx"
    recommender = build_recommender(factors, path)
    sheet, found = recommender.book.predict, []
    for user in ["ab", "AB", "007", 10][:n]:
        model = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
        put = model.update_cell_with_text if isinstance(user, str) else model.update_cell_with_number
        put(0, sheet.picked_user.top, sheet.picked_user.left, user)
        model.evaluate()
        found.append(model.get_cell_value(0, sheet.rating.top, sheet.rating.left))
    movie = factors.movie_ids[recommender.results.picks.movie]
    np.testing.assert_allclose(found, Predictor(factors).predict(ids, movie), atol=1e-4)


def test_titles_that_a_program_takes_for_equal(asked):
    titles = np.array(["CI", "c\u0131"], object)  # an i without a dot has the capital of one with
    factors = replace(random_factors("bayes", n_movies=2), titles=titles)
    user = int(factors.user_ids[0])
    asked, recommender = asked(factors)
    answers = asked.answers([f"=CF.PREDICT({user},{text(title)})" for title in recommender.titles], 1, 1)
    expected = Predictor(factors).predict(user, factors.movie_ids)
    np.testing.assert_allclose([answer[0][0] for answer in answers], expected, atol=1e-4)


def test_one_user_and_one_movie(asked):
    factors = replace(random_factors("bayes", 1, 1, 2), user_ids=np.array(["007"], object))
    asked, recommender = asked(factors)
    title = text(recommender.titles[0])
    found = asked.answers([f'=CF.PREDICT("007",{title})', f"=CF.PREDICT(7,{title})"], 1, 1)
    expected = Predictor(factors).predict("007", factors.movie_ids[0])
    assert found[0][0][0] == pytest.approx(float(expected), abs=1e-4)
    assert found[1][0][0] == "#N/A"


@pytest.mark.parametrize("kind", ["bayes", "bayes score"])
def test_without_ratings_nothing_is_left_out(kind, asked):
    factors = random_factors(kind)
    asked, recommender = asked(factors, with_ratings=False)
    predictor, user = Predictor(recommender.factors), int(factors.user_ids[3])
    answer = asked.answers([f"=CF.RECOMMEND({user},10)"])[0]
    same_list(answer, predictor.recommend(user, 10, False), predictor.recommend(user, 120, False), factors)


@pytest.mark.parametrize("with_ratings", [True, False])
@pytest.mark.parametrize("kind", MODELS)
def test_every_prefix_is_there(kind, with_ratings, tmp_path):
    path = tmp_path / "r.xlsx"
    build_recommender(random_factors(kind), path, with_ratings=with_ratings)
    names = openpyxl.load_workbook(path).defined_names
    ranges = set(names) - set(NAMES)
    for name in NAMES:
        formula = names[name].attr_text
        assert formula.startswith("_xlfn.LAMBDA(")
        assert len(formula) < 8000
        assert formula.count("(") == formula.count(")")
        assert not re.search(r"\[|\]|\s", formula)
        bare = re.sub(r'"[^"]*"', '""', formula)
        called = set(re.findall(r"([A-Za-z_][\w.]*)\(", bare))
        assert called <= OLD | PREFIXED
        words = set(re.findall(r"[A-Za-z_][\w.]*(?!\w|\()", bare))
        bound, optional = ({w.partition(".")[2] for w in words if w.startswith(p)} for p in ("_xlpm.", "_xlop."))
        assert {w for w in words if not w.startswith("_xl")} <= ranges | {"TRUE", "FALSE"}
        assert optional <= bound
        declared = set(re.findall(r"_xlpm\.(\w+),", bare))
        assert bound <= declared | optional
        for word in bound:  # a name that looks like a cell, or like one of R1C1, would be one
            assert not re.fullmatch(r"(?i)[a-z]{1,3}[0-9]+|r[0-9]*|c[0-9]*|r[0-9]*c[0-9]*", word)
            assert word.upper() not in OLD | {name.rpartition(".")[2] for name in PREFIXED}


def test_spelling_in_files():
    formula = 'LAMBDA(user,[seen],LET(x,INDEX(ids,user),IF(ISOMITTED(seen),FILTER(ids,x=1),"x [y] LET(")))'
    expected = (
        "_xlfn.LAMBDA(_xlpm.user,_xlop.seen,_xlfn.LET(_xlpm.x,INDEX(ids,_xlpm.user),"
        'IF(_xlfn.ISOMITTED(_xlpm.seen),_xlfn._xlws.FILTER(ids,_xlpm.x=1),"x [y] LET(")))'
    )
    assert in_file_syntax(formula, {"ids"}) == expected


@pytest.mark.parametrize("kind", ["collab", "collab score"])
def test_no_cell_calls_a_function_that_older_programs_lack(kind, tmp_path):
    path = tmp_path / "r.xlsx"
    build_recommender(random_factors(kind), path)
    formulas = set()
    for sheet in openpyxl.load_workbook(path).worksheets:
        for row in sheet.iter_rows():
            formulas |= {getattr(cell.value, "text", cell.value) for cell in row if cell.data_type == "f"}
    called = {name for formula in formulas for name in re.findall(r"([A-Z][A-Z0-9.]*)\(", formula)}
    in_2007 = {
        "AND",
        "COLUMNS",
        "COUNT",
        "COUNTIF",
        "FREQUENCY",
        "IF",
        "IFERROR",
        "INDEX",
        "ISNUMBER",
        "LARGE",
        "MATCH",
        "MAX",
    }
    in_2007 |= {
        "EXACT",
        "MIN",
        "MINVERSE",
        "MMULT",
        "NA",
        "NOT",
        "ROUND",
        "ROW",
        "ROWS",
        "SUMPRODUCT",
        "TANH",
        "TRANSPOSE",
    }
    assert "MMULT" in called
    assert called <= in_2007


def test_a_title_is_found_without_the_apostrophe_that_a_cell_takes_for_a_mark(asked):
    asked, recommender = asked(random_factors("bayes"))
    user = recommender.user_id
    formulas = [f"=CF.PREDICT({user},{text(title)})" for title in ("'quoted'", "quoted'", "quoted")]
    with_mark, without, unknown = (answer[0][0] for answer in asked.answers(formulas, 1, 1))
    assert isinstance(with_mark, float)
    assert without == with_mark
    assert unknown == "#N/A"

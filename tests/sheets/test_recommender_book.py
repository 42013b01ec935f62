"""The recommender workbook in LibreOffice: its plain formulas against the predictor."""

import math
import re
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import hypothesis
import numpy as np
import openpyxl
import pytest
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet
from support.recommenders import TITLES, random_factors, same_list

from cf_excel.errors import InputError
from cf_excel.model.factors import Factors
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.nouns import Nouns
from cf_excel.sheets.recommender.recommender import Recommender
from cf_excel.sheets.recommender.recommender_book import build_recommender
from cf_excel.sheets.recommender.recommender_layout import N_RATED
from cf_excel.xlsx.cells import Block

KINDS = ("dot", "dot-bias", "collab", "bayes")
MODELS = (*KINDS, "bayes score", "collab score", "dot watch")
LIST = 6  # com.sun.star.sheet.ValidationType.LIST, in the order of its names


class Asked:
    """A workbook that is open in LibreOffice for a row of questions."""

    def __init__(self, office, path: Path, recommender: Recommender) -> None:
        self._office, self._path = office, path
        self.sheet = recommender.book.predict
        self.titles = recommender.titles
        self.predictor = Predictor(recommender.factors)  # of the numbers that the sheets hold
        self._user_ids = recommender.factors.user_ids.tolist()

    def pick(self, user: object = None, movie: object = None) -> dict:
        changes = {self.sheet.picked_user: user, self.sheet.picked_movie: movie}
        return {self.sheet.title: {block.first: value for block, value in changes.items() if value is not None}}

    def rate(self, rated: list[tuple[object, object]]) -> dict:
        rows = [*rated, *[("", "")] * (N_RATED - len(rated))]
        cells = {self.sheet.rated_titles.row(i).first: title for i, (title, _) in enumerate(rows)}
        return {self.sheet.title: cells | {self.sheet.given_ratings.row(i).first: r for i, (_, r) in enumerate(rows)}}

    def answers(self, questions: list[dict], *read: str) -> list[dict]:
        sheet = self.sheet
        blocks = {"rating": sheet.rating, "remark": sheet.pick_remark, "remarks": sheet.rate_remarks}
        for name in ("best", "similar", "yours"):
            panel = sheet.list_at(name)
            blocks[name] = Block(
                panel.column(1).top, panel.column(1).left, panel.column(3).bottom, panel.column(3).left
            )
            blocks[f"{name} heading"] = panel.heading.column(0)
        areas = {name: [sheet.title, blocks[name].address] for name in read}
        return self._office.call("ask", str(self._path), questions, areas)


@pytest.fixture
def asked(tmp_path, office):
    def ask(factors: Factors, **options) -> Asked:
        path = tmp_path / "r.xlsx"
        return Asked(office, path, build_recommender(factors, path, **options))

    return ask


def listed(rows: list[list]) -> list[list]:
    """Return title and score of the rows of a list, whose genres stand between them."""
    return [[row[0], row[2]] for row in rows]


@pytest.mark.libreoffice
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_thousand_ratings_each_kinds_quarter_is_the_predictors(kind, asked):
    factors, rng = random_factors(kind), np.random.default_rng(1)
    asked, predictor = asked(factors), Predictor(factors)
    users, movies = rng.integers(0, 40, 250), rng.integers(0, 120, 250)
    movies[: len(TITLES)] = np.arange(len(TITLES))  # every odd title at least once
    questions = [
        asked.pick(user, asked.titles[movie])
        for user, movie in zip(factors.user_ids[users].tolist(), movies, strict=True)
    ]
    found = [answer["rating"][0][0] for answer in asked.answers(questions, "rating")]
    expected = predictor.predict(factors.user_ids[users], factors.movie_ids[movies])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.libreoffice
@pytest.mark.parametrize("kind", MODELS)
def test_top_tens_are_the_predictors(kind, asked):
    factors = random_factors(kind, n_users=50, seed=2)
    asked = asked(factors)
    predictor = asked.predictor
    users = factors.user_ids.tolist()
    answers = asked.answers([asked.pick(user) for user in users], "best", "best heading")
    for user, answer in zip(users, answers, strict=True):
        assert answer["best heading"] == [[f"Ten best for user {user}"]]
        same_list(listed(answer["best"]), predictor.recommend(user), predictor.recommend(user, 120), factors)


@pytest.mark.libreoffice
def test_similar_movies_are_the_predictors(asked):
    factors = random_factors("bayes", seed=3)
    asked, predictor = asked(factors), Predictor(factors)
    least = {asked.sheet.title: {asked.sheet.least_ratings.first: 12}}
    questions = [least, *(asked.pick(movie=title) for title in asked.titles)]
    answers = asked.answers(questions, "similar")[1:]
    for movie, answer in zip(factors.movie_ids.tolist(), answers, strict=True):
        expected = predictor.similar(movie, min_ratings=12)
        same_list(listed(answer["similar"]), expected, predictor.similar(movie, 120, 12), factors)


@pytest.mark.libreoffice
@pytest.mark.parametrize("kind", MODELS)
def test_the_ten_for_a_new_user_are_the_predictors(kind, asked):
    factors, rng = random_factors(kind, seed=4), np.random.default_rng(5)
    asked = asked(factors)
    predictor = asked.predictor
    panels = [rng.choice(120, n, replace=False) for n in [1, 2, 3, 4] + [5] * 16]
    ratings = [rng.integers(1, 11, len(panel)) / 2 for panel in panels]
    questions = [
        asked.rate([(asked.titles[row], r) for row, r in zip(panel, given.tolist(), strict=True)])
        for panel, given in zip(panels, ratings, strict=True)
    ]
    for panel, given, answer in zip(panels, ratings, asked.answers(questions, "yours"), strict=True):
        ids = factors.movie_ids[panel]
        same_list(listed(answer["yours"]), predictor.fold_in(ids, given), predictor.fold_in(ids, given, 120), factors)


@pytest.mark.libreoffice
@pytest.mark.parametrize("kind", ["bayes", "bayes score"])
def test_what_a_pick_lacks_is_said(kind, asked):
    factors = random_factors(kind)
    asked, predictor = asked(factors), Predictor(factors)
    a, b, c = asked.titles[7], asked.titles[30], asked.titles[40]
    seen = factors.seen_movies[slice(*factors.seen_offsets[3:5])]
    new = next(row for row in range(120) if row not in seen)
    picks = [
        (asked.pick(999, c), "Pick a user from the list."),
        (asked.pick("", c), "Pick a user from the list."),
        (asked.pick(int(factors.user_ids[3]), "*"[:0]), "Pick a movie from the list."),
        (asked.pick(movie="Film"), "Pick a movie from the list."),
        (asked.pick(movie=asked.titles[seen[0]]), "This user has rated this movie."),
        (asked.pick(movie=asked.titles[new]), "This user has not rated this movie."),
        (asked.pick(movie=asked.titles[new].upper()), "This user has not rated this movie."),
    ]
    answers = asked.answers([question for question, _ in picks], "remark", "rating", "best", "similar")
    assert [answer["remark"][0][0] for answer in answers] == [remark for _, remark in picks]
    assert [answer["rating"][0][0] == "" for answer in answers] == [True] * 4 + [False] * 3
    assert {cell for row in answers[0]["best"] for cell in row} == {""}
    assert {cell for row in answers[2]["similar"] for cell in row} == {""}

    panels = [
        ([], [""] * 5),
        ([(a, ""), ("", 3)], ["pick a rating", "pick a movie", "", "", ""]),
        ([("nothing", 3), (b, 7), (c, "good")], ["not in the list", "from 0.5 to 5", "from 0.5 to 5", "", ""]),
        ([(a, 1), (b, 2), (a, 5)], ["rated again below", "", "", "", ""]),
        ([(a, 1), (b, 2), (a, 9)], ["", "", "from 0.5 to 5", "", ""]),
        ([(b, 2), (a, 0.5), (a, 1), (c, 4), (a, 5)], ["", "rated again below", "rated again below", "", ""]),
    ]
    answers = asked.answers([asked.rate(panel) for panel, _ in panels], "remarks", "yours", "yours heading")
    assert [[row[0] for row in answer["remarks"]] for answer in answers] == [remarks for _, remarks in panels]
    assert [answer["yours heading"][0][0][:4] for answer in answers] == ["Rate"] * 3 + ["Ten "] * 3
    for (movies, ratings), answer in zip(
        [((30, 7), (2, 5)), ((7, 30), (1, 2)), ((30, 40, 7), (2, 4, 5))], answers[3:], strict=True
    ):
        ids = factors.movie_ids[list(movies)]
        expected = predictor.fold_in(ids, ratings)
        same_list(listed(answer["yours"]), expected, predictor.fold_in(ids, ratings, 120), factors)


@pytest.mark.libreoffice
@pytest.mark.parametrize(
    ("kind", "shape", "with_ratings"),
    [
        ("bayes", (40, 120, 4), True),
        ("collab", (3, 6, 2), False),
        ("dot", (1, 1, 1), True),
        ("dot-bias", (2, 26, 1), False),
        ("bayes score", (40, 120, 4), True),
        ("collab score", (3, 6, 2), False),
        ("dot watch", (1, 1, 1), True),
    ],
)
def test_every_cached_result_is_what_libreoffice_computes(
    tmp_path, office, validator_errors, kind, shape, with_ratings
):
    path = tmp_path / "r.xlsx"
    build_recommender(random_factors(kind, *shape), path, with_ratings=with_ratings, made=date(2026, 1, 2))
    assert validator_errors(path) == []
    recalculated = office.recalculate(path)
    assert {sheet["errors"] for sheet in recalculated.values()} == {""}
    for sheet in openpyxl.load_workbook(path, data_only=True).worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                values = recalculated[sheet.title]["values"]
                inside = cell.row <= len(values) and cell.column <= len(values[0])
                found = values[cell.row - 1][cell.column - 1] if inside else ""
                cached = "" if cell.value is None else cell.value
                if isinstance(cached, str):
                    assert found == cached, cell.coordinate
                else:
                    assert math.isclose(found, cached, rel_tol=1e-9, abs_tol=1e-9), cell.coordinate


@pytest.mark.libreoffice
@pytest.mark.parametrize("n_users", [1, 10])
def test_ids_that_are_texts(asked, n_users):
    names = ["ab", "AB", "007", "7", "10", "b*b", "bxb", "=x", "a\x01", "a\x02"][:n_users]
    factors = replace(random_factors("bayes", n_users=n_users), user_ids=np.array(names, object))
    asked, predictor = asked(factors), Predictor(factors)
    typed = ["ab", "AB", "007", 7, 10, "b*b", "bxb", "=x", "a␁", "a␂"][:n_users]
    answers = asked.answers([asked.pick(user, asked.titles[30]) for user in [*typed, "Ab", "*"]], "rating", "remark")
    expected = [predictor.predict(user, factors.movie_ids[30]) for user in names]
    np.testing.assert_allclose([answer["rating"][0][0] for answer in answers[:-2]], expected, atol=1e-4)
    assert [answer["remark"][0][0] for answer in answers[-2:]] == ["Pick a user from the list."] * 2


@pytest.mark.libreoffice
def test_a_text_finds_an_id_that_is_a_number(asked):
    factors = random_factors("bayes")
    asked, predictor = asked(factors), Predictor(factors)
    user = int(factors.user_ids[5])
    answers = asked.answers([asked.pick(typed, asked.titles[30]) for typed in (user, str(user))], "rating")
    expected = float(predictor.predict(user, factors.movie_ids[30]))
    assert [answer["rating"][0][0] for answer in answers] == [pytest.approx(expected, abs=1e-4)] * 2


@pytest.mark.libreoffice
def test_titles_that_a_program_takes_for_equal(asked):
    titles = np.array(["coop", "co\u00adop", "CI", "c\u0131"], object)  # an i without a dot has the capital of one with
    factors = replace(random_factors("bayes", n_movies=4), titles=titles)
    asked, predictor = asked(factors), Predictor(factors)
    user = int(factors.user_ids[0])
    answers = asked.answers([asked.pick(user, title) for title in asked.titles], "rating")
    expected = predictor.predict(user, factors.movie_ids)
    np.testing.assert_allclose([answer["rating"][0][0] for answer in answers], expected, atol=1e-4)


ODD_CHARACTERS = "ab\x00\x01\x0b\x1f\r\n\t\ud800\ufffe\uffff_x0041_=*?~<&>'\" é🎈"
ODD = st.text(st.sampled_from(ODD_CHARACTERS), min_size=1, max_size=12)
THREE = st.lists(ODD, min_size=3, max_size=3)


@hypothesis.settings(max_examples=12)
@hypothesis.given(THREE.filter(lambda ids: len(set(ids)) == 3), THREE, THREE)
def test_whatever_ids_and_titles_are_the_file_is_whole_xml(tmp_path_factory, ids, titles, genres):
    factors, path = random_factors("bayes", 3, 3, 2), tmp_path_factory.getbasetemp() / "odd.xlsx"
    ids, texts = np.array(ids, object), np.array(titles, object)
    factors = replace(factors, user_ids=ids, movie_ids=ids[::-1], titles=texts, genres=np.array(genres, object))
    try:
        recommender = build_recommender(factors, path)
    except InputError as error:
        hypothesis.assume("different ids, but the same text in a cell" not in str(error))
        raise
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            ElementTree.fromstring(package.read(name))
    sheets = openpyxl.load_workbook(path, data_only=True)
    shown = values_of(sheets["users"], recommender.book.blocks["user_ids"][1])
    assert len(set(shown)) == 3
    assert [cell.replace("_x005F_", "_") for cell in shown] == recommender.user_ids


def test_ids_that_no_cell_tells_apart_are_named(tmp_path):
    ids = np.array(["a" * 40_000, "b", "a" * 40_001], object)
    factors = replace(random_factors("bayes", 3, 3, 2), user_ids=ids)
    with pytest.raises(InputError, match=r"^users 'a+ and 'a+ are different ids, but the same text in a cell"):
        build_recommender(factors, tmp_path / "r.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_ids_of_more_digits_than_a_number_has_are_all_texts(tmp_path):
    ids = np.array([12345678901234567, 5, 12345678901234568])
    factors, path = replace(random_factors("bayes", 3, 3, 2), user_ids=ids), tmp_path / "r.xlsx"
    recommender = build_recommender(factors, path)
    workbook = openpyxl.load_workbook(path)
    shown = values_of(workbook["users"], recommender.book.blocks["user_ids"][1])
    assert shown == ["5", "12345678901234567", "12345678901234568"]
    assert workbook["predict"][recommender.book.predict.picked_user.first].number_format == "@"


HALVES = [i / 2 for i in range(1, 21)]


@pytest.mark.parametrize(
    ("scale", "record", "offered"),
    [
        ((0, 1), [0.0, 1.0], [0, 1]),
        ((-9.95, 10), [], [-8, -6, -4, -2, 0, 2, 4, 6, 8, 10]),
        ((1, 5), [1.0, 2.0, 5.0], [1, 2, 5]),
        ((0.5, 10), HALVES, HALVES),
        ((1, 5), [10**400, float("nan"), 3.0], [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]),
        ((1, 5), ["1", None], [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]),
        ((1, 5), "15", [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]),
    ],
)
def test_the_ratings_of_the_data_are_offered(tmp_path, scale, record, offered):
    factors = replace(random_factors("bayes", 3, 30, 2), rating_range=scale, record={"rating_values": record})
    book = build_recommender(factors, tmp_path / "r.xlsx").book
    sheets = openpyxl.load_workbook(tmp_path / "r.xlsx")
    assert values_of(sheets["calc"], book.blocks["rating_list"][1]) == offered
    assert set(values_of(sheets["predict"], book.predict.given_ratings)) <= set(offered)


@pytest.mark.libreoffice
def test_dropdowns_list_every_user_movie_and_rating(tmp_path, office):
    factors, path = random_factors("bayes"), tmp_path / "r.xlsx"
    recommender = build_recommender(factors, path)
    sheet, blocks = recommender.book.predict, recommender.book.blocks
    lists = {
        "user_ids": [sheet.picked_user],
        "movie_list": [sheet.picked_movie, *(sheet.rated_titles.row(i) for i in range(N_RATED))],
        "rating_list": [sheet.given_ratings.row(i) for i in range(N_RATED)],
    }
    expected = [(name, block.first) for name, cells in lists.items() for block in cells]
    found = office.call("dropdowns", str(path), sheet.title, [address for _, address in expected])
    assert found == [["LIST", name] for name, _ in expected]
    workbook = openpyxl.load_workbook(path)
    shown = {name: values_of(workbook[blocks[name][0]], blocks[name][1]) for name in lists}
    assert shown["user_ids"] == sorted(factors.user_ids.tolist())
    assert sorted(shown["movie_list"]) == sorted(recommender.titles)
    assert shown["movie_list"] == sorted(shown["movie_list"], key=str.casefold)
    assert shown["rating_list"] == [i / 2 for i in range(1, 11)]


def values_of(sheet: Worksheet, block: Block) -> list:
    return [row[0].value for row in sheet[block.span()]]


def test_what_the_sheets_hold(tmp_path):
    factors, path = random_factors("bayes"), tmp_path / "r.xlsx"
    recommender = build_recommender(factors, path, digits=3, made=date(2026, 1, 2))
    book = recommender.book
    workbook = openpyxl.load_workbook(path, data_only=True)
    assert workbook.sheetnames == ["predict", "users", "movies", "ratings", "calc"]
    assert [sheet.sheet_state for sheet in workbook.worksheets] == ["visible"] * 4 + ["hidden"]
    order = np.argsort(factors.user_ids)
    read = lambda name: np.array(  # noqa: E731
        [[cell.value for cell in row] for row in workbook[book.blocks[name][0]][book.blocks[name][1].span()]]
    )
    np.testing.assert_array_equal(read("user_factors"), np.round(factors.user_factors[order].astype(float), 3))
    np.testing.assert_array_equal(read("movie_bias")[:, 0], np.round(factors.movie_bias.astype(float), 3))
    pairs = np.column_stack([read("rated_users"), read("rated_movies")])
    assert pairs.tolist() == sorted(pairs.tolist())
    by_id = {
        (int(factors.user_ids[user]), int(movie))
        for user in range(40)
        for movie in factors.seen_movies[slice(*factors.seen_offsets[user : user + 2])]
    }
    assert {(int(factors.user_ids[order][user - 1]), movie - 1) for user, movie in pairs.tolist()} == by_id
    best = book.predict.list_at("best")
    shrunk = [workbook["predict"][best.column(i).address.split(":")[0]].alignment.shrink_to_fit for i in (1, 2)]
    assert shrunk == [True, True]  # titles and genres
    notes = " ".join(row[0].value for row in workbook["predict"][book.predict.notes.span()])
    assert "bayes; 4 factors for each of 40 users and 120 movies" in notes
    assert "typical error 0.89 rating points (validation RMSE); trained 2026-01-02." in notes


def test_sheets_say_what_they_are_called(tmp_path):
    factors = random_factors("bayes", 5, 8)
    ids = np.array([f"Mug {i}" for i in range(8)], object)
    blank = np.array([""] * 8, object)
    shop = replace(factors, movie_ids=ids, titles=blank, genres=blank, years=np.zeros(8, np.int16))
    build_recommender(replace(shop, nouns=Nouns("customer", "product")), tmp_path / "shop.xlsx")
    book = openpyxl.load_workbook(tmp_path / "shop.xlsx", data_only=True)
    visible = [sheet for sheet in book if sheet.sheet_state == "visible"]
    texts = [str(cell) for sheet in visible for row in sheet.iter_rows(values_only=True) for cell in row if cell]
    texts += [rule.error for rule in book["predict"].data_validations.dataValidation]
    said = " ".join(texts)
    for text in (
        "Which products next",
        "Pick a customer and a product",
        "Ten best for customer ",
        "Products like Mug ",
    ):
        assert text in said
    assert not re.search(r"\b(user|movie|watch)", said, re.IGNORECASE)
    formulas = openpyxl.load_workbook(tmp_path / "shop.xlsx")["predict"]
    literals = " ".join(
        text
        for row in formulas.iter_rows(values_only=True)
        for cell in row
        if isinstance(getattr(cell, "text", cell), str)
        for text in re.findall(r'"([^"]*)"', getattr(cell, "text", cell))
    )
    assert "This customer has rated this product." in literals
    assert not re.search(r"\b(user|movie)", literals, re.IGNORECASE)
    for column in "AB":
        head = book["ratings"][f"{column}1"].value
        assert book["ratings"].column_dimensions[column].width > len(head) + 2, head
    movies = book["movies"]
    assert [cell.value for cell in movies[1]][:4] == ["product", "title", "year", "genres"]
    assert [movies.column_dimensions[letter].hidden for letter in "BCD"] == [False, True, True]
    assert movies["B2"].value == movies["A2"].value == "Mug 0"


def test_without_ratings_nobody_can_tell_who_rated_what(tmp_path):
    factors = random_factors("bayes")
    book = build_recommender(factors, tmp_path / "r.xlsx", with_ratings=False).book
    workbook = openpyxl.load_workbook(tmp_path / "r.xlsx", data_only=True)
    assert "ratings" not in workbook.sheetnames
    assert not {"rated_users", "rated_movies"} & set(workbook.defined_names)
    sheet, block = book.blocks["times_rated"]
    assert set(values_of(workbook[sheet], block)) == {0}


@pytest.mark.parametrize("by", ["score", "watch"])
def test_lists_say_how_many_rated_and_what_comes_first(by, tmp_path):
    recommender = build_recommender(random_factors(f"bayes {by}"), tmp_path / "r.xlsx")
    sheet, shown = recommender.book.predict, openpyxl.load_workbook(tmp_path / "r.xlsx", data_only=True)["predict"]
    n_ratings = dict(zip(recommender.titles, recommender.factors.n_ratings.tolist(), strict=True))
    for name in ("best", "yours", "similar"):
        panel = sheet.list_at(name)
        assert shown[panel.headers.column(4).first].value == "ratings"
        titles, counts = (values_of(shown, panel.column(i)) for i in (1, 4))
        assert counts == [n_ratings[title] for title in titles]
    note = shown[sheet.notes.first].value
    assert "First in a list is what the user is likely to pick" in note
    assert ("rate high" in note) == (by == "score")


def test_numbers_of_lists_keep_as_many_digits_as_asked_for(tmp_path):
    factors = random_factors("bayes score")
    small = replace(factors, lists=replace(factors.lists, popularity=factors.lists.popularity / 1000))
    build = build_recommender(small, tmp_path / "r.xlsx", digits=3)
    book, sheets = build.book, openpyxl.load_workbook(tmp_path / "r.xlsx")
    read = lambda name: np.array(  # noqa: E731
        [[cell.value for cell in row] for row in sheets[book.blocks[name][0]][book.blocks[name][1].span()]]
    )
    popularity = float(small.lists.popularity.max())
    assert read("movie_popularity").max() == pytest.approx(
        popularity, abs=5e-4 * 10 ** math.ceil(math.log10(popularity))
    )
    np.testing.assert_array_equal(read("movie_asked"), np.round(small.lists.asked.astype(float), 3))
    lists, written = build.factors.lists, build.factors
    np.testing.assert_allclose(
        read("user_given"), lists.user_given([written.seen(row) for row in range(40)]), atol=5e-4
    )
    assert read("user_ratings")[:, 0].tolist() == written.n_seen.tolist()


def test_the_same_model_makes_the_same_bytes(tmp_path):
    for name in ("a.xlsx", "b.xlsx"):
        build_recommender(random_factors("collab"), tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_models_and_digits_that_make_no_workbook(tmp_path, tiny_factors):
    with pytest.raises(InputError, match="kind net is a neural net, too large for formulas"):
        build_recommender(tiny_factors("net"), tmp_path / "r.xlsx")
    with pytest.raises(InputError, match="--digits 0: expected 1 to 15"):
        build_recommender(tiny_factors("bayes"), tmp_path / "r.xlsx", digits=0)
    assert list(tmp_path.iterdir()) == []


def test_functions_can_be_tried_in_cells_with_room(tmp_path):
    path = tmp_path / "r.xlsx"
    recommender = build_recommender(random_factors("bayes"), path)
    sheet = openpyxl.load_workbook(path)["predict"]
    layout = recommender.book.predict
    areas = [layout.try_area(i) for i in range(4)]
    lines = [sheet.cell(area.top + 1, area.left) for area in areas]
    assert [line.value[:6] for line in lines] == ["=CF.RE", "=CF.SI", "=CF.RA", "=CF.PR"]
    assert {line.data_type for line in lines} == {"s"}
    assert {line.number_format for line in lines} == {"General"}  # of a text format it would stay a text
    for area in areas:  # ten rows and two columns
        room = [sheet.cell(*at).value for at in area.rows_from(1).addresses()]
        assert (len(room), [value for value in room[1:] if value is not None]) == (20, [])
    notes = [sheet.cell(*at).value for at in layout.try_notes.addresses()]
    assert "Double-click" in notes[0]
    assert "; between arguments" in notes[1]
    assert [at for area in areas for at in area.addresses() if at[0] <= layout.try_notes.bottom] == []


@pytest.mark.parametrize("nouns", [Nouns("user", "movie"), Nouns("c" * 300, "p" * 300)])
def test_every_name_has_a_comment_that_excel_reads(tmp_path, nouns):
    factors = replace(random_factors("bayes"), nouns=nouns)
    build_recommender(factors, tmp_path / "r.xlsx")
    names = openpyxl.load_workbook(tmp_path / "r.xlsx").defined_names
    assert [name for name, defined in names.items() if not 10 < len(defined.comment or "") <= 255] == []
    assert names["CF.RECOMMEND"].comment.startswith(f"CF.RECOMMEND({nouns.user}, n)"[:255])


@pytest.mark.libreoffice
def test_a_title_is_found_without_the_apostrophe_that_a_cell_takes_for_a_mark(asked):
    asked = asked(random_factors("bayes"))
    questions = [asked.pick(movie=title) for title in ("'quoted'", "quoted'", "QUOTED'", "quoted")]
    answers = asked.answers(questions, "rating", "similar", "remark")
    assert answers[0]["similar"][0][0]
    assert answers[0]["rating"][0][0] > 0
    assert answers[1] == answers[2] == answers[0]
    assert answers[3]["remark"] == [["Pick a movie from the list."]]
    rated = asked.answers([asked.rate([(title, 4)]) for title in ("'quoted'", "quoted'")], "yours", "remarks")
    assert rated[0] == rated[1]
    assert rated[0]["remarks"][0] == [""]


def test_the_head_of_long_tables_is_printed(tmp_path):
    build_recommender(random_factors("bayes", n_users=40, n_movies=120, n_factors=20), tmp_path / "r.xlsx")
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    assert book["movies"].print_area == "'movies'!$A$1:$N$51"
    assert book["ratings"].print_area == "'ratings'!$A$1:$B$51"
    assert book["predict"]["D15"].alignment.shrink_to_fit  # genres, too, of which 57 of 9,066 lists are longer

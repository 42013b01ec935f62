"""The spreadsheet functions, on values as hosts hand them over."""

import datetime
import gc
import json
import math
import os
import subprocess
import sys
import threading
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from numbers import Real

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.models import list_factors

from cf_excel.model.file import save_factors
from cf_excel.model.lookup import IdIndex, MovieIndex
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.nouns import Nouns
from cf_excel.udf import functions as functions_module
from cf_excel.udf.descriptions import signatures
from cf_excel.udf.functions import Functions
from cf_excel.udf.values import ERRORS, as_cells
from cf_excel.udf.worker import answer

NOT_AVAILABLE = -2146826246
USERS, MOVIES = (1, 7, 3, 42, 15), (1, 2571, 1411, 3598, 10, 4973, 11, 12)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory, tiny_factors):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_factors(tiny_factors(), path)
    return path


@pytest.fixture(scope="module")
def sheet(model_path):
    return Functions(model_path)


@pytest.fixture(scope="module")
def predictor(tiny_factors):
    return Predictor(tiny_factors())


@pytest.mark.parametrize(
    "user", [15, 15.0, "15", " 15 ", "15.0", Decimal(15), np.float64(15), np.int32(15), [[15.0]], ((15.0,),)]
)
@pytest.mark.parametrize("movie", [2571, 2571.0, "2571", "The Matrix", "matrix, the (1999)", [["The Matrix"]]])
def test_a_prediction_for_ids_in_every_form(sheet, predictor, user, movie):
    result = sheet.CF_PREDICT(user, movie)
    expected = float(predictor.predict(15, 2571))
    assert result == ([[expected]] if isinstance(user, (list, tuple)) or isinstance(movie, list) else expected)
    assert type(as_cells(result)[0, 0]) is float


@pytest.mark.parametrize("convert", [lambda rows: rows, lambda rows: tuple(map(tuple, rows)), np.array])
def test_ranges_are_paired_or_make_a_grid(sheet, predictor, convert):
    users, movies = [[15.0], [3.0]], [[1.0, 10.0, 12.0]]
    grid = predictor.predict([[15], [3]], [[1, 10, 12]])
    for arguments, expected in (
        ((convert(users), convert(movies)), grid),
        ((convert([[15.0, 3.0]]), convert([[1.0], [10.0]])), grid.T[:2]),
        ((convert(users), convert([[1.0], [10.0]])), [[grid[0, 0]], [grid[1, 1]]]),
        ((15.0, convert(movies)), grid[:1]),
        ((convert(users), 12.0), grid[:, 2:]),
        (([15.0, 3.0], [1.0, 10.0]), [[grid[0, 0], grid[1, 1]]]),  # a flat list is a row
    ):
        np.testing.assert_allclose(sheet.CF_PREDICT(*arguments), expected, atol=1e-6)
        assert np.shape(sheet.CF_PREDICT(*arguments)) == np.shape(expected)


@pytest.mark.parametrize("blank", [None, "", "  ", float("nan")])
def test_a_blank_gives_a_blank(sheet, blank):
    known = pytest.approx(sheet.CF_PREDICT(15, 1), abs=1e-6)
    assert sheet.CF_PREDICT(blank, 1) == sheet.CF_PREDICT(15, blank) == sheet.CF_PREDICT(blank, "no such") == ""
    assert sheet.CF_PREDICT([[15.0], [blank]], [[1.0, blank]]) == [[known, ""], ["", ""]]
    assert sheet.CF_PREDICT([["15"], [blank]], [["1", blank]]) == [[known, ""], ["", ""]]
    assert sheet.CF_USER_FACTORS([[blank]]) == [["", "", ""]]
    assert sheet.CF_USER_BIAS(blank) == sheet.CF_MOVIE_BIAS(blank) == sheet.CF_TITLE(blank) == ""
    for table in (sheet.CF_RECOMMEND, sheet.CF_SIMILAR, sheet.CF_FIND):
        assert table(blank, 2) == [["", ""], ["", ""]]
    assert sheet.CF_RATE([[1.0], [blank]], [[blank], [5.0]], 2) == [["", ""], ["", ""]]


@pytest.mark.parametrize(
    ("user", "movie", "words"),
    [
        (99999.0, 1.0, "CF_PREDICT: user 99999 is not in the model (5 users)"),
        (15.0, 99999.0, "CF_PREDICT: movie 99999 is not in the model (8 movies)"),
        (15.5, 1.0, "CF_PREDICT: user '15.5' is not in the model (5 users, numbers such as 1)"),
        ("nobody", "nothing", "CF_PREDICT: user 'nobody' is not in the model (5 users, numbers such as 1)"),
        (15.0, "Matrix (1998)", "CF_PREDICT: movie 'Matrix (1998)' is not in the model (8 movies)"),
        (15.0, "mat", "CF_PREDICT: movie 'mat' is not in the model (8 movies): did you mean Matrix, The (1999)?"),
        (15.0, "Hamlet", "CF_PREDICT: 'Hamlet' is 2 movies: 1411 Hamlet (1996), 3598 Hamlet (2000): give the id or"),
        (True, 1.0, "CF_PREDICT: TRUE is no id"),
        (1.0, False, "CF_PREDICT: FALSE is no id"),
        (15.0, datetime.datetime(2020, 1, 2), "CF_PREDICT: 2020-01-02 00:00:00 is no id"),
        (float("inf"), 1.0, "CF_PREDICT: user 'inf' is not in the model"),
        (1e300, 1.0, "CF_PREDICT: user '1e+300' is not in the model"),
        (2**70, 1, "CF_PREDICT: user '1180591620717411303424' is not in the model"),
        (10**400, 1, "CF_PREDICT: user '1000000000"),
        (10**5000, 1, "CF_PREDICT: user '0x"),
        (1, Fraction(10**400), "CF_PREDICT: movie '1000000000"),
        (Decimal("1e999999999"), 1, "CF_PREDICT: user '1E+999999999' is not in the model"),
        (np.bool_(True), 1, "CF_PREDICT: TRUE is no id"),
        (np.datetime64("2020-01-02"), 1, "CF_PREDICT: 2020-01-02 is no id"),
        ({"a": 10**5000}, 1, "CF_PREDICT: A VERY LONG DICT is no id"),
        (b"15", 1, "CF_PREDICT: B'15' is no id"),
        (1, "x" * 10**6, f"CF_PREDICT: movie '{'x' * 56}... is not in the model (8 movies)"),
        (1, "Hamlet" + " " * 10**6, "CF_PREDICT: 'Hamlet"),
        (NOT_AVAILABLE, 1.0, "#N/A"),
        (np.int32(NOT_AVAILABLE), 1.0, "#N/A"),
        (15.0, "#REF!", "#REF!"),
        (float(NOT_AVAILABLE), 1.0, "#N/A"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_can_not_be_scored_says_why(sheet, user, movie, words):
    text = sheet.CF_PREDICT(user, movie)
    assert text.startswith(words)
    assert len(text) < 300
    assert sheet.CF_PREDICT([[user], [15.0]], [[movie, 1.0]])[0][0] == text


def test_each_id_is_looked_up_once(sheet, monkeypatch):
    asked, rows = [], IdIndex.rows
    monkeypatch.setattr(IdIndex, "rows", lambda self, ids: asked.append(self.kind) or rows(self, ids))
    sheet.CF_PREDICT([[15.0], [3.0]], [[1.0, 10.0]])
    assert asked == ["user", "movie"]


def test_one_wrong_cell_leaves_the_others(sheet, predictor):
    expected = predictor.predict([[15], [3]], [[1, 10]]).astype(object)
    grid = sheet.CF_PREDICT([[15.0], [99.0], [3.0]], [[1.0, "x", 10.0]])
    assert [grid[0][0], grid[0][2], grid[2][0], grid[2][2]] == expected.ravel().tolist()
    assert all("user 99 is not" in text for text in grid[1])
    assert all("movie 'x' is not" in row[1] for row in (grid[0], grid[2]))


def test_a_host_makes_its_own_error_values(model_path):
    host = Functions(model_path, error_value=lambda text: ("error", text))
    assert host.CF_PREDICT(99, 1) == ("error", "CF_PREDICT: user 99 is not in the model (5 users)")
    assert host.CF_PREDICT([[99, None]], 1) == [[host.CF_PREDICT(99, 1), ""]]
    assert host.CF_RECOMMEND(99, 1)[0][0] == ("error", "CF_RECOMMEND: user 99 is not in the model (5 users)")
    assert host.CF_RMSE([[1.0]], [[1.0, 2.0]])[0] == "error"


def test_ranges_that_do_not_fit(sheet):
    assert "users and movies are 3 x 1 and 2 x 1 cells: expected" in sheet.CF_PREDICT([[1], [7], [3]], [[1], [10]])
    assert "expected a single value or a rectangle" in sheet.CF_PREDICT([[1, 7], [3]], 1)
    assert "expected a single value or a rectangle" in sheet.CF_PREDICT([], 1)
    for odd in ([[[1]]], [[[1], 2]], [[1, (2, 3)]], [[np.arange(2), 1]], [[np.eye(2), np.eye(3)]], np.array(5)):
        assert "expected a single value or a rectangle" in sheet.CF_PREDICT(odd, 1)
        assert "expected a single value or a rectangle" in sheet.CF_RECOMMEND(odd, 1)[0][0]
        assert "expected a single value or a rectangle" in sheet.CF_RATE(odd, odd, 1)[0][0]
        assert "expected a single value or a rectangle" in sheet.CF_RMSE(odd, odd)
    assert "at once is the most" in sheet.CF_PREDICT([[15.0]] * 5000, [[1.0] * 5000])
    assert "at once is the most" in sheet.CF_USER_FACTORS([[15.0]] * (functions_module.MOST_CELLS // 3 + 1))


def test_uncertainty_of_a_model_that_knows_it(sheet, tmp_path, tiny_factors):
    save_factors(tiny_factors("bayes"), tmp_path / "model")
    bayes, predictor = Functions(tmp_path / "model"), Predictor(tiny_factors("bayes"))
    assert bayes.CF_UNCERTAINTY(15, "The Matrix") == float(predictor.uncertainty(15, 2571))
    grid = predictor.uncertainty([[15], [3]], [[1, 10]]).tolist()
    assert bayes.CF_UNCERTAINTY([[15], [None], [3]], [[1, 10]]) == [grid[0], ["", ""], grid[1]]
    assert "user 99 is not in the model" in bayes.CF_UNCERTAINTY(99, 1)
    text = "CF_UNCERTAINTY: a model of kind collab knows no uncertainty: train one of kind bayes"
    assert sheet.CF_UNCERTAINTY(15, 1).startswith(text)
    assert bayes.CF_MODEL().startswith("bayes: 5 users")
    assert isinstance(bayes.CF_RATE(1, 5, 1)[0][1], float)


def test_factors_stand_beside_their_ids(sheet, predictor):
    factors = predictor.factors
    assert sheet.CF_USER_FACTORS(15) == [factors.user_factors[4].tolist()]
    assert sheet.CF_USER_FACTORS([[15.0], [1.0]]) == factors.user_factors[[4, 0]].tolist()
    assert sheet.CF_MOVIE_FACTORS([[1.0, "The Matrix"]]) == factors.movie_factors[[0, 1]].T.tolist()
    assert sheet.CF_USER_FACTORS([[None], [15.0]]) == [["", "", ""], factors.user_factors[4].tolist()]
    text = "CF_MOVIE_FACTORS: movie 99 is not in the model (8 movies)"
    assert sheet.CF_MOVIE_FACTORS([[99.0, 1.0]]) == [
        [cell, number] for cell, number in zip([text, "", ""], factors.movie_factors[0].tolist(), strict=True)
    ]
    assert "expected a row or a column" in sheet.CF_USER_FACTORS([[1, 7], [3, 42]])


def test_biases_and_titles_in_the_shape_of_the_ids(sheet, predictor):
    factors = predictor.factors
    assert sheet.CF_USER_BIAS(15.0) == float(factors.user_bias[4])
    assert sheet.CF_USER_BIAS([[15.0, None], [1.0, 7.0]]) == [
        [float(factors.user_bias[4]), ""],
        factors.user_bias[[0, 1]].tolist(),
    ]
    assert sheet.CF_MOVIE_BIAS([["The Matrix"]]) == [[float(factors.movie_bias[1])]]
    assert sheet.CF_TITLE([[2571.0], ["toy story"], [99.0]]) == [
        ["Matrix, The (1999)"],
        ["Toy Story (1995)"],
        ["CF_TITLE: movie 99 is not in the model (8 movies)"],
    ]


def test_recommendations_are_titles_and_scores(sheet, predictor):
    expected = [[movie.title, movie.score] for movie in predictor.recommend(42, 3)]
    assert (
        sheet.CF_RECOMMEND(42, 3) == sheet.CF_RECOMMEND("42", "3") == sheet.CF_RECOMMEND([[42.0]], [[3.0]]) == expected
    )
    assert sheet.CF_RECOMMEND(42) == sheet.CF_RECOMMEND(42, None) == sheet.CF_RECOMMEND(42, "")
    assert len(sheet.CF_RECOMMEND(42)) == 10
    assert sheet.CF_RECOMMEND(42, 6)[4:] == [["", ""], ["", ""]]  # four of eight are seen
    assert sheet.CF_RECOMMEND(99, 2) == [["CF_RECOMMEND: user 99 is not in the model (5 users)", ""], ["", ""]]
    assert sheet.CF_RECOMMEND(NOT_AVAILABLE, 1) == [["#N/A", ""]]
    assert "expected one user, not 2 x 1 cells" in sheet.CF_RECOMMEND([[1], [7]], 1)[0][0]
    for n in (0, -1, 1.5, "many", True, 1e9, "inf", 10**400, 10**5000, Decimal("1e400"), datetime.date(2020, 1, 2)):
        assert "expected a whole number from 1" in sheet.CF_RECOMMEND(42, n)[0][0]


@pytest.mark.parametrize("by", ["score", "watch"])
def test_lists_rank_as_the_predictor_does(tmp_path, tiny_factors, by):
    plain = tiny_factors("bayes")
    factors = replace(plain, lists=list_factors(by))
    save_factors(factors, tmp_path / "model")
    sheet, predictor = Functions(tmp_path / "model"), Predictor(factors)
    moved = 0
    for user in USERS:
        best = predictor.recommend(user, 8)
        shown = [[movie.title, movie.score] for movie in best]
        assert sheet.CF_RECOMMEND(float(user), 8)[: len(best)] == shown
        assert [score for _, score in shown] == pytest.approx(
            predictor.predict(user, [movie.movie_id for movie in best])
        )
        moved += best != Predictor(plain).recommend(user, 8)
    assert moved >= 3
    best = predictor.fold_in([1, "The Matrix"], [5, 2], 3)
    assert sheet.CF_RATE([[1.0], ["The Matrix"]], [[5.0], [2.0]], 3) == [[movie.title, movie.score] for movie in best]
    assert best != Predictor(plain).fold_in([1, "The Matrix"], [5, 2], 3)


def test_sentences_say_what_they_are_called(tmp_path, tiny_factors):
    texts = {"movie_ids": np.array([f"Mug {i}" for i in range(8)], object), "titles": np.array([""] * 8, object)}
    seen = {"seen_offsets": np.array([0, 8, 8, 8, 8, 8]), "seen_movies": np.arange(8, dtype=np.int32)}
    save_factors(replace(tiny_factors(), **texts, **seen, nouns=Nouns("customer", "product")), tmp_path / "model")
    sheet = Functions(tmp_path / "model")
    assert sheet.CF_RECOMMEND(1, 1) == [["this customer rated every product in the model", ""]]
    assert sheet.CF_RECOMMEND(99, 1)[0][0] == "CF_RECOMMEND: customer 99 is not in the model (5 customers)"
    assert sheet.CF_RECOMMEND([[1], [7]], 1)[0][0] == "CF_RECOMMEND: expected one customer, not 2 x 1 cells"
    assert sheet.CF_SIMILAR("Mug 1", 1, 99)[0][0] == "no other product has 99 ratings: give a smaller min_ratings"
    assert (
        sheet.CF_RATE([["Mug 1"]], [[5, 4]], 1)[0][0]
        == "CF_RATE: 1 products and 2 ratings: expected equally many cells"
    )
    assert sheet.CF_FIND("plate", 1) == [["no product has 'plate' in it", ""]]
    assert sheet.CF_FIND("MUG 3", 1) == [["Mug 3", ""]]
    assert sheet.CF_PREDICT([[1], [7]], [["Mug 1"], ["Mug 2"], ["Mug 3"]]) == (
        "CF_PREDICT: customers and products are 2 x 1 and 3 x 1 cells: expected one size, or customers in a column and "
        "products in a row"
    )
    assert ": 5 customers, 8 products, 3 factors; " in sheet.CF_MODEL()
    assert sheet.CF_TITLE("mug 1") == "Mug 1"


def test_a_user_who_rated_everything_has_no_recommendations(tmp_path, tiny_factors):
    seen = replace(tiny_factors(), seen_offsets=np.array([0, 8, 8, 8, 8, 8]), seen_movies=np.arange(8, dtype=np.int32))
    save_factors(seen, tmp_path / "model")
    sheet = Functions(tmp_path / "model")
    assert sheet.CF_RECOMMEND(1, 2) == [["this user rated every movie in the model", ""], ["", ""]]
    every = [[float(movie)] for movie in MOVIES]
    assert sheet.CF_RATE(every, [[3.0]] * 8, 1) == [["every movie in the model is rated", ""]]


def test_similar_movies(sheet, predictor):
    assert sheet.CF_SIMILAR("toy story", 3, 0) == [[movie.title, movie.score] for movie in predictor.similar(1, 3)]
    # of a few ratings, a movie need not have 20
    assert sheet.CF_SIMILAR(1, 3) == [[movie.title, movie.score] for movie in predictor.similar(1, 3)]
    assert sheet.CF_SIMILAR(1, 2, 20) == [["no other movie has 20 ratings: give a smaller min_ratings", ""], ["", ""]]
    assert "'Hamlet' is 2 movies" in sheet.CF_SIMILAR("Hamlet", 1)[0][0]


def test_someone_who_just_rated(sheet, predictor):
    expected = [[movie.title, movie.score] for movie in predictor.fold_in([1, "The Matrix"], [5, 3], 4)]
    assert sheet.CF_RATE([[1.0], ["The Matrix"]], [[5.0], [3.0]], 4) == expected
    assert sheet.CF_RATE([[1.0, None, "The Matrix", 12.0]], [[5.0], [None], [3.0], [""]], 4) == expected
    assert sheet.CF_RATE("The Matrix", "3", 1)[0][1] == predictor.fold_in(["The Matrix"], [3], 1)[0].score
    assert "2 movies and 1 ratings: expected" in sheet.CF_RATE([[1, 10]], 5)[0][0]
    assert "rating 9 is out of the model's range" in sheet.CF_RATE(1, 9)[0][0]
    assert "movie 'Nothing' is not" in sheet.CF_RATE("Nothing", 5)[0][0]
    assert sheet.CF_RATE([[1], [NOT_AVAILABLE]], [[5], [4]], 1) == [["#N/A", ""]]
    for odd in (True, 10**400, 10**5000, datetime.date(2020, 1, 2), "x" * 10**6):
        text = sheet.CF_RATE(1, odd)[0][0]
        assert text.startswith("CF_RATE: rating ")
        assert len(text) < 200


@pytest.mark.parametrize("by", ["score", "watch"])
def test_lists_rank_by_the_models_list_scores(by, tmp_path, tiny_factors):
    factors = replace(tiny_factors("bayes"), lists=list_factors(by))
    save_factors(factors, tmp_path / "model")
    sheet, predictor = Functions(tmp_path / "model"), Predictor(factors)
    rows = lambda found: [[movie.title, movie.score] for movie in found]  # noqa: E731
    by_rating = Predictor(replace(factors, lists=None))
    assert sheet.CF_RECOMMEND(42, 4) == rows(predictor.recommend(42, 4)) != rows(by_rating.recommend(42, 4))
    mine = [1, "The Matrix"], [5, 3]
    assert sheet.CF_RATE(*([[cell] for cell in cells] for cells in mine), 6) == rows(predictor.fold_in(*mine, 6))
    assert rows(predictor.fold_in(*mine, 6)) != rows(by_rating.fold_in(*mine, 6))


def test_movies_by_their_words(sheet, predictor):
    assert sheet.CF_FIND("hamlet", 3) == [*map(list, predictor.find("hamlet")), ["", ""]]
    assert sheet.CF_FIND('"Up" 🎈', 1) == [["no title has '\"Up\" 🎈' in it", ""]]
    assert sheet.CF_FIND(1999.0, 1) == [[2571, "Matrix, The (1999)"]]
    assert sheet.CF_FIND(1234567.0, 1) == [["no title has '1234567' in it", ""]]
    assert sheet.CF_FIND("x" * 10**6, 1) == [[f"no title has '{'x' * 56}... in it", ""]]


def test_titles_with_quotes(tmp_path, tiny_factors):
    titles = tiny_factors().titles.copy()
    titles[0] = 'Say "Hi", O\'Neil (1999)'
    save_factors(replace(tiny_factors(), titles=titles), tmp_path / "model")
    sheet = Functions(tmp_path / "model")
    assert sheet.CF_PREDICT(15, titles[0]) == sheet.CF_PREDICT(15, 1)
    assert sheet.CF_TITLE(1) == titles[0]


def test_rmse_counts_pairs_of_numbers(sheet):
    actual, predicted = [[1.0, None], [3.0, 4.0]], [[2.0, 5.0], ["", 6.0]]
    assert sheet.CF_RMSE(actual, predicted) == pytest.approx(np.sqrt((1 + 4) / 2), abs=1e-12)
    assert sheet.CF_RMSE([[1.0, True]], [[1.0, 5.0]]) == 0
    assert "no cell of one range has a number" in sheet.CF_RMSE([[None]], [[1.0]])
    assert sheet.CF_RMSE([[1.0, NOT_AVAILABLE]], [[1.0, 2.0]]) == "#N/A"
    for beyond in (10**400, 1e300, Decimal("1e400")):
        assert sheet.CF_RMSE([[1.0, beyond]], [[1.0, 2.0]]) == "CF_RMSE: the numbers are too large to be squared"
    assert "the ranges are 1 x 2 and 2 x 1 cells" in sheet.CF_RMSE([[1.0, 2.0]], [[1.0], [2.0]])


def test_the_model_says_what_it_is(sheet, model_path, tmp_path, tiny_factors):
    text = sheet.CF_MODEL()
    assert text.startswith("collab: 5 users, 8 movies, 3 factors; trained 20")
    assert text.endswith(f"; {model_path.name}")
    measured = replace(tiny_factors(), record={"metrics": {"val_rmse": 0.8757}})
    save_factors(measured, tmp_path / "model")
    assert "; validation RMSE 0.8757; " in Functions(tmp_path / "model").CF_MODEL()
    assert "; no validation RMSE; " in text


def test_a_model_file_with_a_time_of_no_calendar_or_removed_meanwhile(tmp_path, tiny_factors, monkeypatch):
    path = tmp_path / "model"
    save_factors(tiny_factors(), path)
    sheet = Functions(path)
    monkeypatch.setattr(functions_module.time, "localtime", lambda seconds: (_ for _ in ()).throw(OverflowError()))
    assert sheet.CF_MODEL() == "collab: 5 users, 8 movies, 3 factors; no validation RMSE; model"
    loaded = sheet.load()
    path.unlink()
    monkeypatch.setattr(functions_module, "load_predictor", lambda path: loaded)
    assert sheet.CF_MODEL().startswith("collab: 5 users, 8 movies, 3 factors; no validation")


def test_a_model_file_missing_corrupt_and_replaced(tmp_path, tiny_factors):
    path = tmp_path / "model.safetensors"
    sheet = Functions(path)
    missing = f"there is no model at {path}: run python -m cf_excel train"
    for name, signature in signatures().items():
        if name not in ("CF_RMSE", "CF_FILL", "CF_TOP", "CF_FIT"):  # they need no model
            result = getattr(sheet, name)(*[1.0] * len(signature.parameters))
            assert as_cells(result)[0, 0] == f"{name}: {missing}"
    save_factors(tiny_factors(seed=0), path)
    first = sheet.CF_PREDICT(15, 1)
    save_factors(tiny_factors(seed=1), path)
    assert sheet.CF_PREDICT(15, 1) == float(Predictor(tiny_factors(seed=1)).predict(15, 1)) != first
    path.write_bytes(path.read_bytes()[:-10])
    assert "is not a whole cf_excel model" in sheet.CF_PREDICT(15, 1)
    save_factors(tiny_factors(seed=0), path)
    assert sheet.CF_PREDICT(15, 1) == first


def test_the_default_model_is_found_at_each_call(monkeypatch, model_path, tmp_path):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(model_path))
    assert isinstance(Functions().CF_PREDICT(15, 1), float)
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "none"))
    assert "there is no model" in Functions().CF_PREDICT(15, 1)


def test_the_model_is_read_once(monkeypatch, model_path, sheet):
    sheet.CF_PREDICT(15, 1)
    monkeypatch.setattr("cf_excel.model.predictor.load_factors", lambda path: pytest.fail("read again"))
    for name, signature in signatures().items():
        getattr(sheet, name)(*[1.0] * len(signature.parameters))


def test_ten_threads_while_the_file_is_replaced(tmp_path, tiny_factors):
    path = tmp_path / "model.safetensors"
    models = [tiny_factors(seed=seed) for seed in (0, 1)]
    save_factors(models[0], path)
    sheet = Functions(path)
    right = [Predictor(factors).predict([[15], [3]], [[1, 10]]).tolist() for factors in models]
    wrong, stop = [], threading.Event()

    def call():
        while not stop.is_set():
            results = sheet.CF_PREDICT([[15.0], ["3"]], [[1.0, "10"]]), sheet.CF_SIMILAR("Toy Story", 2, 0)
            if results[0] not in right or len(results[1]) != 2 or not isinstance(results[1][0][1], float):
                wrong.append(results)

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for turn in range(30):
        save_factors(models[turn % 2], path)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_every_row_of_a_sheet(sheet, predictor):
    n = 1_048_576
    ids = np.array(USERS, float)[np.arange(n) % 5]
    result = sheet.CF_PREDICT(tuple(zip(ids.tolist(), strict=True)), 1.0)
    np.testing.assert_array_equal(np.ravel(result), predictor.predict(ids, 1))
    mixed = [["toy story"], [None], ["7"], [99.0]] * (n // 4)
    one = sheet.CF_TITLE(mixed[:4])
    assert sheet.CF_TITLE(mixed) == one * (n // 4)


def test_twenty_thousand_unknown_titles_take_no_minutes(sheet, monkeypatch):
    hints = []
    find = MovieIndex.find
    monkeypatch.setattr(MovieIndex, "find", lambda self, *args: hints.append(args) or find(self, *args))
    result = sheet.CF_TITLE([[f"nothing {i}"] for i in range(20_000)])
    assert result[-1] == ["CF_TITLE: movie 'nothing 19999' is not in the model (8 movies)"]
    assert len(hints) == 20


@pytest.mark.parametrize("number", [np.int64, Decimal, Fraction])
def test_ids_of_sixteen_digits_keep_each_of_them(tmp_path, tiny_factors, number):
    users = 2**53 + np.arange(5)
    save_factors(replace(tiny_factors(), user_ids=users), tmp_path / "model")
    rows = [[number(user)] for user in users.tolist()]
    assert np.ravel(Functions(tmp_path / "model").CF_USER_BIAS(rows)).tolist() == tiny_factors().user_bias.tolist()


def test_ids_that_are_texts(tmp_path, tiny_factors):
    users = np.array(["007", "7", "True", "#N/A", "é"], object)
    save_factors(replace(tiny_factors(), user_ids=users), tmp_path / "model")
    sheet = Functions(tmp_path / "model")
    biases = tiny_factors().user_bias.tolist()
    assert sheet.CF_USER_BIAS([["007", 7.0, "7", "True", True, "é"]]) == [
        [biases[0], biases[1], biases[1], biases[2], "CF_USER_BIAS: TRUE is no id", biases[4]]
    ]


LOOK_UPS = {
    "user": lambda sheet, i: sheet.CF_PREDICT(1e7 + i, 1.0),
    "title": lambda sheet, i: sheet.CF_PREDICT(1.0, f"nothing {i}"),
    "hint": lambda sheet, i: sheet.CF_TITLE("mat"),
    "several": lambda sheet, i: sheet.CF_MOVIE_BIAS("Hamlet"),
    "grid": lambda sheet, i: sheet.CF_PREDICT([[1e7 + i], [15.0]], [["nothing", 1.0, None]]),
    "spread": lambda sheet, i: sheet.CF_UNCERTAINTY(1e7 + i, 1.0),
    "factors": lambda sheet, i: (sheet.CF_USER_FACTORS(1e7 + i), sheet.CF_MOVIE_FACTORS(f"nothing {i}")),
    "error": lambda sheet, i: sheet.CF_USER_BIAS(NOT_AVAILABLE),
    "lists": lambda sheet, i: (sheet.CF_RECOMMEND(1e7 + i), sheet.CF_SIMILAR("nothing"), sheet.CF_RATE("nothing", 5)),
    "shapes": lambda sheet, i: sheet.CF_PREDICT([[1.0], [7.0]], [[1.0], [10.0], [11.0]]),
    "worker": lambda sheet, i: answer(sheet, json.dumps({"function": "CF_PREDICT", "arguments": [10**7 + i, "x"]})),
}


@pytest.mark.parametrize("name", LOOK_UPS)
def test_what_can_not_be_found_leaves_nothing_in_memory(sheet, name):
    """Not even what the garbage collector would find: it does not look into arrays of objects."""
    for i in range(3):
        LOOK_UPS[name](sheet, i)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for i in range(100):
            LOOK_UPS[name](sheet, i)
        assert len(gc.get_objects()) - before < 100
    finally:
        gc.enable()


ids = st.one_of(
    st.sampled_from([*USERS, *map(float, USERS), *map(str, USERS)]),
    st.sampled_from([None, "", " ", float("nan"), True, False, *ERRORS, *ERRORS.values(), "Hamlet", "toy story"]),
    st.floats(),
    st.integers(),
    st.text(max_size=8),
    st.decimals(),
    st.datetimes(),
    st.sampled_from([10**400, -(10**5000), Decimal("sNaN"), Decimal("1e999999"), Fraction(1, 3), 2j, b"15", {"a": 1}]),
    st.sampled_from([np.float32(15), np.int8(7), np.bool_(True), np.datetime64("NaT"), pd.NA, pd.NaT, "x" * 99_999]),
)
grids = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(ids, min_size=width, max_size=width), min_size=1, max_size=4)
)


NUMBERS = (Real, Decimal)


@given(users=st.one_of(ids, grids), movies=st.one_of(ids, grids))
def test_any_values_give_cells(sheet, users, movies):
    for name, signature in signatures().items():
        result = getattr(sheet, name)(*[users, movies, movies][: len(signature.parameters)])
        headers = {id(one) for one in as_cells(users).ravel() if isinstance(one, bool) or not isinstance(one, NUMBERS)}
        for cell in as_cells(result).ravel():
            if name == "CF_FILL" and id(cell) in headers:
                continue  # as it is
            assert type(cell) in (str, float, int)
            assert len(cell) < 300 and "\n" not in cell if isinstance(cell, str) else math.isfinite(cell)


@given(users=grids)
def test_a_range_gives_what_its_cells_give(sheet, users):
    for row, results in zip(users, sheet.CF_PREDICT(users, 1.0), strict=True):
        for user, result in zip(row, results, strict=True):
            alone = sheet.CF_PREDICT(user, 1.0)
            assert result == (alone if isinstance(alone, str) else pytest.approx(alone, abs=1e-6))


def test_numpy_is_all_that_the_functions_load(model_path):
    code = (
        "import sys; from cf_excel.udf.functions import Functions; assert Functions().CF_PREDICT(15, 1) > 0; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    env = os.environ | {"CF_EXCEL_MODEL": str(model_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    loaded = set(done.stdout.split())
    assert "numpy" in loaded
    assert loaded & {"torch", "pandas", "openpyxl", "matplotlib", "numba", "scipy", "xlwings", "rich"} == set()

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.models import list_factors

from cf_excel.cli import main
from cf_excel.model.file import save_factors
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.nouns import Nouns


@pytest.fixture
def predictor(tiny_factors, tmp_path, monkeypatch):
    factors = tiny_factors()
    save_factors(factors, tmp_path / "model")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model"))
    return Predictor(factors)


@pytest.fixture
def answer(predictor, capsys):
    def run(*argv):
        assert main(argv) == 0
        return capsys.readouterr().out

    return run


def listed(predictor, movies, score):
    """What JSON says of scored movies."""
    n_ratings = dict(zip(predictor.factors.movie_ids.tolist(), predictor.n_ratings.tolist(), strict=True))
    return [{"movie_id": i, "title": t, score: s, "n_ratings": n_ratings[i]} for i, t, s in movies]


def test_predict(answer, predictor):
    rating = predictor.predict(15, 2571)
    lines = answer("predict", "15", "the matrix").splitlines()
    assert lines[0].split() == ["user", "movie", "title", "prediction"]
    assert lines[1].split() == ["15", "2571", "Matrix,", "The", "(1999)", f"{rating:.2f}"]
    found = json.loads(answer("predict", "15.0", "2571", "--json"))
    assert found == {"user_id": 15, "movie_id": 2571, "title": "Matrix, The (1999)", "prediction": float(rating)}


def test_recommend(answer, predictor):
    expected = listed(predictor, predictor.recommend(42, 2), "prediction")
    found = json.loads(answer("recommend", "42", "-n", "2", "--json"))
    assert found == {"user_id": 42, "recommendations": expected}
    assert len(answer("recommend", "42").splitlines()) == 1 + 4
    assert len(answer("recommend", "42", "--include-seen").splitlines()) == 1 + 8


def test_lists_of_what_enough_people_rated_and_of_what_few_did(answer, predictor, tmp_path, monkeypatch, capsys):
    assert [line.split()[0] for line in answer("recommend", "3", "--min-ratings", "2").splitlines()] == ["movie", "1"]
    assert answer("rate", "The Matrix=3", "--min-ratings", "2").split()[:4] == [
        "movie",
        "title",
        "prediction",
        "ratings",
    ]
    assert main(["recommend", "1", "--min-ratings", "2"]) == 2
    assert "the user rated every movie that has 2 ratings: add --include-seen" in capsys.readouterr().err
    assert main(["rate", "Toy Story=3", "--min-ratings", "2"]) == 2
    assert "you rated every movie in the model that has 2 ratings" in capsys.readouterr().err
    for command in (["recommend", "42"], ["rate", "Toy Story=3"]):
        assert main([*command, "--min-ratings", "3"]) == 2
        assert "no movie has 3 ratings: give a smaller --min-ratings" in capsys.readouterr().err
    assert main(["recommend", "42", "--explore", "0.5"]) == 2
    assert "lists rank by the rating: to explore, train one with --lists score" in capsys.readouterr().err
    listing = Predictor(replace(predictor.factors, lists=list_factors()))
    save_factors(listing.factors, tmp_path / "lists")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "lists"))
    found = json.loads(answer("recommend", "42", "--explore", "0.9", "--json"))["recommendations"]
    assert found == listed(listing, listing.recommend(42, explore=0.9), "prediction")
    for command in (["recommend", "42"], ["rate", "Toy Story=5"]):
        assert main([*command, "--explore", "2"]) == 2
        assert "explore 2: expected 0 to 1" in capsys.readouterr().err
    found = json.loads(answer("rate", "Toy Story=5", "--explore", "0.9", "--json"))["recommendations"]
    assert found == listed(listing, listing.fold_in([1], [5], explore=0.9), "prediction")


def test_a_bayes_model_says_how_sure_it_is(tiny_factors, tmp_path, monkeypatch, capsys):
    predictor = Predictor(tiny_factors("bayes"))
    save_factors(predictor.factors, tmp_path / "bayes")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "bayes"))
    assert main(["predict", "15", "2571", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["standard_deviation"] == float(predictor.uncertainty(15, 2571))
    assert main(["recommend", "42", "--lower-bound", "--json"]) == 0
    expected = predictor.recommend(42, lower_bound=1.2816)
    assert [movie["lower_bound"] for movie in json.loads(capsys.readouterr().out)["recommendations"]] == [
        movie.score for movie in expected
    ]
    assert main(["recommend", "42", "--lower-bound"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["movie", "title", "lower", "bound", "ratings"]


def test_a_lower_bound_needs_a_bayes_model(predictor, capsys):
    assert main(["recommend", "42", "--lower-bound"]) == 2
    assert "a model of kind collab knows no uncertainty: train one of kind bayes" in capsys.readouterr().err


def test_similar(answer, predictor):
    expected = listed(predictor, predictor.similar(1, 3), "similarity")
    found = json.loads(answer("similar", "Toy Story", "-n", "3", "--min-ratings", "0", "--json"))
    assert json.loads(answer("similar", "Toy Story", "-n", "3", "--json")) == found
    assert found == {"movie_id": 1, "title": "Toy Story (1995)", "similar": expected}


def test_rate(answer, predictor):
    expected = listed(predictor, predictor.fold_in([1, 10], [5, 2.5], 3), "prediction")
    found = json.loads(answer("rate", "Toy Story=5", "a=b = 2.5", "-n", "3", "--json"))
    assert found["recommendations"] == expected
    assert found["rated"] == [
        {"movie_id": 1, "title": "Toy Story (1995)", "rating": 5.0},
        {"movie_id": 10, "title": "a=b (2001)", "rating": 2.5},
    ]


def test_plain_tables_are_aligned_and_keep_a_line_a_row(tiny_factors, tmp_path, capsys):
    factors = tiny_factors()
    titles = factors.titles.copy()
    titles[0], titles[1], titles[2] = "very long " * 40, "[bold]two\nlines\x1b[31m :smile:", "寿司"
    save_factors(replace(factors, titles=titles), tmp_path / "m")
    assert main(["recommend", "42", "--model", str(tmp_path / "m"), "--include-seen"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9
    assert any("[bold]two lines?[31m :smile:" in line for line in lines)
    assert len({len(line) for line in lines if line.isascii()}) == 1


def test_output_in_an_encoding_that_lacks_the_titles(predictor, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    command = [sys.executable, "-m", "cf_excel", "recommend", "42", "--include-seen"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Toy Story (1995)" in done.stdout
    assert "????" in done.stdout


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["predict", "99", "1"], "predict: user 99 is not in the model (5 users)"),
        (["predict", "1", "99999"], "predict: movie 99999 is not in the model (8 movies)"),
        (["predict", "1", "Heat"], "movie 'Heat' is not in the model"),
        (["predict", " ", "1"], "an id is blank"),
        (["predict", "1", ""], "an id is blank"),
        (["predict", "1", "hamlet"], "1411 Hamlet (1996), 3598 Hamlet (2000): give the id or the year"),
        (["predict", "1", "1", "--model", "absent"], "absent: run python -m cf_excel train"),
        (["recommend", "99"], "user 99 is not"),
        (["recommend", "1", "-n", "0"], "n 0: expected a whole number, 1 or more"),
        (["similar", "Matri"], "did you mean Matrix, The (1999)?"),
        (["similar", "1", "-n", "-3", "--min-ratings", "0"], "n -3: expected"),
        (["similar", "1", "--min-ratings", "20"], "no other movie has 20 ratings: pass --min-ratings 0"),
        (["rate", "Toy Story"], "'Toy Story': expected a movie, = and a rating"),
        (["rate", "=5"], "'=5': expected a movie"),
        (["rate", "Toy Story="], "expected a movie, = and a rating"),
        (["rate", "Toy Story=great"], "rating 'great': expected a number from 0.5 to 5"),
        (["rate", "Toy Story=6"], "rating 6 is out of the model's range"),
        (["rate", "Toy Story=nan"], "rating 'nan': expected a number from 0.5 to 5"),
        (["rate", "Hamlet=5"], "'Hamlet' is 2 movies"),
        (["rate", "1=5", "-n", "0"], "n 0: expected"),
        (["rate", *(f"{i}=5" for i in (1, 2571, 1411, 3598, 10, 4973, 11, 12))], "you rated every movie"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(argv, words, predictor, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert captured.err.count("\n") == 1


def test_a_user_who_rated_everything(tiny_factors, tmp_path, capsys):
    factors = tiny_factors()
    full = replace(factors, seen_offsets=np.array([0, 8, 8, 8, 8, 8]), seen_movies=np.arange(8, dtype=np.int32))
    save_factors(full, tmp_path / "m")
    assert main(["recommend", "1", "--model", str(tmp_path / "m")]) == 2
    assert "the user rated every movie: add --include-seen" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["recommend", "1", "2"], ["recommend", "1", "-n", "x"]])
def test_bad_options_are_one_line_and_exit_code_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def shop(tiny_factors, tmp_path, monkeypatch):
    """A model of customers and products without titles."""
    products = [f"Mug {i}" for i in range(8)]
    changes = {"movie_ids": np.array(products, object), "titles": np.array([""] * 8, object)}
    save_factors(replace(tiny_factors(), **changes, nouns=Nouns("customer", "product")), tmp_path / "shop")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "shop"))


@pytest.mark.parametrize(
    ("argv", "headings"),
    [
        (["predict", "15", "mug 3"], ["customer", "product", "prediction"]),
        (["recommend", "15", "-n", "3"], ["product", "prediction", "ratings"]),
        (["similar", "Mug 0", "--min-ratings", "0"], ["product", "similarity", "ratings"]),
        (["rate", "Mug 0=5"], ["product", "prediction", "ratings"]),
    ],
)
def test_tables_say_what_they_are_called_and_have_no_empty_titles(shop, capsys, argv, headings):
    assert main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == headings
    assert lines[1].split()[headings.index("product")] == "Mug"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["recommend", "17"], "customer 17 is not in the model (5 customers)"),
        (["similar", "Mug 0", "--min-ratings", "99"], "no other product has 99 ratings: pass --min-ratings 0"),
        (["rate", "Mug 0"], "'Mug 0': expected a product, = and a rating, such as \"Blue mug=5\""),
    ],
)
def test_errors_say_what_they_are_called(shop, capsys, argv, says):
    assert main(argv) == 2
    assert says in capsys.readouterr().err

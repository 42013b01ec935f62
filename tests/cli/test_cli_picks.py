"""Train on a table without ratings and ask the model, from the command line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cf_excel.cli import main
from cf_excel.errors import InputError
from cf_excel.model.file import load_factors, save_factors
from cf_excel.udf.functions import Functions


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables of orders of 60 customers, each of whom buys of one half of 20 products."""
    folder, rng = tmp_path_factory.mktemp("orders"), np.random.default_rng(0)
    rows = [
        (f"C{user:02}", f"P{product + 10 * (user % 2)}", rng.integers(1, 4))
        for user in range(60)
        for product in rng.choice(10, 6, replace=False)
    ]
    (folder / "bare.csv").write_text("Customer,Product\n" + "".join(f"{user},{item}\n" for user, item, _ in rows))
    table = "".join(f"{user},{item},{n}\n" for user, item, n in rows)
    (folder / "counted.csv").write_text("Customer,Product,Quantity\n" + table)
    (folder / "likes.csv").write_text("user,item,rating\n" + "".join(f"{user},{item},1\n" for user, item, _ in rows))
    return folder


@pytest.fixture
def model(orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A model of the bare orders, where the commands look for it."""
    path = tmp_path / "model.safetensors"
    monkeypatch.setenv("CF_EXCEL_MODEL", str(path))
    assert main(["train", "--ratings", str(orders / "bare.csv")]) == 0
    capsys.readouterr()
    return path


@pytest.mark.parametrize(
    ("name", "why"),
    [("bare", "there is no column of ratings"), ("counted", "Quantity holds counts"), ("likes", "every rating is 1")],
)
def test_train_takes_the_kind_by_itself_and_says_so(orders, name, why, tmp_path, capsys):
    out = tmp_path / "model"
    assert main(["train", "--ratings", str(orders / f"{name}.csv"), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert f"{name}.csv read as picks, not as ratings: {why} (--explicit: as ratings)" in said.err
    lines = said.out.splitlines()
    assert lines[0] == f"{name}.csv: 288 picks to train on, 72 held back (split: lesson)"
    assert lines[-2].startswith("lists of 10 against the picks that were held back: NDCG 0.")
    assert len(lines) == (4 if name == "counted" else 3)  # one on what counts weigh
    assert "RMSE" not in said.out
    factors = load_factors(out)
    assert factors.kind == "picks"
    assert factors.record["metrics"].keys() == {"val_ndcg", "val_hit_rate"}


def test_options_say_what_a_table_is(orders, tmp_path, capsys):
    table, out = str(orders / "counted.csv"), str(tmp_path / "model")
    train = ["train", "--ratings", table, "--out", out, "--force"]
    for options, kind in {("--explicit",): "bayes", ("--kind", "bayes"): "bayes", ("--kind", "picks"): "picks"}.items():
        assert main([*train, *options]) == 0
        assert load_factors(out).kind == kind
    for options, message in {
        ("--implicit", "--kind", "bayes"): "--kind bayes is for ratings",
        ("--explicit", "--kind", "picks"): "--kind picks is for tables without ratings",
        ("--implicit", "--lists", "rating"): "--lists rating is for ratings: lists of picks rank by watch",
        ("--epochs", "3"): "--epochs is for ratings, and counted.csv has picks",
        ("--implicit", "--factors", "999"): "factors 999: expected 1 to",
    }.items():
        capsys.readouterr()
        assert main([*train, *options]) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_picks_that_tell_nothing_replace_no_model(model, tmp_path, capsys):
    rng, before = np.random.default_rng(3), model.read_bytes()
    items = rng.geometric(0.1, 400)  # nobody has a taste of their own: the most picked are the best list there is
    rows = {(f"C{user}", f"P{item}") for user, item in zip(rng.integers(0, 40, 400), items, strict=True)}
    table = tmp_path / "noise.csv"
    table.write_text("Customer,Product\n" + "".join(f"{user},{item}\n" for user, item in sorted(rows)))
    assert main(["train", "--ratings", str(table)]) == 2
    assert "no better than a list of what is picked most: the former one stays" in capsys.readouterr().err
    assert model.read_bytes() == before


def test_answers_are_scores_and_not_ratings(model, capsys):
    def answer(*command: str) -> str:
        assert main(list(command)) == 0
        return capsys.readouterr().out

    for command in (["recommend", "C00"], ["rate", "P1", "P2=3"]):
        found = json.loads(answer(*command, "-n", "3", "--json"))["recommendations"]
        assert all(0 < movie["score"] < 1 and "prediction" not in movie for movie in found)
        assert {movie["movie_id"] for movie in found} <= {f"P{i}" for i in range(10)}  # of their half
    assert json.loads(answer("rate", "P1", "P2=3", "--json"))["rated"] == [
        {"movie_id": "P1", "title": "", "count": 1.0},
        {"movie_id": "P2", "title": "", "count": 3.0},
    ]
    own, other = (json.loads(answer("predict", "C00", item, "--json"))["score"] for item in ("P1", "P11"))
    assert 0 <= other < 0.1 < own < 1
    similar = json.loads(answer("similar", "P3", "-n", "4", "--json"))["similar"]
    assert {movie["movie_id"] for movie in similar} <= {f"P{i}" for i in range(10)}
    assert answer("recommend", "C00", "-n", "1").split()[:3] == ["product", "score", "picks"]
    assert answer("recommend", "--all", "-n", "1").split()[:5] == ["customer", "rank", "product", "score", "picks"]
    assert main(["rate", "P1=0"]) == 2
    assert "count '0': expected a number above 0" in capsys.readouterr().err


def test_what_a_model_of_picks_cannot_do_is_refused_in_one_line(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["build", "--only", "collab"]) == 0
    capsys.readouterr()
    for command in (["plot"], ["export"], ["write", "collab_filter.xlsx", "--out", "other.xlsx"]):
        assert main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "trained on picks, not on ratings" in line
        assert "recommend, similar, rate and the CF_ functions work with it" in line
    assert main(["build", "--only", "functions"]) == 2
    assert "trained on picks, not on ratings: train it on these first" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["collab_filter.xlsx", "model.safetensors"]


def test_the_functions_of_sheets_show_scores(model):
    functions = Functions(model)
    assert 0 < functions.CF_PREDICT("C00", "P1") < 1
    assert [row[0][0] for row in functions.CF_RECOMMEND("C00", 2)] == ["P", "P"]
    assert 0 < functions.CF_RATE([["P1"]], [[250]], 1)[0][1] < 1
    assert "validation NDCG of lists of 10 0." in functions.CF_MODEL()
    assert "count -1: expected a number above 0" in functions.CF_RATE([["P1"]], [[-1]], 1)[0][0]


def test_a_damaged_weight_is_refused(model):
    factors = load_factors(model)
    for name, value in (("half_count", -1), ("usual_count", 0)):
        layers = factors.layers | {name: np.float32([value])}
        with pytest.raises(InputError, match=name):
            save_factors(replace(factors, layers=layers), model)

"""--json and --quiet of the commands that take their time."""

import json
import math
from pathlib import Path

import pytest
from support.own_books import grid_book
from support.planted import low_rank_ratings

from cf_excel.cli import main
from cf_excel.model.file import load_factors


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """A table of planted ratings."""
    planted = low_rank_ratings(30, 40)
    rows = zip(planted.user_idx.tolist(), planted.movie_idx.tolist(), planted.rating.tolist(), strict=True)
    path = tmp_path / "ratings.csv"
    path.write_text("userId,movieId,rating\n" + "".join(f"{user},{movie},{rating}\n" for user, movie, rating in rows))
    return path


@pytest.mark.parametrize("kind", ["bayes", "collab"])
def test_train_as_json_is_what_the_model_keeps(kind, ratings, tmp_path, capsys):
    out = tmp_path / "model"
    options = ["--device", "cpu", "--factors", "4", "--epochs", "2", "--split", "random", "--kind", kind]
    assert main(["train", "--ratings", str(ratings), "--out", str(out), "--json", *options]) == 0
    answer, record = json.loads(capsys.readouterr().out), load_factors(out).record
    assert (answer["model"], answer["kind"], answer["split"]) == (str(out), kind, "random")
    assert answer["metrics"] == record["metrics"]
    n_rows = len(ratings.read_text().splitlines()) - 1
    assert answer["held_back"] == n_rows // 5
    assert answer["trained_on"] + answer["held_back"] == n_rows
    last = answer["epochs"][-1]
    assert last["val_mse"] == pytest.approx(record["metrics"]["val_mse"], rel=1e-4)
    assert last["val_rmse"] == math.sqrt(last["val_mse"])
    assert [errors["val_mse"] for errors in answer["baselines"].values()] == record["baselines"]
    assert answer["verdict"][0].startswith("a typical error of")


def test_what_was_not_measured_is_null(ratings, tmp_path, capsys):
    options = ["--device", "cpu", "--factors", "4", "--epochs", "1", "--split", "none", "--kind", "dot"]
    assert main(["train", "--ratings", str(ratings), "--out", str(tmp_path / "model"), "--json", *options]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["held_back"], answer["baselines"], answer["epochs"][0]["val_mse"]) == (0, {}, None)


def test_train_on_picks_as_json(tmp_path, capsys):
    path, out = tmp_path / "orders.csv", tmp_path / "model"
    path.write_text("user,item\n" + "".join(f"u{u},i{i}\n" for u in range(20) for i in range(12) if (u + i) % 3))
    assert main(["train", "--ratings", str(path), "--split", "random", "--out", str(out), "--json", "--force"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["kind"] == "picks"
    assert answer["metrics"].keys() == {"val_ndcg", "val_hit_rate"}


def test_fill_as_json(tmp_path, capsys):
    path = grid_book(tmp_path / "own.xlsx")
    assert main(["fill", str(path), "--backup", "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert (answer["path"], answer["backup"]) == (str(path), str(tmp_path / "own.bak.xlsx"))
    assert answer["sheets"] == ["predictions", "recommendations", "similar", "fit"]
    assert 0 < answer["rmse"] < answer["mean_rmse"]
    assert answer["ndcg"] is None
    assert [f"note: {text}" for text in answer["notes"]] == said.err.splitlines()


def test_evaluate_as_json_is_what_results_json_has(ratings, tmp_path, capsys):
    out = tmp_path / "evaluation"
    options = ["--models", "bayes", "--split", "lesson", "--out", str(out), "--json"]
    assert main(["evaluate", "--ratings", str(ratings), *options]) == 0
    answer, kept = json.loads(capsys.readouterr().out), json.loads((out / "results.json").read_text())
    assert answer["results"] == kept["results"]
    assert answer.keys() ^ kept.keys() == {"digest", "files"}
    assert str(out / "results.md") in answer["files"]


def test_quiet_prints_nothing_but_what_is_wrong(ratings, tmp_path, capsys):
    book, out = grid_book(tmp_path / "own.xlsx"), tmp_path / "model"
    train = ["train", "--ratings", str(ratings), "--device", "cpu", "--epochs", "2", "--split", "random", "--quiet"]
    evaluate = ["evaluate", "--ratings", str(ratings), "--models", "bayes", "--split", "lesson", "--quiet"]
    for command in (
        [*train, "--out", str(out)],
        [*evaluate, "--out", str(tmp_path / "e")],
        ["fill", str(book), "--quiet"],
    ):
        assert main(command) == 0
        assert capsys.readouterr().out == ""
    assert out.exists()
    assert main(["fill", str(tmp_path / "gone.xlsx"), "--json"]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)

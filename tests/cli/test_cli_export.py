"""python -m cf_excel export."""

import re

import numpy as np
import openpyxl
import pandas as pd
import pytest
from support.recommenders import random_factors

from cf_excel.cli import main
from cf_excel.model import shrink
from cf_excel.model.file import save_factors
from cf_excel.sheets.recommender import fitting


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    save_factors(random_factors("bayes"), path)
    return path


def test_export_writes_the_workbook_and_says_what_it_holds(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(model))
    monkeypatch.chdir(tmp_path)
    assert main(["export"]) == 0
    out = capsys.readouterr().out
    n = len(random_factors("bayes").seen_movies)
    assert re.match(rf"wrote recommender\.xlsx: 40 users, 120 movies, 4 factors, {n:,} ratings, \d\d kB\n", out)
    assert "it tells who rated what: pass --no-ratings" in out
    assert openpyxl.load_workbook(tmp_path / "recommender.xlsx").sheetnames[0] == "predict"


def test_a_small_file_without_ratings(model, tmp_path, capsys):
    path = tmp_path / "small.xlsx"
    options = ["--no-ratings", "--top-movies", "30", "--factors", "2", "--digits", "3"]
    assert main(["export", "--model", str(model), "--out", str(path), *options]) == 0
    out = capsys.readouterr().out
    small = shrink.keep_movies(random_factors("bayes"), 30)
    small, change = shrink.keep_factors(small, 2)
    assert f"2 factors: predictions change by {change:.3f} rating points (RMS over all pairs)\n" in out
    assert "40 users, 30 movies, 2 factors, 0 ratings" in out
    assert "who rated what" not in out
    workbook = openpyxl.load_workbook(path)
    sheet, _, area = workbook.defined_names["user_factors"].attr_text.partition("!")
    found = [[cell.value for cell in row] for row in workbook[sheet][area.replace("$", "")]]
    order = np.argsort(small.user_ids)
    np.testing.assert_allclose(found, small.user_factors[order], atol=0.00051)
    notes = [row[1].value or "" for row in workbook["predict"].iter_rows(max_row=3)]
    assert "validation RMSE of all 4 factors" in " ".join(notes)


def test_what_does_not_fit_is_said_in_one_line(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fitting, "MOST_NUMBERS", 4 * 50)
    assert main(["export", "--model", str(model), "--out", str(tmp_path / "r.xlsx")]) == 0
    line = "note: the file takes the 25 most active of 40 users and the 25 most rated of 120 movies: more does not fit"
    assert capsys.readouterr().err == f"{line} (without ratings more may: --no-ratings)\n"
    assert main(["export", "--model", str(model), "--out", str(tmp_path / "r.xlsx"), "--no-ratings"]) == 0
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--out", "r.xls"], "--out r.xls: expected a name that ends in .xlsx"),
        (["--out", "nowhere/r.xlsx"], "can't write nowhere"),
        (["--digits", "0"], "--digits 0: expected 1 to 15"),
        (["--top-movies", "121"], "--top-movies 121: expected 1 to 120, the movies in the model"),
        (["--factors", "5"], "--factors 5: expected 1 to 4, the factors in the model"),
        (["--model", "nowhere"], "there is no model at nowhere"),
    ],
)
def test_what_makes_no_workbook_gets_one_line(model, tmp_path, capsys, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--model", str(model), *options]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_neural_net_makes_no_workbook(tmp_path, tiny_factors, capsys):
    save_factors(tiny_factors("net"), tmp_path / "net")
    assert main(["export", "--model", str(tmp_path / "net"), "--out", str(tmp_path / "r.xlsx")]) == 2
    assert "a model of kind net is a neural net, too large for formulas" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_factors_as_a_table(model, tmp_path, capsys, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"factors{ending}"
    for _ in range(2):  # a table is replaced
        assert main(["export", "--model", str(model), "--out", str(path)]) == 0
    assert "factors of 40 users, 120 movies, a row each" in capsys.readouterr().out
    table = pd.read_csv(path, encoding="utf-8-sig") if ending == ".csv" else pd.read_parquet(path)
    factors, items = random_factors("bayes"), table[table.side == "item"]
    assert table.side.value_counts().to_dict() == {"item": 120, "user": 40}
    assert items.id.tolist() == factors.movie_ids.tolist()
    learnt = items[[f"factor_{i + 1}" for i in range(4)]].to_numpy(np.float32)
    np.testing.assert_array_equal(learnt, factors.movie_factors)
    assert main(["export", "--model", str(model), "--out", str(path), "--backup"]) == 0
    assert (tmp_path / f"factors.bak{ending}").exists()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_of_ones_own_is_not_replaced(model, tmp_path, capsys, ending):
    path = tmp_path / f"ratings{ending}"
    path.write_bytes(b"user,movie,rating\n1,2,3\n")
    assert main(["export", "--model", str(model), "--out", str(path)]) == 2
    assert f"{path} was not written by cf_excel, or by an older one: --backup keeps it" in capsys.readouterr().err
    assert path.read_bytes() == b"user,movie,rating\n1,2,3\n"
    assert main(["export", "--model", str(model), "--out", str(path), "--force"]) == 0


@pytest.mark.parametrize("options", [["--digits", "5"], ["--no-ratings"]])
def test_what_is_for_the_workbook_alone_is_refused(model, tmp_path, capsys, options):
    path = tmp_path / "factors.csv"
    assert main(["export", "--model", str(model), "--out", str(path), *options]) == 2
    assert capsys.readouterr().err.startswith(f"cf_excel export: {options[0]} is for the workbook: a table has")
    assert not path.exists()


def test_another_ending_is_refused(model, tmp_path, capsys):
    assert main(["export", "--model", str(model), "--out", str(tmp_path / "r.ods")]) == 2
    assert "expected a name that ends in .xlsx, or in .csv or .parquet" in capsys.readouterr().err

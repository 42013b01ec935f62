"""recommend --all, similar --all and predict --pairs: tables, files and what is refused before any work."""

import csv
import json
import os
import sys
from dataclasses import replace

import numpy as np
import openpyxl
import pandas as pd
import pytest

from cf_excel.cli import main
from cf_excel.model.file import save_factors
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.table import as_written
from cf_excel.sheets.answers import answer_files
from cf_excel.sheets.answers.answer_files import check_rows, write_answers
from cf_excel.sheets.answers.answer_table import AnswerTable
from cf_excel.xlsx.write.sheet_cells import SheetCells

CUSTOMERS = ["007", "=1+1", "+49 30", "@anna", "Zoë"]
BOUND = 1.2816


@pytest.fixture
def movies(tiny_factors, tmp_path, monkeypatch):
    """A model of movies with titles, which knows how sure it is."""
    return _saved(tiny_factors("bayes"), tmp_path, monkeypatch)


@pytest.fixture
def shop(tiny_factors, tmp_path, monkeypatch):
    """A model of customers, whose ids are texts that look like other things, and products without titles."""
    changes = {"user_ids": np.array(CUSTOMERS, object), "titles": np.array([""] * 8, object)}
    return _saved(replace(tiny_factors(), **changes, nouns=Nouns("customer", "product")), tmp_path, monkeypatch)


def _saved(factors, folder, monkeypatch) -> Predictor:
    save_factors(factors, folder / "model")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(folder / "model"))
    monkeypatch.chdir(folder)
    return Predictor(factors)


def number(score: float) -> float:
    return float(as_written(np.float32([score]))[0])


def recommended(predictor: Predictor, n: int, *how) -> list[tuple]:
    """Return the rows of a table of all recommendations, without titles, asking for one user after another."""
    rows = []
    for user in predictor.factors.user_ids.tolist():
        best = predictor.recommend(user, n, *how)
        rows += [(user, i, movie.movie_id, number(movie.score)) for i, movie in enumerate(best, 1)]
    return rows


def read(path) -> tuple[list[str], list[tuple]]:
    """Return the headers and the rows of a file, values as they are in it."""
    if path.suffix == ".xlsx":
        rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
        return list(rows[0]), rows[1:]
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        return list(table.columns), [tuple(row) for row in table.astype(object).to_numpy().tolist()]
    table = pd.read_csv(path, dtype={"customer": str, "title": str})
    return list(table.columns), [tuple(row) for row in table.astype(object).to_numpy().tolist()]


@pytest.mark.parametrize("ending", ["xlsx", "csv", "parquet"])
def test_files_of_recommendations(shop, tmp_path, capsys, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"lists.{ending}"
    assert main(["recommend", "--all", "-n", "3", "--out", str(path)]) == 0
    expected = recommended(shop, 3)
    assert capsys.readouterr().out == f"wrote {path}: {len(expected)} rows\n"
    headers, rows = read(path)
    assert headers == ["customer", "rank", "product", "prediction", "ratings"]
    assert [row[:4] for row in rows] == expected
    assert [row[4] for row in rows] == [shop.n_ratings[shop.movie_row(row[2])] for row in rows]
    assert [entry for entry in os.listdir(tmp_path) if entry.endswith(".tmp")] == []


def test_titles_and_the_usual_headers(movies, tmp_path, capsys):
    assert main(["recommend", "--all", "-n", "2", "--out", "r.csv"]) == 0
    text = (tmp_path / "r.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbfuserId,rank,movieId,title,prediction,ratings\r\n")
    assert "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)".encode() in text
    capsys.readouterr()
    assert main(["recommend", "--all", "-n", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["userId", "rank", "movieId", "title", "prediction", "ratings"]
    assert len(lines) == 1 + 10
    best = movies.recommend(1, 1)[0]
    assert lines[1].split() == ["1", "1", str(best.movie_id), *best.title.split(), f"{best.score:.2f}", "1"]


@pytest.mark.parametrize("option", [[], ["--include-seen"], ["--lower-bound"], ["--include-seen", "--lower-bound"]])
def test_json_of_all_and_the_options_of_one(movies, tmp_path, capsys, option):
    assert main(["recommend", "--all", "-n", "8", *option, "--json"]) == 0
    out = capsys.readouterr().out
    found = json.loads(out)
    bounded = "--lower-bound" in option
    score = "lower_bound" if bounded else "prediction"
    assert list(found[0]) == ["user_id", "rank", "movie_id", "title", score, "n_ratings"]
    how = "--include-seen" not in option, BOUND * bounded
    assert [(row["user_id"], row["rank"], row["movie_id"], row[score]) for row in found] == recommended(movies, 8, *how)
    assert main(["recommend", "--all", "-n", "8", *option, "--out", "r.json"]) == 0
    assert (tmp_path / "r.json").read_text() == out


def test_similar_of_all(movies, tmp_path, capsys):
    assert main(["similar", "--all", "-n", "3", "--min-ratings", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = ["movie_id", "title", "rank", "similar_movie_id", "similar_title", "similarity", "n_ratings"]
    assert list(found[0]) == names
    expected = [
        (movie, movies.title(movie), i, *one[:2], number(one.score))
        for movie in movies.factors.movie_ids.tolist()
        for i, one in enumerate(movies.similar(movie, 3, 1), 1)
    ]
    assert [tuple(row[name] for name in names[:-1]) for row in found] == expected
    assert main(["similar", "--all", "--out", "s.csv"]) == 0
    assert read(tmp_path / "s.csv")[0] == [
        *("movieId", "title", "rank", "similar movieId", "similar title", "similarity", "ratings"),
    ]


def test_a_workbook_of_somebody_is_not_replaced(shop, tmp_path, capsys):
    ask = ["recommend", "--all", "-n", "2", "--out", "scores.xlsx"]
    book = openpyxl.Workbook()
    book.active["A1"] = "mine"
    book.save(tmp_path / "scores.xlsx")
    before = (tmp_path / "scores.xlsx").read_bytes()
    assert main(ask) == 2
    assert "scores.xlsx was not written by cf_excel" in capsys.readouterr().err
    assert (tmp_path / "scores.xlsx").read_bytes() == before
    assert main([*ask, "--backup"]) == 0
    assert (tmp_path / "scores.bak.xlsx").read_bytes() == before
    assert main(ask) == 0  # our own is replaced
    assert main([*ask[:-1], "scores.csv"]) == main([*ask[:-1], "scores.csv"]) == 0


def test_predictions_that_another_model_left_beside_ratings_are_not_replaced(movies, tmp_path):
    pairs, mine = "userId,movieId\n1,1\n", "userId,movieId,rating,prediction\n1,1,3,3.5\n"
    (tmp_path / "pairs.csv").write_text(pairs)
    (tmp_path / "mine.csv").write_text(mine)
    assert main(["predict", "--pairs", "pairs.csv", "--out", "mine.csv"]) == 2
    assert (tmp_path / "mine.csv").read_text() == mine
    assert main(["predict", "--pairs", "pairs.csv", "--out", "new.csv"]) == 0
    assert main(["predict", "--pairs", "pairs.csv", "--out", "new.csv"]) == 0


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet"])
@pytest.mark.parametrize("ask", [["recommend", "--all"], ["similar", "--all"], ["predict", "--pairs", "pairs.csv"]])
def test_a_table_of_somebody_is_not_replaced(shop, tmp_path, capsys, ask, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    user, movie = shop.factors.user_ids[0], shop.factors.movie_ids[0]
    (tmp_path / "pairs.csv").write_text(f"customer,product,when\n{user},{movie},now\n")
    path = tmp_path / f"mine{ending}"
    mine = (
        b'[\n{"customer": 1, "product": 2, "score": 3}\n]\n'
        if ending == ".json"
        else b"customer,product,score\n1,2,3\n"
    )
    path.write_bytes(mine)
    assert main([*ask, "--out", path.name]) == 2
    assert f"{path.name} was not written by cf_excel, or by an older one: --backup keeps it" in capsys.readouterr().err
    assert path.read_bytes() == mine
    assert main([*ask, "--out", path.name, "--backup"]) == 0
    assert (tmp_path / f"mine.bak{ending}").read_bytes() == mine
    assert main([*ask, "--out", path.name]) == 0  # our own is replaced
    path.write_bytes(mine)
    assert main([*ask, "--out", path.name, "--force"]) == 0


@pytest.mark.validator
def test_a_workbook_is_a_table_that_keeps_ids(shop, tmp_path, validator_errors):
    assert main(["recommend", "--all", "-n", "2", "--out", "r.xlsx"]) == 0
    assert validator_errors(tmp_path / "r.xlsx") == []
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    assert (book.sheetnames, book.properties.title) == (["recommendations"], "Recommendations")
    sheet = book.active
    (table,) = sheet.tables.values()
    assert (table.displayName, table.ref, sheet.freeze_panes) == ("recommendations", "A1:E11", "A2")
    assert [column.name for column in table.tableColumns] == ["customer", "rank", "product", "prediction", "ratings"]
    assert table.autoFilter.ref == table.ref
    first = sheet["A2:D2"][0]
    assert [(cell.data_type, cell.number_format) for cell in first] == [
        *(("s", "@"), ("n", "General"), ("n", "General"), ("n", "0.00")),
    ]
    assert {cell.data_type for cell in sheet["A"]} == {"s"}
    assert [cell.value for cell in sheet["A"]][1::2] == CUSTOMERS
    widths = [sheet.column_dimensions[letter].width for letter in "ABCD"]
    assert all(9 <= width <= 60 for width in widths)


PAIRS = "note;Customer ID;Product ID;store;amount;title\n"
PAIRS += "=1+1;007;1;0012;3.50;a\n@x;=1+1;99;0013;;b\n+2;Nobody;2571;7;1e5;c\n-3;;10;;;d\n;@ANNA;2571.0;8;;\n"


@pytest.mark.parametrize("ending", ["xlsx", "csv", "parquet", "json"])
def test_pairs_of_a_file(shop, tmp_path, capsys, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / "pairs.csv").write_text(PAIRS)
    out = tmp_path / f"out.{ending}"
    assert main(["predict", "--pairs", "pairs.csv", "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.err == (
        "note: 3 of 5 pairs without a prediction: 2 with an unknown customer, such as Nobody, "
        "1 with an unknown product, such as 99\n"
    )
    if ending == "json":
        rows = [tuple(row.values()) for row in json.loads(out.read_text())]
    else:
        headers, rows = read(out)
        assert headers == ["customer", "product", "prediction", "note", "store", "amount", "title"]
    found = [tuple(None if value != value else value for value in row) for row in rows]
    known = [number(shop.predict(user, movie)) for user, movie in (("007", 1), ("@anna", 2571))]
    expected = [
        ("007", 1, known[0], "=1+1", "0012", "3.50", "a"),
        ("=1+1", 99, None, "@x", "0013", None, "b"),
        ("Nobody", 2571, None, "+2", "7", "1e5", "c"),
        (None, 10, None, "-3", None, None, "d"),
        ("@anna", 2571, known[1], None, "8", None, None),
    ]
    if ending == "csv":  # pandas makes numbers of what looks like one
        with out.open(encoding="utf-8-sig", newline="") as stream:
            found = [tuple(row) for row in list(csv.reader(stream))[1:]]
        expected = [tuple("" if value is None else str(value) for value in row) for row in expected]
    assert [row[:2] + row[3:] for row in found] == [row[:2] + row[3:] for row in expected]
    close = [float(row[2]) if row[2] not in ("", None) else np.nan for row in found]
    np.testing.assert_allclose(close, [np.nan if row[2] in ("", None) else float(row[2]) for row in expected], 1e-6)


def test_pairs_by_title_with_how_sure_the_model_is(movies, tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_text("who\tfilm\n15\tThe Matrix\n15\tHamlet\n")
    command = ["predict", "--pairs", "pairs.tsv", "--user-column", "who", "--item-column", "2"]
    assert main([*command, "--json"]) == 0
    told = capsys.readouterr()
    assert "1 of 2 pairs without a prediction: 1 with an unknown movie, such as Hamlet" in told.err  # there are two
    first, second = json.loads(told.out)
    assert list(first) == ["user_id", "movie_id", "title", "prediction", "standard_deviation"]
    assert (first["user_id"], first["movie_id"], first["title"]) == (15, 2571, "Matrix, The (1999)")
    assert first["prediction"] == pytest.approx(float(movies.predict(15, 2571)), rel=1e-6)
    assert first["standard_deviation"] == pytest.approx(float(movies.uncertainty(15, 2571)), rel=1e-6)
    assert [second[name] for name in first] == [15, "Hamlet", None, None, None]
    assert main(command) == 0
    assert "standard deviation" in capsys.readouterr().out.splitlines()[0]


def test_pairs_of_a_sheet_and_of_lists_written_before(movies, tmp_path, capsys):
    assert main(["recommend", "--all", "-n", "1", "--out", "r.xlsx"]) == 0
    for how in ([], ["--sheet", "recommendations"], ["--table", "recommendations"], ["--range", "A:F"]):
        assert main(["predict", "--pairs", "r.xlsx", *how, "--out", "again.xlsx"]) == 0
        headers, rows = read(tmp_path / "again.xlsx")
        assert headers[:5] == ["userId", "movieId", "title", "prediction", "standard deviation"]
        assert headers[5:] == ["rank", "title 2", "prediction 2", "ratings"]
        np.testing.assert_allclose([row[3] for row in rows], [row[7] for row in rows], rtol=1e-6)
        assert [row[5] for row in rows] == [1] * 5
    assert capsys.readouterr().err == ""
    assert main(["predict", "--pairs", "r.xlsx", "--sheet", "other"]) == 2
    assert "r.xlsx has no sheet 'other' (found: 'recommendations')" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["recommend"], "recommend: expected a USER, or --all for every user"),
        (["recommend", "1", "--all"], "recommend: 1 and --all: give one USER, or --all for every user"),
        (["recommend", "1", "--out", "r.csv"], "recommend: --out goes with --all"),
        (["recommend", "--all", "--out", "r.doc"], "--out r.doc: expected a name that ends in .xlsx, .csv, .parquet"),
        (["recommend", "--all", "--out", "model"], "--out model: expected a name that ends in"),
        (["recommend", "--all", "-n", "0"], "n 0: expected a whole number, 1 or more"),
        (["recommend", "--all", "--lower-bound"], "knows no uncertainty: train one of kind bayes"),
        (["similar"], "similar: expected a MOVIE, or --all for every movie"),
        (["similar", "Up", "--all"], "similar: Up and --all: give one MOVIE"),
        (["similar", "--all", "--min-ratings", "9"], "no other product has 9 ratings: pass --min-ratings 0"),
        (["predict"], "predict: expected USER and MOVIE, or --pairs FILE"),
        (["predict", "1"], "predict: expected USER and MOVIE, or --pairs FILE"),
        (["predict", "1", "2", "--pairs", "p.csv"], "1 and --pairs: give USER and MOVIE, or --pairs FILE"),
        (["predict", "1", "2", "--item-column", "x"], "--movie-column goes with --pairs FILE"),
        (["predict", "1", "2", "--range", "A:B"], "--range goes with --pairs FILE"),
        (["predict", "--pairs", "p.csv", "--out", "p.csv"], "p.csv is what is read here"),
        (["predict", "--pairs", "p.csv", "--user-column", "a"], "p.csv has no column 'a' (found: customer, product)"),
        (["predict", "--pairs", "p.csv", "--sheet", "a"], "--sheet a: p.csv is no workbook"),
        (["predict", "--pairs", "absent.csv"], "absent.csv: no such file or folder"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(shop, tmp_path, capsys, argv, words):
    (tmp_path / "p.csv").write_text("customer,product\n007,1\n")
    before = sorted(os.listdir(tmp_path))
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == before


def test_parquet_needs_its_extra(shop, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert main(["recommend", "--all", "--out", "r.parquet"]) == 2
    assert capsys.readouterr().err == (
        "cf_excel recommend: r.parquet is a Parquet file: to write it, python -m pip install pyarrow\n"
    )


def test_more_rows_than_a_sheet_has_are_refused_before_the_work(shop, tmp_path, monkeypatch, capsys):
    check_rows(tmp_path / "r.xlsx", 1_048_575)
    monkeypatch.setattr(answer_files, "MAX_ROWS", 11)
    monkeypatch.setattr(Predictor, "recommend_all", lambda *_: pytest.fail("it was computed all the same"))
    assert main(["recommend", "--all", "-n", "3", "--out", "r.xlsx"]) == 2
    assert capsys.readouterr().err == (
        "cf_excel recommend: r.xlsx: 15 rows are more than the 10 that a sheet has below its header: write r.csv or "
        "r.parquet\n"
    )


def test_a_list_for_all_but_those_who_rated_everything(tiny_factors, tmp_path, monkeypatch, capsys):
    seen = np.tile(np.arange(8, dtype=np.int32), 5)
    factors = replace(tiny_factors(), seen_offsets=np.array([0, 8, 16, 16, 16, 16]), seen_movies=seen[:16])
    predictor = _saved(factors, tmp_path, monkeypatch)
    assert main(["recommend", "--all", "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == "note: 2 users rated every movie: no list\n"
    assert {row["user_id"] for row in json.loads(told.out)} == set(predictor.factors.user_ids[2:].tolist())
    _saved(replace(factors, seen_offsets=np.arange(6) * 8, seen_movies=seen), tmp_path, monkeypatch)
    assert main(["recommend", "--all"]) == 2
    assert "every user rated every movie: add --include-seen" in capsys.readouterr().err
    assert main(["recommend", "--all", "--include-seen"]) == 0


def test_a_failure_leaves_the_file_as_it_was(shop, tmp_path, monkeypatch):
    for ending, name in (("xlsx", "rows_xml"), ("csv", ""), ("json", "")):
        path = tmp_path / f"r.{ending}"
        path.write_text("before")
        with monkeypatch.context() as patch:
            if name:
                patch.setattr(SheetCells, name, lambda self: 1 / 0)
            else:
                patch.setattr(AnswerTable, "pieces", lambda self: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                main(["recommend", "--all", "--force", "--out", str(path)])
        assert path.read_text() == "before"
        assert [entry for entry in os.listdir(tmp_path) if entry.endswith(".tmp")] == []


@pytest.mark.validator
def test_texts_of_any_kind_in_every_file(tmp_path, validator_errors):
    texts = ["_x0041_", "a\nb", "\ud800x", "x" * 40_000, "\x01", "<&>\"'", None]
    columns = {
        "user_id": np.arange(7),
        "a\nb": np.array(texts, object),
        "_x0041_": np.array([1, 2.5, None] * 2 + ["z"]),
    }
    columns["big"] = np.array([10**15, 2**62, -(10**15), 0, 1, 2, 3])
    table = AnswerTable("predictions", columns, Nouns("a_x0041_b", "c"), frozenset(list(columns)[1:]))
    for ending in ("xlsx", "csv", "json"):
        write_answers(tmp_path / f"t.{ending}", table)
    assert validator_errors(tmp_path / "t.xlsx") == []
    rows = list(openpyxl.load_workbook(tmp_path / "t.xlsx").active.iter_rows(values_only=True))
    assert [row[1] for row in rows[2:4]] == ["a\nb", "\ufffdx"]
    assert rows[2][3] == str(2**62)
    found = json.loads((tmp_path / "t.json").read_text())
    assert [row["a\nb"] for row in found] == texts
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert [row[1] for row in csv.reader(stream)][3] == "?x"

import json

import pytest

from cf_excel.cli import main
from cf_excel.model.file import save_factors
from cf_excel.model.predictor import Predictor

EXPORT = (
    "Date,Name,Year,Letterboxd URI,Rating\n"
    "2024-01-02,The Matrix,1999,u,4.5\n"
    "2024-01-02,toy story,1995,u,2\n"
    "2024-01-02,Amelie,2001,u,3\n"
    "2024-01-02,Toy Story,1995,u,5\n"
    "2024-01-02,Hamlet,,u,1\n"
    "2024-01-02,Nosferatu,1922,u,4\n"
    "2024-01-02,Up,2009,u,\n"
)


@pytest.fixture
def export(tiny_factors, tmp_path, monkeypatch):
    save_factors(tiny_factors(), tmp_path / "model")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model"))
    path = tmp_path / "ratings.csv"
    path.write_text(EXPORT, encoding="utf-8")
    return path


def test_an_export_is_folded_in_and_what_is_not_matched_is_listed(export, tiny_factors, capsys):
    assert main(["rate", "--from", str(export), "-n", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    expected = Predictor(tiny_factors()).fold_in([2571, 1, 4973], [4.5, 5, 3], 3)
    assert [(m["movie_id"], m["prediction"]) for m in found["recommendations"]] == [
        (m.movie_id, m.score) for m in expected
    ]
    assert [(m["movie_id"], m["rating"]) for m in found["rated"]] == [(2571, 4.5), (1, 5.0), (4973, 3.0)]
    assert found["not_matched"] == ["Nosferatu (1922)", "Hamlet"]
    assert err.splitlines() == [
        "note: Letterboxd export: 4 of 6 ratings matched to the model's movies, 1 row without one left out",
        "note: not in the model: Nosferatu (1922)",
        "note: several movies have the title, so it was left out: Hamlet",
    ]


def test_a_file_and_more_ratings_together(export, tiny_factors, capsys):
    assert main(["rate", "a=b=1", "--from", str(export), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [m["movie_id"] for m in found["rated"]] == [2571, 1, 4973, 10]


def test_what_is_typed_counts_in_place_of_the_files(export, tiny_factors, capsys):
    assert main(["rate", "1=2", "--from", str(export), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(m["movie_id"], m["rating"]) for m in found["rated"]] == [(2571, 4.5), (4973, 3.0), (1, 2.0)]


def test_ids_and_titles_that_are_numbers(export, capsys):
    export.write_text("movieId,rating\n2571,4\n99,1\n", encoding="utf-8")
    assert main(["rate", "--from", str(export), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert ([m["movie_id"] for m in found["rated"]], found["not_matched"]) == ([2571], ["99"])
    export.write_text("title,rating\n2571,4\n", encoding="utf-8")
    assert main(["rate", "--from", str(export)]) == 2
    assert "none of its 1 rating is of movies in the model: 2571" in capsys.readouterr().err


def test_only_the_first_that_are_missing_are_named(export, capsys):
    rows = "".join(f"Nothing {i},3\n" for i in range(9))
    export.write_text(f"title,rating\n1,3\nUp 🎈,4\n{rows}", encoding="utf-8")
    assert main(["rate", "--from", str(export)]) == 0
    assert "not in the model: 1, Nothing 0, Nothing 1, Nothing 2, Nothing 3 and 5 more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "text", "message"),
    [
        ([], EXPORT, "nothing is rated: give MOVIE=RATING"),
        (["--from", "gone.csv"], EXPORT, "gone.csv: no such file or folder"),
        (["--from", "ratings.csv"], "a,b\n1,2\n", "ratings.csv has no columns title (or id) and rating"),
        (["--from", "ratings.csv"], "title,rating\nUp,x\n", "ratings.csv line 2: rating 'x': expected a number"),
    ],
)
def test_what_can_not_be_taken_is_said_in_a_line(export, monkeypatch, capsys, argv, text, message):
    export.write_text(text, encoding="utf-8")
    monkeypatch.chdir(export.parent)
    assert main(["rate", *argv]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_model_of_picks_takes_no_ratings(export, tiny_factors, capsys):
    save_factors(tiny_factors("picks"), export.parent / "model")
    assert main(["rate", "--from", str(export)]) == 2
    assert "--from is for models of ratings" in capsys.readouterr().err

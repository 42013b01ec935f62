import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import cf_excel
from cf_excel.cli import main
from cf_excel.cli import plot as plot_command
from cf_excel.errors import FileError, InputError
from cf_excel.model.file import save_factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor
from cf_excel.plots import figures as plots
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.table import Ratings, data_hash
from cf_excel.ratings.validation import validation_rows


@pytest.mark.parametrize(
    "levels",
    [
        np.arange(0.5, 5.5, 0.5),
        np.arange(1.0, 6.0),
        np.arange(1.0, 11.0),
        [3.0],
        [1.0, 1.5, 5.0],
        np.linspace(0, 100, 301),
    ],
)
def test_every_rating_is_counted_in_a_hexagon_and_in_both_margins(levels):
    rng = np.random.default_rng(0)
    ratings = rng.choice(levels, 2000)
    predictions = ratings + rng.normal(0, 1, 2000)
    figure = plots.plot_predictions(predictions, ratings, "heading")
    joint, top, right = figure.axes[:3]
    assert joint.collections[0].get_array().sum() == 2000
    assert sum(bar.get_height() for bar in top.patches) == 2000
    assert sum(bar.get_width() for bar in right.patches) == 2000
    assert (joint.get_xlabel(), joint.get_ylabel()) == ("prediction", "rating")
    assert figure.get_suptitle() == "heading"


def test_half_steps_have_a_row_of_hexagons_each():
    ratings = np.repeat(np.arange(0.5, 5.5, 0.5), 3)
    joint = plots.plot_predictions(np.full(30, 3.0), ratings, "").axes[0]
    np.testing.assert_allclose(sorted({round(y, 6) for _, y in joint.collections[0].get_offsets()}), np.unique(ratings))


def test_one_rating_that_is_met_exactly():
    figure = plots.plot_predictions(np.array([3.0]), np.array([3.0]), "")
    assert figure.axes[0].collections[0].get_array().sum() == 1


def test_biases_are_named_from_the_ends():
    biases = np.random.default_rng(1).permutation(np.linspace(-1, 2, 100)).astype(np.float32)
    titles = np.array([f"Number {bias:.3f}, The (1999)" for bias in biases], object)
    low, high = plots.plot_biases(titles, biases, 15).axes
    np.testing.assert_allclose([bar.get_width() for bar in low.patches], np.sort(biases)[:15])
    np.testing.assert_allclose([bar.get_width() for bar in high.patches], np.sort(biases)[::-1][:15])
    assert high.get_yticklabels()[0].get_text() == "The Number 2.000"
    assert low.get_yticklabels()[0].get_text() == "The Number -1.000"


@pytest.mark.parametrize("n_movies", [1, 2, 7])
def test_biases_of_few_movies(n_movies, tmp_path):
    figure = plots.plot_biases(np.array(["a"] * n_movies, object), np.zeros(n_movies, np.float32))
    plots.save_figure(figure, tmp_path / "biases")
    shown = [len(axes.get_yticklabels()) for axes in figure.axes]
    assert shown == [max(1, n_movies // 2)] * 2  # no movie is on both sides
    assert (tmp_path / "biases.png").is_file()


def test_principal_components_are_the_directions_of_most_variance():
    rng = np.random.default_rng(2)
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    plain = rng.normal(size=(500, 6)) * [9, 5, 3, 0.1, 0.1, 0.1]
    positions = plots.principal_components((plain @ turn + 4).astype(np.float32))
    assert positions.shape == (500, 3)
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=1e-4)
    for column in range(3):
        assert abs(np.corrcoef(positions[:, column], plain[:, column])[0, 1]) > 0.99
    np.testing.assert_allclose(positions.T @ positions, np.diag((positions**2).sum(axis=0)), atol=1e-2)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (5, 2)])
def test_principal_components_of_little(shape):
    positions = plots.principal_components(np.ones(shape, np.float32))
    np.testing.assert_array_equal(positions, np.zeros((shape[0], 3)))


def test_the_map_shows_titles_of_any_script_once(tmp_path):
    titles = ["Matrix, The (1999)", "$9.99 (2008)", "$ and _ and $ (1990)", "שלום", "🎬", "x" * 80]
    positions = np.random.default_rng(0).normal(size=(len(titles), 2))
    figure = plots.plot_map(np.array(titles, object), positions)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert shown == ["The Matrix", r"\$9.99", r"\$ and _ and \$", "שלום", "🎬", "x" * 49 + "…"]
    plots.save_figure(figure, tmp_path / "map")


def test_figures_are_saved_whole_and_the_same_every_time(tmp_path):
    written = []
    for name in ("a", "b"):
        figure = plots.plot_map(np.array(["A", "B"], object), np.array([[0.0, 0.0], [1.0, 1.0]]))
        written.append([path.read_bytes() for path in plots.save_figure(figure, tmp_path / name / "map")])
    assert written[0] == written[1]
    assert written[0][0].startswith(b"\x89PNG")
    assert ElementTree.fromstring(written[0][1]).tag.endswith("svg")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"can't make the folder .*file"):
        plots.save_figure(figure, tmp_path / "file" / "map")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "file"]


def test_a_map_of_one_movie(tmp_path):
    figure = plots.plot_map(np.array(["Up (2009)"], object), np.zeros((1, 2)))
    assert [text.get_text() for text in figure.axes[0].texts] == ["Up"]
    plots.save_figure(figure, tmp_path / "map")


@pytest.fixture
def ratings(tiny_factors):
    """Thirty ratings of the tiny model's movies by its users."""
    factors, rng = tiny_factors(), np.random.default_rng(5)
    pairs = rng.choice(40, 30, replace=False)
    return Ratings(
        user_ids=factors.user_ids,
        movie_ids=factors.movie_ids,
        user_idx=(pairs // 8).astype(np.int32),
        movie_idx=(pairs % 8).astype(np.int32),
        rating=rng.choice(np.arange(0.5, 5.5, 0.5), 30).astype(np.float32),
        timestamp=rng.permutation(30),
        titles=factors.titles,
        years=factors.years,
        genres=factors.genres,
        source="ratings.csv",
    )


@pytest.fixture
def model(tiny_factors, tmp_path, monkeypatch, ratings):
    """A function that saves a tiny model trained on the ratings above, in its place, and returns its factors."""
    monkeypatch.setattr(plot_command, "read_ratings", lambda args: ratings)
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model"))

    def save(kind="collab", **record):
        factors = replace(
            tiny_factors(kind), record={"data_hash": data_hash(ratings), "split": "random", "seed": 3} | record
        )
        save_factors(factors, tmp_path / "model")
        return factors

    return save


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if not kind.of_picks])
def test_plot_writes_every_picture_that_the_kind_has(kind, model, tmp_path, capsys):
    model(kind)
    assert main(["plot", "--out", str(tmp_path / "out")]) == 0
    names = ["map", "predictions"] + ["biases"] * (kind in ("dot-bias", "collab", "bayes"))
    expected = sorted(f"{name}.{ending}" for name in names for ending in ("png", "svg"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == expected
    out = capsys.readouterr().out
    assert all(name in out for name in expected)
    assert ("no picture of biases" in out) == (kind in ("dot", "net"))


def test_movies_without_titles_are_named_by_id(model, tmp_path, monkeypatch):
    factors = model()
    save_factors(replace(factors, titles=np.array([""] * 8, object)), tmp_path / "model")
    shown = []
    monkeypatch.setattr(plots, "plot_map", lambda names, *_: shown.extend(names) or plots.Figure())
    assert main(["plot", "--out", str(tmp_path)]) == 0
    assert sorted(shown) == sorted(f"movie {movie_id}" for movie_id in factors.movie_ids)


def test_pictures_say_what_they_are_called():
    nouns, names = Nouns("customer", "category"), np.array(["A", "B"], object)
    biases = plots.plot_biases(names, np.zeros(2, np.float32), nouns=nouns)
    assert biases.get_suptitle().startswith("Category biases: ")
    map_ = plots.plot_map(names, np.array([[0.0, 0.0], [1.0, 1.0]]), nouns)
    assert map_.axes[0].get_title().startswith("Categories by the first two")


def test_the_rows_are_those_of_the_record(model, ratings):
    for split, words in (
        ("random", "6 ratings: validation"),
        ("time", "6 ratings: the latest"),
        ("lesson", "lesson's"),
    ):
        predictor = Predictor(model(split=split))
        rows = validation_rows(ratings, split, 3)
        predictions, truth, heading = plot_command.validation_predictions(predictor, ratings)
        np.testing.assert_array_equal(truth, ratings.rating[rows])
        expected = predictor.predict(ratings.user_ids[ratings.user_idx], ratings.movie_ids[ratings.movie_idx])[rows]
        np.testing.assert_array_equal(predictions, expected)
        assert words in heading
        assert f"RMSE {np.sqrt(np.square(predictions - truth).mean()):.3f}" in heading


def test_without_a_split_all_ratings_are_shown_and_the_heading_says_so(model, ratings):
    _, truth, heading = plot_command.validation_predictions(Predictor(model(split="none")), ratings)
    np.testing.assert_array_equal(truth, ratings.rating)
    assert "30 ratings: all ratings, which the model was trained on" in heading


def test_ratings_that_the_model_was_not_trained_on_are_shown_where_that_is_wanted(model, ratings, tmp_path, capsys):
    predictor = Predictor(model(data_hash="0" * 64))
    movies = ratings.movie_ids.copy()
    movies[ratings.movie_idx[0]] = 987654  # the model does not know it
    known = ratings.movie_idx != ratings.movie_idx[0]
    _, truth, heading = plot_command.validation_predictions(predictor, replace(ratings, movie_ids=movies), others=True)
    np.testing.assert_array_equal(truth, ratings.rating[known])
    assert f"{known.sum()} ratings: those of ratings.csv that it can predict" in heading
    others = replace(ratings, user_ids=ratings.user_ids + 100_000)
    with pytest.raises(InputError, match=r"the model knows none of the users and movies of ratings\.csv"):
        plot_command.validation_predictions(predictor, others, others=True)
    assert main(["plot", "--out", str(tmp_path / "out")]) == 2
    assert main(["plot", "--out", str(tmp_path / "out"), "--force"]) == 0


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            {"data_hash": "0" * 64},
            "not trained on ratings.csv: pass the ratings that it was trained on, or --force to compare it with these",
        ),
        ({"split": None}, "split 'None': expected lesson, random, time, hash or none"),
        ({"seed": -1}, "seed -1: expected a whole number"),
        ({"seed": "x"}, "seed 'x': expected a whole number"),
    ],
)
def test_plot_refuses_in_one_line_and_writes_nothing(record, words, model, tmp_path, capsys):
    model(**record)
    assert main(["plot", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_plot_without_matplotlib_says_what_to_install(model, tmp_path, monkeypatch, capsys):
    model()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in ("cf_excel.plots", "cf_excel.plots.figures"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(cf_excel, "plots")
    assert main(["plot", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "cf_excel plot: plots need matplotlib: run python -m pip install matplotlib\n"


def test_no_pyplot_state(tmp_path):
    code = """
import pathlib, sys
import numpy as np
import pandas as pd
from cf_excel.plots import figures as plots
figure = plots.plot_predictions(np.linspace(1, 5, 50), np.arange(50) % 5 + 1.0, "heading")
plots.save_figure(figure, pathlib.Path(sys.argv[1]))
print("matplotlib.pyplot" in sys.modules)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "figure")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert (tmp_path / "figure.png").is_file()


def test_validation_rows(ratings):
    n = len(ratings)
    random = validation_rows(ratings, "random", 1)
    assert len(set(random.tolist())) == n // 5
    np.testing.assert_array_equal(random, validation_rows(ratings, "random", 1))
    assert set(random.tolist()) != set(validation_rows(ratings, "random", 2).tolist())
    np.testing.assert_array_equal(np.sort(ratings.timestamp[validation_rows(ratings, "time")]), np.arange(24, 30))
    assert len(validation_rows(ratings, "none")) == 0
    with pytest.raises(InputError, match=r"ratings.csv has no timestamps, which split time needs"):
        validation_rows(replace(ratings, timestamp=None), "time")


def test_data_hash_tells_ratings_apart(ratings):
    same = replace(ratings, rating=ratings.rating.astype(np.float64), source="elsewhere", titles=ratings.titles[::-1])
    assert data_hash(same) == data_hash(ratings)
    changed = ratings.rating.copy()
    changed[7] = 5.5 - changed[7]
    others = [
        replace(ratings, rating=changed),
        replace(ratings, user_idx=ratings.user_idx[::-1]),
        replace(ratings, movie_ids=ratings.movie_ids[::-1]),
        replace(ratings, user_ids=np.array(["1", "7", "3", "42", "שלום"], object)),
    ]
    assert len({data_hash(other) for other in [ratings, *others]}) == 5


def test_a_notebook_shows_the_picture_without_pyplot(tmp_path):
    table = pd.DataFrame({"title": ["A", "B", "C"], "bias": [0.1, -0.2, 0.3]}, index=[7, 8, 9])
    figure = plots.plot_biases(table.title, table.bias)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert [path.name for path in plots.save_figure(figure, str(tmp_path / "biases"))] == ["biases.png", "biases.svg"]
    assert plots.plot_map(table.title, table[["bias", "bias"]])._repr_png_().startswith(b"\x89PNG")

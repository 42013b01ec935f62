"""How many ratings of a table a model was trained on."""

from dataclasses import replace

import numpy as np

from cf_excel.cli import main
from cf_excel.learn.train import train
from cf_excel.model.agreement import agreement
from cf_excel.model.file import save_factors


def rows_of(factors):
    return factors.seen_users, factors.seen_movies.astype(np.intp)


def test_ratings_of_the_training_agree(tiny_model):
    users, movies = rows_of(tiny_model)
    ratings = np.arange(len(users), dtype=float)
    model = replace(tiny_model, seen_ratings=ratings.astype(np.float32))
    assert agreement(model, users, movies, ratings) == (len(users), len(users))
    assert agreement(model, users[::-1], movies[::-1], ratings[::-1]) == (len(users), len(users))
    assert agreement(model, users, movies, ratings + 1) == (0, len(users))
    assert agreement(model, users, movies, ratings + 1e-5).share == 1
    assert agreement(model, users[:0], movies[:0], ratings[:0]) == (0, 0)


def test_unknown_users_and_movies_don_t_count(tiny_model):
    users, movies = rows_of(tiny_model)
    ratings = np.ones(len(users))
    model = replace(tiny_model, seen_ratings=np.ones(len(users), np.float32))
    users[0], movies[1] = -1, -1
    assert agreement(model, users, movies, ratings) == (len(users) - 2, len(users) - 2)


def test_a_model_without_ratings_tells_which_pairs_it_knows(tiny_model):
    users, movies = rows_of(tiny_model)
    unseen = next(m for m in range(tiny_model.n_movies) if m not in tiny_model.seen(users[0]))
    movies[0] = unseen
    model = replace(tiny_model, seen_ratings=None)
    assert agreement(model, users, movies, np.ones(len(users))) == (len(users) - 1, len(users))


def test_a_table_that_the_model_does_not_know_is_refused(tmp_path, make_ratings, monkeypatch, capsys):
    """No workbook of these ratings asks a model of others, unless that is wanted."""
    rows = [(user, movie, (user * movie) % 5 + 1) for user in range(1, 5) for movie in range(1, 7)]
    table = tmp_path / "sales.csv"
    table.write_text("user,movie,rating\n" + "".join(f"{u},{m},{r}\n" for u, m, r in rows))
    ratings = make_ratings(rows)
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model.safetensors"))
    options = ["--ratings", str(table), "--only", "functions", "--out", str(tmp_path / "out")]
    for other, known in ((0, 24), (1, 0)):
        factors = train(replace(ratings, rating=ratings.rating + other), kind="bayes", n_factors=2)
        save_factors(factors, tmp_path / "model.safetensors")
        assert main(["build", *options]) == (2 if other else 0)
        line = f"the model was trained on {known} of the 24 ratings of sales.csv: train it on these first"
        assert (line in capsys.readouterr().err) == bool(other)
    assert main(["build", *options, "--force"]) == 0
    everything = ["--ratings", str(table), "--out", str(tmp_path / "all"), "--points", "2", "--epochs", "1"]
    assert main(["build", *everything]) == 0
    assert f"without collab_filter.xlsm: {line}" in capsys.readouterr().out
    built = {path.name for path in (tmp_path / "all").iterdir()}
    assert built == {"collab_filter.xlsx", "gradient_descent.xlsx", "gradient_descent.xlsm"}

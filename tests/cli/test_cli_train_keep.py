"""train --keep-users and --no-seen: smaller model files whose answers stay what they were."""

import numpy as np
import pandas as pd
import pytest

from cf_excel.cli import main
from cf_excel.errors import InputError
from cf_excel.model.crowd import moments
from cf_excel.model.file import load_factors, save_factors
from cf_excel.model.shrink import keep_factors, keep_movies, only_users, without_seen
from cf_excel.predictor import Predictor, load_predictor


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Ratings of 30 customers, and the model of all of them."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    pairs = rng.choice(30 * 40, 600, replace=False)
    names = np.array([f"c{i}" if i % 2 else str(i) for i in range(30)])
    frame = pd.DataFrame({"customer": names[pairs // 40], "product": pairs % 40, "rating": rng.integers(1, 6, 600)})
    frame.to_csv(folder / "ratings.csv", index=False)
    assert train(folder, "whole") == 0
    return folder


def train(folder, name, *options):
    data = ["--ratings", str(folder / "ratings.csv"), "--split", "random", "--no-tune", "--epochs", "3"]
    return main(["train", *data, "--out", str(folder / name), *map(str, options)])


def test_kept_users_are_answered_as_by_the_whole_model(table, tmp_path):
    (tmp_path / "users.txt").write_text("\ufeffc5\n\n 12 \nc7\nc5\n", encoding="utf-8")
    assert train(table, "kept", "--keep-users", tmp_path / "users.txt") == 0
    whole, kept = load_predictor(table / "whole"), load_predictor(table / "kept")
    assert sorted(kept.factors.user_ids.tolist()) == ["12", "c5", "c7"]
    movies = whole.factors.movie_ids
    for user in ("c5", 12, "c7"):
        np.testing.assert_array_equal(kept.predict(user, movies), whole.predict(user, movies))
        np.testing.assert_array_equal(kept.uncertainty(user, movies), whole.uncertainty(user, movies))
        assert kept.recommend(user, 5) == whole.recommend(user, 5)
        assert kept.recommend(user, 5, explore=0.5) == whole.recommend(user, 5, explore=0.5)
    assert kept.similar(3) == whole.similar(3)
    np.testing.assert_array_equal(kept.n_ratings, whole.n_ratings)
    assert kept.fold_in([1, 2], [5, 1]) == whole.fold_in([1, 2], [5, 1])
    unknown = (kept.predict("nobody", movies, unknown="bias"), whole.predict("nobody", movies, unknown="bias"))
    np.testing.assert_allclose(*unknown, rtol=1e-6)
    assert (table / "kept").stat().st_size < (table / "whole").stat().st_size


def test_without_seen_all_but_lists_of_users_stay(table, tmp_path, capsys):
    assert train(table, "unseen", "--no-seen") == 0
    whole, unseen = load_predictor(table / "whole"), load_predictor(table / "unseen")
    users, movies = whole.factors.user_ids[:, None], whole.factors.movie_ids
    np.testing.assert_array_equal(unseen.predict(users, movies), whole.predict(users, movies))
    assert unseen.similar(3) == whole.similar(3)
    assert unseen.fold_in([1, 2], [5, 1]) == whole.fold_in([1, 2], [5, 1])
    assert unseen.find("1") == whole.find("1")
    with pytest.raises(InputError, match="does not say what each customer rated"):
        unseen.recommend_all()
    capsys.readouterr()
    model = ["--model", str(table / "unseen")]
    for command in (["recommend", "c5"], ["recommend", "--all"], ["export", "--out", str(tmp_path / "r.xlsx")]):
        assert main([*command, *model]) == 2
        assert capsys.readouterr().err == (
            f"cf_excel {command[0]}: the model does not say what each customer rated, which lists for customers need: "
            "train it without --no-seen; predictions and what is similar need nothing of it\n"
        )
    assert main(["predict", "c5", "3", *model]) == 0
    assert main(["rate", "1=5", *model]) == 0
    assert main(["export", "--out", str(tmp_path / "factors.csv"), *model]) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"c5\nc6\n", "users.txt line 2: customer 'c6' has no ratings in ratings.csv"),
        (b"\n \n", "users.txt names no customer: expected an id in each line"),
        (b"c5\n\xff\n", "users.txt can't be read: expected UTF-8, an id in each line"),
        (None, "users.txt can't be read: No such file or directory"),
    ],
)
def test_users_that_are_not_there(content, message, table, tmp_path, capsys):
    if content is not None:
        (tmp_path / "users.txt").write_bytes(content)
    assert train(table, "none", "--keep-users", tmp_path / "users.txt") == 2
    error = capsys.readouterr().err
    assert error.endswith(f"{message}\n")
    assert error.count("\n") == 1
    assert not (table / "none").exists()


def test_a_smaller_model_stays_one_when_saved_and_cut(table, tmp_path):
    factors = load_factors(table / "whole")
    small = without_seen(only_users(factors, np.array([3, 1])))
    save_factors(small, tmp_path / "small")
    again = load_factors(tmp_path / "small")
    for name in ("n_rated", "mean", "covariance"):
        np.testing.assert_array_equal(getattr(again.crowd, name), getattr(small.crowd, name))
    few = keep_movies(again, 10)
    np.testing.assert_array_equal(np.sort(few.n_ratings), np.sort(factors.n_ratings)[-10:])
    assert len(Predictor(few).similar(int(few.movie_ids[0]), 3, min_ratings=0)) == 3


def test_fewer_factors_leave_what_is_known_of_all_users(table, tmp_path, capsys):
    factors = load_factors(table / "whole")
    whole, _ = keep_factors(factors, 4)
    few, _ = keep_factors(only_users(factors, np.arange(30)), 4)
    mean, covariance = moments(whole)
    np.testing.assert_allclose(few.crowd.mean, mean, atol=1e-6)
    np.testing.assert_allclose(few.crowd.covariance, covariance, atol=1e-6)
    few, _ = keep_factors(only_users(factors, np.array([1, 3])), 4)  # fewer users than factors
    np.testing.assert_array_equal(few.n_ratings, factors.n_ratings)
    assert few.crowd.mean.shape == (5,)
    assert train(table, "unseen", "--no-seen") == 0
    few, _ = keep_factors(load_factors(table / "unseen"), 4)
    np.testing.assert_array_equal(few.n_ratings, factors.n_ratings)
    capsys.readouterr()
    options = ["--model", str(table / "unseen"), "--factors", "4", "--no-ratings", "--out", str(tmp_path / "r.xlsx")]
    assert main(["export", *options]) == 2
    printed = capsys.readouterr()
    assert "the model does not say what each customer rated" in printed.err
    assert printed.out == ""  # nothing has begun
    assert not (tmp_path / "r.xlsx").exists()


def test_export_of_kept_users_counts_what_the_workbook_shows(table, tmp_path):
    save_factors(only_users(load_factors(table / "whole"), np.arange(5)), tmp_path / "kept")
    assert main(["export", "--model", str(tmp_path / "kept"), "--out", str(tmp_path / "recommender.xlsx")]) == 0

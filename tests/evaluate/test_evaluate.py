import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support.planted import low_rank_ratings, make_ratings

from cf_excel.cli import main
from cf_excel.errors import InputError
from cf_excel.evaluate import peers, report
from cf_excel.evaluate.run import choose, evaluate
from cf_excel.evaluate.splits import Fold, hold_back, make_folds
from cf_excel.evaluate.systems import Scorer, System, Tables, baselines, folded_in, grid, make_systems
from cf_excel.metrics import coverage, mae, mse, paired_difference
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split

SMALL = replace(low_rank_ratings(60, 50), timestamp=np.random.default_rng(0).permutation(1500))


def pairs(ratings: Ratings) -> set[tuple[int, int]]:
    return set(zip(ratings.user_idx.tolist(), ratings.movie_idx.tolist(), strict=True))


@pytest.mark.parametrize("split", ["lesson", "kfold", "time", "new-users"])
def test_a_fold_gives_and_asks_for_different_ratings(split: str) -> None:
    folds = make_folds(SMALL, split)
    for fold in folds:
        asked = set(zip(fold.users.tolist(), fold.movies.tolist(), strict=True))
        assert asked
        assert asked | pairs(fold.train) == pairs(SMALL)
        assert not asked & pairs(fold.train)
        table = dict(zip(zip(SMALL.user_idx, SMALL.movie_idx, strict=True), SMALL.rating, strict=True))
        assert fold.rating.tolist() == [table[pair] for pair in zip(fold.users, fold.movies, strict=True)]
    assert len(folds) == (5 if split == "kfold" else 1)
    if split == "kfold":
        assert sum(len(fold.rating) for fold in folds) == len(SMALL)


def test_the_split_by_time_asks_for_the_latest() -> None:
    (fold,) = make_folds(SMALL, "time")
    assert fold.train.timestamp.max() == len(SMALL) * 4 // 5 - 1


def test_new_users_give_their_first_ratings() -> None:
    (fold,) = make_folds(SMALL, "new-users", seed=3, n_given=4)
    new = np.flatnonzero(fold.new_users)
    assert len(new) == 12
    assert set(fold.users.tolist()) == set(new.tolist())
    for user in new:
        given = fold.train.timestamp[fold.train.user_idx == user]
        assert sorted(SMALL.timestamp[SMALL.user_idx == user])[:4] == sorted(given)


@pytest.mark.parametrize("split", ["lesson", "kfold", "time", "new-users"])
def test_the_inner_holdout_lies_within_the_training_ratings_and_asks_alike(split: str) -> None:
    fold = make_folds(SMALL, split, n_given=4)[0]
    inner = hold_back(fold, 0, alike=True)
    assert pairs(inner.train) | set(zip(inner.users.tolist(), inner.movies.tolist(), strict=True)) == pairs(fold.train)
    if split == "time":
        assert inner.train.timestamp.max() == len(fold.train) * 4 // 5 - 1
    if split == "new-users":
        assert not (fold.new_users & inner.new_users).any()
        given = np.bincount(inner.train.user_idx, minlength=SMALL.n_users)
        assert set(given[inner.new_users]) == set(given[fold.new_users]) == {4}
    drawn = hold_back(fold, 0)
    assert pairs(drawn.train) < pairs(fold.train)
    assert len(drawn.rating) == len(fold.train) // 5
    assert np.array_equal(drawn.new_users, fold.new_users)


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: make_folds(SMALL, "half"), "split 'half': expected one of lesson, kfold, time, hash, new-users"),
        (lambda: make_folds(SMALL, "new-users", n_given=0), "--given 0: expected 1 or more"),
        (lambda: make_folds(SMALL, "new-users", n_given=999), "are too few for the split new-users"),
        (lambda: make_folds(make_ratings([0], [0], [3]), "lesson"), "1 ratings are too few for the split lesson"),
        (lambda: make_folds(replace(SMALL, timestamp=None), "time"), "has no timestamps"),
        (lambda: make_systems(["bayes", "forest"], Tables()), "model 'forest': expected one of bayes, bayes-ratings"),
    ],
)
def test_what_can_not_be_evaluated(work, message: str) -> None:
    with pytest.raises(InputError, match=message):
        work()


def oracle(error: float, name: str = "oracle") -> System:
    """A system that knows every rating, but for an error, and is sure of itself to that."""
    table = np.zeros((SMALL.n_users, SMALL.n_movies))
    table[SMALL.user_idx, SMALL.movie_idx] = SMALL.rating
    noise = np.random.default_rng(1).normal(0, error, table.shape)
    return System(
        name,
        lambda fold, settings, seed: Scorer(
            lambda users, movies: (table + noise)[users, movies],
            lambda users, movies: np.full(len(users), error),
            lambda: {"rating": lambda users: (table + noise)[users]},
        ),
    )


def test_the_measures_of_a_known_error() -> None:
    first, second = evaluate(SMALL, "lesson", [oracle(0.1), oracle(0.2, "worse")])
    assert (first.system, first.n_test, first.more_than_first) == ("oracle", 300, None)
    rows = lesson_split(len(SMALL))
    users, movies, truth = SMALL.user_idx[rows], SMALL.movie_idx[rows], SMALL.rating[rows]
    train_range = make_folds(SMALL, "lesson")[0].train.rating_range
    guesses = [np.clip(oracle(e).fit(None, {}, 0).score(users, movies), *train_range) for e in (0.1, 0.2)]
    assert (first.mse, first.mae) == pytest.approx((mse(guesses[0], truth), mae(guesses[0], truth)))
    assert first.rmse == pytest.approx(first.mse**0.5)
    squared = [(guess - truth) ** 2 for guess in guesses]
    assert second.more_than_first == pytest.approx(paired_difference(*squared, users), abs=1e-9)
    assert first.coverage == pytest.approx([coverage(guesses[0] - truth, np.full(300, 0.1), s) for s in (0.5, 0.9)])
    assert first.ranking.ndcg > 0.95  # unrated movies score about 0, so that the liked ones come first


def test_what_is_held_back_does_not_narrow_the_range() -> None:
    ratings = replace(SMALL, rating=np.full(len(SMALL), 3, np.float32))
    ratings.rating[lesson_split(len(SMALL))[:2]] = 1, 5
    (fold,) = make_folds(ratings, "lesson")
    assert (fold.train.rating.min(), fold.train.rating.max()) == (3, 3)
    assert fold.train.rating_range == hold_back(fold, 0).train.rating_range == (1, 5)


def test_most_rated_ranks_and_rates_nothing() -> None:
    results = {result.system: result for result in evaluate(SMALL, "lesson", baselines())}
    assert np.isnan(results["most rated"].mse)
    assert results["most rated"].ranking is not None
    assert results["mean"].ranking is None
    assert results["mean"].lists == []
    assert results["user + movie bias"].mse < results["mean"].mse


@pytest.mark.slow
def test_our_models_beat_the_baselines_on_planted_factors() -> None:
    systems = [*make_systems(["bayes"], Tables()), *baselines()[:2]]
    results = {result.system: result for result in evaluate(SMALL, "kfold", systems)}
    assert results["bayes"].n_test == len(SMALL)
    assert results["bayes"].mse < 0.5 * results["user + movie bias"].mse
    assert results["user + movie bias"].more_than_first.low > 0
    assert results["bayes"].fit_seconds > 0


def test_movies_without_content_have_the_same_predictions_with_it() -> None:
    with_content, without = evaluate(SMALL, "lesson", make_systems(["bayes", "bayes-ratings"], Tables()))
    assert with_content.mse == without.mse


def test_a_model_of_the_lesson_knows_no_uncertainty() -> None:
    (result,) = evaluate(SMALL, "lesson", make_systems(["dot-bias"], Tables()))
    assert result.coverage is None
    assert result.mse < 2 * SMALL.rating.var()


def test_folding_new_users_in_is_as_good_as_training_with_them() -> None:
    systems = [*make_systems(["bayes"], Tables()), folded_in(Tables())]
    trained, folded = evaluate(SMALL, "new-users", systems, n_given=12)
    mean = evaluate(SMALL, "new-users", baselines()[:1], n_given=12)[0]
    assert folded.mse < 1.3 * trained.mse
    assert folded.mse < 0.5 * mean.mse


def test_tuning_sees_the_training_ratings_alone() -> None:
    seen: list[Fold] = []

    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        seen.append(fold)
        return Scorer(lambda users, movies: np.full(len(users), settings["guess"]))

    system = System("s", fit, grid({"guess": 0.0}, {"guess": float(SMALL.rating.mean())}, {"guess": 9.0}))
    (result,) = evaluate(SMALL, "lesson", [system], n_trials=3)
    assert result.settings == [{"guess": float(SMALL.rating.mean())}]
    assert result.n_tried == 3
    (fold,) = make_folds(SMALL, "lesson")
    asked = set(zip(fold.users.tolist(), fold.movies.tolist(), strict=True))
    for inner in seen[:3]:
        assert not asked & (pairs(inner.train) | set(zip(inner.users.tolist(), inner.movies.tolist(), strict=True)))
    assert len(seen) == 4
    assert choose(system, fold, 1, 0) == ({"guess": 0.0}, 1)


def test_candidates_of_bayes_start_with_the_usual_ones() -> None:
    (bayes,) = make_systems(["bayes"], Tables())
    drawn = bayes.candidates(np.random.default_rng(0), 3)
    assert drawn[0] == {}
    assert len(drawn) == 3
    assert drawn[1]["precisions"] != drawn[2]["precisions"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cf_excel.ratings.readers.load_ratings", lambda *args, **options: SMALL)
    monkeypatch.setattr("cf_excel.ratings.lesson_ratings.load_lesson_ratings", lambda: SMALL)


def test_the_tables_say_what_they_are_called(tmp_path: Path) -> None:
    ratings = replace(SMALL, nouns=Nouns("customer", "product"))
    board = evaluate(ratings, "new-users", baselines(ratings.nouns), n_given=12)
    report.save(tmp_path, [board], ratings, {}, [])
    text = (tmp_path / "results.md").read_text()
    assert "the later ratings of customers of whom" in text
    assert "\n| customer + product bias | " in text
    assert "10 unrated products for each of " in text


def test_the_command_prints_and_saves(small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert main(["evaluate", "--models", "bayes", "--tune", "2", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    saved = json.loads((out / "results.json").read_text())
    assert [(row["split"], row["system"]) for row in saved["results"][:4]] == [
        ("lesson", name) for name in ("bayes", "mean", "user + movie bias", "most rated")
    ]
    assert [lists["by"] for lists in saved["results"][0]["lists"]] == ["score", "watch", "rating"]
    assert saved["options"] == {"models": ["bayes"], "peers": False, "tune": 2, "given": 10, "seed": 0}
    assert saved["results"][0]["n_tried"] == 2
    assert saved["results"][3]["mse"] is saved["results"][3]["predict_seconds"] is None
    assert saved["data"]["ratings"] == len(SMALL)
    board = (out / "results.md").read_text()
    for row in saved["results"]:
        cells = [] if row["mse"] is None else [(row["system"], f"{row['mse']:.4f}")]
        for lists in row["lists"]:
            name = row["system"] if lists["by"] == "own" else f"{row['system']}, {lists['by']}"
            cells.append((name, f"{lists['liked'][2]:.4f}"))
        assert cells
        for name, cell in cells:
            assert f"| {name} | {cell} |" in board
            assert cell in captured.out
    assert "time: 300 ratings, the latest fifth of the ratings; up to 2 settings each" in board
    assert (out / "scoreboard.png").stat().st_size > 10_000
    assert captured.out.splitlines()[-4:] == [
        str(out / name) for name in ("results.json", "results.md", "scoreboard.png", "scoreboard.svg")
    ]


def test_without_timestamps_there_is_no_split_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = replace(SMALL, timestamp=None)
    monkeypatch.setattr("cf_excel.ratings.readers.load_ratings", lambda *args, **options: bare)
    monkeypatch.setattr("cf_excel.ratings.lesson_ratings.load_lesson_ratings", lambda: bare)
    assert main(["evaluate", "--models", "dot", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "planted ratings has no timestamps: no split by time" in captured.err
    assert "time:" not in captured.out
    assert "new-users:" in captured.out


def test_where_nobody_has_enough_ratings_there_is_no_split_by_new_users(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["evaluate", "--models", "dot", "--out", str(tmp_path), "--given", "500"]
    assert main(given) == 0
    captured = capsys.readouterr()
    assert "no split by new users: none of those drawn has more than --given 500 ratings" in captured.err
    assert "time:" in captured.out
    assert "new-users:" not in captured.out
    assert main([*given, "--split", "new-users"]) == 2
    assert "ratings are too few for the split new-users" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--models", "forest"], "model 'forest': expected one of bayes"),
        (["--tune", "0"], "--tune 0: expected 1 or more"),
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
        (["--given", "0", "--split", "new-users"], "--given 0: expected 1 or more"),
        (["--split", "half"], "invalid choice: 'half'"),
        (["--movie-features", "no.csv"], "no.csv: there is no such file"),
    ],
)
def test_bad_options_are_one_line(
    args: list[str], message: str, small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["evaluate", "--out", str(tmp_path), *args])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


def test_a_peer_that_is_not_installed_is_named(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ModuleType("peer_that_is_here")
    monkeypatch.setitem(sys.modules, "peer_that_is_here", here)
    fit = lambda train, settings, seed: lambda users, movies: np.full(len(users), 3.0)  # noqa: E731
    there = peers.Peer("present", "peer_that_is_here", fit)
    monkeypatch.setattr(peers, "PEERS", (there, peers.Peer("absent", "no_such_library", fit)))
    most = peers.ListPeer("small", "scipy", lambda *_: None, ({},), most=49)
    monkeypatch.setattr(peers, "LIST_PEERS", (most,))
    assert main(["evaluate", "--models", "bayes", "--split", "lesson", "--peers", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    pip = 'pip install -e ".[bench]" in a copy of cf_excel has it'
    assert f"note: left out: absent (No module named 'no_such_library'; {pip})\n" in captured.err
    assert "note: left out: small (it can't take more than 49 users and movies)\n" in captured.err
    assert "\npresent " in captured.out
    assert json.loads((tmp_path / "results.json").read_text())["left_out"] == [
        f"absent (No module named 'no_such_library'; {pip})",
        "small (it can't take more than 49 users and movies)",
    ]


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_peers_score_pairs(peer: peers.Peer) -> None:
    pytest.importorskip(peer.module)
    (fold,) = make_folds(SMALL, "lesson")
    scores = peer.fit(fold.train, peer.settings[0], 0)(fold.users, fold.movies)
    assert scores.shape == fold.users.shape
    assert np.isfinite(scores).all()
    mean = np.full(len(scores), fold.train.rating.mean())
    assert mse(np.clip(scores, *SMALL.rating_range), fold.rating) < mse(mean, fold.rating)

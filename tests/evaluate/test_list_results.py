from dataclasses import replace
from math import log2

import numpy as np
import pytest
from support.planted import low_rank_ratings, make_ratings

from cf_excel.evaluate.list_peers import HALF_LIFE, most_rated
from cf_excel.evaluate.list_results import ListTally
from cf_excel.evaluate.run import choose, evaluate
from cf_excel.evaluate.splits import Fold, make_folds, without
from cf_excel.evaluate.systems import Scorer, System, Tables, baselines, folded_in, make_systems, peers
from cf_excel.metrics import Ranking
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split

SMALL = replace(low_rank_ratings(60, 50), timestamp=np.random.default_rng(0).permutation(1500))


def fold_of(train: Ratings, asked: list[tuple[int, int, float]]) -> Fold:
    users, movies, rating = zip(*asked, strict=True)
    nobody = np.zeros(train.n_users, bool)
    return Fold(train, np.array(users), np.array(movies), np.array(rating, np.float32), nobody, "lesson")


def test_the_measures_of_lists_made_by_hand() -> None:
    n_movies = 14
    train = replace(make_ratings([0, 0, 2, 1], [0, 13, 0, 5], [1, 5, 5, 3]), declared_range=(1, 5))
    train = replace(train, movie_ids=np.arange(n_movies), titles=np.full(n_movies, ""))
    # user 0: 13 and 0 are known, and so 12 comes first, then 11, to 3; user 1: 5 is known; user 2 is not asked for
    fold = fold_of(train, [(0, 12, 5), (0, 10, 4), (0, 2, 5), (0, 11, 3), (1, 0, 2)])
    tally = ListTally()
    tally.add(lambda users: np.tile(np.arange(n_movies, dtype=float), (len(users), 1)), fold)
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert tally.users == [0]
    assert tally.liked == [Ranking(0.2, pytest.approx(2 / 3), pytest.approx((1 + 1 / log2(4)) / ideal), 1)]
    of_four = (1 + 1 / log2(3) + 1 / log2(4)) / (ideal + 1 / log2(5))
    # of user 1 all of 13 to 3 but 5 are listed, and 0 is not
    assert tally.rated == [Ranking(pytest.approx(0.3), 0.75, pytest.approx(of_four), 1), Ranking(0, 0, 0, 0)]
    result = tally.result("own", tally)
    assert result.n_users == 2
    assert result.liked == tally.liked[0]
    assert result.rated == Ranking(*(pytest.approx(value / 2) for value in tally.rated[0]))
    assert result.coverage == 11 / 14  # 3 to 13
    assert result.n_ratings == 0
    assert result.more_than_first is None


def test_a_list_may_be_shorter_than_ten_and_ties_stand_in_the_order_of_the_table() -> None:
    train = replace(make_ratings([0, 1, 1], [0, 1, 2], [5, 5, 5]), declared_range=(1, 5))
    tally = ListTally()
    tally.add(lambda users: np.zeros((len(users), 3)), fold_of(train, [(0, 2, 5)]))
    assert tally.rated == tally.liked == [Ranking(0.1, 1, pytest.approx(1 / log2(3)), 1)]
    assert tally.coverage == [2 / 3]
    assert tally.n_ratings[0].tolist() == [1, 1]


def test_all_users_count_and_what_is_known_is_left_out() -> None:
    (fold,) = make_folds(SMALL, "lesson")
    table = np.zeros((SMALL.n_users, SMALL.n_movies))
    table[fold.train.user_idx, fold.train.movie_idx] = 9.0  # the best scores go to what must be left out
    table[fold.users, fold.movies] = fold.rating
    perfect = System("s", lambda *_: Scorer(None, orders=lambda: {"own": lambda users: table[users]}), rates=False)
    (result,) = evaluate(SMALL, "lesson", [perfect])
    (lists,) = result.lists
    assert lists.liked.ndcg == lists.liked.hit == lists.rated.ndcg == 1
    assert lists.n_users == len(np.unique(fold.users))
    assert result.ranking == lists.liked


def test_many_users_in_blocks_get_the_lists_that_they_get_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (fold,) = make_folds(SMALL, "lesson")
    scores = np.random.default_rng(0).normal(size=(SMALL.n_users, SMALL.n_movies))
    tallies = [ListTally(), ListTally()]
    tallies[0].add(lambda users: scores[users], fold)
    monkeypatch.setattr("cf_excel.learn.list_measures._SCORES_AT_ONCE", 7 * SMALL.n_movies)
    tallies[1].add(lambda users: scores[users], fold)
    assert tallies[0].rated == tallies[1].rated
    assert tallies[0].n_ratings[0].tolist() == tallies[1].n_ratings[0].tolist()


def test_lists_of_the_model_are_those_of_its_predictor() -> None:
    from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
    from cf_excel.learn.bayes.tuning import fit_tuned
    from cf_excel.learn.list_fit import with_lists

    (fold,) = make_folds(SMALL, "lesson")
    none = np.empty(0, np.int64)
    (bayes,) = make_systems(["bayes"], Tables())
    orders = bayes.fit(fold, {}, 0).orders()
    factors = bayes_to_factors(fit_tuned(fold.train, none), fold.train, "none")
    for by in ("score", "watch", "rating"):
        predictor = Predictor(with_lists(factors, fold.train, none, by, 0))
        for user in (0, 7):
            listed = [movie.movie_id for movie in predictor.recommend(fold.train.user_ids[user])]
            scores = orders[by](np.array([user]))[0].astype(float)
            scores[fold.train.movie_idx[fold.train.user_idx == user]] = -np.inf
            assert fold.train.movie_ids[np.argsort(-scores, kind="stable")[:10]].tolist() == listed


def test_lists_are_compared_with_the_first_ones() -> None:
    results = evaluate(SMALL, "lesson", [*make_systems(["dot-bias"], Tables()), *baselines()])
    lists = {(result.system, of.by): of for result in results for of in result.lists}
    first = lists["dot-bias", "score"]
    assert first.more_than_first is None
    for key in (("dot-bias", "rating"), ("user + movie bias", "rating"), ("most rated", "own")):
        mean, low, high = lists[key].more_than_first
        assert mean == pytest.approx(lists[key].liked.ndcg - first.liked.ndcg)
        assert low < mean < high
    assert ("most rated lately", "own") in lists
    assert "most rated lately" not in [system.name for system in baselines(has_times=False)]


def test_new_users_have_lists_by_score_though_the_lists_never_saw_them() -> None:
    (result,) = evaluate(SMALL, "new-users", [folded_in(Tables())], n_given=12)
    assert {lists.by for lists in result.lists} == {"score", "watch", "rating"}
    assert {lists.n_users for lists in result.lists} == {12}


def test_nothing_but_the_training_ratings_sets_a_peer() -> None:
    (fold,) = make_folds(SMALL, "lesson")
    blind = replace(fold, rating=np.full(len(fold.rating), np.nan))
    rankers = [system for system in (*baselines(), *peers(SMALL)[0]) if not system.rates]
    assert {"EASE", "item kNN", "user kNN"} <= {system.name for system in rankers}
    for system in rankers:
        settings, _ = choose(system, fold, 3, 0)
        assert choose(system, blind, 3, 0)[0] == settings
        users = np.arange(SMALL.n_users)
        scores = [system.fit(which, settings, 0).orders()["own"](users) for which in (fold, blind)]
        assert np.array_equal(*scores)


def test_peers_list_the_most_rated_for_users_of_whom_they_know_nothing() -> None:
    (fold,) = make_folds(SMALL, "time")
    train = fold.train
    stranger = without(train, np.flatnonzero(train.user_idx == 3))
    counts = most_rated(stranger, HALF_LIFE)(np.array([3]))
    for system in peers(SMALL)[0]:
        if not system.rates:
            settings = system.candidates(np.random.default_rng(0), 1)[0]
            scores = system.fit(replace(fold, train=stranger), settings, 0).orders()["own"]
            assert np.array_equal(scores(np.array([4, 3]))[1:], counts)
            assert not np.array_equal(scores(np.array([4])), counts)


def test_a_system_that_ranks_is_tuned_for_its_lists() -> None:
    table = np.zeros((SMALL.n_users, SMALL.n_movies))
    table[SMALL.user_idx, SMALL.movie_idx] = SMALL.rating

    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        return Scorer(None, orders=lambda: {"own": lambda users: settings["sign"] * table[users]})

    system = System("s", fit, lambda rng, n: [{"sign": -1}, {"sign": 1}], rates=False)
    (fold,) = make_folds(SMALL, "lesson")
    assert choose(system, fold, 2, 0) == ({"sign": 1}, 2)


def test_nobody_who_liked_anything_leaves_measures_of_any_rating() -> None:
    rating = np.full(len(SMALL), 1, np.float32)
    rating[np.setdiff1d(np.arange(len(SMALL)), lesson_split(len(SMALL)))[0]] = 5
    results = evaluate(replace(SMALL, rating=rating), "lesson", baselines())
    (lists,) = results[2].lists
    assert lists.liked is lists.more_than_first is None
    assert 0 < lists.rated.ndcg < 1

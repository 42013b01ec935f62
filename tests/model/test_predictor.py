import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.models import list_factors

from cf_excel.errors import FileError, InputError, UnknownIdError
from cf_excel.model import predictor as predictor_module
from cf_excel.model import row_scores
from cf_excel.model.file import save_factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor, load_predictor
from cf_excel.ratings.nouns import Nouns


def one_prediction(factors, user, movie, user_row=None, cut_off=True):
    """The definition, for one pair of rows, in float64."""
    p, bias = (factors.user_factors[user], factors.user_bias[user]) if user_row is None else user_row
    q = factors.movie_factors[movie].astype(float)
    low, high = factors.rating_range
    if factors.kind == "bayes":
        x = factors.global_mean + p.astype(float) @ q + bias + factors.movie_bias[movie]
        return np.clip(x, low, high) if cut_off else x
    if factors.kind == "dot":
        return p.astype(float) @ q
    x = p.astype(float) @ q + bias + factors.movie_bias[movie]
    if factors.kind == "picks":
        return max(x / (1 + abs(x)), 0)
    if factors.kind == "net":
        w1, b1, w2, b2 = (factors.layers[name].astype(float) for name in ("w1", "b1", "w2", "b2"))
        x = (w2 @ np.maximum(w1 @ np.concatenate([p, q]) + b1, 0) + b2)[0]
        low, high = low - 0.5, high + 0.5
    return low + (high - low) / (1 + np.exp(-x))


@pytest.fixture(scope="module", params=KINDS)
def predictor(request, tiny_factors):
    return Predictor(tiny_factors(request.param))


@pytest.fixture
def collab(tiny_factors):
    return Predictor(tiny_factors("collab"))


shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4, min_side=0)


@settings(max_examples=60, deadline=None)
@given(shapes=shapes, seed=st.integers(0, 99))
def test_predictions_broadcast(predictor, shapes, seed):
    factors, rng = predictor.factors, np.random.default_rng(seed)
    users, movies = rng.integers(0, 5, shapes.input_shapes[0]), rng.integers(0, 8, shapes.input_shapes[1])
    predictions = predictor.predict(factors.user_ids[users], factors.movie_ids[movies])
    expected = np.vectorize(lambda u, m: one_prediction(factors, u, m), otypes=[float])(
        *np.broadcast_arrays(users, movies)
    )
    assert predictions.shape == shapes.result_shape
    assert predictions.dtype == np.float32
    np.testing.assert_allclose(predictions, expected, atol=1e-5)


def test_a_million_pairs_are_scored_in_chunks_and_a_grid_of_any_length(predictor, monkeypatch):
    factors = predictor.factors
    monkeypatch.setattr(row_scores, "_CHUNK", 7)
    users, movies = np.repeat(factors.user_ids, 8), np.tile(factors.movie_ids, 5)
    pairs = predictor.predict(users, movies)
    grid = predictor.predict(factors.user_ids[:, None], factors.movie_ids)
    expected = [one_prediction(factors, u, m) for u in range(5) for m in range(8)]
    np.testing.assert_allclose(pairs, expected, atol=1e-5)
    np.testing.assert_allclose(grid.ravel(), expected, atol=1e-5)


@pytest.mark.parametrize("user", [15, 15.0, "15", " 15.0 ", np.int32(15), np.float32(15)])
def test_an_id_in_any_form(user, collab):
    assert collab.predict(user, 2571) == collab.predict([15], [2571])[0]
    assert collab.recommend(user) == collab.recommend(15)


def test_ids_that_are_texts_or_far_apart(tiny_factors):
    texts = replace(tiny_factors(), user_ids=np.array(["007", "7", "שלום", "🎬", "15"], object))
    far = replace(tiny_factors(), user_ids=np.array([-(2**63), 2**63 - 1, 0, 5, 15]))
    for factors in (texts, far):
        predictor = Predictor(factors)
        for row, user in enumerate(factors.user_ids.tolist()):
            assert predictor.predict(user, 1) == pytest.approx(one_prediction(factors, row, 0), abs=1e-5)
        assert predictor.predict(15.0, 1) == predictor.predict("15", 1)
    assert Predictor(texts).predict("007", 1) != Predictor(texts).predict(7, 1)


@pytest.mark.parametrize(
    ("users", "movies", "error", "words"),
    [
        (1, 99999, UnknownIdError, r"^movie 99999 is not in the model \(8 movies\)$"),
        (99999.0, 1, UnknownIdError, r"^user 99999 is not in the model \(5 users\)$"),
        ("99999", 1, UnknownIdError, "^user 99999 is not"),
        ([1, 7, 2, 4], 1, UnknownIdError, "^user 2 is not"),
        (-1, 1, UnknownIdError, "user -1 is not"),
        (2**64, 1, UnknownIdError, "user '18446744073709551616' is not"),
        (np.uint64(2**64 - 1), 1, UnknownIdError, "is not in the model"),
        (np.inf, 1, UnknownIdError, "user 'inf' is not"),
        (1, "x\ny", UnknownIdError, r"movie 'x\\ny' is not"),
        (1, "x" * 500, UnknownIdError, r"movie 'x{56}\.\.\. is not"),
        (1, np.nan, InputError, "an id is blank"),
        ([1, None], 1, InputError, "an id is blank"),
        ([[1], [2, 3]], 1, InputError, "a rectangle of ids"),
        ([1, 7], [1, 10, 11], InputError, r"users of shape \(2,\) and movies of shape \(3,\)"),
    ],
)
def test_what_can_not_be_predicted(users, movies, error, words, collab):
    with pytest.raises(error, match=words):
        collab.predict(users, movies)


def test_an_unknown_id_can_count_as_the_mean(predictor):
    factors = predictor.factors
    mean_user = factors.user_factors.mean(axis=0), factors.user_bias.mean()
    predictions = predictor.predict([1, 99999], [[1], [2571]], unknown="bias")
    np.testing.assert_allclose(predictions[:, 0], predictor.predict(1, [1, 2571]), atol=1e-6)
    expected = [one_prediction(factors, None, movie, mean_user) for movie in (0, 1)]
    np.testing.assert_allclose(predictions[:, 1], expected, atol=1e-5)
    with pytest.raises(InputError, match="unknown 'guess': expected raise or bias"):
        predictor.predict(1, 1, unknown="guess")


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("n", [1, 3, 8, 100])
def test_recommend_is_the_best_of_every_prediction(predictor, n, exclude_seen):
    factors = predictor.factors
    for row, user in enumerate(factors.user_ids.tolist()):
        seen = factors.seen_movies[factors.seen_offsets[row] : factors.seen_offsets[row + 1]] if exclude_seen else []
        scores = {movie: one_prediction(factors, row, movie) for movie in range(8) if movie not in seen}
        # predictions that are cut off are equal: what they were before ranks them
        best = sorted(scores, key=lambda movie: -one_prediction(factors, row, movie, cut_off=False))[:n]
        found = predictor.recommend(user, n, exclude_seen)
        assert [movie.movie_id for movie in found] == factors.movie_ids[best].tolist()
        assert [movie.title for movie in found] == factors.titles[best].tolist()
        assert [movie.score for movie in found] == pytest.approx([scores[movie] for movie in best], abs=1e-5)


def test_ties_keep_the_order_of_the_model(tiny_factors):
    factors = tiny_factors("dot")
    same = replace(factors, movie_factors=np.repeat(factors.movie_factors[:2], 4, axis=0))
    best = Predictor(same).predict(42, same.movie_ids).argmax()
    found = [movie.movie_id for movie in Predictor(same).recommend(42, 6, exclude_seen=False)]
    halves = [same.movie_ids[:4].tolist(), same.movie_ids[4:].tolist()]
    assert found == (halves[best // 4] + halves[1 - best // 4])[:6]


@pytest.fixture(params=["score", "watch"])
def listing(request, predictor):
    """A model of any kind, but of picks, whose lists rank by the list score or by watch."""
    if predictor.kind.of_picks:
        pytest.skip("its lists rank by its score")
    return Predictor(replace(predictor.factors, lists=list_factors(request.param)))


def list_score(factors, seen, movie, rating, explore=0.0):
    """The definition, for a user who rated the movies seen, in float64."""
    lists, (low, high), n = factors.lists, factors.rating_range, len(seen)
    p = lists.given[seen].sum(axis=0, dtype=float) / (n + 10)
    watch = max(p @ lists.asked[movie], 0) + 10 / (n + 10) * lists.popularity[movie]
    watch /= (factors.n_ratings[movie] + 10) ** explore
    return watch * max(rating - low - (high - low) / 3, (high - low) / 300) if lists.by == "score" else watch


@pytest.mark.parametrize("explore", [0.0, 0.6])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_a_model_with_list_factors_ranks_by_the_list_score_and_shows_the_rating(listing, exclude_seen, explore):
    factors = listing.factors
    all_scores = listing.row_scores.of_lists(np.arange(5), explore=explore)[0]
    for row, user in enumerate(factors.user_ids.tolist()):
        seen = factors.seen(row)
        ratings = [one_prediction(factors, row, movie, cut_off=False) for movie in range(8)]
        scores = [list_score(factors, seen, movie, ratings[movie], explore) for movie in range(8)]
        np.testing.assert_allclose(all_scores[row], scores, rtol=1e-4)
        best = [movie for movie in np.argsort(np.negative(scores)) if not exclude_seen or movie not in seen]
        found = listing.recommend(user, 8, exclude_seen, explore=explore)
        assert [movie.movie_id for movie in found] == factors.movie_ids[best].tolist()
        assert [movie.score for movie in found] == pytest.approx(
            [one_prediction(factors, row, movie) for movie in best], abs=1e-5
        )


def test_a_new_user_is_listed_by_the_movies_that_they_rated(listing):
    factors = listing.factors
    user = listing.fit_user([1, 10, 1], [5, 2, 4])
    scores = [
        list_score(factors, [0, 4], movie, one_prediction(factors, None, movie, user, cut_off=False))
        for movie in range(8)
    ]
    best = [movie for movie in np.argsort(np.negative(scores)) if movie not in (0, 4)]
    found = listing.fold_in([1, 10, 1], [5, 2, 4])
    assert [movie.movie_id for movie in found] == factors.movie_ids[best].tolist()
    ratings = listing.predict_for(*user, factors.movie_ids[best])
    assert [movie.score for movie in found] == pytest.approx(ratings.tolist(), abs=1e-5)


def test_a_lower_bound_stands_for_the_rating_in_the_list_score(tiny_factors):
    predictor = Predictor(replace(tiny_factors("bayes"), lists=list_factors()))
    factors = predictor.factors
    bounds = [one_prediction(factors, 3, movie, cut_off=False) for movie in range(8)]
    bounds -= 0.7 * predictor.uncertainty(42, factors.movie_ids)
    scores = [list_score(factors, factors.seen(3), movie, bounds[movie]) for movie in range(8)]
    found = predictor.recommend(42, 8, exclude_seen=False, lower_bound=0.7)
    best = np.argsort(np.negative(scores))
    assert [movie.movie_id for movie in found] == factors.movie_ids[best].tolist()
    assert [movie.score for movie in found] == pytest.approx(np.clip(bounds[best], 0.5, 5), abs=1e-5)


def test_equal_list_scores_keep_the_order_of_the_model(tiny_factors):
    lists = list_factors()
    same = {name: np.repeat(getattr(lists, name)[:1], 8, axis=0) for name in ("given", "asked", "popularity")}
    predictor = Predictor(replace(tiny_factors(), lists=replace(lists, **same, by="watch")))
    found = predictor.recommend(42, 8, exclude_seen=False)
    assert [movie.movie_id for movie in found] == predictor.factors.movie_ids.tolist()


def test_lists_of_what_enough_people_rated(predictor, listing):
    for model in (predictor, listing):
        found = {movie.movie_id for movie in model.recommend(3, 8, min_ratings=1)}
        assert found == {1, 2571, 1411, 3598, 10, 4973, 12}
        assert [movie.movie_id for movie in model.recommend(3, 8, min_ratings=2)] == [1]
        assert [movie.movie_id for movie in model.fold_in([2571], [4], min_ratings=2)] == [1]
        assert model.fold_in([1], [4], min_ratings=2) == []


def test_what_can_not_be_explored(tiny_factors):
    listing = Predictor(replace(tiny_factors(), lists=list_factors()))
    for explore in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match=r"explore .*: expected 0 to 1"):
            listing.recommend(42, explore=explore)
    for work in (lambda model: model.recommend(42, explore=0.5), lambda model: model.fold_in([1], [4], explore=0.5)):
        with pytest.raises(InputError, match="lists rank by the rating: to explore, train one with --lists score"):
            work(Predictor(tiny_factors()))


def test_uncertainty_is_the_spread_of_the_numbers_behind_a_prediction(tiny_factors):
    factors = replace(tiny_factors("bayes"), rating_range=(-1e6, 1e6))
    predictor, rng, n = Predictor(factors), np.random.default_rng(0), 400_000
    draw = lambda mean, variance: rng.normal(mean, np.sqrt(variance), (n, *np.shape(mean)))  # noqa: E731
    for user, movie in ((0, 0), (4, 7)):
        mine, its = factors.layers["user_variance"][user], factors.layers["movie_variance"][movie]
        p, q = draw(factors.user_factors[user], mine[:-1]), draw(factors.movie_factors[movie], its[:-1])
        biases = draw(0.0, mine[-1]) + draw(0.0, its[-1]) + draw(0.0, factors.layers["noise_variance"][user])
        ids = factors.user_ids[user], factors.movie_ids[movie]
        assert predictor.uncertainty(*ids) == pytest.approx(((p * q).sum(axis=1) + biases).std(), rel=0.01)
    grid = predictor.uncertainty(factors.user_ids[:, None], factors.movie_ids)
    assert grid.shape == (5, 8)
    pairs = predictor.uncertainty(np.repeat(factors.user_ids, 8), np.tile(factors.movie_ids, 5))
    np.testing.assert_allclose(grid.ravel(), pairs, rtol=1e-5)


def test_recommend_by_a_lower_bound(tiny_factors):
    predictor = Predictor(tiny_factors("bayes"))
    factors = predictor.factors
    bounds = [one_prediction(factors, 3, movie, cut_off=False) for movie in range(8)]
    bounds -= 1.5 * predictor.uncertainty(42, factors.movie_ids)
    found = predictor.recommend(42, 8, exclude_seen=False, lower_bound=1.5)
    assert [movie.movie_id for movie in found] == factors.movie_ids[np.argsort(-bounds)].tolist()
    assert [movie.movie_id for movie in found] != [movie.movie_id for movie in predictor.recommend(42, 8, False)]
    assert [movie.score for movie in found] == pytest.approx(np.clip(np.sort(bounds)[::-1], 0.5, 5), abs=1e-5)


def test_uncertainty_of_what_knows_none(tiny_factors, collab):
    for work in (lambda: collab.uncertainty(1, 1), lambda: collab.recommend(1, lower_bound=1.0)):
        with pytest.raises(InputError, match="kind collab knows no uncertainty: train one of kind bayes"):
            work()
    with pytest.raises(UnknownIdError, match="user 99999 is not"):
        Predictor(tiny_factors("bayes")).uncertainty(99999, 1)


def test_similar_is_the_cosine(predictor):
    vectors = predictor.factors.movie_factors.astype(float)
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = vectors @ vectors[1] / lengths / lengths[1]
    order = [row for row in np.argsort(-cosines) if row != 1]
    for movie in (2571, "2571", "The Matrix"):
        found = predictor.similar(movie, 20)
        assert [m.movie_id for m in found] == predictor.factors.movie_ids[order].tolist()
        assert [m.score for m in found] == pytest.approx(cosines[order], abs=1e-6)
    assert {m.movie_id for m in predictor.similar(2571, 20, min_ratings=2)} == {1}  # rated twice, as no other movie


def test_similar_takes_the_usual_number_unless_told(tiny_factors):
    factors = tiny_factors()
    twelve = {name: np.resize(getattr(factors, name), 12) for name in ("titles", "years", "genres", "movie_bias")}
    seen = np.append(np.arange(11), np.arange(11)).astype(np.int32)  # ten others are rated twice, the twelfth never
    model = Predictor(
        replace(
            factors,
            **twelve,
            movie_ids=np.arange(12),
            movie_factors=np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32),
            seen_movies=seen,
            seen_offsets=np.array([0, 11, 22, 22, 22, 22]),
        )
    )
    assert model.least_ratings == 2
    assert {movie.movie_id for movie in model.similar(0, 20)} == set(range(1, 11))
    assert {movie.movie_id for movie in model.similar(0, 20, 0)} == set(range(1, 12))


def test_similar_to_a_movie_with_no_factors(tiny_factors):
    factors = tiny_factors()
    found = Predictor(replace(factors, movie_factors=np.zeros_like(factors.movie_factors))).similar(1)
    assert [movie.score for movie in found] == [0.0] * 7


@pytest.mark.parametrize("n", [0, -1, 1.5, np.nan, np.inf, True, "3", None])
def test_n_must_be_a_count(n, collab):
    for work in (collab.recommend, collab.similar, collab.find):
        with pytest.raises(InputError, match=f"n {n}: expected a whole number, 1 or more"):
            work("1", n)
    with pytest.raises(InputError, match=f"n {n}: expected"):
        collab.fold_in([1], [5], n)


def test_one_id_where_one_is_expected(collab):
    for work in (collab.recommend, collab.similar):
        with pytest.raises(InputError, match="expected one id"):
            work([1, 7])


def test_factors_and_biases_by_id(predictor):
    factors = predictor.factors
    np.testing.assert_array_equal(predictor.user_factors([[7], [1]]), factors.user_factors[[[1], [0]]])
    np.testing.assert_array_equal(predictor.movie_factors("2571"), factors.movie_factors[1])
    np.testing.assert_array_equal(predictor.user_bias([7.0, 1.0]), factors.user_bias[[1, 0]])
    np.testing.assert_array_equal(predictor.movie_bias(10), factors.movie_bias[4])
    with pytest.raises(UnknownIdError, match="movie 5 is not"):
        predictor.movie_factors([1, 5])


@pytest.mark.parametrize(
    ("name", "movie_id"),
    [
        (12, 12),
        ("12", 12),
        ("Matrix, The (1999)", 2571),
        ("matrix, the (1999)", 2571),
        ("MATRIX, THE", 2571),
        ("The  Matrix", 2571),
        ("the matrix (1999)", 2571),
        ("Matrix", 2571),
        ("Toy Story", 1),
        ("a=b", 10),
        ("Hamlet (1996)", 1411),
        ("Le Fabuleux destin d'Amélie Poulain", 4973),
        ("Ame\u0301lie", 4973),
        ("שלום", 11),
        (" up 🎈 ", 12),
    ],
)
def test_a_movie_by_id_or_title(name, movie_id, collab):
    assert collab.movie_id(name) == movie_id
    assert type(collab.movie_id(name)) is int


def test_titles_that_name_no_single_movie(collab):
    with pytest.raises(
        InputError, match=r"^'hamlet' is 2 movies: 1411 Hamlet \(1996\), 3598 Hamlet \(2000\): give the id"
    ):
        collab.similar("hamlet")
    with pytest.raises(UnknownIdError, match=r"movie 'Matri' is not .*: did you mean Matrix, The \(1999\)\?"):
        collab.title("Matri")
    with pytest.raises(UnknownIdError, match=r"movie 'Heat' is not in the model \(8 movies\)$"):
        collab.fold_in(["Heat"], [5])


def test_a_title_with_a_slip_is_guessed(collab):
    with pytest.raises(UnknownIdError, match=r"movie 'mtrix' is not .*: did you mean Matrix, The \(1999\)\?$"):
        collab.movie_id("mtrix")
    with pytest.raises(UnknownIdError, match=r"movie 2572 is not in the model \(8 movies\)$"):
        collab.movie_id("2572")


@pytest.fixture
def shop(tiny_factors):
    """A model of customers and products, without titles, as people's own tables are."""
    ids = ["Blue Mug", "Espresso Cup", "Tea Cup", "SKU-7", "007", "straße", "ab", "AB"]
    return Predictor(
        replace(
            tiny_factors("bayes"),
            user_ids=np.array(["Ann", "Bob", "Cy", "Dora", "Zoë"], object),
            movie_ids=np.array(ids, object),
            titles=np.array([""] * 8, object),
            nouns=Nouns("customer", "product"),
        )
    )


def test_text_ids_are_found_as_titles_are(shop):
    assert shop.movie_id(" blue  MUG") == "Blue Mug"
    assert shop.predict("ann", "STRASSE") == shop.predict("Ann", "straße")
    assert shop.movie_rows(["sku-7", "AB", "ab", "Ab", "7"]).tolist() == [3, 7, 6, -1, -1]
    assert shop.find("cup") == [("Espresso Cup", ""), ("Tea Cup", "")]
    assert shop.labels.tolist() == shop.factors.movie_ids.tolist()


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("cup", r": did you mean Espresso Cup or Tea Cup\?"),
        ("blu mgu", r": did you mean Blue Mug\?"),
        ("Ab", r": did you mean AB or ab\?"),
        ("plate", ""),
    ],
)
def test_errors_say_what_they_are_called_and_what_comes_close(shop, name, end):
    with pytest.raises(UnknownIdError, match=rf"^product '{name}' is not in the model \(8 products\){end}$"):
        shop.similar(name)
    with pytest.raises(
        UnknownIdError, match=r"^customer 'Dorra' is not in the model \(5 customers\): did you mean Dora"
    ):
        shop.recommend("Dorra")


def test_an_item_without_a_title_is_shown_by_its_id(tiny_factors):
    factors = tiny_factors()
    titles = factors.titles.copy()
    titles[1] = ""
    assert Predictor(replace(factors, titles=titles)).labels.tolist()[:3] == ["Toy Story (1995)", 2571, "Hamlet (1996)"]


def test_find(collab):
    assert collab.find("the MATRIX") == [(2571, "Matrix, The (1999)")]
    assert collab.find("(2", 2) == [
        (3598, "Hamlet (2000)"),
        (10, "a=b (2001)"),
    ]  # rated once, as 4973 is, and before it
    assert collab.find("(2", 3)[2][0] == 4973
    assert collab.find("nothing like it") == []


def test_load_predictor_reads_a_file_again_only_when_it_changed(tiny_factors, tmp_path, monkeypatch):
    path = tmp_path / "model"
    monkeypatch.setenv("CF_EXCEL_MODEL", str(path))
    with pytest.raises(FileError, match="there is no model"):
        load_predictor()
    save_factors(tiny_factors("collab"), path)
    first = load_predictor()
    assert load_predictor(path) is first
    save_factors(tiny_factors("dot"), path)
    os.utime(path, ns=(1, 1))
    assert load_predictor().factors.kind == "dot"
    path.write_bytes(b"broken")
    with pytest.raises(FileError):
        load_predictor()
    path.unlink()
    with pytest.raises(FileError, match="there is no model"):
        load_predictor()


@pytest.mark.parametrize(
    "in_place", [pytest.param(True, marks=pytest.mark.skipif(os.name == "nt", reason="ctime is something else")), False]
)
def test_another_model_of_the_same_time_and_size_is_read(in_place, tiny_factors, tmp_path):
    path, other = tmp_path / "model", tmp_path / "other"
    save_factors(tiny_factors(seed=0), path)
    save_factors(tiny_factors(seed=1), other)
    first, was = load_predictor(path), path.stat()
    data = other.read_bytes()
    assert len(data) == was.st_size
    if in_place:
        while path.stat().st_ctime_ns == was.st_ctime_ns:  # the clock of the file system ticks every few milliseconds
            path.write_bytes(data)
            os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    else:
        os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
        os.replace(other, path)
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (was.st_mtime_ns, was.st_size)
    assert load_predictor(path) is not first
    assert load_predictor(path).predict(15, 1) == Predictor(tiny_factors(seed=1)).predict(15, 1) != first.predict(15, 1)
    assert load_predictor(path) is load_predictor(path)


def test_threads_share_one_load(tiny_factors, tmp_path, monkeypatch):
    save_factors(tiny_factors(), tmp_path / "model")
    loads, start, found = [], threading.Barrier(8), []
    real = predictor_module.load_factors
    monkeypatch.setattr(predictor_module, "load_factors", lambda path: loads.append(path) or real(path))

    def work():
        start.wait()
        found.append(load_predictor(tmp_path / "model"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_scoring_loads_numpy_and_safetensors_alone(tiny_factors, tmp_path):
    save_factors(tiny_factors(), tmp_path / "model")
    code = (
        "import sys; from cf_excel.model.predictor import load_predictor; load_predictor().fold_in(['Toy Story'], [5]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    environment = os.environ | {"CF_EXCEL_MODEL": str(tmp_path / "model")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    loaded = set(done.stdout.split())
    assert {"numpy", "safetensors"} <= loaded
    assert not loaded & {"torch", "pandas", "openpyxl", "matplotlib", "numba", "scipy", "rich", "xlwings"}


def test_scores_of_rows_are_those_of_their_ids(predictor):
    factors, (users, movies) = predictor.factors, (np.array([[4], [0]]), np.array([1, 7, 2]))
    ids = factors.user_ids[users], factors.movie_ids[movies]
    np.testing.assert_array_equal(predictor.predict_rows(users, movies), predictor.predict(*ids))
    unknown = predictor.predict([99, 15], [2571, 99], unknown="bias")
    np.testing.assert_array_equal(predictor.predict_rows(np.array([-1, 4]), np.array([1, -1])), unknown)
    if factors.kind == "bayes":
        np.testing.assert_array_equal(predictor.uncertainty_rows(users, movies), predictor.uncertainty(*ids))


def test_rows_of_ids_and_titles(collab):
    assert collab.user_rows([[15, 99], [1, 7]]).tolist() == [[4, -1], [0, 1]]
    assert collab.movie_rows(["The Matrix", "2571", "Hamlet", "none", "up 🎈"]).tolist() == [1, 1, -1, -1, 7]
    assert collab.movie_rows(2571) == 1


def test_a_title_is_found_without_the_apostrophe_that_a_cell_takes_for_a_mark(tiny_factors):
    titles = tiny_factors().titles.copy()
    titles[:3] = ["'burbs, The (1989)", "'Til There Was You (1997)", "Til"]
    model = Predictor(replace(tiny_factors(), titles=titles))
    found = [model.movie_id(text) for text in ("burbs, The (1989)", "'BURBS, The", "til there was you", "Til")]
    assert found == model.factors.movie_ids[[0, 0, 1, 2]].tolist()


def test_movies_are_named_by_title_in_every_question(collab):
    user, title = collab.factors.user_ids[0], "Hamlet (1996)"
    for ask in (
        lambda movie: collab.predict(user, movie),
        lambda movie: collab.predict(user, movie, unknown="bias"),
        lambda movie: collab.movie_factors(movie),
        lambda movie: collab.movie_bias(movie),
        lambda movie: collab.predict_for(np.ones(collab.factors.n_factors), 0.0, movie),
    ):
        np.testing.assert_array_equal(ask([[title], [1411]]), ask([[1411], [1411]]))
    with pytest.raises(InputError, match="'Hamlet' is 2 movies: 1411 "):
        collab.predict(user, ["Hamlet (1996)", "Hamlet"])
    with pytest.raises(UnknownIdError, match=r"'Hamlet \(1906\)' is not in the model .*: did you mean Hamlet \(1996\)"):
        collab.predict([[user]], [["Hamlet (1906)"]])

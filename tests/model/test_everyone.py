"""What everybody is told at once is what each is told alone, to the last bit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cf_excel.errors import InputError, UnknownIdError
from cf_excel.model import everyone
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor, ScoredMovie


def lists_in(columns: dict, owner: str, movie: str, title: str, score: str) -> dict:
    """Return lists as one by one they come, by whose they are."""
    table = pd.DataFrame(columns)
    found = {}
    for identity, rows in table.groupby(owner, sort=False):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        found[identity] = [
            ScoredMovie(*row) for row in zip(*(rows[name].tolist() for name in (movie, title, score)), strict=True)
        ]
    return found


def some_factors(factors, seed: int, n_users: int, n_movies: int, *, with_ties: bool):
    """A model of random numbers and ratings, in which many movies may be alike."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: (rng.integers(-1, 2, shape) if with_ties else rng.normal(0, 0.8, shape)).astype("f")  # noqa: E731
    seen = [np.flatnonzero(rng.random(n_movies) < share) for share in rng.random(n_users)]
    sizes = {"users": n_users, "movies": n_movies}
    layers = {
        name: np.abs(draw(sizes[axes[0]], *layer.shape[1:])) if axes[0] in sizes else layer
        for (name, axes), layer in zip(KINDS[factors.kind].layers.items(), factors.layers.values(), strict=True)
    }
    return replace(
        factors,
        user_ids=rng.permutation(1000)[:n_users],
        movie_ids=rng.permutation(1000)[:n_movies],
        titles=np.array([f"movie {i}" for i in range(n_movies)], object),
        genres=np.array([""] * n_movies, object),
        years=np.zeros(n_movies, np.int16),
        user_factors=draw(n_users, 3),
        movie_factors=draw(n_movies, 3),
        user_bias=draw(n_users),
        movie_bias=draw(n_movies),
        seen_offsets=np.cumsum([0, *map(len, seen)]),
        seen_movies=np.concatenate(seen).astype(np.int32),
        layers={name: layers[name] for name in factors.layers},
    )


@given(
    kind=st.sampled_from([*KINDS]),
    seed=st.integers(0, 1000),
    n_users=st.integers(1, 12),
    n_movies=st.integers(1, 40),
    n=st.integers(1, 45),
    with_ties=st.booleans(),
    exclude_seen=st.booleans(),
    bounded=st.booleans(),
    at_once=st.sampled_from([1, 50, 1 << 21]),
)
def test_all_lists_are_those_of_each(
    tiny_factors, kind, seed, n_users, n_movies, n, with_ties, exclude_seen, bounded, at_once
):
    factors = some_factors(tiny_factors(kind), seed, n_users, n_movies, with_ties=with_ties)
    predictor = Predictor(factors)
    how = exclude_seen, 1.28 if bounded and KINDS[kind].knows_spread else 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(everyone, "_SCORES_AT_ONCE", at_once)
        recommended = predictor.recommend_all(n, *how)
        similar = predictor.similar_all(n)
    each = {user: predictor.recommend(user, n, *how) for user in factors.user_ids.tolist()}
    assert lists_in(recommended, "user_id", "movie_id", "title", KINDS[kind].score) == {
        k: v for k, v in each.items() if v
    }
    each = {movie: predictor.similar(movie, n) for movie in factors.movie_ids.tolist()}
    columns = "movie_id", "similar_movie_id", "similar_title", "similarity"
    assert lists_in(similar, *columns) == {k: v for k, v in each.items() if v}


def ranked_slowly(scores: np.ndarray, is_open: np.ndarray, n: int) -> list[tuple[int, int, int]]:
    """Rank as one would by hand: row, rank, movie."""
    found = []
    for row, (some, there) in enumerate(zip(scores.tolist(), is_open.tolist(), strict=True)):
        movies = sorted((movie for movie in range(len(some)) if there[movie]), key=lambda movie: -some[movie])
        found += [(row, rank, movie) for rank, movie in enumerate(movies[:n], 1)]
    return found


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 30), st.integers(1, 32))
def test_ties_stay_in_the_models_order(seed, n_rows, n_movies, n):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2, 3, (n_rows, n_movies)).astype(np.float32)
    is_open = rng.random((n_rows, n_movies)) < 0.6
    best = everyone.best_lists(scores, is_open, n)
    found = list(zip(best.owners.tolist(), best.ranks.tolist(), best.movies.tolist(), strict=True))
    assert found == ranked_slowly(scores, is_open, n)


def test_who_waits_hears_how_many_lists_there_are(tiny_factors, monkeypatch):
    monkeypatch.setattr(everyone, "_SCORES_AT_ONCE", 16)  # those of two rows
    heard: list[tuple[int, int]] = []
    predictor = Predictor(tiny_factors())
    predictor.recommend_all(2, tell=lambda *share: heard.append(share))
    assert heard == [(2, 5), (4, 5), (5, 5)]
    predictor.similar_all(2, 0, tell=lambda *share: heard.append(share))
    assert heard[3:] == [(2, 8), (4, 8), (6, 8), (8, 8)]


def test_ids_are_those_of_the_model_and_titles_come_where_there_are_some(tiny_factors):
    factors = replace(tiny_factors(), titles=np.array([""] * 8, object))
    factors = replace(factors, user_ids=np.array(["007", "=1+1", "c", "d", "e"], object))
    columns = Predictor(factors).recommend_all(2)
    assert list(columns) == ["user_id", "rank", "movie_id", "prediction", "n_ratings"]
    assert columns["user_id"].tolist() == [user for user in factors.user_ids.tolist() for _ in range(2)]
    assert columns["movie_id"].dtype == np.int64
    names = ["movie_id", "rank", "similar_movie_id", "similarity", "n_ratings"]
    assert list(Predictor(factors).similar_all(2)) == names


def test_what_can_not_be_ranked_is_refused_as_for_one(tiny_factors):
    predictor = Predictor(tiny_factors())
    with pytest.raises(InputError, match="n 0: expected a whole number, 1 or more"):
        predictor.recommend_all(0)
    with pytest.raises(InputError, match="knows no uncertainty"):
        predictor.recommend_all(3, lower_bound=1.28)
    with pytest.raises(InputError, match="n -1"):
        predictor.similar_all(-1)
    with pytest.raises(UnknownIdError):
        predictor.recommend(99)


def test_memory_does_not_grow_with_the_users(tiny_factors, monkeypatch):
    factors = some_factors(tiny_factors(), 0, 900, 50, with_ties=False)
    predictor, largest = Predictor(factors), []
    score = predictor.row_scores.sums
    monkeypatch.setattr(everyone, "_SCORES_AT_ONCE", 1000)
    monkeypatch.setattr(
        predictor.row_scores, "sums", lambda users, bound: largest.append(len(users)) or score(users, bound)
    )
    assert len(predictor.recommend_all(3)["rank"]) == sum(len(predictor.recommend(i, 3)) for i in factors.user_ids)
    assert max(largest) == 1000 // 50

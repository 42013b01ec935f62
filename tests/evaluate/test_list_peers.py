from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array
from support.planted import low_rank_ratings, make_ratings

from cf_excel.evaluate import peers
from cf_excel.evaluate.list_peers import ease, item_knn, most_rated, nearest, slim, user_knn, weighted
from cf_excel.evaluate.splits import make_folds
from cf_excel.ratings.table import Ratings

WIDE = low_rank_ratings(20, 30)  # fewer users than movies
TALL = low_rank_ratings(60, 30)


def everybody(ratings: Ratings) -> np.ndarray:
    return np.arange(ratings.n_users)


def test_ratings_in_the_upper_quarter_weigh_one() -> None:
    ratings = replace(make_ratings([0, 0, 1], [0, 1, 1], [4, 3.5, 5]), declared_range=(0.5, 5))
    assert weighted(ratings, 0.25).toarray().tolist() == [[1, 0.25], [0, 1]]


@pytest.mark.parametrize("ratings", [WIDE, TALL], ids=["wide", "tall"])
def test_ease_is_its_definition(ratings: Ratings) -> None:
    x = weighted(ratings, 0.25).toarray()
    inverse = np.linalg.inv(x.T @ x + 3.0 * np.eye(ratings.n_movies))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = ease(ratings, {"l2": 3.0, "below": 0.25}, 0)
    assert scores(everybody(ratings)) == pytest.approx(x @ weights, abs=1e-9)
    assert scores(np.array([5, 2])) == pytest.approx((x @ weights)[[5, 2]], abs=1e-9)


def test_ease_minimizes_its_loss() -> None:
    """Of all weights with zeros on the diagonal: no step to the side is better."""
    x, l2 = weighted(WIDE, 1.0).toarray(), 2.0
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(WIDE.n_movies))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    gradient = x.T @ (x @ weights - x) + l2 * weights
    np.fill_diagonal(gradient, 0)
    assert gradient == pytest.approx(0, abs=1e-9)
    assert ease(WIDE, {"l2": l2, "below": 1.0}, 0)(everybody(WIDE)) == pytest.approx(x @ weights, abs=1e-9)


def test_slim_is_optimal_with_weights_of_zero_or_more() -> None:
    pytest.importorskip("sklearn")
    x, l1, l2 = weighted(TALL, 0.25).toarray(), 1.0, 2.0
    scores = slim(TALL, {"l1": l1, "l2": l2, "below": 0.25}, 0)(everybody(TALL))
    weights = np.linalg.lstsq(x, scores, rcond=None)[0]  # 60 users tell 30 movies apart
    assert np.linalg.matrix_rank(x) == TALL.n_movies
    assert weights == pytest.approx(np.maximum(weights, 0), abs=1e-6)
    assert np.diag(weights) == pytest.approx(0, abs=1e-6)
    gradient = x.T @ (x @ weights - x) + l1 + l2 * weights  # Karush, Kuhn and Tucker's conditions
    np.fill_diagonal(gradient, 0)
    assert gradient[weights > 1e-6] == pytest.approx(0, abs=0.05)
    assert gradient.min() > -0.05
    assert (weights > 1e-6).any()


def test_the_nearest_of_four_by_hand() -> None:
    rows = csr_array(np.array([[1.0, 0, 0], [3, 4, 0], [0, 1, 0], [0, 0, 0]]))
    cosines = [[0, 0.6, 0, 0], [0.6, 0, 0.8, 0], [0, 0.8, 0, 0], [0, 0, 0, 0]]
    assert nearest(rows, 3).toarray() == pytest.approx(np.array(cosines))
    assert nearest(rows, 1).toarray()[1].tolist() == pytest.approx([0, 0, 0.8, 0])


@pytest.mark.parametrize("n_rows", [1, 7, 512])
def test_neighbours_are_the_same_in_blocks(n_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = weighted(TALL, 0.5)
    whole = nearest(rows, 5).toarray()
    assert ((whole > 0).sum(axis=1) >= 5).all()
    monkeypatch.setattr("cf_excel.evaluate.list_peers._ROWS_AT_ONCE", n_rows)
    assert np.array_equal(nearest(rows, 5).toarray(), whole)


def test_neighbours_score_movies() -> None:
    # users 0 and 1 share movie 0; user 1 also rated movie 1, user 2 only movie 2
    ratings = make_ratings([0, 1, 1, 2], [0, 0, 1, 2], [5, 5, 5, 5])
    settings = {"k": 2, "below": 0.25}
    half = 0.5**0.5
    assert user_knn(ratings, settings, 0)(np.array([0])) == pytest.approx(np.array([[half, half, 0]]))
    assert item_knn(ratings, settings, 0)(np.array([0, 2])) == pytest.approx(np.array([[0, half, 0], [0, 0, 0]]))


def test_the_most_rated_halve_with_time() -> None:
    ratings = make_ratings([0, 1, 2, 0], [0, 0, 0, 1], [5, 5, 5, 5])
    ratings = replace(ratings, timestamp=np.array([0, 0, 100, 200]))
    assert most_rated(ratings)(np.array([2, 0])).tolist() == [[3, 1], [3, 1]]
    assert most_rated(ratings, 100.0)(np.array([0])).tolist() == [[0.25 + 0.25 + 0.5, 1]]
    assert most_rated(replace(ratings, timestamp=None), 100.0)(np.array([0])).tolist() == [[3, 1]]


@pytest.mark.parametrize("peer", peers.LIST_PEERS, ids=lambda peer: peer.name)
def test_every_peer_scores_every_movie(peer: peers.ListPeer) -> None:
    pytest.importorskip(peer.module)
    (fold,) = make_folds(TALL, "lesson")
    fit: Callable = peer.fit
    for settings in peer.settings:
        scores = fit(fold.train, settings, 0)(np.array([3, 1, 4]))
        assert scores.shape == (3, TALL.n_movies)
        assert np.isfinite(scores).all()

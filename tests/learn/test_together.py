"""Training by several processes, which threads play, against one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.planted import low_rank_ratings
from support.thread_comm import ThreadComm, on_threads

from cf_excel.errors import InputError
from cf_excel.learn.bayes import search, together
from cf_excel.learn.bayes.bayes_settings import BayesSettings
from cf_excel.learn.bayes.comm import ALONE, Comm
from cf_excel.learn.bayes.together import Share, Task, TrainedModel, all_do, deal, follow, is_for_one, read, train_share
from cf_excel.model.shrink import without_seen
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import validation_rows

SETTINGS = BayesSettings(n_factors=3, iterations=3, device="cpu")
PLANTED = low_rank_ratings(61, 43)
TABLE = replace(PLANTED, rating=np.round(PLANTED.rating * 2) / 2, timestamp=np.arange(len(PLANTED)) * 86_400)


def by(size: int, rank_0: Callable[[Comm], TrainedModel | None]) -> TrainedModel:
    """Return what rank 0 makes, whom the others follow."""

    def work(comm: ThreadComm) -> TrainedModel | None:
        if comm.rank:
            return follow(comm)
        try:
            return rank_0(comm)
        finally:
            comm.shared(None)

    return on_threads(size, work)[0]


def trained(size: int, task: Task, ratings: Ratings = TABLE, seed: int = 1) -> TrainedModel:
    held_back = validation_rows(ratings, "random", seed)
    return by(size, lambda comm: all_do(comm, train_share, deal(comm, ratings, held_back), task))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_several_train_what_one_trains(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MANY_RATINGS", "FEW_RATINGS"):
        monkeypatch.setattr(search, name, 600)
    monkeypatch.setattr("cf_excel.learn.bayes.tuning.MANY_RATINGS", 600)
    task = Task(SETTINGS, "random", keep=(), lists="score", device="cpu")
    one = train_share(ALONE, Share.whole(TABLE, validation_rows(TABLE, "random", 1)), task)
    several = trained(size, task)
    assert several.factors.record["chosen"] == one.factors.record["chosen"] != {}
    for name in ("user_factors", "movie_factors", "user_bias", "movie_bias"):
        np.testing.assert_allclose(*(getattr(of.factors, name) for of in (several, one)), rtol=1e-3, atol=1e-3)
    for name in ("given", "asked", "popularity"):
        np.testing.assert_allclose(*(getattr(of.factors.lists, name) for of in (several, one)), rtol=1e-4, atol=1e-6)
    for name in ("seen_offsets", "seen_movies", "seen_ratings"):
        np.testing.assert_array_equal(*(getattr(of.factors, name) for of in (several, one)))
    for mine, ones in zip(several.baselines, one.baselines, strict=True):
        assert mine == pytest.approx(ones)
    record, of_one = several.factors.record, one.factors.record
    for name in ("source", "data_hash", "rating_values", "n_train", "n_validation", "features"):
        assert record[name] == of_one[name]
    assert record["metrics"] == pytest.approx(of_one["metrics"], abs=1e-4)
    assert record.get("workers") == (None if size == 1 else size)


def test_a_model_that_does_not_tell_who_rated_what_is_that_of_no_seen() -> None:
    task = Task(SETTINGS, "random")
    told, small = trained(3, task), trained(3, task._replace(with_seen=False))
    expected = without_seen(told.factors)
    np.testing.assert_array_equal(small.factors.seen_offsets, expected.seen_offsets)
    assert len(small.factors.seen_movies) == 0
    np.testing.assert_array_equal(small.factors.crowd.n_rated, expected.crowd.n_rated)
    np.testing.assert_array_equal(small.factors.crowd.covariance, expected.crowd.covariance)


def test_parts_that_are_read_train_as_parts_that_are_dealt(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    columns = {"user": TABLE.user_idx, "product": TABLE.movie_idx, "rating": TABLE.rating}
    table = pd.DataFrame(columns).assign(title=[f"Chair {i}" for i in TABLE.movie_idx])
    for number, rows in enumerate(np.array_split(np.arange(len(table)), 4)):
        table.iloc[rows].to_parquet(tmp_path / f"{number}.parquet", row_group_size=100)
    task = Task(SETTINGS, "hash", lists="score")
    whole = load_ratings(tmp_path)
    assert whole.titles[0] == f"Chair {whole.movie_ids[0]}"
    held_back = validation_rows(whole, "hash")

    def read_and_train(comm: Comm) -> TrainedModel | None:
        share = all_do(comm, read, None, tmp_path, Reading(implicit=None), {}, "hash")
        assert (share.part.n_ratings, share.n_held_back) == (len(whole), len(held_back))
        assert share.part.ratings.titles.tolist() == whole.titles.tolist()
        return all_do(comm, train_share, share, task)

    found = by(3, read_and_train)
    expected = by(3, lambda comm: all_do(comm, train_share, deal(comm, whole, held_back), task))
    for name in ("user_factors", "movie_factors", "seen_movies", "seen_ratings"):
        np.testing.assert_array_equal(getattr(found.factors, name), getattr(expected.factors, name))
    assert found.factors.lists.given.tobytes() == expected.factors.lists.given.tobytes()
    assert found.factors.record["data_hash"] == expected.factors.record["data_hash"]


def test_ctrl_c_leaves_lists_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(together, "fit_lists", stopped)
    found = trained(2, Task(SETTINGS, "random", lists="score"))
    assert found.lists_stopped
    assert found.factors.lists is None


def test_what_is_wrong_is_said_by_rank_0_and_the_others_go_on() -> None:
    def work(comm: Comm) -> TrainedModel | None:
        share = deal(comm, replace(TABLE, rating=np.full(len(TABLE), np.nan, np.float32)), np.empty(0, np.int64))
        with pytest.raises(InputError, match="has a rating that is no finite number"):
            all_do(comm, train_share, share, Task(SETTINGS, "none"))
        return all_do(comm, train_share, deal(comm, TABLE, np.empty(0, np.int64)), Task(SETTINGS, "none"))

    assert by(3, work).factors.record["metrics"] == {}


def test_few_ratings_are_for_one_process() -> None:
    task = Task(SETTINGS, "random")
    assert not is_for_one(100, task)
    assert is_for_one(10_000, task._replace(keep=()))
    assert not is_for_one(10_001, task._replace(keep=()))

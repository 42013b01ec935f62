"""Training on Spark: on a real cluster of a master and two workers, and with options that are wrong."""

import json
import pickle
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.planted import low_rank_ratings
from support.spark_cluster import SparkCluster

from cf_excel.cli import main
from cf_excel.cluster import train_on_spark
from cf_excel.errors import InputError, WorkerError
from cf_excel.model.file import load_factors

PLANTED = low_rank_ratings(40, 30)


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Write ratings, and return the options that train a model of them."""
    table = tmp_path / "mine.csv"
    rows = zip(PLANTED.user_idx, PLANTED.movie_idx, PLANTED.rating, strict=True)
    table.write_text("user,movie,rating\n" + "".join(f"{user},{movie},{rating:.2f}\n" for user, movie, rating in rows))
    return ["--ratings", str(table), "--split", "random", "--no-tune", "--lists", "rating", "--epochs", "5"]


@pytest.fixture
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """Start the cluster."""
    cluster = SparkCluster(tmp_path_factory.mktemp("spark"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.mark.slow
def test_train_on_spark(spark: SparkCluster, options: list[str], tmp_path: Path) -> None:
    out, ours, lost = tmp_path / "model", tmp_path / "ours", tmp_path / "lost"
    keeping = [*options, "--checkpoint", str(tmp_path / "kept")]
    with spark.answers([*keeping, "--out", str(lost)], [*keeping, "--out", str(out)]) as found:
        assert main(["train", *options, "--workers", "2", "--out", str(ours)]) == 0  # while Spark starts
    assert found[0] == "WorkerError 2 workers on Spark: one was lost in each of 1 attempts"
    assert not lost.exists()
    assert json.loads(found[1])["model"] == str(out)
    assert load_factors(out).record["workers"] == 2
    assert out.read_bytes() == ours.read_bytes()


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Put this process in the place of Spark's, with the runs in which a worker is lost."""
    lost, runs = [], count()

    class Distributor:
        def __init__(self, n_processes: int, *, local_mode: bool, use_gpu: bool) -> None:
            assert (n_processes, local_mode, use_gpu) == (2, False, False)

        def run(self, work: Callable, *given: object) -> object:
            if next(runs) in lost:
                raise RuntimeError("Barrier stage failed")
            return pickle.loads(pickle.dumps(work(*given)))  # a copy, as from another process

    monkeypatch.setitem(sys.modules, "pyspark.ml.torch.distributor", SimpleNamespace(TorchDistributor=Distributor))
    return lost


def test_a_lost_worker_takes_an_attempt(lost: list[int], options: list[str], tmp_path: Path) -> None:
    options += ["--out", str(tmp_path / "model")]
    lost += [0, 1]
    with pytest.raises(WorkerError, match="2 workers on Spark: one was lost in each of 2 attempts"):
        train_on_spark(options, 2, attempts=2)
    lost += [2]
    assert train_on_spark(options, 2, attempts=2)["model"] == str(tmp_path / "model")


@pytest.mark.parametrize(
    ("wrong", "n_workers", "attempts", "said"),
    [
        (["--factors", "0"], 2, 1, "factors 0: expected 1 to 256"),
        ([], 1, 1, "1 workers, 1 attempts: expected 2 workers or more, and an attempt"),
        ([], 2, 0, "2 workers, 0 attempts: expected 2 workers or more, and an attempt"),
    ],
)
def test_what_is_wrong_is_said(
    wrong: list[str], n_workers: int, attempts: int, said: str, options: list[str], lost: list[int]
) -> None:
    with pytest.raises(InputError, match=said):
        train_on_spark([*options, *wrong], n_workers, attempts=attempts)

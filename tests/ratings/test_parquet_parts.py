"""A folder of Parquet files read by several processes, which threads play."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.ratings_files import table_of
from support.thread_comm import ThreadComm, on_threads

from cf_excel.errors import FileError, InputError
from cf_excel.ratings import parquet_parts, parts
from cf_excel.ratings.movies import Movie
from cf_excel.ratings.parquet_parts import read_part
from cf_excel.ratings.parts import RatingsPart
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.table import data_hash

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(folder: Path, table: pd.DataFrame, n_files: int = 3, rows_in_group: int = 37) -> Path:
    folder.mkdir(exist_ok=True)
    for i, rows in enumerate(np.array_split(np.arange(len(table)), n_files)):
        pq.write_table(pa.Table.from_pandas(table.iloc[rows]), folder / f"{i}.parquet", row_group_size=rows_in_group)
    return folder


def frame(n_users: int = 23, n: int = 700, texts: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(n_users)
    return pd.DataFrame(
        {
            "user": [f"u {i}" if texts and i % 3 else str(i) for i in rng.integers(0, n_users, n)],
            "product": rng.integers(-4, 37, n),
            "rating": rng.integers(1, 11, n) / 2,
            "timestamp": rng.integers(0, 200, n),
        }
    )


def read(folder: Path, size: int, how: Reading | None = None, **options: object) -> list[RatingsPart]:
    return on_threads(size, lambda comm: read_part(folder, comm, how and Reading(**vars(how)), **options))


@pytest.fixture(autouse=True)
def small_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROUND_ROWS", 64)
    monkeypatch.setattr(parquet_parts, "_ROUND_IDS", 7)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "table",
    [
        frame(),
        frame(texts=False).drop(columns="timestamp"),
        frame(3),
        frame(40, 60).drop_duplicates(["user", "product"]),
    ],
    ids=["texts", "no times", "ranks without users", "no duplicates"],
)
def test_all_parts_are_the_table(size, table, tmp_path):
    whole = load_ratings(write(tmp_path / "sales", table))
    of_ranks = read(tmp_path / "sales", size)
    order = np.argsort(np.concatenate([part.row for part in of_ranks])) if size > 1 else slice(None)
    for name in ("user_idx", "movie_idx", "rating", "timestamp"):
        if name in table or name != "timestamp":
            joined = np.concatenate([getattr(part.ratings, name) for part in of_ranks])[order]
            np.testing.assert_array_equal(joined, getattr(whole, name))
    for rank, part in enumerate(of_ranks):
        ratings = part.ratings
        assert (ratings.user_idx % size == rank).all()
        assert (np.diff(part.row) > 0).all()
        assert ratings.user_ids.tolist() == whole.user_ids.tolist()
        assert ratings.movie_ids.tolist() == whole.movie_ids.tolist()
        assert (part.n_ratings, part.data_hash) == (len(whole), data_hash(whole))
        assert (ratings.rating_range, ratings.n_duplicates) == (whole.rating_range, whole.n_duplicates)
        assert (ratings.source, ratings.nouns) == (whole.source, whole.nouns)
    if size == 5 and len(whole.user_ids) == 3:
        assert [len(part.ratings) > 0 for part in of_ranks] == [True] * 3 + [False] * 2


def test_what_is_left_out_is_told_by_all(tmp_path):
    table = frame().astype({"rating": str})
    table.loc[[5, 333, 690], "rating"] = ""
    table.loc[[41, 3, 600], "rating"] = "good", "fair", "poor"
    folder = write(tmp_path / "sales", table)
    whole = load_ratings(folder, skip_bad=True)
    for part in read(folder, 3, Reading(skip_bad=True), movies={3: Movie(title="Chair")}):
        assert part.ratings.notes == whole.notes
        assert part.ratings.titles.tolist() == ["Chair" if i == 3 else "" for i in whole.movie_ids.tolist()]
    for size in (1, 3):
        with pytest.raises(InputError, match=r"0\.parquet row .*: rating '(good|fair)': expected a number"):
            read(folder, size)


def test_an_error_of_one_is_that_of_all(tmp_path):
    folder = write(tmp_path / "sales", frame())
    told: list[str] = []

    def work(comm: ThreadComm) -> None:
        try:
            read_part(folder, comm)
        except FileError as error:
            told.append(str(error))

    content = (folder / "2.parquet").read_bytes()
    (folder / "2.parquet").write_bytes(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])
    on_threads(3, work)
    assert len(told) == 3
    assert len(set(told)) == 1
    assert "sales/2.parquet can't be read as Parquet: " in told[0]
    with pytest.raises(InputError, match="several processes read ratings, not picks"):
        read(folder, 2, Reading(implicit=True))
    with pytest.raises(FileError, match="nowhere: no such file or folder"):
        read(tmp_path / "nowhere", 2)
    with pytest.raises(InputError, match="sales has a header but no ratings"):
        read(write(folder, frame().iloc[:0]), 2)


def test_rounds_are_bounded(tmp_path):
    """However many rows there are, what is gathered at a time stays as it is."""
    largest = []

    class Watched(ThreadComm):
        def gather(self, block: np.ndarray) -> np.ndarray:
            largest.append(block.size)
            return super().gather(block)

    def work(comm: ThreadComm) -> RatingsPart:
        return read_part(folder, Watched(comm.rank, comm.board, comm.barrier))

    folder = write(tmp_path / "sales", frame(texts=False))
    parts = on_threads(2, work)
    assert max(largest) <= 300  # texts of 7 ids, as JSON
    assert sum(len(part.ratings) for part in parts) == len(load_ratings(folder))
    assert table_of(load_ratings(folder))

"""Ratings in folders of Parquet files."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.ratings_files import table_of

from cf_excel import train
from cf_excel.cli import main
from cf_excel.errors import FileError, InputError
from cf_excel.predictor import Predictor
from cf_excel.ratings.parquet_files import holds_parquet
from cf_excel.ratings.readers import load_ratings

pytest.importorskip("pyarrow")
import pyarrow as pa
import pyarrow.parquet as pq


def frame(n: int = 600, seed: int = 0) -> pd.DataFrame:
    """Return ratings of which some pairs come again, at other times."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": rng.integers(100, 140, n),
            "item_id": [f"B{number:03}" for number in rng.integers(0, 60, n)],
            "rating": rng.integers(1, 11, n) / 2,
            "timestamp": rng.integers(10**9, 10**9 + 300, n),
        }
    )


def write_parts(folder: Path, table: pd.DataFrame, names: list[str], rows_in_group: int = 70) -> Path:
    for name, part in zip(names, np.array_split(np.arange(len(table)), len(names)), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pandas(table.iloc[part]), folder / name, row_group_size=rows_in_group)
    return folder


PARTS = ["a=1/b=x/part-2.snappy.parquet", "a=1/b=x/part-10.parquet", "a=1/b=y/part-0.parquet", "z.PARQUET"]


@pytest.mark.parametrize("without", [[], ["timestamp"]])
def test_a_folder_of_parts_is_the_same_table_as_one_text(without, tmp_path):
    table = frame().drop(columns=without)
    table.to_csv(tmp_path / "ratings.csv", index=False)
    folder = write_parts(tmp_path / "ratings", table, PARTS)
    for hidden in ("_SUCCESS", "_temporary/part-3.parquet", "a=1/.part-4.parquet"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_bytes(b"")
    one, many = load_ratings(tmp_path / "ratings.csv"), load_ratings(folder)
    assert table_of(many) == table_of(one)
    assert many.user_ids.tolist() == one.user_ids.tolist()
    assert many.movie_ids.tolist() == one.movie_ids.tolist()
    assert many.n_duplicates == one.n_duplicates > 0
    assert many.source == "ratings"
    assert tuple(many.nouns) == ("user", "item")
    of_one, of_many = (Predictor(train(ratings, iterations=2, tune=False)) for ratings in (one, many))
    users, movies = one.user_ids[:, None], one.movie_ids
    np.testing.assert_array_equal(of_many.predict(users, movies), of_one.predict(users, movies))


def test_values_of_all_sorts(tmp_path):
    """Nulls, NaN, dictionaries out of order, dates, decimals and lists mean what they do as texts."""
    table = pa.table(
        {
            "Customer": pa.DictionaryArray.from_arrays(pa.array([2, 0, 2, None, 0]), ["ann", "nobody", "bob"]),
            "SKU": pa.array([7.0, 8.0, None, None, 7.0]),
            "stars": pa.array(["5", "4.5", " ", None, "3"]),
            "date": pa.array([86_400, 2 * 86_400, None, None, 0], pa.timestamp("s")),
            "category": pa.array([["a", "b"], [], None, ["x"], ["a", "b"]]),
        }
    )
    pq.write_table(table, tmp_path / "part-0.parquet")
    (tmp_path / "movies.csv").write_text("id,title\n7,Seven\n8,Eight\n")
    ratings = load_ratings(tmp_path)
    assert table_of(ratings) == [("bob", 7, 5.0, 86_400), ("ann", 8, 4.5, 172_800), ("ann", 7, 3.0, 0)]
    assert ratings.titles.tolist() == ["Seven", "Eight"]


def test_bad_rows_are_told_by_file_and_row(tmp_path):
    table = frame().astype({"rating": str})
    table.loc[[457, 460], "rating"] = "good"
    folder = write_parts(tmp_path / "ratings", table, ["part-0.parquet", "x/part-1.parquet"])
    with pytest.raises(InputError) as error:
        load_ratings(folder)
    assert str(error.value) == (
        "ratings: rows that can't be read: x/part-1.parquet row 158, x/part-1.parquet row 161: rating 'good': "
        "expected a number: mend them, or pass --skip-bad"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"astype": {"user_id": str}}, "user_id (string), ratings/part-0.parquet has user_id (int64)"),
        ({"rename": {"rating": "stars"}}, "no column rating, ratings/part-0.parquet has rating (double)"),
    ],
)
def test_files_whose_columns_differ_are_both_named(change, message, tmp_path):
    table = frame()
    folder = write_parts(tmp_path / "ratings", table, ["part-0.parquet", "part-1.parquet"])
    other = table.astype(change.get("astype", {})).rename(columns=change.get("rename", {}))
    pq.write_table(pa.Table.from_pandas(other), folder / "part-2.parquet")
    with pytest.raises(InputError) as error:
        load_ratings(folder)
    assert f"ratings/part-2.parquet has {message}" in str(error.value)


def test_an_empty_part_may_know_no_types(tmp_path):
    folder = write_parts(tmp_path / "ratings", frame(), ["part-1.parquet"])
    pq.write_table(pa.table({"user_id": pa.array([], pa.null())}), folder / "part-0.parquet")
    assert len(load_ratings(folder)) > 0
    (folder / "part-1.parquet").unlink()
    with pytest.raises(InputError, match="ratings has no column"):
        load_ratings(folder)


@pytest.mark.parametrize("damage", ["end", "pages", "empty"])
def test_damaged_files_are_named(damage, tmp_path, capsys):
    folder = write_parts(tmp_path / "ratings", frame(), ["part-0.parquet", "part-1.parquet"])
    whole = (folder / "part-1.parquet").read_bytes()
    broken = {
        "end": whole[:-20],
        "pages": whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :],
        "empty": b"",
    }
    (folder / "part-1.parquet").write_bytes(broken[damage])
    assert main(["train", "--ratings", str(folder), "--split", "random", "--out", str(tmp_path / "model")]) == 2
    error = capsys.readouterr().err
    assert "cf_excel train: ratings/part-1.parquet can't be read as Parquet: " in error
    assert error.count("\n") == 1


def test_what_is_no_folder_of_parquet(tmp_path):
    folder = write_parts(tmp_path / "lake", frame(), ["part-0.parquet"])
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log" / "00000.json").write_text("{}")
    with pytest.raises(FileError, match="lake is a data lake's table, with rows that no longer count"):
        load_ratings(folder)
    both = write_parts(tmp_path / "both", frame(), ["features.parquet"])
    frame(50, 1).to_csv(both / "ratings.csv", index=False)
    assert table_of(load_ratings(both)) == table_of(load_ratings(both / "ratings.csv"))
    assert not holds_parquet(both / "ratings.csv")
    with pytest.raises(InputError, match="has records, not cells"):
        load_ratings(write_parts(tmp_path / "parts", frame(), ["a.parquet"]), cells="A1:B3")


def test_a_folder_needs_its_extra(tmp_path, monkeypatch):
    folder = write_parts(tmp_path / "ratings", frame(), ["part-0.parquet"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for place in (folder, "s3://bucket/ratings"):
        with pytest.raises(FileError) as error:
            load_ratings(place)
        assert str(error.value) == "ratings is a folder of Parquet files: to read it, python -m pip install pyarrow"


def test_an_address(tmp_path, capsys):
    folder = write_parts(tmp_path / "ratings", frame(), PARTS)
    address = folder.as_uri()
    assert (
        main(["train", "--ratings", address, "--split", "random", "--out", str(tmp_path / "model"), "--no-tune"]) == 0
    )
    assert capsys.readouterr().out.startswith("ratings: ")
    assert table_of(load_ratings(f"{address}/")) == table_of(load_ratings(folder))
    one = f"{address}/{PARTS[0]}"
    assert table_of(load_ratings(one)) == table_of(load_ratings(folder / PARTS[0]))
    with pytest.raises(FileError, match="nothing: expected a folder with files that end in"):
        load_ratings(f"{address}/nothing")
    with pytest.raises(FileError, match="ratings can't be read as Parquet: "):
        load_ratings("unheard://somewhere/ratings")
    with pytest.raises(FileError, match=r"https://me\.org/ratings\.parquet: save the file that is there"):
        load_ratings("https://me.org/ratings.parquet?key=secret")

"""JSON lines and Parquet, and texts packed by bzip2 and xz."""

import bz2
import json
import lzma
import sys

import pandas as pd
import pytest
from support.ratings_files import CSV, ROWS, table_of

from cf_excel.errors import FileError, InputError
from cf_excel.ratings.readers import load_ratings

KEYS = ("userId", "movieId", "rating", "timestamp")


def lines_of(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def test_json_lines(tmp_path):
    path = tmp_path / "ratings.json"
    path.write_text(lines_of(dict(zip(KEYS, row, strict=True)) for row in ROWS))
    ratings = load_ratings(path)
    assert table_of(ratings) == ROWS
    assert ratings.user_ids.dtype.kind == "i"


def test_json_lines_of_all_sorts(tmp_path):
    records = [
        {"stars": 5, "text": "so\ngood", "user": "ann", "business_id": "b1", "categories": ["Food", "Bars"]},
        {"user": "bob", "business_id": "b1", "stars": "3.5", "more": {"a": 1}},
        {"user": "cy", "business_id": "b2", "stars": None},
    ]
    path = tmp_path / "reviews.jsonl"
    path.write_text("\ufeff" + lines_of(records).replace("\n", "\n\n"))
    ratings = load_ratings(path)
    assert table_of(ratings) == [("ann", "b1", 5), ("bob", "b1", 3.5)]
    assert ratings.genres.tolist() == ["Food|Bars"]
    assert ratings.notes == ("1 row without a rating left out: not rated",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"user": 1, "item": 2}\n', "has no column 'rating' (found: user, item)"),
        ('{"user": 1, "item": 2, "rating": "x"}\n', "line 1: rating 'x': expected a number"),
        ('{"user": 1, "item": 2, "rating": 3}\n\n{"user": \n', "line 3: expected a JSON object in each line"),
        ('{"user": 1, "item": 2, "rating": 3}\n[1]\n', "line 2: expected a JSON object in each line"),
    ],
)
def test_refused_json_lines(tmp_path, text, message):
    (tmp_path / "ratings.jsonl").write_text(text)
    with pytest.raises(InputError) as error:
        load_ratings(tmp_path / "ratings.jsonl")
    assert message in str(error.value)


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(ROWS, columns=KEYS).astype({"userId": "int32", "rating": "float32"})
    frame["genres"] = [["a", "b"], [], ["a", "b"]]
    frame["when"] = pd.to_datetime(frame["timestamp"], unit="s")
    frame.to_parquet(tmp_path / "ratings.parquet")
    ratings = load_ratings(tmp_path / "ratings.parquet")
    assert table_of(ratings) == ROWS
    assert ratings.genres.tolist() == ["a|b", ""]
    assert table_of(load_ratings(tmp_path / "ratings.parquet", columns={"timestamp": "when"})) == ROWS
    (tmp_path / "broken.parquet").write_bytes((tmp_path / "ratings.parquet").read_bytes()[:200])
    with pytest.raises(FileError, match=r"broken.parquet can't be read as Parquet"):
        load_ratings(tmp_path / "broken.parquet")


def test_parquet_needs_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "ratings.parquet").write_bytes(b"PAR1\x15\x04\x15\0")
    with pytest.raises(FileError, match="is a Parquet file: to read it, python -m pip install pyarrow"):
        load_ratings(tmp_path / "ratings.parquet")


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_packed_texts(tmp_path, pack):
    (tmp_path / "ratings").write_bytes(pack(CSV.encode()))
    assert table_of(load_ratings(tmp_path / "ratings")) == ROWS
    many = pack((CSV + "".join(f"{i},1,3,{i}\n" for i in range(5000))).encode())
    (tmp_path / "ratings").write_bytes(many[: len(many) * 2 // 3])
    with pytest.raises(FileError, match="ratings can't be read"):
        load_ratings(tmp_path / "ratings")


@pytest.mark.parametrize("options", [{"sheet": "S"}, {"table": "T"}])
def test_only_workbooks_have_sheets(tmp_path, options):
    (tmp_path / "ratings.csv").write_text(CSV)
    with pytest.raises(InputError, match=r"--(sheet S|table T): ratings.csv is no workbook"):
        load_ratings(tmp_path / "ratings.csv", **options)


def test_a_range_of_a_text(tmp_path):
    (tmp_path / "ratings.csv").write_text("x,y\n" + CSV.replace("\n", ",z\n"))
    assert table_of(load_ratings(tmp_path / "ratings.csv", cells="A2:D5")) == ROWS


def test_records_have_no_cells(tmp_path):
    (tmp_path / "ratings.jsonl").write_text('{"user": 1, "item": 2, "rating": 3}\n')
    for options in ({"cells": "B1:D4"}, {"form": "grid"}, {"items_down": True}):
        with pytest.raises(InputError, match=r"ratings.jsonl has records, not cells"):
            load_ratings(tmp_path / "ratings.jsonl", **options)

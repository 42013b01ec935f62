"""Model files that are read by parts: the same answers, little memory, and damage is told when it is met."""

import json
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cf_excel.errors import FileError, UnknownIdError
from cf_excel.model import file as model_file
from cf_excel.model.crowd import Crowd
from cf_excel.model.file import load_factors, save_factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.mapped import is_mapped, rows_in
from cf_excel.predictor import Predictor


@pytest.fixture
def by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every file for a large one."""
    monkeypatch.setattr(model_file, "MAPPED_FROM", 0)


def answers(model: Predictor) -> list:
    users, movies = model.factors.user_ids, model.factors.movie_ids
    found = [model.predict(users[:, None], movies), model.predict([users[3], 999], movies[:2], unknown="bias")]
    found += [model.user_factors(users[:2]), model.user_bias(users), model.user_rows([[7, 8], [15, -1]])]
    found += [list(model.recommend_all(3).values()), model.recommend(int(users[3]), 4), model.similar(1, min_ratings=0)]
    if KINDS[model.factors.kind].knows_spread:
        found += [model.uncertainty(users, movies[:5]), model.recommend(1, lower_bound=1.0)]
    return [*found, model.fold_in([1, 10], [1, 1], 3)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_read_by_parts_answers_as_the_whole_one(kind, tiny_factors, tmp_path, by_parts, monkeypatch):
    save_factors(tiny_factors(kind), tmp_path / "model")
    parts = load_factors(tmp_path / "model")
    assert is_mapped(parts.user_factors)
    assert is_mapped(parts.user_ids)
    assert is_mapped(parts.seen_movies)
    assert parts.crowd is not None  # so that nobody goes through all users
    assert not is_mapped(parts.movie_factors)
    monkeypatch.setattr(model_file, "MAPPED_FROM", 2**30)
    whole = load_factors(tmp_path / "model")
    assert not is_mapped(whole.user_factors)
    for one, other in zip(answers(Predictor(parts)), answers(Predictor(whole)), strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(one, other, rtol=1e-6 if kind == "net" else 0)
        elif kind != "net":  # whose product of matrices rounds otherwise for some users than for all
            assert str(one) == str(other)
    with pytest.raises(UnknownIdError, match=r"user 8 is not in the model \(5 users\)"):
        Predictor(parts).predict(8, 1)


def test_texts_are_ids_too(tiny_factors, tmp_path, by_parts):
    factors = replace(tiny_factors(), user_ids=np.array(["ann", "15", "bob", "cy", "ü"], object))
    save_factors(factors, tmp_path / "model")
    model = Predictor(load_factors(tmp_path / "model"))
    assert model.predict(["ü", "ANN", 15], 1).tolist() == Predictor(factors).predict(["ü", "ann", "15"], 1).tolist()


def test_rows_of_mapped_ids():
    ids = np.array([5, -3, 2**62, 9, 5])
    assert rows_in(ids, np.array([9, 5, 4, -3, 9, 2**63 - 1])).tolist() == [3, 0, -1, 1, 3, -1]
    assert rows_in(ids, np.array([], np.int64)).tolist() == []


def spoil(path: Path, name: str, at: int, value: bytes) -> None:
    """Write over a value of an array in a model file."""
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    first = start + json.loads(data[8:start])[name]["data_offsets"][0] + at * len(value)
    data[first : first + len(value)] = value
    path.write_bytes(data)


def test_damage_is_told_when_it_is_met(tiny_factors, tmp_path, by_parts):
    save_factors(tiny_factors("bayes"), tmp_path / "model")
    spoil(tmp_path / "model", "user_factors", 3, np.float32(np.nan).tobytes())  # of the second user
    spoil(tmp_path / "model", "layers.user_variance", 17, np.float32(3e38).tobytes())  # of the last one
    spoil(tmp_path / "model", "seen_movies", 3, np.int32(8).tobytes())  # of the fourth
    model = Predictor(load_factors(tmp_path / "model"))
    assert np.isfinite(model.predict(1, 1))
    for use in (
        lambda: model.predict(7, 1),
        lambda: model.uncertainty(15, 1),
        lambda: model.recommend(42),
        lambda: model.recommend_all(),
    ):
        with pytest.raises(FileError, match="the model is damaged: "):
            use()
    for name, value in (("movie_factors", np.float32(np.inf)), ("seen_offsets", np.int64(1))):
        save_factors(tiny_factors("bayes"), tmp_path / "model")
        spoil(tmp_path / "model", name, 0, value.tobytes())
        with pytest.raises(FileError, match=f"model is damaged: {name}"):
            load_factors(tmp_path / "model")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:50],
        lambda data: data[:3],
        lambda data: (2**63).to_bytes(8, "little") + data[8:],
        lambda data: data.replace(b'"F32"', b'"BF8"', 1),
        lambda data: data.replace(b'"shape":[5,3]', b'"shape":[5,2]'),
        lambda data: data.replace(b'"shape":[5,3]', b'"shape":[-5]'),
        lambda data: b"\x02\0\0\0\0\0\0\0[]" + data,
    ],
)
def test_a_large_file_that_is_not_whole_is_refused(change, tiny_factors, tmp_path, by_parts):
    save_factors(tiny_factors("dot"), tmp_path / "model")
    data = (tmp_path / "model").read_bytes()
    (tmp_path / "model").write_bytes(change(data))
    assert change(data) != data
    with pytest.raises(FileError, match="model is not a whole cf_excel model: it is truncated or no safetensors file"):
        load_factors(tmp_path / "model")


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes there")
def test_a_file_of_gigabytes_answers_without_its_size_in_memory(tiny_factors, tmp_path):
    """Of 20 million users all but the last are a hole in the file."""
    n, last, model = 20_000_000, tiny_factors("dot"), tmp_path / "model"
    factors = np.arange(50, dtype=np.float32) / 50
    last = replace(
        last,
        user_ids=np.array([42]),
        user_factors=factors[None],
        movie_factors=np.outer(np.arange(8, dtype=np.float32), factors),
        user_bias=np.ones(1, np.float32),
        seen_offsets=np.array([0, 2]),
        seen_movies=np.array([7, 5], np.int32),
        crowd=Crowd(np.full(8, 30), np.zeros(51), np.eye(51)),
    )
    save_factors(last, model)
    data = model.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    values, position = {}, 0
    for name, told in header.items():
        if name != "__metadata__":
            values[name] = data[start + told["data_offsets"][0] : start + told["data_offsets"][1]]
            if name in ("user_ids", "user_factors", "user_bias", "seen_offsets"):
                told["shape"][0] += n - 1
            size = len(values[name]) * (told["shape"][0] if name in ("user_ids", "user_factors", "user_bias") else 1)
            size = (n + 1) * 8 if name == "seen_offsets" else size
            told["data_offsets"] = [position, position := position + size]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(model, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, value in values.items():
            file.seek(8 + len(text) + header[name]["data_offsets"][1] - len(value))
            file.write(value)
        file.truncate(8 + len(text) + position)
    assert model.stat().st_size > 4 * 10**9
    tracemalloc.start()
    try:
        predictor = Predictor(load_factors(model))
        ratings = predictor.predict(42, predictor.factors.movie_ids)
        assert [movie.movie_id for movie in predictor.recommend(42, 2)] == [11, 10]
        assert tracemalloc.get_traced_memory()[1] < 60 * 10**6
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(ratings, 1 + np.arange(8) * (factors @ factors), rtol=1e-5)

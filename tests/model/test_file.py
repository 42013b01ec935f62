import json
import math
import os
import pickle
import zipfile
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save, save_file
from support.models import list_factors

from cf_excel.errors import FileError, InputError
from cf_excel.model import file as model_file
from cf_excel.model.crowd import Crowd
from cf_excel.model.file import default_model_path, load_factors, save_factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.lists import ListFactors
from cf_excel.model.predictor import Predictor
from cf_excel.plots.figures import principal_components
from cf_excel.ratings.nouns import Nouns
from cf_excel.udf.functions import Functions
from cf_excel.written import sealed


def assert_equal(left, right):
    for field in fields(left):
        a, b = getattr(left, field.name), getattr(right, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            assert a.tolist() == b.tolist()
        elif field.name == "layers":
            assert {k: v.tolist() for k, v in a.items()} == {k: v.tolist() for k, v in b.items()}
        elif isinstance(a, ListFactors):
            assert_equal(a, b)
        else:
            assert a == b


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind, tiny_factors, tmp_path):
    factors = tiny_factors(kind)
    save_factors(factors, tmp_path / "new folder" / "model.safetensors")
    assert_equal(factors, load_factors(tmp_path / "new folder" / "model.safetensors"))
    assert os.listdir(tmp_path / "new folder") == ["model.safetensors"]


@pytest.mark.parametrize("by", ["score", "watch"])
def test_what_lists_rank_by_is_kept(by, tiny_factors, tmp_path):
    factors = replace(tiny_factors(), lists=list_factors(by))
    save_factors(factors, tmp_path / "m")
    read = load_factors(tmp_path / "m")
    assert_equal(factors, read)
    rows = np.array([6, 2])
    assert_equal(read.of_users(rows - 2).lists, factors.lists)
    assert_equal(read.of_movies(rows).lists, factors.lists.of_movies(rows))
    assert Predictor(read.of_movies(rows)).recommend(42, 2)


def test_a_file_without_list_factors_ranks_by_the_rating(tiny_factors, tmp_path):
    save_factors(tiny_factors(), tmp_path / "m")
    head, arrays = model_file._unpack((tmp_path / "m").read_bytes())
    assert "lists" not in head
    assert not [name for name in arrays if name.startswith("lists")]
    assert load_factors(tmp_path / "m").lists is None


def test_the_same_model_is_the_same_bytes(tiny_factors, tmp_path):
    for name in "ab":
        save_factors(tiny_factors("net"), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_has_the_bytes_that_safetensors_writes(kind, tiny_factors, tmp_path):
    path = tmp_path / "model.safetensors"
    save_factors(replace(tiny_factors(kind), record={"source": 'a "b" \\ ü \n'}), path)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert sealed(save(load(data), header["__metadata__"])) == data


def test_a_negative_variance_is_refused(tiny_factors, tmp_path):
    factors = tiny_factors("bayes")
    layers = factors.layers | {"noise_variance": -factors.layers["noise_variance"]}
    with pytest.raises(InputError, match="noise_variance has values below 0"):
        save_factors(replace(factors, layers=layers), tmp_path / "m")


def test_a_file_without_a_global_mean_is_read(tiny_factors, tmp_path):
    save_factors(tiny_factors("collab"), tmp_path / "m")
    head, arrays = model_file._unpack((tmp_path / "m").read_bytes())
    save_file(arrays, tmp_path / "old", {"cf_excel": json.dumps({k: v for k, v in head.items() if k != "global_mean"})})
    assert load_factors(tmp_path / "old").global_mean == 0


def test_what_users_and_movies_are_called_is_kept(tiny_factors, tmp_path):
    save_factors(replace(tiny_factors(), nouns=Nouns("customer", "product")), tmp_path / "m")
    read = load_factors(tmp_path / "m")
    assert read.nouns == Nouns("customer", "product")
    assert read.of_users(np.array([0])).nouns == read.of_movies(np.array([1])).nouns == read.nouns


def test_a_file_without_nouns_is_of_users_and_movies(tiny_factors, tmp_path):
    save_factors(tiny_factors(), tmp_path / "m")
    assert "nouns" not in model_file._unpack((tmp_path / "m").read_bytes())[0]
    assert load_factors(tmp_path / "m").nouns == Nouns("user", "movie")


texts = st.text(max_size=30)


@settings(max_examples=40, deadline=None)
@given(
    titles=st.lists(texts, min_size=8, max_size=8),
    ids=st.lists(texts.filter(bool), min_size=8, max_size=8, unique=True),
)
def test_any_text_round_trips(titles, ids, tiny_model, scratch):
    factors = replace(tiny_model, titles=np.array(titles, object), movie_ids=np.array(ids, object))
    save_factors(factors, scratch)
    assert_equal(factors, load_factors(scratch))


@pytest.mark.parametrize("ids", [[2**62, -(2**63), 0, 5, 6], ["007", "אבג", "🎬", "a\nb", "15"]])
def test_ids_of_every_kind_round_trip(ids, tiny_factors, tmp_path):
    array = np.array(ids, np.int64 if isinstance(ids[0], int) else object)
    save_factors(replace(tiny_factors(), user_ids=array), tmp_path / "m")
    assert load_factors(tmp_path / "m").user_ids.tolist() == ids


def test_default_place(monkeypatch, tmp_path):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "mine"))
    assert default_model_path() == tmp_path / "mine"
    monkeypatch.delenv("CF_EXCEL_MODEL")
    assert default_model_path().name == "model.safetensors"
    assert "cf_excel" in default_model_path().parts


def nan_at(array):
    array = array.copy()
    array.flat[-1] = np.nan
    return array


def crowd(n_movies=8, n_rated=1, mean=0.1, spread=0.1):
    return Crowd(np.full(n_movies, n_rated), np.full(4, mean), np.full((4, 4), spread))


FAULTS = {
    "kind": (lambda f: {"kind": "svd"}, "'svd' is none of bayes, dot, dot-bias, net, collab"),
    "nan": (lambda f: {"movie_factors": nan_at(f.movie_factors)}, "movie_factors has values that are not finite"),
    "infinite bias": (lambda f: {"user_bias": f.user_bias + np.float32(np.inf)}, "user_bias has values that are not"),
    "nan in a layer": (lambda f: {"layers": f.layers | {"w2": nan_at(f.layers["w2"])}}, "w2 has values"),
    "shape": (lambda f: {"user_bias": f.user_bias[1:]}, r"user_bias has shape \(4,\), expected \(5,\)"),
    "factors": (lambda f: {"movie_factors": f.movie_factors[:, 1:]}, "movie_factors has shape"),
    "dtype": (lambda f: {"user_bias": f.user_bias.astype(np.float64)}, "user_bias holds float64, expected float32"),
    "no users": (lambda f: {"user_factors": f.user_factors[:0]}, "no users"),
    "flat factors": (lambda f: {"user_factors": f.user_factors[0]}, "no users"),
    "no layers": (lambda f: {"layers": {}}, "kind net with layers none"),
    "odd layer": (lambda f: {"layers": f.layers | {"w1": f.layers["w1"].T}}, "w1 has shape"),
    "twice": (lambda f: {"user_ids": np.zeros(5, np.int64)}, "user_ids has the same id twice"),
    "text twice": (
        lambda f: {"user_ids": np.array(["a", "15", "c", "a", "d"], object)},
        "user_ids has the same id twice",
    ),
    "crowd shape": (lambda f: {"crowd": crowd(n_movies=7)}, r"crowd.n_rated has shape \(7,\), expected \(8,\)"),
    "crowd nan": (lambda f: {"crowd": crowd(mean=np.nan)}, "crowd.mean has values that are not finite"),
    "crowd huge": (lambda f: {"crowd": crowd(spread=1e300)}, "crowd.covariance has values that are too large"),
    "crowd below 0": (lambda f: {"crowd": crowd(n_rated=-1)}, "crowd.n_rated has values below 0"),
    "float ids": (lambda f: {"user_ids": np.arange(5.0)}, "user_ids are neither"),
    "range": (lambda f: {"rating_range": (5.0, 0.5)}, "rating range is 5.0 to 0.5"),
    "range nan": (lambda f: {"rating_range": (0.5, float("nan"))}, "rating range is 0.5 to nan"),
    "offsets fall": (lambda f: {"seen_offsets": f.seen_offsets[[0, 2, 1, 3, 4, 5]]}, "seen_offsets do not divide"),
    "offsets short": (lambda f: {"seen_offsets": np.minimum(f.seen_offsets, 7)}, "seen_offsets do not divide"),
    "seen": (lambda f: {"seen_movies": f.seen_movies + np.int32(1)}, "seen_movies names movies"),
    "global mean": (lambda f: {"global_mean": float("inf")}, "global mean is inf, expected a rating"),
    "bayes": (lambda f: {"kind": "bayes"}, "kind bayes with layers "),
    "huge factors": (lambda f: {"movie_factors": f.movie_factors * np.float32(1e20)}, "lengths of factors could reach"),
    "huge layer": (
        lambda f: {"layers": f.layers | {"w2": f.layers["w2"] * np.float32(1e37)}},
        "predictions could reach",
    ),
    "huge hidden units": (
        lambda f: {"layers": f.layers | {"w1": f.layers["w1"] * np.float32(1e37), "w2": f.layers["w2"] * 0}},
        "hidden units could reach",
    ),
    "huge bias": (lambda f: {"user_bias": f.user_bias + np.float32(3e38)}, "sums of biases could reach"),
    "huge range": (lambda f: {"rating_range": (-1e308, 1e308)}, r"ratings could reach 1e\+308, which is too large"),
    "narrow range": (lambda f: {"rating_range": (0.0, 5e-324)}, "too narrow for single precision"),
    "half a character": (lambda f: {"titles": np.array(["\ud800"] * 8, object)}, "titles have half a character"),
    "offsets around": (
        lambda f: {"seen_offsets": np.array([0, 2**63 - 1, -2, 3, 7, 8])},
        "seen_offsets do not divide",
    ),
    "number in record": (lambda f: {"record": {"metrics": {"val_mse": 10**400}}}, "a number that is not finite"),
    "deep in record": (lambda f: {"record": {"a": [{"b": -(10**400)}]}}, "a number that is not finite"),
    "nouns": (lambda f: {"nouns": Nouns("customer", "two\nlines")}, "words for a user and a movie can't be shown"),
    "lists": (lambda f: {"lists": list_factors("rating")}, "lists by 'rating', expected score or watch"),
    "list shape": (lambda f: {"lists": list_factors(n_movies=7)}, r"lists.given has shape \(7, 3\), expected \(8, 3\)"),
    "no list columns": (lambda f: {"lists": list_factors(n_columns=0)}, r"lists.given has shape \(8, 0\)"),
    "asked": (lambda f: {"lists": replace(list_factors(), asked=list_factors().given[:, 1:])}, "lists.asked has shape"),
    "flat lists": (lambda f: {"lists": replace(list_factors(), given=np.float32(1))}, "lists.given has shape"),
    "nan in lists": (
        lambda f: {"lists": replace(list_factors(), asked=nan_at(list_factors().asked))},
        "lists.asked has values that are not finite",
    ),
    "list dtype": (
        lambda f: {"lists": replace(list_factors(), popularity=np.ones(8))},
        "lists.popularity holds float64, expected float32",
    ),
    "popularity": (
        lambda f: {"lists": replace(list_factors(), popularity=-list_factors().popularity)},
        "lists.popularity has values below 0",
    ),
    "record": (lambda f: {"record": ["no"]}, "training record is not"),
}


def test_no_new_user_of_picks_is_beyond_single_precision(tiny_factors, tmp_path):
    factors = tiny_factors("picks")
    layers = factors.layers | {"usual_count": np.float32([1e-45])}
    with pytest.raises(InputError, match="factors of a new user could reach"):
        save_factors(replace(factors, layers=layers), tmp_path / "model")


@pytest.mark.parametrize("fault", FAULTS)
def test_unusable_factors_are_neither_saved_nor_loaded(fault, tiny_factors, tmp_path, monkeypatch):
    change, words = FAULTS[fault]
    factors = tiny_factors("net")
    broken = replace(factors, **change(factors))
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"the old model")
    with pytest.raises(InputError, match=words):
        save_factors(broken, path)
    assert path.read_bytes() == b"the old model"
    if fault in ("range nan", "float ids", "global mean"):  # these can't even be written
        return
    with monkeypatch.context() as patch:
        patch.setattr(model_file, "fault_of", lambda factors: "")
        save_factors(broken, path)
    with pytest.raises(FileError, match=words) as caught:
        load_factors(path)
    assert str(path) in str(caught.value)


def test_record_must_be_json(tiny_factors, tmp_path):
    with pytest.raises(InputError, match="record is not JSON"):
        save_factors(replace(tiny_factors(), record={"loss": np.float32(1)}), tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_a_record_with_nan_is_not_loaded(tiny_factors, tmp_path):
    save_factors(tiny_factors(), tmp_path / "good")
    head, arrays = model_file._unpack((tmp_path / "good").read_bytes())
    save_file(arrays, tmp_path / "m", {"cf_excel": json.dumps(head | {"record": {"metrics": {"val_rmse": math.nan}}})})
    with pytest.raises(FileError, match="the training record has a number that is not finite; train it again"):
        load_factors(tmp_path / "m")


def variances_of(factors, size):
    return factors.layers | {name: layer * np.float32(size) for name, layer in factors.layers.items()}


def test_variances_that_add_up_to_infinity_are_refused(tiny_factors, tmp_path):
    factors = tiny_factors("bayes")
    save_factors(replace(factors, layers=variances_of(factors, 1e15)), tmp_path / "m")
    with pytest.raises(InputError, match="variances could reach"):
        save_factors(replace(factors, layers=variances_of(factors, 1e20)), tmp_path / "m")


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_what_is_no_model_is_refused(tiny_factors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_factors(tiny_factors(), "good")
    good = Path("good").read_bytes()
    with zipfile.ZipFile("model.pt", "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Bomb()))
    with zipfile.ZipFile("table.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    save_file({"weight": np.zeros(3, np.float32)}, "other")
    save_file({"weight": np.zeros(3, np.float32)}, "newer", {"cf_excel": '{"format": "cf_excel model", "number": 99}'})
    save_file({"weight": np.zeros(3, np.float32)}, "hollow", {"cf_excel": '{"format": "cf_excel model", "number": 1}'})
    os.mkdir("folder")
    files = {
        "model.pkl": (pickle.dumps(Bomb()), "it is a pickle, which is never read"),
        "half-pickle": (pickle.dumps(Bomb())[:9], "it is a pickle, which is never read"),
        "model.pt": (None, "a PyTorch file with a pickle inside, which is never read"),
        "table.xlsx": (None, "it is a zip archive"),
        "other": (None, "is a safetensors file, but not a cf_excel model"),
        "newer": (None, "has model format 99, expected 1: train it again"),
        "hollow": (None, "is missing"),
        "folder": (None, "is a folder, expected a model file"),
        "empty": (b"", "it is empty"),
        "truncated": (good[:-1], "it is truncated"),
        "short": (good[:5], "it is truncated"),
        "ratings.csv": (b"userId,movieId,rating\n1,31,2.5\n", "it is truncated or no safetensors file"),
        "huge-header": (b"\xff" * 64, "it is truncated"),
        "absent": (None, "there is no model at absent: run python -m cf_excel train"),
    }
    for name, (data, words) in files.items():
        if data is not None:
            Path(name).write_bytes(data)
        with pytest.raises(FileError, match=words) as caught:
            load_factors(name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not os.path.exists("exploded")


def test_a_file_that_can_not_be_written(tiny_factors, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="can't make the folder"):
        save_factors(tiny_factors(), tmp_path / "file" / "model")
    with pytest.raises(FileError, match="is a folder: expected the name of a file"):
        save_factors(tiny_factors(), tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_keeps_the_old_file(tiny_factors, tmp_path, monkeypatch):
    path = tmp_path / "model"
    save_factors(tiny_factors("dot"), path)
    monkeypatch.setattr(os, "replace", lambda *args: (_ for _ in ()).throw(PermissionError(13, "in use")))
    with pytest.raises(FileError, match=r"can't replace .*model: it is open in another program"):
        save_factors(tiny_factors("net"), path)
    assert load_factors(path).kind == "dot"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("model") / "scratch"


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_never_raises_anything_else(data, tiny_model, scratch):
    save_factors(tiny_model, scratch)
    good = bytearray(scratch.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    scratch.write_bytes(good[: data.draw(st.integers(len(good) - 3, len(good)))])
    with suppress(FileError):
        load_factors(scratch)


sizes = st.sampled_from([0, 1e-45, 1e-30, 1e-3, 1, 1e5, 1e10, 1e15, 1e17, 1e18, 1e20, 1e30, 1e36, 3e38])
records = st.recursive(
    st.sampled_from([10**400, 5e-324, 1e308, 0, -1, True, None, "x"]),
    lambda values: st.dictionaries(st.sampled_from(["metrics", "val_mse", "val_rmse"]), values),
    max_leaves=4,
)


def uses_of(path):
    """Every use of a model, each as a function that returns numbers."""
    model = Predictor(load_factors(path))
    users, movies = model.factors.user_ids, model.factors.movie_ids
    low, high = model.factors.rating_range
    scores = lambda found: [movie.score for movie in found]  # noqa: E731
    yield lambda: model.predict(users[:, None], movies)
    yield lambda: model.predict(users, movies[:5])
    yield lambda: model.predict([1, 99999], 99999, unknown="bias")
    yield lambda: model.uncertainty(users[:, None], movies)
    yield lambda: scores(model.recommend(42, 8))
    yield lambda: scores(model.recommend(42, 8, lower_bound=1.3))
    yield lambda: model.row_scores.of_lists(np.arange(5))[0]
    yield lambda: scores(model.similar(1, 8))
    yield lambda: scores(model.fold_in([1, 2571, 10], [low, high, high], 8))
    yield lambda: model.predict_for(*model.fit_user([1], [high]), movies)
    yield lambda: principal_components(model.factors.movie_factors)
    yield lambda: float("nan" in Functions(path).CF_MODEL()) or 0.0


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_use_of_a_model_that_loads_gives_finite_numbers_or_says_why_not(data, tiny_factors, scratch):
    factors = tiny_factors(data.draw(st.sampled_from(list(KINDS))))
    change = {"record": data.draw(records)} if data.draw(st.booleans()) else {}
    if data.draw(st.booleans()):
        lists = list_factors(data.draw(st.sampled_from(["score", "watch"])))
        change["lists"] = replace(lists, asked=np.clip(lists.asked * np.float64(data.draw(sizes)), -3e38, 3e38))
        change["lists"] = replace(change["lists"], asked=change["lists"].asked.astype(np.float32))
    for name in data.draw(st.sets(st.sampled_from(["user_factors", "movie_factors", "user_bias", "movie_bias"]))):
        array = getattr(factors, name).copy()
        where = slice(None) if data.draw(st.booleans()) else data.draw(st.integers(0, array.size - 1))
        array.reshape(-1)[where] = np.clip(array.reshape(-1)[where] * np.float64(data.draw(sizes)), -3e38, 3e38)
        change[name] = array
    change["layers"] = {
        name: np.clip(layer * np.float64(data.draw(sizes)), -3e38, 3e38).astype(np.float32)
        for name, layer in factors.layers.items()
    }
    change["rating_range"] = data.draw(
        st.sampled_from([(0.5, 5.0), (1.0, 1.0), (0.0, 1e-30), (-1e15, 1e30), (0, 3e38)])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_file, "fault_of", lambda factors: "")
        save_factors(replace(factors, **change), scratch)
    with suppress(FileError):
        for use in uses_of(scratch):
            with suppress(InputError):
                assert np.isfinite(use()).all()


@settings(max_examples=100, deadline=None)
@given(
    head=st.dictionaries(
        st.sampled_from(["kind", "rating_range", "record"]),
        st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=4),
    )
)
def test_odd_metadata_never_raises_anything_else(head, tiny_model, scratch):
    save_factors(tiny_model, scratch)
    _, arrays = model_file._unpack(scratch.read_bytes())
    whole = {"format": model_file.FORMAT, "number": 1, "kind": "net", "rating_range": [0.5, 5], "record": {}}
    save_file(arrays, scratch, {"cf_excel": json.dumps(whole | head)})
    with suppress(FileError):
        load_factors(scratch)

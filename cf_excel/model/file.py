"""The one file that holds a model: save, load and check it."""

import json
import math
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cf_excel.errors import FileError, InputError
from cf_excel.files import check_source, make_folder, replacing
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS, LISTS
from cf_excel.model.lists import ListFactors
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns, is_noun
from cf_excel.written import PLACE, sealed

FORMAT = "cf_excel model"
FORMAT_NUMBER = 1
_IDS, _TEXTS = ("user_ids", "movie_ids"), ("titles", "genres")
_MATRICES = ("user_factors", "movie_factors", "user_bias", "movie_bias")
_DTYPES = {"years": np.int16, "seen_offsets": np.int64, "seen_movies": np.int32} | dict.fromkeys(_MATRICES, np.float32)
_OPTIONAL = {"seen_ratings": np.float32}  # files from before it was kept have none
_OF_LISTS = ("given", "asked", "popularity")
_LARGEST = 1e36  # of sums in single precision, which ends at 3e38
_TRAIN = "python -m cf_excel train"
_AGAIN = f"{_TRAIN} --force"  # without that, train replaces whole models alone


def default_model_path() -> Path:
    """Return where the model is kept: the file that CF_EXCEL_MODEL names, else one in the user's data folder."""
    named = os.environ.get("CF_EXCEL_MODEL", "").strip()
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("cf_excel", appauthor=False) / "model.safetensors"


def save_factors(factors: Factors, path: Path | str) -> None:
    """Write a model as one safetensors file, whole or not at all; its folder is made where there is none.

    The arrays keep their names; ids that are texts, titles and genres are JSON lists as UTF-8 bytes; the rest is JSON
    in the metadata. Raises InputError for factors that no prediction could use, FileError where nothing can be written.
    """
    fault = _fault(factors)
    if fault:
        raise InputError(f"the model was not saved: {fault}")
    head = {
        "digest": PLACE,
        "format": FORMAT,
        "number": FORMAT_NUMBER,
        "kind": factors.kind,
        "rating_range": [float(value) for value in factors.rating_range],
        "record": factors.record,
        "global_mean": float(factors.global_mean),
    }
    if factors.nouns != USUAL_NOUNS:
        head["nouns"] = list(factors.nouns)
    if factors.lists is not None:
        head["lists"] = factors.lists.by
    try:
        metadata = {"cf_excel": json.dumps(head, allow_nan=False)}
    except (TypeError, ValueError) as error:
        raise InputError(f"the model was not saved: its record is not JSON ({error})") from None
    arrays = {name: getattr(factors, name) for name in _DTYPES}
    arrays |= {name: array for name in _OPTIONAL if (array := getattr(factors, name)) is not None}
    arrays |= {name: _as_bytes(getattr(factors, name)) for name in _TEXTS}
    ids = {name: getattr(factors, name) for name in _IDS}
    arrays |= {name: array if array.dtype == np.int64 else _as_bytes(array) for name, array in ids.items()}
    arrays |= {f"layers.{name}": layer for name, layer in factors.layers.items()}
    arrays |= _list_arrays(factors)
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata)
    path = Path(path)
    make_folder(path.parent)
    with replacing(path) as temporary:
        temporary.write_bytes(sealed(data))


def load_factors(path: Path | str | None = None) -> Factors:
    """Read a model that save_factors wrote, and check all of it; without a path, the one at default_model_path().

    Raises FileError, in one line, for anything but a whole model, with which everything works: a missing or truncated
    file, another format, wrong shapes, values that are not finite or add up to what is not, a pickle. Nothing is ever
    unpickled.
    """
    path = default_model_path() if path is None else Path(path)
    data = _read(path)
    try:
        head, arrays = _unpack(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise FileError(f"{path} is not a whole cf_excel model: {_what_it_is(path, data)}") from None
    if head.get("format") != FORMAT:
        raise FileError(f"{path} is a safetensors file, but not a cf_excel model: make one with {_TRAIN}")
    if head.get("number") != FORMAT_NUMBER:
        number = str(head.get("number"))[:20]
        raise FileError(f"{path} has model format {number}, expected {FORMAT_NUMBER}: train it again with {_AGAIN}")
    try:
        factors = _assemble(head, arrays)
        fault = _fault(factors)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        fault = f"{error} is missing" if isinstance(error, KeyError) else "a part of it can't be read"
    if fault:
        raise FileError(f"{path} is damaged: {fault}; train it again with {_AGAIN}")
    return factors


def _read(path: Path) -> bytes:
    check_source(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"there is no model at {path}: run {_TRAIN}") from None
    except (OSError, ValueError) as error:
        if path.is_dir():
            raise FileError(f"{path} is a folder, expected a model file that {_TRAIN} wrote") from None
        raise FileError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None


def _unpack(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the model's own JSON and its arrays; any error means that the bytes are not a whole safetensors file."""
    arrays = load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    head = json.loads(header.get("__metadata__", {}).get("cf_excel", "{}"))
    return (head if isinstance(head, dict) else {}), arrays


def _what_it_is(path: Path, data: bytes) -> str:
    """Say what a file that is no safetensors file seems to be."""
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05":
        return "it is a pickle, which is never read, because a pickle can run any code"
    if data[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                pickled = any(name.endswith(".pkl") for name in archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            pickled = False
        if pickled:
            return "it is a PyTorch file with a pickle inside, which is never read, because a pickle can run any code"
        return f"it is a zip archive, expected a safetensors file that {_TRAIN} wrote"
    if not data:
        return f"it is empty, train it again with {_TRAIN}"
    return f"it is truncated or no safetensors file, expected one that {_TRAIN} wrote"


def _as_bytes(texts: np.ndarray) -> np.ndarray:
    return np.frombuffer(json.dumps([str(text) for text in texts.tolist()]).encode(), np.uint8)


def _as_texts(array: np.ndarray) -> np.ndarray:
    """Return the object array of the texts that _as_bytes packed."""
    texts = json.loads(array.tobytes())
    if array.dtype != np.uint8 or not isinstance(texts, list):
        raise ValueError("not a list of texts")
    result = np.empty(len(texts), object)
    result[:] = texts
    return result


def _assemble(head: dict, arrays: dict[str, np.ndarray]) -> Factors:
    ids = {name: arrays[name] for name in _IDS}
    low, high = head["rating_range"]
    names = KINDS[head["kind"]].layers if head["kind"] in KINDS else ()
    return Factors(
        kind=head["kind"],
        rating_range=(float(low), float(high)),
        record=head["record"],
        global_mean=float(head.get("global_mean", 0.0)),  # files from before there was one have none
        nouns=Nouns(*head.get("nouns", USUAL_NOUNS)),
        lists=_lists_of(head, arrays),
        layers={name: arrays[f"layers.{name}"] for name in names if f"layers.{name}" in arrays},
        **{name: array if array.dtype == np.int64 else _as_texts(array) for name, array in ids.items()},
        **{name: _as_texts(arrays[name]) for name in _TEXTS},
        **{name: arrays[name] for name in _DTYPES},
        **{name: arrays[name] for name in _OPTIONAL if name in arrays},
    )


def _lists_of(head: dict, arrays: dict[str, np.ndarray]) -> ListFactors | None:
    """Return what lists rank by; files that have nothing of the kind rank by the rating."""
    if "lists" not in head:
        return None
    return ListFactors(**{name: arrays[f"lists.{name}"] for name in _OF_LISTS}, by=head["lists"])


def _fault(factors: Factors) -> str:
    """Return what makes the factors unusable, or "" where nothing does."""
    if factors.kind not in KINDS:
        return f"kind {str(factors.kind)[:40]!r} is none of {', '.join(KINDS)}"
    low, high = factors.rating_range
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        return f"the rating range is {low} to {high}, expected two numbers in order"
    if 0 < high - low < 1 / _LARGEST:
        return f"the rating range is {low} to {high}, too narrow for single precision"
    if not math.isfinite(factors.global_mean):
        return f"the global mean is {factors.global_mean}, expected a rating"
    if not all(map(is_noun, factors.nouns)):
        return "its words for a user and a movie can't be shown"
    if not isinstance(factors.record, dict):
        return "the training record is not a table of names and values"
    return (
        _record_fault(factors.record)
        or _array_fault(factors)
        or _list_fault(factors)
        or _size_fault(factors)
        or _id_fault(factors)
        or _seen_fault(factors)
    )


def _record_fault(record: dict) -> str:
    """Return what makes the training record unusable: JSON has numbers that floats can't hold, and Python reads NaN."""
    values: list[object] = [record]
    while values:
        value = values.pop()
        if isinstance(value, (dict, list, tuple)):
            values += value.values() if isinstance(value, dict) else value
        elif isinstance(value, (int, float)) and not abs(value) <= sys.float_info.max:
            return "the training record has a number that is not finite"
    return ""


def _array_fault(factors: Factors) -> str:
    if factors.user_factors.ndim != 2 or 0 in factors.user_factors.shape or 0 in factors.movie_ids.shape:
        return "it has no users, no movies or no factors"
    n_users, n_factors = factors.user_factors.shape
    n_movies = len(factors.movie_ids)
    n_hidden = factors.layers["b1"].size if "b1" in factors.layers else 0
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("movie_ids", "titles", "genres", "years", "movie_bias"), (n_movies,)
    )
    shapes |= dict.fromkeys(("user_ids", "user_bias"), (n_users,))
    shapes |= {"user_factors": (n_users, n_factors), "movie_factors": (n_movies, n_factors)}
    shapes |= {"seen_offsets": (n_users + 1,), "seen_movies": (factors.seen_movies.size,)}
    if factors.seen_ratings is not None:
        shapes["seen_ratings"] = (factors.seen_movies.size,)
    arrays = {name: getattr(factors, name) for name in shapes}
    kind = KINDS[factors.kind]
    sizes = {"users": n_users, "movies": n_movies, "factors": n_factors, "numbers": n_factors + 1}
    sizes |= {"pair": 2 * n_factors, "hidden": n_hidden, "one": 1}
    shapes |= {name: tuple(sizes[axis] for axis in axes) for name, axes in kind.layers.items()}
    dtypes = _DTYPES | _OPTIONAL | dict.fromkeys(kind.layers, np.float32)
    arrays |= factors.layers
    if set(arrays) != set(shapes):
        return f"kind {factors.kind} with layers {', '.join(sorted(factors.layers)) or 'none'}"
    for name, array in arrays.items():
        fault = _numbers_fault(name, array, shapes[name], np.dtype(dtypes.get(name, array.dtype)))
        if fault:
            return fault
        if ((kind.knows_spread and name in kind.layers) or name == "half_count") and array.min() < 0:
            return f"{name} has values below 0"
        if name == "usual_count" and array.min() <= 0:
            return f"{name} is not above 0"
    return ""


def _list_arrays(factors: Factors) -> dict[str, np.ndarray]:
    lists = factors.lists
    return {} if lists is None else {f"lists.{name}": getattr(lists, name) for name in _OF_LISTS}


def _list_fault(factors: Factors) -> str:
    lists = factors.lists
    if lists is None:
        return ""
    if lists.by not in LISTS or lists.by == "rating":
        return f"lists by {str(lists.by)[:40]!r}, expected score or watch"
    n_columns = lists.given.shape[-1] if lists.given.ndim else 0
    shapes = [(factors.n_movies, max(n_columns, 1))] * 2 + [(factors.n_movies,)]
    for (name, array), shape in zip(_list_arrays(factors).items(), shapes, strict=True):
        fault = _numbers_fault(name, array, shape, np.dtype(np.float32))
        if fault:
            return fault
    return "lists.popularity has values below 0" if lists.popularity.min() < 0 else ""


def _numbers_fault(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> str:
    if array.shape != shape:
        return f"{name} has shape {array.shape}, expected {shape}"
    if array.dtype != dtype:
        return f"{name} holds {array.dtype}, expected {dtype}"
    if array.dtype == np.float32 and not np.isfinite(array).all():
        return f"{name} has values that are not finite"
    return ""


def _size_fault(factors: Factors) -> str:
    """Return what the numbers could add up to, in one of their uses, that single precision can't hold."""
    largest = lambda array: np.maximum(array.max(axis=0), -array.min(axis=0)).astype(np.float64)  # noqa: E731
    users, movies = largest(factors.user_factors), largest(factors.movie_factors)
    biases = largest(factors.user_bias) + largest(factors.movie_bias)
    sums = {
        "ratings": max(map(abs, (*factors.rating_range, factors.global_mean))),
        "predictions": users @ movies + biases,
        "lengths of factors": max(users @ users, movies @ movies),
        "sums of factors": max(factors.n_users * users.max(), factors.n_movies * movies.max()),
        "sums of biases": max(factors.n_users, factors.n_movies) * biases,
    }
    if KINDS[factors.kind].is_net:
        layers = {name: np.abs(array.astype(np.float64)) for name, array in factors.layers.items()}
        hidden = layers["w1"] @ np.append(users, movies) + layers["b1"]
        sums["hidden units"] = hidden.max()
        sums["predictions"] = float(layers["w2"][0] @ hidden + layers["b2"][0])
    if KINDS[factors.kind].knows_spread:
        user, movie, noise = (largest(factors.layers[f"{name}_variance"]) for name in ("user", "movie", "noise"))
        spread = (users**2 + user[:-1]) @ movie[:-1] + movies**2 @ user[:-1]
        sums["variances"] = spread + user[-1] + movie[-1] + noise
    return next((f"{name} could reach {n:.0e}, which is too large" for name, n in sums.items() if n > _LARGEST), "")


def _id_fault(factors: Factors) -> str:
    for name in _IDS:
        ids = getattr(factors, name)
        raw = ids.tolist()
        if ids.dtype != np.int64 and not all(isinstance(value, str) and value for value in raw):
            return f"{name} are neither whole numbers nor texts"
        if len(set(raw)) != len(raw):
            return f"{name} has the same id twice"
    for name in _TEXTS:
        if not all(isinstance(text, str) for text in getattr(factors, name).tolist()):
            return f"{name} are not texts"
    for name in (*_TEXTS, *_IDS):
        array = getattr(factors, name)
        if array.dtype != np.int64 and not _is_unicode("".join(array.tolist())):
            return f"{name} have half a character, which no file and no screen can show"
    return ""


def _is_unicode(text: str) -> bool:
    """Say whether a text has no lone surrogates, which JSON can hold and UTF-8 can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _seen_fault(factors: Factors) -> str:
    offsets, seen = factors.seen_offsets, factors.seen_movies
    if offsets[0] != 0 or offsets[-1] != len(seen) or (offsets[1:] < offsets[:-1]).any():
        return "seen_offsets do not divide seen_movies"
    if len(seen) and (seen.min() < 0 or seen.max() >= factors.n_movies):
        return "seen_movies names movies that the model does not have"
    return ""

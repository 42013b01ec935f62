"""The one file that holds a model: save, load and check it."""

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from cf_excel.errors import FileError, InputError
from cf_excel.files import check_source, make_folder, replacing
from cf_excel.model.crowd import Crowd, moments
from cf_excel.model.factors import AnyModel, Factors, factors_of
from cf_excel.model.faults import DTYPES, IDS, OF_CROWD, OF_LISTS, OPTIONAL, TEXTS, fault_of, part_arrays
from cf_excel.model.kinds import KINDS
from cf_excel.model.lists import ListFactors
from cf_excel.model.mapped import MAPPED_FROM, arrays_in
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.written import PLACE, sealed_head

FORMAT = "cf_excel model"
FORMAT_NUMBER = 1
_STORED = ("int64", "float64", "float32", "int32", "int16", "uint8")  # in a file one after the other
_TRAIN = "python -m cf_excel train"
_AGAIN = f"{_TRAIN} --force"  # without that, train replaces whole models alone


def default_model_path() -> Path:
    """Return where the model is kept: the file that CF_EXCEL_MODEL names, else one in the user's data folder."""
    named = os.environ.get("CF_EXCEL_MODEL", "").strip()
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("cf_excel", appauthor=False) / "model.safetensors"


def save_factors(factors: AnyModel, path: Path | str) -> None:
    """Write a model as one safetensors file, whole or not at all; its folder is made where there is none.

    The arrays keep their names; ids that are texts, titles and genres are JSON lists as UTF-8 bytes; the rest is JSON
    in the metadata. Raises InputError for factors that no prediction could use, FileError where nothing can be written.
    """
    factors = factors_of(factors)
    fault = fault_of(factors)
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
    if factors.crowd is None and _n_bytes(factors) >= MAPPED_FROM:  # who reads it by parts can't go through all users
        factors = replace(factors, crowd=Crowd(factors.n_ratings.astype(np.int64), *moments(factors)))
    arrays = {name: getattr(factors, name) for name in DTYPES}
    arrays |= {name: array for name in OPTIONAL if (array := getattr(factors, name)) is not None}
    arrays |= {name: _as_bytes(getattr(factors, name)) for name in TEXTS}
    ids = {name: getattr(factors, name) for name in IDS}
    arrays |= {name: array if array.dtype == np.int64 else _as_bytes(array) for name, array in ids.items()}
    arrays |= {f"layers.{name}": layer for name, layer in factors.layers.items()}
    arrays |= part_arrays(factors)
    order = sorted(arrays, key=lambda name: (_STORED.index(arrays[name].dtype.name), name))
    arrays = {name: np.ascontiguousarray(arrays[name]) for name in order}
    contents = [array.reshape(-1).data for array in arrays.values()]
    start = sealed_head(_header(arrays, metadata), contents)
    path = Path(path)
    make_folder(path.parent)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.writelines((start, *contents))  # no copy: who rated what may be most of the memory


def _header(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """Return what a safetensors file has before its arrays; these are in the order of _STORED, and of names."""
    header: dict[str, dict] = {"__metadata__": metadata}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        dtype = f"{array.dtype.kind.upper()}{8 * array.itemsize}"
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def load_factors(path: Path | str | None = None) -> Factors:
    """Read a model that save_factors wrote, and check all of it; without a path, the one at default_model_path().

    Raises FileError, in one line, for anything but a whole model, with which everything works: a missing or truncated
    file, another format, wrong shapes, values that are not finite or add up to what is not, a pickle. Nothing is ever
    unpickled. Of a file from MAPPED_FROM bytes on, what is as long as the users is read, and checked, when it is used.
    """
    path = default_model_path() if path is None else Path(path)
    data = _read(path)
    try:
        head, arrays = _unpack(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FileError(f"{path} is not a whole cf_excel model: {_what_it_is(path, bytes(data[:8]))}") from None
    if head.get("format") != FORMAT:
        raise FileError(f"{path} is a safetensors file, but not a cf_excel model: make one with {_TRAIN}")
    if head.get("number") != FORMAT_NUMBER:
        number = str(head.get("number"))[:20]
        raise FileError(f"{path} has model format {number}, expected {FORMAT_NUMBER}: train it again with {_AGAIN}")
    try:
        factors = _assemble(head, arrays)
        fault = fault_of(factors)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        fault = f"{error} is missing" if isinstance(error, KeyError) else "a part of it can't be read"
    if fault:
        raise FileError(f"{path} is damaged: {fault}; train it again with {_AGAIN}")
    return factors


def _read(path: Path) -> bytes | np.memmap:
    """Return the bytes of a file; those of a large one are on disk until they are used."""
    check_source(path)
    try:
        if path.is_file() and path.stat().st_size >= MAPPED_FROM:
            return np.memmap(path, np.uint8, "r")
        return path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"there is no model at {path}: run {_TRAIN}") from None
    except (OSError, ValueError) as error:
        if path.is_dir():
            raise FileError(f"{path} is a folder, expected a model file that {_TRAIN} wrote") from None
        raise FileError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None


def _unpack(data: bytes | np.memmap) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the model's own JSON and its arrays; any error means that the bytes are not a whole safetensors file."""
    if isinstance(data, np.memmap):
        header, arrays = arrays_in(data)
    else:
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


def _n_bytes(factors: Factors) -> int:
    arrays = [*factors.arrays.values(), *factors.layers.values(), factors.seen_movies, factors.seen_ratings]
    return sum(array.nbytes for array in arrays if array is not None)


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
    ids = {name: arrays[name] for name in IDS}
    low, high = head["rating_range"]
    names = KINDS[head["kind"]].layers if head["kind"] in KINDS else ()
    return Factors(
        kind=head["kind"],
        rating_range=(float(low), float(high)),
        record=head["record"],
        global_mean=float(head.get("global_mean", 0.0)),  # files from before there was one have none
        nouns=Nouns(*head.get("nouns", USUAL_NOUNS)),
        lists=_lists_of(head, arrays),
        crowd=Crowd(**{name: arrays[f"crowd.{name}"] for name in OF_CROWD}) if "crowd.mean" in arrays else None,
        layers={name: arrays[f"layers.{name}"] for name in names if f"layers.{name}" in arrays},
        **{name: array if array.dtype == np.int64 else _as_texts(array) for name, array in ids.items()},
        **{name: _as_texts(arrays[name]) for name in TEXTS},
        **{name: arrays[name] for name in DTYPES},
        **{name: arrays[name] for name in OPTIONAL if name in arrays},
    )


def _lists_of(head: dict, arrays: dict[str, np.ndarray]) -> ListFactors | None:
    """Return what lists rank by; files that have nothing of the kind rank by the rating."""
    if "lists" not in head:
        return None
    return ListFactors(**{name: arrays[f"lists.{name}"] for name in OF_LISTS}, by=head["lists"])

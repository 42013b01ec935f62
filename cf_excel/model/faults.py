"""What makes a model unusable: shapes, types and values with which not everything would work."""

import math
import sys

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS, LISTS
from cf_excel.model.mapped import is_mapped
from cf_excel.ratings.hashes import id_hashes
from cf_excel.ratings.nouns import is_noun
from cf_excel.ratings.spill import all_finite

IDS, TEXTS = ("user_ids", "movie_ids"), ("titles", "genres")
_MATRICES = ("user_factors", "movie_factors", "user_bias", "movie_bias")
DTYPES = {"years": np.int16, "seen_offsets": np.int64, "seen_movies": np.int32} | dict.fromkeys(_MATRICES, np.float32)
OPTIONAL = {"seen_ratings": np.float32}  # files from before it was kept have none
OF_LISTS = ("given", "asked", "popularity")
OF_CROWD = ("n_rated", "mean", "covariance")
_LARGEST = 1e36  # of sums in single precision, which ends at 3e38


def part_arrays(factors: Factors) -> dict[str, np.ndarray]:
    """Return the arrays of what lists rank by and of the crowd, where the model has these, by their names in a file."""
    return _arrays_of("lists", factors.lists, OF_LISTS) | _arrays_of("crowd", factors.crowd, OF_CROWD)


def _arrays_of(part: str, holder: object, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {} if holder is None else {f"{part}.{name}": getattr(holder, name) for name in names}


def fault_of(factors: Factors) -> str:
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
        or _crowd_fault(factors)
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
    dtypes = DTYPES | OPTIONAL | dict.fromkeys(kind.layers, np.float32)
    arrays |= factors.layers
    if set(arrays) != set(shapes):
        return f"kind {factors.kind} with layers {', '.join(sorted(factors.layers)) or 'none'}"
    for name, array in arrays.items():
        fault = _numbers_fault(name, array, shapes[name], np.dtype(dtypes.get(name, array.dtype)))
        if fault:
            return fault
        if is_mapped(array):
            continue
        if ((kind.knows_spread and name in kind.layers) or name == "half_count") and array.min() < 0:
            return f"{name} has values below 0"
        if name == "usual_count" and array.min() <= 0:
            return f"{name} is not above 0"
    return ""


def _list_fault(factors: Factors) -> str:
    lists = factors.lists
    if lists is None:
        return ""
    if lists.by not in LISTS or lists.by == "rating":
        return f"lists by {str(lists.by)[:40]!r}, expected score or watch"
    n_columns = lists.given.shape[-1] if lists.given.ndim else 0
    shapes = [(factors.n_movies, max(n_columns, 1))] * 2 + [(factors.n_movies,)]
    for (name, array), shape in zip(_arrays_of("lists", lists, OF_LISTS).items(), shapes, strict=True):
        fault = _numbers_fault(name, array, shape, np.dtype(np.float32))
        if fault:
            return fault
    return "lists.popularity has values below 0" if lists.popularity.min() < 0 else ""


def _crowd_fault(factors: Factors) -> str:
    n = factors.n_factors + 1
    shapes = zip([(factors.n_movies,), (n,), (n, n)], [np.int64, np.float64, np.float64], strict=True)
    for (name, array), (shape, dtype) in zip(
        _arrays_of("crowd", factors.crowd, OF_CROWD).items(), shapes, strict=False
    ):
        fault = _numbers_fault(name, array, shape, np.dtype(dtype))
        if fault:
            return fault
        if name != "crowd.n_rated" and np.abs(array).max() > _LARGEST:
            return f"{name} has values that are too large"
        if name != "crowd.covariance" and name != "crowd.mean" and array.min() < 0:
            return f"{name} has values below 0"
    return ""


def _numbers_fault(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> str:
    if array.shape != shape:
        return f"{name} has shape {array.shape}, expected {shape}"
    if array.dtype != dtype:
        return f"{name} holds {array.dtype}, expected {dtype}"
    if array.dtype.kind == "f" and not is_mapped(array) and not all_finite(array):
        return f"{name} has values that are not finite"
    return ""


def _size_fault(factors: Factors) -> str:
    """Return what the numbers could add up to, in one of their uses, that single precision can't hold."""

    def largest(array: np.ndarray) -> np.ndarray:
        if is_mapped(array):  # their numbers are looked at when they are used
            return np.zeros(array.shape[1:])
        return np.maximum(array.max(axis=0), -array.min(axis=0)).astype(np.float64)

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
    if KINDS[factors.kind].of_picks:
        half, usual = (float(factors.layers[name][0]) for name in ("half_count", "usual_count"))
        sums["factors of a new user"] = (
            (usual + half) / usual * factors.n_movies * largest(factors.layers["given"]).max()
        )
    return next((f"{name} could reach {n:.0e}, which is too large" for name, n in sums.items() if n > _LARGEST), "")


def _id_fault(factors: Factors) -> str:
    for name in IDS:
        ids = getattr(factors, name)
        if ids.dtype != np.int64 and not all(isinstance(value, str) and value for value in ids.tolist()):
            return f"{name} are neither whole numbers nor texts"
        if not is_mapped(ids) and _has_twice(ids):
            return f"{name} has the same id twice"
    for name in TEXTS:
        if not all(isinstance(text, str) for text in getattr(factors, name).tolist()):
            return f"{name} are not texts"
    for name in (*TEXTS, *IDS):
        array = getattr(factors, name)
        if array.dtype != np.int64 and not _is_unicode("".join(array.tolist())):
            return f"{name} have half a character, which no file and no screen can show"
    return ""


def _has_twice(ids: np.ndarray) -> bool:
    """Return whether an id comes twice; of millions no set is made, which would take many times their size."""
    hashes = ids if ids.dtype == np.int64 else id_hashes(ids)
    ordered = np.sort(hashes)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    same = ids[np.isin(hashes, again)].tolist() if len(again) else []
    return len(set(same)) < len(same)


def _is_unicode(text: str) -> bool:
    """Say whether a text has no lone surrogates, which JSON can hold and UTF-8 can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _seen_fault(factors: Factors) -> str:
    offsets, seen = factors.seen_offsets, factors.seen_movies
    if offsets[0] != 0 or offsets[-1] != len(seen):
        return "seen_offsets do not divide seen_movies"
    if is_mapped(seen):
        return ""
    if (offsets[1:] < offsets[:-1]).any():
        return "seen_offsets do not divide seen_movies"
    if len(seen) and (seen.min() < 0 or seen.max() >= factors.n_movies):
        return "seen_movies names movies that the model does not have"
    return ""

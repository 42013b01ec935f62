"""Hashes of ids, pairs and ratings: the same on every machine, in every order of the rows."""

import hashlib
from collections.abc import Iterator

import numpy as np

from cf_excel.ratings.spill import blocks, empty

_HELD_BACK = 2**64 // 5
_MOST_DIGITS = 19  # of 64 bits


def id_hashes(ids: np.ndarray) -> np.ndarray:
    """Return a hash of each canonical id, (n,) uint64: 15 has the same one beside whole numbers and beside texts."""
    if ids.dtype == np.int64:
        return _mixed(ids.view(np.uint64))
    whole = np.array([_is_whole(text) for text in ids.tolist()], bool)
    hashes = np.empty(len(ids), np.uint64)
    hashes[whole] = _mixed(np.array([int(text) for text in ids[whole].tolist()], np.int64).view(np.uint64))
    digests = (hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8) for text in ids[~whole].tolist())
    hashes[~whole] = np.frombuffer(b"".join(digest.digest() for digest in digests), "<u8")
    return hashes


def held_back(
    user_hashes: np.ndarray, movie_hashes: np.ndarray, user_idx: np.ndarray, movie_idx: np.ndarray
) -> np.ndarray:
    """Return which pairs (n,) are of the fifth that the split "hash" holds back: the pair alone decides."""
    is_held = empty(len(user_idx), bool)
    for rows, pairs in _pairs(user_hashes, movie_hashes, user_idx, movie_idx):
        is_held[rows] = pairs < np.uint64(_HELD_BACK)
    return is_held


def content_sums(
    user_hashes: np.ndarray, movie_hashes: np.ndarray, user_idx: np.ndarray, movie_idx: np.ndarray, rating: np.ndarray
) -> np.ndarray:
    """Return three sums, uint64, that any order of the ratings has; those of parts of a table add up to the table's."""
    sums = np.array([len(rating), 0, 0], np.uint64)
    for rows, pairs in _pairs(user_hashes, movie_hashes, user_idx, movie_idx):
        values = rating[rows].astype(np.float32) + np.float32(0)  # -0 is 0
        one = _mixed(_mixed(pairs) ^ values.view(np.uint32).astype(np.uint64))
        sums[1:] += np.array([one.sum(dtype=np.uint64), _mixed(one).sum(dtype=np.uint64)], np.uint64)
    return sums


def digest_of(sums: np.ndarray) -> str:
    """Return what a record says of the sums of all ratings, in hexadecimal."""
    return hashlib.sha256(np.asarray(sums, "<u8").tobytes()).hexdigest()


def _pairs(
    user_hashes: np.ndarray, movie_hashes: np.ndarray, user_idx: np.ndarray, movie_idx: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    for rows in blocks(len(user_idx)):
        yield rows, _mixed(_mixed(user_hashes[user_idx[rows]]) + movie_hashes[movie_idx[rows]])


def _is_whole(text: str) -> bool:
    """Return whether a canonical id is a whole number of 64 bits; beside texts it is written as one."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        return False
    return str(int(text)) == text and -(2**63) <= int(text) < 2**63


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return numbers (n,) uint64 in each of which every bit depends on all of the given one's: SplitMix64."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

"""Titles under which a dropdown finds each movie."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from cf_excel.xlsx.texts import clean_text

_LONGEST = 200  # characters; programs differ in how much of a text they look up, 255 is the least
_LONGEST_ID = 40


def unique_titles(titles: np.ndarray, ids: Sequence[int | str], noun: str = "movie") -> list[str]:
    """Return titles that no two movies share, in any case: those that do, and blank ones, carry the movie's id.

    ids: as cells show them. noun: what a movie is called; under another word an id that is a text needs none.
    """
    names = [
        _shown(title or (identity if isinstance(identity, str) and noun != "movie" else ""), _LONGEST)
        for title, identity in zip(titles.tolist(), ids, strict=True)
    ]
    shared = Counter(map(_folded, names))
    labels = [
        name if name and shared[_folded(name)] == 1 else f"{name or noun} [{_shown(str(identity), _LONGEST_ID)}]"
        for name, identity in zip(names, ids, strict=True)
    ]
    if len(set(map(_folded, labels))) < len(labels):  # a title that looks like another one with its id
        labels = [f"{label} ({row})" for row, label in enumerate(labels, 1)]
    return labels


def shown_genres(genres: str) -> str:
    """Return genres as people read them."""
    return clean_text(genres.replace("|", ", "))


def _shown(text: str, longest: int) -> str:
    # white space first: some of it is of the characters that XML forbids
    return clean_text(" ".join(text.split()))[:longest]


def _folded(name: str) -> str:
    return name.casefold()

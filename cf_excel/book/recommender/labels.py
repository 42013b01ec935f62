"""Titles under which a dropdown finds each movie, and ratings that it offers."""

from collections import Counter

import numpy as np

from cf_excel.book.sheet_cells import clean_text

_LONGEST = 200  # characters; programs differ in how much of a text they look up, 255 is the least


def unique_titles(titles: np.ndarray, ids: np.ndarray) -> list[str]:
    """Return titles that no two movies share, in any case: those that do, and blank ones, carry the movie's id."""
    names = [" ".join(clean_text(title).split())[:_LONGEST] for title in titles.tolist()]
    shared = Counter(map(_folded, names))
    labels = [
        name if name and shared[_folded(name)] == 1 else f"{name or 'movie'} [{identity}]"
        for name, identity in zip(names, ids.tolist(), strict=True)
    ]
    if len(set(map(_folded, labels))) < len(labels):  # a title that looks like another one with its id
        labels = [f"{label} ({row})" for row, label in enumerate(labels, 1)]
    return labels


def shown_genres(genres: str) -> str:
    """Return genres as people read them."""
    return clean_text(genres.replace("|", ", "))


def _folded(name: str) -> str:
    return name.casefold()


def rating_choices(low: float, high: float, most: int = 11) -> list[float]:
    """Return the ratings from low to high in round steps, the smallest that make no more than `most` of them."""
    span = high - low
    if span == 0:
        return [low]
    scale = 10 ** np.floor(np.log10(span / most))
    step = next(scale * size for size in (1, 2, 5, 10, 20, 50) if span / (scale * size) <= most - 1)
    return [*np.round(np.arange(low, high - step / 1000, step), 10).tolist(), high]

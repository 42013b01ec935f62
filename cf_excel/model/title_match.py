"""Match titles and years as others write them to a model's: "The Matrix", 1999, is "Matrix, The (1999)"."""

import re
import unicodedata
from collections.abc import Iterable

import numpy as np

from cf_excel.model.lookup import fold, title_names

UNKNOWN, SEVERAL = -1, -2
_YEARS_APART = 1  # a movie's year is that of its making here, of its showing there
_ARTICLE_IN_FRONT = re.compile(r"^(?:(?:the|an?|l[ea]s?|el|los|il|der|die|das) |l')(?=.)")


class TitleMatcher:
    """Finds movies by title and year, whatever the case, the punctuation, the accents and the place of the article.

    titles (n_movies,): texts, those in brackets count, too. years (n_movies,): 0 unknown.
    """

    def __init__(self, titles: np.ndarray, years: np.ndarray) -> None:
        self._years = years.tolist()
        self._levels: tuple[dict[str, list[int]], ...] = {}, {}
        for row, title in enumerate(titles.tolist()):
            for level, keys in zip(self._levels, _keys(title), strict=True):
                for key in keys:
                    level.setdefault(key, []).append(row)

    def row(self, titles: Iterable[str], year: int = 0) -> int:
        """Return the row of the movie that has one of the titles, the likeliest first, and the year, if it is known.

        Years may be 1 apart. UNKNOWN where no movie is it, SEVERAL where more than one may be.
        """
        found = UNKNOWN
        for title in titles:
            keys = [key for level in _keys(title) for key in level]
            tries = [level.get(key, []) for key in keys for level in self._levels]
            rows = (_only(self._of_year(rows, year, apart)) for apart in range(_YEARS_APART + 1) for rows in tries)
            row = next((row for row in rows if row != UNKNOWN), UNKNOWN)
            if row >= 0:
                return row
            found = min(found, row)
        return found

    def _of_year(self, rows: list[int], year: int, apart: int) -> list[int]:
        """Return the rows that are so many years apart, or else, where 1 may be, those whose year is not known."""
        if not year:
            return rows
        near = [row for row in rows if abs(self._years[row] - year) == apart]
        return near or [row for row in rows if apart and not self._years[row]]


def _only(rows: list[int]) -> int:
    return rows[0] if len(rows) == 1 else SEVERAL if rows else UNKNOWN


def _keys(title: str) -> tuple[list[str], list[str]]:
    """Return what stands for a title: for the whole of it, and for it without an article or a part in brackets."""
    whole, part = title_names(fold(title))
    before = fold(title).partition("(")[0].strip()  # likelier than what is in the brackets
    part |= {_ARTICLE_IN_FRONT.sub("", name) for name in whole | part}
    return _plain(sorted(whole)), _plain([before, *sorted(part)])


def _plain(names: Iterable[str]) -> list[str]:
    """Return letters and digits of folded names, without accents, each once; & is and."""
    texts = (unicodedata.normalize("NFKD", name.replace("&", "and")).casefold() for name in names)
    keys = ("".join(c for c in text if c.isalnum()) for text in texts)
    return [key for key in dict.fromkeys(keys) if key]

"""Find users and movies by raw id, and movies by title."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from cf_excel.errors import InputError, UnknownIdError
from cf_excel.model.mapped import is_mapped, rows_in
from cf_excel.ratings.nouns import plural
from cf_excel.ratings.table import canonical_id

_TABLE_SPAN = 1 << 22  # ids that span more are looked up one by one: a table of int32 would pass 16 MB
_MANY_NAMES = 10_000  # of more, those alone are compared that begin with the same letter
_LIKENESS = 0.7  # difflib's ratio: below it, Heat would be taken for Hamlet
_YEAR = re.compile(r"\s*\(\d{4}\)$")
_ALTERNATIVE = re.compile(r"\s*\((?:a\.k\.a\. )?([^()]*)\)")
_ARTICLE = re.compile(
    r"(.+), (the|an?|l[ea]s?|los|un[ae]?|e[ln]|il|i|gli|lo|d[eaio]|das|der|die|ein|ett?|den|l'|os?|as)$", re.IGNORECASE
)


class IdIndex:
    """Raw ids to rows; kind is what one is called, for messages.

    any_case: whether texts are found in another case, too, as people type them; those of a table are what they are.
    """

    _has_names = False  # beside the ids

    def __init__(self, kind: str, ids: np.ndarray, *, any_case: bool = True) -> None:
        self.kind = kind
        self.ids = ids
        self._any_case = any_case
        self._whole = ids.dtype == np.int64

    def rows(self, ids: object) -> np.ndarray:
        """Return the row of each id, in the shape of ids; -1 where it is unknown. Raises InputError for a blank id."""
        array = _as_array(ids)
        if is_mapped(self.ids):
            return self._mapped_rows(array)
        if self._table is not None and array.dtype.kind in "iu" and array.dtype != np.uint64:
            low, high = self._low, self._low + len(self._table) - 1
            inside = (array >= low) & (array <= high)
            return np.where(inside, self._table[np.where(inside, array, low) - low], -1)
        found = [self._row(value) for value in array.ravel().tolist()]
        return np.array(found, dtype=np.intp).reshape(array.shape)

    def require(self, ids: object, *, with_hint: bool = True) -> np.ndarray:
        """Return the row of each id. Raises UnknownIdError, with the first unknown id and those that come close."""
        rows = self.rows(ids)
        unknown = np.flatnonzero(rows.ravel() < 0)
        if len(unknown):
            value = _as_array(ids).ravel()[unknown[0]]
            close = self.close(value) if with_hint else []
            raise self.unknown(value, did_you_mean(self.ids[close].tolist()))
        return rows

    def unknown(self, value: object, hint: str = "") -> UnknownIdError:
        """Return the error for an id that is not in the model."""
        there = f"{len(self.ids):,} {plural(self.kind)}"
        asked = canonical_id(value)
        if self._whole and isinstance(asked, str) and not self._has_names:
            there += f", numbers such as {self.ids[0]}"
        return UnknownIdError(f"{self.kind} {shown(asked)} is not in the model ({there}){hint}")

    def containing(self, text: str) -> list[int]:
        """Return the rows of the ids that are texts and have every word of a text in them, in any case."""
        words = fold(text).split()
        return [row for name, rows in self._by_name.items() if all(word in name for word in words) for row in rows]

    def close(self, value: object) -> list[int]:
        """Return the rows of up to 3 ids with every word of a text in them, or else of those that look like it."""
        return (self.containing(value) or look_alikes(value, self._by_name))[:3] if isinstance(value, str) else []

    def _mapped_rows(self, array: np.ndarray) -> np.ndarray:
        """Return rows of ids that are on disk, which are looked through for all that are new together."""
        wanted = [canonical_id(value) for value in array.ravel().tolist()]
        new = {value for value in wanted if isinstance(value, int)} - self._found.keys()
        if new:
            values = np.array(sorted(new), np.int64)
            self._found |= zip(values.tolist(), rows_in(self.ids, values).tolist(), strict=True)
        found = [self._found.get(value, -1) if isinstance(value, int) else -1 for value in wanted]
        return np.array(found, np.intp).reshape(array.shape)

    def _row(self, value: object) -> int:
        identity = canonical_id(value)
        row = self._rows.get(identity if self._whole else str(identity), -1)
        if row >= 0 or self._whole or not self._any_case:
            return row
        same = self._by_name.get(fold(str(identity)), [])
        return same[0] if len(same) == 1 else row

    @cached_property
    def _found(self) -> dict[int, int]:
        return {}

    @cached_property
    def _rows(self) -> dict[int | str, int]:
        return {identity: row for row, identity in enumerate(self.ids.tolist())}

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        """Rows by folded id; none where the ids are whole numbers."""
        names: dict[str, list[int]] = {}
        for row, identity in enumerate([] if self._whole else self.ids.tolist()):
            names.setdefault(fold(identity), []).append(row)
        return names

    @cached_property
    def _low(self) -> int:
        return int(self.ids.min())

    @cached_property
    def _table(self) -> np.ndarray | None:
        """Row by id - lowest id, where the ids are whole numbers that lie close enough together."""
        if not self._whole or int(self.ids.max()) - self._low >= _TABLE_SPAN:
            return None
        table = np.full(int(self.ids.max()) - self._low + 1, -1, np.int32)
        table[self.ids - self._low] = np.arange(len(self.ids))
        return table


class TitleIndex:
    """Titles to rows: as they are, then in any case, then without the year and with "The" in front, then in part."""

    def __init__(self, titles: np.ndarray) -> None:
        self.titles = titles

    def rows(self, text: str) -> list[int]:
        """Return the rows of the closest way in which titles match a text: none, one, or several that share it.

        A cell takes an apostrophe in front of what is typed for a mark of a text, and holds the rest.
        """
        for level, names in enumerate(self._levels):
            for form in (text, f"'{text}"):
                rows = names.get(form if level == 0 else fold(form))
                if rows:
                    return rows
        return []

    def containing(self, text: str) -> list[int]:
        """Return the rows of the titles that have every word of a text in them, in any case."""
        words = fold(text).split()
        return [row for row, title in enumerate(self._folded) if all(word in title for word in words)]

    def close(self, text: str) -> list[int]:
        """Return the rows of titles that look like a text, without the year or in part, the nearest first."""
        whole, part = self._levels[2:]
        return look_alikes(text, whole | part)

    @cached_property
    def _folded(self) -> list[str]:
        return [fold(title) for title in self.titles.tolist()]

    @cached_property
    def _levels(self) -> list[dict[str, list[int]]]:
        levels: list[dict[str, list[int]]] = [{} for _ in range(4)]
        for row, (title, folded) in enumerate(zip(self.titles.tolist(), self._folded, strict=True)):
            for level, names in zip(levels, ({title}, {folded}, *title_names(folded)), strict=True):
                for name in names - {""}:
                    level.setdefault(name, []).append(row)
        return levels


class MovieIndex(IdIndex):
    """Movies by raw id or, where none has that id, by title."""

    def __init__(self, kind: str, ids: np.ndarray, titles: np.ndarray) -> None:
        super().__init__(kind, ids)
        self._titles = TitleIndex(titles)
        self._has_names = bool((titles != "").any())

    @cached_property
    def labels(self) -> np.ndarray:
        """The title of each movie, (n_movies,), or its id where it has none."""
        titles = self._titles.titles
        return np.where(titles == "", self.ids.astype(object), titles)

    def rows_of(self, movies: object) -> np.ndarray:
        """Return the row of each movie, in the shape of movies; -1 where none or several have the title."""
        movies = _as_array(movies)
        rows = self.rows(movies)
        if movies.dtype.kind in "iuf":  # no titles, but maybe millions
            return rows
        for position in np.argwhere(rows < 0):
            found = self._titled(movies[tuple(position)])
            if len(found) == 1:
                rows[tuple(position)] = found[0]
        return rows

    def row_of(self, movie: object, n_ratings: np.ndarray | None = None) -> int:
        """Return the row of one movie; the UnknownIdError names those that come close, if n_ratings is given.

        Raises InputError with the candidates where several movies have the title.
        """
        row = int(self.rows(movie))
        rows = [row] if row >= 0 else self._titled(movie)
        if len(rows) > 1:
            named = [cut(f"{self.ids[row]} {self._titles.titles[row]}".strip(), 80) for row in rows[:5]]
            more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
            found = f"{shown(movie)} is {len(rows)} {plural(self.kind)}: {', '.join(named)}{more}"
            raise InputError(f"{found}: give the id or the year")
        if not rows:
            close = [] if n_ratings is None or not isinstance(movie, str) else self._meant(movie, n_ratings)
            raise self.unknown(movie, did_you_mean(self.labels[close].tolist()))
        return rows[0]

    def find(self, text: str, n_ratings: np.ndarray) -> list[int]:
        """Return the rows of the movies whose title or id has every word of a text, the most rated first."""
        found = {*self._titles.containing(text), *self.containing(text)}
        return sorted(sorted(found), key=lambda row: -n_ratings[row])

    def _titled(self, movie: object) -> list[int]:
        return self._titles.rows(movie.strip()) if isinstance(movie, str) else []

    def _meant(self, text: str, n_ratings: np.ndarray) -> list[int]:
        return (self.find(text, n_ratings) or self._titles.close(text) or self.close(text))[:3]


def listed(values: object) -> list:
    """Return one value, or all of an array, a column or any collection, as a list.

    Raises InputError for a table with several columns.
    """
    if len(getattr(values, "columns", ())) > 1:
        raise InputError(f"a {type(values).__name__}: expected one column of it, such as table['userId']")
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes)) and not hasattr(values, "__array__"):
        values = list(values)
    return np.asarray(values, dtype=object).ravel().tolist()


def look_alikes(text: str, rows_by_name: dict[str, list[int]]) -> list[int]:
    """Return the rows of the three folded names that look most like a text; none for a number."""
    folded = fold(text)
    if isinstance(canonical_id(text), int):
        return []
    names: Iterable[str] = rows_by_name
    if len(rows_by_name) > _MANY_NAMES:
        names = [name for name in names if name[:1] == folded[:1]]
    close = difflib.get_close_matches(folded, names, 3, _LIKENESS)
    return list(dict.fromkeys(row for name in close for row in rows_by_name[name]))


def did_you_mean(names: Sequence[int | str]) -> str:
    """Return the end of a message that names what comes close; nothing where nothing does."""
    return f": did you mean {' or '.join(cut(str(name), 80) for name in names)}?" if names else ""


def shown(value: object) -> str:
    """Return a value as a message names it: 60 characters at most, because the message may land in a cell."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists inside each other
        text = f"a very long {type(value).__name__}"
    return cut(text, 60)


def cut(text: str, length: int) -> str:
    """Return a text as it is or, where it is longer, its beginning."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def short_title(title: str, length: int) -> str:
    """Return a title for a picture: without year and alternatives, "The" in front, cut to a length."""
    name = _in_front(_ALTERNATIVE.sub("", _YEAR.sub("", title)).strip()) or title
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


def title_names(title: str) -> tuple[set[str], set[str]]:
    """Return the names of a folded title: whole ones, and those that leave a part of it out.

    "matrix, the (1999)" is wholly "matrix, the", "the matrix" and "the matrix (1999)", and in part "matrix".
    """
    name = _YEAR.sub("", title)
    year = title[len(name) :]
    parts = [_ALTERNATIVE.sub("", name), *_ALTERNATIVE.findall(name)]
    return {name, _in_front(name), _in_front(name) + year}, {
        form for part in parts for form in (part, _in_front(part), _ARTICLE.sub(r"\1", part))
    }


def _in_front(name: str) -> str:
    return _ARTICLE.sub(lambda found: found[2] + ("" if found[2].endswith("'") else " ") + found[1], name)


def fold(text: str) -> str:
    """Return a text as names are compared: whatever the case, the width of letters and the spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _as_array(ids: object) -> np.ndarray:
    """Return ids as an array: int64 where all are whole numbers, though a spreadsheet hands them over as floats."""
    try:
        array = np.asarray(ids)
    except ValueError:
        raise InputError("ids: expected one id, a row, a column or a rectangle of ids") from None
    if array.dtype.kind == "f" and (np.abs(array) < 2**53).all() and (array == np.trunc(array)).all():
        return array.astype(np.int64)
    return array

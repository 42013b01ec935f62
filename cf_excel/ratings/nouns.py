"""What those who rate and what is rated are called: users and movies, customers and products."""

import re
from typing import NamedTuple

from cf_excel.errors import InputError

_LONGEST = 40
_IRREGULAR = {
    **{"person": "people", "kunde": "Kunden", "produkt": "Produkte", "buch": "Bücher"},
    **{"leser": "Leser", "nutzer": "Nutzer", "benutzer": "Benutzer", "artikel": "Artikel", "titel": "Titel"},
}
# in English these are written small within a sentence; Kunde, Produkt, SKU stay as a header has them
_ENGLISH = frozenset(
    (
        "user",
        "customer",
        "client",
        "member",
        "reader",
        "viewer",
        "player",
        "student",
        "person",
        "guest",
        "reviewer",
        "buyer",
        "patient",
        "employee",
        "account",
        "movie",
        "film",
        "product",
        "item",
        "article",
        "artist",
        "album",
        "song",
        "track",
        "book",
        "game",
        "anime",
        "show",
        "series",
        "business",
        "restaurant",
        "recipe",
        "course",
        "place",
        "hotel",
        "store",
        "shop",
        "brand",
        "category",
        "wine",
        "beer",
        "food",
        "dish",
        "drink",
        "app",
    )
)


class Nouns(NamedTuple):
    """What a user and a movie are called, one of them."""

    user: str = "user"
    movie: str = "movie"

    @property
    def users(self) -> str:
        """Several of those who rate."""
        return plural(self.user)

    @property
    def movies(self) -> str:
        """Several of what is rated."""
        return plural(self.movie)

    @property
    def biases(self) -> str:
        """What a prediction by the biases alone is called."""
        return f"{self.user} + {self.movie} bias"


USUAL_NOUNS = Nouns()


def id_headers(nouns: Nouns) -> tuple[str, str]:
    """Return the headers of columns of ids: userId and movieId, or the words of one's own."""
    return ("userId", "movieId") if nouns == USUAL_NOUNS else (nouns.user, nouns.movie)


def plural(noun: str) -> str:
    """Return the plural by English rules, of German words that are usual headers by theirs."""
    lower = noun.lower()
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    if re.search(r"[^aeiou]y$", lower):
        return f"{noun[:-1]}ies"
    if re.search(r"(ss|us|x|z|ch|sh)$", lower):
        return f"{noun}es"
    return noun if lower.endswith("s") else f"{noun}s"


def with_article(noun: str) -> str:
    """Return "a user", "an item"."""
    return f"{'an' if noun[:1].lower() in 'aeio' else 'a'} {noun}"


def capital(text: str) -> str:
    """Return a text with a capital at its beginning, as titles and labels have it; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def in_a_sentence(header: str) -> str:
    """Return the word of a header as it stands in a sentence: customer for Customer; other languages stay."""
    return header.lower() if header.lower() in _ENGLISH else header


def is_noun(text: object) -> bool:
    """Return whether a text can stand for a user or a movie in lines, cells and formulas."""
    return isinstance(text, str) and 0 < len(text.strip()) <= _LONGEST and text.isprintable() and '"' not in text


def check_nouns(nouns: tuple[str, str]) -> Nouns:
    """Return the nouns that a person gave. Raises InputError where they are no two, or one can't be shown."""
    if isinstance(nouns, str) or len(nouns) != 2:
        raise InputError(f"--nouns {nouns!r}: expected two words, such as customer product")
    for noun in nouns:
        if not is_noun(noun):
            raise InputError(f"--nouns {noun[:60]!r}: expected a word, such as customer, {_LONGEST} characters at most")
    if nouns[0].strip() == nouns[1].strip():
        raise InputError(f"--nouns {nouns[0]} {nouns[1]}: expected two different words, such as customer product")
    return Nouns(*(noun.strip() for noun in nouns))

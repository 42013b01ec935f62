"""Find the columns of a table by their names: usual ones in four languages, those that options name, or numbers."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from cf_excel.errors import InputError
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.nouns import in_a_sentence, is_noun

# Usual names of columns as _fold has them, the likeliest first: English, then German, French and Spanish.
USUAL_NAMES = {
    "user": (
        *("userid", "user", "uid", "username", "customerid", "customer", "reviewerid", "reviewer", "memberid"),
        *("member", "clientid", "client", "customername", "customerno", "customernumber", "profileid", "visitorid"),
        *("kundennummer", "kundennr", "kundenid", "kunde", "kundenname", "nutzerid", "nutzer", "benutzer"),
        *("idutilisateur", "utilisateur", "idclient", "idusuario", "usuario", "idcliente", "cliente"),
    ),
    "movie": (
        *("movieid", "itemid", "filmid", "productid", "bookid", "isbn", "asin", "mid", "iid"),
        *("movie", "item", "film", "product", "book"),
        *("sku", "articleid", "articleno", "articlenumber", "article", "artistid", "artist", "businessid", "business"),
        *("gameid", "game", "animeid", "anime", "songid", "song", "trackid", "track", "jokeid", "joke", "recipeid"),
        *("recipe", "productcode", "itemcode"),
        *("artikelnummer", "artikelnr", "artikel", "produktid", "produkt", "buch", "spiel"),
        *("idproduit", "produit", "livre", "jeu", "idproducto", "producto", "articulo", "pelicula", "libro", "juego"),
        *("title", "productname", "itemname", "titel", "titre", "titulo"),
    ),
    "rating": (
        *("rating", "ratings", "score", "stars", "userrating", "grade", "value"),
        *("starrating", "overall", "bookrating", "ratingvalue", "reviewscore", "quantity", "qty", "units", "playcount"),
        *("plays", "purchases", "count", "counts", "clicks", "views", "listens", "listencount", "likes", "liked"),
        *("bewertung", "bewertungen", "sterne", "punkte", "menge", "anzahl"),
        *("evaluation", "etoiles", "avis", "quantite"),
        *("puntuacion", "calificacion", "valoracion", "estrellas", "cantidad", "nota", "note"),
    ),
    "timestamp": (
        *("timestamp", "unixtimestamp", "time", "datetime", "date"),
        *("unixreviewtime", "reviewdate", "ratingdate", "orderdate", "purchasedate", "ratedat", "createdat"),
        *("zeitstempel", "datum", "bestelldatum", "horodatage", "fecha"),
    ),
}
# Of the usual names of ratings those that mean a number of orders, plays, clicks ...
_COUNTS = {"quantity", "qty", "units", "playcount", "plays", "purchases", "count", "counts", "clicks", "views"} | {
    *("listens", "listencount", "likes", "liked", "menge", "anzahl", "quantite", "cantidad")
}
# Numbers that are no ratings, in a table that has none.
_OTHER_NUMBERS = {
    *("id", "index", "row", "no", "nr", "line", "lineno", "position", "order", "orderid", "orderno", "ordernumber"),
    *("invoice", "invoiceid", "invoiceno", "invoicenumber", "transaction", "transactionid", "basket", "basketid"),
    *("session", "sessionid", "price", "unitprice", "amount", "total", "revenue", "cost", "discount", "zip", "zipcode"),
    *("stock", "inventory", "weight", "margin", "bestand", "lagerbestand", "gewicht", "marge", "alter", "edad"),
    *("postcode", "age", "bestellung", "bestellnummer", "rechnung", "rechnungsnummer", "preis", "betrag", "umsatz"),
    *("plz", "prix", "montant", "precio", "importe"),
}
# What may stand beside the ratings in their own table; "name" there may be anybody's.
BESIDE = {
    "title": (
        *("title", "movietitle", "moviename", "movie", "itemname", "productname", "producttitle", "product"),
        *("booktitle", "filmtitle", "film", "item", "description"),
        *("titel", "bezeichnung", "artikelbezeichnung", "titre", "titulo"),
    ),
    "genres": ("genres", "genre", "category", "categories", "kategorie", "kategorien", "categorie", "categoria"),
    "year": ("year", "releaseyear", "releasedate", "jahr", "erscheinungsjahr", "annee", "ano"),
}
# The columns of a table that tells of the movies alone: codes are the likelier ids, and a name alone may be the title.
USUAL_NAMES |= {
    "id": (
        *("movieid", "itemid", "filmid", "productid", "bookid", "isbn", "asin", "id", "sku", "articleid", "articleno"),
        *("articlenumber", "productcode", "itemcode", "artikelnummer", "artikelnr", "produktid", "idproduit"),
        *("idproducto", "movie", "item", *(name for name in USUAL_NAMES["movie"] if name not in BESIDE["title"])),
        *(name for name in USUAL_NAMES["movie"] if name in BESIDE["title"]),
    ),
    "title": ("title", "movietitle", "name", "moviename", "movie", "item", *BESIDE["title"], "artikel", "produkt"),
    "genres": BESIDE["genres"],
    "year": BESIDE["year"],
}
REQUIRED = ("user", "movie", "rating")
MOVIE_COLUMNS = (("id",), ("title", "genres", "year"))
_CANONICAL_NAMES = {"user": "userId", "movie": "movieId", "id": "movieId"}
_ID_WORDS = re.compile(r"[\s_.-]*(ids?|no\.?|nr\.?|numbers?|nummer|codes?|names?)$", re.IGNORECASE)
_NO_NOUNS = {"", "id", "uid", "mid", "iid", "isbn", "asin", "sku", "title", "name", "rowlabels", "columnlabels"}
# What stands behind a name, such as (1-5), and how pivot tables call their numbers.
_EXPLAINED = re.compile(r"\s*([(\[].*[)\]]|\d+\s?(-|–|to|bis|à|a)\s?\d+)?[\s:*]*$")
_AGGREGATE = re.compile(
    r"^(sum of|average of|count of|min of|max of|summe von|mittelwert von|anzahl von|somme de|moyenne de|nombre de"
    r"|suma de|promedio de|cuenta de) ",
    re.IGNORECASE,
)


class NoRatingColumn(InputError):
    """A table has every column that it must have, but that of the ratings."""


class Headed(Protocol):
    """A table as far as its header: the names of its columns, or its first row where has_header is False."""

    @property
    def name(self) -> str: ...
    @property
    def first_record(self) -> list[str]: ...
    @property
    def has_header(self) -> bool: ...


def find_columns(
    table: Headed, required: tuple[str, ...], optional: tuple[str, ...], names: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Return the position of every column by what is in it ("user", "rating", ...), from names or else the usual names.

    Names may be numbers, from 1 on, where the header has no such names or there is none.
    Raises InputError for columns that are missing or twice there, saying what was found and what to pass.
    """
    header, names = table.first_record, names or {}
    kinds = (*required, *optional)
    if not table.has_header:
        found = {kind: i for i, kind in enumerate(required if names else kinds) if i < len(header)}
        found |= {kind: i for kind, wanted in names.items() if (i := _as_position(wanted, header)) is not None}
        missing = [kind for kind in required if kind not in found]
        missing += [kind for kind, wanted in names.items() if _as_position(wanted, header) is None]
    else:
        found, missing = {}, []
        for kind in kinds:
            wanted = names.get(kind)
            matches = _named(header, wanted) if wanted is not None else named_as(header, USUAL_NAMES[kind])
            if len(matches) > 1:
                raise InputError(
                    f"{table.name} has {len(matches)} columns {shorten(header[matches[0]])}: rename all but one"
                )
            if matches:
                found[kind] = matches[0]
            elif wanted is not None or kind in required:
                missing.append(kind)
    if missing:
        is_rating = missing == ["rating"] and "rating" not in names
        raise (NoRatingColumn if is_rating else InputError)(_missing(table, missing, names, set(found.values())))
    if names and len(set(found.values())) < len(found):
        columns = ", ".join(f"{kind} {shorten(header[i])}" for kind, i in found.items())
        raise InputError(f"{table.name}: one column can't be two things ({columns})")
    return found


def columns_beside(header: list[str], taken: set[int]) -> dict[str, int]:
    """Return the positions of the columns of a table of ratings that tell of its movies, as title, genres and year."""
    found: dict[str, int] = {}
    folded = [_fold(name) for name in header]
    for kind, usual in BESIDE.items():
        free = set(range(len(header))) - taken - set(found.values())
        match = next((i for name in usual for i in sorted(free) if folded[i] == name), None)
        if match is not None:
            found[kind] = match
    return found


def named_as(header: Sequence[str], usual: tuple[str, ...]) -> list[int]:
    """Return the positions of the columns that have the likeliest of the usual names that occur."""
    for form in (_fold, lambda name: _fold(_bare(name))):
        folded = [form(name) for name in header]
        for name in usual:
            if name in folded:
                return [i for i, found in enumerate(folded) if found == name]
    return []


def is_usual(name: str, kind: str) -> bool:
    """Return whether a header is a usual name for columns of a kind."""
    return _fold(name) in USUAL_NAMES[kind]


def are_counts_by_name(name: str) -> bool:
    """Return whether a header is a usual name of numbers of orders, plays, clicks ..."""
    return _fold(_bare(name)) in _COUNTS


def may_be_rating(name: str) -> bool:
    """Return whether numbers under a header that is no usual name of ratings may be ratings all the same."""
    kinds = ("user", "movie", "timestamp")
    return not is_other_number(name) and not any(is_usual(name, kind) for kind in kinds)


def is_other_number(name: str) -> bool:
    """Return whether numbers under a header are none of ratings, but prices, ages, numbers of orders ..."""
    return _fold(_bare(name)) in _OTHER_NUMBERS


def are_positions(names: Mapping[str, str]) -> bool:
    """Return whether columns are named by numbers alone."""
    return all(name.strip().isdecimal() for name in names.values())


def noun_of(header: str, default: str) -> str:
    """Return what a column's header calls those whose ids are in it: "customer" for "Customer ID"; else the default."""
    noun = _ID_WORDS.sub("", re.sub(r"(?<=[a-z])(Id|ID)$", "", _bare(header))).strip()
    is_word = is_noun(noun) and any(map(str.isalpha, noun))
    return in_a_sentence(noun) if is_word and _fold(noun) not in _NO_NOUNS else default


@lru_cache(maxsize=10_000)  # where a header is sought, the same cells come again and again
def _fold(name: str) -> str:
    plain = name if name.isascii() else re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name))
    return re.sub(r"[\s_.-]", "", plain.lower())


@lru_cache(maxsize=10_000)
def _bare(name: str) -> str:
    """Return a header in one line, without what explains it: "Rating" for "Average of Rating (1-5):"."""
    plain = _EXPLAINED.sub("", " ".join(name.split()))
    return _AGGREGATE.sub("", plain) or name


def _named(header: list[str], wanted: str) -> list[int]:
    exact = [i for i, name in enumerate(header) if name == wanted.strip()]
    folded = exact or [i for i, name in enumerate(header) if _fold(name) == _fold(wanted)]
    position = _as_position(wanted, header)
    return folded or ([] if position is None else [position])


def _as_position(wanted: str, header: list[str]) -> int | None:
    number = int(wanted) if wanted.strip().isdecimal() and len(wanted) < 6 else 0
    return number - 1 if 1 <= number <= len(header) else None


def _missing(table: Headed, kinds: list[str], names: Mapping[str, str], taken: set[int]) -> str:
    header = table.first_record
    free = [name for i, name in enumerate(header) if i not in taken]
    shown = ", ".join(repr(name)[1:-1][:40] for name in header[:12]) + (", …" if len(header) > 12 else "") or "none"
    item = "movie" if _are_movies(header) else "product"
    usual = _CANONICAL_NAMES if item == "movie" else {"user": "customer", "movie": item}
    wanted = [names.get(kind) or usual.get(kind, kind) for kind in kinds]
    is_clear = len(free) == len(kinds) == 1 and free[0].isprintable() and 0 < len(free[0]) <= 40
    name = free[0] if is_clear else "NAME"
    words = ["item" if (kind, item) == ("movie", "product") else kind for kind in kinds]
    hints = [f'--{word}-column "{name}"' if " " in name else f"--{word}-column {name}" for word in words]
    hint = "rename one" if kinds == ["id"] else f"pass {_listed(hints)}"
    if {"movie", "rating"} <= set(kinds) and len(free) > 1:
        hint += f", or --form grid where every {item} has a column"
    what = f"column{'s' if len(kinds) > 1 else ''} {', '.join(map(shorten, wanted))}"
    return f"{table.name} has no {what} (found: {shown}): {hint}"


def _are_movies(header: list[str]) -> bool:
    """Return whether a header is of users and movies, as far as it says: no customers, Kunden, products ..."""
    folded = [_fold(name) for name in header]
    return not any(
        re.match("customer|client|buyer|member|kunde|product|article|artikel|produ", name) for name in folded
    )


def _listed(texts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))

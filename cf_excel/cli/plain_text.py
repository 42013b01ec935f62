"""Texts that any terminal may show."""

import unicodedata

_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def shown(text: object) -> str:
    """Return a text without the characters that steer a terminal: ids, titles and paths may hold any.

    Those are the controls, halves of characters, what breaks a line and what turns the direction of writing; spaces
    that do not break and the joiners of signs stay.
    """
    plain = str(text)
    return plain if plain.isprintable() else "".join("?" if _steers(c) else c for c in plain)


def size_of(n_bytes: float) -> str:
    """Return how large a file is, for people."""
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.0f} kB"


def _steers(c: str) -> bool:
    return c != "\n" and (unicodedata.category(c) in _CONTROLS or unicodedata.bidirectional(c) in _TURNS)

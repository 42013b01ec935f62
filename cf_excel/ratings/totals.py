"""Tell totals and other sums around a table of ratings from the ratings."""

import re

_TOTAL = re.compile(
    r"(.{1,60}\s)?(sub[\s-]?totals?|grand\s+total|totals?|sums?|average|avg\.?|mean|median|count"
    r"|summe|gesamt|gesamtsumme|gesamtergebnis|zwischensumme|ergebnis|mittelwert|durchschnitt|anzahl|ø|Σ"
    r"|somme|total\s+général|moyenne|effectif|suma|total\s+general|promedio|media|cuenta|min|max)\s*:?",
    re.IGNORECASE,
)


def is_total(text: str) -> bool:
    """Return whether a label is one of a row or a column of totals, such as "Grand Total" or "Ann Summe"."""
    return len(text) < 80 and _TOTAL.fullmatch(text.strip()) is not None

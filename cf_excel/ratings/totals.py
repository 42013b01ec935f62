"""Tell what stands among or around ratings from ratings: totals and other sums, words for no answer."""

import re

_WORD = (
    r"sub[\s-]?totals?|grand\s+total|totals?|sums?|average|avg\.?|mean|median|counts?|std\.?\s?dev\.?|standard\s+deviation"
    r"|summe|gesamt|gesamtsumme|gesamtergebnis|zwischensumme|ergebnis|mittelwert|durchschnitt|anzahl|ø|Σ"
    r"|standardabweichung|somme|total\s+général|moyenne|effectif|écart[\s-]type"
    r"|suma|total\s+general|promedio|media|cuenta|min|max"
)
_NUMBER = r"number|no\.?|nr\.?|#|nombre|nb\.?|número|núm\.?"  # of something
_SUMMED = (
    r"ratings?|scores?|stars|grades?|reviews?|responses?|answers?|votes?|points|orders?|picks?|quantity|units"
    r"|customers?|users?|products?|items?|bewertung(?:en)?|sterne|punkte|antworten|stimmen|menge|kunden|artikel"
    r"|notes?|avis|réponses?|quantité|clients?|articles?|valoraciones|respuestas|cantidad|clientes?|artículos"
)
_TOTAL = re.compile(
    rf"((.{{1,60}}\s)?({_WORD})|({_WORD}|{_NUMBER})\s*(of\s+|der\s+|des\s+|de\s+|d')?({_SUMMED})|n|responses)\s*:?",
    re.IGNORECASE,
)
_NO_ANSWERS = {
    *("n/a", "n.a.", "na", "n/d", "n.d.", "k.a.", "k. a.", "s/o"),
    *("-", "--", "–", "—"),
}


def is_no_answer(text: str) -> bool:
    """Return whether a text says that there is none, as "n/a" and a dash do."""
    return text.strip().casefold() in _NO_ANSWERS


def is_total(text: str) -> bool:
    """Return whether a label is one of a row or a column of totals, such as "Grand Total" or "No. of ratings"."""
    return len(text) < 80 and _TOTAL.fullmatch(text.strip()) is not None

"""Predict the ratings of pairs that a file names."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from cf_excel.model.predictor import Predictor
from cf_excel.ratings.nouns import id_headers
from cf_excel.ratings.pairs import Pairs
from cf_excel.ratings.table import canonical_id
from cf_excel.sheets.answers.answer_table import AnswerTable
from cf_excel.xlsx.texts import headers_apart

_LONGEST_EXAMPLE = 40


def predict_pairs(predictor: Predictor, pairs: Pairs) -> tuple[AnswerTable, str]:
    """Return pairs with their predictions, and what else their file says; and a line on those that have none.

    Predictions are blank, and the line tells of them, where the model does not know user or movie; movies go by title,
    too. Where the kind of model knows it, the standard deviation stands beside.
    """
    factors = predictor.factors
    users, movies = _rows(predictor.user_rows, pairs.users), _rows(predictor.movie_rows, pairs.movies)
    known = (users >= 0) & (movies >= 0)
    columns = {"user_id": _ids(factors.user_ids, users, pairs.users)}
    columns["movie_id"] = _ids(factors.movie_ids, movies, pairs.movies)
    if factors.titles.any():
        columns["title"] = factors.titles[movies]
        columns["title"][movies < 0] = None
    scores = {predictor.kind.score: predictor.predict_rows}
    if predictor.kind.knows_spread:
        scores["standard_deviation"] = predictor.uncertainty_rows
    for name, score in scores.items():
        columns[name] = np.full(len(pairs), np.nan, np.float32)
        columns[name][known] = score(users[known], movies[known])
    headers = list(dict.fromkeys([*columns, *id_headers(factors.nouns), *(name.replace("_", " ") for name in columns)]))
    own = headers_apart([*headers, *(header for header, _ in pairs.own)])[len(headers) :]
    columns |= {name: values for name, (_, values) in zip(own, pairs.own, strict=True)}
    missing = [(users, pairs.users, factors.nouns.user), (movies, pairs.movies, factors.nouns.movie)]
    told = [_told(texts[rows < 0].tolist(), noun) for rows, texts, noun in missing if (rows < 0).any()]
    n = np.count_nonzero(~known)
    line = f"{n:,} of {len(pairs):,} pairs without a prediction: {', '.join(told)}" if n else ""
    return AnswerTable("predictions", columns, factors.nouns, frozenset(own)), line


def _rows(find: Callable[[np.ndarray], np.ndarray], texts: np.ndarray) -> np.ndarray:
    """Return the row in the model of each text, -1 for a blank and for what it does not know."""
    places, distinct = pd.factorize(texts)
    rows = np.full(len(distinct), -1)
    rows[distinct != ""] = find(distinct[distinct != ""])
    return rows[places]


def _ids(ids: np.ndarray, rows: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Return ids as the model has them and, where it has none, as a file has."""
    found = ids[rows].astype(object)
    found[rows < 0] = [canonical_id(text) if text else None for text in texts[rows < 0].tolist()]
    return found.astype(np.int64) if all(isinstance(identity, int) for identity in found.tolist()) else found


def _told(texts: list[str], noun: str) -> str:
    example = next(filter(None, texts), "")
    such_as = f", such as {example[:_LONGEST_EXAMPLE]}" if example else ", all blank"
    return f"{len(texts):,} with an unknown {noun}{such_as}"

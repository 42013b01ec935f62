"""Choose what the lists of a table rank by: the list score, or the predicted rating alone.

The score asks who rated what. That tells much where people choose what they rate, such as what they bought, and nothing
where the blanks are random, such as where everybody was asked about some of everything: there it blurs the order.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cf_excel.learn.list_fit import fit_lists
from cf_excel.learn.list_measures import find_hits, list_movies
from cf_excel.metrics import ndcgs
from cf_excel.model.factors import Factors
from cf_excel.model.lists import ListFactors
from cf_excel.model.row_scores import RowScores
from cf_excel.ratings.table import Ratings

_GOOD = 2 / 3  # of the rating range: from there on a list is to hold what was held out
_NONE = np.empty(0, np.int64)


def lists_of_table(ratings: Ratings, folds: Iterable[tuple[np.ndarray, Ratings, Factors]]) -> ListFactors | None:
    """Return what the lists of a table rank by, None for the predicted rating.

    folds: rows that were held out, the ratings without them, and the model of these. The score ranks where its lists
    find the good ones of the rows better, in NDCG@10 of the users, by more than a standard error.
    """
    gains = np.concatenate([_NONE, *(_gains(*_good(ratings, rows), table, factors) for rows, table, factors in folds)])
    if len(gains) < 2 or gains.mean() <= gains.std(ddof=1) / np.sqrt(len(gains)):
        return None
    return fit_lists(ratings, _NONE)


def _good(ratings: Ratings, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the users and movies of those of the rows that have a good rating."""
    low, high = ratings.rating_range
    good = rows[ratings.rating[rows] >= low + (high - low) * _GOOD]
    return ratings.user_idx[good], ratings.movie_idx[good]


def _gains(users: np.ndarray, movies: np.ndarray, training: Ratings, factors: Factors) -> np.ndarray:
    """Return by how much the NDCG of each of the users is higher by the score than by the rating."""
    asked = np.unique(users)
    if not len(asked):
        return np.empty(0)
    known = training.user_idx, training.movie_idx

    def found(model: Factors) -> np.ndarray:
        listed = list_movies(lambda rows: RowScores(model).of_lists(rows)[0], asked, known, factors.n_movies)
        return ndcgs(*find_hits(asked, listed, (users, movies), factors.n_movies))

    return found(replace(factors, lists=fit_lists(training, _NONE))) - found(factors)

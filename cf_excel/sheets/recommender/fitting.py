"""How much of a model one workbook takes."""

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.shrink import keep_movies, keep_users
from cf_excel.ratings.table import most_rated
from cf_excel.xlsx.cells import MAX_ROWS

MOST_NUMBERS = 4_000_000  # of users and movies in a file: 3.4 million made 29 MB, which LibreOffice opened in 9 s


def fit_to_sheets(factors: Factors, *, with_ratings: bool) -> Factors:
    """Return what a file holds of a model: the most rated movies and the most active users that fit, all where they do.

    Both take up to half of MOST_NUMBERS, or what the other leaves; users are left out, too, where their ratings pass
    the rows of a sheet.
    """
    n_users, n_movies = factors.n_users, factors.n_movies
    n_numbers = factors.n_factors + (0 if factors.lists is None else 2 * factors.lists.given.shape[1])
    most_rows = min(MAX_ROWS - 1, max(1, MOST_NUMBERS // n_numbers))
    fit_movies = min(n_movies, max(most_rows // 2, most_rows - n_users), MAX_ROWS - 1)
    if fit_movies < n_movies:
        factors = keep_movies(factors, fit_movies)
    fit_users = min(n_users, max(1, most_rows - fit_movies))
    if with_ratings:
        counts = factors.n_seen
        total = np.cumsum(counts[most_rated(counts, factors.user_ids)])
        fit_users = min(fit_users, max(1, int(np.searchsorted(total, MAX_ROWS - 1, side="right"))))
    return keep_users(factors, fit_users) if fit_users < n_users else factors

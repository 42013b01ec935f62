"""Fit copies of a table, each without other cells, as one table: small tables are all overhead."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import block_diag

from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, Rows, fit_bayes
from cf_excel.learn.bayes.features import FeatureBlock
from cf_excel.ratings.table import Ratings


def fit_each(
    ratings: Ratings,
    held_out: Sequence[np.ndarray],
    settings: BayesSettings,
    user_blocks: Sequence[FeatureBlock] = (),
    movie_blocks: Sequence[FeatureBlock] = (),
) -> list[BayesFit]:
    """Return the fits to copies that each lack some rows; val_predictions are for those that the copy lacks.

    held_out: the rows that each copy lacks, rising. The blocks are all there are: those of the ratings do not count.
    The fits are one: users, items and features of every copy are others. Each copy is centred on the mean of its own
    training ratings, so that nothing but the scale and the noise is common.
    """
    n, n_users, n_movies, n_copies = len(ratings), ratings.n_users, ratings.n_movies, len(held_out)
    means = [float(np.delete(ratings.rating, rows).mean(dtype=np.float64)) for rows in held_out]
    copies = np.repeat(np.arange(n_copies), n)
    stacked = replace(
        ratings,
        user_ids=np.arange(n_copies * n_users),
        movie_ids=np.arange(n_copies * n_movies),
        user_idx=(np.tile(ratings.user_idx, n_copies) + copies * n_users).astype(np.int32),
        movie_idx=(np.tile(ratings.movie_idx, n_copies) + copies * n_movies).astype(np.int32),
        rating=np.concatenate([ratings.rating - mean for mean in means]).astype(np.float32),
        timestamp=None,
        titles=np.tile(ratings.titles, n_copies),
        years=np.zeros(n_copies * n_movies, np.int16),
        genres=np.full(n_copies * n_movies, "", object),
        declared_range=(-np.inf, np.inf),
    )
    rows = np.concatenate([rows + copy * n for copy, rows in enumerate(held_out)])
    users, movies = ([_repeated(block, n_copies) for block in blocks] for blocks in (user_blocks, movie_blocks))
    fit = fit_bayes(stacked, rows, settings, user_blocks=users, more_movie_blocks=movies, n_copies=n_copies)
    fits, ends = [], np.cumsum([len(rows) for rows in held_out])[:-1]
    for copy, (mean, predictions) in enumerate(zip(means, np.split(fit.val_predictions, ends), strict=True)):
        own_users, own_movies = (slice(copy * n, (copy + 1) * n) for n in (n_users, n_movies))
        fits.append(
            replace(
                fit,
                global_mean=mean + fit.global_mean,
                rating_range=ratings.rating_range,
                users=Rows(fit.users.mean[own_users], fit.users.variance[own_users]),
                movies=Rows(fit.movies.mean[own_movies], fit.movies.variance[own_movies]),
                noise_variance=fit.noise_variance[own_users],
                val_rows=np.empty(0, np.int64),
                val_predictions=np.clip(predictions.astype(np.float64) + mean, *ratings.rating_range),
            )
        )
    return fits


def _repeated(block: FeatureBlock, n: int) -> FeatureBlock:
    return block if n == 1 else block._replace(matrix=block_diag([block.matrix] * n, format="csr"))

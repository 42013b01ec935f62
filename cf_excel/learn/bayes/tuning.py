"""Choose the priors of the model for the ratings at hand, by the error on ratings held out of those to train on.

The usual precisions were found on MovieLens; elsewhere others serve better (see search.py).
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cf_excel.learn.bayes.calibration import with_spread
from cf_excel.learn.bayes.comm import ALONE, Comm, shared_work
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.features import FeatureBlock, movie_blocks
from cf_excel.learn.bayes.search import LEAST_GAIN, MANY_RATINGS, OFF, ORDER, SIZES, Search, drawn
from cf_excel.learn.progress import Progress
from cf_excel.ratings.spill import all_but, all_finite, rows_of
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import row_numbers

_COLUMNS = ("user_idx", "movie_idx", "rating")
LEAST_RATINGS = 10  # fewer tell nothing of how good a fit is


class Tuned(NamedTuple):
    """Settings that suit the ratings, and what was chosen: a kind of precision to what multiplies it, and the sizes.

    What is not in `chosen` is as usual; where features are of no use, content is OFF, and the settings leave them out.
    None where nothing could be held out to choose by. spread: what multiplies the variances of the fit, so that they
    tell how far off predictions were on what was held out.
    """

    settings: BayesSettings
    chosen: dict[str, float] | None
    spread: float = 1.0


def fit_tuned(
    ratings: Ratings,
    val_rows: np.ndarray,
    settings: BayesSettings | None = None,
    *,
    user_blocks: list[FeatureBlock] | None = None,
    more_movie_blocks: list[FeatureBlock] | None = None,
    progress: Progress | None = None,
    keep: Collection[str] = (),
    row: np.ndarray | None = None,
    comm: Comm = ALONE,
    checkpoint: Path | None = None,
) -> BayesFit:
    """Fit the model as fit_bayes does, with precisions that are chosen by the training ratings alone.

    Where these are few, n_factors and iterations are chosen, too, but for those that keep names. The same ratings and
    seed give the same choice. Ctrl-C while it chooses raises KeyboardInterrupt. comm: processes that share the fit of
    more than FEW_RATINGS; row: the numbers of a RatingsPart, for these to choose as one would. Raises InputError as
    fit_bayes does.
    """
    settings = settings or BayesSettings()
    val_rows = row_numbers(val_rows, len(ratings))
    n = int(comm.total(len(ratings) - len(val_rows)))
    of_all = [_training(ratings, val_rows, settings.seed, row, comm)]
    tuned = shared_work(comm, lambda: tune(of_all.pop(), settings, user_blocks, more_movie_blocks, keep, n))
    found = fit_bayes(
        ratings,
        val_rows,
        tuned.settings,
        user_blocks=user_blocks,
        more_movie_blocks=more_movie_blocks,
        progress=progress,
        comm=comm,
        checkpoint=checkpoint,
    )
    return replace(with_spread(found, tuned.spread), chosen=tuned.chosen)


def tune(
    ratings: Ratings,
    settings: BayesSettings,
    user_blocks: list[FeatureBlock] | None = None,
    more_movie_blocks: list[FeatureBlock] | None = None,
    keep: Collection[str] = (),
    n_ratings: int | None = None,
) -> Tuned:
    """Return what suits all of the ratings, as fit_tuned fits it. Raises as that does.

    n_ratings: how many there are in all, where these are those of some users.
    """
    users = list(user_blocks or []) if settings.use_content else []
    movies = [*movie_blocks(ratings), *(more_movie_blocks or [])] if settings.use_content else []
    if not can_hold_out(ratings, n_ratings):
        return Tuned(settings, None)
    search = _searched(ratings, settings, users, movies, keep)
    search.do_without_patterns()
    drawn = None if settings.device == "cuda" or {*SIZES, "draws"} & {*keep} else search.draws()
    has_time = len(search.folds) > 1  # so small a table that more iterations are tried where draws are better, too
    if drawn is None or has_time or not search.take(drawn, surely=True):
        search.climb_all(SIZES, keep)
        if drawn is not None:
            search.take(drawn)
    return Tuned(*search.result(settings, keep))


def _searched(
    ratings: Ratings,
    settings: BayesSettings,
    users: list[FeatureBlock],
    movies: list[FeatureBlock],
    keep: Collection[str],
) -> Search:
    """Return the best search, with features or without: of a small table both go on, unless one starts much better."""
    searches = [Search(ratings, settings, users, movies)]
    if searches[0].is_small and (users or movies):
        searches.append(Search(ratings, settings, [], []))
        searches[1].best = searches[1].best._replace(chosen={"content": OFF} | searches[1].chosen)
        for one, other in (searches, searches[::-1]):
            if one.is_surely_better(other):
                searches = [one]
                break
    for search in searches:
        search.climb_all(ORDER, keep)
    worth_it = searches[0].best.error * (1 + LEAST_GAIN["content"])
    return searches[-1] if searches[-1].best.error <= worth_it else searches[0]


def can_hold_out(ratings: Ratings, n_ratings: int | None = None) -> bool:
    """Say whether ratings that are held out tell how good a fit is; n_ratings: as of tune."""
    n = len(ratings) if n_ratings is None else n_ratings
    if n < LEAST_RATINGS or n in (ratings.n_users, ratings.n_movies) or not all_finite(ratings.rating):
        return False
    return bool(np.ptp(ratings.rating) > 0)


def _rows_of(ratings: Ratings, rows: np.ndarray) -> Ratings:
    parts: dict[str, Any] = {name: rows_of(getattr(ratings, name), rows) for name in _COLUMNS}
    return replace(ratings, **parts, timestamp=None, declared_range=ratings.rating_range)


def _training(ratings: Ratings, val_rows: np.ndarray, seed: int, row: np.ndarray | None, comm: Comm) -> Ratings:
    """Return the ratings to train on: of several processes those of some users, on rank 0.

    They are more than a Search draws, and those that it draws of all are among them.
    """
    is_training = all_but(val_rows, len(ratings))
    ratings = _rows_of(ratings, is_training)
    if row is None or comm.size == 1:
        return ratings
    row = row[is_training]
    counts = comm.total(np.bincount(ratings.user_idx, minlength=ratings.n_users))
    is_drawn = drawn(counts, np.random.default_rng(seed), 2 * MANY_RATINGS)[ratings.user_idx]
    columns = {name: getattr(ratings, name)[is_drawn] for name in _COLUMNS}
    everyones = {name: comm.collect(values) for name, values in (columns | {"row": row[is_drawn]}).items()}
    if comm.rank:
        return ratings
    found = {name: np.concatenate(parts) for name, parts in everyones.items()}
    order = np.argsort(found.pop("row"))
    in_order: dict[str, Any] = {name: values[order] for name, values in found.items()}
    return replace(ratings, **in_order)

"""Fit a table of ratings of any size, and say how good that is on cells that were held out.

Small tables are all overhead, so that a table and its copies, each without the cells of a fold, are fitted as one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cf_excel.learn.baselines import SHRINK, bias_baseline, fit_biases, mean_baseline
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.calibration import spread_of, with_spread
from cf_excel.learn.bayes.copies import fit_each
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, Rows
from cf_excel.learn.bayes.features import movie_blocks
from cf_excel.learn.bayes.precisions import RATINGS_ALONE, WITH_CONTENT
from cf_excel.learn.bayes.search import OFF
from cf_excel.learn.bayes.tuning import LEAST_RATINGS, can_hold_out, tune
from cf_excel.learn.table_lists import lists_of_table
from cf_excel.metrics import rmse
from cf_excel.model.factors import Factors
from cf_excel.ratings.table import Ratings, as_written
from cf_excel.ratings.validation import without

_N_FOLDS = 5
_MANY_RATINGS = 10_000  # one fifth is enough to hold out
_SMALL = BayesSettings(n_factors=5, cg_steps=1)
_SMALL_CELLS = 250_000  # users x items
# what multiplies the usual precisions: the second is for a plain structure in which who rated what says nothing, the
# third for few ratings, too few to tell who is harsh and what is good
_CANDIDATES: tuple[dict[str, float], ...] = (
    {},
    {"factors": 1 / 32, "sets": OFF},
    {"factors": 1 / 32, "sets": OFF, "biases": OFF},
)
_FEW_RATINGS = 500
_SEED = 1  # of the choice; the folds are another draw
_SURE = 2.0  # standard errors


@dataclass(frozen=True, eq=False)
class TableFit:
    """Factors that were learnt from all ratings of a table, and how good such factors are on cells held out.

    factors: of kind bayes; where they are no better than the mean or the biases of users and items, the better of both.
    rmse, mean_rmse, bias_rmse: in rating units, over n_held_out cells, each predicted from a table without it: of the
    model, of the mean, of the mean with biases of user and item; NaN where nothing can be held out. sureness: by how
    many standard errors the model's squared error is below that of the better of both others, negative where it is
    above. nouns: what the table calls a user and an item. same: the one rating that all are, or None.
    """

    factors: Factors
    n_ratings: int
    n_held_out: int
    rmse: float
    mean_rmse: float
    bias_rmse: float
    sureness: float
    nouns: tuple[str, str]
    same: float | None

    @property
    def is_better(self) -> bool:
        """Whether the model beats the mean and the biases on the cells held out."""
        return self.rmse < min(self.mean_rmse, self.bias_rmse)

    @property
    def verdict(self) -> str:
        """What that means, in one sentence."""
        user, item = self.nouns
        if self.same is not None:
            return f"nothing can be learnt: every rating is {self.same:g}"
        if not self.n_held_out:
            return (
                f"too little to learn from: expected {LEAST_RATINGS} ratings, some of one {user} and some of one {item}"
            )
        if self.is_better:
            how = f"better than the mean ({self.mean_rmse:.2f}) and the biases of {user} and {item}"
            chance = "" if self.sureness > _SURE else "; that may be chance"
            return f"off by {self.rmse:.2f} on ratings held out, {how} ({self.bias_rmse:.2f}){chance}"
        better, error = ("mean", self.mean_rmse)
        if self.bias_rmse <= self.mean_rmse:
            better, error = f"biases of {user} and {item}", self.bias_rmse
        return f"no pattern was found: off by {self.rmse:.2f} on ratings held out, the {better} by {error:.2f}"


def fit_table(ratings: Ratings) -> TableFit:
    """Learn factors of kind bayes from all ratings, and measure them on cells held out; the same table, the same fit.

    Up to 10,000 ratings each is held out once, in five folds; of more a fifth is. What suits a small table, and what
    lists rank by, is chosen by what was held out. Raises InputError as fit_bayes does.
    """
    folds = _folds(ratings)
    copies = _fit_copies(ratings, folds)
    predictions = np.concatenate([copy.val_predictions for copy in copies])
    tables = [ratings, *(without(ratings, rows) for rows in folds)]
    held_out = np.concatenate(folds) if folds else np.empty(0, np.int64)
    truth = ratings.rating[held_out]
    own, mean, biases, sureness = np.nan, np.nan, np.nan, 0.0
    if folds:
        baselines = [_held_out(baseline, ratings, folds) for baseline in (mean_baseline, bias_baseline)]
        own, mean, biases = (rmse(found, truth) for found in (predictions, *baselines))
        sureness = min(_sureness(predictions, other, truth) for other in baselines)
        if own >= min(mean, biases):
            plain = _the_mean if mean < biases else _biases_alone
            copies = [plain(copy, table, min(mean, biases)) for copy, table in zip(copies, tables, strict=True)]
        else:
            copies[0] = with_spread(copies[0], spread_of(copies[1:], ratings, folds))
    same = float(as_written(ratings.rating[:1])[0]) if np.ptp(ratings.rating) == 0 else None
    factors, *of_folds = (bayes_to_factors(copy, table, "none") for copy, table in zip(copies, tables, strict=True))
    lists = lists_of_table(ratings, zip(folds, tables[1:], of_folds, strict=True))
    return TableFit(
        replace(factors, lists=lists), len(ratings), len(held_out), own, mean, biases, sureness, ratings.nouns, same
    )


def _held_out(baseline: Callable[[Ratings, np.ndarray], np.ndarray], ratings: Ratings, folds: list) -> np.ndarray:
    predictions = np.concatenate([baseline(ratings, fold) for fold in folds])
    return np.clip(predictions, *ratings.rating_range)


def _folds(ratings: Ratings) -> list[np.ndarray]:
    """Return rows to hold out, in parts whose rows rise; none where that would tell nothing."""
    n = len(ratings)
    if not can_hold_out(ratings):
        return []
    parts = np.array_split(np.random.default_rng(0).permutation(n), _N_FOLDS)
    return [np.sort(part) for part in (parts if n <= _MANY_RATINGS else parts[:1])]


def _fit_copies(ratings: Ratings, folds: list[np.ndarray]) -> list[BayesFit]:
    """Return fits to all ratings and to those without each fold, with the settings that suit the table.

    There is no time to search for those of a small table, which a cell fits: the best of a few is taken.
    """
    held_out = [np.empty(0, np.int64), *folds]
    blocks = movie_blocks(ratings)
    if ratings.n_users * ratings.n_movies > _SMALL_CELLS:
        tuned = tune(ratings, BayesSettings(seed=_SEED), keep=("draws",))  # of all folds they take too long
        fits = fit_each(ratings, held_out, tuned.settings, movie_blocks=blocks if tuned.settings.use_content else [])
        return [replace(fits[0], chosen=tuned.chosen), *fits[1:]]
    usual = WITH_CONTENT if blocks else RATINGS_ALONE
    truth = [ratings.rating[rows] for rows in folds]
    found = []
    n_tried = 1 if not folds else 3 if len(ratings) <= _FEW_RATINGS else 2
    for chosen in _CANDIDATES[:n_tried]:
        settings = replace(_SMALL, precisions=usual.scaled(**chosen))
        fits = fit_each(ratings, held_out, settings, movie_blocks=blocks)
        squared = [np.square(fit.val_predictions - true).sum() for fit, true in zip(fits[1:], truth, strict=True)]
        found.append((float(sum(squared)), [replace(fits[0], chosen=chosen), *fits[1:]]))
    return min(found, key=lambda one: one[0])[1]


def _the_mean(fit: BayesFit, ratings: Ratings, error: float) -> BayesFit:
    """Return a fit whose predictions are the mean, which is off by an RMSE."""
    mean = float(ratings.rating.mean(dtype=np.float64))
    nothing = [np.zeros(n) for n in (ratings.n_users, ratings.n_movies)]
    return _of_biases(fit, mean, nothing, nothing, error)


def _biases_alone(fit: BayesFit, ratings: Ratings, error: float) -> BayesFit:
    """Return a fit whose predictions are the mean and the biases, which are off by an RMSE."""
    mean, *biases = fit_biases(ratings.user_idx, ratings.movie_idx, ratings.rating, ratings.n_users, ratings.n_movies)
    counts = (
        np.bincount(idx, minlength=len(bias))
        for idx, bias in zip((ratings.user_idx, ratings.movie_idx), biases, strict=True)
    )
    return _of_biases(fit, mean, biases, [error**2 / (n + SHRINK) for n in counts], error)


def _of_biases(
    fit: BayesFit, mean: float, biases: Sequence[np.ndarray], variances: Sequence[np.ndarray], error: float
) -> BayesFit:
    rows = []
    for bias, variance in zip(biases, variances, strict=True):
        both = np.zeros((2, len(bias), fit.settings.n_factors + 1), np.float32)
        both[0, :, -1], both[1, :, -1] = bias, variance
        rows.append(Rows(*both))
    noise = np.full(len(biases[0]), error**2, np.float32)
    return replace(fit, global_mean=mean, users=rows[0], movies=rows[1], noise_variance=noise)


def _sureness(predictions: np.ndarray, others: np.ndarray, truth: np.ndarray) -> float:
    """Return by how many standard errors predictions are better than others, in squared error."""
    gains = np.square(others - truth) - np.square(predictions - truth)
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    return float(gains.mean() / error) if error > 0 else 0.0

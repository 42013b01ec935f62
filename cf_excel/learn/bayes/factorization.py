"""Variational Bayes matrix factorization with features of users and movies, and fixed precisions.

A rating is global_mean + user_bias + movie_bias + p.q + noise. Every row of numbers (p and the bias, q and the bias)
is normal around what its features predict: content, and the set of what it rated or who rated it. The posterior is
taken to be independent between rows, and users and movies take turns (Lim & Teh 2007, "Variational Bayesian approach
to movie rating prediction"; features as in Porteous, Asuncion & Welling 2010; the rated set as in Koren 2008, SVD++).
"""

import math
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_array

from cf_excel.errors import InputError
from cf_excel.learn.bayes.arrays import Array, arrays_on
from cf_excel.learn.bayes.features import FeatureBlock, movie_blocks, stack
from cf_excel.learn.bayes.precisions import RATINGS_ALONE, WITH_CONTENT, Precisions
from cf_excel.learn.bayes.sampling import Average, averaged
from cf_excel.learn.bayes.sides import Design, Side
from cf_excel.learn.progress import Epoch, History, Progress, interruptible
from cf_excel.metrics import mae, mse
from cf_excel.model.kinds import KINDS
from cf_excel.ratings.nouns import with_article
from cf_excel.ratings.table import Ratings, row_numbers

USUAL_STD = 1.0575  # of the ratings for which the precisions were found; others are scaled to it
USUAL_NOISE = 0.6  # expected squared error there; where it is lower, a rating counts for more
SMALLEST_SCALE = 1e-15  # of the ratings; precisions grow with its square and must stay finite
SMALLEST_NOISE = 1e-4  # variance on that scale: ratings without any error would get an infinite weight
START_STD = 0.3
NO_FACTORS = 1e5  # with so strict a precision factors start at 0 and stay there: float32 could not bring them back
MAX_FACTORS = 256
MAX_ITERATIONS = 1000
_CHUNK = 1 << 20  # ratings predicted at a time
_SETS = {"user": "rated", "movie": "raters"}  # whose weights the precisions of that name are for


@dataclass(frozen=True)
class BayesSettings:
    """How to fit: the number of factors and of iterations, the seed, the device, and the precisions.

    noise_prior: as how many ratings the common noise counts against a user's own. cg_steps: conjugate-gradient steps
    for the weights in an iteration. use_content: take genres, years and tables, not only ratings. precisions: None
    takes WITH_CONTENT where movies have content, else RATINGS_ALONE. most_alpha: what the precision of a rating, which
    grows as the error falls, may grow to, in 1 / squared rating units. draws: after the iterations, average so many
    draws from the posterior (see sampling.py), 0 for none. device: "cpu", or without draws "cuda" or "auto", see
    arrays_on.
    Raises InputError for values that can't work.
    """

    n_factors: int = KINDS["bayes"].n_factors
    iterations: int = 8
    seed: int = 0
    device: str = "auto"
    noise_prior: float = 60.0
    cg_steps: int = 3
    use_content: bool = True
    precisions: Precisions | None = None
    most_alpha: float | None = None
    draws: int = 0
    kind: str = "bayes"

    def __post_init__(self) -> None:
        for name, value, most in (
            ("factors", self.n_factors, MAX_FACTORS),
            ("epochs", self.iterations, MAX_ITERATIONS),
            ("conjugate-gradient steps", self.cg_steps, MAX_ITERATIONS),
        ):
            if not 1 <= value <= most:
                raise InputError(f"{name} {value}: expected 1 to {most:,}")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed {self.seed}: expected a whole number from 0 to {2**63 - 1}")
        if self.draws and self.device == "cuda":
            raise InputError("draws on cuda: expected device cpu")
        arrays_on(self.device)  # refuses a device that is not there before anything is read


@dataclass(frozen=True, eq=False)
class Rows:
    """The posterior of users or movies in rating units: mean and variance (n, n_factors + 1), the bias last."""

    mean: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True, eq=False)
class BayesFit:
    """A fitted model, in rating units; val_predictions (n_val,) are for val_rows, in rising order.

    alpha: the precision of a new user's rating. noise_variance (n_users,): of each user's ratings.
    rating_range: that of the whole table, where predictions are cut off. features: names of the blocks that were used.
    chosen: by what precisions and sizes were changed to suit the ratings (see tuning.Tuned), None where nothing was.
    """

    settings: BayesSettings
    global_mean: float
    alpha: float
    rating_range: tuple[float, float]
    users: Rows
    movies: Rows
    noise_variance: np.ndarray
    features: list[str]
    val_rows: np.ndarray
    history: History = field(default_factory=History)
    val_predictions: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    chosen: dict[str, float] | None = None


def fit_bayes(
    ratings: Ratings,
    val_rows: np.ndarray,
    settings: BayesSettings | None = None,
    *,
    user_blocks: list[FeatureBlock] | None = None,
    more_movie_blocks: list[FeatureBlock] | None = None,
    progress: Progress | None = None,
    n_copies: int = 1,
) -> BayesFit:
    """Fit the model to all ratings but the validation rows, whose labels are looked at for the history alone.

    user_blocks, more_movie_blocks: features besides the genres and years that the ratings have. n_copies: so many
    tables of one size are stacked (see copies.py). Ctrl-C ends the fit after the iteration or draw and keeps what it
    learnt. The same seed gives the same numbers on a CPU.
    Raises InputError where no rating is left to train on and for ratings that are not finite.
    """
    settings = settings or BayesSettings()
    progress = progress or Progress()
    val_rows = row_numbers(val_rows, len(ratings))
    movies = [*movie_blocks(ratings), *(more_movie_blocks or [])] if settings.use_content else []
    users = list(user_blocks or []) if settings.use_content else []
    model = _Model(ratings, val_rows, settings, users, movies)
    history = History()
    progress.begin(settings.iterations + (settings.draws > 0), 1, model.n)
    with interruptible() as interrupted:
        for number in range(1, settings.iterations + 1):
            start = time.perf_counter()
            train_loss = model.iterate()
            predictions = model.predict_validation()
            epoch = _epoch(number, train_loss, predictions, ratings.rating[val_rows], time.perf_counter() - start)
            history.epochs.append(epoch)
            progress.batches(number, train_loss)
            progress.epoch(epoch)
            if interrupted.is_set() and number < settings.iterations:
                history.stopped = f"iteration {number} of {settings.iterations}"
                progress.stopped(history.stopped)
                break
        if settings.draws and not history.stopped:
            start = time.perf_counter()
            n_drawn, train_loss = model.draw(n_copies, interrupted.is_set)
            predictions = model.predict_validation()
            epoch = _epoch(number + 1, train_loss, predictions, ratings.rating[val_rows], time.perf_counter() - start)
            history.epochs.append(epoch)
            progress.epoch(epoch)
            if n_drawn < settings.draws:
                history.stopped = f"draw {n_drawn} of {settings.draws}"
                progress.stopped(history.stopped)
    return model.result([block.name for block in (*users, *movies)], history, predictions)


def _epoch(number: int, train_loss: float, predictions: np.ndarray, truth: np.ndarray, seconds: float) -> Epoch:
    errors = (mse(predictions, truth), mae(predictions, truth)) if len(truth) else (math.nan, math.nan)
    return Epoch(number, train_loss, errors[0], errors[1:], seconds)


class _Model:
    """The state of a fit: ratings on the usual scale, both sides, and the precision of every user's ratings."""

    def __init__(
        self,
        ratings: Ratings,
        val_rows: np.ndarray,
        settings: BayesSettings,
        users: list[FeatureBlock],
        movies: list[FeatureBlock],
    ) -> None:
        self.ratings, self.val_rows = ratings, val_rows
        self.precisions = settings.precisions or (WITH_CONTENT if movies else RATINGS_ALONE)
        self.settings = replace(settings, precisions=self.precisions)
        self.arrays = arrays_on(settings.device, len(ratings))
        self.val_pairs = [
            self.arrays.dense(idx[val_rows].astype(np.int64)) for idx in (ratings.user_idx, ratings.movie_idx)
        ]
        is_training = np.ones(len(ratings), bool)
        is_training[val_rows] = False
        rating = ratings.rating[is_training].astype(np.float64)
        self.n = len(rating)
        if not self.n:
            raise InputError(f"no rating is left to train on: {ratings.source} has {len(ratings):,}, all held back")
        if not np.isfinite(rating).all():
            raise InputError(f"{ratings.source} has a rating that is no finite number: drop these rows or fill them")
        self.global_mean = float(rating.mean())
        self.scale = float(rating.std()) / USUAL_STD if rating.min() < rating.max() else 1.0
        if self.scale < SMALLEST_SCALE:
            span = rating.max() - rating.min()
            raise InputError(f"{ratings.source}: ratings differ by {span:.1g} at most: multiply them by {1 / span:.0e}")
        self.rating_range = ratings.rating_range
        self._place(
            ratings.user_idx[is_training], ratings.movie_idx[is_training], (rating - self.global_mean) / self.scale
        )
        self._make_sides(users, movies)

    def _place(self, users: np.ndarray, movies: np.ndarray, rating: np.ndarray) -> None:
        """Lay out the ratings as sparse matrices by users and by movies."""
        shape, sparse, dense = (self.ratings.n_users, self.ratings.n_movies), self.arrays.sparse, self.arrays.dense
        by_user = csr_array((rating.astype(np.float32), (users, movies)), shape)
        if by_user.nnz < self.n:
            user, movie = with_article(self.ratings.nouns.user), self.ratings.nouns.movie
            raise InputError(f"{self.ratings.source}: {user} rates the same {movie} twice; keep one of these rows")
        by_movie = by_user.T.tocsr()
        ones = np.ones(self.n, np.float32)
        self.rating, self.rating_t = sparse(by_user), sparse(by_movie)
        self.rated = sparse(csr_array((ones, by_user.indices, by_user.indptr), shape))
        self.rated_t = sparse(csr_array((ones, by_movie.indices, by_movie.indptr), shape[::-1]))
        self.n_by_user, self.n_by_movie = np.diff(by_user.indptr), np.diff(by_movie.indptr)
        self.user_of = dense(np.repeat(np.arange(shape[0]), self.n_by_user))
        self.movie_of, self.target = dense(by_user.indices), dense(by_user.data)

    def _make_sides(self, users: list[FeatureBlock], movies: list[FeatureBlock]) -> None:
        d, arrays, precisions = self.settings.n_factors + 1, self.arrays, self.precisions
        rng = np.random.default_rng(self.settings.seed)
        has_factors = np.float32(precisions.user[0] < NO_FACTORS)

        def side(blocks: list[FeatureBlock], rated: Array, rated_t: Array, n_rated: np.ndarray, which: str) -> Side:
            n = rated.shape[0]
            if self.settings.draws:  # they leave out the sets
                rated, rated_t = (arrays.sparse(csr_array(shape, dtype=np.float32)) for shape in ((n, 0), (0, n)))
            content, of_content = stack(n, [block.scaled(precisions.content) for block in blocks])
            pairs = np.concatenate([of_content, np.tile(getattr(precisions, _SETS[which]), (rated.shape[1], 1))])
            of_weights = np.repeat(pairs, [d - 1, 1], axis=1).astype(np.float32)
            # A user without ratings is merely new; of a movie without, it is known that nobody here chose it.
            unknown = (n_rated == 0) & (which == "user")
            design = Design(content, rated, rated_t, n_rated, unknown, arrays.dense(of_weights), arrays)
            start = rng.normal(0, START_STD, (n, d)).astype(np.float32) * has_factors
            start[:, -1] = 0
            return Side(design, getattr(precisions, which), start, arrays)

        self.users = side(users, self.rated, self.rated_t, self.n_by_user, "user")
        self.movies = side(movies, self.rated_t, self.rated, self.n_by_movie, "movie")
        self.average: Average | None = None  # of draws
        self.noise = np.ones(len(self.n_by_user))
        self.usual_alpha = precisions.alpha
        self.alpha = arrays.dense(np.full((len(self.n_by_user), 1), precisions.alpha, np.float32))

    def iterate(self) -> float:
        """Update users, movies and the noise; return the training MSE, in squared rating units."""
        mean, users, movies = self._take_turns(self.settings.cg_steps), self.users, self.movies
        usual = math.exp(np.log(self.noise) @ self.n_by_user / self.n)
        expected = mean + (users.n_effective() + movies.n_effective()) / (self.n * self.usual_alpha)
        self.usual_alpha = self.precisions.alpha * max(1.0, USUAL_NOISE / expected)
        if self.settings.most_alpha is not None:
            self.usual_alpha = min(self.usual_alpha, self.settings.most_alpha * self.scale**2)
        alpha = self.usual_alpha * usual / self.noise
        self.alpha = self.arrays.dense(alpha.astype(np.float32)[:, None])
        return mean * self.scale**2

    def draw(self, n_copies: int, is_stopped: Callable[[], bool]) -> tuple[int, float]:
        """Take an average of draws; return how many were made, and its training MSE, in squared rating units.

        Where none counts yet as it is stopped, all stays as the iterations left it.
        """
        users, movies, before = self.users, self.movies, (self.noise, self.alpha)
        self.users, self.movies = copy(users), copy(movies)

        def turn(then: Callable[[Side], None]) -> np.ndarray:
            self._take_turns(1, then)
            self.alpha = 1 / self.noise[:, None]
            return self.noise

        n_drawn, average = averaged(
            self.users, self.movies, turn, self.settings.draws, n_copies, self.settings.seed, is_stopped
        )
        if average is None:
            self.users, self.movies, (self.noise, self.alpha) = users, movies, before
        else:
            self.average = average
            self.users.mean, self.movies.mean, self.noise = average.users, average.movies, average.noise
            self.usual_alpha = float(self.n / (self.n_by_user @ self.noise))
        return n_drawn, self.scale**2 * float(self._squared().mean())

    def _take_turns(self, n_steps: int, then: Callable[[Side], None] = lambda side: None) -> float:
        """Update users and movies, after each do what comes then, and the noise; return the mean squared error."""
        users, movies = self.users, self.movies
        evidence, target = self.rated @ movies.message(), self.rating @ movies.inputs()
        users.update(self.alpha * evidence, self.alpha * target, n_steps)
        then(users)
        evidence, target = self.alpha * users.message(), self.alpha * users.inputs()
        movies.update(self.rated_t @ evidence, self.rating_t @ target, n_steps)
        then(movies)
        squared = self._squared()
        total = self.arrays.to_numpy(self.arrays.xp.bincount(self.user_of, squared, len(self.n_by_user)))
        mean, prior = float(squared.mean()), self.settings.noise_prior
        self.noise = np.maximum((prior * mean + total) / (prior + self.n_by_user), SMALLEST_NOISE)
        return mean

    def _squared(self) -> Array:
        return (self.target - self._predict(self.user_of, self.movie_of)) ** 2

    def _predict(self, users: Array, movies: Array) -> Array:
        """Return predictions on the usual scale for pairs of rows, without the mean."""
        p, q, parts = self.users.mean, self.movies.mean, []
        for start in range(0, max(len(users), 1), _CHUNK):
            u, m = users[start : start + _CHUNK], movies[start : start + _CHUNK]
            product = self.arrays.xp.einsum("nk,nk->n", p[u][:, :-1], q[m][:, :-1])
            parts.append(product + p[u, -1] + q[m, -1])
        return self.arrays.xp.concatenate(parts)

    def predict_validation(self) -> np.ndarray:
        """Return the predicted ratings of the validation rows, (n_val,) float32."""
        predictions = self.global_mean + self.scale * self.arrays.to_numpy(self._predict(*self.val_pairs))
        return np.clip(predictions, *self.rating_range).astype(np.float32)

    def result(self, features: list[str], history: History, val_predictions: np.ndarray) -> BayesFit:
        """Return the fit in rating units: half of the scale goes to the users' factors, half to the movies'."""
        to_numpy, average = self.arrays.to_numpy, self.average
        units = np.append(np.full(self.settings.n_factors, math.sqrt(self.scale)), self.scale)

        def rows(side: Side, n_rated: np.ndarray, drawn: np.ndarray | None) -> Rows:
            variance = to_numpy(side.variances(self.arrays.dense(n_rated > 0))) if drawn is None else drawn
            return Rows(as_float32(to_numpy(side.mean) * units), as_float32(variance * units**2))

        return BayesFit(
            settings=self.settings,
            global_mean=self.global_mean,
            alpha=self.usual_alpha / self.scale**2,
            rating_range=self.rating_range,
            users=rows(self.users, self.n_by_user, average and average.user_variance),
            movies=rows(self.movies, self.n_by_movie, average and average.movie_variance),
            noise_variance=as_float32(self.noise * self.scale**2),
            features=features,
            val_rows=self.val_rows,
            history=history,
            val_predictions=val_predictions,
        )


def as_float32(values: np.ndarray) -> np.ndarray:
    """Return the values as float32; what is too large becomes infinite, without a warning, and export refuses it."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)

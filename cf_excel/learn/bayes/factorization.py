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
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from cf_excel.errors import InputError
from cf_excel.learn.bayes.arrays import Array, arrays_on
from cf_excel.learn.bayes.bayes_settings import BayesSettings
from cf_excel.learn.bayes.checkpoint import Checkpoint, identity_of
from cf_excel.learn.bayes.comm import Alone, Comm, Cut, cut_matrix, ends_of, mean_of, normals, own_rows
from cf_excel.learn.bayes.features import FeatureBlock, movie_blocks, stack
from cf_excel.learn.bayes.precisions import RATINGS_ALONE, WITH_CONTENT
from cf_excel.learn.bayes.sampling import Average, averaged
from cf_excel.learn.bayes.sides import Design, Side
from cf_excel.learn.bayes.sparse_rows import by_rows, rows_in, transposed
from cf_excel.learn.progress import Epoch, History, Progress, interruptible
from cf_excel.ratings.nouns import with_article
from cf_excel.ratings.spill import all_but, all_finite, by_block, empty, rows_of
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import row_numbers

USUAL_STD = 1.0575  # of the ratings for which the precisions were found; others are scaled to it
USUAL_NOISE = 0.6  # expected squared error there; where it is lower, a rating counts for more
SMALLEST_SCALE = 1e-15  # of the ratings; precisions grow with its square and must stay finite
SMALLEST_NOISE = 1e-4  # variance on that scale: ratings without any error would get an infinite weight
START_STD = 0.3
NO_FACTORS = 1e5  # with so strict a precision factors start at 0 and stay there: float32 could not bring them back
_SETS = {"user": "rated", "movie": "raters"}  # whose weights the precisions of that name are for


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
    workers: how many processes shared the fit.
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
    workers: int = 1


def fit_bayes(
    ratings: Ratings,
    val_rows: np.ndarray,
    settings: BayesSettings | None = None,
    *,
    user_blocks: list[FeatureBlock] | None = None,
    more_movie_blocks: list[FeatureBlock] | None = None,
    progress: Progress | None = None,
    n_copies: int = 1,
    comm: Comm | None = None,
    checkpoint: Path | None = None,
) -> BayesFit:
    """Fit the model to all ratings but the validation rows, whose labels are looked at for the history alone.

    user_blocks, more_movie_blocks: features besides the genres and years that the ratings have. n_copies: so many
    tables of one size are stacked (see copies.py). Ctrl-C ends the fit after the iteration or draw and keeps what it
    learnt. The same seed gives the same numbers on a CPU. comm: the processes that share the fit, on CPUs; each is
    given the ratings of its users as in RatingsPart and val_rows of these, rank 0 returns the fit of all users and the
    others that of all movies, and Ctrl-C in one of them ends it in all. checkpoint: a folder that all processes see; it
    keeps where the fit stands after each iteration, and a fit of the same goes on from there, with another number of
    processes, too.
    Raises InputError where no rating is left to train on, for ratings that are not finite and for draws that several
    processes should share, and FileError and InputError as Checkpoint does.
    """
    settings = settings or BayesSettings()
    progress = progress or Progress()
    val_rows = row_numbers(val_rows, len(ratings))
    movies = [*movie_blocks(ratings), *(more_movie_blocks or [])] if settings.use_content else []
    users = list(user_blocks or []) if settings.use_content else []
    comm = comm or Alone()
    model = _Model(ratings, val_rows, settings, users, movies, comm)
    history, blocks = History(engine=comm.engine), [*users, *movies]
    kept = checkpoint and Checkpoint(
        checkpoint, model.cut, identity_of(ratings, val_rows, model.settings, blocks, comm)
    )
    progress.begin(settings.iterations + (settings.draws > 0), 1, model.n)
    if kept:
        history.epochs = kept.restore(model)
        for epoch in history.epochs:
            progress.epoch(epoch)
    with interruptible() as interrupted:
        for number in range(len(history.epochs) + 1, settings.iterations + 1):
            start = time.perf_counter()
            train_loss = model.iterate()
            predictions = model.predict_validation()
            epoch = model.epoch(number, train_loss, predictions, time.perf_counter() - start)
            history.epochs.append(epoch)
            progress.batches(number, train_loss)
            progress.epoch(epoch)
            if kept and number < settings.iterations:
                kept.write(model, history.epochs)
            if comm.total(interrupted.is_set()) and number < settings.iterations:
                history.stopped = f"iteration {number} of {settings.iterations}"
                progress.stopped(history.stopped)
                break
        if settings.draws and not history.stopped:
            start = time.perf_counter()
            n_drawn, train_loss = model.draw(n_copies, interrupted.is_set)
            predictions = model.predict_validation()
            epoch = model.epoch(number + 1, train_loss, predictions, time.perf_counter() - start)
            history.epochs.append(epoch)
            progress.epoch(epoch)
            if n_drawn < settings.draws:
                history.stopped = f"draw {n_drawn} of {settings.draws}"
                progress.stopped(history.stopped)
    return model.result([block.name for block in blocks], history, predictions)


class _Model:
    """The state of a fit: ratings on the usual scale, both sides, and the precision of every user's ratings."""

    def __init__(
        self,
        ratings: Ratings,
        val_rows: np.ndarray,
        settings: BayesSettings,
        users: list[FeatureBlock],
        movies: list[FeatureBlock],
        comm: Comm,
    ) -> None:
        if comm.size > 1 and settings.draws:
            raise InputError(f"{settings.draws} draws on {comm.size} processes: expected one process")
        self.comm, self.cut = comm, Cut(comm, ratings.n_users, ratings.n_movies)
        self.ratings, self.val_rows = ratings, val_rows
        self.precisions = settings.precisions or (WITH_CONTENT if movies else RATINGS_ALONE)
        self.settings = replace(settings, precisions=self.precisions)
        self.arrays = arrays_on(settings.device if comm.size == 1 else "cpu", len(ratings))
        pairs = own_rows(rows_of(ratings.user_idx, val_rows), comm), rows_of(ratings.movie_idx, val_rows)
        self.val_pairs = [self.arrays.dense(by_block(lambda some: some.astype(np.int64), idx)) for idx in pairs]
        self.val_truth, self.n_val = rows_of(ratings.rating, val_rows), comm.total(len(val_rows))
        is_training = all_but(val_rows, len(ratings))
        self._find_scale(by_block(lambda some: some.astype(np.float64), rows_of(ratings.rating, is_training)))
        self.rating_range = ratings.rating_range
        self._place(*(rows_of(column, is_training) for column in (ratings.user_idx, ratings.movie_idx, ratings.rating)))
        self._make_sides(users, movies)

    def _find_scale(self, rating: np.ndarray) -> None:
        """Find how many ratings there are to train on, their mean, and by what they are divided."""
        comm, source = self.comm, self.ratings.source
        self.n = int(comm.total(len(rating)))
        if not self.n:
            n = comm.total(len(self.ratings))
            raise InputError(f"no rating is left to train on: {source} has {n:,}, all held back")
        if comm.total(not all_finite(rating)):
            raise InputError(f"{source} has a rating that is no finite number: drop these rows or fill them")
        self.global_mean = float(mean_of(rating, comm))
        low, high = ends_of(rating, comm)
        std = math.sqrt(mean_of(by_block(lambda some: (some - self.global_mean) ** 2, rating), comm))
        self.scale = float(std) / USUAL_STD if low < high else 1.0
        if self.scale < SMALLEST_SCALE:
            span = high - low
            raise InputError(f"{source}: ratings differ by {span:.1g} at most: multiply them by {1 / span:.0e}")

    def _scaled(self, rating: np.ndarray) -> np.ndarray:
        return ((rating.astype(np.float64) - self.global_mean) / self.scale).astype(np.float32)

    def _place(self, users: np.ndarray, movies: np.ndarray, rating: np.ndarray) -> None:
        """Lay out the ratings as sparse matrices by users and by movies."""
        comm, shape, sparse, dense = self.comm, self.cut.shape, self.arrays.sparse, self.arrays.dense
        by_user = by_rows(by_block(self._scaled, rating), own_rows(users, comm), movies, shape)
        if comm.total(by_user.nnz) < self.n:
            user, movie = with_article(self.ratings.nouns.user), self.ratings.nouns.movie
            raise InputError(f"{self.ratings.source}: {user} rates the same {movie} twice; keep one of these rows")
        user_of = rows_in(by_user)
        by_movie = transposed(by_user, user_of)
        ones = empty(len(rating), np.float32)
        ones[:] = 1
        self.rating, self.rating_t = cut_matrix(sparse(by_user), comm, True), cut_matrix(sparse(by_movie), comm, False)
        rated = sparse(csr_array((ones, by_user.indices, by_user.indptr), shape))
        rated_t = sparse(csr_array((ones, by_movie.indices, by_movie.indptr), shape[::-1]))
        self.rated, self.rated_t = cut_matrix(rated, comm, True), cut_matrix(rated_t, comm, False)
        self.n_by_user, self.n_by_movie = np.diff(by_user.indptr), comm.scatter(np.diff(by_movie.indptr))
        self.user_of, self.movie_of, self.target = dense(user_of), dense(by_user.indices), dense(by_user.data)

    def _make_sides(self, users: list[FeatureBlock], movies: list[FeatureBlock]) -> None:
        d, arrays, precisions = self.settings.n_factors + 1, self.arrays, self.precisions
        rng = np.random.default_rng(self.settings.seed)
        has_factors = np.float32(precisions.user[0] < NO_FACTORS)

        def side(blocks: list[FeatureBlock], rated: Array, rated_t: Array, n_rated: np.ndarray, which: str) -> Side:
            n = self.cut.n_users if which == "user" else self.cut.n_movies
            if self.settings.draws:  # they leave out the sets
                rated, rated_t = (arrays.sparse(csr_array(shape, dtype=np.float32)) for shape in ((n, 0), (0, n)))
            scaled = [block.scaled(precisions.content) for block in blocks]
            if which == "user":
                scaled = [block._replace(matrix=self.cut.own(block.matrix, which)) for block in scaled]
            content, of_content = stack(len(n_rated) if which == "user" else n, scaled)
            pairs = np.concatenate([of_content, np.tile(getattr(precisions, _SETS[which]), (rated.shape[1], 1))])
            of_weights = np.repeat(pairs, [d - 1, 1], axis=1).astype(np.float32)
            # A user without ratings is merely new; of a movie without, it is known that nobody here chose it.
            unknown = (n_rated == 0) & (which == "user")
            content = content if which == "user" else self.cut.own(content, which)
            design = Design(content, rated, rated_t, n_rated, unknown, arrays.dense(of_weights), arrays, self.comm)
            drawn = START_STD * (normals(rng, n, d, self.comm) if which == "user" else rng.normal(size=(n, d)))
            start = drawn.astype(np.float32) * has_factors
            start[:, -1] = 0
            start = start if which == "user" else self.cut.own(start, which)
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
        usual = math.exp(self.comm.total(np.log(self.noise) @ self.n_by_user) / self.n)
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
        total = self.arrays.to_numpy(self.arrays.sums_by(self.user_of, len(self.n_by_user), squared.__getitem__))
        mean, prior = float(mean_of(squared, self.comm)), self.settings.noise_prior
        self.noise = np.maximum((prior * mean + total) / (prior + self.n_by_user), SMALLEST_NOISE)
        return mean

    def _squared(self) -> Array:
        self.all_movies = self.comm.gather(self.movies.mean)
        given = self.user_of, self.movie_of, self.target
        return self.arrays.by_block(lambda users, movies, target: (target - self._predict(users, movies)) ** 2, *given)

    def _predict(self, users: Array, movies: Array) -> Array:
        """Return predictions on the usual scale for pairs of rows, without the mean."""
        p, q = self.users.mean, self.all_movies
        product = self.arrays.xp.einsum("nk,nk->n", p[users][:, :-1], q[movies][:, :-1])
        return product + p[users, -1] + q[movies, -1]

    def predict_validation(self) -> np.ndarray:
        """Return the predicted ratings of the validation rows of this process's users, float32."""
        found = self.arrays.to_numpy(self.arrays.by_block(self._predict, *self.val_pairs))
        mean, scale, ends = self.global_mean, self.scale, self.rating_range
        return by_block(lambda some: np.clip(mean + scale * some, *ends).astype(np.float32), found)

    def epoch(self, number: int, train_loss: float, predictions: np.ndarray, seconds: float) -> Epoch:
        """Return what an iteration came to: its losses are those of all processes."""
        errors = by_block(lambda some, truth: some.astype(np.float64) - truth, predictions, self.val_truth)
        val_loss, mae = (
            float(mean_of(by_block(of, errors), self.comm)) if self.n_val else math.nan for of in (np.square, np.abs)
        )
        return Epoch(number, train_loss, val_loss, (mae,), seconds)

    def result(self, features: list[str], history: History, val_predictions: np.ndarray) -> BayesFit:
        """Return the fit in rating units: half of the scale goes to the users' factors, half to the movies'."""
        to_numpy, average = self.arrays.to_numpy, self.average
        units = np.append(np.full(self.settings.n_factors, math.sqrt(self.scale)), self.scale)

        def rows(side: Side, which: str, n_rated: np.ndarray, drawn: np.ndarray | None) -> Rows:
            variance = to_numpy(side.variances(self.arrays.dense(n_rated > 0))) if drawn is None else drawn
            mean, variance = as_float32(to_numpy(side.mean) * units), as_float32(variance * units**2)
            return Rows(self.cut.all(mean, which), self.cut.all(variance, which))

        return BayesFit(
            settings=self.settings,
            global_mean=self.global_mean,
            alpha=self.usual_alpha / self.scale**2,
            rating_range=self.rating_range,
            users=rows(self.users, "user", self.n_by_user, average and average.user_variance),
            movies=rows(self.movies, "movie", self.n_by_movie, average and average.movie_variance),
            noise_variance=self.cut.all(as_float32(self.noise * self.scale**2), "user"),
            features=features,
            workers=self.comm.size,
            val_rows=self.val_rows,
            history=history,
            val_predictions=val_predictions,
        )


def as_float32(values: np.ndarray) -> np.ndarray:
    """Return the values as float32; what is too large becomes infinite, without a warning, and export refuses it."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)

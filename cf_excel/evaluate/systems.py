"""What is evaluated: cf_excel's models and the baselines that they must beat."""

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from cf_excel.errors import InputError
from cf_excel.evaluate.peers import Pairs, Peer, find_peers
from cf_excel.evaluate.splits import Fold, without
from cf_excel.learn.baselines import fit_biases
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.factorization import RATINGS_ALONE, WITH_CONTENT, BayesSettings, Precisions, fit_bayes
from cf_excel.learn.bayes.features import FeatureBlock
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.ratings.table import Ratings

NO_ROWS = np.empty(0, np.int64)


class Scorer(NamedTuple):
    """A fitted system: score predicts ratings (or just ranks), deviation says by how much it may be off."""

    score: Pairs
    deviation: Pairs | None = None


@dataclass(frozen=True)
class System:
    """Something to evaluate: fit(fold, settings, seed) learns from fold.train.

    candidates(rng, n): up to n settings for --tune, the default ones first. rates: its scores are ratings.
    ranks: its scores rank movies for a user.
    """

    name: str
    fit: Callable[[Fold, dict, int], Scorer]
    candidates: Callable[[np.random.Generator, int], list[dict]] = lambda rng, n: [{}]
    rates: bool = True
    ranks: bool = True


@dataclass(frozen=True)
class Tables:
    """Blocks of features that a bayes model takes besides genres and years."""

    users: list[FeatureBlock] = field(default_factory=list)
    movies: list[FeatureBlock] = field(default_factory=list)


def grid(*candidates: dict) -> Callable[[np.random.Generator, int], list[dict]]:
    """Return the candidates of a system that has a few fixed ones."""
    return lambda rng, n: list(candidates[:n])


def make_systems(names: list[str], tables: Tables) -> list[System]:
    """Return the systems of these names: bayes, bayes-ratings (without content), or a kind of the lesson's models."""
    known = {"bayes": _bayes("bayes", tables, True), "bayes-ratings": _bayes("bayes-ratings", tables, False)}
    lesson = [name for name, kind in KINDS.items() if kind.of_lesson]
    for name in names:
        if name not in known and name not in lesson:
            raise InputError(f"model {name!r}: expected one of {', '.join((*known, *lesson))}")
    return [known[name] if name in known else _lesson(name) for name in dict.fromkeys(names)]


def baselines(nouns: Nouns = USUAL_NOUNS) -> list[System]:
    """Return what knows no factors: the mean, user and movie biases, and the number of ratings, which just ranks."""
    return [
        System("mean", lambda fold, settings, seed: _mean(fold.train), ranks=False),
        System(nouns.biases, lambda fold, settings, seed: _biases(fold.train)),
        System("most rated", lambda fold, settings, seed: _most_rated(fold.train), rates=False),
    ]


def peers() -> tuple[list[System], list[str]]:
    """Return the models of other libraries that are installed, and what is missing."""
    found, missing = find_peers()
    return [_peer(peer) for peer in found], missing


def _peer(peer: Peer) -> System:
    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):  # their progress bars and advice
            warnings.simplefilter("ignore")
            return Scorer(peer.fit(fold.train, settings, seed))

    return System(peer.name, fit, grid(*peer.settings), peer.rates, peer.ranks)


def folded_in(tables: Tables) -> System:
    """Return the bayes model that never saw the new users, and learns of them as `rate` does."""
    return System("bayes, folded in", lambda fold, settings, seed: _fold_in(fold, tables, settings, seed))


def _bayes(name: str, tables: Tables, use_content: bool) -> System:
    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        return _scorer(_fit_bayes(fold.train, tables, settings | {"use_content": use_content}, seed))

    return System(name, fit, lambda rng, n: [{}, *(_drawn(rng, use_content) for _ in range(n - 1))])


def _fit_bayes(train: Ratings, tables: Tables, settings: dict, seed: int) -> Predictor:
    fit = fit_bayes(
        train,
        NO_ROWS,
        BayesSettings(**settings, seed=seed),
        user_blocks=tables.users,
        more_movie_blocks=tables.movies,
    )
    return Predictor(bayes_to_factors(fit, train, "none"))


def _drawn(rng: np.random.Generator, use_content: bool) -> dict:
    """Return settings around the default ones: every precision times a random factor, mostly 1/2 to 2."""
    usual = WITH_CONTENT if use_content else RATINGS_ALONE

    def drawn(value: float, spread: float = 0.7) -> float:
        return float(value * 2 ** rng.normal(0, spread))

    of_rows = (usual.user, usual.movie, usual.rated, usual.raters)
    pairs = [(drawn(of_factors), drawn(of_bias)) for of_factors, of_bias in of_rows]
    precisions = Precisions(drawn(usual.alpha, 0.2), *pairs)
    return {"precisions": precisions, "iterations": int(rng.choice([6, 8, 12])), "n_factors": 15}


def _scorer(predictor: Predictor) -> Scorer:
    """Return a model's predictions before they are cut off, so that the best ones can be told apart."""
    factors = predictor.factors

    def score(users: np.ndarray, movies: np.ndarray) -> np.ndarray:
        products = np.einsum("nk,nk->n", factors.user_factors[users], factors.movie_factors[movies])
        return factors.global_mean + products + factors.user_bias[users] + factors.movie_bias[movies]

    return Scorer(score, lambda users, movies: np.asarray(predictor.uncertainty_rows(users, movies)))


def _fold_in(fold: Fold, tables: Tables, settings: dict, seed: int) -> Scorer:
    train = fold.train
    given = np.flatnonzero(fold.new_users[train.user_idx])
    predictor = _fit_bayes(without(train, given), tables, settings, seed)
    factors = predictor.factors
    table = np.column_stack([factors.user_factors, factors.user_bias])
    by_user = given[np.argsort(train.user_idx[given], kind="stable")]
    ends = np.flatnonzero(np.diff(train.user_idx[by_user])) + 1
    low, high = factors.rating_range
    for rows in np.split(by_user, ends):
        ratings = np.clip(train.rating[rows], low, high)
        p, bias = predictor.fit_user(train.movie_ids[train.movie_idx[rows]], ratings)
        table[train.user_idx[rows[0]]] = np.append(p, bias)
    fitted = replace(factors, user_factors=table[:, :-1].copy(), user_bias=table[:, -1].copy())
    return Scorer(_scorer(Predictor(fitted)).score)


def _lesson(kind: str) -> System:
    from cf_excel.learn.lesson.recipes import lesson_settings, train

    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        from cf_excel.learn.lesson.lesson_factors import to_factors

        trained = train(fold.train, NO_ROWS, lesson_settings(kind, seed=seed, **settings))
        predictor = Predictor(to_factors(trained, fold.train, "none"))
        return Scorer(lambda users, movies: np.asarray(predictor.predict_rows(users, movies)))

    return System(kind, fit, grid({}, {"wd": 1e-4}, {"wd": 5e-4}, {"n_factors": 20}))


def _mean(train: Ratings) -> Scorer:
    mean = train.rating.mean(dtype=np.float64)
    return Scorer(lambda users, movies: np.full(len(users), mean))


def _biases(train: Ratings) -> Scorer:
    parts = (train.user_idx, train.movie_idx, train.rating, train.n_users, train.n_movies)
    mean, user_bias, movie_bias = fit_biases(*parts)
    return Scorer(lambda users, movies: mean + user_bias[users] + movie_bias[movies])


def _most_rated(train: Ratings) -> Scorer:
    counts = np.bincount(train.movie_idx, minlength=train.n_movies)
    return Scorer(lambda users, movies: counts[movies].astype(np.float64))

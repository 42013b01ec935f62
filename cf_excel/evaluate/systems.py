"""What is evaluated: cf_excel's models and the baselines that they must beat."""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from cf_excel.errors import InputError
from cf_excel.evaluate.list_peers import HALF_LIFE, most_rated
from cf_excel.evaluate.peers import ListPeer, Pairs, Peer, find_peers
from cf_excel.evaluate.splits import Fold
from cf_excel.learn.baselines import fit_biases
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.factorization import BayesSettings, fit_bayes
from cf_excel.learn.bayes.features import FeatureBlock
from cf_excel.learn.bayes.precisions import RATINGS_ALONE, WITH_CONTENT, Precisions
from cf_excel.learn.bayes.tuning import fit_tuned
from cf_excel.learn.list_fit import fit_lists
from cf_excel.learn.list_measures import UserScores
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor
from cf_excel.model.row_scores import RowScores
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import without

NO_ROWS = np.empty(0, np.int64)


class Scorer(NamedTuple):
    """A fitted system: score predicts ratings, deviation says by how much it may be off, in rating units.

    orders: gives what ranks lists, by the name of the order, and may learn it then.
    """

    score: Pairs | None
    deviation: Pairs | None = None
    orders: Callable[[], Mapping[str, UserScores]] = dict


@dataclass(frozen=True)
class System:
    """Something to evaluate: fit(fold, settings, seed) learns from fold.train.

    candidates(rng, n): up to n settings for --tune, the default ones first. rates: it predicts ratings; one that
    does not just ranks movies for a user.
    """

    name: str
    fit: Callable[[Fold, dict, int], Scorer]
    candidates: Callable[[np.random.Generator, int], list[dict]] = lambda rng, n: [{}]
    rates: bool = True


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


def baselines(nouns: Nouns = USUAL_NOUNS, has_times: bool = True) -> list[System]:
    """Return what knows no factors: the mean, user and movie biases, and numbers of ratings, which just rank.

    has_times: the number that halves with every year is among them.
    """
    lately = _ranker("most rated lately", lambda train, settings, seed: most_rated(train, HALF_LIFE))
    return [
        System("mean", lambda fold, settings, seed: _mean(fold.train)),
        System(nouns.biases, lambda fold, settings, seed: _biases(fold.train)),
        _ranker("most rated", lambda train, settings, seed: most_rated(train)),
        *([lately] if has_times else []),
    ]


def peers(ratings: Ratings) -> tuple[list[System], list[str]]:
    """Return the models of others that are installed and not too large for the ratings, and what is missing."""
    found, missing = find_peers(ratings)
    return [_peer(peer) if isinstance(peer, Peer) else _list_peer(peer) for peer in found], missing


def _peer(peer: Peer) -> System:
    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        with _quiet():
            score = peer.fit(fold.train, settings, seed)
        return Scorer(score, orders=_by_rating(score, fold.train.n_movies) if peer.ranks else dict)

    return System(peer.name, fit, grid(*peer.settings))


def _list_peer(peer: ListPeer) -> System:
    """Return a peer that lists the most rated lately for users of whom it knows nothing, as anybody would."""

    def fit(train: Ratings, settings: dict, seed: int) -> UserScores:
        own, of_all = peer.fit(train, settings, seed), most_rated(train, HALF_LIFE)
        is_known = np.bincount(train.user_idx, minlength=train.n_users) > 0
        return lambda users: np.where(is_known[users, None], own(users), of_all(users))

    return _ranker(peer.name, fit, peer.settings)


def _ranker(name: str, fit: Callable[[Ratings, dict, int], UserScores], settings: tuple[dict, ...] = ({},)) -> System:
    def fitted(fold: Fold, settings: dict, seed: int) -> Scorer:
        with _quiet():
            scores = fit(fold.train, settings, seed)
        return Scorer(None, orders=lambda: {"own": scores})

    return System(name, fitted, grid(*settings), rates=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep other libraries' progress bars and advice from the terminal."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _by_rating(score: Pairs, n_movies: int) -> Callable[[], Mapping[str, UserScores]]:
    movies = np.arange(n_movies)

    def scores(users: np.ndarray) -> np.ndarray:
        return np.array([score(np.full(n_movies, user), movies) for user in users])  # factors of all pairs are too many

    return lambda: {"rating": scores}


def folded_in(tables: Tables) -> System:
    """Return the bayes model that never saw the new users, and learns of them as `rate` does."""
    return System("bayes, folded in", lambda fold, settings, seed: _fold_in(fold, tables, settings, seed))


def _bayes(name: str, tables: Tables, use_content: bool) -> System:
    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        return _scorer(_fit_bayes(fold.train, tables, settings | {"use_content": use_content}, seed), fold.train, seed)

    return System(name, fit, lambda rng, n: [{}, *(_drawn(rng, use_content) for _ in range(n - 1))])


def _fit_bayes(train: Ratings, tables: Tables, settings: dict, seed: int) -> Predictor:
    """Fit as `train` does: priors are chosen by the ratings, but not where the settings have some of their own."""
    given = BayesSettings(**settings, seed=seed)
    fitted = fit_bayes if given.precisions else partial(fit_tuned, keep=tuple(settings))
    fit = fitted(train, NO_ROWS, given, user_blocks=tables.users, more_movie_blocks=tables.movies)
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


def _scorer(predictor: Predictor, train: Ratings, seed: int, learnt_from: Ratings | None = None) -> Scorer:
    """Return a model's predictions, and its lists by each order that `train --lists` knows.

    train: what its users rated. learnt_from: what the lists are learnt from, where it is less.
    """
    factors = predictor.factors

    def orders() -> dict[str, UserScores]:
        lists = fit_lists(train if learnt_from is None else learnt_from, NO_ROWS, seed=seed)
        by_user = np.argsort(train.user_idx, kind="stable")
        rated = np.split(train.movie_idx[by_user], np.cumsum(np.bincount(train.user_idx, minlength=train.n_users))[:-1])
        by = {"score": lists, "watch": replace(lists, by="watch"), "rating": None}
        return {name: partial(_ranked, RowScores(replace(factors, lists=by[name])), rated) for name in by}

    knows_spread = KINDS[factors.kind].knows_spread and learnt_from is None
    spread = (lambda users, movies: np.asarray(predictor.uncertainty_rows(users, movies))) if knows_spread else None
    return Scorer(lambda users, movies: np.asarray(predictor.predict_rows(users, movies)), spread, orders)


def _ranked(row_scores: RowScores, rated: list[np.ndarray], users: np.ndarray) -> np.ndarray:
    return row_scores.ranking(row_scores.sums(users), [rated[user] for user in users])


def _fold_in(fold: Fold, tables: Tables, settings: dict, seed: int) -> Scorer:
    train = fold.train
    given = np.flatnonzero(fold.new_users[train.user_idx])
    known = without(train, given)
    predictor = _fit_bayes(known, tables, settings, seed)
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
    return _scorer(Predictor(fitted), train, seed, known)


def _lesson(kind: str) -> System:
    from cf_excel.learn.lesson.recipes import lesson_settings, train

    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        from cf_excel.learn.lesson.lesson_factors import to_factors

        trained = train(fold.train, NO_ROWS, lesson_settings(kind, seed=seed, **settings))
        return _scorer(Predictor(to_factors(trained, fold.train, "none")), fold.train, seed)

    return System(kind, fit, grid({}, {"wd": 1e-4}, {"wd": 5e-4}, {"n_factors": 20}))


def _mean(train: Ratings) -> Scorer:
    mean = train.rating.mean(dtype=np.float64)
    return Scorer(lambda users, movies: np.full(len(users), mean))


def _biases(train: Ratings) -> Scorer:
    parts = (train.user_idx, train.movie_idx, train.rating, train.n_users, train.n_movies)
    mean, user_bias, movie_bias = fit_biases(*parts)

    def score(users: np.ndarray, movies: np.ndarray) -> np.ndarray:
        return mean + user_bias[users] + movie_bias[movies]

    return Scorer(score, orders=_by_rating(score, train.n_movies))

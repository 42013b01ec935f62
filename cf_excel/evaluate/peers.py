"""Others' models, behind one interface: each learns from rows and ratings, and gives a function that scores.

Most come with the extra `bench`; one that can't be imported is left out and named.
"""

from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from cf_excel.evaluate import list_peers
from cf_excel.learn.list_measures import UserScores
from cf_excel.ratings.table import Ratings

Pairs = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes user rows (n,) and movie rows (n,), returns a number for each pair."""


class Peer(NamedTuple):
    """A model of another library; module is what must be there; settings are those that --tune tries, default first.

    ranks: scoring every movie for a user takes no minutes.
    """

    name: str
    module: str
    fit: Callable[[Ratings, dict, int], Pairs]
    settings: tuple[dict, ...] = ({},)
    ranks: bool = True


class ListPeer(NamedTuple):
    """A way to rank movies; as a Peer. most: of how many users and movies it needs a square matrix at most."""

    name: str
    module: str
    fit: Callable[[Ratings, dict, int], UserScores]
    settings: tuple[dict, ...]
    most: int | None = None


def find_peers(ratings: Ratings) -> tuple[list[Peer | ListPeer], list[str]]:
    """Return the peers that can be imported and can take the ratings, and of the others name and reason."""
    found: list[Peer | ListPeer] = []
    missing = []
    for peer in (*PEERS, *LIST_PEERS):
        try:
            import_module(peer.module)
        except ImportError as error:
            missing.append(f'{peer.name} ({error}; pip install -e ".[bench]" in a copy of cf_excel has it)')
            continue
        if isinstance(peer, ListPeer) and peer.most and min(ratings.n_users, ratings.n_movies) > peer.most:
            nouns = ratings.nouns
            missing.append(f"{peer.name} (it can't take more than {peer.most:,} {nouns.users} and {nouns.movies})")
            continue
        found.append(peer)
    return found, missing


def _dot(mean: float, p: np.ndarray, q: np.ndarray, user_bias: np.ndarray, movie_bias: np.ndarray) -> Pairs:
    def score(users: np.ndarray, movies: np.ndarray) -> np.ndarray:
        return mean + user_bias[users] + movie_bias[movies] + np.einsum("nk,nk->n", p[users], q[movies])

    return score


def _surprise_trainset(train: Ratings) -> object:
    from surprise import Trainset

    by_user, by_movie = defaultdict(list), defaultdict(list)
    rows = zip(train.user_idx.tolist(), train.movie_idx.tolist(), train.rating.tolist(), strict=True)
    for user, movie, rating in rows:
        by_user[user].append((movie, rating))
        by_movie[movie].append((user, rating))
    ids = [{row: row for row in range(n)} for n in (train.n_users, train.n_movies)]
    return Trainset(by_user, by_movie, train.n_users, train.n_movies, len(train), train.rating_range, *ids)


def _surprise_svd(train: Ratings, settings: dict, seed: int) -> Pairs:
    from surprise import SVD

    model = SVD(random_state=seed, **settings).fit(_surprise_trainset(train))
    p = model.pu * (np.bincount(train.user_idx, minlength=train.n_users) > 0)[:, None]  # the others are still random
    q = model.qi * (np.bincount(train.movie_idx, minlength=train.n_movies) > 0)[:, None]
    return _dot(model.trainset.global_mean, p, q, model.bu, model.bi)


def _surprise_knn(train: Ratings, settings: dict, seed: int) -> Pairs:
    from surprise import KNNBaseline

    similarity = {"name": "pearson_baseline", "user_based": False}
    model = KNNBaseline(sim_options=similarity, verbose=False, **settings).fit(_surprise_trainset(train))
    known_user = np.bincount(train.user_idx, minlength=train.n_users) > 0
    known_movie = np.bincount(train.movie_idx, minlength=train.n_movies) > 0
    mean, user_bias, movie_bias = model.trainset.global_mean, model.bu, model.bi

    def one(user: int, movie: int) -> float:
        if known_user[user] and known_movie[movie]:
            return model.estimate(user, movie)[0]
        return mean + known_user[user] * user_bias[user] + known_movie[movie] * movie_bias[movie]

    return lambda users, movies: np.array([one(*pair) for pair in zip(users.tolist(), movies.tolist(), strict=True)])


def _cornac_mf(train: Ratings, settings: dict, seed: int) -> Pairs:
    from cornac.data import Dataset
    from cornac.models import MF

    rows = zip(train.user_idx.tolist(), train.movie_idx.tolist(), train.rating.tolist(), strict=True)
    data = Dataset.from_uir(list(rows), seed=seed)
    model = MF(use_bias=True, seed=seed, verbose=False, **settings).fit(data)

    def spread(values: np.ndarray, ids: dict, n: int) -> np.ndarray:
        full = np.zeros((n, *values.shape[1:]))
        full[list(ids)] = values[list(ids.values())]
        return full

    users, movies = (data.uid_map, train.n_users), (data.iid_map, train.n_movies)
    p, q = spread(model.u_factors, *users), spread(model.i_factors, *movies)
    return _dot(model.global_mean, p, q, spread(model.u_biases, *users), spread(model.i_biases, *movies))


def _lenskit_mf(train: Ratings, settings: dict, seed: int) -> Pairs:
    import pandas as pd
    from lenskit.als import BiasedMFScorer
    from lenskit.data import ItemList, from_interactions_df
    from lenskit.training import TrainingOptions

    table = pd.DataFrame({"user_id": train.user_idx, "item_id": train.movie_idx, "rating": train.rating})
    data = from_interactions_df(table, users=np.arange(train.n_users), items=np.arange(train.n_movies))
    model = BiasedMFScorer(**settings)
    model.train(data, TrainingOptions(rng=seed))
    mean = float(train.rating.mean())

    def score(users: np.ndarray, movies: np.ndarray) -> np.ndarray:
        scores = np.empty(len(users))
        for user in np.unique(users).tolist():
            rows = np.flatnonzero(users == user)
            scores[rows] = model(user, ItemList(item_ids=movies[rows])).scores()
        return np.nan_to_num(scores, nan=mean)

    return score


def _myfm(train: Ratings, settings: dict, seed: int) -> Pairs:
    from myfm import MyFMRegressor

    def rows(users: np.ndarray, movies: np.ndarray) -> csr_matrix:
        columns = np.column_stack([users, movies + train.n_users]).ravel()
        ends = np.arange(0, 2 * len(users) + 1, 2)
        return csr_matrix((np.ones(len(columns)), columns, ends), (len(users), train.n_users + train.n_movies))

    model = MyFMRegressor(random_seed=seed, rank=settings["rank"])
    groups = [train.n_users, train.n_movies]
    model.fit(rows(train.user_idx, train.movie_idx), train.rating, n_iter=settings["n_iter"], group_shapes=groups)
    return lambda users, movies: model.predict(rows(users, movies))


_SVD: tuple[dict, ...] = (
    {},
    {"n_factors": 100, "n_epochs": 40, "lr_all": 0.01, "reg_all": 0.1},
    {"n_factors": 100, "n_epochs": 60, "lr_all": 0.01, "reg_all": 0.1},
    {"n_factors": 50, "n_epochs": 40, "lr_all": 0.01, "reg_all": 0.08},
)
_CORNAC = tuple(
    {"k": k, "max_iter": n, "learning_rate": 0.01, "lambda_reg": decay}
    for k, n, decay in ((10, 20, 0.02), (100, 100, 0.1), (50, 60, 0.05), (100, 60, 0.08))
)
_LENSKIT = tuple({"embedding_size": size, "epochs": 10} for size in (50, 20, 100))
_MYFM = tuple({"rank": rank, "n_iter": 200} for rank in (10, 4, 6, 16))
_ALS = tuple(
    {"factors": k, "regularization": decay, "alpha": alpha, "below": below}
    for k, decay, alpha, below in (
        *((24, 30.0, 5.0, 0.25), (24, 30.0, 5.0, 1.0), (16, 10.0, 5.0, 0.25)),
        *((32, 30.0, 5.0, 0.25), (64, 0.01, 1.0, 1.0), (32, 10.0, 1.0, 0.25)),
    )
)
_BPR = tuple(
    {"factors": k, "learning_rate": rate, "regularization": decay, "iterations": n}
    for k, rate, decay, n in ((32, 0.01, 0.01, 100), (16, 0.01, 0.1, 100), (8, 0.01, 0.01, 100), (64, 0.01, 0.01, 50))
)
_EASE = tuple(
    {"l2": l2, "below": below} for l2, below in ((200, 0.25), (200, 1.0), (100, 0.25), (400, 0.25), (50, 0.25))
)
_SLIM = tuple(
    {"l1": l1, "l2": l2, "below": below}
    for l1, l2, below in ((3, 50, 0.25), (3, 50, 1.0), (2, 100, 0.25), (2, 200, 0.25))
)
_KNN = tuple({"k": k, "below": below} for k, below in ((50, 0.25), (50, 1.0), (100, 0.25), (20, 0.25), (200, 0.25)))
PEERS = (
    Peer("surprise SVD", "surprise", _surprise_svd, _SVD),
    Peer("surprise KNNBaseline", "surprise", _surprise_knn, ({"k": 40}, {"k": 60}), ranks=False),
    Peer("cornac MF", "cornac", _cornac_mf, _CORNAC),
    Peer("lenskit BiasedMF", "lenskit", _lenskit_mf, _LENSKIT),
    Peer("myfm", "myfm", _myfm, _MYFM, ranks=False),
)
LIST_PEERS = (
    ListPeer("item kNN", "scipy", list_peers.item_knn, _KNN),
    ListPeer("user kNN", "scipy", list_peers.user_knn, _KNN),
    ListPeer("EASE", "scipy", list_peers.ease, _EASE, most=20_000),
    ListPeer("SLIM", "sklearn", list_peers.slim, _SLIM, most=20_000),
    ListPeer("implicit ALS", "implicit", list_peers.implicit_als, _ALS),
    ListPeer("implicit BPR", "implicit", list_peers.implicit_bpr, _BPR),
)

"""Other ways to rank movies for lists, from who rated what; each movie or user is told by a row of weighted ratings.

A rating in the upper quarter of the scale weighs 1, any other the setting `below`. Of implicit feedback these are the
usual ones; their settings are tuned for the NDCG of lists, not for an error.
"""

import warnings

import numpy as np
from scipy.sparse import csr_array, csr_matrix, vstack

from cf_excel.evaluate.splits import liked
from cf_excel.learn.list_measures import UserScores
from cf_excel.ratings.table import Ratings

HALF_LIFE = 365.0 * 86400  # seconds
_ROWS_AT_ONCE = 512


def weighted(train: Ratings, below: float) -> csr_array:
    """Return the weighted ratings, (n_users, n_movies), float64."""
    weights = np.where(liked(train.rating, train.rating_range), 1.0, below)
    return csr_array((weights, (train.user_idx, train.movie_idx)), (train.n_users, train.n_movies))


def most_rated(train: Ratings, half_life: float | None = None) -> UserScores:
    """Return the order by number of ratings, each halved for every half_life (seconds) before the newest."""
    weights = None
    if half_life is not None and train.timestamp is not None:
        weights = 0.5 ** ((train.timestamp.max() - train.timestamp) / half_life)
    counts = np.bincount(train.movie_idx, weights, train.n_movies).astype(np.float64)
    return lambda users: np.broadcast_to(counts, (len(users), len(counts)))


def ease(train: Ratings, settings: dict, seed: int) -> UserScores:
    """Return scores X B of EASE (Steck 2019): B = I - P / diag(P), with zeros on its diagonal, P = (X'X + l2 I)^-1.

    By the smaller of two matrices: X P = (XX' + l2 I)^-1 X, so that it takes the inverse of either the movies or the
    users.
    """
    rated, l2 = weighted(train, settings["below"]), settings["l2"]
    if train.n_users < train.n_movies:
        product = _inverse((rated @ rated.T).toarray(), l2) @ rated
        diagonal = (1 - rated.multiply(product).sum(axis=0)) / l2
    else:
        inverse = _inverse((rated.T @ rated).toarray(), l2)
        product, diagonal = rated @ inverse, np.diag(inverse)
    return lambda users: rated[users].toarray() - product[users] / diagonal


def _inverse(gram: np.ndarray, l2: float) -> np.ndarray:
    gram[np.diag_indices_from(gram)] += l2
    return np.linalg.inv(gram)


def slim(train: Ratings, settings: dict, seed: int) -> UserScores:
    """Return scores X W of SLIM (Ning & Karypis 2011): each movie an elastic net of the others, all weights 0 or more.

    It minimizes |x - X w|^2 / 2 + l1 sum(w) + l2 |w|^2 / 2. A movie whose product with x is no more than l1 can't enter
    such a net, because no ratings are negative: it is left out beforehand.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import ElasticNet

    rated, l1, l2 = weighted(train, settings["below"]).tocsc(), settings["l1"], settings["l2"]
    n = train.n_users
    net = ElasticNet(
        alpha=(l1 + l2) / n, l1_ratio=l1 / (l1 + l2), positive=True, fit_intercept=False, max_iter=100, tol=1e-3
    )
    products = (rated.T @ rated).tocsc()
    rows, columns, weights = [], [], []
    for movie in np.flatnonzero(products.diagonal() > l1):
        ends = slice(*products.indptr[movie : movie + 2])
        others = products.indices[ends][(products.data[ends] > l1) & (products.indices[ends] != movie)]
        if not len(others):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            net.fit(rated[:, np.sort(others)], rated[:, [movie]].toarray().ravel())
        rows.append(np.sort(others)[net.coef_ > 0])
        weights.append(net.coef_[net.coef_ > 0])
        columns.append(np.full(len(rows[-1]), movie))
    if not rows:
        return lambda users: np.zeros((len(users), train.n_movies))
    places = (np.concatenate(rows), np.concatenate(columns))
    net_of_all = csr_array((np.concatenate(weights), places), (train.n_movies, train.n_movies))
    by_user = rated.tocsr()
    return lambda users: (by_user[users] @ net_of_all).toarray()


def user_knn(train: Ratings, settings: dict, seed: int) -> UserScores:
    """Return the weighted ratings of the k users with the highest cosine, times the cosine, summed up."""
    rated = weighted(train, settings["below"])
    near = nearest(rated, settings["k"])
    return lambda users: (near[users] @ rated).toarray()


def item_knn(train: Ratings, settings: dict, seed: int) -> UserScores:
    """Return for each movie the cosines of those of its k nearest that the user rated, times the weights, summed up."""
    rated = weighted(train, settings["below"])
    near = nearest(rated.T.tocsr(), settings["k"]).T.tocsr()
    return lambda users: (rated[users] @ near).toarray()


def nearest(rows: csr_array, k: int) -> csr_array:
    """Return the cosines (n, n) of each row with the k nearest others, and with what ties with the last; all else 0."""
    lengths = np.sqrt(rows.power(2).sum(axis=1))
    unit = rows.multiply((1 / np.where(lengths > 0, lengths, 1))[:, None]).tocsr()
    n, parts = rows.shape[0], []
    for start in range(0, n, _ROWS_AT_ONCE):
        cosines = (unit[start : start + _ROWS_AT_ONCE] @ unit.T).toarray()
        own = np.arange(len(cosines))
        cosines[own, start + own] = 0
        if k < n:
            least = np.partition(cosines, n - k, axis=1)[:, n - k]
            cosines[cosines < least[:, None]] = 0
        parts.append(csr_array(cosines))
    return vstack(parts, format="csr")


def implicit_als(train: Ratings, settings: dict, seed: int) -> UserScores:
    """Return the scores of implicit's ALS (Hu, Koren & Volinsky 2008)."""
    from implicit.als import AlternatingLeastSquares

    options = {name: value for name, value in settings.items() if name != "below"}
    model = AlternatingLeastSquares(random_state=seed, num_threads=1, **options)
    model.fit(csr_matrix(weighted(train, settings["below"]).astype(np.float32)), show_progress=False)
    return lambda users: model.user_factors[users] @ model.item_factors.T


def implicit_bpr(train: Ratings, settings: dict, seed: int) -> UserScores:
    """Return the scores of implicit's BPR (Rendle et al. 2009), of pairs of a rated movie and another."""
    from implicit.bpr import BayesianPersonalizedRanking

    model = BayesianPersonalizedRanking(random_state=seed, num_threads=1, **settings)
    model.fit(csr_matrix(weighted(train, 1.0).astype(np.float32)), show_progress=False)
    return lambda users: model.user_factors[users] @ model.item_factors.T

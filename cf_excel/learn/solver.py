"""Fit the factors of a sheet to its ratings: what the lesson asks Excel's Solver to do.

`lm` separates the variables (Golub & Pereyra 2003, "Separable nonlinear least squares: the variable projection
method"): for given user numbers the best movie numbers are a linear least-squares problem each, so that scipy's
Levenberg-Marquardt walks over the user numbers alone, with Kaufman's Jacobian. A short alternating ridge regression
before it leads every start into the same valley; where that ends higher than the start, the start itself is refined.
`adam` and `sgd` walk down the gradient, a step for all ratings at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from cf_excel.errors import InputError

OPTIMIZERS = ("lm", "adam", "sgd")
DEFAULT_STEPS = {"lm": 1000, "adam": 2000, "sgd": 2000}
DEFAULT_LR = {"adam": 0.05, "sgd": 0.05}

_WARM_UP = ((3.0, 10), (1.0, 10), (0.3, 20))  # ridge penalty, rounds
_ALTERNATING_ROUNDS = 100
_MOST_JACOBIAN = 8_000_000  # numbers; beyond it the alternating regressions alone are used


@dataclass(frozen=True, eq=False)
class SheetParameters:
    """The numbers that a sheet fits: user_factors (n_users, n_factors), movie_factors (n_movies, n_factors), biases.

    user_bias (n_users,) and movie_bias (n_movies,): None on a sheet without biases.
    """

    user_factors: np.ndarray
    movie_factors: np.ndarray
    user_bias: np.ndarray | None = None
    movie_bias: np.ndarray | None = None

    def predict(self, user_idx: np.ndarray, movie_idx: np.ndarray) -> np.ndarray:
        """Return the sheet's predictions of pairs: p.q, plus both biases where there are any."""
        products = np.einsum("nk,nk->n", self.user_factors[user_idx], self.movie_factors[movie_idx])
        return products if self.user_bias is None else products + self.user_bias[user_idx] + self.movie_bias[movie_idx]

    @property
    def is_finite(self) -> bool:
        return all(np.isfinite(array).all() for array in self._arrays)

    @property
    def sum_of_squares(self) -> float:
        return float(sum((array**2).sum() for array in self._arrays))

    @property
    def _arrays(self) -> list[np.ndarray]:
        arrays = (self.user_factors, self.movie_factors, self.user_bias, self.movie_bias)
        return [array for array in arrays if array is not None]


@dataclass(frozen=True, eq=False)
class SheetRatings:
    """The ratings of a sheet: user_idx, movie_idx and rating, (n,) each."""

    user_idx: np.ndarray
    movie_idx: np.ndarray
    rating: np.ndarray

    def __len__(self) -> int:
        return len(self.rating)

    def part(self, chosen: np.ndarray) -> "SheetRatings":
        """Return some of the ratings, by number or by mask."""
        return SheetRatings(self.user_idx[chosen], self.movie_idx[chosen], self.rating[chosen])

    def split(self, fraction: float, seed: int) -> tuple["SheetRatings", "SheetRatings"]:
        """Return the ratings to fit and those held out, a random fraction of them, at least one each."""
        n_held = min(len(self) - 1, max(1, round(fraction * len(self))))
        order = np.random.default_rng(seed).permutation(len(self))
        return self.part(np.sort(order[n_held:])), self.part(np.sort(order[:n_held]))


def rmse_of(parameters: SheetParameters, ratings: SheetRatings) -> float:
    """Return the RMSE of the predictions of the ratings, in rating units."""
    errors = ratings.rating - parameters.predict(ratings.user_idx, ratings.movie_idx)
    return float(np.sqrt(np.mean(errors**2)))


def solve(
    ratings: SheetRatings,
    start: SheetParameters,
    *,
    optimizer: str = "lm",
    steps: int | None = None,
    lr: float | None = None,
    l2: float = 0.0,
) -> tuple[SheetParameters, list[float]]:
    """Minimise the squared errors + l2 * the squares of all numbers; return the numbers, and the RMSE of every step.

    The RMSE of the start comes first; lm tells the first and the last alone. Users and movies without a rating keep
    their numbers. Raises InputError without ratings, where the numbers run away, and for gradient descent from factors
    that are all 0, where no gradient leads on.
    """
    if not len(ratings):
        raise InputError("there are no ratings to fit")
    steps = steps or DEFAULT_STEPS[optimizer]
    with np.errstate(over="ignore", invalid="ignore"):
        before = rmse_of(start, ratings)
        if not np.isfinite(before):
            raise InputError("the numbers to start from are too large: clear their cells to start at random")
        if optimizer != "lm" and not (start.user_factors.any() or start.movie_factors.any()):
            raise InputError(f"all factors are 0, where {optimizer} stands still: clear their cells to start at random")
        try:
            if optimizer == "lm":
                solved = _least_squares(ratings, start, l2, steps)
                history = [before, rmse_of(solved, ratings)]
            else:
                solved, history = _descend(ratings, start, optimizer, steps, lr or DEFAULT_LR[optimizer], l2)
        except (np.linalg.LinAlgError, ValueError):  # as numpy and scipy say that numbers are not finite
            raise InputError("the numbers to start from are too large: clear their cells to start at random") from None
    if not solved.is_finite or not np.isfinite(history[-1]):
        raise InputError(f"{optimizer} ran away from the ratings: pass a smaller --lr or use --optimizer lm")
    return _keep_unrated(solved, start, ratings), history


def _keep_unrated(solved: SheetParameters, start: SheetParameters, ratings: SheetRatings) -> SheetParameters:
    arrays = {}
    for side, idx in (("user", ratings.user_idx), ("movie", ratings.movie_idx)):
        for name in (f"{side}_factors", f"{side}_bias"):
            old = getattr(start, name)
            if old is not None:
                arrays[name] = old.copy()
                arrays[name][idx] = getattr(solved, name)[idx]
    return replace(solved, **arrays)


class _Grid:
    """The ratings as a rectangle: a row a movie, 0 where there is none, beside a mask of 1 and 0."""

    def __init__(self, ratings: SheetRatings, n_users: int, n_movies: int) -> None:
        # a pair that is rated twice counts as its mean, twice: the same minimum
        cells = (ratings.movie_idx, ratings.user_idx)
        self.weight = np.zeros((n_movies, n_users))
        np.add.at(self.weight, cells, 1.0)
        total = np.zeros((n_movies, n_users))
        np.add.at(total, cells, ratings.rating)
        self.rating = total / np.maximum(self.weight, 1)


def _least_squares(ratings: SheetRatings, start: SheetParameters, l2: float, steps: int) -> SheetParameters:
    grid = _Grid(ratings, len(start.user_factors), len(start.movie_factors))

    def cost(parameters: SheetParameters) -> float:
        return len(ratings) * rmse_of(parameters, ratings) ** 2 + l2 * parameters.sum_of_squares

    warm = _pushed_apart(start)
    for penalty, rounds in _WARM_UP:
        warm = _alternate(grid, warm, max(penalty, l2), rounds)
    solved = _refined(grid, warm, l2, steps)
    if cost(solved) > cost(start):
        solved = min(start, _refined(grid, start, l2, steps), key=cost)
    return solved


def _pushed_apart(start: SheetParameters) -> SheetParameters:
    """Return the start with a random push where its factors are alike: as such, regressions would leave them alike."""
    users = start.user_factors
    if np.linalg.matrix_rank(users) == min(users.shape):
        return start
    return replace(start, user_factors=users + np.random.default_rng(0).normal(0, 0.1, users.shape))


def _refined(grid: _Grid, parameters: SheetParameters, l2: float, steps: int) -> SheetParameters:
    """Go down to the minimum of the valley that the parameters are in."""
    problem = _Projected(grid, parameters, l2)
    if problem.n_residuals * problem.n_unknowns > _MOST_JACOBIAN:
        return _alternate(grid, parameters, max(l2, 1e-9), min(steps, _ALTERNATING_ROUNDS))
    found = least_squares(
        problem.residuals,
        problem.start,
        jac=problem.jacobian,
        method="lm" if problem.n_residuals >= problem.n_unknowns else "trf",
        ftol=1e-9,
        xtol=1e-9,
        gtol=1e-9,
        max_nfev=steps,
    )
    solved = problem.parameters(found.x)
    return solved if l2 else _balanced(solved)  # the penalty has chosen among equal predictions already


def _balanced(parameters: SheetParameters) -> SheetParameters:
    """Write the same predictions with moderate numbers, the way people read them.

    Biases take what the factors add for everyone, and users and movies share the size of each factor.
    """
    users, movies = parameters.user_factors, parameters.movie_factors
    if parameters.user_bias is not None:
        user_bias = parameters.user_bias + users @ movies.mean(axis=0)
        movies = movies - movies.mean(axis=0)
        movie_bias = parameters.movie_bias + movies @ users.mean(axis=0)
        users = users - users.mean(axis=0)
        shift = (movie_bias.mean() - user_bias.mean()) / 2
        parameters = replace(parameters, user_bias=user_bias + shift, movie_bias=movie_bias - shift)
    user_basis, user_turn = np.linalg.qr(users)
    movie_basis, movie_turn = np.linalg.qr(movies)
    left, sizes, right = np.linalg.svd(user_turn @ movie_turn.T, full_matrices=False)
    padding = ((0, 0), (0, users.shape[1] - len(sizes)))
    return replace(
        parameters,
        user_factors=np.pad(user_basis @ left * np.sqrt(sizes), padding),
        movie_factors=np.pad(movie_basis @ right.T * np.sqrt(sizes), padding),
    )


def _alternate(grid: _Grid, parameters: SheetParameters, penalty: float, rounds: int) -> SheetParameters:
    """Solve for the movies' numbers, then the users', by ridge regression, and again."""
    for _ in range(rounds):
        factors, bias = _ridge(grid.weight, grid.rating, parameters.user_factors, parameters.user_bias, penalty)
        parameters = replace(parameters, movie_factors=factors, movie_bias=bias)
        factors, bias = _ridge(grid.weight.T, grid.rating.T, parameters.movie_factors, parameters.movie_bias, penalty)
        parameters = replace(parameters, user_factors=factors, user_bias=bias)
    return parameters


def _ridge(
    weight: np.ndarray, rating: np.ndarray, factors: np.ndarray, bias: np.ndarray | None, penalty: float
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the factors and biases of the rows of weight and rating, given those of the columns."""
    design = factors if bias is None else np.column_stack([factors, np.ones(len(factors))])
    target = rating if bias is None else rating - bias
    n = design.shape[1]
    gram = (weight @ (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)).reshape(-1, n, n)
    found = np.linalg.solve(gram + penalty * np.eye(n), ((weight * target) @ design)[..., None])[..., 0]
    return (found, None) if bias is None else (found[:, :-1], found[:, -1])


class _Projected:
    """The errors as a function of the users' numbers alone: the movies' numbers are the best ones for them.

    Every movie is a least-squares problem with a row a user and, for l2, a row for each of the movie's own numbers.
    """

    def __init__(self, grid: _Grid, start: SheetParameters, l2: float) -> None:
        self._n_users, self._n_factors = start.user_factors.shape
        self._with_bias = start.user_bias is not None
        self._penalty = np.sqrt(l2)
        n_movies, n_unknowns = len(start.movie_factors), self._n_factors + self._with_bias
        self._rating = grid.rating
        self._weight = np.sqrt(grid.weight)
        ridge = np.full((n_movies, n_unknowns), self._penalty)
        self._movie, self._row = np.nonzero(np.column_stack([self._weight, ridge]))
        self._last: tuple[bytes, tuple[np.ndarray, ...]] = (b"", ())
        users = (start.user_factors, start.user_bias) if self._with_bias else (start.user_factors,)
        self.start = np.column_stack(users).ravel()
        self.n_unknowns = len(self.start)
        self.n_residuals = len(self._movie) + (self.n_unknowns if l2 else 0)

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Return the errors, (n_residuals,)."""
        errors = self._solved(x)[2][self._movie, self._row]
        return np.append(errors, self._penalty * x) if self._penalty else errors

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Return Kaufman's approximation to the derivatives of the errors, (n_residuals, n_unknowns)."""
        movies, basis, _ = self._solved(x)
        # a user's number moves the user's own row; the movie's numbers take back what they can explain
        moved = np.where(self._with_bias and np.arange(movies.shape[1]) == self._n_factors, 1.0, movies)
        outside = np.eye(basis.shape[1]) - basis @ basis.transpose(0, 2, 1)
        outside = outside[:, :, : self._n_users] * self._weight[:, None, :]
        derivative = outside[self._movie, self._row][:, :, None] * moved[self._movie][:, None, :]
        derivative = derivative.reshape(len(self._movie), -1)
        return np.vstack([derivative, self._penalty * np.eye(self.n_unknowns)]) if self._penalty else derivative

    def parameters(self, x: np.ndarray) -> SheetParameters:
        """Return the users' numbers with the best movies' numbers for them."""
        users, movies, k = x.reshape(self._n_users, -1), self._solved(x)[0], self._n_factors
        biases = (users[:, k], movies[:, k]) if self._with_bias else (None, None)
        return SheetParameters(users[:, :k], movies[:, :k], *biases)

    def _solved(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the movies' numbers, an orthonormal basis of what each movie can explain, and all errors."""
        key = x.tobytes()
        if self._last[0] != key:
            users, k = x.reshape(self._n_users, -1), self._n_factors
            design = np.column_stack([users[:, :k], np.ones(self._n_users)]) if self._with_bias else users
            target = self._weight * (self._rating - users[:, k] if self._with_bias else self._rating)
            n_movies, n = len(target), design.shape[1]
            ridge = np.broadcast_to(self._penalty * np.eye(n), (n_movies, n, n))
            rows = np.concatenate([self._weight[:, :, None] * design, ridge], axis=1)
            target = np.concatenate([target, np.zeros((n_movies, n))], axis=1)
            basis, sizes, turn = np.linalg.svd(rows, full_matrices=False)
            used = sizes > 1e-10 * np.maximum(sizes[:, :1], 1e-300)
            basis = basis * used[:, None, :]
            explained = np.einsum("mur,mu->mr", basis, target)
            movies = np.einsum("mrd,mr->md", turn, explained * used / np.where(used, sizes, 1))
            errors = np.einsum("mur,mr->mu", basis, explained) - target
            self._last = key, (movies, basis, errors)
        return self._last[1]


def _descend(
    ratings: SheetRatings, start: SheetParameters, optimizer: str, steps: int, lr: float, l2: float
) -> tuple[SheetParameters, list[float]]:
    """Walk down the gradient of the squared errors of a user's or movie's mean number of ratings."""
    step = _adam(lr) if optimizer == "adam" else _momentum(lr)
    share = max(start.user_factors.shape[0], start.movie_factors.shape[0]) / len(ratings)
    names = [name for name in vars(start) if getattr(start, name) is not None]
    values = {name: getattr(start, name).copy() for name in names}
    history = []
    for _ in range(steps):
        now = SheetParameters(**values)
        errors = now.predict(ratings.user_idx, ratings.movie_idx) - ratings.rating
        history.append(float(np.sqrt(np.mean(errors**2))))
        gradients = _gradients(ratings, now, errors)
        values = {name: step(name, values[name], share * (gradients[name] + l2 * values[name])) for name in names}
    solved = SheetParameters(**values)
    return solved, [*history, rmse_of(solved, ratings)]


def _gradients(ratings: SheetRatings, now: SheetParameters, errors: np.ndarray) -> dict[str, np.ndarray]:
    users, movies = ratings.user_idx, ratings.movie_idx
    return {
        "user_factors": _sums(users, errors[:, None] * now.movie_factors[movies], len(now.user_factors)),
        "movie_factors": _sums(movies, errors[:, None] * now.user_factors[users], len(now.movie_factors)),
        "user_bias": np.bincount(users, errors, len(now.user_factors)),
        "movie_bias": np.bincount(movies, errors, len(now.movie_factors)),
    }


def _sums(rows: np.ndarray, values: np.ndarray, n_rows: int) -> np.ndarray:
    return np.column_stack([np.bincount(rows, column, n_rows) for column in values.T])


def _momentum(lr: float, beta: float = 0.9) -> Callable[[str, np.ndarray, np.ndarray], np.ndarray]:
    """Return a step of gradient descent with the lesson's momentum."""
    velocity: dict[str, np.ndarray] = {}

    def step(name: str, value: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        velocity[name] = beta * velocity.get(name, 0.0) + gradient
        return value - lr * velocity[name]

    return step


def _adam(lr: float, beta1: float = 0.9, beta2: float = 0.999) -> Callable[[str, np.ndarray, np.ndarray], np.ndarray]:
    """Return a step of Adam (Kingma & Ba 2015)."""
    mean: dict[str, np.ndarray] = {}
    square: dict[str, np.ndarray] = {}
    count: dict[str, int] = {}

    def step(name: str, value: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        count[name] = count.get(name, 0) + 1
        mean[name] = beta1 * mean.get(name, 0.0) + (1 - beta1) * gradient
        square[name] = beta2 * square.get(name, 0.0) + (1 - beta2) * gradient**2
        unbiased = mean[name] / (1 - beta1 ** count[name])
        return value - lr * unbiased / (np.sqrt(square[name] / (1 - beta2 ** count[name])) + 1e-8)

    return step

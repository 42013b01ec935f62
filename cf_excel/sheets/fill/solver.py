"""Fit the factors of a sheet to its ratings: what the lesson asks Excel's Solver to do.

`lm` separates the variables (Golub & Pereyra 2003, "Separable nonlinear least squares: the variable projection
method"): for given user numbers the best movie numbers are a linear least-squares problem each, so that Levenberg and
Marquardt's steps walk over the user numbers alone, with Kaufman's Jacobian. A short alternating ridge regression before
it leads every start into the same valley; where that ends higher than the start, the start itself is refined. Among the
many numbers that predict the same, one set is chosen and rounded, so that every run ends with the same.
`adam` and `sgd` walk down the gradient, a step for all ratings at once.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.fill.gradient_steps import descend
from cf_excel.sheets.fill.linked_fit import LinkedFit
from cf_excel.sheets.fill.sheet_fit import SheetRatings, rmse_of

OPTIMIZERS = ("lm", "adam", "sgd")
DEFAULT_STEPS = {"lm": 1000, "adam": 2000, "sgd": 2000}
DEFAULT_LR = {"adam": 0.05, "sgd": 0.05}

_LEAST_L2 = 3e-7  # times the ratings' size: too small to see, it chooses among numbers that predict alike
_WARM_UP = ((0.8, 10), (0.3, 10), (0.1, 20))  # ridge penalty, times the ratings' size, and rounds
_ALTERNATING_ROUNDS = 100
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-12, 1e12  # of steps, as a share of the largest curvature
_LEAST_GAIN = 1e-15  # of a step, as a share of the ratings' squares
_DIGITS, _HARMLESS = 8, 1e-12  # of the largest number; what rounding may add, as a share of the ratings' squares
_LINKED_STARTS = 6
_LARGE = 8_000_000  # cells times users' factors; beyond it the alternating regressions alone are used


def solve(
    ratings: SheetRatings,
    start: Parameters,
    *,
    optimizer: str = "lm",
    steps: int | None = None,
    lr: float | None = None,
    l2: float = 0.0,
) -> tuple[Parameters, list[float]]:
    """Minimise the squared errors + l2 * the squares of all numbers; return the numbers, and the RMSE of every step.

    The RMSE of the start comes first; lm tells the first and the last alone. Users and movies without a rating keep
    their numbers. Raises InputError without ratings, where the numbers run away, and for gradient descent from factors
    that are all 0, where no gradient leads on.
    """
    if not len(ratings):
        raise InputError("there are no ratings to fit")
    steps = steps or DEFAULT_STEPS[optimizer]
    if ratings.link and (not ratings.link.is_smooth or ratings.link.shift is not None):
        # of what is rounded or cut off the sums themselves are fitted, and the rest of what something is added to
        fitted = replace(ratings, rating=ratings.rating - (ratings.link.shift or 0.0), link=None)
        solved, history = solve(fitted, start, optimizer=optimizer, steps=steps, lr=lr, l2=l2)
        return solved, [rmse_of(start, ratings), *history[1:-1], rmse_of(solved, ratings)]
    with np.errstate(over="ignore", invalid="ignore"):
        before = rmse_of(start, ratings)
        if not np.isfinite(before):
            raise InputError("the numbers to start from are too large: clear their cells to start at random")
        if optimizer != "lm" and not (start.user_factors.any() or start.movie_factors.any()):
            raise InputError(f"all factors are 0, where {optimizer} stands still: clear their cells to start at random")
        try:
            if optimizer == "lm":
                fit = _through_link if ratings.link else _least_squares
                solved = fit(ratings, start, l2, steps)
                history = [before, rmse_of(solved, ratings)]
            else:
                solved, history = descend(ratings, start, optimizer, steps, lr or DEFAULT_LR[optimizer], l2)
        except (np.linalg.LinAlgError, ValueError):  # as numpy and scipy say that numbers are not finite
            raise InputError("the numbers to start from are too large: clear their cells to start at random") from None
    if not (np.isfinite(history[-1]) and all(np.isfinite(array).all() for array in solved.arrays.values())):
        raise InputError(f"{optimizer} ran away from the ratings: pass a smaller --lr or use --optimizer lm")
    return _keep_unrated(solved, start, ratings), history


def _keep_unrated(solved: Parameters, start: Parameters, ratings: SheetRatings) -> Parameters:
    rated = {"user": ratings.user_idx, "movie": ratings.movie_idx}
    arrays = {name: array.copy() for name, array in start.arrays.items()}
    for name, array in arrays.items():
        idx = rated[name.partition("_")[0]]
        array[idx] = solved.arrays[name][idx]
    return Parameters(**arrays)


class _ItemGrid:
    """The ratings as a rectangle: a row a movie, 0 where there is none, beside a mask of 1 and 0."""

    def __init__(self, ratings: SheetRatings, n_users: int, n_movies: int) -> None:
        # a pair that is rated twice counts as its mean, twice: the same minimum
        cells = (ratings.movie_idx, ratings.user_idx)
        self.weight = np.zeros((n_movies, n_users))
        np.add.at(self.weight, cells, 1.0)
        total = np.zeros((n_movies, n_users))
        np.add.at(total, cells, ratings.rating)
        self.rating = total / np.maximum(self.weight, 1)
        self.size = float(np.sqrt(np.mean(ratings.rating**2)))


def _cost(ratings: SheetRatings, l2: float, parameters: Parameters) -> float:
    squares = sum(float((array**2).sum()) for array in parameters.arrays.values())
    return len(ratings) * rmse_of(parameters, ratings) ** 2 + l2 * squares


def _least_squares(ratings: SheetRatings, start: Parameters, l2: float, steps: int) -> Parameters:
    grid, cost = _ItemGrid(ratings, start.n_users, start.n_movies), partial(_cost, ratings, l2)
    warm = _pushed_apart(start)
    for penalty, rounds in _WARM_UP:
        warm = _alternate(grid, warm, max(penalty * grid.size, l2), rounds)
    solved = _refined(grid, warm, l2, steps)
    if cost(solved) > cost(start):
        solved = min(start, _refined(grid, start, l2, steps), key=cost)
    rounded = _rounded(solved)
    harmless = cost(rounded) <= cost(solved) + _HARMLESS * float(ratings.rating @ ratings.rating)
    return min(start, rounded if harmless else solved, key=cost)


def _through_link(ratings: SheetRatings, start: Parameters, l2: float, steps: int) -> Parameters:
    """Fit sums of which the sheet shows a function, such as a logistic, from several starts: the valleys differ."""
    n_numbers = sum(array.size for array in start.arrays.values())
    if n_numbers * n_numbers > _LARGE:
        solved, _ = descend(ratings, start, "adam", DEFAULT_STEPS["adam"], DEFAULT_LR["adam"], l2)
        return min(start, solved, key=partial(_cost, ratings, l2))
    penalty, found = max(l2, _LEAST_L2 * float(np.abs(ratings.rating).max())), [start]
    for seed in range(_LINKED_STARTS):
        rng = np.random.default_rng(seed)
        pushed = {name: array + (seed > 0) * rng.normal(size=array.shape) for name, array in start.arrays.items()}
        problem = LinkedFit(ratings, _pushed_apart(replace(start, **pushed)), penalty)
        solved = problem.parameters(_walk(problem, steps))
        found.append(_rounded(_turned(solved if l2 else _shared(solved))))
    return min(found, key=partial(_cost, ratings, l2))


def _rounded(parameters: Parameters) -> Parameters:
    """Round to the digits that processors with other instructions, or with more threads, agree on."""
    largest = max(np.abs(array).max() for array in parameters.arrays.values())
    if not 1e-200 < largest < 1e200:
        return parameters
    decimals = _DIGITS - int(np.ceil(np.log10(largest)))
    return replace(parameters, **{name: array.round(decimals) + 0.0 for name, array in parameters.arrays.items()})


def _pushed_apart(start: Parameters) -> Parameters:
    """Return the start with a random push where its factors are alike: as such, regressions would leave them alike."""
    users = start.user_factors
    if np.linalg.matrix_rank(users) == min(users.shape):
        return start
    return replace(start, user_factors=users + np.random.default_rng(0).normal(0, 0.1, users.shape))


def _refined(grid: _ItemGrid, parameters: Parameters, l2: float, steps: int) -> Parameters:
    """Go down to the minimum of the valley that the parameters are in."""
    penalty = max(l2, _LEAST_L2 * grid.size)
    if grid.weight.size * parameters.user_factors.size > _LARGE:
        solved = _alternate(grid, parameters, penalty, min(steps, _ALTERNATING_ROUNDS))
    else:
        problem = _Projected(grid, parameters, penalty)
        solved = problem.parameters(_walk(problem, steps))
    return _turned(solved if l2 else _shared(solved))  # the penalty has chosen among equal biases already


def _walk(problem: "_Projected | LinkedFit", steps: int) -> np.ndarray:
    """Return the numbers that Levenberg and Marquardt's steps end with, from the problem's start.

    Written here because scipy's `lm` gives another result each time it is called, from the same numbers.
    """
    x, damping = problem.start, _FIRST_DAMPING
    cost = problem.cost(x)
    while steps > 0 and cost > 0:
        slope, curvature = problem.slope_and_curvature(x)
        largest, diagonal = curvature.diagonal().max() or 1.0, np.eye(len(x))
        new, damping = np.inf, max(damping / 10, _LEAST_DAMPING)
        while not new < cost and steps > 0 and damping < _MOST_DAMPING:
            tried = x - np.linalg.solve(curvature + damping * largest * diagonal, slope)
            new, damping, steps = problem.cost(tried), damping * 5, steps - 1
        if not new < cost:
            break
        x, cost, gain = tried, new, cost - new
        if gain < _LEAST_GAIN * problem.all_squares:
            break
    return x


def _shared(parameters: Parameters) -> Parameters:
    """Let the biases take what the factors add for everyone: the same predictions."""
    if parameters.user_bias is None:
        return parameters
    users, movies = parameters.user_factors, parameters.movie_factors
    user_bias = parameters.user_bias + users @ movies.mean(axis=0)
    movies = movies - movies.mean(axis=0)
    movie_bias = parameters.movie_bias + movies @ users.mean(axis=0)
    users = users - users.mean(axis=0)
    shift = (movie_bias.mean() - user_bias.mean()) / 2
    return Parameters(users, movies, user_bias + shift, movie_bias - shift)


def _turned(parameters: Parameters) -> Parameters:
    """Turn the factors so that each stands for itself, the largest first: the same predictions.

    Users and movies share the size of a factor, and the user whom it says most of has a number above 0.
    """
    users, movies = parameters.user_factors, parameters.movie_factors
    user_basis, user_turn = np.linalg.qr(users)
    movie_basis, movie_turn = np.linalg.qr(movies)
    left, sizes, right = np.linalg.svd(user_turn @ movie_turn.T, full_matrices=False)
    users, movies = user_basis @ left, movie_basis @ right.T
    most = users[np.abs(users).argmax(axis=0), np.arange(len(sizes))]
    scale = np.where(most < 0, -1, 1) * np.sqrt(sizes)
    padding = ((0, 0), (0, parameters.n_factors - len(sizes)))
    return replace(
        parameters,
        user_factors=np.pad(users * scale, padding),
        movie_factors=np.pad(movies * scale, padding),
    )


def _alternate(grid: _ItemGrid, parameters: Parameters, penalty: float, rounds: int) -> Parameters:
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
    """The squared errors as a function of the users' numbers alone: the movies' numbers are the best ones for them.

    Every movie is a least-squares problem with a row a user and, for l2, a row for each of the movie's own numbers.
    """

    def __init__(self, grid: _ItemGrid, start: Parameters, l2: float) -> None:
        self._n_users, self._n_factors = start.user_factors.shape
        self._with_bias = start.user_bias is not None
        self._l2 = l2
        self._rating = grid.rating
        self._weight = np.sqrt(grid.weight)
        self.all_squares = float((grid.weight * grid.rating**2).sum())
        self._last: tuple[bytes, tuple[np.ndarray, ...]] = (b"", ())
        factors, bias = start.user_factors, start.user_bias
        self.start = np.column_stack([factors] if bias is None else [factors, bias]).ravel()

    def cost(self, x: np.ndarray) -> float:
        """Return the squared errors + l2 * the squares of all numbers."""
        return float((self._solved(x)[2] ** 2).sum() + self._l2 * (x @ x))

    def slope_and_curvature(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return half the gradient, (n,), and J.T @ J, (n, n), of Kaufman's approximation J to the derivatives.

        J itself has a row a rating; its product is a sum over the movies, of each what it can't explain between two
        users times the products of its own numbers.
        """
        movies, basis, errors = self._solved(x)
        n_users, n = self._n_users, movies.shape[1]
        # a user's number moves the user's own row; the movie's numbers take back what they can explain
        moved = np.where(self._with_bias and np.arange(n) == self._n_factors, 1.0, movies)
        basis = basis[:, :n_users]
        outside = np.eye(n_users) - basis @ basis.transpose(0, 2, 1)
        outside *= self._weight[:, :, None] * self._weight[:, None, :]
        products = moved[:, :, None] * moved[:, None, :]
        curvature = outside.reshape(len(movies), -1).T @ products.reshape(len(movies), -1)
        curvature = curvature.reshape(n_users, n_users, n, n).transpose(0, 2, 1, 3).reshape(len(x), len(x))
        slope = (self._weight * errors[:, :n_users]).T @ moved
        return slope.ravel() + self._l2 * x, curvature + self._l2 * np.eye(len(x))

    def parameters(self, x: np.ndarray) -> Parameters:
        """Return the users' numbers with the best movies' numbers for them."""
        users, movies, k = x.reshape(self._n_users, -1), self._solved(x)[0], self._n_factors
        biases = (users[:, k], movies[:, k]) if self._with_bias else (None, None)
        return Parameters(users[:, :k], movies[:, :k], *biases)

    def _solved(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the movies' numbers, an orthonormal basis of what each movie can explain, and all errors."""
        key = x.tobytes()
        if self._last[0] != key:
            users, k = x.reshape(self._n_users, -1), self._n_factors
            design = np.column_stack([users[:, :k], np.ones(self._n_users)]) if self._with_bias else users
            target = self._weight * (self._rating - users[:, k] if self._with_bias else self._rating)
            n_movies, n = len(target), design.shape[1]
            ridge = np.broadcast_to(np.sqrt(self._l2) * np.eye(n), (n_movies, n, n))
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

"""What is known of all users, in a model that keeps some of them alone, or not what they rated."""

from dataclasses import dataclass, replace

import numpy as np

from cf_excel.model.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Crowd:
    """All users that a model was trained on, together.

    n_rated (n_movies,) int64: how many of them rated each movie. mean (n_factors + 1,), covariance
    (n_factors + 1, n_factors + 1), float64: of their factors and, last, their biases.
    """

    n_rated: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    def of_movies(self, rows: np.ndarray) -> "Crowd":
        """Return the same of the movies in these rows, in their order."""
        return replace(self, n_rated=self.n_rated[rows])

    def with_factors(self, onto: np.ndarray) -> "Crowd":
        """Return the same for users whose factors (n_factors,) a matrix (n, n_factors) turns into n others."""
        turn = np.pad(onto, (0, 1))
        turn[-1, -1] = 1  # biases stay
        return replace(self, mean=turn @ self.mean, covariance=turn @ self.covariance @ turn.T)


def moments(model: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (n_factors + 1,) and the covariance of the users' factors and, last, their biases, float64."""
    bias = np.zeros(model.n_users) if model.user_bias is None else model.user_bias
    users = np.column_stack([model.user_factors, bias]).astype(np.float64)
    mean = users.mean(axis=0)
    return mean, (users - mean).T @ (users - mean) / len(users)

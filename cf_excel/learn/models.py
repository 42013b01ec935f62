"""The lesson's models: forward(cats, conts) and nothing else.

cats (B, 2) int64: user row, movie row. conts (B, n_conts) float32: numeric columns, which these models do not use.
Every forward returns the B predicted ratings as (B,).
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cf_excel.errors import InputError


class Module(nn.Module):
    """PyTorch's Module, whose `cuda` says what to do where there is no CUDA."""

    def cuda(self, device: int | torch.device | None = None) -> Self:
        """Move the weights to a GPU. Raises InputError where PyTorch finds none."""
        if not torch.cuda.is_available():
            raise InputError("PyTorch finds no CUDA on this machine: leave .cuda() out, and the CPU does it")
        return super().cuda(device)


class DotProduct(Module):
    """Multiply two tables row by row and sum: the whole idea, before there is anything to learn."""

    def forward(self, u: Tensor, m: Tensor) -> Tensor:
        """Return the dot products (B,) of the rows of u and m, both (B, n_factors)."""
        return (u * m).sum(1)


def get_emb(n_rows: int, n_factors: int, low: float = -0.01, high: float = 0.01) -> nn.Embedding:
    """Return an embedding (n_rows, n_factors) that starts uniform between low and high."""
    embedding = nn.Embedding(n_rows, n_factors)
    nn.init.uniform_(embedding.weight, low, high)
    return embedding


class EmbeddingDot(Module):
    """Predict a rating as the dot product of a user's and a movie's factors."""

    def __init__(self, n_users: int, n_movies: int, n_factors: int = 50) -> None:
        super().__init__()
        self.u = get_emb(n_users, n_factors, 0.0, 0.05)
        self.m = get_emb(n_movies, n_factors, 0.0, 0.05)

    def forward(self, cats: Tensor, conts: Tensor) -> Tensor:
        """Return the predicted ratings (B,)."""
        return (self.u(cats[:, 0]) * self.m(cats[:, 1])).sum(1)


class EmbeddingDotBias(Module):
    """Add a bias for each user and movie, and squeeze the sum into the range of the ratings with a sigmoid.

    All weights start uniform in (-init, init).
    """

    def __init__(
        self,
        n_users: int,
        n_movies: int,
        n_factors: int = 50,
        rating_range: tuple[float, float] = (0.5, 5.0),
        init: float = 0.01,
    ) -> None:
        super().__init__()
        self.u = get_emb(n_users, n_factors, -init, init)
        self.m = get_emb(n_movies, n_factors, -init, init)
        self.ub = get_emb(n_users, 1, -init, init)
        self.mb = get_emb(n_movies, 1, -init, init)
        self.rating_range = rating_range

    def forward(self, cats: Tensor, conts: Tensor) -> Tensor:
        """Return the predicted ratings (B,), inside the rating range."""
        users, movies = cats[:, 0], cats[:, 1]
        x = (self.u(users) * self.m(movies)).sum(1) + self.ub(users).squeeze(1) + self.mb(movies).squeeze(1)
        lo, hi = self.rating_range
        return torch.sigmoid(x) * (hi - lo) + lo


class CollabModel(EmbeddingDotBias):
    """The learner's model: EmbeddingDotBias from a wider start, with fastai's names `i` and `ib` for the movies."""

    def __init__(
        self, n_users: int, n_movies: int, n_factors: int = 50, rating_range: tuple[float, float] = (0.5, 5.0)
    ) -> None:
        super().__init__(n_users, n_movies, n_factors, rating_range, init=0.05)

    @property
    def i(self) -> nn.Embedding:
        """The movies' factors."""
        return self.m

    @property
    def ib(self) -> nn.Embedding:
        """The movies' biases."""
        return self.mb


class EmbeddingNet(Module):
    """Feed both embeddings, side by side, to a small network with one hidden layer.

    The sigmoid reaches half a star beyond both ends of the range, so that the extreme ratings are within easy reach.
    p1: dropout of the embeddings; p2: dropout of the hidden layer.
    """

    def __init__(
        self,
        n_users: int,
        n_movies: int,
        n_factors: int = 50,
        rating_range: tuple[float, float] = (0.5, 5.0),
        nh: int = 10,
        p1: float = 0.05,
        p2: float = 0.5,
    ) -> None:
        super().__init__()
        self.u = get_emb(n_users, n_factors)
        self.m = get_emb(n_movies, n_factors)
        self.lin1 = nn.Linear(2 * n_factors, nh)
        self.lin2 = nn.Linear(nh, 1)
        self.drop1 = nn.Dropout(p1)
        self.drop2 = nn.Dropout(p2)
        self.rating_range = rating_range

    def forward(self, cats: Tensor, conts: Tensor) -> Tensor:
        """Return the predicted ratings (B,)."""
        x = self.drop1(torch.cat([self.u(cats[:, 0]), self.m(cats[:, 1])], dim=1))
        x = self.drop2(F.relu(self.lin1(x)))
        lo, hi = self.rating_range
        return torch.sigmoid(self.lin2(x)).squeeze(1) * (hi - lo + 1) + lo - 0.5


LessonModel = EmbeddingDot | EmbeddingDotBias | EmbeddingNet

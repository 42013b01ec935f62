"""Adam that leaves alone what a batch does not name: another method than torch's Adam, with another result."""

from collections.abc import Callable
from typing import TypedDict, Unpack, overload

import torch
from torch import Tensor, nn
from torch.optim import Adam


class AdamOptions(TypedDict, total=False):
    """What Adam takes besides the learning rate."""

    betas: tuple[float, float]
    eps: float
    weight_decay: float


class SparseAdam(Adam):
    """Move, of every embedding, only the rows that the batch's ratings name; other weights move as Adam moves them.

    The decay (L2) and the running means of a row stand still between its ratings, so a rare row is pulled to zero less
    often and wants more weight decay than in Adam. torch.optim.SparseAdam does the same, but knows no decay.
    A row whose gradient is zero in all its numbers counts as not named.
    """

    def __init__(self, model: nn.Module, lr: float = 1e-3, **options: Unpack[AdamOptions]) -> None:
        super().__init__(model.parameters(), lr, **options)
        self.tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take Adam's step, and put back what no rating named."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        before = [(table, ~table.grad.any(1), self._numbers(table)) for table in self.tables if table.grad is not None]
        super().step()
        for table, others, numbers in before:
            for now, then in zip(self._parts(table), numbers, strict=True):
                now.copy_(torch.where(others[:, None], then, now))
        return loss

    def _parts(self, table: Tensor) -> tuple[Tensor, ...]:
        state = self.state[table]
        return table, state["exp_avg"], state["exp_avg_sq"]

    def _numbers(self, table: Tensor) -> tuple[Tensor, ...]:
        """Return copies of the weights and their running means, which are 0 before the first step."""
        zeros = torch.zeros_like(table)
        state = self.state[table]
        means = (state.get(name, zeros) for name in ("exp_avg", "exp_avg_sq"))
        return tuple(part.detach().clone() for part in (table, *means))

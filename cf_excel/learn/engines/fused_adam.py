"""Adam with L2 decay, which moves every row at every step, in one pass over a row for all the steps that it waited.

torch.optim.Adam does at every step, for every weight w, with its means m and v of the gradient g and of its square:
    g = g + wd * w;  m += (1 - beta1) * (g - m);  v = beta2 * v + (1 - beta2) * g * g
    w -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)
No step may be left out, but a row that no rating needs can wait: when it is needed, it takes the same steps one after
the other in the processor's nearest cache, where torch reads and writes the whole tables at every step. SparseAdam
leaves such steps out.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from cf_excel.learn.engines.loop import Loss
from cf_excel.learn.engines.packed_loop import NO_ROWS, PackedLoop, Part, padded, why_not
from cf_excel.learn.model_data import ColumnarModelData, Columns
from cf_excel.learn.models import CollabModel, EmbeddingDot, EmbeddingDotBias, EmbeddingNet
from cf_excel.learn.sparse_adam import SparseAdam

WINDOW = 1024  # steps between two times when every row is brought up to date


class FusedAdam(PackedLoop):
    """Train one of the lesson's models with Adam; slots are w, m, v and the gradient that waits to be taken."""

    name = "fused"
    n_slots = 4
    state_names = ("exp_avg", "exp_avg_sq")

    def __post_init__(self) -> None:
        self.net = self.model if isinstance(self.model, EmbeddingNet) else None
        if self.net:
            n_hidden, width = self.net.lin1.out_features, padded(self.net.u.embedding_dim + 2)
            size = padded(2 * n_hidden * width + 2 * n_hidden + 1)
            self.layers = torch.zeros((1, self.n_slots, size), dtype=self.dtype)
        super().__post_init__()

    @classmethod
    def refuses(cls, model: nn.Module, opt: Optimizer, crit: Loss, data: ColumnarModelData) -> str:
        """Return why this fit can't be done here, "" where it can."""
        if type(model) not in (EmbeddingDot, EmbeddingDotBias, CollabModel, EmbeddingNet):
            return f"it fits the lesson's models, not {type(model).__name__}"
        group = opt.param_groups[0]
        if (
            type(opt) not in (Adam, SparseAdam)
            or group["amsgrad"]
            or group["maximize"]
            or group.get("decoupled_weight_decay")
        ):
            return "it needs torch.optim.Adam, without amsgrad, maximize or decoupled decay"
        if len({float(state["step"]) for state in opt.state.values()}) > 1:
            return "it needs weights that took the same number of steps"
        return why_not(cls.device, model, opt, crit, data)

    def prepare(self) -> None:
        """Set rates and layers up and compile."""
        from cf_excel.learn.engines import adam_kernels  # numba is loaded by the fits that it runs

        self.kernels = adam_kernels
        group = self.opt.param_groups[0]
        self.betas = [float(beta) for beta in group["betas"]]
        numbers = (*self.betas, group["eps"], group["weight_decay"])
        self.rule = (*map(np.float32, numbers), type(self.opt) is Adam)
        self.tables = tuple(table.numpy() for table in (self.users, self.movies, self.last_user, self.last_movie))
        has_range, low, span = self.output
        beyond = 0.5 if self.net else 0.0  # how far EmbeddingNet reaches past both ends of the range
        self.output = (has_range, np.float32(low - beyond), np.float32(span + 2 * beyond))
        self.rates, self.roots = np.zeros((2, WINDOW + 1), np.float32)
        self.n_steps = 0
        self.steps_before = int(next((state["step"] for state in self.opt.state.values() if "step" in state), 0))
        self.batches(NO_ROWS, torch.empty(0, dtype=torch.int64))
        self.catch_up()

    def batches(self, rows: Columns, order: Tensor) -> np.ndarray:
        """Train on these rows, a batch at a time, and return the loss of each batch."""
        n = -(-len(order) // self.bs)
        if self.n_steps + n > WINDOW:
            self.catch_up()
        self._set_rates(n)
        losses = np.empty(n)
        tables = (*self.tables, self.n_factors)
        steps = (self.rates, self.roots, self.rule, self.n_steps)
        ratings = (order.numpy(), rows.cats.numpy(), rows.y.numpy(), self.bs)
        if not self.net:
            self.kernels.train_dot(tables, *steps, *ratings, self.output, losses)
        else:
            dropout = (self.net.lin1.out_features, float(self.net.drop1.p), float(self.net.drop2.p))
            seed = torch.randint(2**63 - 1, ()).item() if any(dropout[1:]) and n else 0
            layers = self.layers.numpy()
            self.kernels.train_net(tables, layers, *steps, *ratings, self.output, dropout, np.uint64(seed), losses)
        self.n_steps += n
        return losses

    def catch_up(self) -> None:
        """Bring every row up to date and start a new window."""
        users, movies, last_user, last_movie = self.tables
        tables = [(users, last_user), (movies, last_movie)]
        if self.net:
            tables.append((self.layers.numpy(), np.array([self.n_steps], np.int32)))
        for table, last in tables:
            self.kernels.catch_up(table, last, self.n_steps, self.rates, self.roots, self.rule)
        self.set_ones()
        self.steps_before += self.n_steps
        self.n_steps = 0

    def _set_rates(self, n: int) -> None:
        """Set learning rate and bias corrections of the next n steps."""
        steps = self.steps_before + self.n_steps + 1 + np.arange(n)
        here = slice(self.n_steps + 1, self.n_steps + 1 + n)
        self.rates[here] = self.lrs(n) / (1 - self.betas[0] ** steps)
        self.roots[here] = 1 / np.sqrt(1 - self.betas[1] ** steps)

    def finish(self) -> None:
        """Bring every row up to date and copy weights and state back to the model and the optimizer."""
        super().finish()
        for weights in self.model.parameters():
            self.opt.state[weights]["step"] = torch.tensor(float(self.steps_before))

    def parts(self) -> Iterator[tuple[Tensor, Part, Tensor]]:
        """Yield the tables of the model and its layers, as one row, with where they are packed."""
        yield from super().parts()
        if not self.net:
            return
        lin1, lin2, n = self.net.lin1, self.net.lin2, self.n_factors
        n_hidden, width = lin1.out_features, self.width
        n_inner = 2 * n_hidden * width
        flat = self.layers[0].T  # (size, n_slots)
        inner = self.layers[0, :, :n_inner].reshape(self.n_slots, n_hidden, 2, width)
        yield lin1.weight, np.s_[:, :n], inner[:, :, 0, :n].transpose(0, 1)
        yield lin1.weight, np.s_[:, n:], inner[:, :, 1, :n].transpose(0, 1)
        yield lin1.bias, np.s_[:], flat[n_inner : n_inner + n_hidden]
        yield lin2.weight, np.s_[0], flat[n_inner + n_hidden : n_inner + 2 * n_hidden]
        yield lin2.bias, np.s_[:], flat[n_inner + 2 * n_hidden : n_inner + 2 * n_hidden + 1]

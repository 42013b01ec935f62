"""Adam on a GPU, with a step as one CUDA graph: the host starts a step with one call instead of dozens.

The first steps and the last, short batch of an epoch run as TorchLoop's do.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from cf_excel.learn.engines.loop import Loss, TorchLoop
from cf_excel.learn.engines.packed_loop import why_not
from cf_excel.learn.model_data import ColumnarModelData
from cf_excel.learn.models import CollabModel, EmbeddingDot, EmbeddingDotBias, EmbeddingNet
from cf_excel.learn.sparse_adam import SparseAdam

WARM_UP = 3  # steps after which libraries have set themselves up and the optimizer has its state


class GraphLoop(TorchLoop):
    """Train the lesson's models with Adam or SparseAdam on a CUDA GPU; the steps are torch's own."""

    name = "graph"
    device = "cuda"
    packages = ()

    @classmethod
    def refuses(cls, model: nn.Module, opt: Optimizer, crit: Loss, data: ColumnarModelData) -> str:
        """Return why this fit can't be done here, "" where it can."""
        if type(model) not in (EmbeddingDot, EmbeddingDotBias, EmbeddingNet, CollabModel):
            return f"it fits the lesson's models, not {type(model).__name__}"  # what another does can't be recorded
        if type(opt) not in (Adam, SparseAdam):
            return "it needs torch.optim.Adam"
        return why_not(cls.device, model, opt, crit, data)

    def __post_init__(self) -> None:
        super().__post_init__()
        device = next(self.model.parameters()).device
        # a graph can't see numbers of Python change: rates and counts of steps must live on the GPU
        self._lrs = [torch.tensor(float(lr), device=device) for lr in self.base_lrs]
        for group in self.opt.param_groups:
            group["capturable"] = device.type == "cuda"
        for state in self.opt.state.values():
            state["step"] = state["step"].to(device)
        self._inputs: tuple[Tensor, ...] = ()
        self._replay: Callable[[], None] | None = None

    def finish(self) -> None:
        """Give the optimizer its learning rates back, as numbers."""
        self._set_lrs(1.0)

    def _batch(self, cats: Tensor, conts: Tensor, y: Tensor) -> None:
        for group, lr, base in zip(self.opt.param_groups, self._lrs, self.base_lrs, strict=True):
            group["lr"] = lr.fill_(base * self.lr_factor(self.step))
        if self.step < WARM_UP or len(y) < self.bs:
            self.opt.zero_grad()
            self._learn(cats, conts, y)
        else:
            if self._replay is None:
                self._inputs = cats.clone(), conts.clone(), y.clone()
                self.opt.zero_grad()  # so that the recorded step sets gradients, and adds to none
                self._replay = self._record(lambda: self._learn(*self._inputs))
            for kept, given in zip(self._inputs, (cats, conts, y), strict=True):
                kept.copy_(given)
            self._replay()
        self.step += 1

    def _record(self, step: Callable[[], None]) -> Callable[[], None]:
        """Record what a step does on the GPU, and return what does it again."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        return graph.replay

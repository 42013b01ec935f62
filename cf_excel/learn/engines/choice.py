"""Which loop runs a fit: torch's for everything, another one where it does the same many times faster."""

from importlib.util import find_spec

from torch import nn
from torch.optim import Optimizer

from cf_excel.errors import InputError
from cf_excel.learn.engines.cuda_sgd import CudaSGD
from cf_excel.learn.engines.fused_adam import FusedAdam
from cf_excel.learn.engines.graph_loop import GraphLoop
from cf_excel.learn.engines.lazy_sgd import LazySGD
from cf_excel.learn.engines.loop import Loop, Loss, TorchLoop
from cf_excel.learn.model_data import ColumnarModelData

FAST = (LazySGD, FusedAdam, CudaSGD, GraphLoop)
ENGINES = ("auto", "torch", *dict.fromkeys(loop.name for loop in FAST))


def pick_engine(name: str, model: nn.Module, opt: Optimizer, crit: Loss, data: ColumnarModelData) -> type[Loop]:
    """Return the loop of that name; "auto" is the first one that can do the fit, else torch's.

    Raises InputError for an unknown name and for a loop that can't do it.
    """
    if name not in ENGINES:
        raise InputError(f"engine {name!r}: expected one of {', '.join(ENGINES)}")
    device = next(model.parameters()).device.type
    loops = [loop for loop in FAST if name in (loop.name, "auto")]
    reasons = []
    for loop in sorted(loops, key=lambda loop: loop.device != device):
        missing = [package for package in loop.packages if not find_spec(package)]
        reason = (
            f"it needs {missing[0]}: python -m pip install {missing[0]}"
            if missing
            else loop.refuses(model, opt, crit, data)
        )
        if not reason:
            return loop
        reasons.append(reason)
    if name in ("auto", "torch"):
        return TorchLoop
    raise InputError(f"engine {name} can't do this fit: {reasons[0]}; use --engine auto")

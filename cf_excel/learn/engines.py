"""Which loop runs a fit: torch's for everything, a compiled one where it does the same many times faster."""

from importlib.util import find_spec

from torch import nn
from torch.optim import Optimizer

from cf_excel.errors import InputError
from cf_excel.learn.columns import ColumnarModelData
from cf_excel.learn.fused_adam import FusedAdam
from cf_excel.learn.lazy_sgd import LazySGD
from cf_excel.learn.loop import Loop, Loss, TorchLoop

COMPILED = (LazySGD, FusedAdam)
ENGINES = ("auto", "torch", *(loop.name for loop in COMPILED))


def pick_engine(name: str, model: nn.Module, opt: Optimizer, crit: Loss, data: ColumnarModelData) -> type[Loop]:
    """Return the loop of that name; "auto" is the first compiled one that can do the fit, else torch's.

    Raises InputError for an unknown name and for a loop that can't do it.
    """
    if name not in ENGINES:
        raise InputError(f"engine {name!r}: expected one of {', '.join(ENGINES)}")
    for loop in COMPILED:
        if name in ("auto", loop.name):
            reason = loop.refuses(model, opt, crit, data) if find_spec("numba") else "it needs numba: install it"
            if not reason:
                return loop
            if name == loop.name:
                raise InputError(f"engine {name} can't do this fit: {reason}; use --engine auto")
    return TorchLoop

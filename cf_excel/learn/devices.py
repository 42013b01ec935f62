"""Where tensors live."""

import torch

from cf_excel.errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is CUDA where there is one, else MPS, else the CPU.

    Raises InputError for an unknown name and for a device that this machine does not have.
    """
    if name not in DEVICES:
        raise InputError(f"device {name!r}: expected one of {', '.join(DEVICES)}")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, available in there.items() if available))
    if not there[name]:
        raise InputError(f"device {name}: PyTorch finds none on this machine; use auto or cpu")
    return torch.device(name)

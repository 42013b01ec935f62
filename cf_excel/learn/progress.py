"""What a fit tells while it runs and after, and how Ctrl-C ends it without losing what was learnt."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to: the smoothed training loss; loss and metrics on the validation rows, NaN without any."""

    number: int
    train_loss: float
    val_loss: float
    metrics: tuple[float, ...]
    seconds: float


@dataclass
class History:
    """The epochs of a fit and its engine; `stopped` says where Ctrl-C ended it, and is "" where it ran to its end."""

    epochs: list[Epoch] = field(default_factory=list)
    stopped: str = ""
    engine: str = ""


class Progress:
    """Hear how a fit goes; override what you want to show."""

    def begin(self, n_epochs: int, n_batches: int, n_rows: int) -> None:
        """Hear the size: batches and rows are those of one epoch."""

    def batches(self, step: int, loss: float) -> None:
        """Hear the smoothed loss after `step` batches of the fit, now and then."""

    def epoch(self, epoch: Epoch) -> None:
        """Hear what an epoch came to."""

    def stopped(self, where: str) -> None:
        """Hear that Ctrl-C ended the fit, after which batch."""


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event; a second one interrupts at once.

    Where Ctrl-C is ignored, as in a job in the background of a script, it stays so: it is meant for others there.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # only the main thread may handle signals
        return
    before = signal.getsignal(signal.SIGINT) or signal.SIG_DFL
    if before is signal.SIG_IGN:
        yield event
        return

    def note(signum: int, frame: FrameType | None) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)

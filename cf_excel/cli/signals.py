"""End at SIGTERM as at Ctrl-C: in order, so that temporary files go."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# told to end; the terminal is gone; Ctrl-Break on Windows
_NAMES = ("SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let the signals that end a process at once raise SystemExit with their exit code, such as 143 for SIGTERM.

    Works as a decorator, too. A handler that is there already stays, and afterwards all is as it was.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def end(signum: int, frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # another one must not break off the cleaning up
        raise SystemExit(128 + signum)

    try:
        for number in numbers:
            signal.signal(number, end)
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)

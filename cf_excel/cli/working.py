"""A line that says on a terminal what a command is at, once it was silent for a second; it goes when that is done.

Where it is known how much there is to do, a bar in it shows the share that is done.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from threading import Event, RLock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from cf_excel.cli.plain_text import shown

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

SILENCE = 1.0  # seconds; no line is shown before
_TICK = 0.1
_BAR_WIDTH = 20

Tell = Callable[[int, int], None]  # how much is done, and of how much


class _Line:
    """What a thread shows on stderr; whoever prints takes it away first."""

    def __init__(self, text: str) -> None:
        self.text, self.share = text, 0.0
        self._live: Live | None = None
        self._began = self._heard = monotonic()
        self._line_is_whole = True  # what is printed ends with one
        self._lock = RLock()
        self._ended = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    @contextmanager
    def hidden(self, whole: bool) -> Iterator[None]:
        """Take the line away while something is printed, and until there is silence behind a whole line again."""
        with self._lock:
            self._hide()
            try:
                yield
            finally:
                self._heard, self._line_is_whole = monotonic(), whole

    def end(self) -> None:
        """Take the line away for good."""
        self._ended.set()
        self._thread.join()
        self._hide()

    def _watch(self) -> None:
        with suppress(OSError, ValueError):  # the terminal has gone away
            while not self._ended.wait(_TICK):
                if self._is_silent():
                    self._show()

    def _is_silent(self) -> bool:
        return self._line_is_whole and monotonic() - self._heard >= SILENCE

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live

        with self._lock:
            if self._live is None and self._is_silent():
                self._live = Live(
                    get_renderable=self._drawn,
                    console=Console(stderr=True),
                    transient=True,
                    auto_refresh=False,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()
            if self._live is not None:
                self._live.refresh()

    def _drawn(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        seconds, share = int(monotonic() - self._began), self.share
        sign = r"-\|/"[int(monotonic() / _TICK) % 4]
        line = Text(f"{sign} {seconds // 60}:{seconds % 60:02} {shown(self.text)}", no_wrap=True, overflow="ellipsis")
        if not 0 < share < 1:
            return line
        row = Table.grid(padding=(0, 1))
        row.add_column(no_wrap=True, overflow="ellipsis")
        row.add_column(width=_BAR_WIDTH)
        row.add_column(width=len("100%"), justify="right")
        row.add_row(line, ProgressBar(1, share, _BAR_WIDTH), f"{int(100 * share)}%")
        return row

    def _hide(self) -> None:
        if self._live is not None:
            with suppress(OSError, ValueError):
                self._live.stop()
            self._live = None


_lines: list[_Line] = []


@contextmanager
def working_line(text: str) -> Iterator[None]:
    """Show what a command is at while it is silent, where stderr is a terminal; doing() changes the text."""
    if not sys.stderr.isatty():
        yield
        return
    _lines.append(_Line(text))
    try:
        yield
    finally:
        _lines.pop().end()


@contextmanager
def doing(text: object) -> Iterator[Tell]:
    """Let the line, where there is one, say another text, with a bar once it is told how much of the work is done."""
    line = _lines[-1] if _lines else None
    if line is None:
        yield lambda done, of: None
        return

    def tell(done: int, of: int) -> None:
        line.share = min(done / max(of, 1), 1.0)

    before = line.text, line.share
    line.text, line.share = str(text), 0.0
    try:
        yield tell
    finally:
        line.text, line.share = before


def line_hidden(whole: bool = True) -> AbstractContextManager[None]:
    """Take the line away while something is printed. whole: it ends with the end of a line."""
    return _lines[-1].hidden(whole) if _lines else nullcontext()

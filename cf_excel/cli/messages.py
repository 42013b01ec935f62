"""What commands say: lines that any terminal may show, and an output that may go away while the work goes on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from cf_excel.cli.plain_text import shown
from cf_excel.cli.working import line_hidden


def say(*lines: object) -> None:
    """Print lines on stdout."""
    for line in lines:
        print(shown(line), flush=True)


def note(text: object) -> None:
    """Print on stderr what somebody may want to know."""
    complain(f"note: {text}")


def complain(text: object) -> None:
    """Print a line on stderr, or nowhere if that is closed."""
    with suppress(OSError, ValueError), line_hidden():
        print(shown(text), file=sys.stderr)


class _Output:
    """A stream that takes what is written even when nobody reads it any longer, so that work is not lost for that."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.fault: OSError | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        try:
            with line_hidden(text.endswith("\n")):
                return self._stream.write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Flush what was written, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        self.fault = self.fault or error
        with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
            # Python writes what is left in its buffer again and again, in the end to nowhere
            os.dup2(nowhere.fileno(), self._stream.fileno())
            self._stream.flush()


@contextmanager
def lasting_output() -> Iterator[_Output]:
    """Put a stdout in place that bears a closed pipe or a full disk, and tells of it by its fault.

    A stdout or stderr that was closed from the start leads to nowhere: the next file to be opened would take its place.
    """
    streams = sys.stdout, sys.stderr
    nowhere: Any = None if all(streams) else open(os.devnull, "w")  # noqa: SIM115
    sys.stdout, sys.stderr = (stream or nowhere for stream in streams)
    if hasattr(sys.stdout, "reconfigure"):
        # names of files and sheets may hold what the terminal's encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    output = _Output(sys.stdout)
    sys.stdout = output  # it has all of a stream's attributes
    try:
        yield output
    finally:
        output.flush()
        sys.stdout, sys.stderr = streams
        if nowhere:
            nowhere.close()

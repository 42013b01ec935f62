"""Run a command of ours again and again, and end the process without a word at each moment at which it touches a disk.

Arguments: a workbook, the path of its copy, and the command, with COPY for that path. Prints what became of the copy,
one outcome a moment, until the command gets through.
"""

import builtins
import hashlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

WATCHED = ("write", "replace", "rename", "unlink", "remove", "fsync", "chmod", "open", "close")
moments = 0


def end_at(fatal: int) -> None:
    """Count the calls that may change a disk, and end the process before the fatal one."""

    def watched(call: Callable) -> Callable:
        def counted(*args: object, **options: object) -> object:
            global moments
            moments += 1
            if moments == fatal:
                os._exit(9)
            return call(*args, **options)

        return counted

    for name in WATCHED:
        setattr(os, name, watched(getattr(os, name)))
    opened = builtins.open

    class Raw(io.FileIO):
        write = watched(io.FileIO.write)

    def opening(file: object, mode: str = "r", *args: object, **options: object) -> object:
        if "b" in mode and ("w" in mode or "+" in mode or "a" in mode):
            # unbuffered and in small pieces, so that the process can end in the middle of a file
            return Pieces(Raw(file, mode.replace("b", "")))
        return opened(file, mode, *args, **options)

    class Pieces(io.BufferedWriter):
        def write(self, data: bytes) -> int:
            view = memoryview(data)
            step = max(1, len(view) // 4)
            for start in range(0, len(view), step):
                super().write(view[start : start + step])
                super().flush()
            return len(view)

    builtins.open = io.open = opening


def run_until(fatal: int, command: list[str]) -> int:
    """Run the command in a child that ends at a moment; return its exit code, 9 where it was ended."""
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr = io.StringIO()
        end_at(fatal)
        os._exit(main(command))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    original, copy, *command = sys.argv[1:]
    # what is loaded late would count, too
    import scipy.optimize  # noqa: F401

    import cf_excel.learn.table_fit
    import cf_excel.ratings.workbooks
    import cf_excel.sheets.own.fill_own  # noqa: F401
    from cf_excel.cli import main

    before, outcomes, code = Path(original).read_bytes(), [], 9
    while code == 9:
        Path(copy).write_bytes(before)
        code = run_until(len(outcomes) + 1, [part.replace("COPY", copy) for part in command])
        found = Path(copy).read_bytes()
        outcomes.append({"code": code, "as_it_was": found == before, "digest": hashlib.sha256(found).hexdigest()})
    print(json.dumps(outcomes))

"""Hand the spreadsheet's calls to the Python that has cf_excel; LibreOffice runs this in its own Python."""

from __future__ import annotations  # that Python may be 3.8, which can't evaluate them

import contextlib
import json
import os
import subprocess
import threading
from typing import Any

PYTHON = "@PYTHON@"
PACKAGE = "@PACKAGE@"
_AGAIN = "run python -m cf_excel libreoffice install again"
_lock = threading.Lock()
_process: subprocess.Popen[str] | None = None


def call(name: str, arguments: Any) -> Any:
    """Return what a function gives, as a single value or a tuple of rows."""
    request = json.dumps({"function": name, "arguments": arguments}, default=str) + "\n"
    with _lock:
        try:
            reply = _ask(request) or _ask(request)  # once more where the process had ended
        except OSError as error:
            return f"{name}: can't start {PYTHON} ({error.strerror}): {_AGAIN}"
    if not reply:
        return f"{name}: {PYTHON} gives no answer: {_AGAIN}"
    answer = json.loads(reply)
    if "error" in answer:
        return f"{name}: {answer['error']}"
    result = answer["result"]
    return tuple(map(tuple, result)) if isinstance(result, list) else result


def _ask(request: str) -> str:
    """Return the reply of the process, which is started where none runs; "" where it ended."""
    global _process
    process = _process = _process or _start()
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(request)
        process.stdin.flush()
        reply = process.stdout.readline()
    except OSError:
        reply = ""
    if not reply:
        _stop()
    return reply


def _stop() -> None:
    global _process
    if _process:
        with contextlib.suppress(OSError), _process:  # what was not sent is lost
            _process.kill()
    _process = None


def _start() -> subprocess.Popen[str]:
    # LibreOffice may set variables for its own Python
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["PYTHONPATH"] = PACKAGE
    return subprocess.Popen(
        [PYTHON, "-m", "cf_excel.udf.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env=environment,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


g_exportedScripts = (call,)

"""The parts of a workbook, changed where it lies."""

import zipfile
from collections.abc import Callable
from pathlib import Path


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Change the parts of a workbook where it lies."""
    with zipfile.ZipFile(path) as package:
        parts = [(entry, change(entry.filename, package.read(entry))) for entry in package.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for entry, content in parts:
            package.writestr(entry, content)
    return path

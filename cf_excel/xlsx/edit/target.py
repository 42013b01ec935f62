"""Where the workbook that is replaced is kept."""

import os
from pathlib import Path


def backup_path(path: Path) -> Path:
    """Return a name beside a file that is free: name.bak.xlsx, name.bak2.xlsx and so on."""
    n = 1
    while True:
        candidate = path.with_name(f"{path.stem}.bak{n if n > 1 else ''}{path.suffix}")
        if not os.path.lexists(candidate):
            return candidate
        n += 1

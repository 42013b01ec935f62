"""The file that a workbook is written to: whether it may be replaced, and where what it was is kept."""

import os
from pathlib import Path

from cf_excel.errors import FileError, OpenInExcelError
from cf_excel.files import followed


def check_writable(path: Path) -> None:
    """Raise FileError where a workbook is read-only or open elsewhere, OpenInExcelError where Excel has it."""
    if os.path.isdir(path):
        raise FileError(f"{path} is a folder: expected a workbook")
    # a program that opens a link may lock beside the link or beside the file that it leads to
    for place in dict.fromkeys((path, followed(path))):
        locks = (f"~${place.name}", "Excel", OpenInExcelError), (f".~lock.{place.name}#", "LibreOffice", FileError)
        for lock, program, error in locks:
            if os.path.exists(place.with_name(lock)):
                raise error(f"{path} is open in {program} ({lock} is there): close it, or pass --out for a copy")
    if os.path.exists(path) and not _may_write(path):
        raise FileError(f"{path} is read-only: make it writable, or pass --out for a copy")


def backup_path(path: Path) -> Path:
    """Return a name beside a file that is free: name.bak.xlsx, name.bak2.xlsx and so on."""
    n = 1
    while True:
        candidate = path.with_name(f"{path.stem}.bak{n if n > 1 else ''}{path.suffix}")
        if not os.path.lexists(candidate):
            return candidate
        n += 1


def _may_write(path: Path) -> bool:
    # root may write what is marked as read-only for everybody, but it is marked so for a reason
    return os.access(path, os.W_OK) and bool(path.stat().st_mode & 0o222)

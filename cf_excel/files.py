"""Write a file whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cf_excel.errors import FileError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a temporary file beside the target that takes its place when the block ends well.

    When the block fails, the target is as it was and the temporary file is gone. Raises FileError where the system
    refuses.
    """
    path = Path(path)
    if path.is_dir():
        raise FileError(f"{path} is a folder: expected the name of a file")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise FileError(f"can't write {path}: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        temporary.chmod(mode & 0o777)
        os.replace(temporary, path)
    except PermissionError as error:
        raise FileError(f"can't replace {path}: it is open in another program or write-protected; close it") from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it where there are none. Raises FileError where the system refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"can't make the folder {path}: {error.strerror or error}") from error


def _umask() -> int:
    # mkstemp makes files that only their owner can read; the system tells the mask only by setting it
    mask = os.umask(0)
    os.umask(mask)
    return mask

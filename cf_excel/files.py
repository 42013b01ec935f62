"""Write a file whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cf_excel.errors import FileError


def followed(path: Path) -> Path:
    """Return the file that a link leads to, through other links; the path itself where it is no link.

    Raises FileError for links in a circle.
    """
    if not os.path.islink(path):
        return path
    target = Path(os.path.realpath(path))
    if os.path.islink(target):
        raise FileError(f"{path} is a link that leads in a circle: pass the file itself")
    return target


@contextlib.contextmanager
def replacing(path: Path, like: Path | None = None) -> Iterator[Path]:
    """Give the path of a temporary file beside the target that takes its place when the block ends well.

    A link stays one: the file that it leads to is replaced. like: whose owner and mode a new file gets; one that is
    there keeps its own. When the block fails, the target is as it was and the temporary file is gone. Raises FileError
    where the system refuses.
    """
    path = followed(Path(path))
    if os.path.isdir(path):
        raise FileError(f"{path} is a folder: expected the name of a file")
    try:
        # a part of the name, because the whole may be as long as a name may be
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    except OSError as error:
        raise FileError(f"can't write {path}: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        model = path if path.exists() else like
        if model:
            _make_alike(temporary, model)
        else:
            temporary.chmod(0o666 & ~_umask())
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


def _make_alike(path: Path, model: Path) -> None:
    """Give a file the mode of another one and, where the system lets us, its owner, group and extended attributes."""
    if hasattr(os, "chown"):
        found = model.stat()
        for owner in (found.st_uid, -1):  # only root gives files away; the group alone may be set by its members
            with contextlib.suppress(OSError):
                os.chown(path, owner, found.st_gid)
                break
    shutil.copystat(model, path)
    os.utime(path)  # the content is new


def _umask() -> int:
    # mkstemp makes files that only their owner can read; the system tells the mask only by setting it
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Write a file whole or not at all."""

import contextlib
import os
import platform
import re
import secrets
import shutil
import stat
import time
import zlib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from cf_excel.errors import FileError, OpenInExcelError

# a temporary file's name: the target's, where it is written, by which process, and a number that nobody guesses
_TEMPORARY = re.compile(r"\..{1,40}\.cf_excel-([0-9a-f]{8})-([0-9]{1,9})-[0-9a-f]{16}\.tmp", re.DOTALL)
_ABANDONED_SECONDS = 24 * 60 * 60

# what this process has put in place, in order: whoever breaks off a command wants to know
written: list[Path] = []


def not_there(path: Path, what: str = "file") -> FileError:
    """Return the error for a path where nothing is, with the name beside it that is likely meant.

    That is the same with an ending, which Windows' Explorer does not show, or one that looks like it.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent))
    except (OSError, ValueError):
        names = []
    same = [name for name in names if name.rpartition(".")[0].casefold() == path.name.casefold()]
    close = same or get_close_matches(path.name, names, 1, 0.8)
    hint = f": did you mean {path.parent / close[0]}?" if close else ""
    return FileError(f"{path}: no such {what}{hint}")


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


def check_target(path: Path, inputs: Iterable[Path | None] = ()) -> None:
    """Raise FileError, in one line, where a file can't be written or must not be replaced; nothing is changed.

    That is: a folder, a device or a pipe; a file that is read-only or open in another program (OpenInExcelError where
    Excel has it); one of the inputs, by whatever name; a folder that is not there and can't be made, or that can't be
    written to. inputs: the files that the command reads; None and those that are not there do not count.
    """
    path = Path(path)
    _check_replaceable(path, inputs)
    folder = followed(path).absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise FileError(f"can't write {path}: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"can't write {path}: the folder {folder} can't be written to; choose another one")


def check_source(path: Path) -> None:
    """Raise FileError for what may never end, a device, a pipe or a socket, without opening it.

    A file, a folder and what is not there pass: whoever opens them says more.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise FileError(f"{path} is {_kind_of(mode)}, which is never read: save what it holds as a file and pass that")


@contextlib.contextmanager
def replacing(path: Path, like: Path | None = None, *, private: bool = False) -> Iterator[Path]:
    """Give the path of a temporary file beside the target that takes its place when the block ends well.

    A link stays one: the file that it leads to is replaced. like: whose owner and mode a new file gets; one that is
    there keeps its own. private: a file that its owner alone can read, from its first byte on. When the block fails,
    the target is as it was and the temporary file is gone; those of processes that were killed are removed. Raises
    FileError where the system refuses and for what check_target says of the target.
    """
    _check_replaceable(Path(path))
    path = followed(Path(path))
    _remove_abandoned(path.parent)
    # a part of the name, because the whole may be as long as a name may be
    temporary = path.with_name(f".{path.name[:40]}.cf_excel-{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.tmp")
    try:  # from before there is a file, because a signal may end this anywhere
        _create(temporary, path)
        yield temporary
        _check_replaceable(path)
        model = path if path.exists() else like
        if model and not private:
            _make_alike(temporary, model)
        elif not private:
            temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
        written.append(path)
    except PermissionError as error:
        raise FileError(f"can't replace {path}: it is open in another program or write-protected; close it") from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # what made the block fail says more
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it where there are none. Raises FileError where the system refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"can't make the folder {path}: {error.strerror or error}") from error


def _check_replaceable(path: Path, inputs: Iterable[Path | None] = ()) -> None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        found = None
    except (OSError, ValueError) as error:
        followed(path)  # says more of links in a circle
        raise FileError(f"can't write {path}: {getattr(error, 'strerror', None) or error}") from None
    if found:
        _check_kind(path, found.st_mode)
        for given in inputs:
            if given is not None and _is_same(path, given):
                raise FileError(f"{path} is what is read here ({given}): choose another file to write to")
    _check_locks(path)
    # root may write what is marked as read-only for everybody, but it is marked so for a reason
    if found and not (os.access(path, os.W_OK) and found.st_mode & 0o222):
        raise FileError(f"{path} is read-only: make it writable, or choose another file to write to")


def _check_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise FileError(f"{path} is a folder: expected the name of a file")
    if not stat.S_ISREG(mode):
        raise FileError(f"{path} is {_kind_of(mode)}, which is never replaced: expected the name of a file")


def _kind_of(mode: int) -> str:
    return {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}.get(stat.S_IFMT(mode), "a device")


def _check_locks(path: Path) -> None:
    # a program that opens a link may lock beside the link or beside the file that it leads to
    for place in dict.fromkeys((path, followed(path))):
        locks = (f"~${place.name}", "Excel", OpenInExcelError), (f".~lock.{place.name}#", "LibreOffice", FileError)
        for lock, program, error in locks:
            if os.path.exists(place.parent / lock):
                raise error(
                    f"{path} is open in {program} ({lock} is there): close it, or choose another file to write to"
                )


def _is_same(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def _create(temporary: Path, path: Path) -> None:
    try:
        temporary.touch(0o600, exist_ok=False)
    except FileNotFoundError as error:
        raise FileError(f"can't write {path}: there is no folder {path.parent}; make it first") from error
    except OSError as error:
        raise FileError(f"can't write {path}: {error.strerror}") from error


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder, as far as the system lets us."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match and entry.is_file(follow_symlinks=False) and _is_abandoned(entry, *match.groups()):
                with contextlib.suppress(OSError):
                    os.unlink(entry)


def _is_abandoned(entry: os.DirEntry, machine: str, process: str) -> bool:
    # of another machine's processes, and on Windows, where os.kill is no question, only the age is known
    if machine != _machine() or os.name != "posix":
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_SECONDS
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's
        return False
    return False


def _machine() -> str:
    """Return a number for where the numbers of processes mean the same: the machine, and the container on it."""
    container = ""
    with contextlib.suppress(OSError, AttributeError):  # only Linux tells
        container = os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(f'{platform.node()} {container}'.encode(errors='replace')):08x}"


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
    # temporary files can be read by their owner alone; the system tells the mask only by setting it
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Files are written whole or not at all, and nothing is replaced that must not be."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cf_excel.errors import FileError, OpenInExcelError
from cf_excel.files import check_source, check_target, not_there, replacing


def write(path, text="new"):
    with replacing(path) as temporary:
        temporary.write_text(text)


def refused(path, inputs=(), *, by_replacing=True):
    """Return what is said of a target, the same by both functions; nothing is left beside it."""
    before = sorted(path.parent.iterdir()) if path.parent.is_dir() else None
    with pytest.raises(FileError) as error:
        check_target(path, inputs)
    if by_replacing:
        with pytest.raises(FileError) as again:
            write(path)
        assert str(again.value) == str(error.value)
    assert before is None or sorted(path.parent.iterdir()) == before
    return str(error.value)


@pytest.fixture
def special(tmp_path):
    """A pipe, a socket and, for root, a device, all in a folder of the test."""
    if os.name != "posix":
        pytest.skip("Windows has no such files in folders")
    kinds = {"pipe": tmp_path / "pipe", "socket": tmp_path / "socket"}
    os.mkfifo(kinds["pipe"])
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(kinds["socket"]) if len(str(kinds["socket"])) > 100 else str(kinds["socket"]))
    try:
        os.mknod(tmp_path / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        kinds["device"] = tmp_path / "device"
    except OSError:
        pass  # only root makes devices, and not everywhere
    return kinds


def test_only_regular_files_are_replaced(special, tmp_path):
    for kind, path in special.items():
        before = path.stat()
        link = tmp_path / f"link to {kind}"
        link.symlink_to(path)
        for name in (path, link):
            assert refused(name) == f"{name} is a {kind}, which is never replaced: expected the name of a file"
        assert (path.stat().st_mode, path.stat().st_ino) == (before.st_mode, before.st_ino)
    assert "is a folder: expected the name of a file" in refused(tmp_path)


def test_what_may_never_end_is_not_read(special, tmp_path):
    for kind, path in special.items():
        with pytest.raises(FileError) as error:
            check_source(path)
        assert (
            str(error.value) == f"{path} is a {kind}, which is never read: save what it holds as a file and pass that"
        )
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "x\0y", Path(__file__)):
        check_source(path)


def test_what_takes_the_targets_place_meanwhile_is_not_replaced(tmp_path):
    if os.name != "posix":
        pytest.skip("Windows has no such files in folders")
    target = tmp_path / "target"
    with pytest.raises(FileError, match="is a pipe"), replacing(target):
        os.mkfifo(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_commands_own_input_is_not_replaced(tmp_path):
    given, other = tmp_path / "given.csv", tmp_path / "other.csv"
    for path in (given, other):
        path.write_text("mine")
    (tmp_path / "folder").mkdir()
    names = [given, tmp_path / "folder" / ".." / "given.csv", tmp_path / "hard", tmp_path / "soft"]
    os.link(given, names[2])
    names[3].symlink_to(given)
    for name in names:
        said = f"{name} is what is read here ({given}): choose another file to write to"
        assert refused(name, [None, other, tmp_path / "none", given], by_replacing=False) == said
        assert "is what is read here" in refused(given, [name], by_replacing=False)
    check_target(given, [None, other, tmp_path / "none"])
    check_target(tmp_path / "new.csv", [given])


def test_read_only_files_stay(tmp_path):
    path = tmp_path / "mine"
    path.write_text("mine")
    path.chmod(stat.S_IREAD)
    assert refused(path) == f"{path} is read-only: make it writable, or choose another file to write to"
    assert path.read_text() == "mine"
    path.chmod(stat.S_IREAD | stat.S_IWRITE)
    write(path)
    assert path.read_text() == "new"


def test_files_that_are_open_elsewhere_stay(tmp_path):
    path = tmp_path / "mine"
    for lock, program in (("~$mine", "Excel"), (".~lock.mine#", "LibreOffice")):
        (tmp_path / lock).write_bytes(b"me")
        assert f"is open in {program} ({lock} is there): close it, or choose" in refused(path)
        (tmp_path / lock).unlink()
    (tmp_path / "~$mine").write_bytes(b"me")
    with pytest.raises(OpenInExcelError):
        check_target(path)


def test_folders_are_there_or_can_be_made(tmp_path, monkeypatch):
    check_target(tmp_path / "new" / "folder" / "file")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.chdir(tmp_path)
    check_target("file")
    (tmp_path / "taken").write_text("")
    with pytest.raises(FileError, match="Not a directory"):
        write(tmp_path / "taken" / "file")
    assert "taken is no folder" in refused(tmp_path / "taken" / "file", by_replacing=False)
    assert "File name too long" in refused(tmp_path / ("x" * 300))
    assert "null" in refused(tmp_path / "x\0y")
    (tmp_path / "circle").symlink_to("circle")
    assert "is a link that leads in a circle" in refused(tmp_path / "circle")
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    said = f"can't write {tmp_path / 'file'}: the folder {tmp_path} can't be written to; choose another one"
    assert refused(tmp_path / "file", by_replacing=False) == said


KILLED = """if True:
    import os, signal, sys
    from cf_excel.files import replacing
    with replacing(sys.argv[1]) as temporary:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("name", "meant"),
    [("My scores", "My scores.xlsx"), ("my SCORES", "My scores.xlsx"), ("My scores.xslx", "My scores.xlsx")],
)
def test_a_name_that_is_not_there_is_met_by_one_that_is(tmp_path, name, meant):
    (tmp_path / "My scores.xlsx").touch()
    assert str(not_there(tmp_path / name)) == f"{tmp_path / name}: no such file: did you mean {tmp_path / meant}?"
    assert str(not_there(tmp_path / "orders.csv")) == f"{tmp_path / 'orders.csv'}: no such file"
    assert str(not_there(tmp_path / "no" / name)) == f"{tmp_path / 'no' / name}: no such file"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal that kills")
def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "big.xlsx")], check=False)
    assert done.returncode == -signal.SIGKILL
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    write(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_files_of_others_and_of_running_processes_stay(tmp_path):
    with replacing(tmp_path / "mine.xlsx") as running:
        name = running.name
        process = str(os.getpid())
        elsewhere = re.sub(r"cf_excel-[0-9a-f]{8}", "cf_excel-0123abcd", name)
        assert process in name
        assert elsewhere != name
        others = [name[1:], f"{name}.xlsx", f".{name}", elsewhere, ".mine.xlsx.abcdefgh.tmp", ".mine.cf_excel-1.tmp"]
        for other in others:
            (tmp_path / other).write_text("mine")
        (tmp_path / elsewhere.replace("0123abcd", "4567abcd")).mkdir()
        folder = {path.name for path in tmp_path.iterdir()}
        write(tmp_path / "other")
        assert {path.name for path in tmp_path.iterdir()} == folder | {"other"}
        running.write_text("new")
    assert (tmp_path / "mine.xlsx").read_text() == "new"
    two_days_ago = time.time() - 2 * 24 * 60 * 60
    for other in others:
        os.utime(tmp_path / other, (two_days_ago, two_days_ago))
    write(tmp_path / "other")
    assert {path.name for path in tmp_path.iterdir()} == folder - {name, elsewhere} | {"other", "mine.xlsx"}


def test_a_private_file_is_nobody_elses_at_any_time(tmp_path):
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        for text in ("old", "new"):
            with replacing(path, private=True) as temporary:
                assert os.name != "posix" or temporary.stat().st_mode & 0o777 == 0o600
                temporary.write_text(text)
            assert path.read_text() == text
            assert os.name != "posix" or path.stat().st_mode & 0o777 == 0o600
            path.chmod(0o644)  # a wider mode is not taken over
        with replacing(path) as temporary:
            assert os.name != "posix" or temporary.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
    assert os.name != "posix" or path.stat().st_mode & 0o777 == 0o644

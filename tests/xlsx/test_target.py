"""The file that solve and write replace: who else has it open, who may write it, links, modes and backups."""

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.owned import make
from support.printed import refused

from cf_excel.cli import main


@pytest.fixture
def path(tmp_path) -> Path:
    return make(tmp_path / "mine.xlsx")


def test_an_open_workbook_is_left_alone(path, capsys):
    for lock, program in (("~$mine.xlsx", "Excel"), (".~lock.mine.xlsx#", "LibreOffice")):
        (path.parent / lock).write_bytes(b"me")
        assert f"is open in {program} ({lock} is there): close it, or choose another file to write to" in refused(
            path, capsys
        )
        assert main(["solve", str(path), "--out", str(path.with_stem("copy"))]) == 0
        capsys.readouterr()
        (path.parent / lock).unlink()


def test_a_read_only_workbook_is_left_alone(path, capsys):
    path.chmod(stat.S_IREAD)
    assert "is read-only: make it writable, or choose another file to write to" in refused(path, capsys)


def test_a_workbook_that_others_may_not_write_is_left_alone(tmp_path):
    """A folder that anybody may write is no leave to replace somebody else's file in it."""
    if os.name != "posix" or os.getuid():
        pytest.skip("only root can become another user")
    script = """if True:
        import os, sys
        from pathlib import Path
        from cf_excel.errors import FileError
        from cf_excel.files import check_target
        os.setgid(65534), os.setuid(65534)
        for name in sys.argv[1:]:
            try:
                check_target(Path(name))
                print("may")
            except FileError as error:
                print(error)
    """
    with tempfile.TemporaryDirectory() as folder:  # the other user can't enter tmp_path
        Path(folder).chmod(0o777)
        files = [make(Path(folder) / name) for name in ("mine.xlsx", "theirs.xlsx")]
        os.chown(files[1], 65534, 65534)
        done = subprocess.run([sys.executable, "-c", script, *files], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.endswith("mine.xlsx is read-only: make it writable, or choose another file to write to")
    assert second == "may"


def test_backups_do_not_overwrite_each_other(path):
    first = path.read_bytes()
    assert main(["solve", str(path), "--backup"]) == 0
    second = path.read_bytes()
    assert main(["solve", str(path), "--backup", "--optimizer", "sgd", "--steps", "5"]) == 0
    assert path.with_name("mine.bak.xlsx").read_bytes() == first
    assert path.with_name("mine.bak2.xlsx").read_bytes() == second


@pytest.mark.parametrize("same", [True, False])
def test_what_out_replaces_is_backed_up(path, same):
    out = path if same else make(path.with_name("other.xlsx"), lambda workbook, _: workbook.add_worksheet("mine"))
    before = out.read_bytes()
    assert main(["solve", str(path), "--out", str(out), "--backup"]) == 0
    assert out.read_bytes() != before
    assert out.with_stem(f"{out.stem}.bak").read_bytes() == before


def test_a_backup_has_the_mode_of_what_it_keeps(path):
    path.chmod(0o600)
    assert main(["solve", str(path), "--backup"]) == 0
    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
        "mine.xlsx": 0o600,
        "mine.bak.xlsx": 0o600,
    }


def test_owner_and_attributes_stay(path):
    if os.name != "posix" or os.getuid():
        pytest.skip("only root can give files away")
    os.chown(path, 65534, 65533)
    with contextlib.suppress(OSError):  # not every disk has them
        os.setxattr(path, "user.note", b"mine")
    attributes = os.listxattr(path)
    assert main(["solve", str(path), "--backup"]) == 0
    for file in (path, path.with_name("mine.bak.xlsx")):
        assert (file.stat().st_uid, file.stat().st_gid) == (65534, 65533)
        assert os.listxattr(file) == attributes


def test_locks_are_looked_for_where_a_link_leads(path, capsys):
    folder = path.parent / "links"
    folder.mkdir()
    link = folder / "link.xlsx"
    link.symlink_to(path)
    for lock in (path.with_name(".~lock.mine.xlsx#"), path.with_name("~$mine.xlsx"), link.with_name("~$link.xlsx")):
        lock.write_bytes(b"me")
        assert f"link.xlsx is open in {'Libre' if '#' in lock.name else 'Excel'}" in refused(link, capsys)
        lock.unlink()


def test_out_may_be_a_link(path, capsys):
    target, link = make(path.with_name("target.xlsx")), path.with_name("link.xlsx")
    link.symlink_to(target.name)
    before = target.read_bytes()
    assert main(["solve", str(path), "--out", str(link), "--backup"]) == 0
    assert link.is_symlink()
    assert target.read_bytes() != before
    assert path.with_name("target.bak.xlsx").read_bytes() == before
    link.unlink()
    link.symlink_to(link.name)
    capsys.readouterr()
    assert "is a link that leads in a circle" in refused(path, capsys, "--out", str(link))


def test_names_without_a_file_and_long_ones(path, capsys, monkeypatch):
    monkeypatch.chdir(path.parent)
    assert "is a folder: expected the name of a file" in refused(Path(""), capsys)
    long = path.with_name("x" * 245 + ".xlsx")
    path.rename(long)
    assert main(["solve", str(long), "--backup"]) == 0
    capsys.readouterr()
    assert "File name too long" in refused(path.with_name("x" * 251 + ".xlsx"), capsys)
    assert "File name too long" in refused(long, capsys, "--backup", "--out", str(long.with_stem("x" * 251)))


def test_links_and_modes_stay(path):
    path.chmod(0o640)
    link = path.with_name("link.xlsx")
    link.symlink_to(path)
    assert main(["solve", str(link)]) == 0
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert main(["solve", str(path), "--dry-run"]) == 0

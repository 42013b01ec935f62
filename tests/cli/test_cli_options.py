"""What the options name is checked before any work is done: nothing is written that must not be."""

import argparse
import os
import stat

import pytest
from support.owned import make
from support.recommenders import random_factors

from cf_excel.cli import main, make_parser
from cf_excel.cli.options import ratings_options
from cf_excel.model.file import save_factors

TABLE = "userId,movieId,rating\n1,2,3\n2,2,4\n1,3,5\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a model, a workbook and a folder of ratings, which stays as it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CF_EXCEL_MODEL", "model")
    save_factors(random_factors("bayes"), "model")
    make(tmp_path / "book.xlsx")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ratings.csv").write_text(TABLE)
    return tmp_path


def refused(command, folder, capsys):
    """Return the line that a command is refused with; nothing may be done or change."""

    def state():
        return {
            path: (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*")
        }

    before = state()
    assert main(command.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert state() == before
    return captured.err


COMMANDS = [
    ("export --out out.xlsx", "out.xlsx"),
    ("solve book.xlsx --out out.xlsx", "out.xlsx"),
    ("write book.xlsx --out out.xlsx", "out.xlsx"),
    ("build --out . --only collab", "collab_filter.xlsx"),
    ("build --out . --only functions", "collab_filter.xlsm"),
    ("build --out . --only functions", "collab_filter_libreoffice.xlsx"),
    ("build --out . --only gradient", "gradient_descent.xlsm"),
    ("plot --out .", "biases.svg"),
    ("evaluate --out .", "results.md"),
    ("evaluate --out .", "scoreboard.png"),
]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pipes in folders")
@pytest.mark.parametrize(("command", "target"), COMMANDS)
def test_a_pipe_is_never_replaced(command, target, folder, capsys):
    os.mkfifo(folder / target)
    assert f"{target} is a pipe, which is never replaced: expected the name of a file\n" in refused(
        command, folder, capsys
    )


@pytest.mark.parametrize(("command", "target"), COMMANDS)
def test_read_only_and_open_files_stay(command, target, folder, capsys):
    (folder / target).write_text("mine")
    for lock in (f"~${target}", f".~lock.{target}#"):
        (folder / lock).write_text("me")
        assert f"({lock} is there): close it" in refused(command, folder, capsys)
        (folder / lock).unlink()
    (folder / target).chmod(stat.S_IREAD)
    assert f"{target} is read-only" in refused(command, folder, capsys)


@pytest.mark.parametrize(("command", "target"), [case for case in COMMANDS if "book.xlsx" not in case[0]])
def test_what_somebody_else_wrote_stays(command, target, folder, capsys):
    make(folder / target)
    line = refused(command, folder, capsys)
    out = "FILE" if command.startswith("export") else "DIR"
    assert f"{target} was not written by cf_excel, or by an older one: --backup keeps it beside the new one, " in line
    assert line.endswith(f"--force replaces it, --out {out} writes elsewhere\n")


def test_a_workbook_that_was_worked_in_stays(folder, capsys):
    """The numbers that solve fitted are work of the workbook's owner."""
    options = ["build", "--ratings", "data", "--top-users", "2", "--top-movies", "2", "--only", "collab"]
    path, kept = folder / "collab_filter.xlsx", folder / "collab_filter.bak.xlsx"
    assert main(options) == main(["solve", str(path)]) == 0
    solved = path.read_bytes()
    capsys.readouterr()
    assert "collab_filter.xlsx was changed since cf_excel wrote it: --backup" in refused(
        " ".join(options), folder, capsys
    )
    assert main([*options, "--backup"]) == 0
    assert kept.read_bytes() == solved != path.read_bytes()
    assert "the former collab_filter.xlsx is collab_filter.bak.xlsx" in capsys.readouterr().out
    new = path.read_bytes()
    path.write_bytes(solved)
    assert main([*options, "--force"]) == 0
    assert path.read_bytes() == new
    assert sorted(found.name for found in folder.glob("*.bak*")) == [kept.name]


def test_what_is_changed_while_a_command_works_stays(folder, capsys, monkeypatch):
    path = folder / "collab_filter.xlsx"
    monkeypatch.setattr("cf_excel.cli.build.make_folder", lambda _: path.write_text("mine"))
    assert main(["build", "--ratings", "data", "--only", "collab"]) == 2
    assert "collab_filter.xlsx was not written by cf_excel" in capsys.readouterr().err
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("command", "target", "given"),
    [
        ("export --out hard.xlsx", "hard.xlsx", "model"),
        ("export --model other --out hard.xlsx", "hard.xlsx", "other"),
        ("write book.xlsx --out hard.xlsx", "hard.xlsx", "model"),
        ("build --ratings data/ratings.csv --only collab", "collab_filter.xlsx", "data/ratings.csv"),
        ("build --ratings data --only gradient", "gradient_descent.xlsm", "data/ratings.csv"),
        ("plot --ratings data --movies movies --out .", "map.png", "movies"),
        ("plot --model other --out .", "predictions.svg", "other"),
        ("evaluate --user-features users --out .", "results.json", "users"),
        ("evaluate --movie-features movies --out .", "scoreboard.svg", "movies"),
    ],
)
def test_what_a_command_reads_is_not_replaced(command, target, given, folder, capsys):
    for name in ("other", "users", "movies"):
        (folder / name).write_text("mine")
    os.link(folder / given, folder / target)
    assert f"{target} is what is read here ({given}): choose another" in refused(command, folder, capsys)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no devices in folders")
@pytest.mark.parametrize(
    "command",
    [
        "predict 1 2 --model {}",
        "recommend 1 --model {}",
        "similar 1 --model {}",
        "rate 1=5 --model {}",
        "plot --model {} --out .",
        "export --model {} --out out.xlsx",
        "write book.xlsx --model {} --out out.xlsx",
        "write {} --dry-run",
        "solve {} --dry-run",
        "doctor {}",
        "build --ratings {} --out .",
        "build --movies {} --out .",
        "evaluate --user-features {} --out .",
        "evaluate --movie-features {} --out .",
    ],
)
def test_what_may_never_end_is_not_opened(command, folder, capsys):
    os.mkfifo(folder / "pipe")
    for given, kind in ((os.devnull, "device"), ("pipe", "pipe")):
        assert f"{given} is a {kind}, which is never read: save" in refused(command.format(given), folder, capsys)


def test_other_files_of_a_folder_of_ratings_may_be_replaced(folder, capsys):
    for _ in range(2):
        options = ["--top-users", "2", "--top-movies", "2", "--only", "collab"]
        assert main(["build", "--ratings", "data", "--out", "data", *options]) == 0
    assert (folder / "data" / "collab_filter.xlsx").is_file()


def test_the_button_that_trains_reads_the_table_that_was_built_from():
    given = [
        *("--ratings", "/data/scores.xlsx", "--item-column", "Part no", "--rating-range", "1", "5"),
        *("--sheet", "2025", "--range", "B:D", "--form", "grid", "--items-down", "--not-rated", "0", "-1"),
        *("--skip-bad", "--encoding", "cp1252", "--date-format", "DD/MM/YYYY"),
    ]
    built = vars(make_parser().parse_args(["build", *given]))
    trained = vars(make_parser().parse_args(["train", *ratings_options(argparse.Namespace(**built))]))
    names = ("ratings", "movie_column", "rating_range", "sheet", "cells", "form", "items_down", "not_rated", "skip_bad")
    for name in (*names, "encoding", "date_format"):
        assert trained[name] == built[name] is not None, name
    assert trained["split"] == "random"

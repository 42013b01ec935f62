"""train --memory: the model of the plain way, with what is as long as the ratings in files."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cf_excel.cli import main
from cf_excel.learn.bayes import search, sparse_rows, tuning
from cf_excel.ratings import rating_rows, spill

LITTLE_MEMORY = str(Path(__file__).parents[1] / "support" / "little_memory.py")
OPTIONS = ("--split", "hash", "--lists", "score", "--device", "cpu")


def plant(folder: Path, n_users: int, n_movies: int, n: int) -> str:
    """Write n ratings in two files, with times, and some pairs twice."""
    rng = np.random.default_rng(1)
    pairs = rng.choice(n_users * n_movies, n - n // 100, replace=False)
    pairs = np.append(pairs, pairs[: n // 100])
    users, movies = pairs // n_movies, pairs % n_movies
    p, q = rng.normal(size=(n_users, 2)), rng.normal(size=(n_movies, 2))
    rating = np.clip(np.round(3 + np.einsum("nk,nk->n", p[users], q[movies]) + rng.normal(size=n) / 2), 1, 5)
    times = rng.integers(10**9, 2 * 10**9, n)
    table = pd.DataFrame({"user": users, "movie": movies, "rating": rating, "timestamp": times})
    folder.mkdir()
    for number in range(2):
        table[number::2].to_parquet(folder / f"{number}.parquet", row_group_size=max(n // 10, 1))
    return str(folder)


@pytest.mark.parametrize("more", [(), ("--no-tune", "--lists", "rating", "--no-seen")])
def test_the_model_has_the_bytes_of_the_plain_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    folder = plant(tmp_path / "sales", 60, 50, 2500)
    for module, name in ((search, "MANY_RATINGS"), (search, "FEW_RATINGS"), (tuning, "MANY_RATINGS")):
        monkeypatch.setattr(module, name, 600)
    train = ["train", "--ratings", folder, *OPTIONS, *more, "--epochs", "3", "--factors", "3", "--out"]
    assert main([*train, str(tmp_path / "plain")]) == 0
    whole = capsys.readouterr()
    in_files: list[int] = []
    usual = spill._in_file
    monkeypatch.setattr(spill, "_in_file", lambda n, *rest: in_files.append(n) or usual(n, *rest))
    monkeypatch.setattr(spill, "_SMALL", 1)
    monkeypatch.setattr(spill, "BLOCK_ROWS", 300)
    monkeypatch.setattr(rating_rows, "_STORED_ROWS", 400)
    for module in (spill, sparse_rows):
        monkeypatch.setattr(module, "SORTED_ROWS", 700)
    assert main([*train, str(tmp_path / "spilled"), "--memory", "20kB"]) == 0
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "spilled").read_bytes()
    spilled = capsys.readouterr()
    assert whole.err == spilled.err
    assert len(in_files) > 50


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA, which counts no files in memory, is Linux's")
def test_it_fits_where_the_plain_way_has_too_little_memory(tmp_path: Path) -> None:
    folder = plant(tmp_path / "sales", 3000, 1000, 1_200_000)
    train = ["train", "--ratings", folder, *OPTIONS, "--no-tune", "--epochs", "1", "--factors", "2", "--out"]
    frugal = {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    frugal |= {"MALLOC_MMAP_THRESHOLD_": "500000", "MALLOC_TRIM_THRESHOLD_": "1000000"}  # what is freed is given back

    def run(most: int, out: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, LITTLE_MEMORY, str(most), *train, str(tmp_path / out), *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | frugal)

    unlimited, plain, spilled = run(0, "whole"), run(95, "plain"), run(95, "spilled", "--memory", "5MB")
    assert (unlimited.returncode, spilled.returncode, spilled.stderr) == (0, 0, unlimited.stderr)
    assert plain.returncode == 2
    assert plain.stderr.splitlines()[-1].endswith("not enough memory for this table and these options")
    assert not (tmp_path / "plain").exists()
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "spilled").read_bytes()


@pytest.mark.parametrize("size", ["2", "GB", "2 XB", "0GB", "-1GB", "two"])
def test_what_is_no_size_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", f"--memory={size}"])
    assert stopped.value.code == 2
    assert f"--memory: {size!r}: expected a size like 2GB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--split", "hash", "--workers", "2"), "--memory is for one process: 2 have a part of the ratings each"),
        (("--split", "hash", "--kind", "dot"), "--memory is for --kind bayes"),
        (("--split", "hash", "--kind", "picks"), "--memory is for --kind bayes: picks has"),
        ((), "--memory is for a folder of Parquet files, with --split hash or none"),
    ],
)
def test_what_it_is_not_for_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    folder = plant(tmp_path / "sales", 10, 10, 60)
    assert main(["train", "--ratings", folder, "--memory", "2GB", *options, "--out", str(tmp_path / "model")]) == 2
    assert told in capsys.readouterr().err


def test_it_is_for_no_table_and_no_launcher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("user,movie,rating\n1,1,3\n")
    train = ["train", "--split", "hash", "--memory", "1.5 GiB", "--out", str(tmp_path / "model")]
    for ratings in ([], ["--ratings", str(table)]):
        assert main([*train, *ratings]) == 2
        assert "--memory is for a folder of Parquet files" in capsys.readouterr().err


def test_a_full_disk_is_a_line_that_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plant(tmp_path / "sales", 10, 10, 60)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(spill, "_MOST_BYTES", 10**15)
    train = ["train", "--ratings", folder, *OPTIONS, "--memory", "1kB", "--out", str(tmp_path / "model")]
    assert main(train) == 2
    assert f"{tmp_path} has " in (told := capsys.readouterr().err)
    assert told.count("\n") == 1
    assert "TMPDIR" in told

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import dying_worker
from support.planted import low_rank_ratings

from cf_excel.cli import main
from cf_excel.learn.bayes import processes, tuning
from cf_excel.learn.bayes.tuning import Tuned
from cf_excel.model.file import load_factors
from cf_excel.model.predictor import Predictor

PLANTED = low_rank_ratings(40, 30)
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
TRAIN = ("train", "--split", "random", "--no-tune", "--lists", "rating", "--epochs", "6")


def write_table(path: Path) -> str:
    rows = zip(PLANTED.user_idx, PLANTED.movie_idx, PLANTED.rating, strict=True)
    path.write_text("user,movie,rating\n" + "".join(f"u{user},m{movie},{rating:.2f}\n" for user, movie, rating in rows))
    return str(path)


@pytest.fixture
def table(tmp_path: Path) -> str:
    return write_table(tmp_path / "mine.csv")


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that two workers train of `table`, undisturbed."""
    folder = tmp_path_factory.mktemp("two")
    out = folder / "model"
    assert main([*TRAIN, "--ratings", write_table(folder / "mine.csv"), "--workers", "2", "--out", str(out)]) == 0
    return out


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_two_workers_train_the_model_of_one(table: str, of_two: Path, tmp_path: Path) -> None:
    assert main([*TRAIN, "--ratings", table, "--workers", "1", "--out", str(tmp_path / "one")]) == 0
    one, two = load_factors(tmp_path / "one"), load_factors(of_two)
    assert [two.record.get(name) for name in ("workers", "engine")] == [2, "torch.distributed, gloo"]
    assert "workers" not in one.record
    assert one.metric("val_mse") == pytest.approx(two.metric("val_mse"), abs=1e-6)
    everyone = np.repeat(np.arange(40), 30), np.tile(np.arange(30), 40)
    predictions = [Predictor(model).predict_rows(*everyone) for model in (one, two)]
    np.testing.assert_allclose(*predictions, atol=2e-5)


def test_a_table_that_is_drawn_is_fitted_by_one_process(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "tune", lambda _, settings, *rest: Tuned(replace(settings, draws=10), {"draws": 10}))
    models = [tmp_path / "one", tmp_path / "two"]
    for path, n in zip(models, ("1", "2"), strict=True):
        command = ["train", "--split", "random", "--ratings", table, "--lists", "rating", "--quiet"]
        assert main([*command, "--workers", n, "--out", str(path)]) == 0
    assert load_factors(models[0]).record["settings"]["draws"]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--workers", "0"], "--workers 0: expected 1 or more"),
        (["--workers", "2", "--kind", "collab"], "--workers is for --kind bayes"),
        (["--workers", "2", "--kind", "picks"], "--workers is for --kind bayes: picks is trained by one process"),
        (["--workers", "2", "--device", "mps"], "--device mps with 2 workers: they run on the CPU, leave it out"),
        (["--workers", "41"], "41 workers for 40 users: expected at most as many workers as users"),
        (["--workers", "2", "--explicit", "--checkpoint", "TABLE"], "can't make the folder"),
        (["--checkpoint", "FOLDER"], "has other files and no checkpoint"),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(
    options: list[str], line: str, table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [option.replace("TABLE", table).replace("FOLDER", str(tmp_path)) for option in options]
    assert main(["train", "--split", "random", "--ratings", table, "--out", str(tmp_path / "model"), *options]) == 2
    errors = capsys.readouterr().err
    assert line in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "model").exists()


def test_a_launcher_says_how_many_there_are(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"MASTER_ADDR": "localhost", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    command = ["train", "--ratings", table, "--out", str(tmp_path / "model")]
    assert main([*command, "--workers", "3"]) == 2
    assert "--workers 3: the launcher started 2; leave it out" in capsys.readouterr().err
    assert main([*command, "--kind", "dot"]) == 2
    assert "--workers is for --kind bayes: dot is trained by one process" in capsys.readouterr().err


def test_a_worker_that_can_not_be_started_is_named(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(process: SpawnProcess) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(SpawnProcess, "start", start)
    assert main([*TRAIN, "--ratings", table, "--workers", "2", "--out", str(tmp_path / "model")]) == 2
    assert capsys.readouterr().err == (
        "cf_excel train: worker 1 of 2 can't be started (Resource temporarily unavailable): pass fewer --workers\n"
    )


@pytest.mark.slow
def test_what_rank_0_refuses_ends_the_others(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)  # of a launcher that leaves the others alone
    command = [*TRAIN, "--ratings", table, "--out", str(tmp_path / "model"), "--factors", "0"]
    with subprocess.Popen([sys.executable, "-m", "cf_excel", *command], stderr=-1, text=True) as other:
        monkeypatch.setenv("RANK", "0")
        try:
            assert main(command) == 2
            assert other.communicate(timeout=60) == (None, "")
        finally:
            other.kill()
    assert other.returncode == 0
    assert "factors 0: expected 1 to 256" in capsys.readouterr().err


def test_picks_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "picks.csv"
    path.write_text("user,item\n" + "".join(f"u{row % 7},i{row % 5}\n" for row in range(35)))
    assert main(["train", "--ratings", str(path), "--workers", "2", "--split", "random"]) == 2
    assert "--workers is for ratings, and picks.csv has picks" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_worker_leaves_the_former_model(
    table: str, of_two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    command = [*TRAIN, "--ratings", table, "--out", str(out)]
    before = of_two.read_bytes()
    out.write_bytes(before)
    kept = str(tmp_path / "kept")
    with monkeypatch.context() as patch:
        patch.setattr(processes, "work", dying_worker.dying_work)
        assert main([*command, "--workers", "2", "--checkpoint", kept]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["cf_excel train: worker 1 of 2 was killed (signal 9): the fit can't go on without it"]
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "mine.csv", "model"]
    resumed = tmp_path / "resumed"
    two = [*TRAIN, "--ratings", table, "--workers", "2"]
    capsys.readouterr()
    assert main([*two, "--checkpoint", kept, "--out", str(resumed)]) == 0
    assert capsys.readouterr().out.count("\n6 ") == 1  # each epoch once, from rank 0
    assert resumed.read_bytes() == of_two.read_bytes()
    assert main([*two, "--checkpoint", kept, "--factors", "4", "--out", str(resumed)]) == 2
    assert "is of other settings (n_factors 15, and here 4)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("launcher", [[sys.executable, "-m", "cf_excel"], [*TORCHRUN, "-m", "cf_excel"]])
def test_ctrl_c_keeps_what_the_workers_learnt(launcher: list[str], table: str, tmp_path: Path) -> None:
    out = tmp_path / "model"
    command = [*launcher, *TRAIN, "--ratings", table, "--workers", "2", "--out", str(out)]
    command[command.index("--epochs") + 1] = "1000"
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, start_new_session=True) as running:
        for line in running.stdout:
            if line.startswith("3 "):
                break
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: all of them are told
        _, errors = running.communicate(timeout=60)
    assert load_factors(out).record["stopped"].endswith(" of 1000"), errors
    if TORCHRUN[2] not in launcher:  # it says that it was told to stop
        assert (running.returncode, errors) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_under_torchrun_a_killed_rank_is_an_error_and_restarts_go_on(table: str, of_two: Path, tmp_path: Path) -> None:
    out, kept = tmp_path / "model", tmp_path / "kept"
    dying = (dying_worker.__file__, *TRAIN, "--ratings", table, "--out", str(out), "--checkpoint", str(kept))
    done = run(*TORCHRUN, *dying)
    assert done.returncode == 1
    assert "cf_excel train: worker 0 of 2: another one is gone, so that all stop" in done.stderr
    assert "rank      : 1 (local_rank: 1)\n  exitcode  : -9" in done.stderr
    assert not out.exists()
    shutil.rmtree(kept)
    done = run(*TORCHRUN, "--max-restarts", "1", *dying)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == of_two.read_bytes()


def write_folder(path: Path) -> str:
    """Write a folder of Parquet files with the ratings of `table`, and titles."""
    pytest.importorskip("pyarrow")
    columns = {"user": PLANTED.user_idx, "product": PLANTED.movie_idx, "rating": PLANTED.rating}
    sales = pd.DataFrame(columns).assign(title=[f"Chair {i}" for i in PLANTED.movie_idx])
    path.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(sales)), 3)):
        sales.iloc[rows].to_parquet(path / f"{number}.parquet", row_group_size=100)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return write_folder(tmp_path / "sales")


@pytest.fixture(scope="module")
def of_two_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that two workers train of `folder`."""
    path = tmp_path_factory.mktemp("parts")
    command = [*OF_PARTS, "--ratings", write_folder(path / "sales"), "--workers", "2", "--out", str(path / "model")]
    assert main(command) == 0
    return path / "model"


OF_PARTS = ("train", "--split", "hash", "--no-tune", "--epochs", "6", "--quiet")


def test_workers_read_their_parts_of_a_folder(folder: str, of_two_parts: Path, tmp_path: Path) -> None:
    assert main([*OF_PARTS, "--ratings", folder, "--workers", "1", "--out", str(tmp_path / "one")]) == 0
    one, two = load_factors(tmp_path / "one"), load_factors(of_two_parts)
    predictions = [Predictor(model).predict(model.user_ids[:, None], model.movie_ids) for model in (one, two)]
    np.testing.assert_allclose(*predictions, atol=2e-5)
    assert two.titles.tolist() == one.titles.tolist() != [""] * 30
    for name in ("data_hash", "n_train", "n_validation", "source", "rating_values"):
        assert one.record[name] == two.record[name]
    assert two.record["workers"] == 2
    chosen = ["train", "--split", "hash", "--ratings", folder, "--workers", "2", "--quiet", "--lists", "rating"]
    assert main([*chosen, "--out", str(tmp_path / "few")]) == 0  # so few are one process's work
    assert "workers" not in load_factors(tmp_path / "few").record


def test_what_is_wrong_with_a_folder_is_said_once(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*OF_PARTS, "--ratings", folder, "--workers", "2", "--out", str(tmp_path / "model")]
    assert main([*command, "--rating-column", "stars"]) == 2
    assert main([*command, "--keep-users", str(tmp_path / "nowhere")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "stars" in told[0]
    assert "nowhere" in told[1]
    sales = pd.read_parquet(folder).assign(rating=1)
    for path in Path(folder).iterdir():
        path.unlink()
    sales.to_parquet(Path(folder) / "0.parquet")
    assert main(["train", "--split", "hash", "--ratings", folder, "--workers", "2", "--quiet"]) == 2
    assert "every rating is 1, as of picks: several processes read ratings, not picks" in capsys.readouterr().err


@pytest.mark.slow
def test_under_torchrun_a_folder_is_read_in_parts(folder: str, of_two_parts: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    done = run(*TORCHRUN, "-m", "cf_excel", *OF_PARTS[:-1], "--json", "--ratings", folder, "--out", str(theirs))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"verdict"') == 1
    assert theirs.read_bytes() == of_two_parts.read_bytes()

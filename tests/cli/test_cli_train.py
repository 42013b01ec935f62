import io
import json
import math
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import load_file, save_file
from support.cell_texts import write
from support.planted import low_rank_ratings

from cf_excel.cli import main
from cf_excel.cli.train import _check_no_worse
from cf_excel.cli.train_report import LinesReport, TerminalReport, choice_words, verdict
from cf_excel.errors import InputError
from cf_excel.learn.progress import Epoch
from cf_excel.model.factors import Factors
from cf_excel.model.file import load_factors, save_factors
from cf_excel.ratings.nouns import USUAL_NOUNS
from cf_excel.ratings.table import Ratings, data_hash
from cf_excel.ratings.validation import validation_rows

SMALL = low_rank_ratings(30, 40)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Ratings:
    """Let the command read the planted ratings."""
    monkeypatch.setattr("cf_excel.ratings.readers.load_ratings", lambda *args, **options: SMALL)
    monkeypatch.setattr("cf_excel.ratings.lesson_ratings.load_lesson_ratings", lambda: SMALL)
    return SMALL


def train(*args: str) -> int:
    return main(["train", "--device", "cpu", "--factors", "4", "--kind", "collab", *args])


def rows_of(printed: str) -> dict[str, list[str]]:
    """Return the cells of the printed table by its first column."""
    lines = printed.splitlines()
    return {line[:18].strip(): line[18:].split() for line in lines[1:] if ":" not in line}


TABLES = {
    "a few": ("a,x,3\nb,x,4\nc,y,5\n", "mine.csv has 3 ratings, too few to hold a fifth of them back"),
    "one": ("a,x,3\n", "mine.csv has 1 rating, too few to hold a fifth of them back"),
    "all equal": ("".join(f"u{i},x,3\n" for i in range(9)), "every rating of mine.csv is 3, so that those held back"),
}


@pytest.mark.parametrize("case", TABLES)
def test_where_nothing_can_be_held_back_one_line_says_what_to_do(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, message = TABLES[case]
    table, out = tmp_path / "mine.csv", tmp_path / "model.safetensors"
    table.write_text("user,item,rating\n" + rows)
    options = ["train", "--ratings", str(table), "--out", str(out)]
    for split in ("lesson", "random"):
        assert main([*options, "--split", split]) == 2
        line = capsys.readouterr().err
        assert message in line
        assert ": pass --split none" in line
        assert not out.exists()
    assert main([*options, "--split", "none"]) == 0
    assert out.exists()


def test_ratings_of_the_file_can_be_given_whatever_the_split_held_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("ann", "abcde"[i % 5], 3 + i % 2, i) for i in range(5)] + [("bob", "a", 1, 98), ("bob", "b", 5, 99)]
    table, out = tmp_path / "mine.csv", tmp_path / "model.safetensors"
    table.write_text("user,item,rating,time\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    more = "".join(f"cid,m{i},4,{i}\n" for i in range(3))
    table.write_text(table.read_text() + more)
    assert main(["train", "--ratings", str(table), "--split", "time", "--out", str(out)]) == 0
    assert load_factors(out).rating_range == (1, 5)
    assert main(["rate", "a=1", "b=5", "--model", str(out)]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("model", ["bayes", "dot", "dot-bias", "net", "collab"])
def test_a_model_is_trained_and_kept(
    model: str, small: Ratings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.safetensors"
    lr = () if model == "bayes" else ("--lr", "0.01")
    assert train("--kind", model, "--epochs", "4", *lr, "--out", str(out)) == 0
    printed = capsys.readouterr().out
    rows = rows_of(printed)
    assert list(rows) == ["epoch", "1", "2", "3", "4", "mean", "user + movie bias"]
    assert printed.splitlines()[-1] == f"model: {out}"
    factors = load_factors(out)
    assert factors.kind == model
    assert factors.user_factors.shape == (30, 4)
    record = factors.record
    assert record["data_hash"] == data_hash(small)
    _, val_mse, val_rmse, val_mae, _ = rows["4"]
    assert [float(val_mse), float(val_rmse), float(val_mae)] == pytest.approx(
        [record["metrics"][f"val_{name}"] for name in ("mse", "rmse", "mae")], abs=1e-4
    )
    truth = small.rating[validation_rows(small, "lesson")]
    assert float(rows["mean"][0]) == pytest.approx(np.square(truth - truth.mean()).mean(), rel=0.1)


@pytest.mark.parametrize("kind", ["bayes", "dot"])
def test_what_lists_rank_by_is_kept_with_the_model(kind: str, small: Ratings, tmp_path: Path) -> None:
    out = tmp_path / "model"
    options = ["--kind", kind, "--epochs", "1", "--out", str(out)]
    for lists in ("score", "watch"):
        assert train(*options, "--lists", lists) == 0
        found = load_factors(out).lists
        assert found is not None
        assert found.by == lists
        assert found.given.shape == (40, 24)
    assert train(*options, "--lists", "rating") == 0
    assert load_factors(out).lists is None
    assert train(*options, "--force") == 0
    usual = load_factors(out).lists
    assert usual is not None
    assert usual.by == "score"


def test_what_lists_rank_by_needs_room_on_the_disk_too(
    small: Ratings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    room = shutil.disk_usage(tmp_path)._replace(free=14_000)  # 49 numbers for each of 40 movies are 7,840 bytes
    monkeypatch.setattr("cf_excel.cli.train.shutil.disk_usage", lambda _: room)
    options = ["--epochs", "1", "--out", str(tmp_path / "model")]
    assert train(*options, "--lists", "rating") == 0
    assert train(*options) == 2
    assert "the model takes about 16 kB, and 14 kB are free there" in capsys.readouterr().err


def test_the_optimizer_is_kept_with_the_model(small: Ratings, tmp_path: Path) -> None:
    out = tmp_path / "model"
    for optimizer, kept, wd in (("lesson", "adam", 2e-4), ("sparse-adam", "sparse-adam", 3e-3)):
        assert train("--epochs", "1", "--optimizer", optimizer, "--out", str(out)) == 0
        settings = load_factors(out).record["settings"]
        assert (settings["optimizer"], settings["wd"]) == (kept, wd)


def test_without_a_name_the_model_is_bayes(small: Ratings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "model"
    assert main(["train", "--out", str(out), "--seed", "5", "--epochs", "8", "--factors", "15"]) == 0
    assert list(rows_of(capsys.readouterr().out))[-4:] == ["7", "8", "mean", "user + movie bias"]
    factors = load_factors(out)
    assert (factors.kind, factors.user_factors.shape, factors.record["seed"]) == ("bayes", (30, 15), 5)


def test_tables_of_features_count(small: Ratings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, ids in (("user", small.user_ids), ("movie", small.movie_ids)):
        lines = [f"{identity},{'ab'[row % 2]},row {row}" for row, identity in enumerate(ids.tolist())]
        (tmp_path / f"{kind}s.csv").write_text("\n".join([f"{kind},group,name", *lines]))
    tables = [f"--{kind}-features={tmp_path / f'{kind}s.csv'}" for kind in ("user", "movie")]
    assert train("--kind", "bayes", *tables, "--no-tune", "--out", str(tmp_path / "m")) == 0
    assert load_factors(tmp_path / "m").record["features"] == ["user group", "movie group"]
    printed = capsys.readouterr()
    assert printed.err.count("left out because no two rows share a value, or all do: name") == 2
    assert "priors" not in printed.out
    assert train("--kind", "bayes", *tables, "--out", str(tmp_path / "m")) == 0
    assert load_factors(tmp_path / "m").record["chosen"]
    assert "\npriors fitted to these ratings: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        (None, "priors: the usual ones, as there is too little to choose by"),
        ({}, "priors: the usual ones suit these ratings best"),
        (
            {"factors": 1 / 32, "sets": 1e4, "iterations": 16},
            "priors fitted to these ratings: factors x 0.031, no effect of the set rated, 16 epochs "
            "(--no-tune keeps the usual ones)",
        ),
        (
            {"factors": 1e4},
            "no pattern was found beyond user + movie bias: the factors are about 0 (--no-tune keeps the usual priors)",
        ),
        (
            {"factors": 1e4, "biases": 1e4},
            "no pattern was found beyond the mean: the factors are about 0 (--no-tune keeps the usual priors)",
        ),
    ],
)
def test_what_was_chosen_is_said_in_a_line(chosen: dict[str, float] | None, line: str) -> None:
    assert choice_words(chosen, USUAL_NOUNS) == line


@pytest.mark.parametrize("split", ["random", "time", "none"])
def test_splits(
    split: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = dict(vars(SMALL), timestamp=np.arange(len(SMALL)))
    names = Ratings.__dataclass_fields__
    ratings = Ratings(**{name: value for name, value in full.items() if name in names})
    monkeypatch.setattr("cf_excel.ratings.lesson_ratings.load_lesson_ratings", lambda: ratings)
    out = tmp_path / "model.safetensors"
    assert train("--split", split, "--seed", "7", "--epochs", "1", "--out", str(out)) == 0
    record = load_factors(out).record
    assert (record["split"], record["seed"]) == (split, 7)
    assert record["n_validation"] == (0 if split == "none" else 120)
    printed = capsys.readouterr().out
    assert ("mean" in rows_of(printed)) == (split != "none")
    assert "nan" not in printed
    assert (rows_of(printed)["1"][1] == "-") == (split == "none")


def test_the_default_place_is_the_one_that_predict_reads(
    small: Ratings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "new" / "mine.safetensors"))
    assert train("--epochs", "1") == 0
    assert load_factors().record["settings"]["epochs"] == 1


@pytest.mark.parametrize(("option", "said"), [("--kind", ""), ("--model", "means a file elsewhere: say --kind dot")])
def test_the_kind_has_a_former_name(
    option: str, said: str, small: Ratings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(option, "dot", "--epochs", "1", "--out", str(tmp_path / "m")) == 0
    assert load_factors(tmp_path / "m").kind == "dot"
    assert capsys.readouterr().err == (f"note: {option} {said}\n" if said else "")


def test_a_model_that_is_no_better_than_the_mean_says_so(
    small: Ratings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--kind", "dot", "--lr", "1e-9", "--out", str(tmp_path / "m")) == 0
    assert "no better than the mean rating" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--epochs", "0"], "epochs 0: expected 1 or more"),
        (["--epochs", "many"], "argument --epochs: 'many': expected a whole number"),
        (["--lr", "nan"], "learning rate nan"),
        (["--lr", "-1"], "learning rate -1"),
        (["--wd", "inf"], "weight decay inf"),
        (["--factors", "0"], "factors 0"),
        (["--factors", "99999999"], "factors 99999999"),
        (["--batch-size", "0"], "batch size 0"),
        (["--seed", "-1"], "seed -1"),
        (["--threads", "0"], "threads 0"),
        (["--device", "tpu"], "device 'tpu': expected one of"),
        (["--split", "half"], "invalid choice: 'half'"),
        (["--split", "time"], "planted ratings has no timestamps"),
        (["--kind", "forest"], "invalid choice: 'forest'"),
        (["--kind", "dot", "--lr", "1e9"], "diverges"),
        (["--kind", "bayes", "--lr", "1"], "--lr is for the lesson's models: leave it out or pass --kind collab"),
        (["--kind", "bayes", "--batch-size", "8"], "--batch-size is for the lesson's models"),
        (["--kind", "bayes", "--epochs", "0"], "epochs 0: expected 1 to 1,000"),
        (["--kind", "bayes", "--factors", "999"], "factors 999: expected 1 to 256"),
        (["--kind", "bayes", "--device", "mps"], "device 'mps': the model bayes runs on cpu and cuda"),
        (["--ratings-only"], "--ratings-only is for --kind bayes"),
        (["--user-features", "u.csv"], "--user-features is for --kind bayes"),
        (["--kind", "bayes", "--user-features", "u.csv"], "u.csv: there is no such file"),
        (["--kind", "bayes", "--ratings-only", "--user-features", "u.csv"], "leaves every feature out"),
        (["--kind", "bayes", "--optimizer", "sparse-adam"], "--optimizer is for the lesson's models"),
        (["--kind", "dot", "--optimizer", "sparse-adam"], "optimizer sparse-adam is for the models net and collab"),
        (["--kind", "net", "--engine", "lazy"], "engine lazy can't do this fit: it fits EmbeddingDot and"),
        (["--kind", "dot", "--engine", "fused"], "engine fused can't do this fit: it needs torch.optim.Adam"),
        (["--out", "missing/model"], "there is no folder missing"),
        (["--out", "."], ". is a folder: expected the name of a file"),
        (["--factors", "9223372036854775807"], "argument --factors: '9223372036854775807': expected a whole number"),
    ],
)
def test_what_can_not_work_is_one_line_and_exit_code_2(
    args: list[str],
    message: str,
    small: Ratings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "default"))
    try:
        code = train(*args)
    except SystemExit as stop:  # argparse's own refusals
        code = stop.code
    assert code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", ["bayes", "collab"])
def test_cuda_without_cuda(
    model: str, small: Ratings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["train", "--kind", model, "--device", "cuda"]) == 2
    assert "device cuda: PyTorch finds none on this machine" in capsys.readouterr().err


def test_a_failed_training_keeps_the_model_that_was_there(small: Ratings, tmp_path: Path) -> None:
    out = tmp_path / "model"
    out.write_text("before")
    assert train("--kind", "dot", "--lr", "1e9", "--out", str(out), "--force") == 2
    assert out.read_text() == "before"


COMMAND = (sys.executable, "-m", "cf_excel", "train", "--device", "cpu", "--kind", "collab")


def test_ctrl_c_keeps_what_was_learnt(tmp_path: Path) -> None:
    out = tmp_path / "model"
    command = [*COMMAND, "--epochs", "500", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            if line.startswith("epoch"):
                break
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        printed, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors
    assert errors == ""
    assert "stopped after batch " in printed
    record = load_factors(out).record
    assert re.fullmatch(r"batch [\d,]+ of 1,251 in epoch \d+ of 500", record["stopped"])
    assert record["metrics"]["val_mse"] < 5


def test_ctrl_c_while_the_lists_are_fitted_keeps_the_model(
    small: Ratings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, out = tmp_path / "plain", tmp_path / "model"
    assert main(["train", "--no-tune", "--lists", "rating", "--out", str(plain)]) == 0

    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("cf_excel.learn.bayes.together.fit_lists", interrupted)
    capsys.readouterr()
    assert main(["train", "--no-tune", "--out", str(out)]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("stopped")]
    assert told == [
        "stopped while the lists were fitted: they rank by the predicted rating; train again to get the list score"
    ]
    kept, whole = load_factors(out), load_factors(plain)
    assert kept.lists is None
    np.testing.assert_array_equal(kept.movie_factors, whole.movie_factors)


def test_a_terminal_shows_a_bar_and_then_the_table(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [*COMMAND, "--epochs", "1", "--batch-size", "512", "--out", str(tmp_path / "model")]
    env = dict(os.environ, TERM="xterm", COLUMNS="120", LINES="40")
    running = subprocess.Popen(command, stdout=follower, stderr=follower, env=env)
    os.close(follower)
    shown = b""
    while chunk := _read(leader):
        shown += chunk
    os.close(leader)
    assert running.wait(60) == 0, shown.decode()
    text = shown.decode()
    for part in ("ratings/s", "val RMSE", "user + movie bias", "└", "model: "):
        assert part in text
    assert load_factors(tmp_path / "model").record["settings"]["batch_size"] == 512


def test_the_bar_shows_loss_speed_and_time_left() -> None:
    report = TerminalReport()
    report.begin(n_epochs=3, n_batches=100, n_rows=6400)
    for step in (50, 100, 150):
        report.batches(step, 0.9 - step / 1000)
        time.sleep(0.01)
    console = Console(file=io.StringIO(), width=120)
    console.print(report.bar)
    shown = console.file.getvalue()
    assert re.search(r"epoch 2/3 .* loss 0\.7500 [\d,]+ ratings/s 0:00:\d\d left", shown), shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""


def worse_than_none(*options: str) -> int:
    return train("--kind", "dot", "--lr", "1e-9", *options)


def test_a_model_that_is_worse_than_none_replaces_nothing(
    small: Ratings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    monkeypatch.setenv("CF_EXCEL_MODEL", str(path))
    assert worse_than_none() == 0  # there is nothing to lose
    assert train("--epochs", "1") == 0
    good = path.read_bytes()
    capsys.readouterr()
    assert worse_than_none() == 2
    assert f"no better than no model: the former one stays in {path}; pass --out FILE" in capsys.readouterr().err
    assert worse_than_none("--out", str(path)) == 2  # what is named is no other file
    assert path.read_bytes() == good
    assert worse_than_none("--force") == 0
    assert path.read_bytes() != good


@pytest.mark.parametrize(
    ("error", "former", "refused"),
    [
        (0.9, {"metrics": {"val_mse": 0.7}, "baselines": [1.0, 0.8]}, "no better than user + movie bias alone"),
        (1.1, {"metrics": {"val_mse": 0.9}, "baselines": [1.0, 0.8]}, "no better than no model"),
        (0.9, {"metrics": {"val_mse": 0.79}}, "user + movie bias alone"),  # an older one, beside the new baselines
        (0.9, {"metrics": {}}, "user + movie bias alone"),  # who was not measured may be good
        (0.9, {"metrics": {"val_mse": 0.7}, "baselines": "none"}, "user + movie bias alone"),
        (0.9, {"metrics": {"val_mse": 7.0}, "baselines": [9.0, 6.0]}, ""),
        (1.1, {"metrics": {"val_mse": 1.2}, "baselines": [1.0, 0.8]}, ""),
        (0.79, {"metrics": {"val_mse": 0.1}, "baselines": [1.0, 0.8]}, ""),
    ],
)
def test_a_model_replaces_none_that_beats_more_baselines(
    error: float, former: dict, refused: str, tiny_factors: Callable[..., Factors], tmp_path: Path
) -> None:
    save_factors(replace(tiny_factors(), record=former), tmp_path / "model")
    new = replace(tiny_factors(), record={"metrics": {"val_mse": error}, "baselines": [1.0, 0.8]})
    with pytest.raises(InputError, match=re.escape(refused)) if refused else nullcontext():
        _check_no_worse(new, tmp_path / "model")
    unmeasured = replace(tiny_factors(), record={"metrics": {}, "baselines": []})
    _check_no_worse(unmeasured, tmp_path / "model")
    _check_no_worse(new, tmp_path / "none")


def test_models_alone_are_replaced(
    small: Ratings, tiny_factors: Callable[..., Factors], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.safetensors"
    quick = ("--epochs", "1", "--split", "none", "--out", str(out))
    out.write_text("my notes")
    assert train(*quick) == 2
    printed = capsys.readouterr()
    assert f"{out} was not written by cf_excel, or by an older one: --backup keeps it" in printed.err
    assert printed.out == ""
    write(tmp_path / "book.xlsx", [["a", 1]])
    assert train(*quick[:-1], str(tmp_path / "book.xlsx")) == 2
    assert "book.xlsx is another kind of file: --backup keeps it" in capsys.readouterr().err
    assert train(*quick, "--backup") == 0
    assert (tmp_path / "model.bak.safetensors").read_text() == "my notes"
    assert train(*quick) == 0  # over its own
    whole = out.read_bytes()
    older = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"]["cf_excel"]
    save_file(load_file(out), out, {"cf_excel": re.sub('"digest": "[^"]*", ', "", older)})
    assert b"sha256" not in out.read_bytes()
    assert train(*quick) == 0  # over one of an older version
    changed = bytearray(out.read_bytes())
    changed[-1] ^= 1
    out.write_bytes(changed)
    assert train(*quick) == 2
    assert "was changed since cf_excel wrote it" in capsys.readouterr().err
    assert out.read_bytes() == changed
    assert train(*quick, "--force") == 0


@pytest.mark.parametrize("option", ["--user-features", "--movie-features"])
def test_what_is_known_before_is_said_before(
    option: str, small: Ratings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cf_excel.learn.bayes.factorization.fit_bayes", lambda *args, **options: pytest.fail("trained"))
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model"))
    missing = tmp_path / "features.csv"
    assert main(["train", option, str(missing)]) == 2
    missing.write_text("id,size\n1,2,3,4\n")
    assert main(["train", option, str(missing)]) == 2
    monkeypatch.setenv("CF_EXCEL_MODEL", str(missing / "model"))
    assert main(["train"]) == 2
    monkeypatch.setattr("cf_excel.cli.train.shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    assert main(["train", "--out", str(tmp_path / "model")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert "there is no such file" in lines[0]
    assert "is no folder" in lines[2]
    assert "0 kB are free there" in lines[3]


def epochs_of(*errors: float) -> list[Epoch]:
    return [Epoch(i + 1, 1.0, error, (0.5,), 0.1) for i, error in enumerate(errors)]


@pytest.mark.parametrize(
    ("errors", "advice"),
    [
        ([0.9, 0.7, 0.6], None),
        ([0.9, 0.6, 0.8, 1.3], "the error rose after epoch 2: pass --epochs 2"),
        ([9.0, 4.0, 2.0], "the error still fell at the end: pass more --epochs"),
        ([1.3, 1.3], "this is no better than the mean rating for everything"),
        ([1.0, 1.0], "this is no better than user + movie bias alone"),
        ([1.0, math.nan], "the error is no number any longer: pass a lower --lr"),
    ],
)
def test_the_advice_is_the_remedy(errors: list[float], advice: str | None) -> None:
    lines = verdict(epochs_of(*errors), {"mean": (1.21, 1.1, 0.9), "user + movie bias": (0.81, 0.9, 0.7)})
    if math.isfinite(errors[-1]):
        assert f"a typical error of {math.sqrt(errors[-1]):.4f} rating points" in lines[0]
        assert "(user + movie bias alone: 0.9000, always the mean: 1.1000)" in lines[0]
    assert lines[1:] == [] if advice is None else lines[-1].startswith(advice)


def test_columns_stay_apart_for_large_ratings(capsys: pytest.CaptureFixture[str]) -> None:
    report = LinesReport()
    report.begin(1, 1, 1)
    report.epoch(Epoch(1, 1.234e15, 1.234e15, (3.5e7,), 12345.67))
    report.baselines({"user + movie bias": (9.9e14, 3.1e7, 2e7)})
    heading, *rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["1", "1.234e+15", "1.234e+15", "3.513e+07", "3.5e+07", "12345.67"]
    assert rows[1].split() == ["user", "+", "movie", "bias", "9.9e+14", "3.1e+07", "2e+07"]
    assert len({len(rows[0]), len(heading)}) == 1


@pytest.mark.parametrize("out", ["ratings.csv", "link.csv", "hard.csv", "sub/../ratings.csv"])
def test_the_ratings_are_never_replaced_by_the_model(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = Path("ratings.csv")
    table.write_text("user,movie,rating\n1,2,3\n")
    Path("link.csv").symlink_to("ratings.csv")
    Path("hard.csv").hardlink_to("ratings.csv")
    Path("sub").mkdir()
    assert main(["train", "--ratings", "ratings.csv", "--split", "none", "--out", out]) == 2
    assert "is what is read here (ratings.csv)" in capsys.readouterr().err
    assert table.read_text() == "user,movie,rating\n1,2,3\n"


@pytest.mark.parametrize("kind", ["bayes", "dot"])
def test_the_model_keeps_what_they_are_called(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = tmp_path / "mine.csv", tmp_path / "model.safetensors"
    rows = "".join(f"c{i},p{j},{1 + (i * j) % 5}\n" for i in range(6) for j in range(6))
    table.write_text("Customer ID,Product,Stars\n" + rows)
    options = ["train", "--ratings", str(table), "--out", str(out), "--kind", kind, "--factors", "2", "--epochs", "1"]
    assert main(options) == 0
    assert load_factors(out).nouns == ("customer", "product")
    printed = capsys.readouterr().out
    assert "(customer + product bias alone: " in printed
    lines = [line for line in printed.splitlines() if line.startswith(("epoch", "mean", "customer + product bias "))]
    assert len({len(line) for line in lines if not line.startswith("epoch")}) == 1
    assert main([*options, "--nouns", "guest", "wine"]) == 0
    assert load_factors(out).nouns == ("guest", "wine")

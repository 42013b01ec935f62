"""A real Spark cluster of a master and two workers, where Spark is installed."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.planted import low_rank_ratings

from cf_excel.cli import main
from cf_excel.model.file import load_factors

HAS_SPARK = find_spec("pyspark") and shutil.which("java")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_SPARK, reason="Spark (pip install pyspark, Java) is missing"),
]
TESTS = Path(__file__).parent
HOME = Path(find_spec("pyspark").submodule_search_locations[0]) if HAS_SPARK else Path()
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS, HOME.parent))),
    "PYSPARK_PYTHON": sys.executable,
    "SPARK_HOME": str(HOME),
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_DAEMON_MEMORY": "256m",
}
PLANTED = low_rank_ratings(40, 30)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the cluster, and return its address."""
    folder = tmp_path_factory.mktemp("spark")
    running = []

    def start(*command: str) -> Path:
        log = folder / f"{len(running)}.log"
        with log.open("w") as out:
            daemon = [str(HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{command[0]}", *command[1:]]
            running.append(subprocess.Popen(daemon, stdout=out, stderr=out, env=ENVIRONMENT, cwd=folder))
        return log

    def found(log: Path, pattern: str, n: int = 1) -> str:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            matches = re.findall(pattern, log.read_text())
            if len(matches) >= n:
                return matches[0]
            time.sleep(0.1)
        raise TimeoutError(log.read_text())

    local = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
    with ExitStack() as stack:
        stack.callback(lambda: [process.kill() or process.wait() for process in running])
        log = start("master.Master", *local)
        address = found(log, r"Starting Spark master at (spark://\S+)")
        for _ in range(2):
            start("worker.Worker", *local, "--cores", "1", "--memory", "1g", "--work-dir", str(folder), address)
        found(log, "Registering worker", 2)
        yield address


def answers(master: str, deaths: int, *calls: tuple[int, list[str]]) -> list[str]:
    command = [sys.executable, str(TESTS / "support" / "spark_driver.py"), master, json.dumps(calls)]
    environment = ENVIRONMENT | {"DEATHS": str(deaths)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    found = re.findall("^answer (.*)$", done.stdout, re.MULTILINE)
    assert len(found) == len(calls), done.stdout + done.stderr
    return found


def test_train_on_spark(master: str, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    rows = zip(PLANTED.user_idx, PLANTED.movie_idx, PLANTED.rating, strict=True)
    table.write_text("user,movie,rating\n" + "".join(f"{user},{movie},{rating:.2f}\n" for user, movie, rating in rows))
    out, ours, lost = tmp_path / "model", tmp_path / "ours", tmp_path / "lost"
    options = ["--ratings", str(table), "--split", "random", "--no-tune", "--lists", "rating", "--epochs", "5"]
    found = answers(
        master,
        2,
        (1, [*options, "--out", str(lost)]),
        (2, [*options, "--out", str(out), "--checkpoint", str(tmp_path / "kept")]),
        (2, [*options, "--out", str(lost), "--factors", "0"]),
    )
    assert found[0] == "WorkerError 2 workers on Spark: one was lost in each of 1 attempts"
    assert json.loads(found[1])["model"] == str(out)
    assert found[2].startswith("InputError factors 0: expected 1 to 256")
    assert len(list(tmp_path.glob("death-*"))) == 2  # in the first call, and once in the second, which went on
    assert not lost.exists()
    assert load_factors(out).record["workers"] == 2
    assert main(["train", *options, "--workers", "2", "--out", str(ours)]) == 0
    assert out.read_bytes() == ours.read_bytes()

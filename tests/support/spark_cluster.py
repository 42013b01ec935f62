"""A real Spark cluster on this machine."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import PathFinder
from pathlib import Path

from support.hosts import missing

TESTS = Path(__file__).parents[1]


class SparkCluster:
    """A Spark master and two workers of one core, a process each, that write into folder alone."""

    def __init__(self, folder: Path) -> None:
        found = PathFinder.find_spec("pyspark", [os.environ.get("CF_EXCEL_SPARK", ""), *sys.path])
        if not (found and found.submodule_search_locations and shutil.which("java")):
            missing("Spark (Java, and pyspark: CF_EXCEL_SPARK names its folder)")
        home = Path(found.submodule_search_locations[0])
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS, home.parent))),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_DIRS": str(folder),
            "TMPDIR": str(folder),
            # six JVMs that live for seconds: the quicker compiler alone halves their time
            "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        }
        self._folder, self._program = folder, str(home / "bin" / "spark-class")
        self._running: list[tuple[subprocess.Popen, Path]] = []

    def start(self) -> None:
        local = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        self._start("master.Master", *local)
        self._address = self._logged(r"Starting Spark master at (spark://\S+)")
        for _ in range(2):
            self._start("worker.Worker", *local, "--cores", "1", "--memory", "1g", self._address)
        self._logged("Registering worker", 2)

    def stop(self) -> None:
        """Kill them, and the executors, which are in their groups."""
        for process, _ in self._running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @contextmanager
    def answers(self, *calls: list[str]) -> Iterator[list[str]]:
        """Give the list that at the end says what train_on_spark answered or raised, call by call."""
        command = [sys.executable, str(TESTS / "support" / "spark_driver.py"), self._address, json.dumps(calls)]
        texts = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command, env=self.environment, start_new_session=True, **texts) as driver:
            found: list[str] = []
            try:
                yield found
                printed, _ = driver.communicate(timeout=600)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(driver.pid, signal.SIGKILL)
        found += re.findall("^answer (.*)$", printed, re.MULTILINE)
        assert len(found) == len(calls), printed

    def _start(self, name: str, *options: str) -> None:
        log = self._folder / f"{len(self._running)}.log"
        command = [self._program, f"org.apache.spark.deploy.{name}", *options]
        places = {"env": self.environment, "cwd": self._folder, "start_new_session": True}
        with log.open("w") as out:
            self._running.append((subprocess.Popen(command, stdout=out, stderr=out, **places), log))

    def _logged(self, pattern: str, n: int = 1) -> str:
        """Wait until the master's log has so many lines of a pattern, and return what the first one says."""
        until = time.monotonic() + 120
        while time.monotonic() < until and all(process.poll() is None for process, _ in self._running):
            found = re.findall(pattern, self._running[0][1].read_text())
            if len(found) >= n:
                return found[0]
            time.sleep(0.1)
        raise RuntimeError("\n".join(log.read_text() for _, log in self._running))

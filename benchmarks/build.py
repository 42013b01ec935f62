"""Time the build command as a whole process, beside the import of the packages that it stands on.

python -m benchmarks.build
"""

import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import openpyxl
import pandas

ROUNDS = 9
IMPORTS = [sys.executable, "-c", "import openpyxl, numpy, pandas"]
# prints the peak memory of its child in KB (bytes on macOS)
PEAK = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); \
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


def seconds(command: list[str]) -> float:
    """Return the wall time of a command from start to exit."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def peak_mb(command: list[str]) -> float:
    """Return the peak resident memory of a command in MB."""
    done = subprocess.run([sys.executable, "-c", PEAK, *command], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "cf_excel", "build", "--out", folder]
        large = [*build, "--only", "collab", "--top-users", "200", "--top-movies", "200", "--factors", "50"]
        times: dict[str, list[float]] = {"imports": [], "build": [], "large": []}
        for _ in range(ROUNDS):  # alternating, so that a busy moment meets both
            times["imports"].append(seconds(IMPORTS))
            times["build"].append(seconds(build))
        times["large"] = [seconds(large) for _ in range(3)]
        size = Path(folder, "collab_filter.xlsx").stat().st_size / 1e6
        imports, default, big = (statistics.median(times[name]) for name in ("imports", "build", "large"))
        print(
            f"Python {platform.python_version()}, openpyxl {openpyxl.__version__}, pandas {pandas.__version__}, ",
            end="",
        )
        print(f"numpy {numpy.__version__}, {platform.machine()}")
        print(f"import openpyxl, numpy, pandas   {imports:.2f} s (median of {ROUNDS})")
        print(
            f"build, default, whole process    {default:.2f} s, limit 1.5 * imports + .5 = {1.5 * imports + 0.5:.2f} s"
        )
        print(f"build 200x200x50, whole process  {big:.2f} s, {peak_mb(large):.0f} MB at most, file {size:.1f} MB")


if __name__ == "__main__":
    main()

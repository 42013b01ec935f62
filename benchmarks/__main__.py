"""Train the lesson's ratings with cf_excel, with plain PyTorch and with other libraries, and compare time and error.

    python -m benchmarks [--rounds 3] [--only TEXT] [--out benchmarks/results]

Every system runs in a process of its own, with one thread, and takes turns with the others, so that a busy moment of
the machine meets all of them. Times are CPU seconds: on an idle machine a wall clock shows the same. Nothing that is
done once counts: imports, compilation, reading. Before it is timed, a system trains on a thousand ratings. Libraries
that are not installed (python -m pip install -e ".[bench]") are named and left out. Writes speed.md and, with
matplotlib, speed.png.
"""

import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.systems import SYSTEMS, System
from cf_excel import __version__
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split

RESULTS = Path(__file__).parent / "results"
GOALS = (0.80, 0.78, 0.765)
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")}
BASE = {"dot-bias": "DataLoader loop, dot-bias", "net": "DataLoader loop, net", "collab": "DataLoader loop, collab"}


def worker(name: str) -> None:
    """Run one system in this process and print its points and its peak memory as JSON."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    system = next(system for system in SYSTEMS if system.name == name)
    ratings = load_ratings()
    list(system.run(_head(ratings, 1000), lesson_split(1000)))
    points = list(system.run(ratings, lesson_split(len(ratings))))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(json.dumps({"points": points, "peak": peak}))


def _head(ratings: Ratings, n: int) -> Ratings:
    """Return the first n ratings, of all users and movies."""
    parts = {name: getattr(ratings, name)[:n] for name in ("user_idx", "movie_idx", "rating")}
    return replace(ratings, **parts, timestamp=None)


def run(system: System) -> dict:
    """Run a system in a fresh process and return its points and its peak memory in MB."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks", "--worker", system.name]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **ONE_THREAD))
    if done.returncode:
        sys.exit(f"{system.name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def installed() -> tuple[list[System], list[str]]:
    """Return the systems that can run, and name and missing package of the others."""
    found, missing = [], []
    for system in SYSTEMS:
        try:
            for package in system.packages:
                version(package)
            found.append(system)
        except PackageNotFoundError as error:
            missing.append(f"{system.name} ({error.name} is not installed)")
    return found, missing


def epoch_seconds(result: dict) -> float:
    """Return the seconds of an epoch: those of the longest fit, shared out."""
    epochs, seconds, _ = result["points"][-1]
    return seconds / epochs


def seconds_to(result: dict, goal: float) -> float:
    """Return the seconds until the validation MSE was that low, infinity where it never was."""
    return next((seconds for _, seconds, mse in result["points"] if mse <= goal), math.inf)


def spread(values: list[float]) -> str:
    """Return median and range of seconds as text."""
    if math.isinf(statistics.median(values)):
        return "never"
    middle, low, high = (short(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low}–{high})"


def short(value: float) -> str:
    """Return a number of seconds with two digits that count."""
    if math.isinf(value):
        return "never"
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}"


def ratio(name: str, results: dict[str, list[dict]]) -> str:
    """Return how many times faster than the plain loop of the same model an epoch is, median of the rounds."""
    base = next((results[loop] for kind, loop in BASE.items() if f"cf_excel {kind}," in name and loop in results), None)
    if base is None:
        return ""
    pairs = zip(base, results[name], strict=True)
    return f"{statistics.median(epoch_seconds(loop) / epoch_seconds(ours) for loop, ours in pairs):.0f}"


def table(results: dict[str, list[dict]]) -> str:
    """Return the results in Markdown."""
    head = ["system", "s an epoch", "times the loop", *(f"s to {goal:g}" for goal in GOALS), "best MSE", "peak MB"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for name, rounds in results.items():
        best = min(mse for result in rounds for _, _, mse in result["points"])
        cells = [
            name,
            spread([epoch_seconds(result) for result in rounds]),
            ratio(name, results),
            *(spread([seconds_to(result, goal) for result in rounds]) for goal in GOALS),
            f"{best:.4f}",
            f"{statistics.median(result['peak'] for result in rounds):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def conditions(systems: list[System], missing: list[str], n_rounds: int, load: float) -> str:
    """Return what the figures were measured with."""
    packages = sorted({package for system in systems for package in system.packages})
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    python = f"{platform.system()}, Python {platform.python_version()}"
    lines = [
        "Validation MSE on the lesson's 20,000 held-back ratings; CPU seconds, one thread each, "
        f"median (lowest–highest) of {n_rounds} rounds in turns on a {platform.machine()} machine "
        f"with {os.cpu_count()} cores, {python}, mean load {load:.1f}. cf_excel {__version__}, {versions}.",
        "Seconds to an MSE are seconds of training; an epoch of cf_excel and of the loops has its validation in it.",
        *(f"Left out: {name}." for name in missing),
    ]
    return "\n".join(lines)


def draw(results: dict[str, list[dict]], path: Path) -> None:
    """Draw validation MSE over the seconds of training, the first round of each system."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 5.5), layout="constrained")
    axes = figure.subplots()
    for color, (name, rounds) in zip(colormaps["tab20"].colors, results.items(), strict=False):
        _, seconds, mse = zip(*rounds[0]["points"], strict=True)
        ours = name.startswith("cf_excel")
        style = {"linewidth": 2.4, "marker": "o"} if ours else {"linewidth": 1.2, "marker": "s", "linestyle": "--"}
        axes.plot(seconds, mse, color=color, markersize=4, label=name, **style)
    axes.set_xscale("log")
    axes.set_ylim(0.755, 0.90)
    axes.set_xlabel("seconds of training, one thread")
    axes.set_ylabel("validation MSE (lower is better)")
    axes.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside right upper")
    figure.savefig(path, dpi=110)


def main(args: argparse.Namespace) -> None:
    """Run everything; write the table and the chart after every round."""
    systems, missing = installed()
    systems = [system for system in systems if args.only in system.name]
    results = {system.name: [] for system in systems}
    loads = []
    args.out.mkdir(parents=True, exist_ok=True)
    for n_rounds in range(1, args.rounds + 1):
        for system in systems:
            results[system.name].append(run(system))
            loads.append(os.getloadavg()[0])
            seconds = epoch_seconds(results[system.name][-1])
            print(f"round {n_rounds}: {system.name}: {seconds:.4f} s an epoch", flush=True)
        text = f"{conditions(systems, missing, n_rounds, statistics.mean(loads))}\n\n{table(results)}\n"
        (args.out / "speed.md").write_text(text, encoding="utf-8")
        try:
            draw(results, args.out / "speed.png")
        except ImportError:
            print("no chart: matplotlib is not installed")
    print(f"\n{text}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="times that every system runs (default: 3)")
    parser.add_argument("--only", default="", metavar="TEXT", help="run the systems with this text in their names")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where to write (default: results)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    worker(options.worker) if options.worker else main(options)

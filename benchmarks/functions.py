"""Time =CF_PREDICT in each host: 10,000 cells one by one, the same as one array, and a grid of 15 x 15.

    python -m benchmarks.functions [--hosts python libreoffice server windows]

python is the bare function, to see what a host adds. libreoffice and server start the real programs; windows needs the
folder of tests/windows/setup.sh in CF_EXCEL_WINDOWS. Times are medians, of a model of the lesson's size.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.predictor import random_factors
from cf_excel.model.file import save_factors
from cf_excel.udf.functions import Functions

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))
N = 10_000
HOSTS = ("python", "libreoffice", "server", "windows")
Call = Callable[[object, object], object]


def median(call: Callable[[], object], repeat: int) -> float:
    """Return the median time of a call in seconds, after one to warm up."""
    call()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(host: str, one_by_one: float, array: float, grid: float) -> None:
    """Print the times of a host, given in seconds."""
    print(f"{host:<12} {one_by_one:>9.2f} s {array * 1e3:>9.1f} ms {grid * 1e3:>9.2f} ms", flush=True)


def time_calls(host: str, call: Call, users: list, movies: list) -> None:
    """Time a host that is called, and not one that calculates a workbook."""
    grid = median(lambda: call(users[:15], [[row[0] for row in movies[:15]]]), 200)
    array = median(lambda: call(users, movies), 5)
    start = time.perf_counter()
    for user, movie in zip(users, movies, strict=True):
        call(user[0], movie[0])
    report(host, time.perf_counter() - start, array, grid)


def time_libreoffice(folder: Path, model: Path, users: list, movies: list) -> None:
    """Time the recalculation of workbooks that differ in their formulas alone."""
    import openpyxl
    from openpyxl.worksheet.formula import ArrayFormula
    from support.office import Office

    from cf_excel.udf.libreoffice_setup import install

    paths = {}
    for name in ("none", "one by one", "array", "grid"):
        book = openpyxl.Workbook()
        page = book.active
        for row, (user, movie) in enumerate(zip(users, movies, strict=True), 1):
            page.append([user[0], movie[0], f"=CF_PREDICT(A{row},B{row})" if name == "one by one" else None])
        if name == "array":
            page["C1"] = ArrayFormula(f"C1:C{N}", f"=CF_PREDICT(A1:A{N},B1:B{N})")
        if name == "grid":
            for i in range(15):
                page.cell(1, 5 + i).value = movies[i][0]
            page["E2"] = ArrayFormula("E2:S16", "=CF_PREDICT(A2:A16,E1:S1)")
        paths[name] = folder / f"{name}.xlsx"
        book.save(paths[name])
    profile = folder / "profile"
    Office(profile=profile).close()
    install(profile / "user")
    office = Office(profile=profile, CF_EXCEL_MODEL=str(model))
    try:
        script = ROOT / "tests" / "support" / "functions_scripts.py"
        times = {n: office.call("recalculation", str(path), 3, script=script) for n, path in paths.items()}
    finally:
        office.close()
    report("libreoffice", *(times[name] - times["none"] for name in ("one by one", "array", "grid")))


@contextmanager
def server_call(folder: Path, model: Path) -> Iterator[Call]:
    """Give the call of a running server, over one connection that stays open, as Excel keeps it."""
    import http.client
    import json

    from test_server import start, stop

    process, port, _ = start(folder / "project", model, "--http")
    connection = http.client.HTTPConnection("localhost", port)
    fixed = {"func_name": "CF_PREDICT", "caller_address": "Book1[Sheet1]A1", "culture_info_name": "en-US"}
    fixed |= {"date_format": "m/d/yyyy", "version": "any", "client": "Office.js", "runtime": "1.4"}

    def call(user: object, movie: object) -> object:
        arguments = [value if isinstance(value, list) else [[value]] for value in (user, movie)]
        body = json.dumps(fixed | {"args": arguments})
        connection.request("POST", "/xlwings/custom-functions-call", body, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())["result"]

    try:
        yield call
    finally:
        connection.close()
        stop(process)


@contextmanager
def windows_call(model: Path) -> Iterator[Call]:
    """Give the call of the COM server in Windows' Python under Wine."""
    from test_windows import Excel, server_command, windows_environment, windows_path

    from cf_excel.udf.panel_workbooks import settings

    folder = Path(os.environ["CF_EXCEL_WINDOWS"])
    named = dict(settings()) | {"Interpreter_Win": windows_path(folder / "py" / "python.exe")}
    named["PYTHONPATH"] = windows_path(ROOT)
    command = server_command(named, "Z:\\functions.xlsm")
    excel = Excel(folder, command, windows_environment(folder, model))
    try:
        yield lambda user, movie: excel.call("CF_PREDICT", [user, movie])["result"]
    finally:
        excel.close()


def main() -> None:
    """Time the hosts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", nargs="+", choices=HOSTS, default=HOSTS[:3])
    hosts = parser.parse_args().hosts
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model.safetensors"
        factors = random_factors("collab")
        save_factors(factors, model)
        users = [[float(user)] for user in rng.choice(factors.user_ids, N)]
        movies = [[float(movie)] for movie in rng.choice(factors.movie_ids, N)]
        print(f"{'':<12} {'10,000 cells':>11} {'one array':>12} {'15 x 15':>12}")
        if "python" in hosts:
            time_calls("python", Functions(model).CF_PREDICT, users, movies)
        if "libreoffice" in hosts:
            time_libreoffice(folder, model, users, movies)
        if "server" in hosts:
            with server_call(folder, model) as call:
                time_calls("server", call, users, movies)
        if "windows" in hosts:
            with windows_call(model) as call:
                time_calls("windows", call, users, movies)


if __name__ == "__main__":
    main()

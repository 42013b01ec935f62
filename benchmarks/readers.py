"""Measure how much memory and time load_ratings takes for N million ratings, against the size of the arrays it returns.

    python benchmarks/readers.py [--millions 32] [--duplicates] [--gzip]
    python benchmarks/readers.py --default
    python -m benchmarks.readers --workbook

Writes a table of that many ratings with the shape of ml-32m (200,948 users, 87,585 movies, sorted by user) to a
temporary folder, reads it in a fresh process and prints the peak of its memory over what it had before, as a multiple
of the arrays (20 bytes a row), and its time as a multiple of pandas.read_csv on the same file. --default times the
ratings that come with cf_excel instead. --workbook reads a full sheet of an .xlsx, 1,048,576 rows x 3, and writes
results/readers.md: CPU seconds, because others may use the machine. Needs Linux, which tells the peak of a process.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import xlsxwriter

from cf_excel.ratings.lesson_ratings import LESSON_DATA
from cf_excel.ratings.readers import load_ratings

N_USERS, N_MOVIES = 200_948, 87_585
CHUNK_ROWS = 1_000_000
SHEET_ROWS = 2**20
BYTES_A_ROW = 4 + 4 + 4 + 8  # user_idx, movie_idx, rating, timestamp

# Linux counts the peak since the start of the process; getrusage would count the parent's, too.
READ = """
import re, sys, time
from pathlib import Path
from cf_excel.ratings.readers import load_ratings

def memory(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

load_ratings()  # whatever is loaded once, is loaded now
before = memory("VmRSS")
start, cpu = time.perf_counter(), time.process_time()
ratings = load_ratings(sys.argv[1])
seconds = time.perf_counter() - start
cpu = time.process_time() - cpu
peak = memory("VmHWM") - before
print(len(ratings), ratings.n_users, ratings.n_movies, ratings.n_duplicates, peak, seconds, cpu)
"""

READ_WITH_PANDAS = """
import sys, time
import pandas
start = time.perf_counter()
pandas.read_csv(sys.argv[1])
print(time.perf_counter() - start)
"""


def write_ratings(path: Path, n_rows: int, duplicates: bool) -> None:
    """Write a table of n_rows ratings, sorted by user; every second row rates the pair of the row before, if asked."""
    rng = np.random.default_rng(42)
    with gzip.open(path, "wt", compresslevel=1) if path.suffix == ".gz" else open(path, "w") as file:
        file.write("userId,movieId,rating,timestamp\n")
        for start in range(0, n_rows, CHUNK_ROWS):
            row = np.arange(start, min(start + CHUNK_ROWS, n_rows))
            user = row * N_USERS // n_rows + 1
            movie = row * 7919 % N_MOVIES + 1  # a step prime to the number of movies: no user meets one twice
            if duplicates:
                user, movie = (np.repeat(column[::2], 2)[: len(row)] for column in (user, movie))
            half_stars = rng.integers(1, 11, len(row))
            seconds = rng.integers(800_000_000, 1_700_000_000, len(row))
            columns = (user, movie, half_stars / 2, seconds)
            rows = zip(*(column.tolist() for column in columns), strict=True)
            file.writelines(f"{user},{movie},{rating},{at}\n" for user, movie, rating, at in rows)


def run(script: str, path: Path) -> list[float]:
    """Run a script on the file in a fresh process and return the numbers that it prints."""
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True)
    return [float(number) for number in done.stdout.split()]


def measure(n_rows: int, duplicates: bool, compressed: bool) -> None:
    """Print memory and time for a table of n_rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("ratings.csv.gz" if compressed else "ratings.csv")
        write_ratings(path, n_rows, duplicates)
        print(f"{path.name}: {n_rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB")
        n, users, movies, left_out, peak, seconds, _ = run(READ, path)
        arrays = n_rows * BYTES_A_ROW
        print(f"{n:,.0f} ratings of {movies:,.0f} movies by {users:,.0f} users, {left_out:,.0f} duplicates left out")
        print(
            f"arrays {arrays / 2**20:,.0f} MiB, peak {peak / 2**20:,.0f} MiB over the start: {peak / arrays:.2f} times"
        )
        (pandas_seconds,) = run(READ_WITH_PANDAS, path)
        print(f"{seconds:.1f} s; pandas.read_csv alone {pandas_seconds:.1f} s: {seconds / pandas_seconds:.2f} times")


def write_workbook(path: Path, named: bool) -> None:
    """Write a full sheet with a row for each rating: ids as numbers, or as names, and then every tenth unrated."""
    rng = np.random.default_rng(42)
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Ratings")
        sheet.write_row(0, 0, ["customer", "product", "rating"])
        for row in range(1, SHEET_ROWS):
            user, movie = row // 16, row * 7919 % 20_011
            rating = None if named and row % 10 == 0 else int(rng.integers(1, 11)) / 2
            sheet.write_row(
                row, 0, [f"Customer {user}", f"Product {movie}", rating] if named else [user, movie, rating]
            )


def measure_workbooks() -> None:
    """Print and save CPU seconds and memory for full sheets, the median of 3."""
    lines = ["| a full sheet, 1,048,576 rows x 3 | MB | ratings | CPU s | peak MB |", "|---|---:|---:|---:|---:|"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.xlsx"
        for named, what in ((False, "ids are numbers"), (True, "ids are names, every tenth is not rated")):
            write_workbook(path, named)
            n, _, _, _, peak, _, cpu = np.median([run(READ, path) for _ in range(3)], axis=0)
            size = path.stat().st_size / 1e6
            lines.append(f"| {what} | {size:.0f} | {n:,.0f} | {cpu:.1f} | {peak / 1e6:.0f} |")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (Path(__file__).parent / "results" / "readers.md").write_text(text, encoding="utf-8")


def read_default_with_pandas() -> None:
    """Read the two tables that come with cf_excel, and no more."""
    with zipfile.ZipFile(LESSON_DATA) as archive:
        pd.read_csv(archive.open("ratings.csv"))
        pd.read_csv(archive.open("movies.csv"))


def measure_default() -> None:
    """Print the time of the default ratings, median of 20, against pandas reading the same tables."""
    seconds = {load_ratings: [], read_default_with_pandas: []}
    for _ in range(20):
        for function, times in seconds.items():
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    ours, pandas_alone = (float(np.median(times)) for times in seconds.values())
    print(
        f"load_ratings() {ours * 1e3:.0f} ms; pandas alone {pandas_alone * 1e3:.0f} ms: {ours / pandas_alone:.2f} times"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=32)
    parser.add_argument("--duplicates", action="store_true", help="rate every pair twice")
    parser.add_argument("--gzip", action="store_true", help="read it gzipped")
    parser.add_argument("--default", action="store_true", help="time the ratings that come with cf_excel")
    parser.add_argument("--workbook", action="store_true", help="read full sheets of workbooks")
    args = parser.parse_args()
    if args.workbook:
        measure_workbooks()
    elif args.default:
        measure_default()
    else:
        measure(int(args.millions * 1e6), args.duplicates, args.gzip)

"""Read a folder of Parquet files and fit it, by one process or by several, and measure each: see scale.py."""

import time
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.synthetic import movielens_shaped
from cf_excel.learn.baselines import baseline_errors
from cf_excel.learn.bayes.bayes_settings import BayesSettings
from cf_excel.learn.bayes.comm import ALONE, Comm
from cf_excel.learn.bayes.processes import started
from cf_excel.learn.bayes.together import Share, Task, all_do, fit_share, read
from cf_excel.ratings.readers import movies_beside
from cf_excel.ratings.reading import Reading

FILE_ROWS, GROUP_ROWS = 1 << 23, 1 << 20
costs: list[list[float]] = []
"""Of this process: of reading and of the fit CPU seconds, MB at the start and at most, seconds by the clock."""


def read_and_fit(n: int, workers: int) -> None:
    """Plant so many ratings in a folder, read and fit it by so many processes, and print what each took."""
    with TemporaryDirectory() as folder:
        planting = get_context("spawn").Process(target=plant, args=(n, folder))
        planting.start()
        planting.join()
        size = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
        with started(workers) if workers > 1 else nullcontext(ALONE) as comm:
            share = all_do(comm, measured_read, None, folder, dict(movies_beside(folder, None)))
            epochs, error, sent = all_do(comm, measured_fit, share)
            biases = all_do(comm, errors_of_biases, share)
            of_ranks = all_do(comm, costs_of_all, None)
    ratings, n = share.part.ratings, share.part.n_ratings
    print(f"{n:,} ratings by {workers} process{'es' if workers > 1 else ''}:")
    print(f"  {ratings.n_users:,} users, {ratings.n_movies:,} movies, {size / n:.1f} bytes a rating on disk")
    for rank, (of_reading, of_fit) in enumerate(of_ranks):
        each = 1e9 * of_fit[0] * workers / epochs / n
        print(f"  rank {rank}: reading {told(of_reading)}; the fit {told(of_fit)}, {each:.0f} ns a rating, iteration")
    block = -(-ratings.n_movies // workers)
    formula = 704 * 4 * block * (workers - 1) / 1e6
    print(
        f"  sent a rank and iteration: {sent / epochs / 1e6:.1f} MB, with what starts and ends the fit; by the formula "
        f"{formula:.1f} MB\n  MSE {error:.4f}, biases {biases:.4f}",
        flush=True,
    )


def told(cost: list[float]) -> str:
    seconds, start, most, clock = cost
    return f"{seconds:.1f} s of a core, {clock:.1f} s by the clock, {start:,.0f} to {most:,.0f} MB"


def plant(n: int, folder: str) -> None:
    """Write planted ratings, and the genres of what is rated."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ratings = movielens_shaped(n).ratings
    for number, start in enumerate(range(0, len(ratings), FILE_ROWS)):
        rows = slice(start, start + FILE_ROWS)
        columns = {"user": ratings.user_idx[rows], "movieId": ratings.movie_idx[rows], "rating": ratings.rating[rows]}
        pq.write_table(pa.table(columns), Path(folder, f"{number:03}.parquet"), row_group_size=GROUP_ROWS)
    lines = (f"{movie},Movie {movie},{genres}" for movie, genres in enumerate(ratings.genres))
    Path(folder, "movies.csv").write_text("\n".join(["movieId,title,genres", *lines]))


def measured_read(comm: Comm, share: Share | None, folder: str, movies: Any) -> Share:
    return measure(lambda: read(comm, share, folder, Reading(), movies, "hash"))


def measured_fit(comm: Comm, share: Share) -> tuple[int, float, int]:
    """Return the number of iterations, the validation MSE, and the bytes that this process has sent."""
    before = getattr(comm, "sent", 0)
    epochs = measure(lambda: fit_share(comm, share, Task(BayesSettings(device="cpu"), "hash"))).history.epochs
    return len(epochs), epochs[-1].val_loss, getattr(comm, "sent", 0) - before


def errors_of_biases(comm: Comm, share: Share) -> float:
    return baseline_errors(share.part.ratings, share.val_rows, comm)[1][0]


def costs_of_all(comm: Comm, share: Share | None) -> list[list[list[float]]]:
    return comm.gather(np.array(costs)[None]).tolist()


def measure(work: Any) -> Any:
    """Return what work returns, and keep what it took; Linux forgets the most memory that was held before."""
    Path("/proc/self/clear_refs").write_text("5")
    start, clock, before = time.process_time(), time.perf_counter(), memory_mb("VmRSS")
    found = work()
    costs.append([time.process_time() - start, before, memory_mb("VmHWM"), time.perf_counter() - clock])
    return found


def memory_mb(name: str) -> float:
    """Return a figure of this process' memory, in MB: VmRSS is what it holds, VmHWM the most that it held."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024

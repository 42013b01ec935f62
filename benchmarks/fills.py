"""Time =CF_FILL where it learns anew, without a host: grids of 60 x 40 and 500 x 200, a third of them rated.

python -m benchmarks.fills

Medians of 7 grids, by the clock and in processor time, after one that loads what learning needs.
"""

import statistics
import time

import numpy as np

from cf_excel.udf.functions import Functions

SIZES = ((60, 40), (500, 200))


def planted_grid(n_users: int, n_items: int, seed: int) -> list[list[float | None]]:
    """Return a grid of ratings from 1 to 5 with three factors behind them, a third of it filled."""
    rng = np.random.default_rng(seed)
    x = 3 + rng.normal(size=(n_users, 3)) @ rng.normal(size=(n_items, 3)).T / 1.7 + rng.normal(0, 0.5, n_items)
    ratings = np.clip(np.round(x), 1, 5)
    is_rated = rng.random(x.shape) < 1 / 3
    return [
        [value if known else None for value, known in zip(*rows, strict=True)]
        for rows in zip(ratings.tolist(), is_rated.tolist(), strict=True)
    ]


def main() -> None:
    """Print the times."""
    fill = Functions().CF_FILL
    start = time.perf_counter()
    fill(planted_grid(10, 10, 0))
    print(f"the first call, with its imports: {time.perf_counter() - start:.2f} s")
    for n_users, n_items in SIZES:
        times, again = [], []
        for seed in range(7):
            grid = planted_grid(n_users, n_items, seed)
            clock, processor = time.perf_counter(), time.process_time()
            fill(grid)
            times.append((time.perf_counter() - clock, time.process_time() - processor))
            clock = time.perf_counter()
            fill(grid)
            again.append(time.perf_counter() - clock)
        wall, cpu = (statistics.median(part) for part in zip(*times, strict=True))
        print(
            f"{n_users} x {n_items}: {wall:.3f} s ({cpu:.3f} s of a processor), again {statistics.median(again):.4f} s"
        )


if __name__ == "__main__":
    main()

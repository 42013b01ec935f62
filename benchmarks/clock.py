"""The clock of the benchmarks: processor time, because other programs may run beside."""

import time

from cf_excel.learn.progress import Epoch, Progress

now = time.process_time
"""CPU seconds of this process: with one thread, what a wall clock shows on an idle machine."""


class Watch(Progress):
    """Note when each epoch of a fit is done: seconds since its begin, validation included."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def begin(self, n_epochs: int, n_batches: int, n_rows: int) -> None:
        self.start = now()

    def epoch(self, epoch: Epoch) -> None:
        self.seconds.append(now() - self.start)

"""Learning rates as pure functions of the step: each returns the factor that multiplies the learning rate."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

Schedule = Callable[[int], float]
"""The factor of the learning rate at a step (0 is the first batch)."""

WARM_UP = 20  # the first 1/20 of a cycle's batches ...
WARM_UP_FACTOR = 0.01  # ... run at 1/100 of the learning rate


def lesson_cycles(n_cycles: int, cycle_len: int = 1, cycle_mult: int = 1) -> list[int]:
    """Return the lengths of the cycles in epochs: cycle_len, then cycle_mult times as long each time."""
    return [cycle_len * cycle_mult**i for i in range(n_cycles)]


def doubling_cycles(n_epochs: int) -> list[int]:
    """Return cycles of 1, 2, 4, ... epochs that fill n_epochs; what is too short for a cycle joins the last one."""
    cycles = []
    length, left = 1, n_epochs
    while left >= length:
        cycles.append(length)
        left -= length
        length *= 2
    cycles[-1] += left
    return cycles


def sgdr(cycles: Sequence[int], n_batches: int) -> Schedule:
    """Return cosine annealing with restarts (Loshchilov & Hutter 2017), stepped at every batch, as in fastai 0.7.

    cycles: lengths in epochs; n_batches: batches in an epoch. Each cycle falls from 1 to 0 along half a cosine, and its
    first twentieth of the batches runs at 1/100, so that the jump back up does no harm. Past the last cycle: 0.
    """
    ends = [done * n_batches for done in accumulate(cycles)]

    def factor(step: int) -> float:
        start = 0
        for end in ends:
            if step < end:
                done, total = step - start, end - start
                return WARM_UP_FACTOR if done < total / WARM_UP else (1 + math.cos(math.pi * done / total)) / 2
            start = end
        return 0.0

    return factor


def two_stages(n_epochs: int, n_batches: int, drop: float) -> Schedule:
    """Return factor 1 for the first half of the epochs (the longer one), then `drop`."""
    switch = (n_epochs + 1) // 2 * n_batches
    return lambda step: 1.0 if step < switch else drop

"""Compile the loops over ratings with numba, once: the machine code is kept on disk for the next process."""

from collections.abc import Callable

from numba import njit

# Not all of fastmath: sums may be reordered for the vector units, but NaN and infinity must stay what they are.
FAST = {"reassoc", "contract", "arcp", "nsz"}


def compiled(function: Callable) -> Callable:
    """Return the function compiled at its first call, with the machine code cached beside it or in the user's cache.

    NUMBA_CACHE_DIR names another folder. Where no folder can be written, every process compiles anew.
    """
    try:
        return njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder for the cache
        return njit(nogil=True, fastmath=FAST, error_model="numpy")(function)


def inlined(function: Callable) -> Callable:
    """Return a function that becomes part of the compiled functions that call it (of the same file: see numba's cache).

    A call costs several atomic counts of references, more than the work on one row.
    """
    return njit(inline="always", fastmath=FAST, error_model="numpy")(function)

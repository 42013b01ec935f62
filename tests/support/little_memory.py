"""Run the command with so many MB of its own beyond what its packages take: LIMIT ARGUMENT ..., 0 for no limit."""

import resource
import sys
from pathlib import Path

import numpy  # noqa: F401
import pandas  # noqa: F401
import scipy.sparse  # noqa: F401

from cf_excel.cli import main
from cf_excel.learn.bayes import sparse_rows, together  # noqa: F401
from cf_excel.ratings import parquet_parts, rating_rows, readers, spill  # noqa: F401

if __name__ == "__main__":
    spill.SORTED_ROWS = sparse_rows.SORTED_ROWS = rating_rows._STORED_ROWS = 1 << 19
    most = int(sys.argv[1])
    if most:
        told = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
        limit = int(told.split()[1]) * 1024 + most * 10**6
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    sys.exit(main(sys.argv[2:]))

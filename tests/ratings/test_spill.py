import gc
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cf_excel.errors import FileError
from cf_excel.ratings import spill
from cf_excel.ratings.spill import (
    all_but,
    all_finite,
    by_block,
    check_disk,
    empty,
    is_in_memory,
    joined,
    numbers_of,
    ranges,
    rows_of,
    spilled_beyond,
    sums_by,
)

N = 1000
RNG = np.random.default_rng(0)
IDX = RNG.integers(0, 40, N).astype(np.int32)
VALUES = RNG.normal(size=N).astype(np.float32)


@pytest.fixture(params=["in memory", "in files"])
def in_blocks(request, monkeypatch):
    """Cut 1,000 rows into blocks, and put what is made of them where it is said."""
    monkeypatch.setattr(spill, "BLOCK_ROWS", 64)
    monkeypatch.setattr(spill, "SORTED_ROWS", 200)
    monkeypatch.setattr(spill, "_SMALL", 0)
    with spilled_beyond(0 if request.param == "in files" else 1e9):
        yield


def is_in_file(array):
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def test_arrays_are_in_files_once_the_budget_is_used_up(monkeypatch):
    assert not is_in_file(empty(5_000_000, np.int8))
    with spilled_beyond(2_500_000):
        first, second = empty(2_000_000, np.int8), empty(1_100_000, np.int8)
        assert [is_in_file(array) for array in (first, second)] == [False, True]
        assert not is_in_file(empty(1000, np.int8))
        second[:] = 7
        assert second.sum() == 7_700_000
        del first
        gc.collect()
        assert not is_in_file(empty(1_100_000, np.int8))


def test_no_file_is_left_or_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with spilled_beyond(0):
        held = empty(2_000_000, np.int8)
    held[:] = 1
    assert os.name == "nt" or list(tmp_path.iterdir()) == []
    del held
    assert list(tmp_path.iterdir()) == []


def test_what_the_disk_has_no_room_for_is_a_line_that_says_where(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    n = shutil.disk_usage(tmp_path).free * 2
    with (
        pytest.raises(FileError, match=r"free, .* need .*: .* TMPDIR") as told,
        spilled_beyond(0),
    ):
        empty(n, np.int8)
    assert str(tmp_path) in str(told.value)
    check_disk(n)  # all in memory
    with spilled_beyond(1e6), pytest.raises(FileError, match="TMPDIR"):
        check_disk(n // 64)
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="Linux alone tells which folders are in memory")
def test_a_folder_may_be_in_memory():
    assert is_in_memory("/dev/shm")
    assert not is_in_memory("/proc")


def test_blocks_make_the_bytes_that_the_whole_makes(in_blocks):
    mask = VALUES > 0
    rows = RNG.permutation(N)[:300]
    found = by_block(lambda values, idx: values.astype(np.float64) / (idx + 1), VALUES, IDX)
    assert np.array_equal(found, VALUES.astype(np.float64) / (IDX + 1))
    assert found.dtype == np.float64
    assert np.array_equal(rows_of(VALUES, mask), VALUES[mask])
    assert np.array_equal(rows_of(VALUES, rows), VALUES[rows])
    assert np.array_equal(rows_of(VALUES, np.zeros(N, bool)), [])
    assert np.array_equal(numbers_of(mask), np.flatnonzero(mask))
    assert np.array_equal(numbers_of(mask[:0]), [])
    assert np.array_equal(all_but(rows, N), ~np.isin(np.arange(N), rows))
    assert np.array_equal(sums_by(IDX, 50), np.bincount(IDX, minlength=50))
    assert np.array_equal(sums_by(IDX, 50, VALUES.__getitem__), np.bincount(IDX, VALUES, 50))
    assert np.array_equal(joined([VALUES[:100], VALUES[100:]]), VALUES)
    assert all_finite(VALUES)
    assert not all_finite(np.append(VALUES, np.nan))


@given(st.lists(st.integers(0, 9), max_size=60))
def test_ranges_have_every_row_once_in_order(idx):
    idx = np.array(idx, np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "BLOCK_ROWS", 7)
        patch.setattr(spill, "SORTED_ROWS", 12)
        found = list(ranges(idx, 10))
    ends = [0]
    for first, end, rows in found:
        assert first == ends[-1] < end
        assert np.array_equal(rows, np.flatnonzero((idx >= first) & (idx < end)))
        assert len(rows) <= 12 or end == first + 1
        ends.append(end)
    assert ends[-1] == 10

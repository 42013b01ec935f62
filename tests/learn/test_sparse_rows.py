import numpy as np
import pytest
from scipy.sparse import csr_array

from cf_excel.learn.bayes import sparse_rows
from cf_excel.learn.bayes.sparse_rows import by_rows, rows_in, transposed
from cf_excel.ratings import spill


@pytest.mark.parametrize("n", [0, 1, 200, 900])
@pytest.mark.parametrize("twice", [False, True])
def test_ranges_of_rows_make_the_matrix_that_scipy_makes(n: int, twice: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "BLOCK_ROWS", 30)
    for module in (spill, sparse_rows):
        monkeypatch.setattr(module, "SORTED_ROWS", 100)
    rng = np.random.default_rng(n)
    shape = (70, 20)
    pairs = rng.choice(shape[0] * shape[1], n, replace=twice)
    rows, columns = (pairs // shape[1]).astype(np.int32), (pairs % shape[1]).astype(np.int32)
    values = rng.normal(size=n).astype(np.float32)
    whole, found = csr_array((values, (rows, columns)), shape), by_rows(values, rows, columns, shape)
    assert found.nnz == whole.nnz
    row_of = rows_in(found)
    assert np.array_equal(row_of, np.repeat(np.arange(shape[0]), np.diff(whole.indptr)))
    for one, other in ((whole, found), (whole.T.tocsr(), transposed(found, row_of))):
        assert one.shape == other.shape
        for name in ("data", "indices", "indptr"):
            assert getattr(one, name).dtype == getattr(other, name).dtype
            assert np.array_equal(getattr(one, name), getattr(other, name))

"""Lists of what is open to each user, and which of them were wanted, by hand."""

import numpy as np
import pytest

from cf_excel.learn import list_measures
from cf_excel.learn.list_measures import LENGTH, find_hits, list_movies


@pytest.mark.parametrize("at_once", [1, 1 << 21])
def test_lists_leave_out_what_is_known_and_hits_are_what_is_wanted(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(list_measures, "_SCORES_AT_ONCE", at_once)
    scores = np.array([[9.0] * 4, [4, 3, 2, 1], [0, 0, 0, 0], [1, 2, 3, 4]])
    users = np.array([1, 3])
    known = np.array([3, 0, 1, 3]), np.array([3, 0, 0, 1])
    listed = list_movies(lambda rows: scores[rows], users, known, 4)
    blank = [-1] * (LENGTH - 3)
    assert listed.tolist() == [[1, 2, 3, *blank], [2, 0, -1, *blank]]
    hits, n_wanted = find_hits(users, listed, (np.array([1, 1, 3, 2]), np.array([2, 0, 2, 1])), 4)
    assert n_wanted.tolist() == [2, 1]
    assert np.argwhere(hits).tolist() == [[0, 1], [1, 0]]

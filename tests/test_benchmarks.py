import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_comparison_writes_its_table_and_its_chart(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--rounds", "1", "--only", "dot-bias, tuned", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert text in done.stdout
    (row,) = [line for line in text.splitlines() if line.startswith("| cf_excel dot-bias, tuned")]
    best, peak = (float(cell) for cell in row.split("|")[-3:-1])
    assert 0.76 < best < 0.78
    assert peak > 50
    assert (tmp_path / "speed.png").stat().st_size > 10_000


def test_synthetic_ratings_have_the_shape_of_movielens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.synthetic import movielens_shaped

    ratings, truth, _ = movielens_shaped(100_000)
    by_user, by_movie = np.bincount(ratings.user_idx), np.bincount(ratings.movie_idx)
    assert (len(by_user), len(by_movie), len(ratings)) == (671, 9066, 100_000)
    assert 0.4 < np.median(by_user) / by_user.mean() < 0.7  # .48 in MovieLens
    assert by_movie.max() > 50 * np.median(by_movie)
    assert set(np.unique(2 * ratings.rating)) == set(range(1, 11))
    assert len(np.unique(ratings.user_idx * 10_000 + ratings.movie_idx)) == len(ratings)
    assert np.square(ratings.rating - truth).mean() == pytest.approx(0.8**2, rel=0.1)
    assert np.array_equal(ratings.rating, movielens_shaped(100_000).ratings.rating)

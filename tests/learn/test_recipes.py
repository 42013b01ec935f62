import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.planted import low_rank_ratings, make_ratings

from cf_excel.errors import InputError
from cf_excel.learn.baselines import SHRINK, bias_baseline, mean_baseline
from cf_excel.learn.devices import pick_device
from cf_excel.learn.lesson.recipes import RECIPES, lesson_settings
from cf_excel.metrics import mse
from cf_excel.model.kinds import KINDS
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.validation import lesson_split

TESTS = Path(__file__).parents[1]


def test_every_kind_of_model_file_has_a_recipe() -> None:
    assert ("bayes", *RECIPES, "picks") == tuple(KINDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs 0: expected 1 or more"),
        ({"n_factors": 0}, "factors 0: expected 1 to 4,096"),
        ({"n_factors": 10**9}, "factors 1000000000: expected 1 to 4,096"),
        ({"batch_size": -1}, "batch size -1"),
        ({"threads": 0}, "threads 0"),
        ({"threads": 10**6}, "threads 1000000: expected 1 to"),
        ({"lr": float("nan")}, "learning rate nan: expected a number above 0, such as 0.01"),
        ({"lr": float("inf")}, "learning rate inf"),
        ({"lr": 0.0}, "learning rate 0"),
        ({"wd": -1e-4}, "weight decay -0.0001"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**63}, "seed 9223372036854775808"),
        ({"device": "tpu"}, "device 'tpu': expected one of auto, cpu, cuda, mps"),
        ({"kind": "forest"}, "model 'forest': expected one of dot, dot-bias, net, collab"),
    ],
)
def test_settings_that_can_not_work(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        lesson_settings(**change)


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="device cuda: PyTorch finds none"):
        pick_device("cuda")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_fastest_device_that_is_there(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert pick_device("auto").type == expected


def test_baselines_on_the_lessons_split() -> None:
    ratings = load_ratings()
    val_rows = lesson_split(len(ratings))
    truth = ratings.rating[val_rows]
    assert mse(mean_baseline(ratings, val_rows), truth) == pytest.approx(1.1238, abs=5e-5)
    assert mse(bias_baseline(ratings, val_rows), truth) == pytest.approx(0.7827, rel=0.005)  # surprise's BaselineOnly


def test_bias_baseline_by_hand() -> None:
    ratings = make_ratings(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), np.array([4.0, 2.0, 5.0, 1.0]))
    mean, movie_bias = 3.0, (1 - 1) / (2 + SHRINK)
    user_bias = ((4 - mean - movie_bias) + 0.0) / (1 + SHRINK)
    expected = 3.0 + user_bias
    assert bias_baseline(ratings, np.array([2, 3]))[0] == pytest.approx(expected)
    assert bias_baseline(ratings, np.array([2, 3])).sum() == pytest.approx(6.0)


def test_baselines_do_not_look_at_validation_ratings() -> None:
    ratings = low_rank_ratings(10, 10)
    val_rows = lesson_split(len(ratings))
    changed = ratings.rating.copy()
    changed[val_rows] = 99
    other = make_ratings(ratings.user_idx, ratings.movie_idx, changed)
    for baseline in (mean_baseline, bias_baseline):
        assert np.array_equal(baseline(ratings, val_rows), baseline(other, val_rows))


@pytest.mark.slow
def test_training_does_not_import_torchs_compiler() -> None:
    code = (
        "import sys; from support.planted import low_rank_ratings; from cf_excel import train\n"
        f"for kind in {list(RECIPES)}:\n    train(low_rank_ratings(10, 10), kind, epochs=1, device='cpu')\n"
        "print('torch._dynamo' in sys.modules)\n"
        "import torch; torch.optim.SGD([torch.zeros(1)], 0.1); print('torch._dynamo' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS.parent)))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]  # that a plain optimizer does is why

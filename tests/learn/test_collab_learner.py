from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import optim

from cf_excel.errors import FileError, InputError
from cf_excel.learn import trainer
from cf_excel.learn.lesson.collab_learner import CollabDataset
from cf_excel.learn.progress import Epoch, Progress

TABLE = pd.DataFrame(
    {
        "who": ["b", "a", "b", "c", "a", "c", "b", "a"],
        "what": [30, 10, 10, 20, 20, 30, 20, 30],
        "stars": [1, 2, 3, 4, 5, 1, 2, 3.5],
    }
)
VAL_IDXS = [6, 1]


def dataset() -> CollabDataset:
    return CollabDataset.from_data_frame(TABLE, "who", "what", "stars")


def test_ids_are_numbered_by_first_appearance(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "r.csv", index=False)
    cf = CollabDataset.from_csv(str(tmp_path), "r.csv", "who", "what", "stars")
    assert cf.user2idx == {"b": 0, "a": 1, "c": 2}
    assert cf.item2idx == {30: 0, 10: 1, 20: 2}
    assert (cf.n_users, cf.n_items, cf.min_score, cf.max_score) == (3, 3, 1.0, 5.0)
    assert cf.cats.tolist()[:3] == [[0, 0], [1, 1], [0, 1]]


def test_predictions_come_in_the_order_of_val_y() -> None:
    learn = dataset().get_learner(2, VAL_IDXS, 2, opt_fn=optim.Adam, device="cpu")
    assert learn.data.val_y.tolist() == [2.0, 2.0]
    rows = torch.tensor([[1, 1], [0, 2]])  # rows 1 and 6 of the table: (a, 10) and (b, 20)
    with torch.no_grad():
        expected = learn.model.eval()(rows, None).numpy()
    assert learn.predict() == pytest.approx(expected, rel=1e-6)


def rates_of(*args: float, **options: float) -> list[float]:
    """Return the learning rate of every step of a fit, in units of the rate given."""
    rates = []

    def opt_fn(parameters: object, **settings: float) -> optim.Optimizer:
        opt = optim.SGD(parameters, **settings)
        opt.register_step_pre_hook(lambda opt, a, k: rates.append(opt.param_groups[0]["lr"] / settings["lr"]))
        return opt

    dataset().get_learner(2, VAL_IDXS, 2, opt_fn=opt_fn, device="cpu").fit(*args, **options)
    return rates


def test_fit_counts_epochs_or_cycles() -> None:
    assert rates_of(1e-2, 3) == [1.0] * 9
    cosine = rates_of(1e-2, 2, cycle_len=1, cycle_mult=2)
    assert cosine == pytest.approx([0.01, 0.75, 0.25, 0.01, *((1 + np.cos(np.pi * np.arange(1, 6) / 6)) / 2)])


def test_weight_decay_pulls_weights_to_zero() -> None:
    sizes = []
    for wds in (0.0, 0.5):
        torch.manual_seed(0)
        learn = dataset().get_learner(2, VAL_IDXS, 2, opt_fn=optim.SGD, device="cpu")
        learn.fit(0.1, 40, wds=wds)
        sizes.append(sum(weight.square().sum().item() for weight in learn.model.parameters()))
    assert sizes[1] < sizes[0] / 2


def test_a_learner_tells_its_progress() -> None:
    heard: list[Epoch] = []

    class Listening(CollabDataset):
        class progress(Progress):
            def epoch(self, epoch: Epoch) -> None:
                heard.append(epoch)

    learn = Listening.from_data_frame(TABLE, "who", "what", "stars").get_learner(2, VAL_IDXS, 2, opt_fn=optim.Adam)
    assert learn.fit(1e-2, 2) == [heard[-1].val_loss]
    assert [epoch.number for epoch in heard] == [1, 2]


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((float("nan"), 1), {}, "learning rate nan"),
        ((-0.1, 1), {}, "learning rate -0.1"),
        ((0.1, 0), {}, "n_cycle 0"),
        ((0.1, 1), {"cycle_len": 1, "cycle_mult": 0}, "cycle_mult 0"),
        ((0.1, 1), {"wds": -1.0}, "weight decay -1"),
    ],
)
def test_settings_of_fit_that_can_not_work(args: tuple, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataset().get_learner(2, VAL_IDXS, 2, opt_fn=optim.Adam).fit(*args, **options)


def test_tables_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.csv can't be read: No such file or directory$"):
        CollabDataset.from_csv(str(tmp_path), "nowhere.csv", "who", "what", "stars")
    with pytest.raises(InputError, match=r"has no column 'rating' \(found: who, what, stars\)"):
        CollabDataset.from_data_frame(TABLE, "who", "what", "rating")
    with pytest.raises(InputError, match="column 'stars' must hold numbers"):
        CollabDataset.from_data_frame(TABLE.assign(stars="many"), "who", "what", "stars")
    with pytest.raises(InputError, match="NaN"):
        CollabDataset.from_data_frame(TABLE.assign(stars=np.nan), "who", "what", "stars").get_data(VAL_IDXS)
    with pytest.raises(InputError, match="expected as many"):
        CollabDataset.from_data_frame(TABLE[:0], "who", "what", "stars")
    with pytest.raises(InputError, match="0 factors"):
        dataset().get_model(0)


def test_how_they_show_themselves() -> None:
    learn = dataset().get_learner(2, VAL_IDXS, 2, opt_fn=optim.Adam, device="cpu")
    assert repr(dataset()) == "<CollabDataset: 8 ratings, 3 users, 3 items>"
    assert repr(learn) == "<CollabLearner: CollabModel on <ColumnarModelData: 6 rows to train on, 2 to validate, bs 2>>"


@pytest.mark.parametrize("opt_fn", [optim.SGD([torch.zeros(1)], lr=1.0), "adam", None])
def test_what_makes_no_optimizer_is_refused_at_once(opt_fn: object) -> None:
    with pytest.raises(InputError, match=r"expected opt_fn to be a class of optimizers, such as optim\.Adam"):
        dataset().get_learner(2, VAL_IDXS, 2, opt_fn=opt_fn, device="cpu")


@pytest.mark.parametrize(
    ("args", "options", "says"),
    [
        ((1e-2, 0), {}, "^n_cycle 0: expected a whole number, 1 or more"),
        ((1e-2, 1.5), {}, r"^n_cycle 1\.5: expected a whole number"),
        ((1e-2, 1), {"cycle_len": 1, "cycle_mult": 0}, "^cycle_mult 0: expected"),
        (("0.01", 1), {}, "^a str: expected a learning rate, such as"),
    ],
)
def test_the_number_that_can_not_be_is_named(args: tuple, options: dict, says: str) -> None:
    learn = dataset().get_learner(2, VAL_IDXS, 2, opt_fn=optim.Adam, device="cpu")
    with pytest.raises(InputError, match=says):
        learn.fit(*args, **options)


def test_a_class_is_no_optimizer() -> None:
    learn = dataset().get_learner(2, VAL_IDXS, 2, opt_fn=optim.Adam, device="cpu")
    with pytest.raises(InputError, match=r"a type: expected an optimizer, such as optim.SGD\(model.parameters"):
        trainer.fit(learn.model, learn.data, 1, optim.SGD, learn.crit)

"""Gradient descent in the sheets, beside PyTorch: the formulas in LibreOffice and IronCalc."""

import math
import re
import zipfile
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.gradient_sheets import BY_TITLE, TITLES, sheet_of
from support.hosts import IronCalc
from support.models import block_values

from cf_excel.cli import main
from cf_excel.errors import InputError
from cf_excel.learn.schedules import lesson_cycles, sgdr
from cf_excel.sheets.gradient.descent import Line, descend
from cf_excel.sheets.gradient.gradient_books import build_gradient, check_options
from cf_excel.sheets.gradient.gradient_layout import N_CONTOURS, N_CORNERS, RUNS_AWAY, DataSheet
from cf_excel.sheets.gradient.optimizers import OPTIMIZERS
from cf_excel.xlsx.cells import one_cell

# the estimates subtract nearly equal numbers: two programs agree on fewer of their digits
ROUNDING = 1e-10
EPOCHS = (1, 5, 20)
NUMBER = re.compile(r"[0-9]+")


@pytest.fixture(scope="module")
def gradient_workbooks(gradient_folder) -> dict[str, openpyxl.Workbook]:
    """What openpyxl finds in both, for reading."""
    names = ("gradient_descent.xlsx", "gradient_descent.xlsm")
    return {name: openpyxl.load_workbook(gradient_folder / name) for name in names}


@pytest.fixture(scope="module")
def ironcalc(gradient_folder) -> IronCalc:
    return IronCalc(gradient_folder / "gradient_descent.xlsx")


def cosine_restarts(step: int, n_batches: int) -> float:
    """The factor of the learning rate: cycles of 1, 2, 4, ... epochs, the first twentieth at a hundredth."""
    start, length = 0, n_batches
    while step >= start + length:
        start, length = start + length, 2 * length
    done = (step - start) / length
    return 0.01 if done < 1 / 20 else (1 + math.cos(math.pi * done)) / 2


def torch_optimizer(title: str, weights: list, n_points: int) -> tuple:
    """Return PyTorch's optimizer of a sheet and its schedules by step and by epoch."""
    given = BY_TITLE[title].inputs
    rate, optim = given["learning_rate"], torch.optim
    if title in ("sgd", "loss"):
        return optim.SGD(weights, lr=rate), None, None
    if title == "momentum":
        return optim.SGD(weights, lr=rate * (1 - given["beta"]), momentum=given["beta"]), None, None
    if title == "adagrad":
        return optim.Adagrad(weights, lr=rate, eps=given["epsilon"]), None, None
    if title == "rmsprop":
        return optim.RMSprop(weights, lr=rate, alpha=given["beta"], eps=given["epsilon"]), None, None
    adam = optim.Adam(weights, lr=rate, betas=(given["beta_1"], given["beta_2"]), eps=given["epsilon"])
    if title == "annealing":
        return adam, None, optim.lr_scheduler.ExponentialLR(adam, given["decay"])
    if title == "sgdr":
        return adam, optim.lr_scheduler.LambdaLR(adam, lambda step: cosine_restarts(step, n_points)), None
    return adam, None, None


def torch_weights(title: str, line: Line, n_epochs: int) -> list[tuple[float, float]]:
    """Return (b, a) after every epoch, trained by PyTorch's autograd and optimizer in float64."""
    b, a = (torch.tensor(1.0, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer, by_step, by_epoch = torch_optimizer(title, [b, a], len(line.x))
    after = []
    for _ in range(n_epochs):
        for x, y in zip(line.x, line.y, strict=True):
            optimizer.zero_grad()
            ((a * x + b - y) ** 2).backward()
            optimizer.step()
            if by_step:
                by_step.step()
        if by_epoch:
            by_epoch.step()
        after.append((b.item(), a.item()))
    return after


@pytest.mark.libreoffice
@pytest.mark.parametrize("title", TITLES)
def test_weights_equal_pytorch(title, gradient_values, ironcalc):
    expected = torch_weights(title, Line.draw(29, 2, 30, 42), max(EPOCHS))
    history = sheet_of(title).history
    found = block_values(gradient_values[title], history)
    for epoch in EPOCHS:
        b, a = expected[epoch - 1]
        row = history.top + epoch - 1
        assert found[epoch - 1][[0, 2, 3]] == pytest.approx([epoch, b, a], abs=1e-9)
        iron = [ironcalc.value(title, row, history.left + i) for i in (2, 3)]
        assert iron == pytest.approx([b, a], abs=1e-9)
    assert expected[0] != pytest.approx(expected[4], abs=1e-3)


@pytest.mark.libreoffice
def test_pytorchs_form_of_momentum_makes_the_same_steps(gradient_values):
    sheet = sheet_of("momentum")
    torch_form = block_values(gradient_values["momentum"], sheet.column("torch_b", "torch_a"))
    np.testing.assert_allclose(
        torch_form, block_values(gradient_values["momentum"], sheet.column("new_b", "new_a")), rtol=1e-12
    )


@pytest.mark.libreoffice
def test_the_uncorrected_form_of_adam_is_another_one(gradient_values):
    sheet, given = sheet_of("adam"), BY_TITLE["adam"].inputs
    values = {
        name: block_values(gradient_values["adam"], sheet.column(f"{name}_b", f"{name}_a"))
        for name in ("m", "v", "uncorrected", "new")
    }
    before = block_values(gradient_values["adam"], sheet.column("b", "a"))
    step = given["learning_rate"] * values["m"] / (np.sqrt(values["v"]) + given["epsilon"])
    np.testing.assert_allclose(values["uncorrected"], before - step, rtol=1e-12)
    assert np.all(np.abs(values["uncorrected"] - values["new"])[[1, 100]] > 0.01)


@pytest.mark.libreoffice
def test_finite_differences_agree_with_the_gradients(gradient_values):
    sheet = sheet_of("sgd")
    gradients = block_values(gradient_values["sgd"], sheet.column("de_db", "de_da"))
    estimates = block_values(gradient_values["sgd"], sheet.column("estimated_db", "estimated_da"))
    assert gradients.shape == (580, 2)
    assert np.all(np.abs(estimates - gradients) <= 0.01 * np.abs(gradients))


@pytest.mark.libreoffice
def test_the_debiased_loss_is_a_weighted_mean_of_all_losses(gradient_values):
    sheet = sheet_of("loss")
    loss, debiased = block_values(gradient_values["loss"], sheet.column("loss", "average", "debiased"))[:, [0, 2]].T
    for step in (1, 2, 29, 580):
        weights = 0.98 ** np.arange(step)[::-1]
        assert debiased[step - 1] == pytest.approx(np.average(loss[:step], weights=weights), rel=1e-12)


@pytest.mark.libreoffice
def test_the_rate_of_sgdr_is_the_trainers(gradient_values):
    rate = block_values(gradient_values["sgdr"], sheet_of("sgdr").column("rate"))[:, 0]
    factor = sgdr(lesson_cycles(5, cycle_len=1, cycle_mult=2), n_batches=29)
    np.testing.assert_allclose(rate, [0.5 * factor(step) for step in range(580)], rtol=1e-12)


@pytest.mark.libreoffice
def test_every_optimizer_learns(gradient_values):
    rmse = {title: block_values(gradient_values[title], sheet_of(title).history)[:, 1] for title in TITLES}
    assert all(values[-1] < values[0] for values in rmse.values())
    # sgd and momentum find the slope and then crawl, as in the lesson; the others come near the line
    assert all(values[-1] < 4 for title, values in rmse.items() if title not in ("sgd", "momentum", "loss"))


@pytest.mark.libreoffice
@pytest.mark.validator
@pytest.mark.parametrize("name", ["gradient_descent.xlsx", "gradient_descent.xlsm"])
def test_cached_results_equal_recalculated_ones(gradient_folder, office, validator_errors, name):
    path = gradient_folder / name
    assert validator_errors(path) == []
    recalculated, ironcalc = office.recalculate(path), IronCalc(path)
    cached = openpyxl.load_workbook(path, data_only=True, read_only=True)
    n_numbers = 0
    for sheet in cached.worksheets:
        assert recalculated[sheet.title]["errors"] == ""
        values = recalculated[sheet.title]["values"]
        for row in sheet.iter_rows():
            for cell in (cell for cell in row if isinstance(cell.value, float | int)):
                engines = values[cell.row - 1][cell.column - 1], ironcalc.value(sheet.title, cell.row, cell.column)
                for value in engines:
                    where = (sheet.title, cell.coordinate, cell.value, value)
                    assert math.isclose(value, cell.value, rel_tol=ROUNDING, abs_tol=ROUNDING), where
                n_numbers += 1
    cached.close()
    assert n_numbers > len(TITLES) * 29 * 12


@pytest.mark.libreoffice
@settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    n_epochs=st.integers(1, 4),
    n_points=st.integers(1, 5),
    slope=st.floats(-5, 5),
    intercept=st.floats(-50, 50),
    seed=st.integers(0, 2**64),
)
def test_any_line(tmp_path, office, n_epochs, n_points, slope, intercept, seed):
    descents = build_gradient(
        tmp_path, n_epochs=n_epochs, n_points=n_points, slope=slope, intercept=intercept, seed=seed
    )
    line = Line.draw(n_points, slope, intercept, seed)
    found = office.recalculate(tmp_path / "gradient_descent.xlsx")
    for title, descent in descents.items():
        assert found[title]["errors"] == ""
        history = block_values(found[title], sheet_of(title, n_points, n_epochs).history)
        np.testing.assert_allclose(history[:, 1:].T, [descent.rmse[1:], descent.b[1:], descent.a[1:]], rtol=1e-9)
        np.testing.assert_allclose(history[:, 2:], torch_weights(title, line, n_epochs), rtol=1e-7, atol=1e-9)


@pytest.mark.libreoffice
@pytest.mark.parametrize("name", ["gradient_descent.xlsx", "gradient_descent.xlsm"])
@pytest.mark.parametrize("rate", [1, 1e6])
def test_a_learning_rate_that_is_too_high_shows_a_sentence(gradient_folder, office, name, rate):
    changes = {}
    for title in TITLES:
        place = 2 + list(BY_TITLE[title].inputs).index("learning_rate")
        changes[title] = {sheet_of(title).input(place).first: 1e6 if "adam" in title else rate}
    found = office.recalculate(gradient_folder / name, changes)
    for title in TITLES:
        status = block_values(found[title], sheet_of(title).status)[0, 0]
        assert found[title]["errors"] == ""
        if rate == 1e6 or title in ("sgd", "momentum", "loss"):
            assert status == RUNS_AWAY, title


@pytest.mark.libreoffice
def test_weights_that_run_away_are_cached_as_they_are(tmp_path, office, monkeypatch):
    wild = [replace(optimizer, inputs=optimizer.inputs | {"learning_rate": 1.0}) for optimizer in OPTIMIZERS]
    monkeypatch.setattr("cf_excel.sheets.gradient.gradient_books.OPTIMIZERS", wild)
    build_gradient(tmp_path, n_epochs=3)
    found = office.recalculate(tmp_path / "gradient_descent.xlsx")["sgd"]
    cached = openpyxl.load_workbook(tmp_path / "gradient_descent.xlsx", data_only=True)["sgd"]
    sheet = sheet_of("sgd", n_epochs=3)
    for block in (sheet.result, sheet.history, sheet.column("new_b", "new_a")):
        kept = [[cell.value for cell in row] for row in cached[block.span()]]
        np.testing.assert_allclose(block_values(found, block).astype(float), kept, rtol=1e-12)
    assert block_values(found, sheet.status)[0, 0] == RUNS_AWAY
    assert cached[sheet.status.first].value == RUNS_AWAY


@pytest.mark.libreoffice
def test_annealing_calms_adam(gradient_folder, office, gradient_values):
    sheet = sheet_of("annealing")
    decay = sheet.input(2 + list(BY_TITLE["annealing"].inputs).index("decay")).first
    constant = office.recalculate(gradient_folder / "gradient_descent.xlsx", {"annealing": {decay: 1}})
    jittering, calm = (block_values(found["annealing"], sheet.result)[0, 1] for found in (constant, gradient_values))
    assert calm < 0.05 < 1 < jittering


@pytest.mark.libreoffice
def test_a_good_learning_rate_shows_no_sentence(gradient_values):
    assert [block_values(gradient_values[title], sheet_of(title).status)[0, 0] for title in TITLES] == [""] * len(
        TITLES
    )


@pytest.mark.libreoffice
def test_the_line_can_be_changed_in_the_sheet(gradient_folder, office):
    data = DataSheet(29)
    changes = {data.title: {data.slope.first: -1, data.intercept.first: 7}}
    found = office.recalculate(gradient_folder / "gradient_descent.xlsx", changes)
    b, a = torch_weights("adagrad", Line.draw(29, -1, 7, 42), 20)[-1]
    assert block_values(found["adagrad"], sheet_of("adagrad").history)[-1, 2:] == pytest.approx([b, a], abs=1e-9)


def charts_in(path: Path) -> list[str]:
    """The charts' parts, of intro first, then of data and of each optimizer in order."""
    with zipfile.ZipFile(path) as package:
        names = [name for name in package.namelist() if "charts/chart" in name]
        return [
            package.read(name).decode() for name in sorted(names, key=lambda name: list(map(int, NUMBER.findall(name))))
        ]


def test_axes_of_epochs_and_steps_end_where_these_do(gradient_folder):
    """Programs round up otherwise, to 25 and 600; what the buttons will run is not known."""
    xlsx, xlsm = (charts_in(gradient_folder / name) for name in ("gradient_descent.xlsx", "gradient_descent.xlsm"))
    for end, n_charts in ((20, 1 + len(TITLES)), (580, 2), (145, 2)):
        assert sum(f'<c:max val="{end}"/><c:min val="0"/>' in chart for chart in xlsx) == n_charts
    assert sum("<c:max" in chart for chart in xlsx) == 1 + len(TITLES) + 4
    assert not any("<c:max" in chart for chart in xlsm)


def test_charts_show_their_points(gradient_folder):
    counts = [chart.count("<c:pt ") for chart in charts_in(gradient_folder / "gradient_descent.xlsx")]
    goal = 2 + N_CONTOURS * 2 * (N_CORNERS + 1)
    rmse, path, rate = 2 * 21, goal + 2 * 21, 2 * 580
    paths, slopes, losses = goal + 2 * 2 * 581, 2 * 2 * 145, 3 * 2 * 145
    beside = {"momentum": [rmse, paths, slopes], "loss": [losses, rmse]}
    beside |= {title: [rate, rmse, path] for title in ("annealing", "sgdr")}
    # epochs 0 to 20 of seven optimizers; the points of the line; those of each sheet
    assert counts == [7 * 2 * 21, 2 * 29, *chain(*(beside.get(title, [rmse, path]) for title in TITLES))]


@pytest.mark.parametrize("name", ["gradient_descent.xlsx", "gradient_descent.xlsm"])
def test_charts_stand_beside_the_first_rows_on_one_screen(gradient_workbooks, name):
    """A screen of 1,400 pixels, less the row numbers; 7 pixels are a character."""
    book = gradient_workbooks[name]
    for worksheet in book.worksheets:
        for chart in worksheet._charts:
            corner = chart.anchor.to
            widths = dict.fromkeys(range(1, corner.col + 1), 64 / 7)
            for group in worksheet.column_dimensions.values():
                widths |= dict.fromkeys(range(group.min, min(group.max, corner.col) + 1), group.width)
            assert sum(widths.values()) * 7 <= 1360, worksheet.title
            assert chart.anchor._from.row < 5
    headings = {sheet.title: sheet.freeze_panes for sheet in book.worksheets if sheet.title in TITLES}
    # LibreOffice's mouse does not reach buttons in a part that is frozen
    assert headings == {title: sheet_of(title).start.first if name.endswith("x") else None for title in TITLES}
    assert book["data"].freeze_panes == one_cell(DataSheet(29).x.top, 1).first


@pytest.mark.libreoffice
def test_lines_of_equal_error_follow_the_data(gradient_folder, office):
    """Also where the points lie on no line: the error of all corners is the least plus the contour's."""
    data = DataSheet(29)
    bent = {data.y.row(i).first: value for i, value in ((0, 20.0), (3, 250.0))}
    changes = {data.title: {data.slope.first: -1.5, data.x.row(5).first: 250, **bent}}
    found = office.recalculate(gradient_folder / "gradient_descent.xlsx", changes)[data.title]
    assert found["errors"] == ""
    x, y, contours = (block_values(found, block).astype(float) for block in (data.x, data.y, data.contours))
    best = np.polyfit(x[:, 0], y[:, 0], 1)
    fit = block_values(found, data.fit)[:, 0].astype(float)
    np.testing.assert_allclose(fit[:4], [*best, x.mean(), x.var()], rtol=1e-9)
    least = np.square(best[0] * x + best[1] - y).mean()
    errors = [
        [np.square(a * x + b - y).mean() for a, b in zip(contours[:, 2 * i], contours[:, 2 * i + 1], strict=True)]
        for i in range(N_CONTOURS)
    ]
    levels = block_values(found, data.levels)[0, ::2].astype(float)
    assert 0 < levels[0] < levels[-1] == pytest.approx(fit[4])
    for i, level in enumerate(levels):
        np.testing.assert_allclose(errors[i], least + level**2, rtol=1e-9)
    # the outermost line comes about as far as the start
    assert 0.3 < np.ptp(contours[:, -2]) / 2 / abs(best[0] - 1) < 3


def test_the_line_depends_on_the_seed_alone():
    assert Line.draw(5, 2, 30, 42).x == [64, 3, 28, 23, 74]
    assert Line.draw(5, 2, 30, 43).x != Line.draw(5, 2, 30, 42).x
    assert all(1 <= x <= 100 for x in Line.draw(2000, 2, 30, 1).x)
    assert {1, 100} <= set(Line.draw(2000, 2, 30, 1).x)


def test_same_inputs_same_bytes(gradient_folder, tmp_path):
    build_gradient(tmp_path)
    for name in ("gradient_descent.xlsx", "gradient_descent.xlsm"):
        assert (tmp_path / name).read_bytes() == (gradient_folder / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_epochs": 0}, "--epochs 0: expected 1 to 1,000"),
        ({"n_points": 10_001}, "--points 10001: expected 1 to 10,000"),
        ({"n_epochs": 1000, "n_points": 101}, "expected at most 100,000 rows"),
        ({"slope": math.nan}, "--slope nan: expected a number from -1,000,000"),
        ({"intercept": -math.inf}, "--intercept -inf: expected a number"),
    ],
)
def test_numbers_that_make_no_workbook(options, says):
    with pytest.raises(InputError, match=says):
        check_options(**{"n_epochs": 20, "n_points": 29, "slope": 2.0, "intercept": 30.0, **options})


def test_build_only_gradient(tmp_path, capsys):
    assert main(["build", "--only", "gradient", "--out", str(tmp_path), "--epochs", "2", "--slope", "-1.5"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gradient_descent.xlsm", "gradient_descent.xlsx"]
    out = capsys.readouterr().out
    assert f"wrote {tmp_path / 'gradient_descent.xlsx'} and .xlsm: y = -1.5 * x + 30" in out
    assert all(f"  {title:<14} RMSE" in out for title in TITLES)
    cached = openpyxl.load_workbook(tmp_path / "gradient_descent.xlsx", data_only=True)["data"]
    assert cached[DataSheet(29).slope.first].value == -1.5


def test_momentum_as_it_opens_comes_further_than_sgd():
    line = Line.draw(29, 2.0, 30.0, seed=42)
    sgd, momentum = (descend(BY_TITLE[title], line, 20) for title in ("sgd", "momentum"))
    assert momentum.rmse[-1] < sgd.rmse[-1] - 0.5
    assert momentum.b[-1] - 1 > 1.8 * (sgd.b[-1] - 1)


@pytest.mark.parametrize("name", ["gradient_descent.xlsx", "gradient_descent.xlsm"])
def test_every_name_says_what_it_is(gradient_workbooks, name):
    book = gradient_workbooks[name]
    names = [*book.defined_names.values(), *chain.from_iterable(sheet.defined_names.values() for sheet in book)]
    assert len(names) > 30
    assert [one.name for one in names if not 10 < len(one.comment or "") <= 255] == []


def test_a_descent_shows_where_it_got(tmp_path):
    found = build_gradient(str(tmp_path / "new" / "folder"), n_epochs=2, n_points=3)
    assert (tmp_path / "new" / "folder" / "gradient_descent.xlsm").is_file()
    assert re.fullmatch(r"<Descent: RMSE [\d.]+ after 2 epochs, y = [\d.]+ \* x \+ [\d.]+>", repr(found["sgd"]))

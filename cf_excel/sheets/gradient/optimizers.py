"""The optimizers of the lesson: for each what its sheet's formulas say, and the same numbers in Python.

A formula names columns of its own row in braces ({error}), of the row above as {above[error]}, and input cells by their
names. What is said for the intercept b holds for the slope a in the column beside. The Python side uses floats in a
fixed order, so that the results depend on no processor. Where PyTorch has the optimizer, both agree with torch.optim.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

Row = dict[str, float]
"""Numbers of one row by column name."""


@dataclass(frozen=True)
class State:
    """State columns that are filled from one formula: one, or two for b and a."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    formula: str


@dataclass(frozen=True)
class Optimizer:
    """One sheet: its input cells with their values, its state, the formula of the new b, and the same in Python.

    derived: cells below the inputs, each with its formula and its value. compared: drawn in the chart of them all.
    charts: of its sheet, from left to right (see gradient_charts).
    """

    title: str
    heading: str
    rule: str
    inputs: dict[str, float]
    state: tuple[State, ...]
    update: str
    step: Callable[[Row, Row, dict[str, float]], None]
    derived: dict[str, tuple[str, float]] = field(default_factory=dict)
    compared: bool = True
    charts: tuple[str, ...] = ("rmse", "path")

    @property
    def state_names(self) -> list[str]:
        return [name for state in self.state for name in state.names]


def _pair(name: str, formula: str, label: str) -> State:
    return State((f"{name}_b", f"{name}_a"), (f"{label} b", f"{label} a"), formula)


def _single(name: str, formula: str, label: str) -> State:
    return State((name,), (label,), formula)


def _sgd(row: Row, above: Row, inputs: dict[str, float]) -> None:
    for w in "ba":
        row[f"new_{w}"] = row[w] - inputs["learning_rate"] * row[f"de_d{w}"]


def _finite_differences(row: Row, above: Row, inputs: dict[str, float]) -> None:
    x, y, b, a, h = row["x"], row["y"], row["b"], row["a"], inputs["h"]
    up, down = a * x + (b + h) - y, a * x + (b - h) - y
    row["estimated_db"] = (up * up - down * down) / (2 * h)
    up, down = (a + h) * x + b - y, (a - h) * x + b - y
    row["estimated_da"] = (up * up - down * down) / (2 * h)
    _sgd(row, above, inputs)


def _running_loss(row: Row, above: Row, inputs: dict[str, float]) -> None:
    beta = inputs["beta"]
    row["loss"] = row["error"] * row["error"]
    row["average"] = beta * above["average"] + (1 - beta) * row["loss"]
    row["debiased"] = row["average"] / (1 - beta ** row["step"])
    _sgd(row, above, inputs)


def _momentum(row: Row, above: Row, inputs: dict[str, float]) -> None:
    beta, rate = inputs["beta"], inputs["learning_rate"]
    torch_rate = rate * (1 - beta)
    for w in "ba":
        gradient = row[f"de_d{w}"]
        row[f"avg_{w}"] = beta * above[f"avg_{w}"] + (1 - beta) * gradient
        row[f"v_{w}"] = beta * above[f"v_{w}"] + gradient
        row[f"torch_{w}"] = row[w] - torch_rate * row[f"v_{w}"]
        row[f"new_{w}"] = row[w] - rate * row[f"avg_{w}"]


def _adagrad(row: Row, above: Row, inputs: dict[str, float]) -> None:
    for w in "ba":
        gradient = row[f"de_d{w}"]
        row[f"sum_{w}"] = above[f"sum_{w}"] + gradient * gradient
        scale = math.sqrt(row[f"sum_{w}"]) + inputs["epsilon"]
        row[f"new_{w}"] = row[w] - inputs["learning_rate"] * gradient / scale


def _rmsprop(row: Row, above: Row, inputs: dict[str, float]) -> None:
    beta = inputs["beta"]
    for w in "ba":
        gradient = row[f"de_d{w}"]
        row[f"v_{w}"] = beta * above[f"v_{w}"] + (1 - beta) * (gradient * gradient)
        scale = math.sqrt(row[f"v_{w}"]) + inputs["epsilon"]
        row[f"new_{w}"] = row[w] - inputs["learning_rate"] * gradient / scale


def _adam_step(row: Row, above: Row, inputs: dict[str, float], rate: float) -> None:
    beta_1, beta_2, step = inputs["beta_1"], inputs["beta_2"], row["step"]
    for w in "ba":
        gradient = row[f"de_d{w}"]
        row[f"m_{w}"] = beta_1 * above[f"m_{w}"] + (1 - beta_1) * gradient
        row[f"v_{w}"] = beta_2 * above[f"v_{w}"] + (1 - beta_2) * (gradient * gradient)
        mean, square = row[f"m_{w}"] / (1 - beta_1**step), row[f"v_{w}"] / (1 - beta_2**step)
        row[f"new_{w}"] = row[w] - rate * mean / (math.sqrt(square) + inputs["epsilon"])


def _adam(row: Row, above: Row, inputs: dict[str, float]) -> None:
    rate, epsilon = inputs["learning_rate"], inputs["epsilon"]
    _adam_step(row, above, inputs, rate)
    for w in "ba":
        row[f"uncorrected_{w}"] = row[w] - rate * row[f"m_{w}"] / (math.sqrt(row[f"v_{w}"]) + epsilon)


def _annealing(row: Row, above: Row, inputs: dict[str, float]) -> None:
    row["rate"] = inputs["learning_rate"] * inputs["decay"] ** (row["epoch"] - 1)
    _adam_step(row, above, inputs, row["rate"])


def _sgdr(row: Row, above: Row, inputs: dict[str, float]) -> None:
    # a cycle that starts in epoch 1, 2, 4, 8, ... lasts as many epochs
    row["cycle"] = row["epoch"] if row["epoch"] >= 2 * above["cycle"] else above["cycle"]
    done, total = row["step"] - 1 - (row["cycle"] - 1) * inputs["points"], row["cycle"] * inputs["points"]
    row["rate"] = inputs["learning_rate"] * (0.01 if 20 * done < total else (1 + math.cos(math.pi * done / total)) / 2)
    _adam_step(row, above, inputs, row["rate"])


_M = _pair("m", "beta_1*{above[m_b]}+(1-beta_1)*{de_db}", "m")
_V = _pair("v", "beta_2*{above[v_b]}+(1-beta_2)*{de_db}^2", "v")
_ADAM_UPDATE = "{{b}}-{rate}*({{m_b}}/(1-beta_1^{{step}}))/(SQRT({{v_b}}/(1-beta_2^{{step}}))+epsilon)"
_ADAM_INPUTS = {"learning_rate": 0.5, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
_CYCLE_DONE, _CYCLE_TOTAL = "({step}-1-({cycle}-1)*points)", "({cycle}*points)"

OPTIMIZERS = (
    Optimizer(
        "sgd",
        "Stochastic gradient descent",
        "After every point each weight moves against its gradient: new b = b - learning_rate * de/db. The gradients "
        "are exact; the estimates beside them come from moving a weight by h both ways.",
        {"learning_rate": 0.0001, "h": 0.01},
        (
            _single("estimated_db", "(({a}*{x}+({b}+h)-{y})^2-({a}*{x}+({b}-h)-{y})^2)/(2*h)", "est. de/db"),
            _single("estimated_da", "((({a}+h)*{x}+{b}-{y})^2-(({a}-h)*{x}+{b}-{y})^2)/(2*h)", "est. de/da"),
        ),
        "{b}-learning_rate*{de_db}",
        _finite_differences,
    ),
    Optimizer(
        "momentum",
        "Momentum",
        "The lesson moves by a running average of the gradient: avg = beta * avg + (1-beta) * gradient. PyTorch's form "
        "v = beta * v + gradient makes the same steps at learning_rate * (1-beta). "
        "Its rate is twice sgd's: try it there.",
        {"learning_rate": 0.0002, "beta": 0.9},
        (
            _pair("avg", "beta*{above[avg_b]}+(1-beta)*{de_db}", "avg"),
            _pair("v", "beta*{above[v_b]}+{de_db}", "torch v"),
            _pair("torch", "{b}-torch_learning_rate*{v_b}", "torch"),
        ),
        "{b}-learning_rate*{avg_b}",
        _momentum,
        {"torch_learning_rate": ("learning_rate*(1-beta)", 0.0002 * (1 - 0.9))},
        charts=("rmse", "paths", "slopes"),
    ),
    Optimizer(
        "adagrad",
        "Adagrad",
        "Each weight has a learning rate of its own, which falls with the sum of its squared gradients: "
        "new b = b - learning_rate * de/db / (root of the sum + epsilon).",
        {"learning_rate": 5.0, "epsilon": 1e-10},
        (_pair("sum", "{above[sum_b]}+{de_db}^2", "sum"),),
        "{b}-learning_rate*{de_db}/(SQRT({sum_b})+epsilon)",
        _adagrad,
    ),
    Optimizer(
        "rmsprop",
        "RMSprop",
        "Like Adagrad with a running average of the squared gradients in place of their sum, so that old gradients are "
        "forgotten: v = beta * v + (1-beta) * gradient squared (PyTorch calls this beta alpha).",
        {"learning_rate": 0.1, "beta": 0.99, "epsilon": 1e-8},
        (_pair("v", "beta*{above[v_b]}+(1-beta)*{de_db}^2", "v"),),
        "{b}-learning_rate*{de_db}/(SQRT({v_b})+epsilon)",
        _rmsprop,
    ),
    Optimizer(
        "adam",
        "Adam",
        "Momentum (m) and RMSprop (v) together. Both start at 0: as in PyTorch, m is divided by 1-beta_1^step and v by "
        "1-beta_2^step. The course's file leaves that out: its steps stand beside, uncorrected.",
        _ADAM_INPUTS,
        (_M, _V, _pair("uncorrected", "{b}-learning_rate*{m_b}/(SQRT({v_b})+epsilon)", "uncorr.")),
        _ADAM_UPDATE.format(rate="learning_rate"),
        _adam,
    ),
    Optimizer(
        "annealing",
        "Adam with annealing",
        "With this beta_2 Adam jitters around the goal: set decay to 1 to see it. A learning rate that falls from "
        "epoch to epoch calms it: rate = learning_rate * decay^(epoch-1) (PyTorch: ExponentialLR).",
        {**_ADAM_INPUTS, "beta_2": 0.99, "decay": 0.9},
        (_single("rate", "learning_rate*decay^({epoch}-1)", "rate"), _M, _V),
        _ADAM_UPDATE.format(rate="{rate}"),
        _annealing,
        charts=("rate", "rmse", "path"),
    ),
    Optimizer(
        "sgdr",
        "Adam with warm restarts (SGDR)",
        "The rate falls along half a cosine and jumps up again: cycles of 1, 2, 4, 8, ... epochs, the first twentieth "
        "of each at a hundredth of the rate. cf_excel's trainer uses the same schedule.",
        _ADAM_INPUTS,
        (
            _single("cycle", "IF({epoch}>=2*{above[cycle]},{epoch},{above[cycle]})", "cycle"),
            _single(
                "rate",
                f"learning_rate*IF(20*{_CYCLE_DONE}<{_CYCLE_TOTAL},0.01,(1+COS(PI()*{_CYCLE_DONE}/{_CYCLE_TOTAL}))/2)",
                "rate",
            ),
            _M,
            _V,
        ),
        _ADAM_UPDATE.format(rate="{rate}"),
        _sgdr,
        charts=("rate", "rmse", "path"),
    ),
    Optimizer(
        "loss",
        "The running loss",
        "The steps of sgd, and the loss that a trainer prints: average = beta * average + (1-beta) * loss. It starts "
        "at 0, too low, so it is divided by 1-beta^step: debiased.",
        {"learning_rate": 0.0001, "beta": 0.98},
        (
            _single("loss", "{error}^2", "loss"),
            _single("average", "beta*{above[average]}+(1-beta)*{loss}", "average"),
            _single("debiased", "{average}/(1-beta^{step})", "debiased"),
        ),
        "{b}-learning_rate*{de_db}",
        _running_loss,
        compared=False,
        charts=("losses", "rmse"),
    ),
)

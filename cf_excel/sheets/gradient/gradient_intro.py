"""The text of the first sheet of gradient descent."""

from cf_excel.sheets.gradient.descent import Line as Points
from cf_excel.sheets.gradient.gradient_layout import HISTORY_ROWS
from cf_excel.sheets.gradient.optimizers import OPTIMIZERS
from cf_excel.sheets.lesson.intro import TextLine


def gradient_lines(points: Points, n_epochs: int, *, with_buttons: bool) -> list[TextLine]:
    """Return what the first sheet says; beside each optimizer stands the RMSE of its last epoch."""
    if with_buttons:
        how = (
            "The buttons of each sheet run one epoch or five and keep the RMSE; Reset starts again from the start "
            f"cells. {HISTORY_ROWS} epochs fit. Excel asks before it lets macros run; without them, use "
            "gradient_descent.xlsx."
        )
    else:
        how = (
            f"{n_epochs} epochs by formulas alone, each row from the row above. In gradient_descent.xlsm buttons run "
            "them."
        )
    return [
        TextLine("Gradient descent, step by step", style="title"),
        TextLine(
            "",
            f"Every sheet looks for y = {points.slope:g} * x + {points.intercept:g} through {len(points.x)} points, "
            "one step a point, from y = x + 1.",
        ),
        TextLine("", how),
        TextLine(),
        TextLine(
            "What is where",
            "Yellow cells are inputs: change a learning rate and watch. At the right: RMSE of the last epoch.",
            style="heading",
        ),
        TextLine("data", "The line and its points."),
        *(TextLine(optimizer.title, optimizer.rule, rmse_of=optimizer.title) for optimizer in OPTIMIZERS),
        TextLine(),
        TextLine("Good to know", style="heading"),
        TextLine(
            "RMSE",
            "The root of the mean squared error of an epoch's rows, each measured before its own step; epoch 0 is the "
            "start. The chart has a logarithmic axis.",
        ),
        TextLine(
            "b and a",
            "A step for a is x times as long as one for b, so sgd and momentum soon find the slope and then crawl. The "
            "other optimizers give each weight a step size of its own.",
        ),
        TextLine(
            "MEDIAN",
            "In the columns of the weights before: it holds a weight that runs away, so that a learning rate that is "
            "too high shows a sentence and no errors.",
        ),
        TextLine(
            "differences",
            "The estimates on sgd move a weight by h both ways, which is exact for a squared error up to rounding; "
            "moving it one way, as the course's file does, is off by h for b and h * x * x for a.",
        ),
    ]

"""The sheets of gradient descent, as the tests look at them."""

from cf_excel.sheets.gradient.gradient_layout import OptimizerSheet
from cf_excel.sheets.gradient.optimizers import OPTIMIZERS

TITLES = [optimizer.title for optimizer in OPTIMIZERS]
BY_TITLE = {optimizer.title: optimizer for optimizer in OPTIMIZERS}


def sheet_of(title: str, n_points: int = 29, n_epochs: int = 20, *, with_buttons: bool = False) -> OptimizerSheet:
    """Return the layout of a sheet."""
    state = tuple(state.names for state in BY_TITLE[title].state)
    return OptimizerSheet(title, state, n_points, n_epochs, with_buttons)

"""What the Name Manager says of the names on the sheets of gradient descent."""

from openpyxl.workbook.defined_name import DefinedName

_WORDS = {
    "slope": "Slope of the line that the points lie on.",
    "intercept": "Intercept of the line that the points lie on.",
    "points": "How many points there are: steps of an epoch.",
    "start_b": "The intercept before the first step.",
    "start_a": "The slope before the first step.",
    "learning_rate": "How far a step goes along the gradient, or, in Adam and its like, in all.",
    "h": "The difference by which the weights are moved to estimate the gradients.",
    "beta": "The weight of the running average in the next one: near 1 it is slow and smooth.",
    "torch_learning_rate": "The learning rate by which PyTorch's momentum makes the same steps.",
    "epsilon": "What keeps a step finite where the gradients have been 0.",
    "beta_1": "The weight of the gradients' running average in the next one.",
    "beta_2": "The weight of the squared gradients' running average in the next one.",
    "decay": "What the learning rate is multiplied by after each epoch.",
    "carried": "What the epoch starts from: the button puts the last row here.",
    "carried_weights": "The weights that the epoch starts from.",
    "last_row": "The last step of the epoch.",
    "epoch_result": "The epoch, its RMSE and the weights after it.",
    "history": "Epoch, RMSE and weights of the epochs that the buttons have run.",
}


def gradient_name(name: str, address: str) -> DefinedName:
    """Return a name with its comment."""
    return DefinedName(name, attr_text=address, comment=_WORDS[name])

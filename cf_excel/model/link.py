"""How a sum of products and biases becomes a prediction within the range: the same in formulas and in numbers."""

import numpy as np


def squeezed_formula(x: str, low: str, high: str) -> str:
    """Return the formula of the sigmoid of x, squeezed into the range; x: a cell, a name or a term in brackets."""
    return f"{low}+({high}-{low})*(1+TANH({x}/2))/2"  # TANH can't overflow, EXP can


def squeezed(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return what the formula computes, in rating units, an array of the shape of x."""
    return low + (high - low) * (1 + np.tanh(x / 2)) / 2

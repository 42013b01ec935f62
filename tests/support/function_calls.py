"""Calls of the functions as hosts make them, with what they give."""

MISSING, NOT_AVAILABLE = -2147352572, -2146826246

GRID = [
    ["Customer", "Mug", "Cup", "Pot", "Pan"],
    ["Ann", 5.0, None, 3.0, 1.0],
    ["Bob", 4.0, 4.0, None, 1.0],
    ["Cy", None, 5.0, 3.0, 2.0],
    ["Dee", 1.0, 2.0, None, None],
    ["Eve", None, None, None, None],
]

# what VBA hands over: floats, texts, None, error numbers, the number of a missing argument; ranges as rows
CALLS = [
    ("CF_PREDICT", [15.0, 2571.0]),
    ("CF_PREDICT", ["15", "the matrix"]),
    ("CF_PREDICT", [None, 1.0]),
    ("CF_PREDICT", [NOT_AVAILABLE, 1.0]),
    ("CF_PREDICT", [99.0, 1.0]),
    ("CF_PREDICT", [[[15.0], [None], ["3"], [NOT_AVAILABLE]], [[1.0, "Up 🎈", None, 99.0]]]),
    ("CF_PREDICT", [[[15.0, 3.0]], [[1.0, 10.0]]]),
    ("CF_UNCERTAINTY", [15.0, 1.0]),
    ("CF_USER_FACTORS", [[[15.0], [None], [99.0]]]),
    ("CF_MOVIE_FACTORS", [[[1.0, "hamlet (1996)"]]]),
    ("CF_USER_BIAS", [15.0]),
    ("CF_MOVIE_BIAS", [[[1.0, None]]]),
    ("CF_TITLE", [[[1.0], [4973.0]]]),
    ("CF_RECOMMEND", [42.0, 3.0]),
    ("CF_RECOMMEND", [42.0, MISSING]),
    ("CF_SIMILAR", [1.0, 2.0, 0.0]),
    ("CF_SIMILAR", [1.0, MISSING, MISSING]),
    ("CF_RATE", [[[1.0], ["The Matrix"], [None]], [[5.0], [3.0], [None]], MISSING]),
    ("CF_FIND", ["hamlet", 3.0]),
    ("CF_RMSE", [[[1.0, None, 3.0]], [[2.0, 2.0, None]]]),
    ("CF_MODEL", []),
    ("CF_FILL", [GRID]),
    ("CF_FILL", [[row[1:] for row in GRID[1:]]]),
    ("CF_FILL", [[["Ann", "Bob"]]]),
    ("CF_FILL", [[["", "Mug"], ["Ann", NOT_AVAILABLE]]]),
    ("CF_TOP", [GRID, 2.0]),
    ("CF_TOP", [GRID, MISSING]),
    ("CF_FIT", [GRID]),
]

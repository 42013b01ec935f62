"""The GPU's half of cuda_sgd: see there. Two launches a step, and no two programs of a launch meet in memory.

Tables (n_rows, 2, width) hold w and b, last (n_rows,) the step in which a row was last touched, maps[step, :, s] the
entries p, q, r, z of the map from step s to this one. A program works on whole rows, of BLOCK columns (a power of two),
and is one warp: what it reads, it has read before it writes. `size` points to the number of ratings of the window: a
step beyond it does nothing.
"""

import triton
import triton.language as tl


@triton.jit
def _caught_up(table, last, maps, row, constant, width, n_maps, columns):
    """Return w and b of a row at the step that these maps lead to; the column of its constant 1 stays."""
    s = tl.load(last + row)
    p, q = tl.load(maps + s), tl.load(maps + n_maps + s)
    r, z = tl.load(maps + 2 * n_maps + s), tl.load(maps + 3 * n_maps + s)
    at = table + row * 2 * width + columns
    w = tl.load(at, mask=columns < width, other=0.0)
    b = tl.load(at + width, mask=columns < width, other=0.0)
    return tl.where(columns == constant, w, p * w + q * b), r * w + z * b


@triton.jit
def _store(table, row, width, columns, w, b):
    at = table + row * 2 * width + columns
    tl.store(at, w, mask=columns < width)
    tl.store(at + width, b, mask=columns < width)


@triton.jit(do_not_specialize=["step"])  # one program for all steps
def errors(
    users, movies, last_user, last_movie, maps,
    user, movie, truth, size, step, bs,
    user_w, movie_w, slopes, squares,
    width, n_factors, n_maps, HAS_RANGE: tl.constexpr, LOW: tl.constexpr, SPAN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Predict a rating of the step, and keep its error, the slope of the loss, and both rows as they were then."""
    place = tl.program_id(0)
    start = (step - 1) * bs
    n = tl.minimum(tl.load(size) - start, bs)
    if place < n:
        maps += step * 4 * n_maps
        columns = tl.arange(0, BLOCK)
        u, m = tl.load(user + start + place), tl.load(movie + start + place)
        of_user, _ = _caught_up(users, last_user, maps, u, n_factors + 1, width, n_maps, columns)
        of_movie, _ = _caught_up(movies, last_movie, maps, m, n_factors, width, n_maps, columns)
        tl.store(user_w + place.to(tl.int64) * width + columns, of_user, mask=columns < width)
        tl.store(movie_w + place.to(tl.int64) * width + columns, of_movie, mask=columns < width)
        dot = tl.sum(of_user * of_movie, axis=0)
        if HAS_RANGE:
            share = 1.0 / (1.0 + tl.exp(-dot))
            prediction, rise = share * SPAN + LOW, SPAN * share * (1.0 - share)
        else:
            prediction, rise = dot, 1.0
        error = prediction - tl.load(truth + start + place)
        tl.store(squares + start + place, error * error)
        tl.store(slopes + place, 2.0 * error * rise / n)


@triton.jit
def _learn(
    table, last, maps, rows, order, runs, slopes, others,
    start, place, step, constant, width, n_maps, BLOCK: tl.constexpr, TOGETHER: tl.constexpr,
):  # fmt: skip
    """Move the row whose run of ratings begins at this place of the step."""
    n = tl.load(runs + start + place)
    if n > 0:
        columns, some = tl.arange(0, BLOCK), tl.arange(0, TOGETHER)
        row = tl.load(rows + start + place)
        w, b = _caught_up(table, last, maps, row, constant, width, n_maps, columns)
        for done in range(0, n, TOGETHER):
            there = done + some < n
            ratings = tl.load(order + start + place + done + some, mask=there, other=0) - start
            slope = tl.load(slopes + ratings, mask=there, other=0.0)
            at = ratings[:, None] * width + columns[None, :]
            other = tl.load(others + at, mask=there[:, None] & (columns < width)[None, :], other=0.0)
            b += tl.sum(slope[:, None] * other, axis=0)
        _store(table, row, width, columns, w, b)
        tl.store(last + row, step)


@triton.jit(do_not_specialize=["step"])
def learn(
    users, movies, last_user, last_movie, maps,
    user_rows, user_order, user_runs, movie_rows, movie_order, movie_runs, size, step, bs,
    user_w, movie_w, slopes,
    width, n_factors, n_maps, BLOCK: tl.constexpr, TOGETHER: tl.constexpr,
):  # fmt: skip
    """Move the rows of users (programs (., 0)) and movies (programs (., 1)) that have ratings in the step.

    TOGETHER: how many ratings of a row are summed at once.
    rows, order, runs: for the ratings of a step, sorted by row: the row, which rating of the window it is, and how many
    ratings of the same row follow, itself included, where it is the first of them, else 0.
    """
    place = tl.program_id(0)
    start = (step - 1) * bs
    if start + place < tl.load(size):
        maps += step * 4 * n_maps
        if tl.program_id(1) == 0:
            _learn(
                users, last_user, maps, user_rows, user_order, user_runs, slopes, movie_w,
                start, place, step, n_factors + 1, width, n_maps, BLOCK, TOGETHER,
            )  # fmt: skip
        else:
            _learn(
                movies, last_movie, maps, movie_rows, movie_order, movie_runs, slopes, user_w,
                start, place, step, n_factors, width, n_maps, BLOCK, TOGETHER,
            )  # fmt: skip


@triton.jit
def catch_up(table, last, maps, constant, width, n_maps, BLOCK: tl.constexpr):
    """Bring a row to the end of the window that these maps lead to."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    w, b = _caught_up(table, last, maps, row, constant, width, n_maps, columns)
    _store(table, row, width, columns, w, b)
    tl.store(last + row, 0)

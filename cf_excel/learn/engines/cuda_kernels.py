"""The GPU's half of cuda_sgd: see there. No two programs of a launch meet in memory.

Tables (n_rows, 2, width) hold w and b, last (n_rows,) the step in which a row was last touched, maps[step, :, s] the
entries p, q, r, z of the map from step s to this one. A program works on whole rows, of BLOCK columns (a power of two),
TOGETHER of them at once. `window` points to where the window's ratings begin and end: a step beyond does nothing.
"""

import triton
import triton.language as tl


@triton.jit
def _caught_up(table, last, maps, row, constant, width, n_maps, columns, mask):
    """Return w and b of rows at the step that these maps lead to; the column of their constant 1 stays."""
    s = tl.load(last + row)
    p, q = tl.load(maps + s), tl.load(maps + n_maps + s)
    r, z = tl.load(maps + 2 * n_maps + s), tl.load(maps + 3 * n_maps + s)
    at = table + row * 2 * width + columns
    w = tl.load(at, mask=mask, other=0.0)
    b = tl.load(at + width, mask=mask, other=0.0)
    return tl.where(columns == constant, w, p * w + q * b), r * w + z * b


@triton.jit
def _store(table, row, width, columns, w, b):
    at = table + row * 2 * width + columns
    tl.store(at, w, mask=columns < width)
    tl.store(at + width, b, mask=columns < width)


@triton.jit(do_not_specialize=["step"])  # one program for all steps
def of_users(
    users, movies, last_user, last_movie, maps,
    user, runs, movie, truth, window, step, bs,
    copies, slopes, squares,
    width, n_factors, n_maps, HAS_RANGE: tl.constexpr, LOW: tl.constexpr, SPAN: tl.constexpr,
    BLOCK: tl.constexpr, TOGETHER: tl.constexpr,
):  # fmt: skip
    """Predict the ratings of the user whose run begins at this place of the step, and move the user.

    For the movies, the user's row before is kept beside each rating, and the slope of the loss.
    """
    place = tl.program_id(0)
    start = tl.load(window) + (step - 1) * bs
    size = tl.minimum(tl.load(window + 1) - start, bs)
    if place < size:
        n = tl.load(runs + start + place)
        if n > 0:
            maps += step * 4 * n_maps
            columns, some = tl.arange(0, BLOCK), tl.arange(0, TOGETHER)
            u = tl.load(user + start + place)
            w, b = _caught_up(users, last_user, maps, u, n_factors + 1, width, n_maps, columns, columns < width)
            old = w[None, :]
            for done in range(0, n, TOGETHER):
                there = done + some < n
                at = place + done + some
                m = tl.load(movie + start + at, mask=there, other=0)
                mask = there[:, None] & (columns < width)[None, :]
                of_movie, _ = _caught_up(
                    movies, last_movie, maps, m[:, None], n_factors, width, n_maps, columns[None, :], mask
                )
                dot = tl.sum(old * of_movie, axis=1)
                if HAS_RANGE:
                    share = 1.0 / (1.0 + tl.exp(-dot))
                    prediction, rise = share * SPAN + LOW, SPAN * share * (1.0 - share)
                else:
                    prediction, rise = dot, 1.0
                error = prediction - tl.load(truth + start + at, mask=there, other=0.0)
                slope = tl.where(there, 2.0 * error * rise / size, 0.0)
                tl.store(squares + start + at, error * error, mask=there)
                tl.store(slopes + at, slope, mask=there)
                tl.store(copies + at[:, None].to(tl.int64) * width + columns[None, :], old + 0 * of_movie, mask=mask)
                b += tl.sum(slope[:, None] * of_movie, axis=0)
            _store(users, u, width, columns, w, b)
            tl.store(last_user + u, step)


@triton.jit(do_not_specialize=["step"])
def of_movies(
    movies, last_movie, maps,
    movie, order, runs, long, window, step, bs,
    copies, slopes,
    width, n_factors, n_maps, n_long, IS_LONG: tl.constexpr, LONG_RUN: tl.constexpr,
    BLOCK: tl.constexpr, TOGETHER: tl.constexpr,
):  # fmt: skip
    """Move the movie whose run of ratings begins at this place of the step, sorted by movie.

    order: which rating of the epoch it is, sorted by user. Runs of over LONG_RUN ratings are those of IS_LONG, which
    long lists.
    """
    start = tl.load(window) + (step - 1) * bs
    if start < tl.load(window + 1):
        place = tl.program_id(0).to(tl.int64)
        if IS_LONG:
            place = tl.load(long + start // bs * n_long + place)
        n = tl.load(runs + start + place, mask=(place >= 0) & (start + place < tl.load(window + 1)), other=0)
        if (n > 0) & ((n > LONG_RUN) == IS_LONG):
            maps += step * 4 * n_maps
            columns, some = tl.arange(0, BLOCK), tl.arange(0, TOGETHER)
            m = tl.load(movie + start + place)
            w, b = _caught_up(movies, last_movie, maps, m, n_factors, width, n_maps, columns, columns < width)
            for done in range(0, n, TOGETHER):
                there = done + some < n
                rating = tl.load(order + start + place + done + some, mask=there, other=0) - start
                slope = tl.load(slopes + rating, mask=there, other=0.0)
                at = rating[:, None] * width + columns[None, :]
                of_user = tl.load(copies + at, mask=there[:, None] & (columns < width)[None, :], other=0.0)
                b += tl.sum(slope[:, None] * of_user, axis=0)
            _store(movies, m, width, columns, w, b)
            tl.store(last_movie + m, step)


@triton.jit
def catch_up(table, last, maps, constant, width, n_maps, BLOCK: tl.constexpr):
    """Bring a row to the end of the window that these maps lead to."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    w, b = _caught_up(table, last, maps, row, constant, width, n_maps, columns, columns < width)
    _store(table, row, width, columns, w, b)
    tl.store(last + row, 0)

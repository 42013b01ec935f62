"""The compiled half of lazy_sgd: see there for what it does and why.

users, movies: packed tables (n_rows, 2, width), slot 0 holds w, slot 1 b. maps (4, steps): the entries p, q,
r, z of the 2x2 maps [[p, q], [r, z]]. output: whether there is a rating range, its low end, its span.
"""

import math

import numpy as np

from cf_excel.learn.engines.compiled import compiled, inlined

BLOCK = 64  # ratings whose rows stay in the nearest cache from the prediction to the gradient
TINY = 1e-30  # what is left of the momentum then is nothing, and it must not fall to where processors are slow


@inlined
def _advance(maps, step, lr, momentum, wd):
    """Lead every map on from step - 1, which had this rate, to step, and add the map of a row touched in step - 1.

    Both ends of a map lie after the decay and the gradient of a step and before its w = w - lr * b.
    """
    for s in range(step - 1):
        p = maps[0, s] - lr * maps[2, s]
        q = maps[1, s] - lr * maps[3, s]
        maps[0, s], maps[1, s] = p, q
        maps[2, s] = wd * p + momentum * maps[2, s]
        rest = wd * q + momentum * maps[3, s]
        maps[3, s] = rest if abs(rest) > TINY else 0.0
    maps[0, step - 1], maps[1, step - 1] = 1.0, -lr
    maps[2, step - 1], maps[3, step - 1] = wd, momentum - wd * lr


@inlined
def _touch(table, row, maps, s, constant, width):
    """Do to a row what it missed since step s; the column of its constant 1 takes no part in that."""
    real = table.dtype.type
    p, q, r, z = real(maps[0, s]), real(maps[1, s]), real(maps[2, s]), real(maps[3, s])
    one = table[row, 0, constant]
    for j in range(width):
        w, b = table[row, 0, j], table[row, 1, j]
        table[row, 0, j], table[row, 1, j] = p * w + q * b, r * w + z * b
    table[row, 0, constant] = one


@compiled
def train(
    users, movies, last_user, last_movie, n_factors, maps, rule, lrs, n_steps, order, cats, y, bs, output, losses
):
    """Do a step for each of the losses, with the ratings of `order`, bs at a time, and the rates lrs[1:]."""
    momentum, wd = rule
    has_range, low, span = output
    width = users.shape[2]
    user, movie = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    real = users.dtype.type
    low, span, unit = real(low), real(span), real(1)
    truth, slope = np.empty(BLOCK, users.dtype), np.empty(BLOCK, users.dtype)
    for batch in range(len(losses)):
        step = n_steps + batch + 1
        _advance(maps, step, lrs[batch], momentum, wd)
        start, stop = batch * bs, min((batch + 1) * bs, len(order))
        scale = real(2.0 / (stop - start))
        total = 0.0
        for block in range(start, stop, BLOCK):
            size = min(BLOCK, stop - block)
            for i in range(size):
                row = order[block + i]
                user[i], movie[i], truth[i] = cats[row, 0], cats[row, 1], y[row]
            for i in range(size):
                u, m = user[i], movie[i]
                if last_user[u] != step:
                    _touch(users, u, maps, last_user[u], n_factors + 1, width)
                    last_user[u] = step
                if last_movie[m] != step:
                    _touch(movies, m, maps, last_movie[m], n_factors, width)
                    last_movie[m] = step
                dot = real(0)
                for j in range(width):
                    dot += users[u, 0, j] * movies[m, 0, j]
                slope[i] = dot
            squares = real(0)
            for i in range(size):
                prediction, rise = slope[i], unit
                if has_range:
                    share = unit / (unit + real(math.exp(-prediction)))
                    prediction, rise = share * span + low, span * share * (unit - share)
                error = prediction - truth[i]
                squares += error * error
                slope[i] = scale * error * rise
            total += squares
            for i in range(size):
                u, m, by = user[i], movie[i], slope[i]
                for j in range(width):
                    users[u, 1, j] += by * movies[m, 0, j]
                for j in range(width):
                    movies[m, 1, j] += by * users[u, 0, j]
        losses[batch] = total / (stop - start)


@compiled
def window_maps(maps, rule, lrs):
    """Fill maps (1 + n_steps + 1, 4, n_steps + 1) for a window of steps with the rates lrs[1:].

    maps[t, :, s] leads from step s to step t, before its w = w - lr * b; maps[-1, :, s] leads to the end of the window.
    """
    n_steps, (momentum, wd) = len(lrs) - 1, rule
    for step in range(1, n_steps + 1):
        maps[step] = maps[step - 1]
        _advance(maps[step], step, lrs[step - 1], momentum, wd)
    maps[-1] = maps[n_steps]
    maps[-1, 0, n_steps] = maps[-1, 3, n_steps] = 1.0
    maps[-1, 1, n_steps] = maps[-1, 2, n_steps] = 0.0
    maps[-1, 0] -= lrs[n_steps] * maps[-1, 2]
    maps[-1, 1] -= lrs[n_steps] * maps[-1, 3]


@compiled
def catch_up(table, last, maps, step, lr):
    """Bring every row to the end of a step that had this rate."""
    for row in range(len(table)):
        p, q, r, z = 1.0, 0.0, 0.0, 1.0
        if last[row] < step:
            s = last[row]
            p, q, r, z = maps[0, s], maps[1, s], maps[2, s], maps[3, s]
        real = table.dtype.type
        p, q, r, z = real(p - lr * r), real(q - lr * z), real(r), real(z)
        for j in range(table.shape[2]):
            w, b = table[row, 0, j], table[row, 1, j]
            table[row, 0, j], table[row, 1, j] = p * w + q * b, r * w + z * b
        last[row] = 0


@compiled
def predict(users, movies, cats, output, predictions):
    """Write the prediction for every row of cats."""
    has_range, low, span = output
    for row in range(len(cats)):
        u, m = cats[row, 0], cats[row, 1]
        dot = users.dtype.type(0)
        for j in range(users.shape[2]):
            dot += users[u, 0, j] * movies[m, 0, j]
        predictions[row] = span / (1.0 + math.exp(-dot)) + low if has_range else dot

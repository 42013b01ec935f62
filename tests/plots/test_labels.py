import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cf_excel.plots.labels import NEAR, crossed, line_to, place_labels

AREA = np.array([0.0, 0.0, 800.0, 600.0])


def overlap(a, b):
    return bool((np.maximum(a[:2], b[:2]) < np.minimum(a[2:], b[2:])).all())


def along(line):
    return np.linspace(line[0], line[1], 50)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 25), spread=st.sampled_from([5, 40, 150]), seed=st.integers(0, 999))
def test_titles_cover_neither_titles_nor_points_nor_lines_and_stay_inside(n, spread, seed):
    rng = np.random.default_rng(seed)
    points = np.clip(rng.normal((400, 300), spread, (n, 2)), 10, 590)
    sizes = np.column_stack([rng.uniform(20, 200, n), np.full(n, 13.0)])
    corners, distances = place_labels(points, sizes, AREA)
    boxes = np.hstack([corners, corners + sizes])
    placed = np.flatnonzero(~np.isnan(corners[:, 0]))
    for row in placed:
        assert (boxes[row, :2] >= AREA[:2]).all()
        assert (boxes[row, 2:] <= AREA[2:]).all()
        assert not any(overlap(boxes[row], np.append(point, point + 1e-9)) for point in points)
        others = boxes[placed[placed != row]]
        assert not any(overlap(boxes[row], other) for other in others)
        if distances[row] > NEAR:
            line = line_to(points[row], corners[row], sizes[row])
            assert not any(overlap(np.append(at - 0.01, at + 0.01), box) for at in along(line) for box in others)


def test_titles_with_room_stand_beside_their_points():
    points = np.array([[100.0, 100.0], [400.0, 300.0], [790.0, 590.0]])
    corners, distances = place_labels(points, np.tile([60.0, 13.0], (3, 1)), AREA)
    assert distances.max() <= NEAR
    np.testing.assert_allclose(corners[0], [107, 93.5])
    assert corners[2, 0] + 60 < 800  # to the left, because the right has no room


def test_a_title_that_fits_nowhere_has_no_place():
    corners, _ = place_labels(np.array([[10.0, 10.0]]), np.array([[900.0, 13.0]]), AREA)
    assert np.isnan(corners).all()


def test_a_crowd_is_placed_the_same_way_every_time():
    points = np.random.default_rng(0).normal((400, 300), 30, (12, 2))
    sizes = np.tile([80.0, 13.0], (12, 1))
    first, again = place_labels(points, sizes, AREA), place_labels(points.copy(), sizes.copy(), AREA)
    np.testing.assert_array_equal(first[0], again[0])
    assert np.isfinite(first[0]).all()


def test_a_line_crosses_a_box():
    boxes = np.array([[1.0, 1.0, 2.0, 2.0], [0.0, 3.0, 9.0, 4.0], [5.0, 5.0, 6.0, 6.0], [-2.0, -2.0, -1.0, -1.0]])
    assert crossed(np.array([[0.0, 0.0], [4.5, 4.5]]), boxes).tolist() == [True, True, False, False]
    assert crossed(np.array([[5.5, 0.0], [5.5, 9.0]]), boxes).tolist() == [False, True, True, False]

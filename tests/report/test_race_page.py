"""Maps of a race as the page and the pictures draw them, where the loss overflows too."""

import numpy as np
from matplotlib.figure import Figure

from torchlinear.report.race import Trail, plot_trails
from torchlinear.report.race_page import contour_lines

X, Y = np.linspace(-1.0, 1.0, 21), np.linspace(-2.0, 2.0, 31)
ROUND = X[np.newaxis] ** 2 + Y[:, np.newaxis] ** 2


def test_lines_have_the_height_of_their_depth() -> None:
    lines = contour_lines(X, Y, ROUND)
    assert len(lines) > 10
    found = {}
    for depth, points in lines:
        heights = np.square(points).sum(axis=1)
        np.testing.assert_allclose(heights, heights.mean(), atol=0.03)  # between the points of the grid
        if heights.mean() > 0.05:  # which sees nothing lower
            found[depth] = heights.mean()
    assert len(found) > 2
    assert [found[depth] for depth in sorted(found)] == sorted(found.values(), reverse=True)


def test_a_corner_where_the_loss_overflows_is_left_out() -> None:
    gap = ROUND.copy()
    gap[:3, :3] = np.inf
    lines = contour_lines(X, Y, gap)
    assert len(lines) > 10
    for _, points in lines:
        assert np.isfinite(points).all()
        assert not ((np.array(points) < [X[2] - 1e-9, Y[2] - 1e-9]).all(axis=1)).any()
    ax = plot_trails(
        X, Y, gap, [Trail("bgd", np.array([[0.9, 1.0], [0.1, 0.1]]), False)], np.zeros(2), ["a", "b"],
        Figure().subplots(), "",
    )  # fmt: skip
    drawn = [path for collection in ax.collections for path in collection.get_paths()]
    assert sum(len(path.vertices) for path in drawn) > 100

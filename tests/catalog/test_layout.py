"""The layout: whatever the network, boxes keep their distance and lines lead downwards."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from levada.catalog._layout import lay_out


@st.composite
def networks(draw: st.DrawFn):
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    rows = [[(f"{r}.{i}", draw(st.floats(40, 300))) for i in range(size)] for r, size in enumerate(sizes)]
    pairs = [
        (a, b) for r, row in enumerate(rows) for a, _ in row for below in rows[r + 1 :] for b, _ in below
    ]
    return rows, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=25)) if pairs else []


@given(networks())
def test_boxes_keep_their_distance_and_lines_pass_every_row(network):
    rows, pairs = network
    grid = lay_out(rows, pairs)
    assert {b.name for row in grid.rows for b in row if b.name} == {name for row in rows for name, _ in row}
    for row in grid.rows:
        for left, right in itertools.pairwise(row):
            assert right.x - right.width / 2 - (left.x + left.width / 2) >= 27.9
        for box in row:
            assert box.x - box.width / 2 >= -0.1
            assert box.x + box.width / 2 <= grid.width + 0.1
    assert [(line.consumer, line.provider) for line in grid.lines] == list(pairs)
    for line in grid.lines:
        assert [b.row for b in line.through] == list(range(line.through[0].row, line.through[-1].row + 1))


def test_a_crossing_that_can_be_avoided_is():
    grid = lay_out([[("a", 80), ("b", 80)], [("x", 80), ("y", 80)]], [("a", "y"), ("b", "x")])
    order = [[b.name for b in row] for row in grid.rows]
    assert order in ([["a", "b"], ["y", "x"]], [["b", "a"], ["x", "y"]])

"""Convolutions of few channels over planes, or rows, as long as those of an image.

Libraries take rows in blocks, and copy what a stride leaves into buffers of a size of their own. Small planes do not
show what goes wrong between blocks, or past a buffer's end.
"""

from __future__ import annotations

from hypothesis import strategies as st

from properties.cases.case import COIN, Axis, Geometry, among, convolution_of, whole

LONG = {1: among(33, 64, 96, 128), 2: among(33, 64, 65, 96, 128), 3: among(24, 33, 40)}
DENSE = st.tuples(among(1, 3, 2, 4, 8, 15), among(1, 2, 3, 8, 16), among(1, 1, 1, 2))
DEPTHWISE = st.tuples(among(1), among(1, 2), among(3, 2, 8))
"""Channels and kernels of a group, and groups."""


@st.composite
def long_axis(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> Axis:
    """A window of few taps; padding is half of it, or none."""
    kernel, stride = draw(among(1, 3, 2)), draw(among(1, 2, 3))
    dilation = draw(among(1, 1, 2))
    return Axis(draw(sizes), kernel, stride, draw(among(0, kernel // 2)), dilation)


@st.composite
def convolution(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a valid convolution with ``axes`` spatial axes, of which the last two are long."""
    plane = [draw(long_axis(LONG[axes]))] * 2 if draw(COIN) else [draw(long_axis(LONG[axes])) for _ in range(2)]
    depth = Axis(draw(whole(1, 3)), 1, 1, 0, 1)
    windows = [depth, *plane][-axes:]
    inputs, outputs, groups = draw(st.one_of(DENSE, DEPTHWISE))
    return convolution_of(windows, (draw(among(1, 2)),), inputs, outputs, groups, draw(COIN))

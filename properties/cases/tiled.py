"""Convolutions for which libraries have kernels of their own: tiled channels and taps, patches, one kernel a channel.

A library lays its weights out by the number of channels and taps, and takes neighbouring positions together or not by
the stride, which may be as large as the kernel. Small odd shapes run into none of that.
"""

from __future__ import annotations

from hypothesis import strategies as st

from properties.cases.case import COIN, Axis, Geometry, among, batches, convolution_of, whole
from refimpl.geometry import effective_kernel

CHANNELS = among(8, 4, 2, 16, 12, 6, 32)
OUTPUTS = among(1, 2, 16, 33)
DENSE = st.tuples(CHANNELS, OUTPUTS, among(1, 1, 2))
DEPTHWISE = st.tuples(among(1), among(1, 2), among(8, 16, 17, 32))
"""Channels and kernels of a group, and groups."""
KERNELS = {1: among(4, 8, 16, 2, 12, 24, 32), 2: among(4, 8, 16, 2), 3: among(4, 8, 2)}
SHORT = among(Axis(1, 1, 1, 0, 1), Axis(3, 2, 1, 0, 1), Axis(2, 1, 1, 0, 1))


@st.composite
def wide_axis(draw: st.DrawFn, kernels: st.SearchStrategy[int]) -> Axis:
    """A window of many taps that makes up to nine steps, of one element, a few, or the whole window."""
    kernel, dilation = draw(kernels), draw(among(1, 1, 1, 2))
    stride, padding = draw(among(1, 1, 2, kernel, kernel // 2)), draw(among(0, 0, 1, kernel // 2))
    left_over = draw(among(0, 0, stride - 1))
    size = effective_kernel(kernel, dilation) + stride * (draw(whole(1, 9)) - 1) + left_over - 2 * padding
    return Axis(max(1, size), kernel, stride, padding, dilation)


@st.composite
def convolution(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a valid convolution with ``axes`` spatial axes, one of them wide."""
    windows = [draw(SHORT) for _ in range(axes - 1)]
    windows.insert(draw(among(axes - 1, axes - 1, 0)), draw(wide_axis(KERNELS[axes])))
    inputs, outputs, groups = draw(st.one_of(DENSE, DEPTHWISE))
    return convolution_of(windows, draw(batches()), inputs, outputs, groups, draw(COIN))

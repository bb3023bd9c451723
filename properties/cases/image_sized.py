"""Convolutions of few channels over planes, or rows, as long as those of an image.

Libraries take rows in blocks, and copy what a stride leaves into buffers of a size of their own. Small planes do not
show what goes wrong between blocks, or past a buffer's end.
"""

from __future__ import annotations

from hypothesis import strategies as st

from properties.cases.case import COIN, Axis, Geometry, among, convolution_of, often, whole
from properties.cases.tiled import channels
from refimpl.geometry import effective_kernel

LONG = {1: often(1, 128, 33, 64, 96, 128), 2: often(1, 128, 33, 64, 65, 96, 128), 3: often(1, 40, 24, 33, 40)}
CHANNELS, OUTPUTS = often(1, 15, 1, 2, 3, 4, 8, 15), often(1, 16, 1, 2, 3, 8, 16)
GROUPS = among(2, 3, 8)


def long_axis(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> Axis:
    """A window of few taps; padding is half of it, or none."""
    kernel, stride, dilation = draw(whole(1, 3)), draw(whole(1, 3)), draw(among(1, 1, 2))
    padding = draw(among(0, kernel // 2))
    size = max(draw(sizes), effective_kernel(kernel, dilation) - 2 * padding)
    return Axis(size, kernel, stride, padding, dilation)


def convolution(draw: st.DrawFn, usual: Geometry) -> Geometry:
    """A convolution with few taps on each axis, of which the last two are long."""
    shapes, arguments = usual
    axes = len(arguments["stride"])
    rows, columns = (long_axis(draw, LONG[axes]) for _ in range(2))
    windows = [Axis(draw(whole(1, 3)), 1, 1, 0, 1), columns if draw(COIN) else rows, columns][-axes:]
    numbers = channels(draw, arguments["groups"], CHANNELS, OUTPUTS, GROUPS)
    return convolution_of(windows, shapes["input"][: -axes - 1], *numbers, "bias" in shapes)

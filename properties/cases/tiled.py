"""Convolutions for which libraries have kernels of their own: tiled channels and taps, patches, one kernel a channel.

A library lays its weights out by the number of channels and taps, and takes neighbouring positions together or not by
the stride, which may be as large as the kernel. Small odd shapes run into none of that.
"""

from __future__ import annotations

from hypothesis import strategies as st

from properties.cases.case import Axis, Geometry, among, convolution_of, often, whole
from refimpl.geometry import effective_kernel

CHANNELS = often(1, 32, 2, 4, 6, 8, 12, 16, 32)
OUTPUTS = often(1, 33, 1, 2, 16, 33)
DEPTHWISE = among(False, True, True, True)
GROUPS = often(2, 32, 8, 16, 17, 32)
KERNELS = {1: often(1, 32, 2, 4, 8, 12, 16, 24, 32), 2: often(1, 16, 2, 4, 8, 16), 3: often(1, 8, 2, 4, 8)}
SHORT = among(Axis(1, 1, 1, 0, 1), Axis(2, 1, 1, 0, 1), Axis(3, 2, 1, 0, 1))


def wide_axis(draw: st.DrawFn, kernels: st.SearchStrategy[int]) -> Axis:
    """A window of many taps that makes up to nine steps, of one element, a few, or the whole window."""
    kernel, dilation = draw(kernels), draw(among(1, 1, 1, 2))
    stride, padding = draw(among(1, 1, 2, max(1, kernel // 2), kernel)), draw(among(0, 0, 1, kernel // 2))
    left_over = draw(among(0, 0, stride - 1))
    size = effective_kernel(kernel, dilation) + stride * (draw(whole(1, 9)) - 1) + left_over - 2 * padding
    return Axis(max(1, size), kernel, stride, padding, dilation)


def channels(draw: st.DrawFn, groups: int, *sizes: st.SearchStrategy[int]) -> tuple[int, int, int]:
    """Input and output channels of a group, and groups: one, two, or as many as channels.

    sizes: of input channels, of output channels, and of groups as many as channels.
    """
    inputs, outputs, many = sizes
    if groups > 1 and draw(DEPTHWISE):
        return 1, draw(whole(1, 2)), draw(many)
    return draw(inputs), draw(outputs), min(groups, 2)


def convolution(draw: st.DrawFn, usual: Geometry) -> Geometry:
    """A convolution with a window of many taps on one of its axes."""
    shapes, arguments = usual
    axes = len(arguments["stride"])
    windows = [draw(SHORT) for _ in range(axes - 1)]
    windows.insert(draw(among(axes - 1, axes - 1, 0)), wide_axis(draw, KERNELS[axes]))
    numbers = channels(draw, arguments["groups"], CHANNELS, OUTPUTS, GROUPS)
    return convolution_of(windows, shapes["input"][: -axes - 1], *numbers, "bias" in shapes)

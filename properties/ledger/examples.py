"""Shapes and arguments of an entry's example, most of which are the usual ones."""

from __future__ import annotations

from typing import Any

from properties.cases.case import Geometry


def convolution(input: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] = (), **given: Any) -> Geometry:
    """Of a convolution with strides and dilations of 1, no padding and one group where nothing else is given.

    >>> convolution((1, 2, 9), (4, 2, 3), stride=(2,))[1]
    {'stride': (2,), 'padding': (0,), 'dilation': (1,), 'groups': 1}
    """
    axes = len(weight) - 2
    shapes = {"input": input, "weight": weight} | ({"bias": bias} if bias else {})
    return shapes, {"stride": (1,) * axes, "padding": (0,) * axes, "dilation": (1,) * axes, "groups": 1} | given


def transposed(input: tuple[int, ...], weight: tuple[int, ...], **given: Any) -> Geometry:
    """Of a transposed convolution; see :func:`convolution`."""
    return convolution(input, weight, **{"output_padding": (0,) * (len(weight) - 2), **given})

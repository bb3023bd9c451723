"""Padding and cropping of the last axes.

Padding computes nothing: each output position takes one input element or the constant. One index map per axis says
which, and the gradient scatters along the same maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.arrays import Array, Axes, float64, lift, matching
from refimpl.convolution import Padding
from refimpl.geometry import padded_size, per_axis, same_split

MODES = ("constant", "reflect", "replicate", "circular")
Maps = tuple[Array, Array, Array]


def padded_axis(size: int, before: int, after: int, mode: str = "constant") -> int:
    """The number of :func:`sources`, however large. Raises ValueError as that does.

    >>> padded_axis(3, 2**40, 1), padded_axis(3, 2**40, -(2**40), "replicate")
    Traceback (most recent call last):
    ValueError: cropping (1099511627776, -1099511627776) leaves nothing to replicate
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r} is none of {', '.join(MODES)}")
    padded, kept = padded_size(size, before, after), size + min(before, 0) + min(after, 0)
    most = {"reflect": max(kept - 1, 0), "circular": kept}.get(mode, max(before, after))
    if mode != "constant" and (kept < 0 or (kept < 1 and (mode == "replicate" or max(before, after) > 0))):
        raise ValueError(f"cropping ({before}, {after}) leaves nothing to {mode}")
    if max(before, after) > most:
        raise ValueError(f"padding ({before}, {after}): {mode!r} takes at most {most} of {kept} elements")
    return padded


def sources(size: int, before: int, after: int, mode: str = "constant") -> Array:
    """Which input element each position of a padded axis takes; −1 where it takes the constant.

    A negative amount first removes elements from its end; what is then padded is the rest, of ``kept`` elements.
    With ``place`` counted from the first of these: "constant" takes place where 0 ≤ place < kept; "reflect" mirrors it
    at the first and last element, −place or 2·(kept − 1) − place; "replicate" takes the nearest; "circular" takes
    place mod kept.

    Returns (size + before + after,) indices (int64). Raises ValueError where that is negative. All modes but "constant"
    raise it where more is removed than there is and where nothing is left to repeat; "reflect" and "circular" where an
    element would be needed more than once on a side; "replicate" where nothing is left, for its output is never empty.
    Source: torch.nn.ReflectionPad2d, ReplicationPad2d, CircularPad2d ("the ends of the tensor get removed").

    >>> sources(3, 2, 1), sources(3, 2, 1, "reflect"), sources(3, 2, 1, "replicate"), sources(3, 2, 1, "circular")
    (array([-1, -1,  0,  1,  2, -1]), array([2, 1, 0, 1, 2, 1]), array([0, 0, 0, 1, 2, 2]), array([1, 2, 0, 1, 2, 0]))
    >>> sources(5, -1, 2, "circular"), sources(5, -1, 2, "reflect"), sources(5, -1, -2), sources(1, -2, 2)
    (array([1, 2, 3, 4, 1, 2]), array([1, 2, 3, 4, 3, 2]), array([1, 2]), array([-1]))
    """
    padded_axis(size, before, after, mode)
    first, kept = max(-before, 0), size + min(before, 0) + min(after, 0)
    place = np.arange(max(before, 0) + kept + max(after, 0)) - max(before, 0)
    if mode == "constant":
        return np.where((place >= 0) & (place < kept), first + place, -1)
    if mode == "reflect":
        return first + np.where(place < kept, np.abs(place), 2 * (kept - 1) - place)
    if mode == "replicate":
        return first + np.clip(place, 0, kept - 1)
    return first + place % max(kept, 1)


def pad(x: Array, padding: Sequence[int], mode: str = "constant", value: float = 0.0) -> Array:
    """Pad, or crop by negative amounts, the last one to three axes.

    ``y[…, i, j] = x[…, rows[i], columns[j]]`` with the maps of :func:`sources`, or ``value`` where a map has none.

    x: (*, *spatial); padding: (before, after) of the last axis, then of the one before it, and so on. Returns
    (*, *padded). Raises ValueError as :func:`sources` does, and for an odd number of amounts or too few axes.
    Source: torch.nn.functional.pad.

    >>> pad(np.array([[1, 2], [3, 4]]), (1, 0, 0, 1), value=9)
    array([[9., 1., 2.],
           [9., 3., 4.],
           [9., 9., 9.]])
    """
    images, maps, output = _lifted(x, padding, mode)
    y = np.empty((images.shape[0], *(len(m) for m in maps)))
    _gather(y, images, *maps, value)
    return y.reshape(output)


def pad_gradient(
    cotangent: Array, input_shape: Sequence[int], padding: Sequence[int], mode: str = "constant", value: float = 0.0
) -> Array:
    """Gradient of ``⟨cotangent, pad(x)⟩`` to x: each position hands its cotangent to the element that it took.

    ``∂x[…, rows[i], columns[j]] += cotangent[…, i, j]`` over all positions that took an element; ``value`` is of no
    consequence. cotangent: (*, *padded). Returns ``input_shape``. Raises ValueError as :func:`pad`.

    >>> pad_gradient(np.array([1., 10, 100, 1000]), (2,), (1, 1), "replicate")
    array([  11., 1100.])
    """
    gradient, maps, output = _lifted(np.zeros(input_shape), padding, mode)
    _scatter(gradient, matching(cotangent, output).reshape(gradient.shape[0], *(len(m) for m in maps)), *maps)
    return gradient.reshape(input_shape)


def convolution_padding(kernel: Sequence[int], padding: Padding = 0, dilation: Axes = 1) -> tuple[int, ...]:
    """A convolution's padding as the amounts that :func:`pad` takes, last axis first.

    >>> convolution_padding((3, 4), (1, 2)), convolution_padding((3, 4), "same"), convolution_padding((3,), "valid")
    ((2, 2, 1, 1), (1, 2, 1, 1), (0, 0))
    """
    if padding == "same":
        sides = [same_split(*axis) for axis in zip(kernel, per_axis(dilation, len(kernel)), strict=True)]
    elif padding == "valid":
        sides = [(0, 0)] * len(kernel)
    elif isinstance(padding, str):
        raise ValueError(f"padding={padding!r} is neither 'same' nor 'valid' nor a number")
    else:
        sides = [(amount, amount) for amount in per_axis(padding, len(kernel))]
    return tuple(amount for side in reversed(sides) for amount in side)


def mode_of(padding_mode: str) -> str:
    """A convolution's word for a mode of padding: "zeros" are a constant."""
    return "constant" if padding_mode == "zeros" else padding_mode


def _lifted(x: Array, padding: Sequence[int], mode: str) -> tuple[Array, Maps, tuple[int, ...]]:
    """x as (planes, depth, rows, columns), a map for each of the three axes, and the output's shape."""
    axes, shape = len(padding) // 2, np.shape(x)
    if len(padding) % 2 or axes not in (1, 2, 3) or len(shape) < axes:
        raise ValueError(f"padding={tuple(padding)} does not fit an input of shape {shape}: two amounts for each axis")
    pairs = [(padding[2 * k], padding[2 * k + 1]) for k in reversed(range(axes))]
    of_axes = [sources(size, *pair, mode) for size, pair in zip(shape[-axes:], pairs, strict=True)]
    output = (*shape[:-axes], *(len(m) for m in of_axes))
    depth, rows, columns = [np.zeros(1, dtype=np.int64)] * (3 - axes) + of_axes
    planes = math.prod(shape[:-axes])
    return float64(x).reshape(planes, *lift(shape[-axes:], 1)), (depth, rows, columns), output


@njit(cache=True)
def _gather(y, x, depth, rows, columns, value):  # type: ignore[no-untyped-def]
    for n, p, i, j in np.ndindex(y.shape):
        if depth[p] < 0 or rows[i] < 0 or columns[j] < 0:
            y[n, p, i, j] = value
        else:
            y[n, p, i, j] = x[n, depth[p], rows[i], columns[j]]


@njit(cache=True)
def _scatter(gradient, g, depth, rows, columns):  # type: ignore[no-untyped-def]
    for n, p, i, j in np.ndindex(g.shape):
        if depth[p] >= 0 and rows[i] >= 0 and columns[j] >= 0:
            gradient[n, depth[p], rows[i], columns[j]] += g[n, p, i, j]

"""Adaptive max and average pooling: the output's size is given, and the windows follow from it.

Axes: ``n`` batch, ``c`` channel, output position ``(p, i, j)``; a window runs over ``rows(i) × columns(j)``, the
elements from :func:`refimpl.geometry.adaptive_window`'s first to its last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64, lift, matching
from refimpl.geometry import adaptive_window
from refimpl.windows import largest, spans

Sizes = Sequence[int | None]


def adaptive_max_pool(x: Array, output_size: Sizes) -> tuple[Array, Array]:
    """Largest element of each adaptive window, and where it is.

    ``y[n,c,i,j] = max x[n, c, rows(i), columns(j)]``. NaN and ties as in :func:`refimpl.pooling.max_pool`. Every
    channel is pooled on its own.

    x: (N, C, *spatial) or (C, *spatial); output_size: one size for each of the one to three spatial axes, None for
    the input's. Returns the values and the flat indices into ``spatial`` (int64), each (N, C, *output_size).
    Raises ValueError where axes do not fit, a size is no count or a window has no elements. Its gradient is
    :func:`refimpl.pooling.max_pool_gradient`. Source: torch.nn.AdaptiveMaxPool2d.

    >>> adaptive_max_pool(np.array([[1, 5, 2, 0, 5]]), (3,))
    (array([[5., 5., 5.]]), array([[1, 1, 4]]))
    """
    output = output_sizes(np.shape(x), output_size)
    if has_nothing(np.shape(x), output):
        raise ValueError(f"an input of shape {np.shape(x)} has no elements, of which none is the largest")
    planes = _planes(x, len(output))
    windows = [spans(axis, len(planes)) for axis in _windows(np.shape(x), output)]
    values = np.empty((len(planes), *lift(output, 1)))
    indices = np.empty(values.shape, dtype=np.int64)
    largest(values, indices, planes, *windows)
    shape = (*np.shape(x)[: -len(output)], *output)
    return values.reshape(shape), indices.reshape(shape)


def adaptive_average_pool(x: Array, output_size: Sizes) -> Array:
    """Mean of each adaptive window: ``y[n,c,i,j] = Σ x[n, c, rows(i), columns(j)] / (|rows(i)|·|columns(j)|)``.

    Operands and shapes as for :func:`adaptive_max_pool`. The mean of no elements is NaN. Raises ValueError where axes
    do not fit or a size is no count. Source: torch.nn.AdaptiveAvgPool2d.

    >>> adaptive_average_pool(np.array([[1, 5, 3, 4, 8]]), (3,))
    array([[3., 4., 6.]])
    >>> adaptive_average_pool(np.array([[[1, 2], [3, 4]]]), (None, 1))
    array([[[1.5],
            [3.5]]])
    """
    output = output_sizes(np.shape(x), output_size)
    planes = _planes(x, len(output))
    y = np.empty((len(planes), *lift(output, 1)))
    _mean(y, planes, *(spans(axis)[0] for axis in _windows(np.shape(x), output)))
    return y.reshape(*np.shape(x)[: -len(output)], *output)


def adaptive_average_pool_gradient(cotangent: Array, input_shape: Sequence[int], output_size: Sizes) -> Array:
    """Gradient of ``⟨cotangent, adaptive_average_pool(x)⟩`` to x: each window spreads its cotangent evenly.

    ``∂x[n, c, rows(i), columns(j)] += cotangent[n,c,i,j] / (|rows(i)|·|columns(j)|)`` over all windows.

    cotangent: (N, C, *output_size) or (C, *output_size). Returns ``input_shape``.

    >>> adaptive_average_pool_gradient(np.array([[2., 30, 200]]), (1, 5), (3,))
    array([[  1.,  11.,  10., 110., 100.]])
    """
    output = output_sizes(input_shape, output_size)
    g = matching(cotangent, (*input_shape[: -len(output)], *output))
    gradient = _planes(np.zeros(input_shape), len(output))
    _spread(gradient, _planes(g, len(output)), *(spans(axis)[0] for axis in _windows(input_shape, output)))
    return gradient.reshape(input_shape)


def output_sizes(input_shape: Sequence[int], output_size: Sizes) -> tuple[int, ...]:
    """Spatial output sizes, None spelled out. Raises ValueError where axes do not fit or a size is below zero.

    >>> output_sizes((2, 3, 7, 9), (None, 4))
    (7, 4)
    """
    axes = len(output_size)
    if axes not in (1, 2, 3) or len(input_shape) not in (axes + 1, axes + 2):
        raise ValueError(f"an input of shape {tuple(input_shape)} does not fit output_size={tuple(output_size)}")
    pairs = zip(input_shape[-axes:], output_size, strict=True)
    output = tuple(size if wanted is None else wanted for size, wanted in pairs)
    if min(output) < 0:
        raise ValueError(f"output_size={tuple(output_size)} counts fewer than no elements")
    return output


def has_nothing(input_shape: Sequence[int], output: Sequence[int]) -> bool:
    """True if there are windows, and they hold no elements.

    >>> has_nothing((2, 0), (1,)), has_nothing((0, 0), (1,)), has_nothing((2, 0), (0,))
    (True, False, False)
    """
    planes = math.prod(input_shape[: -len(output)])
    return bool(planes and math.prod(output)) and 0 in input_shape[-len(output) :]


def _windows(input_shape: Sequence[int], output: tuple[int, ...]) -> list[list[tuple[int, int]]]:
    """First element and the one after the last, of each window on each of three axes."""
    sizes = zip(lift(input_shape[-len(output) :], 1), lift(output, 1), strict=True)
    return [[adaptive_window(i, size, outputs) for i in range(outputs)] for size, outputs in sizes]


def _planes(x: Array, axes: int) -> Array:
    shape = np.shape(x)
    return float64(x).reshape(math.prod(shape[:-axes]), *lift(shape[-axes:], 1))


@njit(cache=True)
def _mean(y, x, depth, rows, columns):  # type: ignore[no-untyped-def]
    for n, p, i, j in np.ndindex(y.shape):
        total, count = 0.0, 0
        for z in range(depth[p, 0], depth[p, 1]):
            for u in range(rows[i, 0], rows[i, 1]):
                for v in range(columns[j, 0], columns[j, 1]):
                    total += x[n, z, u, v]
                    count += 1
        y[n, p, i, j] = total / count if count else np.nan


@njit(cache=True)
def _spread(gradient, g, depth, rows, columns):  # type: ignore[no-untyped-def]
    for n, p, i, j in np.ndindex(g.shape):
        count = (depth[p, 1] - depth[p, 0]) * (rows[i, 1] - rows[i, 0]) * (columns[j, 1] - columns[j, 0])
        for z in range(depth[p, 0], depth[p, 1]):
            for u in range(rows[i, 0], rows[i, 1]):
                for v in range(columns[j, 0], columns[j, 1]):
                    gradient[n, z, u, v] += g[n, p, i, j] / count

"""Max unpooling: values put back where max pooling found them, zeros elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.arrays import Array, Axes, float64, matching
from refimpl.geometry import per_axis, unpooled_size


def max_unpool(
    x: Array,
    indices: Array,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    padding: Axes = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """``y[n, c, indices[n,c,i,j]] = x[n,c,i,j]``, zero elsewhere; y's spatial axes are counted as one, row-major.

    x, indices: (N, C, *spatial) or (C, *spatial), one to three spatial axes, indices as
    :func:`refimpl.pooling.max_pool` gives them; where several are equal, the last of these values stays (torch leaves
    open which). output_size: the spatial sizes wanted, by default those of
    :func:`refimpl.geometry.unpooled_size`, which they must be nearer to than one stride. Returns (N, C, *output).
    Raises ValueError where shapes, sizes or indices do not fit. Source: torch.nn.MaxUnpool2d.

    >>> max_unpool(np.array([[6, 8]]), np.array([[1, 3]]), (2,))
    array([[0., 6., 0., 8.]])
    """
    output = output_sizes(np.shape(x), kernel_size, stride, padding, output_size)
    where = _indices(np.shape(x), indices, output)
    y = np.zeros((where.shape[0], math.prod(output)))
    _put(y, float64(x).reshape(where.shape), where)
    return y.reshape(*np.shape(x)[: -len(output)], *output)


def max_unpool_gradient(
    cotangent: Array,
    indices: Array,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    padding: Axes = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Gradient of ``⟨cotangent, max_unpool(x)⟩`` to x: ``∂x[n,c,i,j] = cotangent[n, c, indices[n,c,i,j]]``.

    cotangent: as the output; the rest as for :func:`max_unpool`. Returns the shape of indices.

    >>> max_unpool_gradient(np.array([[1., 2, 3, 4]]), np.array([[1, 3]]), (2,))
    array([[2., 4.]])
    """
    output = output_sizes(np.shape(indices), kernel_size, stride, padding, output_size)
    g = matching(cotangent, (*np.shape(indices)[: -len(output)], *output))
    where = _indices(np.shape(indices), indices, output)
    gradient = np.empty(where.shape)
    _take(gradient, g.reshape(where.shape[0], math.prod(output)), where)
    return gradient.reshape(np.shape(indices))


def output_sizes(
    input_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    padding: Axes = 0,
    output_size: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """Spatial output sizes. Raises ValueError where axes do not fit or an asked size is a stride or more away.

    >>> output_sizes((1, 2, 2), (2, 2)), output_sizes((1, 2, 2), (2, 2), output_size=(5, 4))
    ((4, 4), (5, 4))
    """
    axes = len(kernel_size)
    if axes not in (1, 2, 3) or len(input_shape) not in (axes + 1, axes + 2):
        raise ValueError(f"an input of shape {tuple(input_shape)} does not fit a window of {axes} axes")
    strides = per_axis(kernel_size if stride is None else stride, axes)
    window = zip(input_shape[-axes:], kernel_size, strides, per_axis(padding, axes), strict=True)
    default = tuple(unpooled_size(*axis) for axis in window)
    output = default if output_size is None else tuple(output_size)
    if len(output) != axes or any(abs(o - usual) >= s for o, usual, s in zip(output, default, strides, strict=True)):
        raise ValueError(f"output_size={output} is not within a stride of {default}")
    if min(output) < 1:
        raise ValueError(f"padding={padding} leaves an output of sizes {output}")
    return output


def _indices(x: Sequence[int], indices: Array, output: tuple[int, ...]) -> Array:
    """Indices as (planes, positions). Raises ValueError for one that is no element of the output."""
    if np.shape(indices) != tuple(x):
        raise ValueError(f"indices has shape {np.shape(indices)}, but x {tuple(x)}")
    axes = len(output)
    flat = np.asarray(indices, dtype=np.int64).reshape(math.prod(x[:-axes]), math.prod(x[-axes:]))
    if flat.size and not 0 <= flat.min() <= flat.max() < math.prod(output):
        raise ValueError(
            f"indices reach from {flat.min()} to {flat.max()}, but the output has {math.prod(output)} elements"
        )
    return flat


@njit(cache=True)
def _put(y, x, where):  # type: ignore[no-untyped-def]
    for n, i in np.ndindex(x.shape):
        y[n, where[n, i]] = x[n, i]


@njit(cache=True)
def _take(gradient, g, where):  # type: ignore[no-untyped-def]
    for n, i in np.ndindex(gradient.shape):
        gradient[n, i] = g[n, where[n, i]]

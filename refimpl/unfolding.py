"""Unfold and fold: an image as the columns of its windows, and the columns summed back. Each is the other's adjoint.

Axes: ``n`` batch, ``c`` channel, window position ``(i, j)``, offset in the window ``(a, b)``. A window's elements are
one column, row ``(c·A + a)·B + b``; windows are columns in row-major order, ``i·J + j``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.arrays import Array, Axes, float64
from refimpl.geometry import convolution_output, per_axis

Pair = tuple[int, int]


def unfold(x: Array, kernel_size: Axes, dilation: Axes = 1, padding: Axes = 0, stride: Axes = 1) -> Array:
    """Every window of an image as a column.

    ``y[n, (c·A+a)·B+b, i·J+j] = x[n, c, i·s−q+a·e, j·s−q+b·e]``, zero outside x.

    x: (N, C, H, W) or (C, H, W). Returns (N, C·A·B, I·J), without N if x had none. Raises ValueError where the axes
    or sizes do not fit. Source: torch.nn.Unfold.

    >>> unfold(np.arange(6).reshape(1, 2, 3), (2, 2))
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    shape = np.shape(x)
    if len(shape) not in (3, 4):
        raise ValueError(f"x has {len(shape)} axes, but unfold takes 3 or 4")
    images = float64(x).reshape(-1, *shape[-3:]) if len(shape) == 4 else float64(x)[None]
    kernel, *window = _window(kernel_size, dilation, padding, stride)
    blocks = _blocks(shape[-2:], kernel, *window)
    y = np.zeros((images.shape[0], images.shape[1], *kernel, *blocks))
    _gather(y, images, *window)
    return y.reshape(*shape[:-3], shape[-3] * kernel[0] * kernel[1], blocks[0] * blocks[1])


def fold(
    x: Array, output_size: Axes, kernel_size: Axes, dilation: Axes = 1, padding: Axes = 0, stride: Axes = 1
) -> Array:
    """Every column added to its window of an image.

    ``y[n, c, i·s−q+a·e, j·s−q+b·e] += x[n, (c·A+a)·B+b, i·J+j]`` over all a, b, i, j; what falls outside is dropped.

    x: (N, C·A·B, I·J) or (C·A·B, I·J). Returns (N, C, *output_size), without N if x had none. Raises ValueError
    where the axes or sizes do not fit. Source: torch.nn.Fold.

    >>> fold(np.array([[1, 2], [10, 20]]), (1, 3), (1, 2))
    array([[[ 1., 12., 20.]]])
    """
    shape, (rows, columns) = np.shape(x), per_axis(output_size, 2)
    kernel, *window = _window(kernel_size, dilation, padding, stride)
    blocks = _blocks((rows, columns), kernel, *window)
    size = kernel[0] * kernel[1]
    if len(shape) not in (2, 3) or shape[-2] % size or shape[-1] != blocks[0] * blocks[1]:
        raise ValueError(f"x has shape {shape}, not (N, C·{size}, {blocks[0] * blocks[1]})")
    channels, batch = shape[-2] // size, shape[0] if len(shape) == 3 else 1
    y = np.zeros((batch, channels, rows, columns))
    _scatter(y, float64(x).reshape(batch, channels, *kernel, *blocks), *window)
    return y.reshape(*shape[:-2], channels, rows, columns)


def unfold_gradient(
    cotangent: Array,
    input_shape: Sequence[int],
    kernel_size: Axes,
    dilation: Axes = 1,
    padding: Axes = 0,
    stride: Axes = 1,
) -> Array:
    """Gradient of ``⟨cotangent, unfold(x)⟩`` to x, of ``input_shape``: :func:`fold`."""
    return fold(cotangent, tuple(input_shape[-2:]), kernel_size, dilation, padding, stride)


def fold_gradient(
    cotangent: Array, output_size: Axes, kernel_size: Axes, dilation: Axes = 1, padding: Axes = 0, stride: Axes = 1
) -> Array:
    """Gradient of ``⟨cotangent, fold(x)⟩`` to x: :func:`unfold` of the cotangent, (N, C, *output_size)."""
    if np.shape(cotangent)[-2:] != per_axis(output_size, 2):
        raise ValueError(f"the cotangent has sizes {np.shape(cotangent)[-2:]}, but the output {output_size}")
    return unfold(cotangent, kernel_size, dilation, padding, stride)


def _window(*arguments: Axes) -> list[Pair]:
    pairs = [per_axis(value, 2) for value in arguments]
    return [(rows, columns) for rows, columns in pairs]


def _blocks(size: Sequence[int], kernel: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Pair:
    rows, columns = (convolution_output(*axis) for axis in zip(size, kernel, stride, padding, dilation, strict=True))
    return rows, columns


# Below, columns are apart: (n, c, a, b, i, j).


@njit(cache=True)
def _gather(y, x, dilation, padding, stride):  # type: ignore[no-untyped-def]
    for n, c, a, b, i, j in np.ndindex(y.shape):
        u = i * stride[0] - padding[0] + a * dilation[0]
        v = j * stride[1] - padding[1] + b * dilation[1]
        if 0 <= u < x.shape[2] and 0 <= v < x.shape[3]:
            y[n, c, a, b, i, j] = x[n, c, u, v]


@njit(cache=True)
def _scatter(y, x, dilation, padding, stride):  # type: ignore[no-untyped-def]
    for n, c, a, b, i, j in np.ndindex(x.shape):
        u = i * stride[0] - padding[0] + a * dilation[0]
        v = j * stride[1] - padding[1] + b * dilation[1]
        if 0 <= u < y.shape[2] and 0 <= v < y.shape[3]:
            y[n, c, u, v] += x[n, c, a, b, i, j]

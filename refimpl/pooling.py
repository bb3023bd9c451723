"""Max and average pooling and their gradients, as one N-d loop each.

As for convolution, 1-d and 2-d inputs are lifted to 3-d and nothing is padded: a window is clipped to the input.
Axes: ``n`` batch, ``c`` channel, output position ``(p, i, j)``, offset in the window ``(d, a, b)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.arrays import Array, Axes, batched, lift, matching, steps
from refimpl.geometry import per_axis, pooling_output


def pool2d(x: Array, size: tuple[int, int], mode: str = "max") -> Array:
    """Pool one image with stride 1 (S15): ``y[i,j]`` is the max or the mean of ``x[i:i+A, j:j+B]``.

    x: (H, W); size: (A, B); mode: "max" or "avg". Returns (H−A+1, W−B+1).

    >>> x = np.arange(9).reshape(3, 3)
    >>> pool2d(x, (2, 2))
    array([[4., 5.],
           [7., 8.]])
    >>> pool2d(x, (2, 2), "avg")
    array([[2., 3.],
           [5., 6.]])
    """
    if mode not in ("max", "avg"):
        raise ValueError(f"mode={mode!r} is neither 'max' nor 'avg'")
    image = np.asarray(x)[None]
    return (max_pool(image, size, 1)[0] if mode == "max" else average_pool(image, size, 1))[0]


def max_pool(
    x: Array,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    padding: Axes = 0,
    dilation: Axes = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """Largest element of each window, and where it is (S15–S17).

    ``y[n,c,i,j] = max_{a,b} x[n, c, i·s−q+a·e, j·s−q+b·e]``; what lies outside counts as −∞. A NaN is larger
    than anything before it, so the last of several is taken, as torch does without saying so; among equal numbers the
    first in row-major order wins. A window that sees nothing but padding, as a
    dilated one can, has value −∞ and index −1. Every channel is pooled on its own.

    x: (N, C, *spatial) or (C, *spatial), ``len(kernel_size)`` spatial axes. Returns the values and the flat indices
    into ``spatial`` (int64), each (N, C, *output). Raises ValueError where a window does not fit.
    Source: torch.nn.MaxPool2d.

    >>> x = np.arange(16).reshape(1, 4, 4)
    >>> values, indices = max_pool(x, (3, 3), stride=2, padding=1)
    >>> values
    array([[[ 5.,  7.],
            [13., 15.]]])
    >>> indices[0, 0]
    array([5, 7])
    >>> max_pool(x, (2, 3), stride=(2, 3), padding=(0, 1))[0]
    array([[[ 5.,  7.],
            [13., 15.]]])
    """
    output = output_sizes(np.shape(x), kernel_size, stride, padding, dilation, ceil_mode)
    axes = len(kernel_size)
    images = batched(x, axes)
    values = np.empty(images.shape[:2] + lift(output, 1))
    indices = np.empty(values.shape, dtype=np.int64)
    step = steps(kernel_size if stride is None else stride, padding, dilation, axes)
    _max(values, indices, images, lift(kernel_size, 1), *step)
    shape = np.shape(x)[:-axes] + output
    return values.reshape(shape), indices.reshape(shape)


def max_pool_gradient(cotangent: Array, indices: Array, input_shape: Sequence[int], axes: int) -> Array:
    """Gradient of ``⟨cotangent, max_pool(x)⟩`` to x: each window hands its cotangent to its largest element.

    ``∂x[n, c, indices[n,c,i,j]] += cotangent[n,c,i,j]`` over all windows but those that see nothing, of index −1.

    cotangent, indices: (N, C, *output) or (C, *output); ``axes`` spatial axes. Returns ``input_shape``.
    """
    gradient = np.zeros((math.prod(input_shape[:-axes]), math.prod(input_shape[-axes:])))
    windows = (gradient.shape[0], math.prod(np.shape(cotangent)[-axes:]))
    _scatter_to_indices(gradient, np.reshape(cotangent, windows), np.reshape(indices, windows))
    return gradient.reshape(input_shape)


def picked(values: Array, indices: Array, axes: int) -> Array:
    """The elements of ``values`` at flat indices into its ``axes`` last axes, zero for an index of −1.

    values: (N, C, *spatial) or (C, *spatial); indices: (N, C, *output) or (C, *output). Returns the shape of indices.

    >>> picked(np.array([[5.0, 6.0, 7.0]]), np.array([[2, -1]]), 1)
    array([[7., 0.]])
    """
    leading = np.shape(values)[:-axes]
    flat = np.reshape(values, (*leading, math.prod(np.shape(values)[-axes:])))
    places = np.maximum(indices, 0).reshape(*leading, math.prod(np.shape(indices)[-axes:]))
    return np.where(indices < 0, 0.0, np.take_along_axis(flat, places, axis=-1).reshape(indices.shape))


def average_pool(
    x: Array,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    padding: Axes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Mean of each window (S15–S17): ``y[n,c,i,j] = Σ_{a,b} x[n, c, i·s−q+a, j·s−q+b] / divisor``.

    The divisor counts the window's elements that lie in the padded input, or in the input itself where
    ``count_include_pad`` is false; ``divisor_override`` replaces both. Every channel is pooled on its own.

    x: (N, C, *spatial) or (C, *spatial), ``len(kernel_size)`` spatial axes. Returns (N, C, *output).
    Raises ValueError where a window does not fit. Source: torch.nn.AvgPool2d.

    >>> average_pool(np.ones((1, 1, 3)), (2,), stride=2, padding=1)
    array([[[0.5, 1. ]]])
    >>> average_pool(np.ones((1, 1, 3)), (2,), stride=2, padding=1, count_include_pad=False)
    array([[[1., 1.]]])
    """
    output = output_sizes(np.shape(x), kernel_size, stride, padding, 1, ceil_mode)
    axes = len(kernel_size)
    images = batched(x, axes)
    y = np.empty(images.shape[:2] + lift(output, 1))
    step = steps(kernel_size if stride is None else stride, padding, 1, axes)[:2]
    _mean(y, images, lift(kernel_size, 1), *step, count_include_pad, divisor_override or 0)
    return y.reshape(np.shape(x)[:-axes] + output)


def average_pool_gradient(
    cotangent: Array,
    input_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    padding: Axes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Gradient of ``⟨cotangent, average_pool(x)⟩`` to x: each window spreads its cotangent evenly.

    ``∂x[n, c, i·s−q+a, j·s−q+b] += cotangent[n,c,i,j] / divisor`` over all windows, the divisor as in
    :func:`average_pool`. cotangent: (N, C, *output) or (C, *output). Returns ``input_shape``.
    """
    output = output_sizes(tuple(input_shape), kernel_size, stride, padding, 1, ceil_mode)
    axes = len(kernel_size)
    g = batched(matching(cotangent, (*input_shape[:-axes], *output)), axes)
    gradient = batched(np.zeros(input_shape), axes)
    step = steps(kernel_size if stride is None else stride, padding, 1, axes)[:2]
    _spread(gradient, g, lift(kernel_size, 1), *step, count_include_pad, divisor_override or 0)
    return gradient.reshape(input_shape)


def output_sizes(
    input_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    padding: Axes = 0,
    dilation: Axes = 1,
    ceil_mode: bool = False,
) -> tuple[int, ...]:
    """Spatial output sizes of a pooling of (N, C, *spatial) or (C, *spatial).

    Raises ValueError where axes or sizes do not fit, and where padding exceeds half of the kernel size, which
    torch.nn.functional.max_pool1d and its siblings forbid.
    """
    axes = len(kernel_size)
    if axes not in (1, 2, 3) or len(input_shape) not in (axes + 1, axes + 2):
        raise ValueError(f"an input of shape {tuple(input_shape)} does not fit a window of {axes} axes")
    sizes = zip(
        input_shape[-axes:],
        kernel_size,
        per_axis(kernel_size if stride is None else stride, axes),
        per_axis(padding, axes),
        per_axis(dilation, axes),
        strict=True,
    )
    return tuple(_output_size(*size, ceil_mode=ceil_mode) for size in sizes)


def _output_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    if padding > kernel // 2:
        raise ValueError(f"padding={padding} exceeds half of kernel_size={kernel}")
    return pooling_output(size, kernel, stride, padding, dilation, ceil_mode)


# In the loops below every array has five axes and every argument three values; see the head of this file.


@njit(cache=True)
def _max(values, indices, x, kernel, stride, padding, dilation):  # type: ignore[no-untyped-def]
    for n, c in np.ndindex(x.shape[:2]):
        for p, i, j in np.ndindex(values.shape[2:]):
            largest, index = -np.inf, -1
            for d in range(kernel[0]):
                z = p * stride[0] - padding[0] + d * dilation[0]
                if not 0 <= z < x.shape[2]:
                    continue
                for a in range(kernel[1]):
                    u = i * stride[1] - padding[1] + a * dilation[1]
                    if not 0 <= u < x.shape[3]:
                        continue
                    for b in range(kernel[2]):
                        v = j * stride[2] - padding[2] + b * dilation[2]
                        if not 0 <= v < x.shape[4]:
                            continue
                        value = x[n, c, z, u, v]
                        # A NaN is not ≤ anything; asking that first spares most elements the test for NaN.
                        if index < 0 or value > largest or (not value <= largest and np.isnan(value)):
                            largest = value
                            index = (z * x.shape[3] + u) * x.shape[4] + v
            values[n, c, p, i, j] = largest
            indices[n, c, p, i, j] = index


@njit(cache=True)
def _scatter_to_indices(gradient, g, indices):  # type: ignore[no-untyped-def]
    for plane, window in np.ndindex(g.shape):
        if indices[plane, window] >= 0:
            gradient[plane, indices[plane, window]] += g[plane, window]


@njit(cache=True)
def _divisor(position, size, kernel, stride, padding, include_pad, override):  # type: ignore[no-untyped-def]
    """Elements that the mean of the window at ``position`` divides by."""
    if override != 0:
        return override
    count = 1
    for axis in range(3):
        start = position[axis] * stride[axis] - padding[axis]
        stop = min(start + kernel[axis], size[axis] + padding[axis])
        if not include_pad:
            start, stop = max(start, 0), min(stop, size[axis])
        count *= stop - start
    return count


@njit(cache=True)
def _mean(y, x, kernel, stride, padding, include_pad, override):  # type: ignore[no-untyped-def]
    for n, c in np.ndindex(x.shape[:2]):
        for p, i, j in np.ndindex(y.shape[2:]):
            total = 0.0
            for d in range(kernel[0]):
                z = p * stride[0] - padding[0] + d
                if not 0 <= z < x.shape[2]:
                    continue
                for a in range(kernel[1]):
                    u = i * stride[1] - padding[1] + a
                    if not 0 <= u < x.shape[3]:
                        continue
                    for b in range(kernel[2]):
                        v = j * stride[2] - padding[2] + b
                        if 0 <= v < x.shape[4]:
                            total += x[n, c, z, u, v]
            y[n, c, p, i, j] = total / _divisor((p, i, j), x.shape[2:], kernel, stride, padding, include_pad, override)


@njit(cache=True)
def _spread(gradient, g, kernel, stride, padding, include_pad, override):  # type: ignore[no-untyped-def]
    size = gradient.shape[2:]
    for n, c in np.ndindex(g.shape[:2]):
        for p, i, j in np.ndindex(g.shape[2:]):
            share = g[n, c, p, i, j] / _divisor((p, i, j), size, kernel, stride, padding, include_pad, override)
            for d in range(kernel[0]):
                z = p * stride[0] - padding[0] + d
                if not 0 <= z < size[0]:
                    continue
                for a in range(kernel[1]):
                    u = i * stride[1] - padding[1] + a
                    if not 0 <= u < size[1]:
                        continue
                    for b in range(kernel[2]):
                        v = j * stride[2] - padding[2] + b
                        if 0 <= v < size[2]:
                            gradient[n, c, z, u, v] += share

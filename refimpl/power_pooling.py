"""Power-average (Lp) pooling, its gradient and the gradient of that.

Axes as in :mod:`refimpl.pooling`. S is the sum of a window's r-th powers. The r-th root of a negative sum is the real
one where r is an odd integer, and NaN otherwise, as is a fractional power of a negative element.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.arrays import Array, Axes, alike, batched, lift, matching, steps
from refimpl.pooling import max_pool, max_pool_gradient, output_sizes, picked


def lp_pool(
    x: Array,
    norm_type: float,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Norm without absolute values: ``y[n,c,i,j] = S^{1/r}``, ``S = Σ_{a,b} x[n, c, i·s+a, j·s+b]^r``.

    r is ``norm_type``; r = ∞ gives the largest ``|x|`` of the window and r = −∞ the smallest. A window that reaches
    beyond the input, in ceil mode, sums the elements that it has. Every channel is pooled on its own.

    x: (N, C, *spatial) or (C, *spatial), ``len(kernel_size)`` spatial axes. Returns (N, C, *output). Raises
    ValueError where a window does not fit or r is zero. Source: torch.nn.LPPool2d.

    >>> lp_pool(np.array([[3, 4, 6, 8, 5]]), 2, (2,))
    array([[ 5., 10.]])
    >>> lp_pool(np.array([[3, 4, 6, 8, 5]]), 2, (2,), ceil_mode=True)
    array([[ 5., 10.,  5.]])
    >>> lp_pool(np.array([[-3, -4]]), 3, (1,)), lp_pool(np.array([[-3, 2]]), math.inf, (2,))
    (array([[-3., -4.]]), array([[3.]]))
    """
    if math.isinf(norm_type):
        return _sign(norm_type) * extreme(x, norm_type, kernel_size, stride, ceil_mode)[0]
    sums = power_sums(x, norm_type, kernel_size, stride, ceil_mode)
    y = np.empty(sums.shape)
    _roots(y.reshape(-1), sums.reshape(-1), float(norm_type))
    return y


def lp_pool_gradient(
    cotangent: Array,
    x: Array,
    norm_type: float,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Gradient of ``⟨cotangent, lp_pool(x)⟩`` to x: ``∂x = x^{r−1} · Σ cotangent · |S|^{1/r−1}``.

    The sum is over the windows that hold the element x, whose cotangent and S these are; where S is zero nothing is
    added. For r = ±∞ a window hands its cotangent, with the sign of x, to the element that it took. cotangent: as the
    output; the rest as for :func:`lp_pool`. Source: the note in torch.nn.LPPool2d on a sum of zero.

    >>> lp_pool_gradient(np.array([[10., 5, 1]]), np.array([[3, 4, 0, 0, 5]]), 2, (2,), ceil_mode=True)
    array([[6., 8., 0., 0., 1.]])
    """
    if math.isinf(norm_type):
        indices = extreme(x, norm_type, kernel_size, stride, ceil_mode)[1]
        return np.sign(x) * max_pool_gradient(cotangent, indices, np.shape(x), len(kernel_size))
    sums = power_sums(x, norm_type, kernel_size, stride, ceil_mode)
    axes, g = len(kernel_size), matching(cotangent, sums.shape)
    gradient = batched(np.zeros(np.shape(x)), axes)
    step = steps(kernel_size if stride is None else stride, 0, 1, axes)[0]
    windows = batched(g, axes), batched(sums, axes), lift(kernel_size, 1), step
    _spread(gradient, batched(x, axes), *windows, float(norm_type))
    return gradient.reshape(np.shape(x))


def lp_pool_second(
    h: Array,
    g: Array,
    x: Array,
    norm_type: float,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """Gradients of ``⟨h, lp_pool_gradient(g, x)⟩`` to g and to x.

    With ``T = Σ_{a,b} h·x^{r−1}`` of a window, ``∂g = |S|^{1/r−1}·T``, and
    ``∂x = x^{r−1}·Σ g·(1−r)·sign(S)·|S|^{1/r−2}·T + (r−1)·h·x^{r−2}·Σ g·|S|^{1/r−1}``, the sums over the windows that
    hold the element x; where S is zero nothing is added, and for r = 1 nothing goes to x at all. For r = ±∞ the element
    that a window took hands it h with the sign of x. h: as x; g: as the output; the rest as for :func:`lp_pool`.

    >>> lp_pool_second(np.array([[5.0, 0.0]]), np.array([[25.0]]), np.array([[3.0, 4.0]]), 2, (2,))
    (array([[3.]]), array([[ 16., -12.]]))
    """
    x, h = alike(x, h)
    axes, to_x = len(kernel_size), batched(np.zeros(np.shape(x)), len(kernel_size))
    if math.isinf(norm_type):
        indices = extreme(x, norm_type, kernel_size, stride, ceil_mode)[1]
        return picked(np.sign(x) * h, indices, axes), to_x.reshape(np.shape(x))
    sums = power_sums(x, norm_type, kernel_size, stride, ceil_mode)
    to_g = batched(np.zeros(sums.shape), axes)
    step = steps(kernel_size if stride is None else stride, 0, 1, axes)[0]
    windows = batched(matching(g, sums.shape), axes), batched(x, axes), batched(sums, axes), lift(kernel_size, 1), step
    _second(to_g, to_x, batched(h, axes), *windows, float(norm_type))
    return to_g.reshape(sums.shape), to_x.reshape(np.shape(x))


def power_sums(
    x: Array, norm_type: float, kernel_size: Sequence[int], stride: Axes | None = None, ceil_mode: bool = False
) -> Array:
    """S of each window, the sum of r-th powers; operands, shapes and errors as for :func:`lp_pool`."""
    if norm_type == 0:
        raise ValueError("norm_type=0 has no root; choose another")
    axes = len(kernel_size)
    output = output_sizes(np.shape(x), kernel_size, stride, 0, 1, ceil_mode)
    images = batched(x, axes)
    sums = np.empty(images.shape[:2] + lift(output, 1))
    step = steps(kernel_size if stride is None else stride, 0, 1, axes)[0]
    _power_sums(sums, images, lift(kernel_size, 1), step, float(norm_type))
    return sums.reshape(np.shape(x)[:-axes] + output)


def extreme(
    x: Array, norm_type: float, kernel_size: Sequence[int], stride: Axes | None = None, ceil_mode: bool = False
) -> tuple[Array, Array]:
    """The largest of ``|x|`` in each window, or of ``−|x|`` for r = −∞, and its index."""
    return max_pool(_sign(norm_type) * np.abs(x), kernel_size, stride, ceil_mode=ceil_mode)


def _sign(norm_type: float) -> float:
    return math.copysign(1.0, norm_type)


# In the loops below every array has five axes and every argument three values; see the head of refimpl.pooling.


@njit(cache=True)
def _power_sums(sums, x, kernel, stride, r):  # type: ignore[no-untyped-def]
    for n, c, p, i, j in np.ndindex(sums.shape):
        total = 0.0
        for z in range(p * stride[0], min(p * stride[0] + kernel[0], x.shape[2])):
            for u in range(i * stride[1], min(i * stride[1] + kernel[1], x.shape[3])):
                for v in range(j * stride[2], min(j * stride[2] + kernel[2], x.shape[4])):
                    total += _power(x[n, c, z, u, v], r)
        sums[n, c, p, i, j] = total


@njit(cache=True)
def _roots(y, sums, r):  # type: ignore[no-untyped-def]
    for i in range(sums.shape[0]):
        if sums[i] < 0.0 and r % 2.0 == 1.0:
            y[i] = -_power(-sums[i], 1.0 / r)
        else:
            y[i] = _power(sums[i], 1.0 / r)


@njit(cache=True)
def _spread(gradient, x, g, sums, kernel, stride, r):  # type: ignore[no-untyped-def]
    reached = np.zeros(x.shape, dtype=np.bool_)
    for n, c, p, i, j in np.ndindex(g.shape):
        total = sums[n, c, p, i, j]
        if total == 0.0:
            continue
        slope = g[n, c, p, i, j] * _power(_size(total, r), 1.0 / r - 1.0)
        for z in range(p * stride[0], min(p * stride[0] + kernel[0], x.shape[2])):
            for u in range(i * stride[1], min(i * stride[1] + kernel[1], x.shape[3])):
                for v in range(j * stride[2], min(j * stride[2] + kernel[2], x.shape[4])):
                    gradient[n, c, z, u, v] += slope
                    reached[n, c, z, u, v] = True
    for at in np.ndindex(x.shape):
        if reached[at]:
            gradient[at] *= _power(x[at], r - 1.0)


@njit(cache=True)
def _second(to_g, to_x, h, g, x, sums, kernel, stride, r):  # type: ignore[no-untyped-def]
    slopes, curves, reached = np.zeros(x.shape), np.zeros(x.shape), np.zeros(x.shape, dtype=np.bool_)
    for n, c, p, i, j in np.ndindex(g.shape):
        total, t = sums[n, c, p, i, j], 0.0
        if total == 0.0:
            continue
        for z in range(p * stride[0], min(p * stride[0] + kernel[0], x.shape[2])):
            for u in range(i * stride[1], min(i * stride[1] + kernel[1], x.shape[3])):
                for v in range(j * stride[2], min(j * stride[2] + kernel[2], x.shape[4])):
                    t += h[n, c, z, u, v] * _power(x[n, c, z, u, v], r - 1.0)
        root = _power(_size(total, r), 1.0 / r - 1.0)
        to_g[n, c, p, i, j] = root * t
        slope = g[n, c, p, i, j] * root
        curve = g[n, c, p, i, j] * (1.0 - r) * np.sign(total) * _power(_size(total, r), 1.0 / r - 2.0) * t
        for z in range(p * stride[0], min(p * stride[0] + kernel[0], x.shape[2])):
            for u in range(i * stride[1], min(i * stride[1] + kernel[1], x.shape[3])):
                for v in range(j * stride[2], min(j * stride[2] + kernel[2], x.shape[4])):
                    slopes[n, c, z, u, v] += slope
                    curves[n, c, z, u, v] += curve
                    reached[n, c, z, u, v] = r != 1.0
    for at in np.ndindex(x.shape):
        if reached[at]:
            to_x[at] = curves[at] * _power(x[at], r - 1.0) + slopes[at] * h[at] * (r - 1.0) * _power(x[at], r - 2.0)


@njit(cache=True)
def _size(total, r):  # type: ignore[no-untyped-def]
    """A sum, of odd powers without its sign."""
    return abs(total) if r % 2.0 == 1.0 else total


@njit(cache=True)
def _power(x, r):  # type: ignore[no-untyped-def]
    """``x^r`` with NaN and infinity in place of Python's exceptions, compiled or not."""
    if x == 0.0 and r < 0.0:
        return math.inf
    if x < 0.0 and r != math.floor(r):
        return math.nan
    return x**r

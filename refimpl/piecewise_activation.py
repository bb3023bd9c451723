"""Activations in pieces, each a line or a parabola, with their slopes and curvatures; and PReLU.

Each function of one operand gives three arrays of its shape: the value ``y``, the slope ``y'`` and the curvature
``y''``. With the cotangent g the gradient is ``g·y'``; the gradients of ``⟨h, g·y'⟩`` are ``h·y'`` to g and ``h·g·y''``
to x. At a kink the slope is torch's: that of the constant side, or else of the left one.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from refimpl.arrays import Array, alike, float64, matching

Jet = tuple[Array, Array, Array]
"""Value, slope and curvature."""


def relu6(x: Array) -> Jet:
    """``min(max(x, 0), 6)``, elementwise; at 0 and 6 the slope is zero. Source: torch.nn.ReLU6.

    >>> relu6(np.array([-1.0, 2.0, 7.0]))[0]
    array([0., 2., 6.])
    """
    return hardtanh(x, 0.0, 6.0)


def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Jet:
    """``min(max(x, min_val), max_val)``, elementwise; at both the slope is zero. Source: torch.nn.Hardtanh.

    >>> hardtanh(np.array([-3.0, 0.5, 1.0]))[1]
    array([0., 1., 0.])
    """
    y, slope, curvature = blank(x)
    _hardtanh(min_val, max_val, *flat(y, slope, float64(x)))
    return y, slope, curvature


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Jet:
    """``x`` where x > 0, else ``negative_slope·x``, elementwise. Source: torch.nn.LeakyReLU.

    >>> leaky_relu(np.array([-8.0, 0.0, 2.0]), 0.25)[:2]
    (array([-2.,  0.,  2.]), array([0.25, 0.25, 1.  ]))
    """
    y, slope, curvature = blank(x)
    _leaky_relu(negative_slope, *flat(y, slope, float64(x)))
    return y, slope, curvature


def hardshrink(x: Array, lambd: float = 0.5) -> Jet:
    """0 where ``−λ ≤ x ≤ λ``, else x, elementwise; NaN stays NaN. Source: torch.nn.Hardshrink.

    At ±λ the slope is that of the constant side; of λ = 0 there is no such side.

    >>> hardshrink(np.array([-2.0, 0.5, 3.0]))[:2]
    (array([-2.,  0.,  3.]), array([1., 0., 1.]))
    """
    y, slope, curvature = blank(x)
    _shrink(lambd, 0.0, *flat(y, slope, float64(x)))
    return y, slope, curvature


def softshrink(x: Array, lambd: float = 0.5) -> Jet:
    """``x − λ`` where x > λ, ``x + λ`` where x < −λ, else 0, elementwise; NaN stays NaN. Source: torch.nn.Softshrink.

    Slopes are those of :func:`hardshrink`.

    >>> softshrink(np.array([-2.0, 0.5, 3.0]))[0]
    array([-1.5,  0. ,  2.5])
    """
    y, slope, curvature = blank(x)
    _shrink(lambd, lambd, *flat(y, slope, float64(x)))
    return y, slope, curvature


def threshold(x: Array, threshold: float, value: float) -> Jet:
    """``x`` where x > threshold, else the value, elementwise; NaN stays NaN. Source: torch.nn.Threshold.

    >>> threshold(np.array([-2.0, 0.5, 3.0]), 0.5, 20.0)[:2]
    (array([20., 20.,  3.]), array([0., 0., 1.]))
    """
    y, slope, curvature = blank(x)
    _threshold(threshold, value, *flat(y, slope, float64(x)))
    return y, slope, curvature


def rrelu(x: Array, lower: float = 1.0 / 8.0, upper: float = 1.0 / 3.0, training: bool = False) -> Jet:
    """``x`` where x > 0, else ``x·(lower + upper)/2``, elementwise, as it is in evaluation. Source: torch.nn.RReLU.

    In training each slope is drawn between the two; so there they are to be one number. Raises ValueError otherwise.

    >>> rrelu(np.array([-8.0, 2.0]), 0.25, 0.75)[0]
    array([-4.,  2.])
    """
    if training and lower != upper:
        raise ValueError(f"slopes from {lower} to {upper} are left to chance")
    return leaky_relu(x, (lower + upper) / 2.0)


def sloped(x: Array, slope: Array) -> Array:
    """``x`` where x > 0, else ``slope·x``, with a slope for each element: what RReLU makes of those that it has drawn.

    >>> sloped(np.array([-8.0, -8.0, 2.0]), np.array([0.25, 0.5, 1.0]))
    array([-2., -4.,  2.])
    """
    return np.where(float64(x) > 0.0, float64(x), float64(slope) * float64(x))


def hardsigmoid(x: Array) -> Jet:
    """0 where x ≤ −3, 1 where x ≥ 3, else ``x/6 + 1/2``, elementwise. Source: torch.nn.Hardsigmoid.

    >>> hardsigmoid(np.array([-4.0, 0.0, 3.0]))[0]
    array([0. , 0.5, 1. ])
    """
    y, slope, curvature = blank(x)
    _hardsigmoid(*flat(y, slope, float64(x)))
    return y, slope, curvature


def hardswish(x: Array) -> Jet:
    """0 where x ≤ −3, x where x ≥ 3, else ``x·(x + 3)/6``, elementwise. Source: torch.nn.Hardswish.

    >>> hardswish(np.array([-4.0, 1.0, 3.0]))[0]
    array([0.        , 0.66666667, 3.        ])
    """
    y, slope, curvature = blank(x)
    _hardswish(*flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


def prelu(x: Array, weight: Array) -> Array:
    """``x`` where x > 0, else ``w·x``, with one weight for all or one for each channel, axis 1.

    x: (N, C, *), or any shape for one weight; weight: (C,) or (1,). Source: torch.nn.PReLU.

    >>> prelu(np.array([[-2.0, -2.0, 3.0]]), np.array([0.5, 4.0, 1.0]))
    array([[-1., -8.,  3.]])
    """
    x = float64(x)
    return np.where(x > 0.0, x, _of_channels(weight, x.ndim) * x)


def prelu_gradients(cotangent: Array, x: Array, weight: Array) -> tuple[Array, Array]:
    """``∂x = g`` where x > 0, else ``w·g``; ``∂w = Σ g·x`` over the elements of its channel with x ≤ 0.

    >>> prelu_gradients(np.array([[3.0, 5.0]]), np.array([[-2.0, 2.0]]), np.array([0.5]))
    (array([[1.5, 5. ]]), array([-6.]))
    """
    g, x = matching(cotangent, np.shape(x)), float64(x)
    h, negative = (np.where(x > 0.0, 0.0, values) for values in (g, x))
    return np.where(x > 0.0, g, _of_channels(weight, x.ndim) * g), over_channels(h, negative, np.shape(weight))


def over_channels(a: Array, b: Array, shape: tuple[int, ...]) -> Array:
    """``Σ a·b`` over all elements, or, of several weights, over those of each channel. a, b: (N, C, *)."""
    a, b = alike(a, b)
    sums = np.zeros(shape)
    channels = shape[0]
    blocks = (-1, 1, 1) if channels == 1 else (a.shape[0], channels, math.prod(a.shape[2:]))
    _over_channels(sums, a.reshape(blocks), b.reshape(blocks))
    return sums


def _of_channels(weight: Array, axes: int) -> Array:
    """Weights in a shape that broadcasts to (N, C, *)."""
    weight = float64(weight)
    return weight.reshape(()) if weight.size == 1 else weight.reshape(-1, *(1,) * (axes - 2))


def blank(x: Array) -> Jet:
    """Zeros for value, slope and curvature."""
    return np.zeros(np.shape(x)), np.zeros(np.shape(x)), np.zeros(np.shape(x))


def flat(*arrays: Array) -> tuple[Array, ...]:
    """Arrays as rows of all their elements, in the same memory."""
    return tuple(array.reshape(-1) for array in arrays)


@njit(cache=True)
def _hardtanh(low, high, y, slope, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if x[i] <= low:
            y[i] = low
        elif x[i] >= high:
            y[i] = high
        else:
            y[i], slope[i] = x[i], 1.0


@njit(cache=True)
def _leaky_relu(negative_slope, y, slope, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        slope[i] = 1.0 if x[i] > 0.0 else negative_slope
        y[i] = slope[i] * x[i]


@njit(cache=True)
def _shrink(width, step, y, slope, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if -width <= x[i] <= width and width != 0.0:
            y[i] = 0.0
        else:
            y[i], slope[i] = x[i] + step if x[i] < 0.0 else x[i] - step, 1.0


@njit(cache=True)
def _threshold(threshold, value, y, slope, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if x[i] <= threshold:
            y[i] = value
        else:
            y[i], slope[i] = x[i], 1.0


@njit(cache=True)
def _hardsigmoid(y, slope, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if x[i] <= -3.0:
            y[i] = 0.0
        elif x[i] >= 3.0:
            y[i] = 1.0
        else:
            y[i], slope[i] = x[i] / 6.0 + 0.5, 1.0 / 6.0


@njit(cache=True)
def _hardswish(y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if x[i] <= -3.0:
            y[i] = 0.0
        elif x[i] >= 3.0:
            y[i], slope[i] = x[i], 1.0
        else:
            y[i], slope[i], curvature[i] = x[i] * (x[i] + 3.0) / 6.0, x[i] / 3.0 + 0.5, 1.0 / 3.0


@njit(cache=True)
def _over_channels(sums, a, b):  # type: ignore[no-untyped-def]
    for n in range(a.shape[0]):
        for c in range(a.shape[1]):
            for i in range(a.shape[2]):
                sums[c] += a[n, c, i] * b[n, c, i]

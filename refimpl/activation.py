"""Sigmoid, tanh, ReLU, softmax and log-softmax with their gradients, and the gradients of these.

A gradient is itself a function of the cotangent g and of x. ``<layer>_second(h, g, x)`` differentiates it once more:
it returns the gradients of ``S = ⟨h, <layer>_gradient(g, x)⟩`` to g and to x, what a double backward pass computes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64, matching


def sigmoid(x: Array) -> Array:
    """``σ(x) = 1 / (1 + e^{−x})``, elementwise (S18); for negative x as ``e^x / (1 + e^x)``, which cannot overflow.

    Source: torch.nn.Sigmoid.

    >>> sigmoid(np.array([0.0, 1000.0, -1000.0]))
    array([0.5, 1. , 0. ])
    """
    y = np.empty(np.shape(x))
    _sigmoid(y.reshape(-1), float64(x).reshape(-1))
    return y


def sigmoid_gradient(cotangent: Array, x: Array) -> Array:
    """``∂x = cotangent · σ(x) · σ(−x)``, elementwise; ``σ(−x)`` is ``1 − σ(x)`` without the cancellation."""
    y = np.empty(np.shape(x))
    _sigmoid_gradient(y.reshape(-1), matching(cotangent, y.shape).reshape(-1), float64(x).reshape(-1))
    return y


def sigmoid_second(h: Array, g: Array, x: Array) -> tuple[Array, Array]:
    """``∂g = h · σ·(1−σ)`` and ``∂x = h·g · σ·(1−σ)·(1−2σ)``, elementwise, with σ = σ(x).

    >>> sigmoid_second(np.array([8.0]), np.array([2.0]), np.array([0.0]))
    (array([2.]), array([0.]))
    """
    slope = sigmoid_gradient(np.ones(np.shape(x)), x)
    return h * slope, h * g * slope * (sigmoid(-float64(x)) - sigmoid(x))


def tanh(x: Array) -> Array:
    """``(e^x − e^{−x}) / (e^x + e^{−x})``, elementwise. Source: torch.nn.Tanh.

    >>> tanh(np.array([0.0, 1000.0, -1000.0]))
    array([ 0.,  1., -1.])
    """
    y = np.empty(np.shape(x))
    _tanh(y.reshape(-1), float64(x).reshape(-1))
    return y


def tanh_gradient(cotangent: Array, x: Array) -> Array:
    """``∂x = cotangent · (1 − tanh²x)``, elementwise.

    >>> tanh_gradient(np.array([3.0, 3.0]), np.array([0.0, 1000.0]))
    array([3., 0.])
    """
    y = np.empty(np.shape(x))
    _tanh_gradient(y.reshape(-1), matching(cotangent, y.shape).reshape(-1), float64(x).reshape(-1))
    return y


def tanh_second(h: Array, g: Array, x: Array) -> tuple[Array, Array]:
    """``∂g = h · (1 − t²)`` and ``∂x = −2·h·g · t·(1 − t²)``, elementwise, with t = tanh x.

    >>> tanh_second(np.array([3.0]), np.array([2.0]), np.array([0.0]))
    (array([3.]), array([-0.]))
    """
    slope = tanh_gradient(np.ones(np.shape(x)), x)
    return h * slope, -2.0 * h * g * tanh(x) * slope


def relu(x: Array) -> Array:
    """``max(x, 0)``, elementwise; NaN stays NaN. Source: torch.nn.ReLU.

    >>> relu(np.array([-1.0, 2.0, np.nan]))
    array([ 0.,  2., nan])
    """
    y = np.empty(np.shape(x))
    _relu(y.reshape(-1), float64(x).reshape(-1), float64(x).reshape(-1))
    return y


def relu_gradient(cotangent: Array, x: Array) -> Array:
    """``∂x = cotangent`` where x > 0, zero where x ≤ 0: at zero torch takes the left derivative.

    >>> relu_gradient(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0]))
    array([0., 0., 3.])
    """
    y = np.empty(np.shape(x))
    _relu(y.reshape(-1), matching(cotangent, y.shape).reshape(-1), float64(x).reshape(-1))
    return y


def softmax(x: Array) -> Array:
    """Softmax over the last axis, shifted by its maximum m: ``y_i = e^{x_i−m} / Σ_j e^{x_j−m}``.

    x: (*, classes). Returns the same shape. Source: torch.nn.Softmax.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    y = np.empty(np.shape(x))
    rows = float64(x).reshape(-1, np.shape(x)[-1])
    _softmax(y.reshape(rows.shape), rows)
    return y


def softmax_gradient(cotangent: Array, x: Array) -> Array:
    """``∂x_i = y_i · (g_i − Σ_j g_j y_j)`` with y the softmax and g the cotangent, both (*, classes)."""
    y = softmax(x)
    gradient = np.empty(np.shape(x))
    rows = (-1, np.shape(x)[-1])
    _softmax_gradient(gradient.reshape(rows), matching(cotangent, gradient.shape).reshape(rows), y.reshape(rows))
    return gradient


def softmax_second(h: Array, g: Array, x: Array) -> tuple[Array, Array]:
    """With J the Jacobian ``J_ij = y_i·([i=j] − y_j)`` of the softmax y: ``∂g = J·h`` and ``∂x = J·∂y``.

    ``S = Σ h_i·g_i·y_i − (h·y)·(g·y)``, so ``∂y_i = h_i·g_i − h_i·(g·y) − g_i·(h·y)``. All (*, classes).

    >>> softmax_second(np.array([4.0, 0.0]), np.array([1.0, 0.0]), np.zeros(2))
    (array([ 1., -1.]), array([0., 0.]))
    """
    y, h, g = softmax(x), float64(h), float64(g)
    h_mean, g_mean = (h * y).sum(-1, keepdims=True), (g * y).sum(-1, keepdims=True)
    return softmax_gradient(h, x), softmax_gradient(h * g - h * g_mean - g * h_mean, x)


def log_softmax(x: Array) -> Array:
    """``y_i = (x_i − m) − log Σ_j e^{x_j−m}`` over the last axis, m its maximum.

    x: (*, classes). Returns the same shape. Source: torch.nn.LogSoftmax.

    >>> log_softmax(np.array([0.0, 0.0])) == -np.log(2)
    array([ True,  True])
    """
    y = np.empty(np.shape(x))
    rows = float64(x).reshape(-1, np.shape(x)[-1])
    _log_softmax(y.reshape(rows.shape), rows)
    return y


def log_softmax_gradient(cotangent: Array, x: Array) -> Array:
    """``∂x_i = g_i − softmax(x)_i · Σ_j g_j`` with g the cotangent, (*, classes)."""
    gradient = np.empty(np.shape(x))
    rows = (-1, np.shape(x)[-1])
    _log_softmax_gradient(
        gradient.reshape(rows), matching(cotangent, gradient.shape).reshape(rows), softmax(x).reshape(rows)
    )
    return gradient


def log_softmax_second(h: Array, g: Array, x: Array) -> tuple[Array, Array]:
    """With y the softmax and J its Jacobian: ``∂g_i = h_i − h·y`` and ``∂x = −(Σ_j g_j) · J·h``. All (*, classes).

    >>> log_softmax_second(np.array([4.0, 0.0]), np.array([1.0, 2.0]), np.zeros(2))
    (array([ 2., -2.]), array([-3.,  3.]))
    """
    h = float64(h)
    mean = (h * softmax(x)).sum(-1, keepdims=True)
    return h - mean, -float64(g).sum(-1, keepdims=True) * softmax_gradient(h, x)


@njit(cache=True)
def sigma(x):  # type: ignore[no-untyped-def]
    """``1/(1 + e^{−x})`` of a number, with no power that overflows."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    power = math.exp(x)
    return power / (1.0 + power)


@njit(cache=True)
def _sigmoid(y, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        y[i] = sigma(x[i])


@njit(cache=True)
def _sigmoid_gradient(y, g, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        y[i] = g[i] * sigma(x[i]) * sigma(-x[i])


@njit(cache=True)
def _tanh(y, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        y[i] = math.tanh(x[i])


@njit(cache=True)
def _tanh_gradient(y, g, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        t = math.tanh(x[i])
        y[i] = g[i] * (1.0 - t * t)


@njit(cache=True)
def _relu(y, passed, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        y[i] = 0.0 if x[i] <= 0.0 else passed[i]


@njit(cache=True)
def _largest(row):  # type: ignore[no-untyped-def]
    largest = -math.inf
    for value in row:
        if value > largest or math.isnan(value):
            largest = value
    return largest


@njit(cache=True)
def _softmax(y, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        m = _largest(x[n])
        total = 0.0
        for i in range(x.shape[1]):
            total += math.exp(x[n, i] - m)
        for i in range(x.shape[1]):
            y[n, i] = math.exp(x[n, i] - m) / total


@njit(cache=True)
def _softmax_gradient(gradient, g, y):  # type: ignore[no-untyped-def]
    for n in range(y.shape[0]):
        dot = 0.0
        for j in range(y.shape[1]):
            dot += g[n, j] * y[n, j]
        for i in range(y.shape[1]):
            gradient[n, i] = y[n, i] * (g[n, i] - dot)


@njit(cache=True)
def _log_softmax(y, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        m = _largest(x[n])
        total = 0.0
        for i in range(x.shape[1]):
            total += math.exp(x[n, i] - m)
        for i in range(x.shape[1]):
            y[n, i] = (x[n, i] - m) - math.log(total)


@njit(cache=True)
def _log_softmax_gradient(gradient, g, y):  # type: ignore[no-untyped-def]
    for n in range(y.shape[0]):
        total = 0.0
        for j in range(y.shape[1]):
            total += g[n, j]
        for i in range(y.shape[1]):
            gradient[n, i] = g[n, i] - y[n, i] * total

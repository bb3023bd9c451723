"""Sigmoid, softmax and log-softmax with their gradients."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64


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
    _sigmoid_gradient(y.reshape(-1), float64(cotangent).reshape(-1), float64(x).reshape(-1))
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
    _softmax_gradient(gradient.reshape(rows), float64(cotangent).reshape(rows), y.reshape(rows))
    return gradient


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
    _log_softmax_gradient(gradient.reshape(rows), float64(cotangent).reshape(rows), softmax(x).reshape(rows))
    return gradient


@njit(cache=True)
def _sigma(x):  # type: ignore[no-untyped-def]
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    power = math.exp(x)
    return power / (1.0 + power)


@njit(cache=True)
def _sigmoid(y, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        y[i] = _sigma(x[i])


@njit(cache=True)
def _sigmoid_gradient(y, g, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        y[i] = g[i] * _sigma(x[i]) * _sigma(-x[i])


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

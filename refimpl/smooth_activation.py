"""Activations with exponentials, with their slopes and curvatures; softmin, and GLU.

Each function of single values gives three arrays of the operand's shape: the value ``y``, the slope ``y'`` and the
curvature ``y''``. With the cotangent g the gradient is ``g·y'``; the gradients of ``⟨h, g·y'⟩`` are ``h·y'`` to g and
``h·g·y''`` to x. At a kink slope and curvature are torch's: those of ELU and its like
at zero are the left slope and no curvature, those of softplus at its threshold the slope of the logarithm and none.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from refimpl import activation
from refimpl.activation import sigma
from refimpl.arrays import Array, float64
from refimpl.piecewise_activation import Jet, blank, flat

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
"""torch.nn.SELU's constants."""
CUBIC, ROOT = 0.044715, math.sqrt(2.0 / math.pi)
"""Those of torch.nn.GELU(approximate="tanh")."""


def elu(x: Array, alpha: float = 1.0) -> Jet:
    """``x`` where x > 0, else ``α·(e^x − 1)``, elementwise. Source: torch.nn.ELU.

    >>> elu(np.array([2.0, 0.0, -1000.0]), 3.0)[0]
    array([ 2.,  0., -3.])
    """
    return _exponential(x, alpha, 1.0, 1.0)


def selu(x: Array) -> Jet:
    """``scale·x`` where x > 0, else ``scale·α·(e^x − 1)``, elementwise. Source: torch.nn.SELU.

    >>> bool(selu(np.array([1.0]))[0] == SELU_SCALE)
    True
    """
    return _exponential(x, SELU_ALPHA, SELU_SCALE, 1.0)


def celu(x: Array, alpha: float = 1.0) -> Jet:
    """``max(0, x) + min(0, α·(e^{x/α} − 1))``, elementwise, for α > 0. Source: torch.nn.CELU.

    >>> celu(np.array([2.0, -1000.0]), 0.5)[0]
    array([ 2. , -0.5])
    """
    return _exponential(x, alpha, 1.0, alpha)


def gelu(x: Array, approximate: str = "none") -> Jet:
    """``x·Φ(x) = x·(1 + erf(x/√2))/2``, or with "tanh" ``x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2``, elementwise.

    Source: torch.nn.GELU.

    >>> gelu(np.array([0.0, 40.0, -40.0]))[0]
    array([ 0., 40., -0.])
    """
    y, slope, curvature = blank(x)
    loop = _gelu if approximate == "none" else _gelu_by_tanh
    loop(*flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


def silu(x: Array) -> Jet:
    """``x·σ(x)``, elementwise. Source: torch.nn.SiLU.

    >>> silu(np.array([0.0, 1000.0, -1000.0]))[0]
    array([ 0., 1000., -0.])
    """
    y, slope, curvature = blank(x)
    _silu(*flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


def mish(x: Array) -> Jet:
    """``x·tanh(log(1 + e^x))``, elementwise. Source: torch.nn.Mish.

    >>> mish(np.array([0.0, 1000.0]))[0]
    array([   0., 1000.])
    """
    y, slope, curvature = blank(x)
    _mish(*flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Jet:
    """``log(1 + e^{β·x})/β``, or x where ``β·x`` is above the threshold, elementwise. Source: torch.nn.Softplus.

    >>> bool(softplus(np.array([0.0]), 2.0)[0] == np.log(2.0) / 2.0), softplus(np.array([1.5]), 1.0, 1.0)[0]
    (True, array([1.5]))
    """
    y, slope, curvature = blank(x)
    _softplus(beta, threshold, *flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


def softsign(x: Array) -> Jet:
    """``x/(1 + |x|)``, elementwise. Source: torch.nn.Softsign.

    >>> softsign(np.array([1.0, -3.0]))
    (array([ 0.5 , -0.75]), array([0.25  , 0.0625]), array([-0.25   ,  0.03125]))
    """
    y, slope, curvature = blank(x)
    _softsign(*flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


def tanhshrink(x: Array) -> Jet:
    """``x − tanh x``, elementwise; the slope is ``tanh² x``. Source: torch.nn.Tanhshrink.

    >>> tanhshrink(np.array([0.0, 1000.0]))
    (array([  0., 999.]), array([0., 1.]), array([0., 0.]))
    """
    y, slope, curvature = blank(x)
    _tanhshrink(*flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


def logsigmoid(x: Array) -> Jet:
    """``log σ(x) = min(x, 0) − log(1 + e^{−|x|})``, elementwise. Source: torch.nn.LogSigmoid.

    >>> logsigmoid(np.array([0.0, -1000.0]))[0] == [-np.log(2.0), -1000.0]
    array([ True,  True])
    """
    y, slope, curvature = blank(x)
    _logsigmoid(*flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


def softmin(x: Array) -> Array:
    """Softmax of −x over the last axis. x: (*, classes). Source: torch.nn.Softmin.

    >>> softmin(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return activation.softmax(-float64(x))


def softmin_gradient(cotangent: Array, x: Array) -> Array:
    """``∂x_i = −y_i · (g_i − Σ_j g_j y_j)`` with y the softmin and g the cotangent, both (*, classes)."""
    return -activation.softmax_gradient(cotangent, -float64(x))


def softmin_second(h: Array, g: Array, x: Array) -> tuple[Array, Array]:
    """Those of the softmax at −x: to g with the other sign, to x with the same. All (*, classes)."""
    to_cotangent, to_input = activation.softmax_second(h, g, -float64(x))
    return -to_cotangent, to_input


def glu(x: Array) -> Array:
    """``a·σ(b)`` with a the first half of the last axis, and b the second. Source: torch.nn.GLU.

    >>> glu(np.array([3.0, 0.0]))
    array([1.5])
    """
    a, b = np.split(float64(x), 2, axis=-1)
    return a * activation.sigmoid(b)


def glu_gradient(cotangent: Array, x: Array) -> Array:
    """``∂a = g·σ(b)`` and ``∂b = g·a·σ(b)·σ(−b)``. cotangent: (*, half); x: (*, both halves)."""
    a, b = np.split(float64(x), 2, axis=-1)
    g = float64(cotangent)
    return np.concatenate([g * activation.sigmoid(b), activation.sigmoid_gradient(g * a, b)], axis=-1)


def glu_second(h: Array, g: Array, x: Array) -> tuple[Array, Array]:
    """``S = h_a·g·σ + h_b·g·a·σ'`` with σ = σ(b): ``∂g = h_a·σ + h_b·a·σ'`` and ``∂a = h_b·g·σ'``,
    ``∂b = h_a·g·σ' + h_b·g·a·σ'·(1 − 2σ)``. h, x: (*, both halves); g: (*, half).
    """
    (a, b), (ha, hb) = np.split(float64(x), 2, axis=-1), np.split(float64(h), 2, axis=-1)
    slope, bend = activation.sigmoid_second(np.ones(b.shape), np.ones(b.shape), b)
    to_second = ha * g * slope + hb * g * a * bend
    return ha * activation.sigmoid(b) + hb * a * slope, np.concatenate([hb * g * slope, to_second], axis=-1)


def _exponential(x: Array, alpha: float, scale: float, width: float) -> Jet:
    """``scale·x`` where x > 0, else ``scale·α·(e^{x/width} − 1)``."""
    y, slope, curvature = blank(x)
    _elu(alpha, scale, width, *flat(y, slope, curvature, float64(x)))
    return y, slope, curvature


@njit(cache=True)
def log_one_plus_exp(x):  # type: ignore[no-untyped-def]
    """``log(1 + e^x)`` of a number, with no power that overflows."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@njit(cache=True)
def _elu(alpha, scale, width, y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if x[i] <= 0.0:
            power = math.exp(x[i] / width)
            y[i] = scale * alpha * math.expm1(x[i] / width)
            slope[i] = scale * alpha / width * power
            curvature[i] = scale * alpha / width / width * power if x[i] < 0.0 else 0.0
        else:
            y[i], slope[i] = scale * x[i], scale


@njit(cache=True)
def _gelu(y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        below = 0.5 * math.erfc(-x[i] / math.sqrt(2.0))
        density = math.exp(-0.5 * x[i] * x[i]) / math.sqrt(2.0 * math.pi)
        y[i], slope[i] = x[i] * below, below + x[i] * density
        curvature[i] = density * (2.0 - x[i] * x[i])


@njit(cache=True)
def _gelu_by_tanh(y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        inner = ROOT * (x[i] + CUBIC * x[i] * x[i] * x[i])
        first, second = ROOT * (1.0 + 3.0 * CUBIC * x[i] * x[i]), 6.0 * ROOT * CUBIC * x[i]
        # (1 + tanh z)/2 is σ(2z), and (1 − tanh² z) is 4·σ(2z)·σ(−2z): no cancellation.
        half, t = sigma(2.0 * inner), math.tanh(inner)
        rest = 4.0 * half * sigma(-2.0 * inner)
        y[i], slope[i] = x[i] * half, half + 0.5 * x[i] * rest * first
        curvature[i] = rest * first + 0.5 * x[i] * rest * (second - 2.0 * t * first * first)


@njit(cache=True)
def _silu(y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        s, rest = sigma(x[i]), sigma(-x[i])
        y[i], slope[i] = x[i] * s, s * (1.0 + x[i] * rest)
        curvature[i] = s * rest * (2.0 + x[i] * (rest - s))


@njit(cache=True)
def _mish(y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        s, rest, softened = sigma(x[i]), sigma(-x[i]), log_one_plus_exp(x[i])
        t = math.tanh(softened)
        share = 1.0 / math.cosh(min(softened, 700.0))
        flat = share * share
        y[i], slope[i] = x[i] * t, t + x[i] * s * flat
        curvature[i] = flat * (2.0 * s + x[i] * s * rest - 2.0 * x[i] * s * s * t)


@njit(cache=True)
def _softplus(beta, threshold, y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if beta * x[i] > threshold:
            y[i], slope[i] = x[i], 1.0
        else:
            s = sigma(beta * x[i])
            y[i], slope[i] = log_one_plus_exp(beta * x[i]) / beta, s
            curvature[i] = beta * s * sigma(-beta * x[i]) if beta * x[i] < threshold else 0.0


@njit(cache=True)
def _softsign(y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        share = 1.0 / (1.0 + abs(x[i]))
        y[i], slope[i] = x[i] / (1.0 + abs(x[i])), share * share
        curvature[i] = -2.0 * np.sign(x[i]) * share * share * share


@njit(cache=True)
def _tanhshrink(y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        t = math.tanh(x[i])
        y[i], slope[i], curvature[i] = x[i] - t, t * t, 2.0 * t * (1.0 - t * t)


@njit(cache=True)
def _logsigmoid(y, slope, curvature, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        y[i] = -log_one_plus_exp(-x[i])
        slope[i], curvature[i] = sigma(-x[i]), -sigma(x[i]) * sigma(-x[i])

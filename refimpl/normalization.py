"""Layers that normalise groups of elements by their mean and variance, with their gradients.

Each layer brings its input into rows, one for each group that is normalised alone, and back (:class:`Rows`). With
``μ = Σx/n`` and ``v = Σ(x − μ)²/n`` of a row and ``r = 1/√(v + ε)``,

    ``x̂ = (x − μ)·r``, ``y = x̂·w + b``, and with ``h = g·w``
    ``∂x = r·(h − Σh/n − x̂·Σ(h·x̂)/n)``, ``∂w = Σ g·x̂``, ``∂b = Σ g``, summed over the elements that share w and b.

With ``P(a) = a − Σa/n − x̂·Σ(a·x̂)/n``, which is symmetric, the sum of the gradients times directions p, q and s is
``S = r·Σ h·P(p) + Σ g·x̂·q + Σ g·s``. As ``∂x̂_j/∂x_i`` is ``r·(δ_ij − 1/n − x̂_i·x̂_j/n)``, and ``∂r/∂x_i`` is
``−r²·x̂_i/n``, its gradients are, with ``m(a) = Σa/n``,

    ``∂g = w·r·P(p) + q·x̂ + s``, ``∂w = Σ g·r·P(p)``, ``∂b = 0``, and ``∂x = r·P(g·q) − r²·(x̂·(m(h·p) − m(h)·m(p) −
    3·m(h·x̂)·m(p·x̂)) + m(p·x̂)·(h − m(h)) + m(h·x̂)·(p − m(p)))``.

RMSNorm has no μ, no b, and no term with a mean alone: ``x̂ = x/√(Σx²/n + ε)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64


@dataclass(frozen=True)
class Rows:
    """How an input is brought into rows: a shape of four axes, those that a row is made of, those that share a weight.

    The weight varies along the other axes.
    """

    shape: tuple[int, int, int, int]
    normalized: tuple[int, ...]
    shared: tuple[int, ...]

    @classmethod
    def of_layer(cls, shape: tuple[int, ...], normalized_shape: Sequence[int]) -> Rows:
        """Over the last axes, as LayerNorm and RMSNorm have it; each of their positions has a weight."""
        size = math.prod(normalized_shape)
        if tuple(shape[len(shape) - len(normalized_shape) :]) != tuple(normalized_shape):
            raise ValueError(f"the last axes of {shape} are not {normalized_shape}")
        return cls((math.prod(shape) // max(size, 1), 1, 1, size), (3,), (0, 1, 2))

    @classmethod
    def of_groups(cls, shape: tuple[int, ...], groups: int) -> Rows:
        """Over the positions and channels of a group, of one image. shape: (N, C, *); each channel has a weight."""
        if shape[1] % groups:
            raise ValueError(f"{groups} groups do not divide {shape[1]} channels")
        return cls((shape[0], groups, shape[1] // groups, math.prod(shape[2:])), (2, 3), (0, 3))

    @classmethod
    def of_batch(cls, shape: tuple[int, ...]) -> Rows:
        """Over the positions of a channel, of all images. shape: (N, C, *); each channel has a weight."""
        return cls((shape[0], shape[1], 1, math.prod(shape[2:])), (0, 2, 3), (0, 2, 3))

    @property
    def one_weight(self) -> bool:
        """True if all of a row share a weight."""
        return all(axis in self.shared or self.shape[axis] == 1 for axis in self.normalized)

    def rows(self, x: Array) -> Array:
        """The input as (rows, elements)."""
        kept = [axis for axis in range(4) if axis not in self.normalized]
        turned = np.transpose(np.reshape(x, self.shape), (*kept, *self.normalized))
        return np.ascontiguousarray(turned).reshape(math.prod(self.shape[axis] for axis in kept), -1)

    def back(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """Rows as an array of the input's shape."""
        kept = [axis for axis in range(4) if axis not in self.normalized]
        order = (*kept, *self.normalized)
        turned = rows.reshape([self.shape[axis] for axis in order])
        return np.ascontiguousarray(np.transpose(turned, np.argsort(order))).reshape(shape)

    def spread(self, weight: Array) -> Array:
        """A weight, or what is summed of one, as rows like the input's."""
        varied = [1 if axis in self.shared else size for axis, size in enumerate(self.shape)]
        return self.rows(np.broadcast_to(np.reshape(weight, varied), self.shape))

    def summed(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """The sum over all elements that share a weight, in the weight's shape."""
        return np.asarray(self.back(rows, self.shape).sum(axis=self.shared)).reshape(shape)


def _last(shape: tuple[int, ...], normalized_shape: Sequence[int]) -> Rows:
    return Rows.of_layer(shape, normalized_shape)


def _grouped(shape: tuple[int, ...], num_groups: int) -> Rows:
    return Rows.of_groups(shape, num_groups)


LAYERS: dict[str, tuple[Callable[..., Rows], bool]] = {
    "layer_norm": (_last, True),
    "rms_norm": (_last, False),
    "group_norm": (_grouped, True),
    "instance_norm": (lambda shape: Rows.of_groups(shape, shape[1]), True),
    "batch_norm": (Rows.of_batch, True),
}
"""How a layer arranges an input of a shape, by torch's name of it, and whether it takes off the mean."""


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each row. x: (rows, elements). Returns two arrays (rows, 1).

    >>> moments(np.array([[1.0, 3.0]]))
    (array([[2.]]), array([[1.]]))
    """
    mean, variance = np.zeros((len(x), 1)), np.zeros((len(x), 1))
    _moments(mean, variance, float64(x))
    return mean, variance


def normalized(x: Array, eps: float, centered: bool = True) -> tuple[Array, Array]:
    """``x̂ = (x − μ)·r`` of each row, and r; uncentered, ``x/√(Σx²/n + ε)``. x: (rows, elements).

    >>> normalized(np.array([[1.0, 3.0]]), 0.0)[0], normalized(np.array([[3.0, 3.0]]), 0.0, False)[0]
    (array([[-1.,  1.]]), array([[1., 1.]]))
    """
    mean, variance = moments(x) if centered else (0.0, mean_square(x))
    inverse = 1.0 / np.sqrt(variance + eps)
    return (x - mean) * inverse, inverse


def mean_square(x: Array) -> Array:
    """``Σx²/n`` of each row. x: (rows, elements). Returns (rows, 1)."""
    squares = np.zeros((len(x), 1))
    _mean_square(squares, float64(x))
    return squares


def gradient(h: Array, x: Array, eps: float, centered: bool = True) -> Array:
    """``∂x = r·(h − Σh/n − x̂·Σ(h·x̂)/n)`` of each row. h, x: (rows, elements).

    >>> gradient(np.array([[1.0, 0.0, 0.0]]), np.array([[1.0, 1.0, 1.0]]), 1.0)
    array([[ 0.66666667, -0.33333333, -0.33333333]])
    """
    out = np.zeros(np.shape(x))
    hat, inverse = normalized(x, eps, centered)
    _gradient(out, float64(h), float64(hat), inverse, centered)
    return out


def curvature(h: Array, p: Array, x: Array, eps: float, centered: bool = True) -> Array:
    """The gradient of ``r·Σ h·P(p)`` to x, of each row. h, p, x: (rows, elements).

    ``x/√(1 + x²)`` has the second derivative ``−3x/(1 + x²)^{5/2}``.

    >>> one = np.ones((1, 1))
    >>> curvature(one, one, 0.0 * one, 1.0, False), curvature(one, one, one, 1.0, False) * 2**2.5
    (array([[-0.]]), array([[-3.]]))
    """
    out = np.zeros(np.shape(x))
    hat, inverse = normalized(x, eps, centered)
    _curvature(out, float64(h), float64(p), float64(hat), inverse, centered)
    return out


def running(x: Array, running_mean: Array, running_var: Array, momentum: float, count: int) -> tuple[Array, Array]:
    """``(1 − m)·old + m·new`` with the mean, and the variance times ``n/(n − 1)``, of each row. old: (rows,).

    Source: torch.nn.BatchNorm2d. x: (rows, elements); count: n.
    """
    mean, variance = (moment.reshape(-1) for moment in moments(x))
    unbiased = variance * count / (count - 1)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * unbiased


def by_size(x: Array, p: float, divisor: float, eps: float = 0.0) -> Array:
    """``x/s`` with ``s = (Σ|x|^p/D + ε)^{1/p}`` of each row. x: (rows, elements); p: 1 or 2.

    Source: torch.nn.functional.normalize, but that ε is added, not the least that s may be.

    >>> by_size(np.array([[3.0, -4.0]]), 2.0, 1.0), by_size(np.array([[1.0, -3.0]]), 1.0, 2.0)
    (array([[ 0.6, -0.8]]), array([[ 0.5, -1.5]]))
    """
    return float64(x) * inverse_size(x, p, divisor, eps)


def by_size_gradient(g: Array, x: Array, p: float, divisor: float, eps: float = 0.0) -> Array:
    """``g/s − x·|x|^{p−2}·Σ(g·x)/(D·s^{p+1})`` of each row. g, x: (rows, elements).

    >>> by_size_gradient(np.array([[1.0, 0.0]]), np.array([[3.0, 4.0]]), 2.0, 1.0)
    array([[ 0.128, -0.096]])
    """
    out = np.zeros(np.shape(x))
    _by_size_gradient(out, float64(g), float64(x), inverse_size(x, p, divisor, eps), p, divisor)
    return out


def inverse_size(x: Array, p: float, divisor: float, eps: float = 0.0) -> Array:
    """``(Σ|x|^p/D + ε)^{−1/p}`` of each row, infinite where that is zero. x: (rows, elements). Returns (rows, 1)."""
    totals = np.zeros((len(x), 1))
    _powers(totals, float64(x), p)
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / (totals / divisor + eps) ** (1.0 / p))


@njit(cache=True)
def _powers(totals, x, p):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            totals[n, 0] += abs(x[n, i]) if p == 1.0 else x[n, i] * x[n, i]


@njit(cache=True)
def _by_size_gradient(out, g, x, inverse, p, divisor):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        along = 0.0
        for i in range(x.shape[1]):
            along += g[n, i] * x[n, i]
        along *= inverse[n, 0] ** (p + 1.0) / divisor
        for i in range(x.shape[1]):
            out[n, i] = g[n, i] * inverse[n, 0] - along * (np.sign(x[n, i]) if p == 1.0 else x[n, i])


@njit(cache=True)
def _moments(mean, variance, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        total = 0.0
        for i in range(x.shape[1]):
            total += x[n, i]
        mean[n, 0] = total / x.shape[1]
        total = 0.0
        for i in range(x.shape[1]):
            total += (x[n, i] - mean[n, 0]) * (x[n, i] - mean[n, 0])
        variance[n, 0] = total / x.shape[1]


@njit(cache=True)
def _mean_square(squares, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        total = 0.0
        for i in range(x.shape[1]):
            total += x[n, i] * x[n, i]
        squares[n, 0] = total / x.shape[1]


@njit(cache=True)
def _gradient(out, h, hat, inverse, centered):  # type: ignore[no-untyped-def]
    for n in range(h.shape[0]):
        total, along = 0.0, 0.0
        for i in range(h.shape[1]):
            total += h[n, i]
            along += h[n, i] * hat[n, i]
        mean = total / h.shape[1] if centered else 0.0
        for i in range(h.shape[1]):
            out[n, i] = inverse[n, 0] * (h[n, i] - mean - hat[n, i] * (along / h.shape[1]))


@njit(cache=True)
def _curvature(out, h, p, hat, inverse, centered):  # type: ignore[no-untyped-def]
    for n in range(h.shape[0]):
        of_h, of_p, of_both, h_along, p_along = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(h.shape[1]):
            of_h += h[n, i] / h.shape[1] if centered else 0.0
            of_p += p[n, i] / h.shape[1] if centered else 0.0
            of_both += h[n, i] * p[n, i] / h.shape[1]
            h_along += h[n, i] * hat[n, i] / h.shape[1]
            p_along += p[n, i] * hat[n, i] / h.shape[1]
        along = of_both - of_h * of_p - 3.0 * h_along * p_along
        for i in range(h.shape[1]):
            across = p_along * (h[n, i] - of_h) + h_along * (p[n, i] - of_p)
            out[n, i] = -inverse[n, 0] * inverse[n, 0] * (hat[n, i] * along + across)


def local_response_norm(x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    """``y_c = x_c·D_c^{−β}``, ``D_c = k + α/s·Σ x_j²`` over the s channels j from ``c − ⌊s/2⌋`` on that there are.

    x: (N, C, *). Source: torch.nn.LocalResponseNorm, which says of an odd size ``c − s/2 … c + s/2``, and takes of an
    even one the channel before more.

    >>> local_response_norm(np.array([[[1.0], [2.0]]]), 3, 3.0, 1.0, 0.0).reshape(-1)
    array([0.2, 0.4])
    """
    return np.asarray(float64(x) * response(x, size, alpha, k) ** -beta)


def local_response_gradient(
    g: Array, x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """``∂x_j = g_j·D_j^{−β} − 2αβ/s·x_j·Σ g_c·x_c·D_c^{−β−1}`` over the channels c whose sum j is in.

    >>> local_response_gradient(np.array([[[1.0]]]), np.array([[[2.0]]]), 1, 1.0, 1.0, 0.0)
    array([[[-0.25]]])
    """
    divisor = response(x, size, alpha, k)
    along = across_channels(g * x * divisor ** (-beta - 1.0), size, adjoint=True)
    return np.asarray(g * divisor**-beta - 2.0 * alpha * beta / size * x * along)


def local_response_second(
    h: Array, g: Array, x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> tuple[Array, Array]:
    """The gradients of ``S = ⟨h, ∂x⟩``; with ``a = 2αβ/s``, A the sum over a window and ``u = A(h·x)``

    ``∂g = h·D^{−β} − a·x·D^{−β−1}·u`` and ``∂x = 2α(β+1)/s·a·x·Aᵀ(g·x·D^{−β−2}·u) − a·(x·Aᵀ(g·h·D^{−β−1}) +
    g·D^{−β−1}·u + h·Aᵀ(g·x·D^{−β−1}))``.

    >>> one = np.ones((1, 1, 1))
    >>> local_response_second(one, one, 2.0 * one, 1, 1.0, 1.0, 0.0)
    (array([[[-0.25]]]), array([[[0.25]]]))
    """
    d, a = response(x, size, alpha, k), 2.0 * alpha * beta / size
    along, once = across_channels(h * x, size), d ** (-beta - 1.0)
    back = [
        across_channels(v, size, adjoint=True) for v in (g * h * once, g * x * once, g * x * d ** (-beta - 2) * along)
    ]
    to_input = 2.0 * alpha * (beta + 1.0) / size * a * x * back[2] - a * (x * back[0] + g * once * along + h * back[1])
    return np.asarray(h * d**-beta - a * x * once * along), np.asarray(to_input)


def response(x: Array, size: int, alpha: float, k: float) -> Array:
    """``D = k + α/s·Σ x²`` of each element. x: (N, C, *)."""
    return k + alpha / size * across_channels(np.square(x), size)


def across_channels(x: Array, size: int, adjoint: bool = False) -> Array:
    """The sum of the ``size`` channels from ``c − ⌊size/2⌋`` on that there are; or of those whose sum c is in.

    >>> across_channels(np.array([[[1.0], [2.0], [4.0]]]), 2).reshape(-1)
    array([1., 3., 6.])
    """
    shape = np.shape(x)
    planes = float64(x).reshape(shape[0], shape[1], math.prod(shape[2:]))
    y = np.zeros(planes.shape)
    _across_channels(y, planes, size, (size - 1) // 2 if adjoint else size // 2)
    return y.reshape(shape)


@njit(cache=True)
def _across_channels(y, x, size, before):  # type: ignore[no-untyped-def]
    for n, c, i in np.ndindex(y.shape):
        for at in range(c - before, c - before + size):
            if 0 <= at < x.shape[1]:
                y[n, c, i] += x[n, at, i]

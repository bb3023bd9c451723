"""Gradients of cross-entropy whose target is class probabilities, which are a function's values like the logits.

With ``y = log softmax(logits)``, ``P = e^y``, ``b[c] = weight[c]·(1 − s)`` and ``a[n,c] = b[c]·t[n,c] +
weight[c]·s/C`` (:mod:`refimpl.targets`) the loss of a row is ``ℓ_n = −Σ_c a[n,c]·y[n,c]``. Shapes: logits, target, and
directions for either, (N, C, *spatial) or (C,); cotangents as the loss. D is the number of rows where reduction is
"mean", else 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refimpl.activation import log_softmax
from refimpl.arrays import Array, float64
from refimpl.loss import reduced, shares_of
from refimpl.targets import rows_of, unrowed, weighted_target


def cross_entropy_target_gradient(
    logits: Array,
    target: Array,
    cotangent: Array | float = 1.0,
    weight: Array | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """``∂t[n,c] = −(cotangent_n / D) · b[c] · y[n,c]``, in the shape of target.

    Raises ValueError where shapes do not fit. Source: torch.nn.CrossEntropyLoss, whose second form of a target is
    differentiable like any other operand.

    >>> cross_entropy_target_gradient(np.zeros((1, 2)), np.array([[0.25, 0.75]]), 3.0) / np.log(2)
    array([[3., 3.]])
    """
    shape = np.shape(logits)
    gradient = log_softmax(rows_of(logits))
    shares = shares_of(shape, target, cotangent, weight, -100, reduction)
    _times_shares(gradient, shares, of_classes(gradient.shape[1], weight, label_smoothing))
    return unrowed(gradient, shape)


def cross_entropy_soft_second(
    h: Array,
    k: Array,
    g: Array | float,
    logits: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Array, Array, Array]:
    """Gradients of ``⟨h, ∂logits⟩ + ⟨k, ∂t⟩`` to the loss's cotangent g, to logits and to target.

    With ``v[n,c] = h[n,c] − Σ_j h[n,j]·P[n,j]``, ``A_n = Σ_c a[n,c]`` and ``f[n,c] = b[c]·k[n,c]``:
    ``∂g_n = −Σ_c (a[n,c]·v[n,c] + f[n,c]·y[n,c]) / D``, summed over n too where g is one number;
    ``∂logits[n,i] = (g_n/D)·(A_n·P[n,i]·v[n,i] − f[n,i] + P[n,i]·Σ_c f[n,c])``; ``∂t[n,c] = −(g_n/D)·b[c]·v[n,c]``.

    >>> zeros, one = np.zeros((1, 2)), np.array([[1.0, 0.0]])
    >>> cross_entropy_soft_second(4 * one, zeros, 2.0, zeros, one)
    (array(-2.), array([[ 2., -2.]]), array([[-4.,  4.]]))
    """
    shape = np.shape(logits)
    y = log_softmax(rows_of(logits))
    a, b = (
        weighted_target(shape, target, weight, -100, label_smoothing),
        of_classes(y.shape[1], weight, label_smoothing),
    )
    losses, to_logits, to_target = np.zeros(len(y)), np.zeros(y.shape), np.zeros(y.shape)
    shares = shares_of(shape, target, g, weight, -100, reduction)
    _second(losses, to_logits, to_target, rows_of(h), rows_of(k), y, a, b, shares)
    to_g = reduced(losses, shape, target, weight, -100, reduction)
    return to_g, unrowed(to_logits, shape), unrowed(to_target, shape)


def of_classes(count: int, weight: Array | None, label_smoothing: float) -> Array:
    """b: ``weight[c]·(1 − s)`` of each class, what a probability counts for."""
    weights = np.ones(count) if weight is None else float64(weight)
    return weights * (1.0 - label_smoothing)


@njit(cache=True)
def _times_shares(y, shares, b):  # type: ignore[no-untyped-def]
    for n, c in np.ndindex(y.shape):
        y[n, c] *= -shares[n] * b[c]


@njit(cache=True)
def _second(losses, to_logits, to_target, h, k, y, a, b, shares):  # type: ignore[no-untyped-def]
    for n in range(y.shape[0]):
        mean, mass, mixed = 0.0, 0.0, 0.0
        for c in range(y.shape[1]):
            mean += h[n, c] * np.exp(y[n, c])
            mass += a[n, c]
            mixed += b[c] * k[n, c]
        for c in range(y.shape[1]):
            probability, v, f = np.exp(y[n, c]), h[n, c] - mean, b[c] * k[n, c]
            losses[n] -= a[n, c] * v + f * y[n, c]
            to_logits[n, c] = shares[n] * (mass * probability * v - f + probability * mixed)
            to_target[n, c] = -shares[n] * b[c] * v

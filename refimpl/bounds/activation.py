"""Activations with their errors."""

from __future__ import annotations

import numpy as np

from refimpl import activation
from refimpl.bounds.common import with_error_of
from refimpl.rounding import Computed


def sigmoid(x: Computed) -> Computed:
    """``1 / (1 + e^{−x})`` or ``e^x / (1 + e^x)``: ``s·((1−s)·ε + 3u)`` for an exact x, ε = 4u the error of exp.

    Either form damps the error of exp by ``1 − s``; a sum and a quotient add 2u, and the third u covers terms of
    second order. An error e_x of x enters as ``e_x·max σ'``, where ``σ' ≤ 1/4`` and, within e_x of x,
    ``σ' ≤ s(1−s)·e^{e_x}``. Where e^{−x} overflows, s is below η.
    """
    s, u = activation.sigmoid(x.value), x.precision.unit_roundoff
    slope = np.minimum(s * activation.sigmoid(-x.value) * np.exp(np.minimum(x.off, 1.0)), 0.25)
    off = np.where(x.off > 1.0, 0.25, slope) * x.off
    rounding = (activation.sigmoid(-x.value) * 4.0 + 3.0) * u * (s + off)
    return Computed(s, x.format, off + rounding + x.precision.underflow).stored()


def sigmoid_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """``g · ((1 − s)·s)`` from the computed s, as autograd keeps it: near s = 1 the error is of order u·|g|."""
    s = sigmoid(x)
    computed = cotangent * ((Computed.operand(1.0, x.format) - s) * s)
    return (with_error_of(activation.sigmoid_gradient(cotangent.value, x.value), computed),)


def softmax(x: Computed) -> Computed:
    """``e^{x_i−m} / Σ_j e^{x_j−m}`` over the last axis, m the largest.

    The shift is off by ``u·|x_i − m|``, which exp turns into a relative error of that size; the quotient may be a
    product with the rounded reciprocal, hence one rounding more.
    """
    powers = _shifted(x).exp()
    one = Computed.operand(1.0, x.format)
    computed = powers * (one / powers.sum(axis=-1, keepdims=True))
    return with_error_of(activation.softmax(x.value), computed)


def softmax_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """``y·g − y·Σ_j g_j·y_j``, which bounds ``y·(g − Σ_j g_j·y_j)`` as well."""
    y = softmax(x)
    weighted = y * cotangent
    computed = weighted - y * weighted.sum(axis=-1, keepdims=True)
    return (with_error_of(activation.softmax_gradient(cotangent.value, x.value), computed),)


def log_softmax(x: Computed) -> Computed:
    """``(x_i − m) − log Σ_j e^{x_j−m}`` over the last axis, m the largest."""
    shifted = _shifted(x)
    computed = shifted - shifted.exp().sum(axis=-1, keepdims=True).log()
    return with_error_of(activation.log_softmax(x.value), computed)


def log_softmax_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """``g_i − e^{y_i}·Σ_j g_j`` from the computed log-softmax y, as autograd keeps it."""
    computed = cotangent - log_softmax(x).exp() * cotangent.sum(axis=-1, keepdims=True)
    return (with_error_of(activation.log_softmax_gradient(cotangent.value, x.value), computed),)


def _shifted(x: Computed) -> Computed:
    largest = Computed(x.value.max(-1, keepdims=True), x.format, x.off.max(-1, keepdims=True))
    return x - largest

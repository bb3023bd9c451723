"""Activations with their errors."""

from __future__ import annotations

import numpy as np

from refimpl import activation
from refimpl.bounds.common import product, with_error_of
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
    """``g·(1 − s)·s`` from the computed s, as autograd keeps it: near s = 1 the error is of order u·|g|.

    In any order: in float16, 28·2⁻²⁴ times 1 − s is rounded to 10·2⁻²⁴, and times s to 7·2⁻²⁴, not 6.29.

    >>> from refimpl.rounding import FLOAT16, Format
    >>> g, x = (Computed.operand(v, Format(FLOAT16, FLOAT16)) for v in (28 * 2.0**-24, 0.65869140625))
    >>> (gradient,) = sigmoid_gradients(g, x)
    >>> bool(abs(7 * 2.0**-24 - gradient.value) <= gradient.off)
    True
    """
    s = sigmoid(x)
    computed = product(cotangent, Computed.operand(1.0, x.format) - s, s, stored=False)
    return (with_error_of(activation.sigmoid_gradient(cotangent.value, x.value), computed),)


def sigmoid_second(h: Computed, g: Computed, x: Computed) -> tuple[Computed, Computed]:
    """``h·(1 − s)·s`` and ``h·g·(1 − 2s)·(1 − s)·s`` from the computed s, stored step by step."""
    s, one = sigmoid(x), Computed.operand(1.0, x.format)
    rest, bend = (one - s).stored(), (one - s.map(lambda a: 2.0 * a)).stored()
    values = activation.sigmoid_second(h.value, g.value, x.value)
    to_cotangent, to_input = product(h, rest, s), product(h, g, bend, rest, s)
    return with_error_of(values[0], to_cotangent), with_error_of(values[1], to_input)


def tanh(x: Computed) -> Computed:
    """``tanh x̂ − tanh x`` is at most ``e_x·max tanh'``; a library's tanh is taken to be within ε = 4u (2 ulp).

    ``tanh' ≤ 1`` and, within e_x of x, ``tanh' ≤ (1 − tanh²x)·e^{2e_x}``, since ``|(log tanh')'| = 2·|tanh| ≤ 2``.
    """
    t = activation.tanh(x.value)
    slope = activation.tanh_gradient(np.ones(x.shape), x.value) * np.exp(2.0 * np.minimum(x.off, 1.0))
    off = np.where(x.off > 1.0, 1.0, np.minimum(slope, 1.0)) * x.off
    rounding = 4.0 * x.precision.unit_roundoff * (np.abs(t) + off) + x.precision.underflow
    return Computed(t, x.format, off + rounding).stored()


def tanh_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """``g·(1 − t²)`` from the computed t, as autograd keeps it: near |t| = 1 the error is of order u·|g|."""
    computed = cotangent * _tanh_slope(x)
    return (with_error_of(activation.tanh_gradient(cotangent.value, x.value), computed),)


def tanh_second(h: Computed, g: Computed, x: Computed) -> tuple[Computed, Computed]:
    """``h·(1 − t²)`` and ``(−2·t·h·g)·(1 − t²)`` from the computed t, stored step by step."""
    slope = _tanh_slope(x).stored()
    to_input = product(tanh(x).map(lambda a: 2.0 * a), h, g, slope)
    values = activation.tanh_second(h.value, g.value, x.value)
    return with_error_of(values[0], h * slope), with_error_of(values[1], to_input)


def relu(x: Computed) -> Computed:
    """``|max(x̂, 0) − max(x, 0)| ≤ e_x``, and at most ``x + e_x``: a comparison, no rounding.

    The loops' own x is off by e_x at most, too, hence twice that.
    """
    if x.error is None:
        return x.map(activation.relu)
    return Computed(activation.relu(x.value), x.format, np.clip(x.value + 2.0 * x.error, 0.0, x.error))


def relu_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """The cotangent or zero: no rounding. Where errors of x, or of the loops' x, may change its sign, all of it."""
    if x.error is None:
        return (cotangent.map(lambda g: activation.relu_gradient(g, x.value)),)
    turns = (np.abs(x.value) <= 2.0 * x.error) & (x.error > 0.0)
    off = np.where(turns, cotangent.reach, activation.relu_gradient(cotangent.off, x.value))
    return (Computed(activation.relu_gradient(cotangent.value, x.value), x.format, off),)


def relu_second(h: Computed, g: Computed, x: Computed) -> tuple[Computed, Computed]:
    """To g the elements of h where x > 0, to x nothing: the slope is constant on either side of zero."""
    return relu_gradients(h, x)[0], Computed.operand(np.zeros(x.shape), x.format)


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


def softmax_second(h: Computed, g: Computed, x: Computed) -> tuple[Computed, Computed]:
    """``J·h`` and ``J·∂y`` with ``∂y = h·g − h·(g·y) − g·(h·y)`` from the computed y; every step is stored."""
    y = softmax(x)
    hy, gy = (_sum((v * y).stored()) for v in (h, g))
    to_y = (((h * g).stored() - (h * gy).stored()).stored() - (g * hy).stored()).stored()
    values = activation.softmax_second(h.value, g.value, x.value)
    return with_error_of(values[0], _through_softmax(h, y)), with_error_of(values[1], _through_softmax(to_y, y))


def log_softmax(x: Computed) -> Computed:
    """``(x_i − m) − log Σ_j e^{x_j−m}`` over the last axis, m the largest."""
    shifted = _shifted(x)
    computed = shifted - shifted.exp().sum(axis=-1, keepdims=True).log()
    return with_error_of(activation.log_softmax(x.value), computed)


def log_softmax_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """``g_i − e^{y_i}·Σ_j g_j`` from the computed log-softmax y, as autograd keeps it."""
    computed = cotangent - log_softmax(x).exp() * cotangent.sum(axis=-1, keepdims=True)
    return (with_error_of(activation.log_softmax_gradient(cotangent.value, x.value), computed),)


def log_softmax_second(h: Computed, g: Computed, x: Computed) -> tuple[Computed, Computed]:
    """``h − Σ_j h_j·P_j`` and ``∂y − P·Σ_j ∂y_j`` with ``∂y = −(Σ_j g_j)·P·h``.

    ``P = e^y`` is from the computed log-softmax y.
    """
    softmaxed = log_softmax(x).exp().stored()
    weighted = (h * softmaxed).stored()
    to_y = product(h, softmaxed, _sum(-g))
    values = activation.log_softmax_second(h.value, g.value, x.value)
    return with_error_of(values[0], h - _sum(weighted)), with_error_of(
        values[1], to_y - (softmaxed * _sum(to_y)).stored()
    )


def _tanh_slope(x: Computed) -> Computed:
    """``1 − t²`` from the computed t."""
    t = tanh(x)
    return Computed.operand(1.0, x.format) - (t * t).stored()


def _through_softmax(v: Computed, y: Computed) -> Computed:
    """``v·y − y·Σ_j v_j·y_j``, which bounds ``y·(v − Σ_j v_j·y_j)`` as well."""
    weighted = (v * y).stored()
    return weighted - (y * _sum(weighted)).stored()


def _sum(v: Computed) -> Computed:
    return v.sum(axis=-1, keepdims=True).stored()


def _shifted(x: Computed) -> Computed:
    largest = Computed(x.value.max(-1, keepdims=True), x.format, x.off.max(-1, keepdims=True))
    return x - largest

"""The layers as a machine computes them: each loop's value together with a bound on the error of one precision.

Every function takes and returns :class:`~refimpl.rounding.Computed`, so bounds compose: LeNet's training step is
bounded by running it on these (see :data:`refimpl.lenet.COMPUTED`). With exact operands they reduce to the
textbook bounds, e.g. ``γ_{n+1}·(op(|x|,|w|) + |b|)`` for a convolution.

Magnitudes come from the same loops on absolute values, and the number of terms n of each sum from the same loops
on ones, so that a bound is tight element by element: at a border fewer taps are summed. Each layer ends by storing its
result; what autograd keeps for the backward pass is the stored result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from refimpl import activation, convolution, dense, loss, optimizer, pooling
from refimpl.arrays import Array, Axes
from refimpl.geometry import per_axis
from refimpl.rounding import Computed, gamma


def bilinear(product: Callable[..., Array], x: Computed, w: Computed, bias: Computed | None = None) -> Computed:
    """A sum of products ``y = product(x, w, bias)``, its n terms added in any order, with or without FMA.

    Each of the n products meets one rounding of its own and at most n additions (the bias counts as a term), so
    the rounding error is at most ``γ_{n+1}·product(|x̂|, |ŵ|, |bias|)`` (Higham, §3.1), and each product may
    underflow by η. Operands that may be rounded to a narrower format first, with roundoff t, put each product off by
    δ = 2t + t² of itself more: ``δ·(1 + γ_{n+1})``.
    Errors of the operands enter as ``product(e_x, |ŵ|) + product(|x|, e_w) + e_bias``.
    ``product`` takes two arrays, and a third where there is a bias.
    """
    terms = product(np.ones(x.shape), np.ones(w.shape))
    value = product(x.value, w.value, *(() if bias is None else (bias.value,)))
    off = np.zeros(value.shape)
    if x.error is not None:
        off = off + product(x.error, w.reach)
    if w.error is not None:
        off = off + product(np.abs(x.value), w.error)
    if bias is not None and bias.error is not None:
        off = off + product(np.zeros(x.shape), np.zeros(w.shape), bias.error)
    magnitude = product(x.reach, w.reach, *(() if bias is None else (bias.reach,)))
    narrowed = x.format.products.unit_roundoff if x.format.products else 0.0
    summed = gamma(terms + 1, x.precision)
    rounding = (summed + (2 * narrowed + narrowed**2) * (1 + summed)) * magnitude + terms * x.precision.underflow
    return Computed(value, x.format, off + rounding).stored()


def cross_correlate(x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any) -> Computed:
    """:func:`refimpl.convolution.cross_correlate`: n valid taps × C_in/groups."""
    return bilinear(partial(convolution.cross_correlate, **arguments), x, weight, bias)


def convolve(x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any) -> Computed:
    """:func:`refimpl.convolution.convolve`, bounded like the cross-correlation that it mirrors."""
    return bilinear(partial(convolution.convolve, **arguments), x, weight, bias)


def convolution_gradients(
    cotangent: Computed, x: Computed, weight: Computed, bias: Computed | None = None, **arguments: Any
) -> tuple[Computed, ...]:
    """Gradients of a convolution to x, weight and, where there is one, bias.

    n is the number of taps that reach an element × C_out/groups for x, and batch × output positions for the others.
    """

    def to_x(g: Array, w: Array) -> Array:
        return convolution.input_gradient(g, x.shape, w, **arguments)

    def to_weight(g: Array, a: Array) -> Array:
        return convolution.weight_gradient(g, a, weight.shape, **arguments)

    gradients = (bilinear(to_x, cotangent, weight), bilinear(to_weight, cotangent, x))
    if bias is None:
        return gradients
    axes = len(weight.shape) - 2
    terms = convolution.bias_gradient(np.ones(cotangent.shape), axes)
    return (*gradients, cotangent.scattered(lambda g: convolution.bias_gradient(g, axes), terms).stored())


def linear(x: Computed, weight: Computed, bias: Computed | None = None) -> Computed:
    """:func:`refimpl.dense.linear`: n = in features."""
    return bilinear(dense.linear, x, weight, bias)


def linear_gradients(
    cotangent: Computed, x: Computed, weight: Computed, bias: Computed | None = None
) -> tuple[Computed, ...]:
    """Gradients of a linear layer to x (n = out features), weight and bias (n = rows)."""
    gradients = (
        bilinear(dense.linear_input_gradient, cotangent, weight),
        bilinear(dense.linear_weight_gradient, cotangent, x),
    )
    if bias is None:
        return gradients
    rows = int(np.prod(cotangent.shape[:-1]))
    return (*gradients, cotangent.scattered(dense.linear_bias_gradient, rows).stored())


def average_pool(x: Computed, kernel_size: Sequence[int], **arguments: Any) -> Computed:
    """:func:`refimpl.pooling.average_pool`: k terms and one division, or a product with the rounded 1/divisor.

    ``γ_{k+1}·avg(|x|)``: k − 1 additions and up to two roundings of the division, k the window's elements.
    """
    return _averaged(x, lambda a: pooling.average_pool(a, kernel_size, **arguments), int(np.prod(kernel_size)) + 1)


def average_pool_gradients(
    cotangent: Computed, x: Computed, kernel_size: Sequence[int], **arguments: Any
) -> tuple[Computed, ...]:
    """Gradient of average pooling: ``γ_{m+1}·adjoint(|g|)``, m the windows that can cover an element."""
    windows = int(np.prod(_covering(kernel_size, arguments.get("stride"))))

    def spread(g: Array) -> Array:
        return pooling.average_pool_gradient(g, x.shape, kernel_size, **arguments)

    return (_averaged(cotangent, spread, windows + 1),)


def max_pool(x: Computed, kernel_size: Sequence[int], **arguments: Any) -> tuple[Computed, Array]:
    """:func:`refimpl.pooling.max_pool`: comparisons do not round, so an exact x has exact maxima and indices."""
    if x.error is not None:
        raise ValueError("the index of a maximum among values with errors has no bound")
    values, indices = pooling.max_pool(x.value, kernel_size, **arguments)
    return Computed(values, x.format), indices


def max_pool_gradients(
    cotangent: Computed, x: Computed, kernel_size: Sequence[int], **arguments: Any
) -> tuple[Computed, ...]:
    """Gradient of max pooling: ``γ_m·adjoint(|g|)``, m the windows whose largest element this is."""
    indices = pooling.max_pool(x.value, kernel_size, **arguments)[1]

    def scatter(g: Array) -> Array:
        return pooling.max_pool_gradient(g, indices, x.shape, len(kernel_size))

    return (cotangent.scattered(scatter, scatter(np.ones(cotangent.shape))).stored(),)


def flatten(x: Computed, start_dim: int = 1) -> Computed:
    """:func:`refimpl.dense.flatten` moves elements and computes nothing."""
    return x.map(lambda a: dense.flatten(a, start_dim))


def flatten_gradients(cotangent: Computed, x: Computed, start_dim: int = 1) -> tuple[Computed, ...]:
    """The cotangent in the shape of x."""
    return (cotangent.map(lambda g: g.reshape(x.shape)),)


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
    return (_stored(activation.sigmoid_gradient(cotangent.value, x.value), computed),)


def softmax(x: Computed) -> Computed:
    """``e^{x_i−m} / Σ_j e^{x_j−m}`` over the last axis, m the largest.

    The shift is off by ``u·|x_i − m|``, which exp turns into a relative error of that size; the quotient may be a
    product with the rounded reciprocal, hence one rounding more.
    """
    powers = _shifted(x).exp()
    one = Computed.operand(1.0, x.format)
    computed = powers * (one / powers.sum(axis=-1, keepdims=True))
    return _stored(activation.softmax(x.value), computed)


def softmax_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """``y·g − y·Σ_j g_j·y_j``, which bounds ``y·(g − Σ_j g_j·y_j)`` as well."""
    y = softmax(x)
    weighted = y * cotangent
    computed = weighted - y * weighted.sum(axis=-1, keepdims=True)
    return (_stored(activation.softmax_gradient(cotangent.value, x.value), computed),)


def log_softmax(x: Computed) -> Computed:
    """``(x_i − m) − log Σ_j e^{x_j−m}`` over the last axis, m the largest."""
    shifted = _shifted(x)
    computed = shifted - shifted.exp().sum(axis=-1, keepdims=True).log()
    return _stored(activation.log_softmax(x.value), computed)


def log_softmax_gradients(cotangent: Computed, x: Computed) -> tuple[Computed, ...]:
    """``g_i − e^{y_i}·Σ_j g_j`` from the computed log-softmax y, as autograd keeps it."""
    computed = cotangent - log_softmax(x).exp() * cotangent.sum(axis=-1, keepdims=True)
    return (_stored(activation.log_softmax_gradient(cotangent.value, x.value), computed),)


def cross_entropy(logits: Computed, target: Array) -> Computed:
    """``−(1/N)·Σ_n y[n, target_n]`` with y the log-softmax."""
    picked = log_softmax(logits).map(lambda y: y[np.arange(len(target)), target])
    computed = picked.sum() / Computed.operand(float(len(target)), logits.format)
    return _stored(np.asarray(loss.cross_entropy(logits.value, target)), computed)


def cross_entropy_gradients(cotangent: Computed, logits: Computed, target: Array) -> tuple[Computed, ...]:
    """``e^{y_i}·(g/N) − [i = target]·(g/N)`` from the computed log-softmax y, as autograd keeps it."""
    rows, classes = logits.shape
    share = cotangent / Computed.operand(float(rows), logits.format)
    picked = Computed.operand(np.eye(classes)[target], logits.format)
    computed = log_softmax(logits).exp() * share - picked * share
    value = loss.cross_entropy_gradient(logits.value, target, float(cotangent.value))
    return (_stored(value, computed),)


def squared_error(y: Computed, target: Computed) -> Computed:
    """``Σ (y − target)²``."""
    off = y - target
    value = np.asarray(loss.squared_error(y.value, target.value))
    return _stored(value, (off * off).sum())


def squared_error_gradient(y: Computed, target: Computed) -> Computed:
    """``2·(y − target)``."""
    off = (y - target) * Computed.operand(2.0, y.format)
    return _stored(loss.squared_error_gradient(y.value, target.value), off)


def sgd_step(parameter: Computed, gradient: Computed, lr: float, weight_decay: float = 0.0) -> Computed:
    """``p − lr·(g + λp)``; lr and λ are rounded to the subject's precision first, one rounding each."""
    rate, decay = (_rounded_constant(value, parameter) for value in (lr, weight_decay))
    direction = (gradient + decay * parameter).stored() if weight_decay else gradient
    computed = parameter - rate * direction
    value = optimizer.sgd_step(parameter.value, gradient.value, lr, weight_decay=weight_decay)[0]
    return _stored(value, computed)


def _stored(value: Array, computed: Computed) -> Computed:
    """The loops' value with the error of the formula, as a subject keeps it."""
    return Computed(value, computed.format, computed.off).stored()


def _rounded_constant(value: float, like: Computed) -> Computed:
    return Computed(np.asarray(value), like.format, np.asarray(like.precision.unit_roundoff * abs(value)))


def _shifted(x: Computed) -> Computed:
    largest = Computed(x.value.max(-1, keepdims=True), x.format, x.off.max(-1, keepdims=True))
    return x - largest


def _averaged(x: Computed, average: Callable[[Array], Array], roundings: int) -> Computed:
    averaged = x.scattered(average, roundings)
    return Computed(averaged.value, x.format, averaged.off + x.precision.underflow * roundings).stored()


def _covering(kernel_size: Sequence[int], stride: Axes | None) -> list[int]:
    """Windows along each axis that can hold one element: ``⌈kernel / stride⌉``."""
    strides = per_axis(kernel_size if stride is None else stride, len(kernel_size))
    return [-(-k // s) for k, s in zip(kernel_size, strides, strict=True)]

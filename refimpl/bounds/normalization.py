"""Normalisation with its errors, for statistics that are formed in two passes or by Welford's recurrence alike.

With n elements of a row, M the largest of their sizes and e the error of the mean:

- a sum in any order is off by ``γ_n·Σ|x|``; Welford's ``μ_k = μ_{k−1} + (x_k − μ_{k−1})/k`` adds at most
  ``uM + 4uM/k`` in each step, of which k/n is left at the end: ``e = γ_{n+6}·M`` covers both;
- ``Σ(x − μ̂)²/n`` is ``v + e²``, and its sum is off by ``γ_{n+6}`` of itself. Welford's ``(x_k − μ_{k−1})·(x_k − μ_k)``
  is off by e times both factors, whose sizes have a mean of at most ``√(2v)``: ``3e·√v + e² + γ_{n+6}·(v + e²)``
  covers both. The difference of ``Σx²/n`` and ``μ²`` has an error of ``γ_n·μ²`` in place of it, and is no such form:
  that is what cancellation costs where the mean is large beside the deviation;
- ``(x − μ)·r·w + b`` may be formed as ``x·(r·w) + (b − μ·r·w)``: 4u of ``(|x| + |μ|)·r·|w|`` beside the error of the
  difference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl import normalization as loops
from refimpl.arrays import Array
from refimpl.bounds.common import covered, product, rounded_constant, with_error_of
from refimpl.bounds.pooling import averaged
from refimpl.double_backward import added
from refimpl.normalization import LAYERS as LAYERS
from refimpl.normalization import Rows
from refimpl.rounding import Computed, gamma, rounding_of

UNBOUNDED = np.errstate(invalid="ignore")
"""Of sums that are too long for a bound: infinite errors times zero, which :func:`covered` takes for infinite."""


@UNBOUNDED
def statistics(x: Computed, eps: float, centered: bool = True) -> tuple[Computed, Computed]:
    """Mean and ``1/√(v + ε)`` of each row, with their errors. x: (rows, elements)."""
    values, u = x.value, x.precision.unit_roundoff
    n = max(values.shape[1], 1)
    if centered:
        mean, variance = loops.moments(values)
        largest = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
        off = gamma(n + 6, x.precision) * largest
    else:
        mean, variance = np.zeros((len(values), 1)), loops.mean_square(values)
        off = np.zeros(mean.shape)
    spread = 3.0 * off * np.sqrt(variance) + off**2 + gamma(n + 6, x.precision) * (variance + off**2)
    spread = spread + x.precision.underflow
    low, high = np.maximum(variance - spread, 0.0) + eps, variance + spread + eps
    value = 1.0 / np.sqrt(variance + eps)
    # The rounded sum, root and quotient: 4u, and as much for a library's reciprocal root.
    with np.errstate(divide="ignore"):
        error = np.maximum(1.0 / np.sqrt(low) - value, value - 1.0 / np.sqrt(high)) + 8.0 * u / np.sqrt(low)
    return Computed(mean, x.format, off), Computed(value, x.format, error)


def given_statistics(mean: Computed, variance: Computed, eps: float) -> tuple[Computed, Computed]:
    """A given mean, and ``1/√(v + ε)`` of a given variance, with its rounding. mean, variance: (rows,)."""
    inverse = 1.0 / np.sqrt(variance.value[:, None] + eps)
    return mean.map(lambda values: values[:, None]), Computed(
        inverse, mean.format, 8.0 * mean.precision.unit_roundoff * inverse
    )


@UNBOUNDED
def running(x: Computed, mean: Computed, variance: Computed, momentum: float) -> tuple[Computed, Computed]:
    """``(1 − m)·old + m·new``, four roundings each, beside the errors of the new ones. x: (rows, elements)."""
    n, u = x.shape[1], x.precision.unit_roundoff
    new, spread = loops.moments(x.value)
    off = gamma(n + 6, x.precision) * np.abs(x.value).max(axis=1, keepdims=True, initial=0.0)
    wide = 3.0 * off * np.sqrt(spread) + off**2 + gamma(n + 10, x.precision) * (spread + off**2)
    values = loops.running(x.value, mean.value, variance.value, momentum, n)
    found = []
    for old, fresh, error, value in (
        (mean, new, off, values[0]),
        (variance, spread * n / (n - 1), wide * 2, values[1]),
    ):
        fresh, error = fresh.reshape(-1), error.reshape(-1)
        size = (1 - momentum) * np.abs(old.value) + momentum * (np.abs(fresh) + error)
        off = momentum * error + 4.0 * u * size + x.precision.underflow
        found.append(covered(Computed(value, x.format, off).stored()))
    return found[0], found[1]


@UNBOUNDED
def hat_of(x: Computed, mean: Computed, inverse: Computed) -> tuple[Computed, Array]:
    """``x̂`` with its error, and the size ``(|x| + |μ|)·r`` of the terms that it may be the difference of."""
    value = (x.value - mean.value) * inverse.value
    size = (np.abs(x.value) + mean.reach) * inverse.reach
    off = mean.off * inverse.reach + np.abs(x.value - mean.value) * inverse.off + 5.0 * x.precision.unit_roundoff * size
    return Computed(value, x.format, off), size


@UNBOUNDED
def _affine(
    x: Computed, rows: Rows, mean: Computed, inverse: Computed, weight: Computed | None, bias: Computed | None
) -> Computed:
    """``x̂·w + b`` from statistics of each row, in the input's shape: two roundings more."""
    hat, size = hat_of(x.map(rows.rows), mean, inverse)
    w = np.ones(hat.shape) if weight is None else rows.spread(weight.value)
    b = np.zeros(hat.shape) if bias is None else rows.spread(bias.value)
    u = x.precision.unit_roundoff
    off = hat.off * np.abs(w) + 3.0 * u * (size * np.abs(w) + np.abs(b)) + 2.0 * x.precision.underflow
    return turned_back(Computed(hat.value * w + b, x.format, off), rows, x)


def forward(
    x: Computed, rows: Rows, eps: float, weight: Computed | None = None, bias: Computed | None = None, *,
    centered: bool = True,
) -> Computed:  # fmt: skip
    """``x̂·w + b`` from the row's own statistics."""
    return _affine(x, rows, *statistics(x.map(rows.rows), eps, centered), weight, bias)


@UNBOUNDED
def gradients(
    g: Computed, x: Computed, rows: Rows, eps: float, weight: Computed | None = None, bias: Computed | None = None, *,
    centered: bool = True, given: tuple[Computed, Computed] | None = None,
) -> tuple[Computed, ...]:  # fmt: skip
    """``r·(h − Σh/n − x̂·Σ(h·x̂)/n)``, ``Σg·x̂`` and ``Σg`` from the kept statistics, which may be stored.

    Products with x̂ may be formed as differences of those with x and with μ, hence their sizes.
    """
    turned, h = x.map(rows.rows), g.map(rows.rows)
    n, u = max(turned.shape[1], 1), x.precision.unit_roundoff
    mean, inverse = given or (part.stored() for part in statistics(turned, eps, centered))
    hat, size = hat_of(turned, mean, inverse)
    w = np.ones(hat.shape) if weight is None else rows.spread(weight.value)
    weighted = np.abs(h.value * w)
    along = (h.value * w * hat.value).mean(axis=1, keepdims=True)
    along_off = (weighted * hat.off).mean(axis=1, keepdims=True) + _rounding(weighted * size, n + 8, x)
    total_off = _rounding(weighted, n + 8, x) if centered else np.zeros(along.shape)
    inner = loops.gradient(h.value * w, turned.value, eps, centered) / inverse.value
    reach = weighted + weighted.mean(axis=1, keepdims=True) + size * (np.abs(along) + along_off)
    off = total_off + size * along_off + hat.off * np.abs(along) + 8.0 * u * reach
    off = inverse.reach * off + np.abs(inner) * inverse.off + x.precision.underflow
    if given:  # a constant scale
        scaled = h.value * w * inverse.value
        inner, off = scaled / inverse.value, weighted * inverse.off + 4.0 * u * np.abs(scaled) + x.precision.underflow
    found = [turned_back(Computed(inner * inverse.value, x.format, off), rows, x)]
    if weight is not None:
        terms = np.abs(h.value)
        many = terms.size // max(weight.value.size, 1)
        off = rows.summed(terms * hat.off, weight.shape)
        off = off + rounding_of(rows.summed(terms * size, weight.shape), many + 6, x.precision)
        value = rows.summed(h.value * hat.value, weight.shape)
        found.append(covered(Computed(value, x.format, off + many * x.precision.underflow).stored()))
    if bias is not None:
        many = h.value.size // max(bias.value.size, 1)
        off = rounding_of(rows.summed(np.abs(h.value), bias.shape), many, x.precision)
        found.append(Computed(rows.summed(h.value, bias.shape), x.format, off).stored())
    return tuple(found)


def turned_back(computed: Computed, rows: Rows, x: Computed) -> Computed:
    """Rows in the input's shape, stored; without a bound where sums are too long for one."""
    return covered(computed.map(lambda values: rows.back(values, x.shape)).stored())


def _rounding(terms: Array, n: int, x: Computed) -> Array:
    """What the mean of a row's terms is off by, in any order."""
    return rounding_of(terms.mean(axis=1, keepdims=True), n, x.precision) + x.precision.underflow


def layer(name: str, x: Computed, *affine: Computed, eps: float, **how: Any) -> Computed:
    """One of :data:`~refimpl.normalization.LAYERS`."""
    arranged, centered = LAYERS[name]
    return forward(x, arranged(x.shape, **how), eps, *affine, centered=centered)


def layer_gradients(
    name: str, g: Computed, x: Computed, *affine: Computed, eps: float, **how: Any
) -> tuple[Computed, ...]:
    """Its gradients."""
    arranged, centered = LAYERS[name]
    return gradients(g, x, arranged(x.shape, **how), eps, *affine, centered=centered)


def batch_norm(
    x: Computed, *affine: Computed, training: bool, momentum: float, eps: float, running_mean: Array, running_var: Array
) -> tuple[Computed, ...]:
    """Output and running statistics: of the batch's own statistics in training, else of the running ones."""
    rows, turned = Rows.of_batch(x.shape), x.map(Rows.of_batch(x.shape).rows)
    mean, var = (Computed.operand(values, x.format) for values in (running_mean, running_var))
    used = statistics(turned, eps) if training else given_statistics(mean, var, eps)
    output = _affine(x, rows, *used, *(affine or (None, None)))
    return output, *(running(turned, mean, var, momentum) if training else (mean, var))


def batch_norm_gradients(
    g: Computed, x: Computed, *affine: Computed, training: bool, momentum: float, eps: float, running_mean: Array,
    running_var: Array,
) -> tuple[Computed, ...]:  # fmt: skip
    """To the input, the weight and the bias."""
    mean, var = (Computed.operand(values, x.format) for values in (running_mean, running_var))
    given = None if training else given_statistics(mean, var, eps)
    return gradients(g, x, Rows.of_batch(x.shape), eps, *affine, given=given)


def by_size(x: Computed, p: float, divisor: float, eps: float = 0.0) -> Computed:
    """``x·(1/s)``, operation by operation, each result stored or not. x: (rows, elements)."""
    return with_error_of(loops.by_size(x.value, p, divisor, eps), product(x, _inverse_size(x, p, divisor, eps)))


def by_size_gradients(g: Computed, x: Computed, p: float, divisor: float, eps: float = 0.0) -> tuple[Computed, ...]:
    """``g·(1/s)`` less a product of ``Σ(g·x·(1/s)²)/D`` and, for p = 2, ``x·(1/s)``, or, for p = 1, the sign of x.

    Its terms may be formed in any order, and the second one be added in two halves.
    """
    inverse = _inverse_size(x, p, divisor, eps)
    along = _by(product(g, x, inverse, inverse).sum(axis=1, keepdims=True).stored(), divisor)
    through = product(along, x.map(np.sign)) if p == 1.0 else product(along, x, inverse)
    half = through.map(lambda values: 0.5 * values)
    computed = ((product(g, inverse) - half).stored() - half).stored()
    return (with_error_of(loops.by_size_gradient(g.value, x.value, p, divisor, eps), computed),)


def _inverse_size(x: Computed, p: float, divisor: float, eps: float) -> Computed:
    powers = x.map(np.abs) if p == 1.0 else (x * x).stored()
    mean = _by(powers.sum(axis=1, keepdims=True).stored(), divisor)
    moved = (mean + rounded_constant(eps, x)).stored() if eps else mean
    root = moved if p == 1.0 else moved.pow(0.5).stored()
    with np.errstate(divide="ignore"):
        return (Computed.operand(1.0, x.format) / root).stored()


def _by(x: Computed, divisor: float) -> Computed:
    """A quotient by an integer, perhaps a product with its reciprocal."""
    share = (Computed.operand(1.0, x.format) / Computed.operand(divisor, x.format)).stored()
    return x if divisor == 1.0 else product(x, share)


def local_response_norm(x: Computed, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Computed:
    """``x / D^β`` with ``D = k + α·(Σ x²/s)``, operation by operation, each result stored."""
    computed = (x / _response(x, size, alpha, k).pow(beta).stored()).stored()
    return with_error_of(loops.local_response_norm(x.value, size, alpha, beta, k), computed)


def local_response_norm_gradients(
    g: Computed, x: Computed, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> tuple[Computed, ...]:
    """``g/D^β`` less ``α/s·x·Σ (g·x/D^β/D^β)·β·D^{β−1}``, added twice, operation by operation, each result stored.

    The sum has at most s terms, and a division; its terms may be formed in any order.
    """
    divisor = _response(x, size, alpha, k)
    power, slope = divisor.pow(beta).stored(), divisor.pow(beta - 1.0).stored()
    inverse = (Computed.operand(1.0, x.format) / power).stored()
    constants = (rounded_constant(value, x) for value in (alpha, beta))
    terms = product(g, x, inverse, inverse, slope, *constants)
    along = averaged(terms, lambda a: loops.across_channels(a, size, adjoint=True) / size, size + 1)
    through = product(x, along)
    computed = (((g * inverse).stored() - through).stored() - through).stored()
    return (with_error_of(loops.local_response_gradient(g.value, x.value, size, alpha, beta, k), computed),)


def local_response_norm_second(
    g: Computed, x: Computed, h: Computed, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> tuple[Computed, Computed]:
    """The derivatives of the steps of :func:`local_response_norm_gradients`, by the rules of products, each stored.

    ``D^{−β}`` is a quotient by a power, whose second derivative is ``2·D^{−3β}·(β·D^{β−1})² − D^{−2β}·β(β−1)·D^{β−2}``.
    """
    values = loops.local_response_second(h.value, g.value, x.value, size, alpha, beta, k)
    d = _response(x, size, alpha, k)
    inverse = (Computed.operand(1.0, x.format) / d.pow(beta).stored()).stored()
    slope, bend = d.pow(beta - 1.0).stored(), d.pow(beta - 2.0).stored()
    share, rate, less = (rounded_constant(value, x) for value in (alpha, beta, beta - 1.0))
    once = (inverse, inverse, slope, share, rate)

    def windows(terms: Computed, adjoint: bool) -> Computed:
        return averaged(terms, lambda v: loops.across_channels(v, size, adjoint) / size, size + 1)

    along = windows(product(h, x), False)
    twice = product(g, x, along, *once, inverse, slope, share, rate)
    curved = added(twice, twice, -product(g, x, along, inverse, inverse, bend, share, share, rate, less))
    straight = (
        product(x, windows(product(g, h, *once), True)),
        product(g, along, *once),
        product(h, windows(product(g, x, *once), True)),
    )
    to_cotangent = added(product(h, inverse), *[-product(x, along, *once)] * 2)
    to_input = added(*[product(x, windows(curved, True))] * 4, *(-part for part in straight * 2))
    return with_error_of(values[0], to_cotangent), with_error_of(values[1], to_input)


def _response(x: Computed, size: int, alpha: float, k: float) -> Computed:
    squares = (x * x).stored()
    mean = averaged(squares, lambda a: loops.across_channels(a, size) / size, size + 1)
    return ((mean * rounded_constant(alpha, x)).stored() + rounded_constant(k, x)).stored()

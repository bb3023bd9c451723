"""What the bounds of several layers share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl.arrays import Array
from refimpl.rounding import Computed, gamma, limited, round_to, rounding_of


def bilinear(
    product: Callable[..., Array],
    x: Computed,
    w: Computed,
    bias: Computed | None = None,
    terms: Array | None = None,
    in_norm: Array | None = None,
) -> Computed:
    """A sum of products ``y = product(x, w, bias)``, its n terms added in any order, with or without FMA.

    Each of the n products meets one rounding of its own and at most n additions (the bias counts as a term), so
    the rounding error is at most ``γ_{n+1}·product(|x̂|, |ŵ|, |bias|)`` (Higham, §3.1), and each product may
    underflow by η. Operands that may be rounded to a narrower format first, with roundoff t, put each product off by
    δ = 2t + t² of itself more: ``δ·(1 + γ_{n+1})``. A sum that is split into s parts, each stored in a narrower format
    with roundoff v before these are added, meets a storing and up to s − 2 roundings more on the way to the last one:
    ``γ_{s−1}`` in v of all that, and s times the underflow.
    Errors of the operands enter as ``product(e_x, |ŵ|) + product(|x|, e_w) + e_bias``.
    ``product`` takes two arrays, and a third where there is a bias. ``terms`` is n, in a shape that broadcasts to y's;
    by default a product of ones counts it. ``in_norm`` is what an algorithm that is stable only in norm may be off by
    more (:mod:`refimpl.bounds.algorithms`).
    """
    terms = product(np.ones(x.shape), np.ones(w.shape)) if terms is None else terms
    value = product(x.value, w.value, *(() if bias is None else (bias.value,)))
    off = np.zeros(value.shape)
    if x.error is not None:
        off = off + product(x.error, w.reach)
    if w.error is not None:
        off = off + product(np.abs(x.value), w.error)
    if bias is not None and bias.error is not None:
        off = off + product(np.zeros(x.shape), np.zeros(w.shape), bias.error)
    magnitude = product(x.reach, w.reach, *(() if bias is None else (bias.reach,)))
    rounding = rounding_of(magnitude, terms + 1, x.precision) + terms * x.precision.underflow
    if in_norm is not None:
        rounding = rounding + in_norm
    if x.format.products:
        narrowed = x.format.products.unit_roundoff
        rounding = rounding + (2 * narrowed + narrowed**2) * (magnitude + rounding)
    if x.format.split_k > 1 and x.format.storage is not x.precision:
        storage, parts = x.format.storage, x.format.split_k
        rounding = rounding + rounding_of(magnitude + rounding, parts - 1, storage) + parts * storage.underflow
    return Computed(value, x.format, off + rounding).stored()


def trilinear(
    product: Callable[..., Array], x: Computed, y: Computed, z: Computed, bias: Computed | None = None
) -> Computed:
    """A sum of n products of three, ``product(x, y, z)`` plus a bias, in any order.

    Each term meets two roundings for its products and at most n additions: ``γ_{n+2}·product(|x̂|, |ŷ|, |ẑ|)``. A sum
    over one of two indices may be stored before the other, and the whole before the bias: two storings more. A
    partial result that underflows by η is multiplied by at most one more factor: ``η·product(1+|x|, 1+|y|, 1+|z|)``.
    Zeros are summed without error, even more of them than the storage can count:

    >>> from refimpl.rounding import FORMATS
    >>> zeros = [Computed.operand(np.zeros(4096), FORMATS["float16"].summing_in_storage(True))] * 3
    >>> float(trilinear(lambda x, y, z: (x * y * z).sum(keepdims=True), *zeros).off[0]) < 0.001
    True
    """
    operands = (x, y, z)
    terms = product(*(np.ones(o.shape) for o in operands))
    value, magnitude = product(*(o.value for o in operands)), product(*(o.reach for o in operands))
    off = np.zeros(value.shape)
    for k, operand in enumerate(operands):
        if operand.error is not None:
            others = [np.abs(o.value) if i < k else o.reach for i, o in enumerate(operands)]
            off = off + product(*others[:k], operand.error, *others[k + 1 :])
    if bias is not None:
        value, magnitude, off = value + bias.value, magnitude + bias.reach, off + bias.off
    relative = gamma(terms + 2, x.precision)
    if x.format.storage is not x.precision:
        relative = relative + gamma(2, x.format.storage) * (1.0 + relative)
    underflow = smallest(x) * product(*(1.0 + o.reach for o in operands))
    rounding = limited(relative, magnitude + off)
    return Computed(value, x.format, off + rounding + underflow).stored()


def product(*factors: Computed, stored: bool = True) -> Computed:
    """A product of several factors in any order, each partial product stored, or left in the accumulator.

    One rounding and one storing each, whatever the order; but a partial product that underflows by η is multiplied by
    the factors still to come, so over all orders the underflow is at most ``η·Π(1 + |f|)``.
    """
    result = factors[0]
    for factor in factors[1:]:
        result = (result * factor).stored() if stored else result * factor
    remaining = np.prod([1.0 + np.broadcast_to(f.reach, result.shape) for f in factors], axis=0)
    underflow = smallest(result) if stored else result.precision.underflow
    return Computed(result.value, result.format, result.off + underflow * remaining)


def summed(x: Computed, scatter: Callable[[Array], Array]) -> Computed:
    """Elements added where they meet, m of them: ``γ_{m−1}·scatter(|x̂|) + scatter(e)``; exact if none meet."""
    additions = np.maximum(scatter(np.ones(x.shape)) - 1.0, 0.0)
    if x.error is None and not additions.any():
        return x.map(scatter)
    return x.scattered(scatter, additions).stored()


def smallest(x: Computed) -> float:
    """η of the storage or the accumulator, whichever is larger."""
    return max(x.format.storage.underflow, x.format.accumulator.underflow)


def with_error_of(value: Array, computed: Computed) -> Computed:
    """The loops' value with the error of the formula, as a subject keeps it."""
    return Computed(value, computed.format, computed.off).stored()


def rounded_constant(value: float, like: Computed) -> Computed:
    """A hyperparameter, which a subject may round to its storage first: its error is what that changes.

    Rounded to the accumulator instead it is nearer, for that has every number of the storage.
    """
    change = abs(float(round_to(np.asarray(value), like.format.storage)) - value)
    return Computed(np.asarray(value), like.format, np.asarray(change))


def formed_constant(value: float, like: Computed) -> Computed:
    """A constant, rounded to the accumulator, perhaps after one more operation: 2u."""
    return Computed(np.asarray(value), like.format, np.asarray(2.0 * like.precision.unit_roundoff * abs(value)))


def exact(value: float, like: Computed) -> Computed:
    """A constant that every format has."""
    return Computed.operand(value, like.format)


def softened(x: Computed) -> Computed:
    """``log(1 + e^x)``; where e^x overflows, x."""
    small = x.map(lambda values: np.minimum(values, 40.0))
    computed = (small.exp() + exact(1.0, x)).log()
    off = np.where(x.value > 40.0, 4.0 * x.precision.unit_roundoff * np.abs(x.value) + x.off, computed.off)
    return Computed(np.logaddexp(0.0, x.value), x.format, off)


def covered(computed: Computed) -> Computed:
    """The same with an infinite bound where the derivation gives none (NaN), as for zero times infinity."""
    return Computed(computed.value, computed.format, np.where(np.isnan(computed.off), np.inf, computed.off))


def exactly_added(x: Computed, y: Computed) -> Computed:
    """A sum, exact where operands are and the precision represents it; so does float64 where ``s − x`` is y, and ``s −
    (s − x)`` is x (Higham, §4.3).
    """
    value, off = x.value + y.value, x.off + y.off
    exact = (off == 0.0) & (round_to(value, x.precision) == value)
    exact = exact & (value - x.value == y.value) & (value - (value - x.value) == x.value)
    return Computed(value, x.format, np.where(exact, 0.0, off + x.precision.unit_roundoff * (np.abs(value) + off)))


def column(x: Computed) -> Computed:
    """One number for each element of a row."""
    return x.map(lambda values: values[..., None])

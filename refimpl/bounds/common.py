"""What the bounds of several layers share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl.arrays import Array
from refimpl.rounding import Computed, gamma


def bilinear(product: Callable[..., Array], x: Computed, w: Computed, bias: Computed | None = None) -> Computed:
    """A sum of products ``y = product(x, w, bias)``, its n terms added in any order, with or without FMA.

    Each of the n products meets one rounding of its own and at most n additions (the bias counts as a term), so
    the rounding error is at most ``γ_{n+1}·product(|x̂|, |ŵ|, |bias|)`` (Higham, §3.1), and each product may
    underflow by η. Errors of the operands enter as ``product(e_x, |ŵ|) + product(|x|, e_w) + e_bias``.
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
    rounding = gamma(terms + 1, x.precision) * magnitude + terms * x.precision.underflow
    return Computed(value, x.format, off + rounding).stored()


def product(*factors: Computed) -> Computed:
    """A product of several factors in any order, each partial product stored.

    One rounding and one storing each, whatever the order; but a partial product that underflows by η is multiplied by
    the factors still to come, so over all orders the underflow is at most ``η·Π(1 + |f|)``.
    """
    result = factors[0]
    for factor in factors[1:]:
        result = (result * factor).stored()
    remaining = np.prod([1.0 + np.broadcast_to(f.reach, result.shape) for f in factors], axis=0)
    return Computed(result.value, result.format, result.off + smallest(result) * remaining)


def smallest(x: Computed) -> float:
    """η of the storage or the accumulator, whichever is larger."""
    return max(x.format.storage.underflow, x.format.accumulator.underflow)


def with_error_of(value: Array, computed: Computed) -> Computed:
    """The loops' value with the error of the formula, as a subject keeps it."""
    return Computed(value, computed.format, computed.off).stored()


def rounded_constant(value: float, like: Computed) -> Computed:
    """A hyperparameter, rounded to the precision of what it meets."""
    return Computed(np.asarray(value), like.format, np.asarray(like.precision.unit_roundoff * abs(value)))


def covered(computed: Computed) -> Computed:
    """Without a bound where the derivation covers nothing, as at zero times infinity."""
    return Computed(computed.value, computed.format, np.where(np.isnan(computed.off), np.inf, computed.off))

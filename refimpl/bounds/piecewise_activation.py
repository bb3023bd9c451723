"""Activations in pieces, and PReLU, with their errors. Operands are exact, so that nobody takes another piece.

A function of single values gives value, slope and curvature with their errors, formed in the precision of its operand.
That is the accumulator (:func:`wide`) for value and gradient, which one kernel computes, and the storage
(:func:`narrow`) for the gradients of gradients, which autograd forms of several operations.
"""

from __future__ import annotations

import numpy as np

from refimpl import piecewise_activation as loops
from refimpl.arrays import Array
from refimpl.bounds.common import product, smallest, with_error_of
from refimpl.rounding import Computed, Format, rounding_of

Jet = tuple[Computed, Computed, Computed]
"""Value, slope and curvature, each with its error."""


def wide(x: Computed) -> Computed:
    """An operand whose results are formed in the accumulator; what is kept for the backward pass is stored."""
    return Computed(x.value, Format(x.precision, x.precision, in_gradients=x.format.storage), x.error)


def narrow(x: Computed) -> Computed:
    """An operand of whose operations each is stored."""
    return Computed(x.value, Format(x.format.storage, x.format.storage, in_gradients=x.format.storage), x.error)


def hardtanh(x: Computed, min_val: float = -1.0, max_val: float = 1.0) -> Jet:
    """Comparisons, no rounding."""
    return _jet(x, loops.hardtanh(x.value, min_val, max_val), 0.0, 0.0)


def relu6(x: Computed) -> Jet:
    """Comparisons, no rounding."""
    return hardtanh(x, 0.0, 6.0)


def leaky_relu(x: Computed, negative_slope: float = 0.01) -> Jet:
    """A product with the rounded slope where x ≤ 0: ``2u·|y|``; the slope is off by u of itself."""
    y, slope, curvature = loops.leaky_relu(x.value, negative_slope)
    off = np.where(slope == 1.0, 0.0, np.abs(slope))
    return _jet(x, (y, slope, curvature), np.where(x.value > 0.0, 0.0, 2.0 * np.abs(y)), off)


def hardshrink(x: Computed, lambd: float = 0.5) -> Jet:
    """Comparisons, no rounding."""
    return _jet(x, loops.hardshrink(x.value, lambd), 0.0, 0.0)


def softshrink(x: Computed, lambd: float = 0.5) -> Jet:
    """A difference, rounded once, as the loops' is: ``2u·|y|``."""
    jet = loops.softshrink(x.value, lambd)
    return _jet(x, jet, 2.0 * np.abs(jet[0]), 0.0)


def threshold(x: Computed, threshold: float, value: float) -> Jet:
    """Comparisons, no rounding."""
    return _jet(x, loops.threshold(x.value, threshold, value), 0.0, 0.0)


def rrelu(x: Computed, lower: float = 1.0 / 8.0, upper: float = 1.0 / 3.0, training: bool = False) -> Jet:
    """That of leaky ReLU, whose slope is a mean of two, rounded once more: ``3u·|y|``, and 2u of the slope."""
    jet = loops.rrelu(x.value, lower, upper, training)
    above = x.value > 0.0
    return _jet(x, jet, *(np.where(above, 0.0, count * np.abs(part)) for count, part in ((3.0, jet[0]), (2.0, jet[1]))))


def sloped(x: Computed, chosen: Computed, slope: Array) -> Computed:
    """``slope·x`` where x ≤ 0, elsewhere an element that is chosen: x itself, or its cotangent.

    A slope is seen as it is stored; the one that was multiplied may have more digits: ``u·|slope·x|`` of the storage.
    """
    value = np.where(x.value > 0.0, chosen.value, slope * chosen.value)
    product = Computed.operand(chosen.value, x.format) * Computed(slope, x.format, _stored_once(x, slope))
    return Computed(value, x.format, np.where(x.value > 0.0, 0.0, product.off)).stored()


def _stored_once(like: Computed, values: Array) -> Array:
    storage = like.format.storage
    return np.asarray(storage.unit_roundoff * np.abs(values) + storage.underflow)


def hardsigmoid(x: Computed) -> Jet:
    """``x/6 + 1/2`` or ``min(max(x + 3, 0), 6)/6``, perhaps times the rounded sixth: three roundings each, and two of
    the loops: ``5u·min(|x| + 3, 6)/6``. The slope is the rounded sixth: 2u of itself.
    """
    jet = loops.hardsigmoid(x.value)
    reach = np.minimum(np.abs(x.value) + 3.0, 6.0) / 6.0
    return _jet(x, jet, np.where(jet[0] == 0.0, 0.0, 5.0 * reach), 2.0 * jet[1])


def hardswish(x: Computed) -> Jet:
    """``x·min(max(x + 3, 0), 6)/6`` in any order: four roundings and the loops' three: ``7u·|x|·min(|x| + 3, 6)/6``.

    The slope ``x/3 + 1/2``, or ``(2x + 3)/6``, is off by ``5u·(|x|/3 + 1/2)``, the curvature 1/3 by 2u of itself.
    """
    jet, size = loops.hardswish(x.value), np.abs(x.value)
    value = np.where(jet[0] == 0.0, 0.0, 7.0 * size * np.minimum(size + 3.0, 6.0) / 6.0)
    return _jet(x, jet, value, np.where(size < 3.0, 5.0 * (size / 3.0 + 0.5), 0.0), 2.0 * jet[2])


def value(x: Computed, jet: Jet) -> Computed:
    """The value, stored."""
    return Computed(jet[0].value, x.format, jet[0].error).stored()


def gradients(g: Computed, jet: Jet) -> tuple[Computed, ...]:
    """``g·y'``, stored once."""
    return (with_error_of(g.value * jet[1].value, g * jet[1]),)


def second(h: Computed, g: Computed, jet: Jet) -> tuple[Computed, Computed]:
    """``h·y'`` and ``h·g·y''``, stored step by step."""
    to_cotangent, to_input = product(h, jet[1]), product(h, g, jet[2])
    return to_cotangent, with_error_of(h.value * g.value * jet[2].value, to_input)


def prelu(x: Computed, weight: Computed) -> Computed:
    """x, or its product with the weight, rounded once: ``u·|w·x| + η``."""
    return _rounded_below(x, x, loops.prelu(x.value, weight.value)).stored()


def prelu_gradients(cotangent: Computed, x: Computed, weight: Computed) -> tuple[Computed, Computed]:
    """``w·g`` rounded once, and ``Σ g·x``, whose products may be stored before they are added up."""
    to_input, to_weight = loops.prelu_gradients(cotangent.value, x.value, weight.value)
    negative = np.where(x.value > 0.0, 0.0, x.value)
    return _rounded_below(x, cotangent, to_input).stored(), _over_channels(x, to_weight, cotangent.value, negative)


def prelu_second(
    g: Computed, x: Computed, weight: Computed, h: Computed, direction: Computed
) -> tuple[Computed, Computed, Computed]:
    """With s the slope and n = x where x ≤ 0, else 0: ``∂g = h·s + h_w·n``, ``∂x = h_w·g`` where x ≤ 0, and
    ``∂w = Σ h·g`` over the elements with x ≤ 0; each step may be stored.

    h: the direction of the gradient to x; direction: that of the weights'.
    """
    below = np.where(x.value > 0.0, 0.0, 1.0)
    slope = Computed.operand(loops.prelu_gradients(np.ones(x.shape), x.value, weight.value)[0], x.format)
    spread = Computed.operand(loops.prelu(-below, direction.value) * -below, x.format)
    to_cotangent = ((h * slope).stored() + (spread * x).stored()).stored()
    to_weight = loops.over_channels(h.value, below * g.value, weight.shape)
    return to_cotangent, (spread * g).stored(), _over_channels(x, to_weight, h.value, below * g.value)


def _jet(x: Computed, jet: loops.Jet, value: Array | float, slope: Array | float, curvature: Array | float = 0) -> Jet:
    """The loops' results, off by so many unit roundoffs, and η where there is any rounding."""
    u, least = x.precision.unit_roundoff, x.precision.underflow
    offs = (np.asarray(off) * np.ones(x.shape) for off in (value, slope, curvature))
    first, second, third = (
        Computed(y, x.format, u * off + np.where(off > 0.0, least, 0.0)) for y, off in zip(jet, offs, strict=True)
    )
    return first, second, third


def _rounded_below(x: Computed, chosen: Computed, value: Array) -> Computed:
    """A value that is rounded once where x ≤ 0, and elsewhere an element that is chosen."""
    rounding = x.precision.unit_roundoff * np.abs(value) + x.precision.underflow
    return Computed(value, x.format, np.where(x.value > 0.0, chosen.off, rounding))


def _over_channels(like: Computed, sums: Array, a: Array, b: Array) -> Computed:
    """``Σ a·b`` in any order: ``γ_{n+1}·Σ|a·b| + n·η`` of n terms, each of which may be stored first."""
    magnitude = loops.over_channels(np.abs(a), np.abs(b), sums.shape)
    terms = loops.over_channels(np.ones(a.shape), np.where(b != 0.0, 1.0, 0.0), sums.shape)
    off = rounding_of(magnitude, terms + 1, like.precision)
    if like.format.storage is not like.precision:
        off = off + like.format.storage.unit_roundoff * (magnitude + off)
    return Computed(sums, like.format, off + terms * smallest(like)).stored()

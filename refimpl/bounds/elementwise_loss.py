"""Losses of single elements with their errors. Operands are exact.

Some losses are computed by one kernel, others by several operations, each of them stored. So terms, slopes and
curvatures are formed in the precision of the storage (:func:`refimpl.bounds.piecewise_activation.narrow`), and added up
in the accumulator. A difference that the storage represents is exact, and then nobody takes another piece; where it is
rounded, a piece whose end is as near as that may be taken for its neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl import elementwise_loss as loops
from refimpl.arrays import Array
from refimpl.bounds import activation, smooth_activation
from refimpl.bounds.common import covered, exact, exactly_added, formed_constant, product, softened
from refimpl.bounds.piecewise_activation import narrow
from refimpl.double_backward import added
from refimpl.elementwise_loss import divisor
from refimpl.rounding import FLOAT32, Computed, Format


@dataclass(frozen=True)
class Sum:
    """A value that autograd forms as a sum of products, each of which meets the cotangent on its own."""

    value: Array
    products: tuple[tuple[Computed, ...], ...]


Part = Computed | Sum
Terms = tuple[Computed, tuple[Part, ...], tuple[tuple[Part, ...], ...]]
"""Values, slopes and curvatures, each with its error."""
Jet = Callable[..., Terms]


def loss(jet: Jet, *operands: Computed, reduction: str = "mean", **how: Any) -> Computed:
    """The terms in their shape, their sum, or that over D, each of the two stored."""
    return _reduced(_formed(jet, operands, how)[0], operands[0].format, reduction)


def loss_gradients(
    jet: Jet, cotangent: Computed, *operands: Computed, reduction: str = "mean", **how: Any
) -> tuple[Computed, ...]:
    """``g·(1/D)·slope``, a product in any order, for each operand."""
    value, slopes, _ = _formed(jet, operands, how)
    shares = _shares(cotangent, value.shape, reduction)
    return tuple(_times(shares, slope) for slope in slopes)


def loss_second(
    jet: Jet, cotangent: Computed, *operands_and_directions: Computed, reduction: str = "mean", **how: Any
) -> tuple[Computed, ...]:
    """The gradients of :func:`refimpl.elementwise_loss.second`: products in any order, each stored, and added up."""
    count = len(operands_and_directions) // 2
    operands, directions = operands_and_directions[:count], operands_and_directions[count:]
    value, slopes, curvatures = _formed(jet, operands, how)
    shares = _shares(cotangent, value.shape, reduction)
    along = added(*(_times([h], slope) for h, slope in zip(directions, slopes, strict=True)))
    rows = ([_times([*shares, h], bend) for h, bend in zip(directions, row, strict=True)] for row in curvatures)
    empty = reduction != "none" and not value.value.size
    return _reduced(along, cotangent.format, "sum" if empty else reduction), *(added(*row) for row in rows)


def mse_loss(x: Computed, target: Computed, weight: Array | None = None) -> Terms:
    """The square of a rounded difference, and twice that."""
    d = exactly_added(x, -target)
    values = loops.mse_loss(x.value, target.value)
    return _weighted(_of_difference(values, d * d, d.map(lambda v: 2.0 * v)), weight)


def l1_loss(x: Computed, target: Computed, weight: Array | None = None) -> Terms:
    """The size of a rounded difference, and its sign, which no rounding changes."""
    values = loops.l1_loss(x.value, target.value)
    return _weighted(_of_difference(values, exactly_added(x, -target), exact(0.0, x)), weight)


def smooth_l1_loss(x: Computed, target: Computed, beta: float = 1.0) -> Terms:
    """``(d·d)/2·(1/β)``, the reciprocal perhaps rounded, or ``|d| − β/2``; the slope ``d·(1/β)`` or its sign."""
    values = loops.smooth_l1_loss(x.value, target.value, beta)
    factor = [exact(1.0, x) / exact(beta, x)] if beta else [exact(1.0, x)]
    return _in_pieces(x, target, values, factor, beta, 1.0)


def huber_loss(x: Computed, target: Computed, delta: float = 1.0, weight: Array | None = None) -> Terms:
    """``(d·d)/2``, or ``δ·(|d| − δ/2)``; the slope d, or its sign times δ."""
    values = loops.huber_loss(x.value, target.value, delta)
    return _weighted(_in_pieces(x, target, values, [], delta, delta), weight)


def margin_ranking_loss(x: Computed, other: Computed, target: Array, margin: float = 0.0) -> Terms:
    """A difference, and a sum that may be rounded to the other side of zero, where the slope is −y or zero."""
    values = loops.margin_ranking_loss(x.value, other.value, target, margin)
    d = exactly_added(x, -other)
    inside = exactly_added(exact(margin, x), Computed(-np.asarray(target) * d.value, x.format, d.off))
    return _of_difference(values, _above(inside), _turning(inside))


def hinge_embedding_loss(x: Computed, target: Array, margin: float = 1.0) -> Terms:
    """x, or a difference, which is rounded to no other side of zero."""
    values = loops.hinge_embedding_loss(x.value, target, margin)
    inside = _above(exactly_added(exact(margin, x), -x))
    value = Computed(inside.value, x.format, np.where(np.asarray(target) == 1.0, 0.0, inside.off))
    return _of_one(values, value, exact(0.0, x), exact(0.0, x))


def soft_margin_loss(x: Computed, target: Array) -> Terms:
    """``log(1 + e^z)``, ``1 − σ(−z)`` in place of σ(z), and ``σ(z)·(1 − σ(z))``, of ``z = −y·x``."""
    z, one = x.map(lambda values: -np.asarray(target) * values), exact(1.0, x)
    s = activation.sigmoid(z)
    slope = Computed(s.value, s.format, np.maximum(s.off, (one - activation.sigmoid(-z)).off))
    return _of_one(loops.soft_margin_loss(x.value, target), softened(z), slope, s * (one - s))


def binary_cross_entropy(x: Computed, target: Computed, weight: Array | None = None) -> Terms:
    """``t·log x + (1 − t)·log(1 − x)``, 1 − x rounded; the slopes ``(1 − t)·(1/(1 − x)) − t·(1/x)``, whose
    error covers that of ``(x − t)/(x·(1 − x))``, and a difference of logarithms; the curvatures
    ``(x·x − 2·x·t + t)/(x·(1 − x))²`` and ``−1/(x·(1 − x))``.
    """
    one, rest = exact(1.0, x), exactly_added(exact(1.0, x), -x)
    log_x, log_rest = _log_at_least(x), _log_at_least(rest)
    value = target * log_x + exactly_added(one, -target) * log_rest
    wide = _at_least(x * rest, loops.LEAST_PRODUCT)
    bend = ((x * x - x.map(lambda v: 2.0 * v) * target) + target) / (wide * wide)
    values = loops.binary_cross_entropy(x.value, target.value)
    sure, unlikely = (one / _at_least(chance, loops.LEAST_PRODUCT) for chance in (x, rest))
    slopes = Sum(values[1][0], ((-target, sure), (exactly_added(one, -target), unlikely))), log_rest - log_x
    return _weighted(_of_two(values, value, slopes, (bend, one / wide, exact(0.0, x))), weight)


def binary_cross_entropy_with_logits(
    x: Computed, target: Computed, weight: Array | None = None, pos_weight: Array | None = None
) -> Terms:
    """``(1 − t)·x − q·log σ(x)`` with ``q = 1 + (p − 1)·t``, or, without p, ``max(x, 0) − x·t + log(1 + e^{−|x|})``.

    The slopes are ``q·σ − p·t`` and ``log σ(−x) − p·log σ(x)``, the curvatures ``q·σ·(1 − σ)`` and ``p·σ − σ − p``.
    """
    one, s = exact(1.0, x), activation.sigmoid(x)
    p = Computed.operand(np.broadcast_to(1.0 if pos_weight is None else pos_weight, x.shape), x.format)
    q = exactly_added(exactly_added(p, -one) * target, one) if pos_weight is not None else one
    log_s, log_rest = (smooth_activation.logsigmoid(each)[0] for each in (x, -x))
    value = exactly_added(one, -target) * x - q * log_s
    if pos_weight is None:
        other = x.map(lambda v: np.maximum(v, 0.0)) - x * target + softened(-x.map(np.abs))
        value = Computed(value.value, x.format, np.maximum(value.off, other.off))
    slopes = q * s - p * target, log_rest - p * log_s
    curvatures = q * s * (one - s), p * s - s - p, exact(0.0, x)
    values = loops.binary_cross_entropy_with_logits(x.value, target.value, pos_weight=pos_weight)
    return _weighted(_of_two(values, value, slopes, curvatures), weight)


def kl_div(x: Computed, target: Computed, log_target: bool = False) -> Terms:
    """``t·log t − t·x``, whose slope by t is ``log t + t·(1/t) − x`` and whose curvature ``1/t + 1/t − t/t²``; of a
    logarithm ``e^t·(t − x)``, by the rule of products.
    """
    values, zero = loops.kl_div(x.value, target.value, log_target), exact(0.0, x)
    if log_target:
        power, d = target.exp(), exactly_added(target, -x)
        value = power * d
        return _of_two(values, value, (power, value + power), (zero, power, value + power + power))
    positive = target.map(lambda t: np.where(t > 0.0, t, 1.0))
    one, log_t = exact(1.0, x), positive.log()
    inverse = one / positive
    slopes = zero, Sum(values[1][1], ((log_t,), (positive, inverse), (-x,)))
    bends = Sum(values[2][1][1], ((inverse,), (inverse,), (-positive, inverse, inverse)))
    return _of_two(values, target * log_t - target * x, slopes, (zero, zero, bends))


def poisson_nll_loss(
    x: Computed, target: Array, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Terms:
    """``e^x − t·x``, or ``x − t·log(x + ε)`` with a rounded ε, and Stirling's three terms, in any order."""
    values, t = loops.poisson_nll_loss(x.value, target, log_input, full, eps), Computed.operand(target, x.format)
    if log_input:
        power = x.exp()
        value, slope, curvature = power - t * x, power - t, power
    else:
        moved = x + formed_constant(eps, x)
        share = t / moved
        value, slope, curvature = x - t * moved.log(), exact(1.0, x) - share, share / moved
    if full:
        several = t.map(lambda counts: np.maximum(counts, 1.0))
        root = (several * formed_constant(2.0 * math.pi, x)).log()
        more = (several * several.log() - several) + root * exact(0.5, x)
        value = value + more.map(lambda part: np.where(t.value > 1.0, part, 0.0))
    return _of_one(values, value, slope, curvature)


def gaussian_nll_loss(x: Computed, target: Computed, var: Computed, full: bool = False, eps: float = 1e-6) -> Terms:
    """``½·(log v + d·d/v)`` with ``1/v`` perhaps rounded, and a rounded constant; what stands beside d is summed by
    products: ``½/v − ½·d·d/v/v`` to v, and by v once more ``−½/v/v`` and twice ``½·d·d/v/v/v``.
    """
    values = loops.gaussian_nll_loss(x.value, target.value, var.value, full, eps)
    v, d, half, one = _at_least(var, eps), exactly_added(x, -target), exact(0.5, x), exact(1.0, x)
    inverse = one / v
    value = half * (v.log() + product(d, d, inverse, stored=False))
    value = value + formed_constant(0.5 * math.log(2.0 * math.pi), x) if full else value
    two, double = exact(2.0, x), d.map(lambda values: 2.0 * values)
    once, twice = (-half, inverse, inverse), (half, d, d, inverse, inverse, inverse)
    products = (
        ((half, double, inverse),),
        ((-half, double, inverse),),
        ((half, inverse), (-half, d, d, inverse, inverse)),
    )
    slopes = tuple(map(Sum, values[1], products))
    straight, mixed, bend = ((half, two, inverse),), ((half, double, inverse, inverse),), (once, twice, twice)
    rows = ((straight, straight, mixed), (straight, straight, mixed), (mixed, mixed, bend))
    curvatures = tuple(tuple(map(Sum, *row)) for row in zip(values[2], rows, strict=True))
    return _kept(values, value, slopes, curvatures)


def _formed(jet: Jet, operands: tuple[Computed, ...], how: dict[str, Any]) -> Terms:
    with np.errstate(all="ignore"):  # of errors that nothing bounds
        return jet(*map(narrow, operands), **how)


def _times(factors: list[Computed], part: Part) -> Computed:
    """A product in any order, or a sum of such products; the value is the loops'."""
    with np.errstate(all="ignore"):
        if isinstance(part, Computed):
            return covered(product(*factors, part))
        total = covered(added(*(product(*factors, *own) for own in part.products)))
        return Computed(math.prod((f.value for f in factors), start=part.value), total.format, total.off)


def _reduced(terms: Computed, format: Format, reduction: str) -> Computed:
    own = Computed(terms.value, format, terms.off)
    if reduction == "none":
        return own
    total, shares = own.sum().stored(), _reciprocal(format, terms.shape, reduction)
    with np.errstate(all="ignore"):
        value, off = loops.reduced(terms.value, reduction), product(total, *shares).off
        return covered(Computed(value, format, off))


def _shares(cotangent: Computed, shape: tuple[int, ...], reduction: str) -> list[Computed]:
    """g for each element, and what it is multiplied by."""
    spread = cotangent.map(lambda g: np.broadcast_to(g, shape))
    return [spread, *_reciprocal(cotangent.format, shape, reduction)]


def _reciprocal(format: Format, shape: tuple[int, ...], reduction: str) -> list[Computed]:
    """``1/D``, where there is a D: rounded to the storage, or part of a division."""
    if reduction in ("none", "sum"):
        return []
    return [(Computed.operand(1.0, format) / Computed.operand(divisor(shape, reduction), format)).stored()]


def _of_difference(values: loops.Terms, value: Computed, slope: Computed, curvature: Computed | None = None) -> Terms:
    bend = curvature or exact(0.0, value)
    return _kept(values, value, (slope, slope), ((bend, bend), (bend, bend)))


def _of_one(values: loops.Terms, value: Computed, slope: Computed, curvature: Computed) -> Terms:
    return _kept(values, value, (slope,), ((curvature,),))


def _of_two(values: loops.Terms, value: Computed, slopes: tuple[Part, ...], curvatures: tuple[Part, ...]) -> Terms:
    """curvatures: by x twice, by both, by the target twice."""
    xx, xt, tt = curvatures
    return _kept(values, value, slopes, ((xx, xt), (xt, tt)))


def _kept(
    values: loops.Terms, value: Computed, slopes: tuple[Part, ...], curvatures: tuple[tuple[Part, ...], ...]
) -> Terms:
    """The loops' results with the errors of formulas."""

    def keep(result: Array, part: Part) -> Part:
        return part if isinstance(part, Sum) else _with_off(result, part)

    rows = (tuple(map(keep, *row)) for row in zip(values[2], curvatures, strict=True))
    return _with_off(values[0], value), tuple(map(keep, values[1], slopes)), tuple(rows)


def _with_off(result: Array, computed: Computed) -> Computed:
    return Computed(result, computed.format, np.broadcast_to(computed.off, result.shape))


def _weighted(terms: Terms, weight: Array | None) -> Terms:
    """All of it times the weight."""
    if weight is None:
        return terms
    y, slopes, curvatures = terms
    w = Computed.operand(weight, y.format)
    rows = (tuple(_times([w], bend) for bend in row) for row in curvatures)
    return y * w, tuple(_times([w], slope) for slope in slopes), tuple(rows)


def _in_pieces(
    x: Computed, target: Computed, values: loops.Terms, factor: list[Computed], width: float, steepness: float
) -> Terms:
    """A parabola of a rounded difference up to a width, and a line from there on; near it either."""
    d, w = exactly_added(x, -target), exact(width, x)
    inner = product(d, d, exact(0.5, x), *factor, stored=False)
    outer = exactly_added(d.map(np.abs), -w.map(lambda v: 0.5 * v)) * exact(steepness, x)
    slope = product(d, *factor, stored=False)
    within, near = np.abs(d.value) < width, np.abs(np.abs(d.value) - width) < d.off
    value = np.where(within, inner.off, outer.off) + np.where(near, inner.off + outer.off, 0.0)
    off = np.where(within | near, slope.off, 0.0)
    bend = np.where(near, steepness / width if width else 0.0, 0.0) + (factor[0].off if factor else 0.0)
    return _of_difference(values, *(Computed(np.zeros(x.shape), x.format, each) for each in (value, off, bend)))


def _above(inside: Computed) -> Computed:
    """``max(0, ·)``: no error where it is surely zero."""
    return Computed(inside.value, inside.format, np.where(inside.value < -inside.off, 0.0, inside.off))


def _turning(inside: Computed) -> Computed:
    """A slope of one or zero: off by one where a rounding may take it for the other."""
    turns = (np.abs(inside.value) <= inside.off) & (inside.off > 0.0)
    return Computed(np.zeros(inside.shape), inside.format, np.where(turns, 1.0, 0.0))


def _log_at_least(x: Computed) -> Computed:
    """A logarithm that is −100 at least, and exact there."""
    log = x.map(lambda values: np.maximum(values, 1e-300)).log()
    clamped = log.value < loops.LEAST_LOG - 1.0
    return Computed(np.maximum(log.value, loops.LEAST_LOG), x.format, np.where(clamped, 0.0, log.off))


def _at_least(x: Computed, least: float) -> Computed:
    """``max(x, least)``, the latter rounded: by torch to float32 in every dtype."""
    value, u = np.maximum(x.value, least), max(x.precision.unit_roundoff, FLOAT32.unit_roundoff)
    return Computed(value, x.format, np.maximum(x.off, np.where(x.value < least, u * least, 0.0)))

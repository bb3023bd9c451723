"""Losses of embeddings with their errors. Operands are exact; sums over a row are formed in the accumulator, and each
step is stored. Where errors may take a row to the other side of a kink, its gradient is that of either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl import embedding_loss as loops
from refimpl.arrays import Array
from refimpl.bounds.common import column, covered, exact, formed_constant, product
from refimpl.bounds.elementwise_loss import _reciprocal, _reduced
from refimpl.double_backward import added
from refimpl.embedding_loss import distance
from refimpl.rounding import FLOAT32, Computed

Formed = Callable[..., tuple[Computed, tuple[Computed, ...]]]


def loss(formed: Formed, *operands: Computed, reduction: str = "mean", **how: Any) -> Computed:
    """The values of the rows, their sum, or that over D, each stored."""
    one = Computed.operand(np.ones(operands[0].shape[:-1]), operands[0].format)
    return _reduced(formed(one, *operands, **how)[0], operands[0].format, reduction)


def loss_gradients(
    formed: Formed, cotangent: Computed, *operands: Computed, reduction: str = "mean", **how: Any
) -> tuple[Computed, ...]:
    """What ``g·(1/D)`` of each row becomes on its way back to each operand."""
    rows = operands[0].shape[:-1]
    spread = cotangent.map(lambda g: np.broadcast_to(g, rows))
    share = product(spread, *_reciprocal(cotangent.format, rows, reduction))
    return formed(share, *operands, **how)[1]


def cosine_embedding_loss(
    share: Computed, x: Computed, other: Computed, target: Array, margin: float = 0.0
) -> tuple[Computed, tuple[Computed, ...]]:
    """The cosine is a product over the root of a product of two sums of squares. Back through these steps, the gradient
    to x₁ is ``s·x₂/q − s·(cos/q)/(2q)·m₂·(x₁ + x₁)``, with q the root and m₂ the other's sum of squares. To torch ε is
    a number of float32, whatever the dtype.
    """
    values, slopes = loops.cosine_embedding_loss(x.value, other.value, target, margin)
    epsilon = Computed(np.asarray(loops.EPSILON), x.format, np.asarray(FLOAT32.unit_roundoff * loops.EPSILON))
    squares = [(_summed(v * v) + epsilon).stored() for v in (x, other)]
    q = (squares[0] * squares[1]).stored().pow(0.5).stored()
    cosine = (_summed(x * other) / q).stored()
    inside = (cosine - Computed.operand(margin, x.format)).stored()
    apart = np.asarray(target) == -1.0
    off = np.where(apart, np.where(inside.value < -inside.off, 0.0, inside.off), (exact(1.0, x) - cosine).stored().off)
    turns, still = apart & (np.abs(inside.value) <= inside.off), apart & (inside.value < 0.0)
    found = []
    for slope, own, across, square in zip(slopes, (x, other), (other, x), reversed(squares), strict=True):
        straight = product(column((share / q).stored()), across)
        to_root = ((product(share, cosine) / q).stored() / q.map(lambda v: 2.0 * v)).stored()
        back = product(column(product(to_root, square)), own)
        found.append(_of_either(added(straight, -back, -back), share, slope, turns, still))
    return Computed(values, x.format, off), tuple(found)


def triplet_margin_loss(
    share: Computed,
    anchor: Computed,
    positive: Computed,
    negative: Computed,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
) -> tuple[Computed, tuple[Computed, ...]]:
    """A sum of a margin and two distances; where it swaps, each element of a gradient adds up to two terms."""
    how: dict[str, Any] = {"margin": margin, "p": p, "eps": eps, "swap": swap}
    values, slopes = loops.triplet_margin_loss(anchor.value, positive.value, negative.value, **how)
    near, far = _Distance.of(anchor, positive, p, eps), _Distance.of(anchor, negative, p, eps)
    other = _Distance.of(positive, negative, p, eps) if swap else far
    swapped, unsure = _smaller(other.size, far.size)
    smaller = Computed(
        np.where(swapped, other.size.value, far.size.value), anchor.format, np.maximum(other.size.off, far.size.off)
    )
    inside = ((near.size + Computed.operand(margin, anchor.format)).stored() - smaller).stored()
    turns = np.abs(inside.value) <= inside.off
    zero = Computed.operand(np.zeros(anchor.shape), anchor.format)
    g, h, k = (each.slope(share) for each in (near, far, other))
    kept, moved = ((g, -h), (-g, zero), (zero, h)), ((g, zero), (-g, -k), (zero, k))
    found = []
    for slope, *ways in zip(slopes, kept, moved, strict=True):
        one, two = (added(*way) for way in ways)
        chosen = Computed(np.where(swapped[..., None], two.value, one.value), one.format, np.maximum(one.off, two.off))
        either = np.abs(one.value - two.value) + one.off + two.off
        chosen = Computed(chosen.value, one.format, chosen.off + np.where(unsure[..., None], either, 0.0))
        found.append(_of_either(chosen, share, slope, turns, inside.value < 0.0))
    off = np.where(inside.value < -inside.off, 0.0, inside.off)
    return Computed(values, anchor.format, off), tuple(found)


@dataclass(frozen=True)
class _Distance:
    """The distance of each row, from the differences as a subject keeps them."""

    difference: Computed
    size: Computed
    p: float

    @classmethod
    def of(cls, x: Computed, y: Computed, p: float, eps: float) -> _Distance:
        e = ((x - y).stored() + formed_constant(eps, x)).stored()
        sizes = e.map(np.abs)
        total = sizes if p == 1.0 else sizes * sizes if p == 2.0 else sizes.pow(p)
        summed = total.sum(axis=-1)
        root = summed if p == 1.0 else summed.pow(1.0 / p)
        d, _ = distance(x.value.reshape(-1, x.shape[-1]), y.value.reshape(-1, x.shape[-1]), p, eps)
        return cls(e, Computed(d.reshape(root.shape), x.format, root.off).stored(), p)

    def slope(self, share: Computed) -> Computed:
        """``s·e·|e|^{p−2}/d^{p−1}`` in any order; of p = 1 the sign of e, where it is sure."""
        e, d = self.difference, column(self.size)
        if self.p == 1.0:
            sign = Computed(np.sign(e.value), e.format, np.where(np.abs(e.value) <= e.off, 2.0, 0.0))
            return product(column(share), sign)
        sizes = e.map(np.abs)
        powers = [] if self.p == 2.0 else [sizes] if self.p == 3.0 else [sizes.pow(self.p - 2.0).stored()]
        divisor = d if self.p == 2.0 else (d * d).stored() if self.p == 3.0 else d.pow(self.p - 1.0).stored()
        return product((column(share) / divisor).stored(), *powers, e)


def _smaller(one: Computed, other: Computed) -> tuple[Array, Array]:
    """Where the one is less than the other, and where errors may decide that."""
    return one.value < other.value, (np.abs(one.value - other.value) <= one.off + other.off) & (one is not other)


def _of_either(computed: Computed, share: Computed, slope: Array, turns: Array, still: Array) -> Computed:
    """The loops' gradient with the error of the formula, that of no slope where the row is still, or either of both."""
    value, turning = share.value[..., None] * slope, turns[..., None]
    off = np.where(turning, computed.reach, np.where(still[..., None], 0.0, computed.off))
    return covered(Computed(value, computed.format, off))


def _summed(terms: Computed) -> Computed:
    return terms.stored().sum(axis=-1).stored()

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
UNBOUNDED = np.errstate(all="ignore")
"""Of slopes of no distance, which nothing bounds."""


@UNBOUNDED
def loss(formed: Formed, *operands: Computed, reduction: str = "mean", **how: Any) -> Computed:
    """The values of the rows, their sum, or that over D, each stored."""
    one = Computed.operand(np.ones(operands[0].shape[:-1]), operands[0].format)
    return _reduced(formed(one, *operands, **how)[0], operands[0].format, reduction)


@UNBOUNDED
def loss_gradients(
    formed: Formed, cotangent: Computed, *operands: Computed, reduction: str = "mean", **how: Any
) -> tuple[Computed, ...]:
    """What ``g·(1/D)`` of each row becomes on its way back to each operand."""
    rows = operands[0].shape[:-1]
    spread = cotangent.map(lambda g: np.broadcast_to(g, rows))
    share = product(spread, *_reciprocal(cotangent.format, rows, reduction))
    return formed(share, *operands, **how)[1]


@UNBOUNDED
def loss_second(
    along: Formed, cotangent: Computed, *operands_and_directions: Computed, reduction: str = "mean", **how: Any
) -> tuple[Computed, ...]:
    """The gradients of :func:`refimpl.embedding_loss.second`. What goes to one cotangent from each row is multiplied by
    1/D before it is added up, or after that, where it meets no more roundings."""
    rows, format = operands_and_directions[0].shape[:-1], cotangent.format
    shares = _reciprocal(format, rows, reduction)
    spread = cotangent.map(lambda g: np.broadcast_to(g, rows))
    values, bends = along(product(spread, *shares), *operands_and_directions, **how)
    if reduction == "none":
        return values, *bends
    total = covered(product(values, *shares).sum().stored())
    return Computed(loops.loss((values.value, ()), reduction), format, total.off), *bends


def cosine_embedding_loss(
    share: Computed, x: Computed, other: Computed, target: Array, margin: float = 0.0
) -> tuple[Computed, tuple[Computed, ...]]:
    """The cosine is a product over the root of a product of two sums of squares. Back through these steps, the gradient
    to x₁ is ``s·x₂/q − s·(cos/q)/(2q)·m₂·(x₁ + x₁)``, with q the root and m₂ the other's sum of squares. To torch ε is
    a number of float32, whatever the dtype.
    """
    values, slopes = loops.cosine_embedding_loss(x.value, other.value, target, margin)
    squares, q, cosine = _cosine(x, other)
    inside, turns, still = _inside(cosine, target, margin)
    apart = np.asarray(target) == -1.0
    off = np.where(apart, np.where(inside.value < -inside.off, 0.0, inside.off), (exact(1.0, x) - cosine).stored().off)
    found = []
    for slope, own, across, square in zip(slopes, (x, other), (other, x), reversed(squares), strict=True):
        straight = product(column((share / q).stored()), across)
        to_root = ((product(share, cosine) / q).stored() / q.map(lambda v: 2.0 * v)).stored()
        back = product(column(product(to_root, square)), own)
        found.append(_of_either(added(straight, -back, -back), share, slope, turns, still))
    return Computed(values, x.format, off), tuple(found)


def cosine_embedding_second(
    share: Computed, x: Computed, other: Computed, h: Computed, k: Computed, target: Array, margin: float = 0.0
) -> tuple[Computed, tuple[Computed, ...]]:
    """Autograd's steps back through those of :func:`cosine_embedding_loss`, each a product in any order.

    With X and Y the sums of squares, c the cosine, q the root, ``A = h·x₂ + k·x₁`` and ``T = (h·x₁·Y + k·x₂·X)/q``, to
    s goes ``A/q − T·c/q``, to c's dividend ``−T·s/q²``, to q ``3·T·s·c/q² − A·s/q²``. X gets ``Y/(2q)`` of that, and
    ``−(k·x₂)·s·c/q²``. So x₁ is given ``s·k/q``, twice ``−(s·c/q²)·Y·h/2``, what comes to the dividend, times x₂, and
    twice what comes to X, times x₁.
    """
    values, bends = loops.cosine_embedding_second(x.value, other.value, h.value, k.value, target, margin)
    squares, q, cosine = _cosine(x, other)
    _, turns, still = _inside(cosine, target, margin)
    inverse, half = (exact(1.0, x) / q).stored(), exact(0.5, x)
    own = [_summed(direction * operand) for direction, operand in ((h, x), (k, other))]
    across = added(_summed(h * other), _summed(k * x))
    growth = product(added(*map(product, own, reversed(squares))), inverse)
    along = added(product(across, inverse), -product(growth, cosine, inverse))
    one = Computed.operand(np.ones(values.shape), x.format)
    bent, to_product = product(share, cosine, inverse, inverse), -product(growth, share, inverse, inverse)
    found = []
    for bend, v, w, to, over, square, along_other in zip(
        bends, (x, other), (other, x), (h, k), (k, h), reversed(squares), reversed(own), strict=True
    ):
        of_root = product(growth, share, cosine, inverse, inverse, inverse, half, square)
        to_square = added(
            of_root, of_root, of_root, -product(across, share, inverse, inverse, inverse, half, square),
            -product(bent, along_other),
        )  # fmt: skip
        through, turned = product(column(to_square), v), -product(column(product(bent, half, square)), to)
        straight = product(column(product(share, inverse)), over), product(column(to_product), w)
        total = added(*straight, through, through, turned, turned)
        found.append(_of_either(total, share, bend, turns, still))
    along = _of_either(column(along), one, values[..., None], turns, still)
    return along.map(lambda v: v[..., 0]), tuple(found)


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
    about = _Triplet.of(anchor, positive, negative, **how)
    inside = about.inside
    found = about.to_operands(share, slopes, tuple(each.slope(share) for each in about.distances))
    off = np.where(inside.value < -inside.off, 0.0, inside.off)
    return Computed(values, anchor.format, off), found


def triplet_margin_second(
    share: Computed, anchor: Computed, positive: Computed, negative: Computed,
    to_anchor: Computed, to_positive: Computed, to_negative: Computed,
    margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
) -> tuple[Computed, tuple[Computed, ...]]:  # fmt: skip
    """The same sums, of what the slopes of distances become along differences of directions."""
    how: dict[str, Any] = {"margin": margin, "p": p, "eps": eps, "swap": swap}
    values, bends = loops.triplet_margin_second(
        anchor.value, positive.value, negative.value, to_anchor.value, to_positive.value, to_negative.value, **how
    )
    about, of_far = _Triplet.of(anchor, positive, negative, **how), (to_anchor, to_negative)
    directions = (to_anchor, to_positive), of_far, (to_positive, to_negative) if swap else of_far
    bent = [each.bent(share, (h - k).stored()) for each, (h, k) in zip(about.distances, directions, strict=True)]
    near, far, other = (column(along) for along, _ in bent)
    one = Computed.operand(np.ones(values.shape), anchor.format)
    along = about.of_either(one, values[..., None], added(near, -far), added(near, -other))
    return along.map(lambda v: v[..., 0]), about.to_operands(share, bends, tuple(bend for _, bend in bent))


@dataclass(frozen=True)
class _Triplet:
    """The distances of each row to the positive and the negative example, and between these; without swap, the second
    once more; where the last is smaller, and where errors may decide that."""

    distances: tuple[_Distance, _Distance, _Distance]
    inside: Computed
    swapped: Array
    unsure: Array

    @classmethod
    def of(
        cls, anchor: Computed, positive: Computed, negative: Computed, margin: float, p: float, eps: float, swap: bool
    ) -> _Triplet:
        near, far = _Distance.of(anchor, positive, p, eps), _Distance.of(anchor, negative, p, eps)
        other = _Distance.of(positive, negative, p, eps) if swap else far
        swapped, unsure = _smaller(other.size, far.size)
        smaller = Computed(
            np.where(swapped, other.size.value, far.size.value), anchor.format, np.maximum(other.size.off, far.size.off)
        )
        inside = ((near.size + Computed.operand(margin, anchor.format)).stored() - smaller).stored()
        return cls((near, far, other), inside, swapped, unsure)

    def to_operands(
        self, share: Computed, slopes: tuple[Array, ...], parts: tuple[Computed, ...]
    ) -> tuple[Computed, ...]:
        """What each operand is given by the distances; slopes: the loops', without the share."""
        g, h, k = parts
        zero = Computed.operand(np.zeros(g.shape), g.format)
        kept, moved = ((g, -h), (-g, zero), (zero, h)), ((g, zero), (-g, -k), (zero, k))
        return tuple(
            self.of_either(share, slope, added(*one), added(*two))
            for slope, one, two in zip(slopes, kept, moved, strict=True)
        )

    def of_either(self, share: Computed, slope: Array, one: Computed, two: Computed) -> Computed:
        """That of the distance which is smaller, or either's, where the row is not still."""
        chosen = Computed(
            np.where(self.swapped[..., None], two.value, one.value), one.format, np.maximum(one.off, two.off)
        )
        either = np.abs(one.value - two.value) + one.off + two.off
        chosen = Computed(chosen.value, one.format, chosen.off + np.where(self.unsure[..., None], either, 0.0))
        turns = np.abs(self.inside.value) <= self.inside.off
        return _of_either(chosen, share, slope, turns, self.inside.value < 0.0)


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
        powers = [] if self.p == 2.0 else [_power(e.map(np.abs), self.p - 2.0)]
        return product((column(share) / _power(d, self.p - 1.0)).stored(), *powers, e)

    def bent(self, share: Computed, t: Computed) -> tuple[Computed, Computed]:
        """The derivatives along t of the distance and of its slopes times s, as autograd forms them of the slopes'
        ``s/D·w`` with ``w = e·|e|^{p−2}`` and ``D = d^{p−1}``: ``Σt·w/D``, and ``s/D·t·|e|^{p−2}`` p − 1 times, less
        ``(p − 1)·d^{p−2}·(Σt·w)·s/D/D·w/D``. Of p = 2 they are ``s·u`` with ``u = e/d``: ``Σt·u``, and ``s·t/d`` less
        ``(Σs·t·u/d)·u``. Of p = 1 slopes do not change.
        """
        e, d, s, p = self.difference, self.size, share, self.p
        if p == 1.0:
            return _summed(product(t, self.slope(exact(1.0, s)))), Computed.operand(np.zeros(t.shape), t.format)
        inverse = (exact(1.0, e) / _power(d, p - 1.0)).stored()
        if p == 2.0:
            u = (e / column(d)).stored()
            through = product(column(_summed(product(t, column(s), u, column(inverse)))), u)
            straight = product(t, column(s), column(inverse))
            return _summed(product(t, u)), (straight - through).stored()
        power, rate = _power(e.map(np.abs), p - 2.0), exact(p - 1.0, e)
        w, growth = product(e, power), _power(d, p - 2.0)
        along = _summed(product(t, w))
        straight = product(column(product(s, inverse)), t, power)
        back = product(along, s, inverse, inverse, rate, growth, inverse)
        bent = added(straight, product(straight, exact(p - 2.0, e)), -product(column(back), w))
        return _summed(product(t, w, column(inverse))), bent


def _cosine(x: Computed, other: Computed) -> tuple[list[Computed], Computed, Computed]:
    """Both sums of squares, the root of their product, and the cosine."""
    epsilon = Computed(np.asarray(loops.EPSILON), x.format, np.asarray(FLOAT32.unit_roundoff * loops.EPSILON))
    squares = [(_summed(v * v) + epsilon).stored() for v in (x, other)]
    q = (squares[0] * squares[1]).stored().pow(0.5).stored()
    return squares, q, (_summed(x * other) / q).stored()


def _inside(cosine: Computed, target: Array, margin: float) -> tuple[Computed, Array, Array]:
    """How far a cosine is above the margin, where errors may decide whether it is, and where it is not."""
    inside = (cosine - Computed.operand(margin, cosine.format)).stored()
    apart = np.asarray(target) == -1.0
    return inside, apart & (np.abs(inside.value) <= inside.off), apart & (inside.value < 0.0)


def _power(x: Computed, exponent: float) -> Computed:
    """A power, stored; of one there is none, and of two a product."""
    return x if exponent == 1.0 else (x * x if exponent == 2.0 else x.pow(exponent)).stored()


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

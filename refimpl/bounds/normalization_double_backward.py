"""Second gradients of normalisation with their errors.

Autograd forms them as the derivatives of the steps of the first ones (RMS and group normalisation), or by a formula
(layer and batch normalisation). The terms are the same, of x̂, sums over rows and powers of r; each result is stored.
What differs is where differences are taken:

- a sum ``Σ a·x̂`` may be that of ``a·(x − μ)``, or the difference of ``Σ a·x`` and ``μ·Σ a``: its terms have the size
  ``|a|·(|x| + |μ|)·r``, and n and a few roundings;
- a term ``x̂·A`` may be added up as ``x·(r·A)`` and ``−μ·(r·A)``, each in turn with the other terms: as many roundings
  and storings more, of the size ``(|x| + |μ|)·r·|A|``;
- a row may be summed before it is divided by n or after, so that what underflows may be multiplied by n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from refimpl import normalization as loops
from refimpl.arrays import Array
from refimpl.bounds import common
from refimpl.bounds.common import covered, exact, smallest
from refimpl.bounds.normalization import UNBOUNDED, given_statistics, hat_of, statistics, turned_back
from refimpl.double_backward import added
from refimpl.normalization import LAYERS, Rows
from refimpl.rounding import Computed, Format, gamma, rounding_of

STEPS = 6
"""The most results that are stored on the way to a sum over a row (a product, one with the weight, sums over two axes,
a product with μ, a difference), and from it to an element (products with powers of r and x, a quotient, three sums)."""


class _Statistics:
    """x̂ and r of each row, with their errors, and sums over it.

    size: ``(|x| + |μ|)·r``, the size of what x̂ may be the difference of; n: the elements of a row.
    """

    def __init__(self, x: Computed, mean: Computed, inverse: Computed, centered: bool) -> None:
        self.inverse, self.centered, self.n = inverse.stored(), centered, max(x.shape[1], 1)
        hat, self.size = hat_of(x, mean.stored(), self.inverse)
        self.hat = replace(hat, error=hat.off + gamma(2 * STEPS, x.format.storage) * self.size)

    def product(self, *factors: Computed) -> Computed:
        """A product of factors in any order, what underflows on the way multiplied by n."""
        result = common.product(*factors)
        remaining = np.prod([1.0 + np.broadcast_to(f.reach, result.shape) for f in factors], axis=0)
        return replace(result, error=result.off + self.n * smallest(result) * remaining)

    def mean(self, terms: Computed, size: Array | None = None) -> Computed:
        """The mean of terms, which may be differences of what has a size."""
        size = _total(terms.reach if size is None else size)
        off = (_total(terms.off) + rounding_of(size, self.n + 8, terms.precision)) / self.n
        return Computed(_total(terms.value) / self.n, terms.format, _in_steps(off, size / self.n, terms.format))

    def along(self, a: Computed) -> Computed:
        """``Σ(a·x̂)/n``."""
        return self.mean(self.product(a, self.hat), a.reach * self.size)

    def moved(self, a: Computed) -> tuple[Computed, ...]:
        """The terms of ``a − Σa/n``."""
        return (a, -self.mean(a)) if self.centered else (a,)

    def across(self, a: Computed) -> tuple[Computed, ...]:
        """The terms of ``P(a) = a − Σa/n − x̂·Σ(a·x̂)/n``."""
        return (*self.moved(a), -self.product(self.hat, self.along(a)))

    def weighed(self, a: Computed, b: Computed) -> tuple[Computed, Array]:
        """``a·r·P(b)``, and the size of its terms."""
        size = sum((term.reach for term in self.moved(b)), self.size * self.along(b).reach)
        return self.product(a, self.inverse, added(*self.across(b))), a.reach * self.inverse.reach * size

    def curved(self, h: Computed, p: Computed) -> tuple[Computed, ...]:
        """The terms of ``−r²·(x̂·(m(h·p) − m(h)·m(p) − 3·m(h·x̂)·m(p·x̂)) + m(p·x̂)·(h − m(h)) + m(h·x̂)·(p − m(p)))``."""
        squared, h_along, p_along = (self.inverse, self.inverse), self.along(h), self.along(p)
        inner = [self.mean(self.product(h, p)), -self.product(exact(3.0, h), h_along, p_along)]
        if self.centered:
            inner.append(-self.product(self.mean(h), self.mean(p)))
        sides = [self.product(p_along, term, *squared) for term in self.moved(h)]
        sides += [self.product(h_along, term, *squared) for term in self.moved(p)]
        return tuple(-term for term in (self.product(self.hat, added(*inner), *squared), *sides))


def _total(values: Array) -> Array:
    return np.asarray(values.sum(axis=1, keepdims=True))


def _in_steps(off: Array, size: Array, format: Format) -> Array:
    """What sums of terms of a size are off by if results on the way to them are stored, too."""
    storage = format.storage
    if storage is format.accumulator:
        return off
    return off + rounding_of(size + off, STEPS, storage) + STEPS * storage.underflow


def _in_rows(
    rows: Rows, g: Computed, x: Computed, operands: Sequence[Computed]
) -> tuple[tuple[Computed, ...], list[Computed], tuple[Computed, ...]]:
    """The cotangent, the input, its direction and the weight as rows; the directions of weight and bias as rows; and
    weight and bias. operands: weight and bias, if there are any, and the directions of input, weight and bias.
    """
    count = len(operands) // 2
    affine, p, moved = tuple(operands[:count]), operands[count], operands[count + 1 :]
    g, x, p = (operand.map(rows.rows) for operand in (g, x, p))
    w = affine[0].map(rows.spread) if affine else Computed.operand(np.ones(x.shape), x.format)
    return (g, x, p, w), [each.map(rows.spread) for each in moved], affine


def _to_affine(
    affine: tuple[Computed, ...], rows: Rows, value: Array, *orders: tuple[Computed, Array]
) -> list[Computed]:
    """To the weight a sum of terms of a size, in the worst of some orders; to the bias nothing."""
    found = []
    for w in affine[:1]:
        many, off = value.size // max(w.value.size, 1), np.zeros(w.shape)
        for terms, size in orders:
            reach = rows.summed(size, w.shape)
            of_terms = rows.summed(terms.off, w.shape) + rounding_of(reach, many + 6, terms.precision)
            off = np.maximum(off, _in_steps(of_terms, reach, w.format))
        found.append(covered(Computed(rows.summed(value, w.shape), w.format, off).stored()))
    return found + [Computed.operand(np.zeros(b.shape), b.format) for b in affine[1:]]


@UNBOUNDED
def second(
    g: Computed, x: Computed, *operands: Computed, rows: Rows, eps: float, centered: bool = True
) -> tuple[Computed, ...]:
    """``∂g``, ``∂x``, ``∂w`` and ``∂b`` of :mod:`refimpl.normalization`, for directions p, q and s.

    ``∂w`` is a sum of ``g·r·P(p)``, or of ``p·r·P(g)`` where a row has one weight.
    """
    (cotangent, turned, p, w), moved, affine = _in_rows(rows, g, x, operands)
    row = _Statistics(turned, *statistics(turned, eps, centered), centered)
    h, slope = row.product(cotangent, w), loops.gradient(p.value, turned.value, eps, centered)
    to_g, of_g = [row.product(row.inverse, w, term) for term in row.across(p)], w.value * slope
    to_x, of_x = [*row.curved(h, p)], loops.curvature(h.value, p.value, turned.value, eps, centered)
    if moved:
        k = row.product(cotangent, moved[0])
        to_g, of_g = [*to_g, row.product(moved[0], row.hat)], of_g + moved[0].value * row.hat.value
        to_x = [*to_x, *(row.product(row.inverse, term) for term in row.across(k))]
        of_x = of_x + loops.gradient(k.value, turned.value, eps, centered)
    for s in moved[1:]:
        to_g, of_g = [*to_g, s], of_g + s.value
    orders = ((cotangent, p), (p, cotangent)) if rows.one_weight else ((cotangent, p),)
    return (
        turned_back(replace(added(*to_g), value=of_g), rows, x),
        turned_back(replace(added(*to_x), value=of_x), rows, x),
        *_to_affine(affine, rows, cotangent.value * slope, *(row.weighed(*order) for order in orders)),
    )


def layer(name: str, g: Computed, x: Computed, *operands: Computed, eps: float, **how: Any) -> tuple[Computed, ...]:
    """Of one of :data:`~refimpl.normalization.LAYERS`."""
    arranged, centered = LAYERS[name]
    return second(g, x, *operands, rows=arranged(x.shape, **how), eps=eps, centered=centered)


@UNBOUNDED
def batch_norm(
    g: Computed, x: Computed, *operands: Computed, training: bool, momentum: float, eps: float, running_mean: Array,
    running_var: Array,
) -> tuple[Computed, ...]:  # fmt: skip
    """Of the batch's own statistics in training; in evaluation ``∂g = p·r·w + q·x̂ + s``, ``∂x = g·r·q`` and ``∂w = Σ
    g·r·p``.
    """
    rows = Rows.of_batch(x.shape)
    if training:
        return second(g, x, *operands, rows=rows, eps=eps)
    (cotangent, turned, p, w), moved, affine = _in_rows(rows, g, x, operands)
    mean, variance = (Computed.operand(values, x.format) for values in (running_mean, running_var))
    mean, inverse = given_statistics(mean, variance, eps)
    # The sum with ε is stored before its root is taken.
    inverse = replace(inverse, error=inverse.off + gamma(1, x.format.storage) * inverse.reach)
    row = _Statistics(turned, mean, inverse, centered=True)
    terms = row.product(cotangent, row.inverse, p)
    to_g = [row.product(p, row.inverse, w)]
    to_x = [Computed.operand(np.zeros(turned.shape), x.format)]
    if moved:
        to_g += [row.product(moved[0], row.hat), *moved[1:]]
        to_x = [row.product(moved[0], row.inverse, cotangent)]
    return (
        turned_back(added(*to_g), rows, x),
        turned_back(added(*to_x), rows, x),
        *_to_affine(affine, rows, terms.value, (terms, terms.reach)),
    )

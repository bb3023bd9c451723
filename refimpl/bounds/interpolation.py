"""Interpolation with its errors, those of its weights included: positions among the elements are rounded, too.

A scale r is a quotient, or the reciprocal of a factor that may be rounded first: ``γ_3``. The product ``r·(i + ½)``
rounds once more, and so does the difference of that and ½. So s is off by ``e = γ_5·(r·(i + ½) + ½)`` at most.

- Linear weights change by e, for they have slopes of ±1; between the elements on either side they are continuous. So
  where s is within e of a whole number, the next element may have a weight of e, too. ``1 − λ``, or a sum that is
  formed as ``x₀ + (x₁ − x₀)·λ``, costs 4u of each element more.
- Cubic weights have slopes of 1.35 at most. A polynomial by Horner's scheme is off by ``γ_8`` of the sum of its terms'
  sizes, at most 4.5 inside and 36 outside.
- The filter of antialiasing is taken of distances that are off by ``e/max(r, 1) + γ_3·|d|``, and weights are divided
  by their sum.
- The index of the nearest element is a whole part, which a rounding changes where ``q = r·(i + ½)`` is within
  ``γ_4·q`` of a whole number, unless r has few bits and nothing is rounded. In float32, whatever the dtype: in that
  ATen has it (ATen/native/UpSample.h). There either element is right, and anywhere else one is, exactly.

A sum of n terms over a axes meets ``γ_{n+a}``: a products and n − 1 additions, in any order, axis by axis or at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from refimpl import interpolation as loops
from refimpl.arrays import Array
from refimpl.interpolation import Axis, Taps
from refimpl.rounding import FLOAT32, Computed, Precision, gamma, rounding_of

Uncertain = tuple[Array, Array, Array]
"""Taps and how far their weights may be off: elements, weights, errors, (outputs, taps) each."""

SLOPE = {"linear": 1.0, "cubic": 1.4}
"""How much a weight changes with the distance, at most."""


def interpolate(x: Computed, **how: Any) -> Computed:
    """:func:`refimpl.interpolation.interpolate`."""
    axes = _axes(x.shape, x.precision, how)
    terms = math.prod(int((weight != 0).sum(axis=1).max()) for _, weight, _ in axes)
    return _bounded(x, axes, loops.summed, np.asarray(terms - 1.0), _moves(how))


def interpolate_gradients(cotangent: Computed, x: Computed, **how: Any) -> tuple[Computed, ...]:
    """The adjoint: an element has as many terms as there are positions that take it."""
    axes = _axes(x.shape, cotangent.precision, how)

    def scatter(g: Array, taps: list[Taps]) -> Array:
        return loops.scattered(g, x.shape, taps)

    taken = [(index, np.where((weight != 0) | (off != 0), 1.0, 0.0)) for index, weight, off in axes]
    additions = np.maximum(scatter(np.ones(cotangent.shape), taken) - 1.0, 0.0)
    return (_bounded(cotangent, axes, scatter, additions, _moves(how)),)


def ambiguous(shape: tuple[int, ...], **how: Any) -> bool:
    """True if a rounding may decide which element is the nearest.

    >>> ambiguous((1, 1, 4), size=(8,)), ambiguous((1, 1, 3), size=(5,)), ambiguous((1, 1, 10), size=(15,))
    (False, False, True)
    """
    return any(off.any() for _, _, off in _axes(shape, FLOAT32, how))


def _bounded(
    x: Computed, axes: list[Uncertain], linear: Callable[..., Array], additions: Array, moves: bool
) -> Computed:
    """A weighted sum with its error; where elements are moved alone, and none meet, without one."""
    value = linear(x.value, [(index, weight) for index, weight, _ in axes])
    if moves and x.error is None and not additions.any() and not any(off.any() for _, _, off in axes):
        return Computed(value, x.format)
    sizes = [(index, np.abs(weight)) for index, weight, _ in axes]
    whole = [(index, np.abs(weight) + off) for index, weight, off in axes]
    off = linear(x.off, sizes)
    for k, (index, _, error) in enumerate(axes):  # of a product of weights: those before, this one's error, those after
        if error.any():
            off = off + linear(x.reach, [*sizes[:k], (index, error), *whole[k + 1 :]])
    roundings = additions if moves else additions + len(axes) + 1
    off = off + rounding_of(linear(x.reach, whole), roundings, x.precision) + roundings * x.precision.underflow
    computed = Computed(value, x.format, off)
    return computed.stored() if roundings.any() else computed


def _moves(how: dict[str, Any]) -> bool:
    return "nearest" in how.get("mode", "nearest")


def _axes(shape: tuple[int, ...], precision: Precision, how: dict[str, Any]) -> list[Uncertain]:
    kind = loops.kind_of(how)
    return [_uncertain(axis, precision, **kind) for axis in loops.axes_of(shape, **how)]


@functools.lru_cache(maxsize=4096)
def _uncertain(axis: Axis, precision: Precision, mode: str, align_corners: bool, antialias: bool) -> Uncertain:
    """The taps of an axis with the errors of their weights, those of elements included that may have one."""
    if "nearest" in mode:
        return _nearest(axis, mode)
    places = [float(s) for s in loops.positions(axis, align_corners)]
    off = np.array([[gamma(5, precision) * (abs(s) + 1.0)] for s in places])
    if antialias:
        return _filtered(axis, precision, mode, off)
    index, weight = loops.taps(axis, mode, align_corners)
    s = np.maximum(places, 0.0) if mode == "linear" else np.array(places)
    first = np.floor(s)[:, None] - (0 if mode == "linear" else 1)
    place = first - 1 + np.arange(index.shape[1] + 2)  # one element more on either side
    near = np.abs(s - np.rint(s))[:, None] <= off
    within = np.pad(np.ones(index.shape, dtype=bool), ((0, 0), (1, 1)))
    rounding = _polynomial(np.abs(s[:, None] - place), precision) if mode == "cubic" else 4.0 * precision.unit_roundoff
    wider = np.clip(place, 0, axis[0] - 1).astype(np.int64)
    errors = np.where(within, SLOPE[mode] * off + rounding, np.where(near, SLOPE[mode] * off, 0.0))
    return wider, np.pad(weight, ((0, 0), (1, 1))), errors


def _nearest(axis: Axis, mode: str) -> Uncertain:
    """The nearest element, and the one beside it where a rounding decides."""
    slack, few = Fraction(float(gamma(4, FLOAT32))), _few_bits(loops.ratio(axis, False))
    found = []
    for q in loops.nearest(axis, mode):
        ends = [q] if few else [q * (1 - slack), q * (1 + slack)]
        found.append([min(math.floor(end), axis[0] - 1) for end in (q, *ends)])
    right = np.array([each[0] for each in found])
    others = np.array([next((u for u in each if u != each[0]), each[0]) for each in found])
    index, differ = np.stack([right, others], axis=1), (right != others)[:, None]
    return index, np.array([[1.0, 0.0]] * len(found)), np.where(differ, 1.0, 0.0) * np.ones((1, 2))


def _few_bits(r: Fraction) -> bool:
    """True if r, and its products with positions, have so few bits that nothing is rounded."""
    return r.denominator & (r.denominator - 1) == 0 and r.denominator <= 2**6 and r.numerator < 2**6


def _polynomial(d: Array, precision: Precision) -> Array:
    """What rounding costs in the cubic weight of a distance."""
    return np.where(d <= 1.0, 4.5, np.where(d <= 2.0, 36.0, 0.0)) * gamma(8, precision)


def _filtered(axis: Axis, precision: Precision, mode: str, off: Array) -> Uncertain:
    """The weights of antialiasing: each off by its filter's error, and by that of the sum of all."""
    index, weight = loops.taps(axis, mode, antialias=True)
    wide, reach = max(float(loops.ratio(axis, False)), 1.0), 1.0 if mode == "linear" else 2.0
    distance = off / wide + gamma(3, precision) * reach
    formed = 2.0 * precision.unit_roundoff if mode == "linear" else 36.0 * gamma(8, precision)
    each = SLOPE[mode] * distance + formed
    total = np.array([[_total(axis, s, wide, mode)] for s in loops.positions(axis, False)])
    among, terms = index.shape[1] * each, gamma(index.shape[1], precision)
    least = total - among
    least = np.where(least > 0.0, least, 0.0)
    with np.errstate(divide="ignore"):
        errors = (each + np.abs(weight) * (among + terms * np.abs(weight).sum(axis=1, keepdims=True) * total)) / least
    return index, weight, errors + precision.unit_roundoff * np.abs(weight)


def _total(axis: Axis, s: Fraction, wide: float, mode: str) -> float:
    """The sum of the filter over the elements that it reaches."""
    return sum(loops.filtered((float(s) - u) / wide, mode) for u in range(axis[0]))

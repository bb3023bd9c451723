"""What a result should be, how far it may be off, and the comparison of values with that.

NaN and infinities must stand in the same places; −0 equals +0, since the sign of a zero sum depends on the order of
summation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refimpl.arrays import Array
from refimpl.rounding import FLOAT64, FORMATS, Computed


@dataclass(frozen=True)
class Expected:
    """The value that a result should have, and how far it may be off: ``bound`` None means not at all."""

    values: Array
    bound: Array | None = None

    @classmethod
    def within(cls, computed: Computed) -> Expected:
        """A value with the bound of its precision.

        ``T = B·(1 + u₆₄/u)``: the reference, itself computed in float64, may be off by ``B·u₆₄/u``, since every
        term of B grows at least in proportion to u. For a float64 subject this is twice the bound. The last
        factor covers the rounding of B itself, which is below 2⁻²⁰ for any sum of fewer than 2³² terms.
        """
        own = FLOAT64.unit_roundoff / computed.precision.unit_roundoff
        return cls(computed.value, computed.off * (1.0 + own) * (1.0 + 2.0**-20))

    @classmethod
    def of(cls, result: Computed | Array) -> Expected:
        """What a loop or a bound gives: maxima and moved elements have no error, and must be equal."""
        if not isinstance(result, Computed):
            return cls(result)
        return cls(result.value) if result.error is None else cls.within(result)

    @classmethod
    def off_by(cls, values: ArrayLike, error: ArrayLike) -> Expected:
        """A value and how far it may be off; equality where that is nowhere at all."""
        return cls(np.asarray(values), np.asarray(error) if np.any(error) else None)

    def wider(self, error: Array) -> Expected:
        """The same value, allowed to be off by so much more."""
        return Expected.off_by(self.values, error if self.bound is None else self.bound + error)

    def plus(self, other: Expected) -> Expected:
        """The sum of two scalars that float64 has without error, or in which ``2u·(|a| + |b|)`` is for its rounding."""
        values = self.values + other.values
        error = sum(side.bound for side in (self, other) if side.bound is not None)
        rounding = 2 * FLOAT64.unit_roundoff * (np.abs(self.values) + np.abs(other.values)) if np.any(error) else 0.0
        return Expected.off_by(values, error + rounding)

    def __getitem__(self, index: Any) -> Expected:
        """The expectation for a part of the result."""
        return self.map(lambda values: values[index])

    def map(self, select: Callable[[Array], Array]) -> Expected:
        """The expectation after elements are selected or moved."""
        return Expected(select(self.values), None if self.bound is None else select(self.bound))


def shares(values: Array, wanted: Array, bound: Array | None) -> Array:
    """The error of each element as a share of its bound: at most 1 where it holds, infinite where nothing may be off.

    >>> shares(np.array([1.0, np.nan, 2.0]), np.array([1.0, np.nan, 3.0]), np.array([0.0, 0.0, 4.0]))
    array([0.  , 0.  , 0.25])
    """
    allowed = np.zeros(wanted.shape) if bound is None else np.broadcast_to(bound, wanted.shape)
    if np.isnan(allowed).any():
        raise ValueError("a bound is NaN: its derivation does not cover these operands")
    same = (values == wanted) | (np.isnan(values) & np.isnan(wanted))
    if same.all():
        return np.zeros(same.shape)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = np.abs(values - wanted) / allowed
    # A NaN or an infinity in the wrong place is never within a bound, however wide.
    share = np.where(np.isfinite(values) & np.isfinite(wanted), share, np.inf)
    return np.where(same, 0.0, share)


def difference(what: str, values: Array, wanted: Array, bound: Array | None) -> tuple[float, str | None]:
    """The worst error as a share of its bound, and how the values differ in words, None where they do not.

    >>> difference("output", np.array([1.0, 4.0]), np.array([1.0, 2.0]), np.array([0.5, 0.5]))[1]
    'output[1] is np.float64(4.0), but should be np.float64(2.0) ± 0.5 (4 times the bound); 1 of 2 differ'
    """
    share = shares(values, wanted, bound)
    worst = float(share.max(initial=0.0))
    if worst <= 1.0:
        return worst, None
    at = np.unravel_index(int(share.argmax()), share.shape)
    where = f"[{', '.join(map(str, at))}]" if at else ""
    should = f"{wanted[at]!r}" if bound is None else f"{wanted[at]!r} ± {np.broadcast_to(bound, wanted.shape)[at]:.3g}"
    more = f" ({worst:.3g} times the bound)" if bound is not None else ""
    count = int((share > 1.0).sum())
    return worst, f"{what}{where} is {values[at]!r}, but should be {should}{more}; {count} of {share.size} differ"


def overflowing(values: Array, wanted: Array, bound: Array | None, dtype: str) -> Array:
    """What is wanted, with infinities where they were seen and what is wanted is stored as one.

    A number is stored as infinity from ``(2 − u)·2^e`` on, e the largest exponent (IEEE 754, 4.3.1). One that is
    allowed to be off may be stored as a neighbour, ``2u`` from it, and no other: a sum that overflows on the way is
    infinite however wide its bound, and wrong.

    >>> overflowing(np.full(3, np.inf), np.array([81160.0, 65500.0, 40000.0]), np.full(3, 4e4), "float16")
    array([   inf,    inf, 40000.])
    """
    if not np.isinf(values).any() or dtype not in FORMATS:
        return wanted
    storage, size = FORMATS[dtype].storage, np.abs(wanted)
    first = storage.largest + storage.unit_roundoff * 2.0**storage.largest_exponent
    with np.errstate(over="ignore"):
        reach = size + (0.0 if bound is None else np.minimum(bound, 2.0 * storage.unit_roundoff * size))
    return np.where(np.isinf(values) & (np.sign(values) == np.sign(wanted)) & (reach >= first), values, wanted)

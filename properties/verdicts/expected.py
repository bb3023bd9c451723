"""What a result should be: a value and how far it may be off, a shape, or an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refimpl.arrays import Array
from refimpl.rounding import FLOAT64, Computed, Format


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


@dataclass(frozen=True)
class Shaped:
    """An output of a shape, whatever its values; perhaps in_order: laid out in the order of its axes, without gaps."""

    shape: tuple[int, ...]
    in_order: bool = False


@dataclass(frozen=True)
class Refusal:
    """An exception in place of a result: what is asked for breaks ``rule``.

    Where there is a ``shape``, an output of that shape is as good: the arguments are valid, but past what can be held.
    """

    rule: str
    shape: tuple[int, ...] | None = None


def off(expected: Expected, format: Format) -> Array:
    """How far a result that keeps the expectation may be from the exact value.

    That is its bound. Where nothing but equality will do, the exact value was moved, compared, or is an integer that
    was summed without error and then stored: below ``2^bits`` as it is, from there on off by ``u·|value|`` at most.

    >>> from refimpl.rounding import FORMATS
    >>> off(Expected(np.array([255.0, 256.0, 0.5])), FORMATS["bfloat16"])
    array([0., 1., 0.])
    """
    if expected.bound is not None:
        return np.broadcast_to(expected.bound, np.shape(expected.values))
    size = np.abs(np.asarray(expected.values, dtype=np.float64))
    stored = (size == np.rint(size)) & (size >= format.storage.largest_exact_integer)
    return np.where(stored, format.storage.unit_roundoff * size, 0.0)


def exactly(values: Array) -> dict[str, Expected]:
    """The expectation of a single output that must be equal to ``values``."""
    return {"output": Expected(np.asarray(values, dtype=np.float64))}

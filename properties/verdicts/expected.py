"""What a result should be: a value and how far it may be off, a shape, or an exception."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.arrays import Array
from refimpl.expected import Expected as Expected
from refimpl.rounding import Format


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

"""Special values, and what IEEE arithmetic promises of them in whatever order a kernel computes.

An output whose taps hold no NaN and no infinity is what it would be without any elsewhere. One that meets some is NaN
or infinite as the loops in float64 say: NaN where a NaN is added or multiplied, where ∞ meets 0 or the other ∞. What
padding repeats of the input, reflected, replicated or in a circle, is the input's value like any other.

Five things nobody promises, and they are left open:

- whether a tap in a padding of zeros multiplies its zero: a weight of ∞ there may give NaN;
- whether a transposed layer multiplies zeros between the elements that a stride sets apart, around them and for the
  output padding, so that an output may be NaN whenever one of its channel's weights is NaN or ∞;
- whether units for bfloat16 products take subnormal numbers for zeros, which shows where they meet ∞ or large numbers;
- a sum whose terms together exceed the accumulator's largest number, for it depends on the order;
- a result so near the storage's largest number that its error decides between it and ∞.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, in_format, unpadded
from properties.cases.dealing import dealt, drawn
from properties.operators import Operator
from properties.verdicts.expected import Expected
from properties.worker.call import Outcome, Setting
from refimpl.arrays import Array
from refimpl.rounding import BFLOAT16, INTEGERS, Format, Precision, round_to

PALETTES = ("nan", "inf", "-inf", "both inf", "all -inf", "zeros", "tiny", "large", "nan and -inf", "every")
RARELY, OFTEN = 0.05, 0.3


@dataclass(frozen=True)
class Special(Case):
    """A case with some special values, which the palette names.

    often: the share of elements that are special; None leaves that to the seed.
    """

    palette: str = "every"
    often: float | None = None

    def with_integers(self) -> Special:
        """Itself: the values are what matters."""
        return self

    def tensor(self, name: str, shape: tuple[int, ...], format: Format, scale: int = 1) -> Array:
        """Values for one operand: normal ones, and special ones in some places; of integers, the extremes."""
        values = super().tensor(name, shape, format, scale).copy()
        generator = np.random.default_rng([self.seed, zlib.crc32(name.encode()), 1])
        chosen = specials(self.palette, format.storage)
        often = generator.choice([RARELY, OFTEN]) if self.often is None else self.often
        places = generator.random(shape) < (1.0 if self.palette == "all -inf" and name == "input" else often)
        return np.where(places, generator.choice(chosen, shape), values)


def specials(palette: str, storage: Precision) -> list[float]:
    """The special values of a palette, as a format has them."""
    if storage.name in INTEGERS:
        return [least(storage), most(storage)]
    tiny = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149}.get(storage.name, 2.0**-1074)
    values = {
        "nan": [np.nan], "inf": [np.inf], "-inf": [-np.inf], "both inf": [np.inf, -np.inf], "all -inf": [-np.inf],
        "nan and -inf": [np.nan, -np.inf], "zeros": [0.0, -0.0], "tiny": [tiny, -tiny, 2.0 * tiny],
        "large": [storage.largest, -storage.largest],
    }  # fmt: skip
    return values[palette] if palette in values else [value for every in values.values() for value in every]


def least(storage: Precision) -> float:
    """The smallest integer of a type."""
    return float(np.iinfo(storage.name).min)


def most(storage: Precision) -> float:
    """The largest integer of a type that float64 represents too."""
    largest = np.iinfo(storage.name).max
    return float(largest) if largest < 2**53 else float(largest - 1023)


@st.composite
def special(draw: st.DrawFn, operator: Operator) -> Special:
    """An operator's case with special values, the input of windows sometimes in channels_last."""
    with drawn("fill"):
        case = draw(operator.cases)
    last = operator.has("window") and dealt(draw, "channels_last", (False, False, True))
    setting = Setting({"input": in_format("channels_last", case.shapes["input"])}) if last else None
    palette, often = dealt(draw, "values", PALETTES), dealt(draw, "often", (RARELY, OFTEN))
    return Special(case.shapes, case.arguments, "normal", case.seed, setting, palette, often)


@dataclass(frozen=True)
class Promise:
    """What an output should be, and where anything is promised of it."""

    expected: Expected
    certain: Array

    def kept(self, outcome: Outcome, name: str = "output", group: str = "outputs") -> Expected:
        """The expectation of every element; where nothing is promised it is what was seen."""
        seen = getattr(outcome, group).get(name)
        if seen is None or seen.shape != self.certain.shape:
            return self.expected
        bound = None if self.expected.bound is None else np.where(self.certain, self.expected.bound, 0.0)
        return Expected(np.where(self.certain, self.expected.values, np.asarray(seen.values)), bound)


def of_sums(operator: Operator, case: Case, operands: Mapping[str, Array], format: Format) -> Promise:
    """What sums of products, and averages, should be for operands with special values."""
    finite = {name: np.where(np.isfinite(values), values, 0.0) for name, values in operands.items()}
    exact = np.asarray(operator.reference(*operands.values(), **case.arguments))
    with np.errstate(over="ignore", invalid="ignore"):
        near = operator.expected(finite, case.arguments, format)["output"]
        flushed = [flush(values, format) for values in operands.values()]
        alike = same_places(exact, np.asarray(operator.reference(*flushed, **case.arguments)))
        most = _magnitude(operator, finite, case)
        lost = most - _magnitude(operator, {name: flush(v, format) for name, v in finite.items()}, case)
    held, stored = most <= format.largest_sum / 2.0, 1.0 + 2.0 * format.storage.unit_roundoff
    return promised(exact, near.wider(lost * stored), held & alike & ~_meets_zeros(operator, case, operands), format)


def promised(exact: Array, near: Expected, certain: Array, format: Format) -> Promise:
    """The promise of sums that are ``exact`` where they meet NaN or infinities, and elsewhere as expected."""
    storage, meets = format.storage, ~np.isfinite(exact)
    bound = np.zeros(exact.shape) if near.bound is None else near.bound
    with np.errstate(over="ignore", invalid="ignore"):
        overflows = np.abs(near.values) - bound > storage.largest * (1.0 + 2.0 * storage.unit_roundoff)
        fits = np.abs(near.values) + bound < storage.largest
    values = np.where(meets, exact, np.where(overflows, np.copysign(np.inf, near.values), near.values))
    certain = np.broadcast_to(certain & (meets | overflows | fits), exact.shape)
    return Promise(Expected(values, np.where(meets | overflows | ~certain, 0.0, bound)), certain)


def flush(values: Array, format: Format) -> Array:
    """Operands without subnormal numbers, as units that multiply narrower numbers than they add up may take them.

    Those of float16 no hardware flushes (:class:`refimpl.rounding.Precision`).
    """
    if format.storage is not BFLOAT16:
        return values
    smallest = 2.0 ** (1 - format.storage.largest_exponent)
    return np.where(np.abs(values) < smallest, 0.0, values)


def same_places(values: Array, others: Array) -> Array:
    """Where two arrays have the same NaN and infinities, or numbers."""
    return np.isfinite(values) & np.isfinite(others) | (values == others) | (np.isnan(values) & np.isnan(others))


def of_integers(operator: Operator, case: Case, operands: Mapping[str, Array], format: Format) -> Promise:
    """What sums of products of integers should be: those that the loops have exactly, wrapped."""
    held = _magnitude(operator, operands, case) <= format.accumulator.largest_exact_integer
    exact = np.asarray(operator.reference(*operands.values(), **case.arguments))
    return Promise(Expected(round_to(np.where(held, exact, 0.0), format.storage)), held)


def of_places(operator: Operator, case: Case, operands: Mapping[str, Array], format: Format) -> Promise:
    """Where NaN and infinities should be, those past the storage's largest number too; other numbers may be any."""
    with np.errstate(all="ignore"):
        exact = round_to(operator.reference(*operands.values(), **case.arguments), format.storage)
    return Promise(Expected(exact, np.full(exact.shape, np.inf)), np.ones(exact.shape, dtype=bool))


def _magnitude(operator: Operator, operands: Mapping[str, Array], case: Case) -> Array:
    """The largest that any partial sum can get."""
    function = operator.magnitude or operator.reference
    return np.asarray(function(*(np.abs(values) for values in operands.values()), **case.arguments))


def _meets_zeros(operator: Operator, case: Case, operands: Mapping[str, Array]) -> Array:
    """Where a weight that is NaN or infinite may meet a zero that is no element of the input."""
    weight = operands.get("weight")
    if not operator.axes or weight is None:
        return np.zeros((), dtype=bool)
    odd = np.where(np.isfinite(weight), 0.0, 1.0)
    if operator.has("transposed"):
        groups = case.arguments["groups"]
        of_channels = odd.reshape(groups, len(odd) // groups, odd.shape[1], -1).any(axis=(1, 3))
        return np.asarray(of_channels.reshape(-1, *(1,) * operator.axes))
    everywhere = case.with_arguments(padding_mode="replicate") if operator.has("padded") else unpadded(case)
    arguments = case.arguments if case.arguments.get("padding_mode", "zeros") == "zeros" else everywhere.arguments
    inside = operator.reference(np.ones(case.shapes["input"]), odd, **arguments)
    return np.asarray(operator.reference(np.ones(everywhere.shapes["input"]), odd, **everywhere.arguments) > inside)

"""Symptoms of a divergence: which elements of a result are wrong, and what stands there in place of the right value."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from properties.engine.rules import LEAST, Rule, rules
from properties.operators import Operator
from properties.operators.facts import Fact, Facts
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import Diverged, shares
from properties.worker.call import Call
from refimpl.arrays import Array
from refimpl.rounding import BFLOAT16, FLOAT16, FORMATS, TF32, Precision, round_to

CASES, ELEMENTS = 24, 60
"""Failing cases that are looked at, and of each so many elements, as many wrong as right where there are."""
MOST = 0.9
"""The share of the failing cases that what stands there must explain."""
SIDE = 32
"""Elements of a picture along each axis."""
BLOCKS = (4, 8, 16, 32, 64)
SPATIAL = {1: ("position",), 2: ("row", "column"), 3: ("plane", "row", "column")}
TAPS = {1: ("tap",), 2: ("row of taps", "column of taps"), 3: ("plane of taps", "row of taps", "column of taps")}
LARGEST = 1e9
"""Of a share of a bound, in a picture."""
UNEQUAL = -1.0
"""Marks an element that nothing but equality would do for, in a picture."""
FILLINGS = (b"\xaa", b"\x55")
"""The bytes of memory that was allocated, or freed, and not written since (glibc's MALLOC_PERTURB_)."""


@dataclass(frozen=True)
class Plane:
    """A plane of a wrong result: of each element the error as a share of its bound, 0 where it is right."""

    what: str
    shares: list[list[float]]


@dataclass(frozen=True)
class Symptoms:
    """What is wrong with a result. elements: the rule for the wrong ones; value: what they are, if that can be told."""

    what: str
    elements: Rule | None
    value: str
    plane: Plane | None

    @property
    def some(self) -> bool:
        """True if there are right elements, too."""
        return self.elements is not None and self.elements.under[1] + self.elements.beside[1] > 0

    def __str__(self) -> str:
        told = []
        if self.elements is not None:
            (wrong, lucky), (missed, right) = self.elements.under, self.elements.beside
            of, others = f"Wrong elements of the {self.what}", f"; of the others {missed} of {missed + right}"
            if self.elements.conditions and wrong >= LEAST * (wrong + lucky):
                told.append(f"{of}: {self.elements} ({wrong} of {wrong + lucky} that were looked at{others})")
            else:
                told.append(f"{of}: some, and no condition was found that tells which" if self.some else f"{of}: all")
        if self.value:
            told.append(f"What stands there is {self.value}")
        return ". ".join(told)


@dataclass(frozen=True)
class _Wrong:
    """A tensor that is wrong: the call that gave it, what it is, what it should be, and where it is not."""

    call: Call
    group: str
    name: str
    values: Array
    expected: Expected
    shares: Array

    @property
    def wrong(self) -> Array:
        """True of the elements that are."""
        return self.shares > 1

    @property
    def bound(self) -> Array:
        """How far each may be off."""
        bound = self.expected.bound
        return np.zeros(self.values.shape) if bound is None else np.broadcast_to(bound, self.values.shape)


def symptoms(operator: Operator, first: Diverged, failures: Sequence[Diverged]) -> Symptoms | None:
    """What is wrong in the failures that are about the same tensor as the first; None where that has no values."""
    alike = [each for each in failures if (each.group, each.name) == (first.group, first.name)]
    seen = [wrong for each in alike if (wrong := _wrong(each))]
    if not seen:
        return None
    chance = random.Random(len(seen))
    seen = chance.sample(seen, min(CASES, len(seen)))
    what = {"gradients": "gradient to ", "second": "gradient of gradients to "}.get(first.group, "") + first.name
    return Symptoms(what, _elements(operator, seen, chance), _value(operator, seen), _plane(operator, seen, what))


def _wrong(failure: Diverged) -> _Wrong | None:
    expected, observed, call = failure.expected, failure.observed, failure.call
    if call is None or not isinstance(expected, Expected) or observed is None or observed.values is None:
        return None
    values, wanted = np.asarray(observed.values), np.asarray(expected.values)
    if values.shape != wanted.shape or not values.size:
        return None
    found = _Wrong(call, failure.group, failure.name, values, expected, shares(values, wanted, expected.bound))
    return found if found.wrong.any() else None


def _elements(operator: Operator, seen: Sequence[_Wrong], chance: random.Random) -> Rule:
    """The rule that tells the wrong elements from the right."""
    told: list[tuple[Facts, bool]] = []
    for each in seen:
        for is_wrong in (True, False):
            places = np.argwhere(each.wrong == is_wrong)
            kept = chance.sample(range(len(places)), min(ELEMENTS // 2, len(places)))
            told += [(_facts(operator, each, tuple(places[i])), is_wrong) for i in kept]
    return rules(told)[0]


def _facts(operator: Operator, tensor: _Wrong, at: tuple[int, ...]) -> dict[str, Fact]:
    """What is so of an element: where it stands, and what it should be."""
    found: dict[str, Fact] = {}
    for name, i, size in zip(axes_of(operator, tensor.name, len(at)), at, tensor.values.shape, strict=True):
        i = int(i)
        found |= {f"in the first {name}": i == 0, f"in the last {name}": i == size - 1, name: i}
        found |= {f"past the last whole block of {n} {name}s": i >= size // n * n for n in BLOCKS}
    value = float(np.asarray(tensor.expected.values)[at])
    found |= {"negative": value < 0, "zero": value == 0}
    if math.isfinite(value):
        found["|value|"] = abs(value)
    return found


def axes_of(operator: Operator, name: str, number: int) -> tuple[str, ...]:
    """What the axes of a tensor are called."""
    axes = operator.axes
    if axes and name == "weight" and number == axes + 2:
        channels = ("output channel", "input channel")
        return (*(channels[::-1] if operator.has("transposed") else channels), *TAPS[axes])
    if axes and number in (axes + 1, axes + 2):
        return (*("image", "channel")[axes + 2 - number :], *SPATIAL[axes])
    usual = {1: ("element",), 2: ("row", "column")}
    return usual.get(number, tuple(f"index {axis}" for axis in range(number)))


def _plane(operator: Operator, seen: Sequence[_Wrong], what: str) -> Plane | None:
    """Of the tensors that fit a picture and have right elements, too, the plane with the most of both."""

    def clear(each: _Wrong) -> tuple[int, int]:
        wrong = int(each.wrong.sum())
        return min(wrong, each.values.size - wrong), each.values.size

    small = [each for each in seen if each.values.ndim and max(each.values.shape[-2:]) <= SIDE]
    if not small:
        return None
    best = max(small, key=clear)
    planes = best.shares.reshape(-1, *(best.values.shape[-2:] if best.values.ndim > 1 else (1, best.values.size)))
    chosen = max(range(len(planes)), key=lambda i: int((planes[i] > 1).sum()))
    share = planes[chosen]
    marked = np.where(share > 1, np.where(np.isinf(share), UNEQUAL, np.minimum(share, LARGEST)), 0.0)
    leading = best.values.shape[:-2] if best.values.ndim > 1 else ()
    index = ", ".join(map(str, np.unravel_index(chosen, leading))) if leading else ""
    size = " × ".join(map(str, best.values.shape))
    return Plane(f"{what}{f'[{index}]' if index else ''} of {size}", marked.tolist())


Candidate = Callable[[_Wrong], Array | None]


def _value(operator: Operator, seen: Sequence[_Wrong]) -> str:
    """What stands in the wrong places: the first of the candidates that explains nearly all that was seen."""
    candidates = [*_simple(), *_moved(operator, seen[0]), *_rounded(), *_computed(operator, seen[0])]
    best, explained = "", math.ceil(MOST * len(seen)) - 1
    for words, make in candidates:
        count = sum(_explains(make, each) for each in seen)
        if count > explained:
            best, explained = words, count
    return f"{best} (in {explained} of {len(seen)} cases)" if best else ""


def _explains(make: Candidate, each: _Wrong) -> bool:
    """True if a candidate gives each wrong element, and not what it should be."""
    try:
        with np.errstate(all="ignore"):
            made = make(each)
    except (ValueError, LookupError, TypeError, AssertionError, NotImplementedError):  # a task has no loops
        return False
    if made is None or np.shape(made) != each.values.shape:
        return False
    made, values = np.asarray(made)[each.wrong], each.values[each.wrong]
    with np.errstate(invalid="ignore"):
        within = np.abs(made - values) <= each.bound[each.wrong]
    return bool((within | (made == values) | (np.isnan(made) & np.isnan(values))).all())


def _simple() -> Iterator[tuple[str, Candidate]]:
    """Plain numbers, and plain functions of what it should be."""
    yield "zero", lambda each: np.zeros(each.values.shape)
    yield "NaN", lambda each: np.full(each.values.shape, np.nan)
    for byte in FILLINGS:
        yield "memory that was never written", partial(_filling, byte)
    yield "twice what it should be", lambda each: 2 * each.expected.values
    yield "half of what it should be", lambda each: each.expected.values / 2
    yield "what it should be with the other sign", lambda each: -each.expected.values
    yield "its absolute value", lambda each: np.abs(each.expected.values)


def _filling(byte: bytes, each: _Wrong) -> Array | None:
    """The number that unwritten memory holds; a bfloat16 is the upper half of a float32."""
    sizes = {"float64": "<f8", "float32": "<f4", "tf32": "<f4", "bfloat16": "<f4", "float16": "<f2"}
    if each.call.dtype not in sizes:
        return None
    size = np.dtype(sizes[each.call.dtype]).itemsize
    pattern = b"\0\0" + 2 * byte if each.call.dtype == "bfloat16" else size * byte
    return np.full(each.values.shape, float(np.frombuffer(pattern, sizes[each.call.dtype])[0]))


def _moved(operator: Operator, first: _Wrong) -> Iterator[tuple[str, Candidate]]:
    """Other elements of the same result."""
    for axis, name in enumerate(axes_of(operator, first.name, first.values.ndim)):
        for step, word in ((1, "before"), (-1, "after")):
            yield f"what belongs to the {name} {word}", partial(_shifted, axis - first.values.ndim, step)
        yield f"what belongs to the first {name}", partial(_of_one, axis - first.values.ndim, 0)
        yield f"what belongs to the last {name}", partial(_of_one, axis - first.values.ndim, -1)
        yield f"what belongs to the mirrored {name}", partial(_mirrored, axis - first.values.ndim)


def _shifted(axis: int, step: int, each: _Wrong) -> Array:
    size = each.values.shape[axis]
    return np.take(each.expected.values, np.clip(np.arange(size) - step, 0, size - 1), axis=axis)


def _of_one(axis: int, index: int, each: _Wrong) -> Array:
    one = np.take(each.expected.values, [index], axis=axis)
    return np.broadcast_to(one, each.values.shape)


def _mirrored(axis: int, each: _Wrong) -> Array:
    return np.flip(each.expected.values, axis=axis)


def _rounded() -> Iterator[tuple[str, Candidate]]:
    """What it should be, rounded to fewer bits."""
    for precision in (BFLOAT16, FLOAT16, TF32):
        yield f"what it should be, rounded to {precision.name}", partial(_rounded_to, precision)


def _rounded_to(precision: Precision, each: _Wrong) -> Array:
    return _to(precision, np.asarray(each.expected.values, dtype=np.float64))


def _to(precision: Precision, values: Array) -> Array:
    """Values with the bits of a format; TF32 is none that is stored."""
    if precision is not TF32:
        return round_to(values, precision)
    fractions, exponents = np.frexp(values)
    return np.ldexp(np.rint(fractions * 2**TF32.bits) / 2**TF32.bits, exponents)


def _computed(operator: Operator, first: _Wrong) -> Iterator[tuple[str, Candidate]]:
    """What the loops give of other operands, or of other arguments."""
    if first.call.program is not operator.program or first.group not in ("outputs", "gradients"):
        return
    for words, change in _changes(first.call):
        yield words, partial(_by_loops, operator, change)


def _by_loops(operator: Operator, change: Callable[[Call], Call], each: _Wrong) -> Array:
    call = change(each.call)
    operands: dict[str, Any] = {name: np.asarray(values) for name, values in call.operands.items()}
    format = FORMATS[call.dtype]
    if each.group == "outputs":
        return operator.expected(operands, call.arguments, format)[each.name].values
    assert call.cotangent is not None
    return operator.expected_gradients(call.cotangent, operands, call.arguments, format)[each.name].values


def _changes(call: Call) -> Iterator[tuple[str, Callable[[Call], Call]]]:
    for name in call.operands:
        if name == "bias":
            yield "a sum without the bias", partial(_operand, name, lambda values: 0 * values)
            yield "a sum with the bias twice", partial(_operand, name, lambda values: 2 * values)
        if name == "weight" and np.ndim(call.operands[name]) > 2:
            yield "a sum without the last tap", partial(_operand, name, partial(_without_tap, -1))
            yield "a sum without the first tap", partial(_operand, name, partial(_without_tap, 0))
            flipped = tuple(range(2, np.ndim(call.operands[name])))
            yield "a sum without the last input channel", partial(_operand, name, _without_channel)
            yield "what the flipped kernel gives", partial(_operand, name, partial(np.flip, axis=flipped))
        for precision in (TF32, BFLOAT16, FLOAT16):
            rounded = partial(_to, precision)
            yield f"what {name} rounded to {precision.name} gives", partial(_operand, name, rounded)
    if call.cotangent is not None and np.ndim(call.cotangent) > 1:
        yield "a sum without the last image", partial(_without_image, -1)
        yield "a sum without the first image", partial(_without_image, 0)
    for name, value in call.arguments.items():
        if isinstance(value, bool):
            yield f"what {name}={not value} gives", partial(_argument, name, lambda value: not value)
        elif isinstance(value, tuple) and name in ("stride", "dilation"):
            yield f"what {name} 1 gives", partial(_argument, name, lambda value: (1,) * len(value))
        elif isinstance(value, tuple) and name == "padding":
            yield "what no padding gives", partial(_argument, name, lambda value: (0,) * len(value))
        if isinstance(value, tuple) and len(value) > 1:
            yield f"what {name} gives with its axes exchanged", partial(_argument, name, lambda value: value[::-1])


def _operand(name: str, change: Callable[[Array], Array], call: Call) -> Call:
    changed: Mapping[str, Any] = {**call.operands, name: change(np.asarray(call.operands[name]))}
    return replace(call, operands=changed)


def _without_image(image: int, call: Call) -> Call:
    assert call.cotangent is not None
    kept = call.cotangent.copy()
    kept[image] = 0
    return replace(call, cotangent=kept)


def _argument(name: str, change: Callable[[Any], Any], call: Call) -> Call:
    return replace(call, arguments={**call.arguments, name: change(call.arguments[name])})


def _without_channel(weight: Array) -> Array:
    kept = weight.copy()
    kept[:, -1] = 0
    return kept


def _without_tap(tap: int, weight: Array) -> Array:
    kept = weight.copy()
    kept.reshape(*weight.shape[:2], -1)[:, :, tap] = 0
    return kept

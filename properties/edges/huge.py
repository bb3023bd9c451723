"""Cases with sizes and arguments up to and past 2⁶³, where integers overflow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import strategies as st

from properties.cases.case import INTEGERS, Case, kernel_size
from properties.operators import Operator
from properties.operators.constraints import on_axis, with_stride, with_window

VALUES = (2**30, 2**31 - 1, 2**31, 2**32 + 1, 2**33, 2**53 + 1, 2**61 - 1, 2**61, 2**62 - 1, 2**62, 2**62 + 1,
          2**63 - 1, 2**63, 2**64 + 1)  # fmt: skip
"""Around the largest 32-bit, exactly representable and 64-bit integers, their halves and beyond."""

LARGEST = 2**59
"""Elements of the largest tensor on meta: 64 bits must count its bytes, eight for each element of indices."""

COMPUTED = 2**10
"""Elements of the largest output that is computed."""

FEW_TAPS = 64
SAFE = 2**60
"""Arguments below it leave room for the loops' own 64-bit integers."""


@dataclass(frozen=True)
class Huge(Case):
    """A case with huge sizes or arguments, and their names."""

    inflated: tuple[str, ...] = ()


@st.composite
def huge(draw: st.DrawFn, operator: Operator, shapes: bool) -> Huge:
    """A case with one to three huge values on one axis: of shapes alone, or of arguments that one can compute with.

    Where arguments make an output that is neither small nor past any memory, its stride is increased.
    """
    case = with_stride(draw(operator.cases))
    axis = draw(st.integers(0, operator.axes - 1))
    names = ["stride"] + [name for name in ("padding", "dilation", "kernel_size") if name in case.arguments]
    names += ["size", *(["weight"] if "weight" in case.shapes else [])] if shapes else []
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    for name in chosen:
        case = inflated(case, name, axis, draw(st.sampled_from(VALUES)))
    if not shapes:
        case = of_few_outputs(operator, case, axis)
    return Huge(case.shapes, case.arguments, INTEGERS, case.seed, inflated=tuple(sorted(chosen)))


def inflated(case: Case, name: str, axis: int, value: int) -> Case:
    """The same case with one huge value; a size is one that a tensor with a batch of one can have.

    A pooling's padding is at most half of its kernel, so a huge kernel comes with a padding that it allows.
    """
    if name == "size":
        shape = [1] * len(case.shapes["input"])
        shape[len(shape) - len(kernel_size(case)) - 1] = case.shapes["input"][-len(kernel_size(case)) - 1]
        shape[axis - len(kernel_size(case))] = min(value, LARGEST) // max(1, math.prod(shape))
        return case.with_shape("input", tuple(shape))
    if name == "weight":
        return with_window(case, axis, min(value, LARGEST) // math.prod(case.shapes["weight"]))
    return on_axis(case, name, axis, value)


def of_few_outputs(operator: Operator, case: Case, axis: int) -> Case:
    """The same case, or one with a larger stride, so that an output can be computed or cannot be held."""
    shape = formula(operator, case)
    if shape is None or not COMPUTED < math.prod(shape) < 2**45:
        return case
    padding = case.arguments.get("padding", (0,) * operator.axes)[axis]
    return on_axis(case, "stride", axis, case.shapes["input"][axis - operator.axes] + 2 * padding)


def formula(operator: Operator, case: Case) -> tuple[int, ...] | None:
    """The output's shape, or None where the formula gives none: the arguments are invalid."""
    try:
        shape = operator.output_shape(case)
    except ValueError:
        return None
    return None if min(shape, default=0) < 0 else shape


def looped(case: Case, shape: tuple[int, ...]) -> bool:
    """True if the loops can compute the case in a short time: few taps, and positions that they can count to.

    Where an axis has a single window its stride is not used, and may be any that 64 bits hold.
    """
    strides = case.arguments["stride"]
    steps = [1 if n == 1 and s < 2**63 else s for n, s in zip(shape[-len(strides) :], strides, strict=True)]
    taps = math.prod(case.arguments.get("kernel_size", (1,)))
    return countable(case.with_arguments(stride=tuple(steps))) and taps <= FEW_TAPS


def countable(case: Case) -> bool:
    """True if a 64-bit integer holds every position in the padded input."""
    return max((v for given in case.arguments.values() if isinstance(given, tuple) for v in given), default=0) < SAFE

"""Cases with sizes and arguments up to and past 2⁶³, where integers overflow."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from properties.cases.case import INTEGERS, Case, kernel_size, with_spatial
from properties.operators import Operator
from properties.operators.constraints import on_axis, with_stride, with_window
from properties.operators.record import formula as formula
from refimpl.geometry import convolution_output
from refimpl.padding import convolution_padding

VALUES = (2**30, 2**31 - 1, 2**31, 2**32 + 1, 2**33, 2**53 + 1, 2**61 - 1, 2**61, 2**62 - 1, 2**62, 2**62 + 1,
          2**63 - 1, 2**63, 2**64 + 1)  # fmt: skip
"""Around the largest 32-bit, exactly representable and 64-bit integers, their halves and beyond."""

LARGEST = 2**59
"""Elements of the largest tensor on meta: 64 bits must count its bytes, eight for each element of indices."""

COMPUTED = 2**10
"""Elements of the largest output that is computed."""

HELD = 2**30
"""So many elements memory holds: only for more may it run out."""

FEW_TAPS = 64
SAFE = 2**60
"""Arguments below it leave room for the loops' own 64-bit integers."""


@dataclass(frozen=True)
class Huge(Case):
    """A case with huge sizes or arguments, and their names."""

    inflated: tuple[str, ...] = ()


def huge(operator: Operator, shapes: bool) -> st.SearchStrategy[Huge]:
    """Cases with one to three huge values on one axis: of shapes alone, or of arguments that one can compute with."""
    return _windows(operator, shapes) if operator.has("window") else _sizes(operator, shapes)


@st.composite
def _windows(draw: st.DrawFn, operator: Operator, shapes: bool) -> Huge:
    """Cases of windows; arguments that make an output neither small nor past any memory get a larger stride."""
    case = with_stride(draw(operator.cases))
    axis = draw(st.integers(0, operator.axes - 1))
    names = ["stride"] + [name for name in ("padding", "dilation", "kernel_size") if name in case.arguments]
    names += ["size", *(["weight"] if "weight" in case.shapes else [])] if shapes else []
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    for name in chosen:
        case = inflated(case, name, axis, draw(st.sampled_from(VALUES)), operator.axes)
    if not shapes:
        case = of_few_outputs(operator, case, axis)
    return Huge(case.shapes, case.arguments, INTEGERS, case.seed, inflated=tuple(sorted(chosen)))


@st.composite
def _sizes(draw: st.DrawFn, operator: Operator, shapes: bool) -> Huge:
    """Cases of operators that slide no window: any argument with numbers for axes may have a huge one.

    Every other time the rest of the arguments makes the output small again, so that it can be computed. Where it would
    be neither small nor past any memory, the values are as large as they get.
    """
    case = _least(operator, draw(operator.cases))
    # An unpooling's output is not to be of nothing; a fold's input has the elements of a kernel for its rows.
    kept = ["padding"] if "indices" in operator.given else ["kernel_size"] if operator.has("columns") else []
    kept += [] if shapes else ["output_padding"]  # which, with a stride as large, is counted through for minutes
    kept += ["stride"] if case.arguments.get("padding") == "same" else []  # which takes only 1
    names = [name for name, given in case.arguments.items() if isinstance(given, tuple) and name not in kept]
    axis = draw(st.integers(0, min(len(case.arguments[name]) for name in names) - 1))
    if shapes and operator.axes and not operator.has("columns"):
        names += ["size", *(["weight"] if "weight" in case.shapes else [])]
    chosen, few = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)), draw(st.integers(0, 3))
    values = {name: draw(st.sampled_from(VALUES)) for name in chosen}
    for largest in ({}, dict.fromkeys(chosen, 2**62)):
        found = case
        for name, value in sorted((values | largest).items(), key=lambda item: item[0] == "output_padding"):
            huge_shape = name in ("size", "weight")
            found = inflated(found, name, axis, value, operator.axes) if huge_shape else _with(found, name, axis, value)
        small = _made_small(operator, found, axis, few) if few and not largest else found
        found = found if formula(operator, small) is None else small
        found = _with_columns(found) if operator.has("columns") else found
        if shapes or not COMPUTED < elements(operator, found) < 2**45:
            break
    return Huge(found.shapes, found.arguments, INTEGERS, case.seed, inflated=tuple(sorted(chosen)))


def _least(operator: Operator, case: Case) -> Case:
    """The same case with as few elements as its kind needs, and none of its output's sizes given where it has others.

    Two along each axis of what is scattered, and one of what is unpooled, where two might meet.
    """
    if "output_size" in case.arguments and "stride" in case.arguments and not operator.has("columns"):
        case = replace(case, arguments={name: v for name, v in case.arguments.items() if name != "output_size"})
    if operator.has("transposed") or "indices" in operator.given:
        case = with_spatial(case, (2 if operator.has("transposed") else 1,) * operator.axes)
        case = case.with_arguments(padding=(0,) * operator.axes)
    return with_stride(case) if "kernel_size" in case.arguments and "output_size" not in case.arguments else case


def _with(case: Case, name: str, axis: int, value: int) -> Case:
    given = case.arguments[name]
    changed = case.with_arguments(**{name: (*given[:axis], value, *given[axis + 1 :])})
    # A stride leaves more elements out than an output padding adds.
    return _with(changed, "stride", axis, value + 1) if name == "output_padding" else changed


def _made_small(operator: Operator, case: Case, axis: int, few: int) -> Case:
    """The same case with a padding that leaves so few elements of one axis of the output, where one can."""
    if operator.has("sized"):  # two amounts for each axis, the last axis first
        given, size = case.arguments["padding"], case.shapes["input"][-1 - axis // 2]
        # Two amounts as large may wrap to little.
        return _with(case, "padding", axis ^ 1, given[axis] if few == 3 else few - size - given[axis])
    if operator.has("padded"):
        return _of_few_steps(case, axis)
    if not (operator.has("transposed") or "indices" in operator.given):
        return case
    shape = formula(operator, _with(case, "padding", axis, 0))
    return case if shape is None else _with(case, "padding", axis, max(shape[axis - operator.axes] - few, 0) // 2)


def _of_few_steps(case: Case, axis: int) -> Case:
    """The same padded convolution with a stride as long as one padded axis of its input, where it takes one."""
    if case.arguments["padding"] == "same":
        return case
    return _with(case, "stride", axis, padded_sizes(case)[axis])


def _with_columns(case: Case) -> Case:
    """The same case of a fold with as many columns as there are blocks, if they are not too many."""
    steps = (case.arguments[name] for name in ("output_size", "kernel_size", "stride", "padding", "dilation"))
    with contextlib.suppress(ValueError):
        columns = math.prod(convolution_output(*axis) for axis in zip(*steps, strict=True))
        if columns <= COMPUTED:
            return case.with_shape("input", (*case.shapes["input"][:-1], columns))
    return case


def padded_sizes(case: Case) -> list[int]:
    """How long each axis of the input of windows is with its padding, by whatever mode."""
    x, kernel = case.shapes["input"], kernel_size(case)
    amounts = convolution_padding(kernel, case.arguments["padding"], case.arguments["dilation"])  # the last axis first
    added = [sum(amounts[2 * k : 2 * k + 2]) for k in reversed(range(len(kernel)))]
    return [size + more for size, more in zip(x[-len(kernel) :], added, strict=True)]


def elements(operator: Operator, case: Case) -> int:
    """How many elements the output has, if there is one, or a padded input, where that is made first and has more."""
    shape, given = formula(operator, case), case.arguments
    padded = 0
    if operator.has("padded") and (given["padding_mode"] != "zeros" or given["padding"] == "same"):
        padded = padded_elements(operator, case)
    return max(0 if shape is None else math.prod(shape), padded)


def padded_elements(operator: Operator, case: Case) -> int:
    """How many elements the input of windows has with its padding, zeros included."""
    return math.prod((*case.shapes["input"][: -operator.axes], *padded_sizes(case)))


def inflated(case: Case, name: str, axis: int, value: int, axes: int) -> Case:
    """The same case with one huge value; a size is one that a tensor with a batch of one can have.

    A pooling's padding is at most half of its kernel, so a huge kernel comes with a padding that it allows.
    """
    if name == "size":
        shape = [1] * len(case.shapes["input"])
        shape[-axes - 1] = case.shapes["input"][-axes - 1]
        shape[axis - axes] = min(value, LARGEST) // max(1, math.prod(shape))
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


def looped(operator: Operator, case: Case, shape: tuple[int, ...]) -> bool:
    """True if the loops can compute the case in a short time: few taps, and positions that they can count to.

    Where an axis has a single window its stride is not used, and may be any that 64 bits hold.
    """
    taps = math.prod(case.arguments.get("kernel_size", (1,)))
    if operator.has("padded") and padded_elements(operator, case) > COMPUTED**2:  # which the loops make
        return False
    if not operator.has("window"):
        return countable(case) and taps <= FEW_TAPS and 0 < math.prod(shape) <= COMPUTED
    strides = case.arguments["stride"]
    steps = [1 if n == 1 and s < 2**63 else s for n, s in zip(shape[-len(strides) :], strides, strict=True)]
    return countable(case.with_arguments(stride=tuple(steps))) and taps <= FEW_TAPS


def countable(case: Case) -> bool:
    """True if a 64-bit integer holds every position in the padded input."""
    given = (value for values in case.arguments.values() if isinstance(values, tuple) for value in values)
    return max((abs(value or 0) for value in given), default=0) < SAFE

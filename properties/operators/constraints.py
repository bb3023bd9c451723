"""What each layer forbids, and how to make a valid case violate one rule and no other.

A :class:`Constraint` takes a valid case and breaks one rule of the documentation, keeping every other: a padding of −1
comes with an input so much larger that the window still fits. An operator's record lists its own rules; the functions
here make those that several operators share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import INTEGERS, Case, kernel_size
from refimpl.arrays import Array
from refimpl.geometry import effective_kernel
from refimpl.rounding import Format

Violate = Callable[[st.DrawFn, Case], Case]

TUPLE = "a number or a tuple of {}"
BATCHED = "{}, Shape: (N, C, *spatial) or (C, *spatial)"
"""What torch says of many layers."""


@dataclass(frozen=True)
class Constraint:
    """One documented rule: its name, the sentence that states it, and a draw of cases that break it alone.

    ``of_values`` marks a rule about values, which a subject that has only shapes cannot check; ``of_rank`` one about
    the number of axes, whose cases keep their batch. ``given`` makes the operands that are not free values, as an
    operator's own does for valid cases.
    """

    name: str
    source: str
    violate: Violate
    of_values: bool = False
    of_rank: bool = False
    given: Mapping[str, Callable[[Case, Format], Array]] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Invalid(Case):
    """A case that violates the constraint of this name."""

    violated: str = ""


@st.composite
def invalid(draw: st.DrawFn, cases: st.SearchStrategy[Case], constraints: tuple[Constraint, ...], rank: int) -> Invalid:
    """A case that violates one of the constraints, in a batch of none, one or three, or without a batch.

    rank: the number of axes of one example; 0 for any number, which leaves the batch as it is.
    """
    constraint, case = draw(st.sampled_from(constraints)), draw(cases)
    if rank and not constraint.of_rank:
        case = with_batch(case, draw(st.sampled_from([(1,), (), (0,), (3,)])), rank)
    broken = constraint.violate(draw, replace(case, fill=INTEGERS))
    return Invalid(**vars(broken), violated=constraint.name)


def with_batch(case: Case, batch: tuple[int, ...], rank: int) -> Case:
    """The same case with another batch before the last ``rank`` axes."""
    return case.with_shape("input", (*batch, *case.shapes["input"][-rank:]))


def below(
    argument: str, least: int, source: str, values: Iterable[int] = (0, -1, -2, -(2**31), -(2**62))
) -> Constraint:
    """One axis of ``argument`` is less than ``least``."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        return on_axis(case, argument, draw_axis(draw, case), draw(st.sampled_from(list(values))))

    return Constraint(f"{argument} is at least {least}", source, violate)


def each_axis(name: str, argument: str, values: Iterable[int], source: str) -> Constraint:
    """``argument``, which has a value for each axis, has a forbidden one on one axis."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        given = list(case.arguments[argument])
        given[draw(st.integers(0, len(given) - 1))] = draw(st.sampled_from(list(values)))
        return case.with_arguments(**{argument: tuple(given)})

    return Constraint(name, source, violate)


def kernel_at_least_one(source: str) -> Constraint:
    """A pooling window is empty on one axis, which has no padding."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        axis = draw_axis(draw, case)
        whole = without_padding(with_stride(case), axis)
        return on_axis(whole, "kernel_size", axis, draw(st.sampled_from([0, -1, -3])))

    return Constraint("kernel_size is at least 1", source, violate)


def padding_not_negative(source: str) -> Constraint:
    """One axis is cropped; the input is so much larger that the windows are as many as before."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        axis, padding = draw_axis(draw, case), -draw(st.integers(1, 3))
        more = 2 * (case.arguments["padding"][axis] - padding)
        shape = list(case.shapes["input"])
        shape[axis - len(kernel_size(case))] += more
        return on_axis(case.with_shape("input", tuple(shape)), "padding", axis, padding)

    return Constraint("padding is at least 0", source, violate)


def padding_at_most_half(source: str, dilated: bool) -> Constraint:
    """One axis is padded by more than half of the kernel, or of the dilated kernel."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        axis = draw_axis(draw, case)
        kernel, dilation = kernel_size(case)[axis], case.arguments.get("dilation", (1,) * len(kernel_size(case)))[axis]
        half = (effective_kernel(kernel, dilation) if dilated else kernel) // 2
        return on_axis(case, "padding", axis, half + draw(st.integers(1, 3)))

    return Constraint("padding is at most half of the kernel", source, violate)


def window_fits(source: str) -> Constraint:
    """On one axis, without padding, the window is larger than the input."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        axis = draw_axis(draw, case)
        case = without_padding(with_stride(case), axis)
        kernel = max(2, kernel_size(case)[axis])
        dilation = case.arguments.get("dilation", (1,) * len(kernel_size(case)))[axis]
        shape = list(case.shapes["input"])
        shape[axis - len(kernel_size(case))] = draw(st.integers(1, effective_kernel(kernel, dilation) - 1))
        if "ceil_mode" in case.arguments:
            case = case.with_arguments(ceil_mode=False)
        return with_window(case.with_shape("input", tuple(shape)), axis, kernel)

    return Constraint("the window fits in the padded input", source, violate)


def one_value_per_axis(argument: str, source: str) -> Constraint:
    """``argument`` has a value too many."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        case = with_stride(case)
        return case.with_arguments(**{argument: (*case.arguments[argument], case.arguments[argument][-1])})

    return Constraint(f"{argument} has one value per axis", source, violate)


def argument_is(name: str, argument: str, values: Iterable[Any], source: str) -> Constraint:
    """``argument`` has a forbidden value."""
    return Constraint(
        name, source, lambda draw, case: case.with_arguments(**{argument: draw(st.sampled_from(list(values)))})
    )


def rank(axes: int, source: str) -> Constraint:
    """The input has an axis too many for a batch, or one too few for a single example."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        spatial = case.shapes["input"][-axes:]
        channels = case.shapes["input"][-axes - 1]
        return case.with_shape("input", draw(st.sampled_from([(1, 1, channels, *spatial), spatial, ()])))

    return Constraint("the input has its axes with a batch, or without", source, violate, of_rank=True)


def operand_shape(name: str, operand: str, source: str, shapes: Callable[[Case], list[tuple[int, ...]]]) -> Constraint:
    """One operand has a shape that does not fit the others."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        return case.with_shape(operand, draw(st.sampled_from(shapes(case))))

    return Constraint(name, source, violate)


def longer(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """A shape with one element more along an axis."""
    at = axis % len(shape)
    return (*shape[:at], shape[at] + 1, *shape[at + 1 :])


def with_stride(case: Case) -> Case:
    """The stride spelt out, so that another kernel does not change it."""
    return case if "stride" in case.arguments else case.with_arguments(stride=kernel_size(case))


def without_padding(case: Case, axis: int) -> Case:
    """The same case with no padding on one axis, if it has padding at all."""
    return on_axis(case, "padding", axis, 0) if "padding" in case.arguments else case


def with_window(case: Case, axis: int, kernel: int) -> Case:
    """The same case with another kernel size on one axis."""
    if "kernel_size" in case.arguments:
        return on_axis(case, "kernel_size", axis, kernel)
    weight = case.shapes["weight"]
    return case.with_shape("weight", (*weight[: axis + 2], kernel, *weight[axis + 3 :]))


def draw_axis(draw: st.DrawFn, case: Case) -> int:
    """One of the axes that the window slides along."""
    return draw(st.integers(0, len(kernel_size(case)) - 1))


def on_axis(case: Case, argument: str, axis: int, value: int) -> Case:
    """The same case with one value of an argument changed."""
    values = list(with_stride(case).arguments[argument])
    values[axis] = value
    return case.with_arguments(**{argument: tuple(values)})

"""Rewrites: a layer and another way to compute the same, both by the subject, held to one expectation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from properties.cases.case import Case
from properties.engine.law import law
from properties.laws.test_equivariance import has_window
from properties.operators import Operator, operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import verdict
from properties.worker import programs
from refimpl.arrays import Array
from refimpl.bounds import convolution as bounds
from refimpl.rounding import Computed, round_to


def has_kernel(operator: Operator) -> bool:
    """True if a bank of kernels slides."""
    return operator.has("kernel")


@law("unfold @ weight = convolution", covers=lambda operator: has_kernel(operator) and operator.axes == 2)
def test_unfolded(operator: Operator, subject: Subject, case: Case) -> None:
    """A matrix product of the weight with the unfolded input is the layer's output."""
    operands = operator.operands(case, subject.format)
    operands.pop("bias", None)
    expected = operator.expected(operands, case.arguments, subject.format)
    verdict(subject.run(operator.program, operands, case.arguments), expected, subject)
    if not subject.kernels:
        verdict(subject.run(programs.rewrites.unfolded_conv2d, operands, case.arguments), expected, subject)


def block_diagonal(weight: Array, groups: int) -> Array:
    """(O, I/groups, *kernel) → (O, I, *kernel): every group's own block, zeros elsewhere."""
    outputs, inputs = weight.shape[:2]
    dense = np.zeros((outputs, groups * inputs, *weight.shape[2:]))
    for group in range(groups):
        rows = slice(group * outputs // groups, (group + 1) * outputs // groups)
        dense[rows, group * inputs : (group + 1) * inputs] = weight[rows]
    return dense


@law("groups = block diagonal", covers=has_kernel, systems=("S12", "S13"))
def test_groups(operator: Operator, subject: Subject, case: Case) -> None:
    """Groups are one group with a block-diagonal weight: zeros more in a sum change no rounding."""
    operands, groups = operator.operands(case, subject.format), case.arguments["groups"]
    dense = {**operands, "weight": block_diagonal(operands["weight"], groups)}
    expected = operator.expected(operands, case.arguments, subject.format)
    verdict(subject.run(operator.program, operands, case.arguments), expected, subject)
    verdict(subject.run(operator.program, dense, {**case.arguments, "groups": 1}), expected, subject)


def stuffed(weight: Array, dilation: tuple[int, ...]) -> Array:
    """(O, I, *kernel) → (O, I, *effective kernel): zeros between the taps."""
    sizes = (d * (k - 1) + 1 for k, d in zip(weight.shape[2:], dilation, strict=True))
    undilated = np.zeros((*weight.shape[:2], *sizes))
    taps: Any = (..., *(slice(None, None, d) for d in dilation))
    undilated[taps] = weight
    return undilated


@law("dilation = zero-stuffed kernel", covers=has_kernel)
def test_dilation(operator: Operator, subject: Subject, case: Case) -> None:
    """A dilated kernel is an undilated one with zeros between its taps."""
    operands, ones = operator.operands(case, subject.format), (1,) * operator.axes
    undilated = {**operands, "weight": stuffed(operands["weight"], case.arguments["dilation"])}
    expected = operator.expected(operands, case.arguments, subject.format)
    verdict(subject.run(operator.program, operands, case.arguments), expected, subject)
    verdict(subject.run(operator.program, undilated, {**case.arguments, "dilation": ones}), expected, subject)


def floored(case: Case, **arguments: Any) -> Case:
    """The same case without windows that reach past the padded input, as if by ceil mode."""
    return case.with_arguments(**{k: v for k, v in {"ceil_mode": False, **arguments}.items() if k in case.arguments})


@law("stride = subsampling", covers=has_window, systems=("S11", "S16"))
def test_stride(operator: Operator, subject: Subject, case: Case) -> None:
    """A stride of s keeps every s-th output of stride 1."""
    case = floored(case)
    operands, ones = operator.operands(case, subject.format), (1,) * operator.axes
    steps = case.arguments.get("stride") or case.arguments["kernel_size"]
    expected = operator.expected(operands, case.arguments, subject.format)["output"]
    verdict(subject.run(operator.program, operands, case.arguments), {"output": expected}, subject)
    every_step = {**case.arguments, "stride": ones}
    kept: Any = (..., *(slice(None, None, s) for s in steps))
    of_every = operator.expected(operands, every_step, subject.format)["output"][kept]
    expected = replace(expected, bound=of_every.bound)  # another algorithm may serve a stride of 1
    every = subject.run(operator.program, operands, every_step)
    verdict(every.part(lambda y: y[kept]), {"output": expected}, subject)


@law(
    "padding = explicit border",
    covers=lambda o: has_window(o) and (o.has("selecting") or o.has("linear") or o.has("kernel")),
    systems=("S10", "S16"),
)
def test_padding(operator: Operator, subject: Subject, case: Case) -> None:
    """Padding is a border of zeros, or of −∞ where the largest element is picked."""
    case = floored(case, count_include_pad=True)
    operands, padding = operator.operands(case, subject.format), case.arguments["padding"]
    x, border = operands["input"], -np.inf if operator.has("selecting") else 0.0
    around = [(0, 0)] * (x.ndim - operator.axes) + [(p, p) for p in padding]
    bordered = {**operands, "input": np.pad(x, around, constant_values=border)}
    expected = {"output": operator.expected(operands, case.arguments, subject.format)["output"]}
    verdict(subject.run(operator.program, operands, case.arguments), expected, subject)
    unpadded = {**case.arguments, "padding": (0,) * operator.axes}
    verdict(subject.run(operator.program, bordered, unpadded), expected, subject)


@law(
    "average = constant kernels",
    covers=lambda operator: has_window(operator) and operator.has("pooling") and operator.has("linear"),
    systems=("S15", "S17"),
)
def test_average(operator: Operator, subject: Subject, case: Case) -> None:
    """Average pooling is a convolution of each channel with 1/k in every tap, off by what rounding 1/k changes."""
    case = floored(case, count_include_pad=True)
    arguments = {name: value for name, value in case.arguments.items() if name in ("stride", "padding")}
    operands, kernel = operator.operands(case, subject.format), case.arguments["kernel_size"]
    channels = operands["input"].shape[-operator.axes - 1]
    averaged = {"kernel_size": kernel, "ceil_mode": False, **arguments}
    expected = operator.expected(operands, averaged, subject.format)
    verdict(subject.run(operator.program, operands, averaged), expected, subject)
    if not subject.kernels:
        tap = np.full((channels, 1, *kernel), 1.0 / np.prod(kernel))
        depthwise = {"stride": kernel, **arguments, "groups": channels}
        by_taps = _by_taps(operands["input"], tap, depthwise, subject)
        convolved = {**operands, "weight": round_to(tap, subject.format.storage)}
        outcome = subject.run(CONVOLUTIONS[operator.axes].program, convolved, depthwise)
        verdict(outcome, {"output": by_taps}, subject)


CONVOLUTIONS = {axes: operator(f"conv{axes}d") for axes in (1, 2, 3)}


def _by_taps(x: Array, tap: Array, arguments: dict[str, Any], subject: Subject) -> Expected:
    rounding = np.abs(round_to(tap, subject.format.storage) - tap)
    taps = Computed(tap, subject.format, rounding)
    return Expected.within(bounds.cross_correlate(Computed.operand(x, subject.format), taps, **arguments))

"""Pooling: what it keeps, what it picks, and what it hands back (S15, S16, S17)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from properties.cases.case import Case, window, with_spatial
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import holds, same, tensor, verdict, weighted
from refimpl.arrays import Array
from refimpl.rounding import round_to


def selects(operator: Operator) -> bool:
    """True if each output is an element of its window, the largest."""
    return operator.has("pooling") and operator.has("selecting")


def averages(operator: Operator) -> bool:
    """True if each output is an average."""
    return operator.has("pooling") and operator.has("linear")


@law("composition", covers=lambda operator: selects(operator) and operator.has("window"))
def test_composition(operator: Operator, subject: Subject, case: Case) -> None:
    """With stride 1, maxima over windows of k of maxima over windows of m are those over windows of k + m − 1."""
    more, zeros = 1 + case.seed % 3, (0,) * operator.axes
    sizes = zip(case.shapes["input"][-operator.axes :], window(case), strict=True)
    case = with_spatial(case, (max(size, k) + d * (more - 1) for size, (k, _, _, d) in sizes))
    operands, kernel = operator.operands(case, subject.format), case.arguments["kernel_size"]
    whole = {"stride": (1,) * operator.axes, "padding": zeros, "dilation": case.arguments["dilation"]}
    wide = {**whole, "kernel_size": tuple(k + more - 1 for k in kernel)}
    expected = {"output": operator.expected(operands, wide, subject.format)["output"]}
    verdict(subject.run(operator.program, operands, wide), expected, subject)
    first = tensor(subject.run(operator.program, operands, {**whole, "kernel_size": kernel}))
    again = {**whole, "kernel_size": (more,) * operator.axes}
    verdict(subject.run(operator.program, {"input": first}, again), expected, subject)


@law("monotone maps", covers=selects)
def test_monotone_maps(operator: Operator, subject: Subject, case: Case) -> None:
    """The largest of x·|x|, rounded, is the largest x, squared so: a map that keeps order commutes with maxima."""

    def squared(values: Array) -> Array:
        return round_to(values * np.abs(values), subject.format.storage)

    operands = operator.operands(case, subject.format)
    before = subject.run(operator.program, operands, case.arguments)
    after = {**operands, "input": squared(operands["input"])}
    expected = {"output": Expected(squared(tensor(before)))}
    verdict(subject.run(operator.program, after, case.arguments), expected, subject)


@law("constants stay", covers=lambda operator: selects(operator) or averages(operator))
def test_constants(operator: Operator, subject: Subject, case: Case) -> None:
    """A plane of one value is pooled to that value where a window holds some of it, and padding is not averaged."""
    case = real_elements_only(case)
    operands = operator.operands(case, subject.format)
    first: Any = (..., *(slice(0, 1),) * operator.axes)
    level = operands["input"][first]
    operands["input"] = np.broadcast_to(level, operands["input"].shape).copy()
    wanted = operator.expected(operands, case.arguments, subject.format)["output"]
    levels = np.where(np.isneginf(wanted.values), wanted.values, level)  # the largest of nothing
    outcome = subject.run(operator.program, operands, case.arguments)
    verdict(outcome, {"output": Expected(levels, wanted.bound)}, subject)


@law("indices of maxima", covers=lambda o: selects(o) and "indices" in o.outputs)
def test_indices(operator: Operator, subject: Subject, case: Case) -> None:
    """Every index lies in its plane, in its window, and points at the maximum that was returned."""
    operands = operator.operands(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments)
    planes, indices = operands["input"].shape[: -operator.axes], tensor(outcome, "indices")
    flat = operands["input"].reshape(*planes, math.prod(operands["input"].shape[-operator.axes :]))
    holds(bool(((indices >= 0) & (indices < flat.shape[-1])).all()), "an index lies outside of its plane")
    pointed = np.take_along_axis(flat, indices.reshape(*planes, -1 if indices.size else 1), -1).reshape(indices.shape)
    verdict(outcome, {"output": Expected(pointed)}, subject)
    if operator.has("window"):
        holds(bool(in_window(indices, case).all()), "an index lies outside of its window")


def in_window(indices: Array, case: Case) -> Array:
    """True if each index is that of a tap of the window at its place."""
    windows = window(case)
    coordinates = np.unravel_index(indices, case.shapes["input"][-len(windows) :])
    inside = np.ones(indices.shape, dtype=bool)
    for axis, (effective, stride, padding, dilation) in enumerate(windows):
        along = [1] * len(windows)
        along[axis] = -1
        start = stride * np.arange(indices.shape[axis - len(windows)]).reshape(along) - padding
        steps = coordinates[axis] - start
        inside &= (steps >= 0) & (steps < effective) & (steps % dilation == 0)
    return inside


def real_elements_only(case: Case) -> Case:
    """The same case with every average divided by the number of real elements in its window."""
    arguments = {name: value for name, value in case.arguments.items() if name != "divisor_override"}
    changed = {"count_include_pad": False} if "count_include_pad" in arguments else {}
    return Case(case.shapes, {**arguments, **changed}, case.fill, case.seed, case.setting)


@law("gradient mass", covers=lambda o: o.differentiable and (selects(o) or averages(o)))
def test_gradient_mass(operator: Operator, subject: Subject, case: Case) -> None:
    """In every plane the gradients to the input add up to those that came in, where padding is not averaged."""
    case = real_elements_only(case)
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    wanted = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)["input"]
    axes = tuple(range(-operator.axes, 0))
    arrived = weighted(tensor(outcome, "input", "gradients"), wanted, 1.0, subject.format, axes)
    same(
        "the sum of the gradient to input", arrived, weighted(cotangent, Expected(cotangent), 1.0, subject.format, axes)
    )

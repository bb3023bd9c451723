"""Locality and receptive fields: what an output depends on is its window and nothing else (S1, S9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import holds, verdict
from properties.worker import programs
from refimpl import geometry
from refimpl.arrays import Array


def some_position(case: Case, output: tuple[int, ...]) -> tuple[int, ...]:
    """An output position, chosen by the case's seed."""
    return tuple(int(i) for i in np.unravel_index(case.seed % max(1, int(np.prod(output))), output))


def window(case: Case, position: tuple[int, ...], kernel: tuple[int, ...]) -> Array:
    """Which elements of the input, along its spatial axes, the window of an output position holds."""
    axes = len(position)
    stride = case.arguments.get("stride", kernel)
    padding, dilation = case.arguments.get("padding", (0,) * axes), case.arguments.get("dilation", (1,) * axes)
    inside = np.ones((), dtype=bool)
    for axis, size in enumerate(case.shapes["input"][-axes:]):
        start = position[axis] * stride[axis] - padding[axis]
        taps = start + dilation[axis] * np.arange(kernel[axis])
        inside = np.logical_and.outer(inside, np.isin(np.arange(size), taps))
    return inside


def _window_of(operator: Operator, case: Case) -> tuple[Any, Array]:
    """An index of some position of every output channel, and the window that it sees."""
    position = some_position(case, operator.output_shape(case)[-operator.axes :])
    kernel = case.arguments.get("kernel_size") or case.shapes["weight"][2:]
    return (..., *position), window(case, position, kernel)


@law("locality", covers=lambda operator: operator.has("window"), systems=("S1", "S9"), elementwise=True)
def test_locality(operator: Operator, subject: Subject, case: Case) -> None:
    """Elements outside an output's window cannot change it: overwritten, they leave it as it was."""
    position, inside = _window_of(operator, case)
    operands = operator.operands(case, subject.format)
    overwritten = operator.filled("elsewhere", case.shapes["input"], case, subject.format)
    elsewhere = {**operands, "input": np.where(inside, operands["input"], overwritten)}
    expected = operator.expected(operands, case.arguments, subject.format)["output"][position]
    outcome = subject.run(operator.program, elsewhere, case.arguments)
    verdict(outcome.part(lambda values: values[position]), {"output": expected}, subject)


@law(
    "receptive field",
    covers=lambda o: o.has("window") and (o.has("kernel") or o.has("linear") or o.has("selecting")),
    systems=("S9",),
    elementwise=True,
)
def test_receptive_field(operator: Operator, subject: Subject, case: Case) -> None:
    """The gradient of one output is non-zero on its window and nowhere else; max pooling picks one element of it."""
    position, inside = _window_of(operator, case)
    operands = operator.operands(case, subject.format)
    if "weight" in operands:
        operands["weight"] = np.ones(operands["weight"].shape)
    cotangent = np.zeros(operator.output_shape(case))
    cotangent[position] = 1.0
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)
    support = np.asarray(outcome.gradients["input"].values) != 0
    holds(not (support & ~inside).any(), f"the gradient at {position} reaches outside its window")
    if not operator.has("selecting"):
        holds(bool((support == inside).all()), f"the gradient at {position} leaves out a part of its window")


LAYERS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)), min_size=1, max_size=4)


@law("receptive field of a stack", cases=LAYERS.map(tuple), systems=("S9",))
def test_stack(subject: Subject, case: tuple[tuple[int, int, int], ...]) -> None:
    """The field grows by (effective kernel − 1)·jump a layer: the gradient's extent is the formula's."""
    field = geometry.receptive_field(case)
    arguments: dict[str, Any] = {"layers": case}
    outcome = subject.run(
        programs.convolution.stack_of_ones, {"input": np.ones((1, 1, field))}, arguments, np.ones((1, 1, 1))
    )
    holds(outcome.error is None, f"raised {outcome.error}, but {field} elements make one output")
    reached = np.flatnonzero(np.asarray(outcome.gradients["input"].values))
    holds(
        bool(reached[0] == 0 and reached[-1] == field - 1),
        f"the gradient reaches from {reached[0]} to {reached[-1]} of {field} elements",
    )

"""Axes of no elements: what the formula says, or a clean error, and the same on every subject."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from properties.cases import Case
from properties.huge import formula
from properties.laws import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdict import Refusal, rejected, verdict


@st.composite
def emptied(draw: st.DrawFn, operator: Operator) -> Case:
    """A case whose input, and where it has to, its weight, has no batch, no channels, or nothing along an axis."""
    case = draw(operator.cases)
    axes, shape = operator.axes, case.shapes["input"]
    batch = draw(st.sampled_from([(0,), (2,), ()]))
    channels = draw(st.sampled_from([0, shape[-axes - 1]]))
    if channels == 0 and "weight" in case.shapes:
        case = case.with_shape("weight", (case.shapes["weight"][0], 0, *case.shapes["weight"][2:]))
    spatial = list(shape[-axes:])
    if draw(st.booleans()):
        spatial[draw(st.integers(0, axes - 1))] = 0
    return replace(case.with_shape("input", (*batch, channels, *spatial)), setting=None)


@law("zero sizes", covers=lambda operator: operator.has("window"), on=lambda subject: not subject.kernels,
     cases=emptied)  # fmt: skip
def test_zero_sizes(operator: Operator, subject: Subject, case: Case) -> None:
    """Without elements along an axis, the output is the loops', or the arguments are refused."""
    shape = formula(operator, case)
    operands = {name: case.tensor(name, size, subject.format) for name, size in case.shapes.items()}
    outcome = subject.run(operator.program, operands, case.arguments)
    rejected(outcome, Refusal("an axis has no elements", shape))
    if not outcome.error and not subject.integral:
        verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)

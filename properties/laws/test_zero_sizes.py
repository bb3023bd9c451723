"""Axes of no elements: what the formula says, or a clean error, and the same on every subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hypothesis import strategies as st

from properties.cases.case import Case
from properties.edges.huge import formula
from properties.engine.law import law
from properties.laws.test_rejection import checking
from properties.operators import Operator
from properties.operators.constraints import on_axis, with_window
from properties.subjects import Subject
from properties.verdicts.expected import Refusal
from properties.verdicts.verdict import rejected, verdict
from refimpl.arrays import Array
from refimpl.rounding import Format


def laid_out(operator: Operator) -> bool:
    """True if an operator's input has channels and axes after them."""
    return operator.axes > 0 or operator.has("sized")


@st.composite
def emptied(draw: st.DrawFn, operator: Operator) -> Case:
    """A case whose input or output has no batch, no channels or nothing along an axis; and its weight, if it has to."""
    case = draw(operator.cases)
    after = operator.rank - 1 if operator.rank else len(case.arguments["padding"]) // 2
    *_, channels = shape = case.shapes["input"][: len(case.shapes["input"]) - after]
    spatial = list(case.shapes["input"][len(shape) :])
    batch = draw(st.sampled_from([(0,), (2,), ()]))
    if draw(st.booleans()):
        channels, case = 0, without_channels(case)
    if draw(st.booleans()):
        spatial[draw(st.integers(0, after - 1))] = 0
    case = replace(case.with_shape("input", (*batch, channels, *spatial)), setting=None)
    return draw(st.sampled_from([case, to_nothing(case, draw(st.integers(0, after - 1)))]))


def to_nothing(case: Case, axis: int) -> Case:
    """The same case with arguments that leave nothing of one axis, where it has some that can."""
    shape, arguments = list(case.shapes["input"]), case.arguments
    if "output_padding" in arguments:  # one element under a kernel of two, padded by one
        axes = len(arguments["padding"])
        shape[axis - axes] = 1
        case = with_window(case.with_shape("input", tuple(shape)), axis, 2)
        for name, value in {"dilation": 1, "output_padding": 0, "padding": 1}.items():
            case = on_axis(case, name, axis, value)
    elif "output_size" in arguments and "padding" not in arguments:
        sizes = arguments["output_size"]
        case = case.with_arguments(output_size=(*sizes[:axis], 0, *sizes[axis + 1 :]))
    elif set(arguments) <= {"padding", "value"}:
        amounts = arguments["padding"]
        crop = (*amounts[: 2 * axis], -shape[-1 - axis], 0, *amounts[2 * axis + 2 :])
        case = case.with_arguments(padding=crop)
    return case


def without_channels(case: Case) -> Case:
    """The same case with a weight, if any, that takes no channels: its first axis where it is transposed."""
    if "weight" not in case.shapes:
        return case
    weight = list(case.shapes["weight"])
    weight[0 if "output_padding" in case.arguments else 1] = 0
    return case.with_shape("weight", tuple(weight))


def given(operator: Operator, valid: bool) -> Mapping[str, Callable[[Case, Format], Array]]:
    """What makes the operands that are no free values; where a case is not valid, what its violations take."""
    return operator.given if valid else next((rule.given for rule in operator.constraints if rule.given), {})


@law("zero sizes", covers=laid_out, on=checking, cases=emptied, one_run_in=lambda subject: 2 if subject.compiled else 1)
def test_zero_sizes(operator: Operator, subject: Subject, case: Case) -> None:
    """Without elements along an axis, the output is the loops', or the arguments are refused."""
    shape = formula(operator, case)
    operands = operator.unscaled(case, subject.format)
    operands |= {name: make(case, subject.format) for name, make in given(operator, shape is not None).items()}
    outcome = subject.run(operator.program, operands, case.arguments)
    rejected(outcome, Refusal("an axis has no elements", shape))
    if not outcome.error and not subject.integral:
        verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)

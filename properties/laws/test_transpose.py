"""Transposes: a convolution, its gradients and its transpose are one bilinear form, computed by two layers (S3)."""

from __future__ import annotations

from properties.cases.case import Case, window
from properties.engine.law import law
from properties.laws.test_rewrites import CONVOLUTIONS, has_kernel
from properties.operators import Operator, operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict

TRANSPOSED = {axes: operator(f"conv_transpose{axes}d") for axes in (1, 2, 3)}


def beyond(case: Case, output: tuple[int, ...]) -> tuple[int, ...]:
    """The output padding with which the transpose leads an output of the case's convolution back to its input's size.

    That is what the convolution's last window does not reach, which is less than a stride.
    """
    windows = window(case)
    sizes = zip(case.shapes["input"][-len(windows) :], output[-len(windows) :], windows, strict=True)
    return tuple(size + 2 * p - ((out - 1) * s + span) for size, out, (span, s, p, _) in sizes)


@law("transpose = input gradient", covers=lambda operator: has_kernel(operator) and operator.differentiable)
def test_transpose(operator: Operator, subject: Subject, case: Case) -> None:
    """The transpose of a cotangent is the convolution's input gradient; its own gradients are the output and ∂w."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    operands.pop("bias", None)
    output = operator.expected(operands, case.arguments, subject.format)["output"]
    gradients = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
    there = subject.run(operator.program, operands, case.arguments, cotangent)
    verdict(there, {"output": output}, subject)
    verdict(there, gradients, subject, "gradients")
    back = {**case.arguments, "output_padding": beyond(case, cotangent.shape)}
    transposed = {**operands, "input": cotangent}
    outcome = subject.run(TRANSPOSED[operator.axes].program, transposed, back, operands["input"])
    verdict(outcome, {"output": gradients["input"]}, subject)
    verdict(outcome, {"input": output, "weight": gradients["weight"]}, subject, "gradients")


@law(
    "convolution = transpose's gradient",
    covers=lambda operator: operator.has("transposed") and operator.differentiable,
)
def test_convolution(operator: Operator, subject: Subject, case: Case) -> None:
    """A convolution of the cotangent is the transpose's input gradient, but for windows that output padding adds."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    wanted = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)["input"]
    verdict(subject.run(operator.program, operands, case.arguments, cotangent), {"input": wanted}, subject, "gradients")
    arguments = {name: value for name, value in case.arguments.items() if name != "output_padding"}
    convolved = {"input": cotangent, "weight": operands["weight"]}
    outcome = subject.run(CONVOLUTIONS[operator.axes].program, convolved, arguments)
    shape = case.shapes["input"]
    verdict(outcome.part(lambda y: y[tuple(map(slice, shape))]), {"output": wanted}, subject)

"""Gradients: autograd scatters what the forward pass gathered."""

from __future__ import annotations

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


@law("gradients", covers=lambda operator: operator.differentiable, on=lambda subject: not subject.integral, rank=2)
def test_gradients(operator: Operator, subject: Subject, case: Case) -> None:
    """The gradient to every operand equals the loops', for a random cotangent, and so does the output on the way."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)
    expected = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
    verdict(outcome, expected, subject, "gradients")


@law("gradients of gradients", covers=lambda operator: operator.second is not None)
def test_second_gradients(operator: Operator, subject: Subject, case: Case) -> None:
    """The gradients of ⟨h, gradients⟩ to the cotangent and every operand equal the loops'."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    directions = operator.directions(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent, directions)
    expected = operator.expected_second(cotangent, operands, directions, case.arguments, subject.format)
    verdict(outcome, expected, subject, "second")

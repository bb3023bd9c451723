"""Large sizes: what is right in the first tile of a kernel is right past it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import Case
from properties.engine.law import by_kernels, law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


def in_turn(operator: Operator) -> Sequence[st.SearchStrategy[Case]]:
    """What can be large about an operator, in turn; among many integers several are the largest."""
    return large.in_turn(operator.large, exact=operator.inexact is None and not operator.has("selecting"))


@law("large sizes", covers=lambda operator: bool(operator.large), turns=in_turn, exact=False)
def test_large_sizes(operator: Operator, subject: Subject, case: Case) -> None:
    """With one large size, of 64 to 65,537, the output is still the loops'."""
    operands = operator.operands(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)


@law(
    "gradients of large sizes",
    covers=lambda operator: bool(operator.large) and operator.differentiable,
    turns=in_turn,
    exact=False,
    share=lambda subject: by_kernels(subject) / 2,
)
def test_gradients_of_large_sizes(operator: Operator, subject: Subject, case: Case) -> None:
    """With one large size, of 64 to 65,537, the gradient to every operand is still the loops'."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    expected = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
    verdict(outcome, expected, subject, "gradients")

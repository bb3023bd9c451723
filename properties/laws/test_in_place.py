"""In place: what a layer leaves in its operand is what it gives out of place."""

from __future__ import annotations

from properties.cases.case import Case, in_layouts
from properties.engine.law import law, valued
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


@law(
    "in place",
    covers=lambda operator: operator.has("in place"),
    on=lambda subject: valued(subject) and not subject.kernels,
    cases=lambda operator: in_layouts(operator.cases),
    share=lambda subject: 0.5,
)
def test_in_place(operator: Operator, subject: Subject, case: Case) -> None:
    """With inplace=True the operand holds, wherever it lies in memory, what the loops give."""
    operands = operator.operands(case, subject.format)
    outcome = subject.run(operator.program, operands, {**case.arguments, "inplace": True}, setting=case.setting)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)

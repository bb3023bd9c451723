"""Agreement: a layer computes what the loops compute."""

from __future__ import annotations

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


@law("agreement", covers=lambda operator: True, on=lambda subject: True, rank=1)
def test_agreement(operator: Operator, subject: Subject, case: Case) -> None:
    """The output equals the loops' in shape, dtype, device and every element."""
    operands = operator.operands(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)

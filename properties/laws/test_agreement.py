"""Agreement: a layer computes what the loops compute."""

from __future__ import annotations

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


def shown_by_gradients(operator: Operator, subject: Subject) -> bool:
    """True if "gradients" compares the same outputs of code that is compiled for each case."""
    return subject.mode == "compiled" and not subject.foreign and operator.differentiable


@law(
    "agreement", covers=lambda operator: True, on=lambda subject: True, rank=1, unless=shown_by_gradients,
    one_run_in=lambda subject: 4 if subject.mode == "dynamic" else 1,
)  # fmt: skip
def test_agreement(operator: Operator, subject: Subject, case: Case) -> None:
    """The output equals the loops' in shape, dtype, device and every element."""
    operands = operator.operands(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)

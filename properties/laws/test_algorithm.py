"""By which algorithm convolutions and averages are computed."""

from __future__ import annotations

from properties.cases.case import Case
from properties.engine.algorithms import measured, telling_case
from properties.engine.law import law, valued
from properties.operators import Operator
from properties.subjects import SIXTEEN_BITS, Subject
from properties.verdicts import tally
from properties.verdicts.verdict import verdict


@law(
    "algorithm",
    covers=lambda operator: len(operator.algorithms) > 1,
    on=lambda subject: valued(subject) and subject.dtype not in SIXTEEN_BITS,
    cases=lambda operator: operator.cases.map(lambda case: telling_case(operator, case)),
    exact=False,
    share=lambda subject: 0.1,
)
def test_algorithm(operator: Operator, subject: Subject, case: Case) -> None:
    """Errors keep the bound of sums and quotients or, of kernels and other devices, of another right algorithm."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent_if_any(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    tally.algorithm(operator.name, measured(operator, outcome, operands, cotangent, case, subject.format))
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)
    if cotangent is not None:
        expected = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
        verdict(outcome, expected, subject, "gradients")

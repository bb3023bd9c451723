"""Rejection: arguments that break one documented rule raise, whatever the batch."""

from __future__ import annotations

from hypothesis import strategies as st

from properties.engine.law import law
from properties.operators import Operator
from properties.operators.constraints import Invalid, invalid
from properties.subjects import Subject
from properties.verdicts.expected import Refusal
from properties.verdicts.verdict import rejected
from properties.worker.call import FAKE


def violations(operator: Operator) -> st.SearchStrategy[Invalid]:
    """A valid case of an operator with one of its rules broken."""
    return invalid(operator.cases, operator.constraints, operator.rank)


def checking(subject: Subject) -> bool:
    """Torch in every mode; what other kernels refuse is up to them.

    But for "fake", which checks what meta does, and for "dynamic", which compiles anew for other arguments, and "errors
    when compiled" is about other sizes.
    """
    return not subject.kernels and subject.mode not in ("dynamic", FAKE)


@law("rejection", covers=lambda operator: bool(operator.constraints), on=checking, cases=violations)
def test_rejection(operator: Operator, subject: Subject, case: Invalid) -> None:
    """Arguments that break one documented rule raise an error, on every subject, whatever the batch."""
    rule = next(constraint for constraint in operator.constraints if constraint.name == case.violated)
    if rule.of_values and subject.device == "meta":
        return
    operands = operator.any_operands(case, subject.format, rule)
    rejected(subject.run(operator.program, operands, case.arguments), Refusal(rule.name))

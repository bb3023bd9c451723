"""A second run gives the same bits."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import verdict


@law("rerun", covers=lambda operator: True, on=lambda subject: subject.mode == "eager" and subject.device != "meta")
def test_rerun(operator: Operator, subject: Subject, case: Case) -> None:
    """The same call on the same operands gives the same output, bit for bit."""
    operands = operator.operands(case, subject.format)
    first = subject.run(operator.program, operands, case.arguments)
    again = {name: Expected(np.asarray(observed.values)) for name, observed in first.outputs.items()}
    verdict(subject.run(operator.program, operands, case.arguments), again, subject)

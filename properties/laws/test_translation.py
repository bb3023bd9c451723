"""Translation: a shifted input gives a shifted output (S1)."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case, unpadded
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


@law("translation", covers=lambda operator: operator.has("window"), systems=("S1",))
def test_translation(operator: Operator, subject: Subject, case: Case) -> None:
    """An input shifted by one stride along its last axis gives the output shifted by one."""
    case = unpadded(case)
    operands = operator.operands(case, subject.format)
    stride = case.arguments.get("stride") or case.arguments["kernel_size"]
    before = np.zeros((*operands["input"].shape[:-1], stride[-1]))
    shifted = {**operands, "input": np.concatenate([before, operands["input"]], axis=-1)}
    expected = operator.expected(operands, case.arguments, subject.format)["output"]
    outcome = subject.run(operator.program, shifted, case.arguments)
    verdict(outcome.part(lambda values: values[..., 1:]), {"output": expected}, subject)

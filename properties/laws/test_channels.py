"""Channels of pooling: each on its own, as many out as in (S17)."""

from __future__ import annotations

import numpy as np

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


@law("pooling per channel", covers=lambda operator: operator.has("pooling"), systems=("S17",))
def test_pooling_per_channel(operator: Operator, subject: Subject, case: Case) -> None:
    """A channel pooled alone gives what it gives among the others; there are as many channels out as in."""
    operands = operator.operands(case, subject.format)
    axis = operands["input"].ndim - operator.axes - 1
    channels = operands["input"].shape[axis]
    expected = operator.expected(operands, case.arguments, subject.format)["output"]
    assert expected.values.shape[axis] == channels
    one = [case.seed % channels]
    channel = {"output": expected.map(lambda values: np.take(values, one, axis))}
    among = subject.run(operator.program, operands, case.arguments)
    verdict(among.part(lambda values: np.take(values, one, axis)), channel, subject)
    of_channel = {name: np.take(values, one, axis) for name, values in operands.items()}
    verdict(subject.run(operator.program, of_channel, case.arguments), channel, subject)

"""What sixteen-bit sums are formed in: measured, and never an excuse for a looser bound."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from properties.cases.case import Case
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import SIXTEEN_BITS, Subject
from properties.verdicts import tally
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import shares, verdict
from properties.worker.call import Observed
from refimpl.rounding import Format

UNBOUNDED = 1e9
"""Stands for an error where none is allowed, so that a share stays a number."""


def worst(seen: Mapping[str, Observed], expected: Mapping[str, Expected]) -> float:
    """The largest error as a share of its bound over the tensors of a group."""
    found = [shares(np.asarray(seen[name].values), np.asarray(e.values), e.bound) for name, e in expected.items()]
    return min(max(float(share.max(initial=0.0)) for share in found), UNBOUNDED)


@law(
    "accumulator",
    covers=lambda operator: operator.differentiable,
    on=lambda subject: subject.dtype in SIXTEEN_BITS and subject.mode == "eager",
)
def test_accumulator(operator: Operator, subject: Subject, case: Case) -> None:
    """A sum formed in the storage itself is within its bound; the report says which are not formed in float32."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    storage = subject.format.storage
    in_storage = Format(storage, storage, algorithm=subject.format.algorithm)
    formats = {format.accumulator.name: format for format in (subject.format, in_storage)}
    forward = {name: operator.expected(operands, case.arguments, f) for name, f in formats.items()}
    gradients = {
        name: operator.expected_gradients(cotangent, operands, case.arguments, f) for name, f in formats.items()
    }
    for direction, group, expected in (("forward", "outputs", forward), ("gradient", "gradients", gradients)):
        verdict(outcome, expected[storage.name], subject, group)
        found = {name: worst(getattr(outcome, group), e) for name, e in expected.items()}
        tally.profile(direction, found, storage.name)

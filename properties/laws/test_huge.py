"""Huge sizes and arguments: the right shape or a clean error, never a crash, a hang or an impossible shape."""

from __future__ import annotations

import math

from properties.edges.huge import COMPUTED, LARGEST, Huge, formula, huge, looped
from properties.engine.law import law, valued
from properties.operators import Operator
from properties.subjects import META, Subject
from properties.verdicts.expected import Refusal
from properties.verdicts.verdict import rejected, same_shape, verdict


def windowed(operator: Operator) -> bool:
    """True if an operator slides windows along axes."""
    return operator.has("window")


@law("huge shapes", covers=windowed, on=lambda subject: subject == META, cases=lambda operator: huge(operator, True))
def test_shapes(operator: Operator, subject: Subject, case: Huge) -> None:
    """Shape inference gives the formula's shape or a clean error, for sizes up to 2⁵⁹ and arguments past 2⁶³."""
    shape = formula(operator, case)
    outcome = subject.run(operator.program, case.shapes, case.arguments)
    if shape is not None and set(case.inflated) <= {"size", "weight"} and math.prod(shape) <= LARGEST:
        same_shape(outcome, shape)
    else:
        rejected(outcome, Refusal(f"past 64 bits, or no window fits: {', '.join(case.inflated)}", shape))


@law("huge arguments", covers=windowed, on=lambda subject: valued(subject) and not subject.kernels,
     cases=lambda operator: huge(operator, False))  # fmt: skip
def test_arguments(operator: Operator, subject: Subject, case: Huge) -> None:
    """Computing with arguments up to and past 2⁶³ gives what the loops give, or a clean error in bounded time."""
    shape = formula(operator, case)
    operands = operator.unscaled(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments)
    if shape is not None and math.prod(shape) > COMPUTED and str(outcome.error).startswith("OutOfMemory"):
        return
    rejected(outcome, Refusal(f"past 64 bits, or no window fits: {', '.join(case.inflated)}", shape))
    if not outcome.error and shape is not None and looped(case, shape):
        verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)

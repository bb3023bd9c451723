"""Huge sizes and arguments: the right shape or a clean error, never a crash, a hang or an impossible shape."""

from __future__ import annotations

import re

from properties.cases.case import Case
from properties.edges.huge import HELD, LARGEST, Huge, elements, formula, huge, looped, padded_elements
from properties.engine.law import law, valued
from properties.operators import Operator
from properties.subjects import META, Declined, Subject
from properties.verdicts.expected import Refusal
from properties.verdicts.verdict import rejected, same_shape, verdict


def sized(operator: Operator) -> bool:
    """True if arguments give an operator numbers for axes."""
    return operator.axes > 0 or operator.has("sized")


def inferred(operator: Operator) -> bool:
    """True if shapes alone are all that such an operator needs."""
    return sized(operator) and not operator.given


def countable(operator: Operator, case: Case) -> bool:
    """True if 64 bits count the bytes of an output, and of the input once it is padded, where that is made first."""
    padded = padded_elements(operator, case) if operator.has("blocks") else 0  # which meta makes
    return max(elements(operator, case), padded) <= LARGEST


@law("huge shapes", covers=inferred, on=lambda subject: subject == META, cases=lambda operator: huge(operator, True))
def test_shapes(operator: Operator, subject: Subject, case: Huge) -> None:
    """Shape inference gives the formula's shape or a clean error, for sizes up to 2⁵⁹ and arguments past 2⁶³."""
    shape = formula(operator, case)
    outcome = subject.run(operator.program, case.shapes, case.arguments)
    if shape is not None and set(case.inflated) <= {"size", "weight"} and countable(operator, case):
        same_shape(outcome, shape)
    else:
        rejected(outcome, Refusal(f"past 64 bits, or no window fits: {', '.join(case.inflated)}", shape))


def misled(error: str | None) -> bool:
    """True if an error says that arguments are zero, or too large for others, which those of a valid case are not."""
    return re.search("greater than zero|not be zero|smaller than either", error or "") is not None


@law("huge arguments", covers=sized, on=valued,
     cases=lambda operator: huge(operator, False))  # fmt: skip
def test_arguments(operator: Operator, subject: Subject, case: Huge) -> None:
    """Computing with arguments up to and past 2⁶³ gives what the loops give, or a clean error in bounded time."""
    if subject.kernels and "padding" in case.inflated:
        raise Declined("a kernel that pads its input would need more memory than there is")
    shape = formula(operator, case)
    given = operator.constraints[0].given or operator.given
    operands = operator.unscaled(case, subject.format)
    operands |= {name: make(case, subject.format) for name, make in given.items()}
    outcome = subject.run(operator.program, operands, case.arguments)
    large = elements(operator, case) > HELD or (subject.kernels and shape is not None)
    if large and str(outcome.error).startswith("OutOfMemory"):
        return
    rejected(outcome, Refusal(f"past 64 bits, or no window fits: {', '.join(case.inflated)}", shape))
    if shape is not None and misled(outcome.error):
        same_shape(outcome, shape)
    if not outcome.error and shape is not None and looped(operator, case, shape):
        verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)

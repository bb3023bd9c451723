"""Gradients: autograd scatters what the forward pass gathered."""

from __future__ import annotations

import inspect

from properties.cases.case import Case, Wanting, wanting
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import SIXTEEN_BITS, Subject
from properties.verdicts.verdict import holds, verdict
from properties.worker.call import FAKE


def differentiated(subject: Subject) -> bool:
    """True if a subject has gradients."""
    return not subject.integral and subject.mode != FAKE


def runs(subject: Subject) -> int:
    """To compile gradients takes a second or two, for many sizes up to half a minute of symbolic algebra."""
    return {"dynamic": 8, "compiled": 4}.get(subject.mode, 1)


@law("gradients", covers=lambda operator: operator.differentiable, on=differentiated, rank=2, one_run_in=runs)
def test_gradients(operator: Operator, subject: Subject, case: Case) -> None:
    """The gradient to every operand equals the loops', for a random cotangent, and so does the output on the way."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    verdict(outcome, operator.expected(operands, case.arguments, subject.format), subject)
    expected = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
    verdict(outcome, expected, subject, "gradients")


def several(operator: Operator) -> bool:
    """True if there are gradients to several operands."""
    parameters = inspect.signature(operator.program).parameters
    tensors = [name for name, p in parameters.items() if str(p.annotation).startswith("Tensor")]
    return operator.differentiable and len(tensors) - len(operator.given) > 1


@law(
    "gradients of some operands",
    covers=several,
    cases=lambda operator: wanting(operator.cases),
    share=lambda subject: 0.5,
)
def test_some_gradients(operator: Operator, subject: Subject, case: Wanting) -> None:
    """Where only some operands require a gradient, these gradients are the loops', and there are no others."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent, wanted=case.wanted)
    expected = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
    verdict(outcome, {name: expected[name] for name in case.wanted}, subject, "gradients")
    others = sorted(outcome.gradients.keys() - set(case.wanted))
    holds(not others, f"there are gradients that were not asked for: {', '.join(others)}")


@law(
    "gradients of gradients",
    covers=lambda operator: operator.second is not None,
    share=lambda subject: 0.5 if subject.dtype in SIXTEEN_BITS else 1.0,
)
def test_second_gradients(operator: Operator, subject: Subject, case: Case) -> None:
    """The gradients of ⟨h, gradients⟩ to the cotangent and every operand equal the loops'."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    directions = operator.directions(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent, directions)
    expected = operator.expected_second(cotangent, operands, directions, case.arguments, subject.format)
    verdict(outcome, expected, subject, "second")

"""Modes: what is compiled, or inferred on the meta device, is what eager mode does, errors included."""

from __future__ import annotations

from dataclasses import replace

from properties.cases import Case
from properties.disturbed import disturbed
from properties.laws import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdict import alike, holds, same_shape, verdict


def eager(subject: Subject) -> Subject:
    """The same in eager mode, on a device that has values."""
    return replace(subject, mode="eager", device="cpu" if subject.device == "meta" else subject.device)


def compiled(subject: Subject) -> bool:
    """Whether a compiler made it."""
    return subject.mode == "compiled"


@law(
    "modes",
    covers=lambda operator: operator.differentiable,
    on=lambda subject: compiled(subject) or subject.device == "meta",
    exact=False,
)
def test_modes(operator: Operator, subject: Subject, case: Case) -> None:
    """Compiled, and in shapes and dtypes on the meta device, outputs and gradients are like those of eager mode."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    plain = eager(subject).run(operator.program, operands, case.arguments, cotangent)
    other = subject.run(operator.program, operands, case.arguments, cotangent)
    expected = operator.expected(operands, case.arguments, subject.format)
    verdict(other, alike(plain, expected, subject.format), subject)
    gradients = operator.expected_gradients(cotangent, operands, case.arguments, subject.format)
    verdict(other, alike(plain, gradients, subject.format, "gradients"), subject, "gradients")


@law("errors when compiled", covers=lambda operator: operator.differentiable, on=compiled, cases=disturbed, exact=False)
def test_errors(operator: Operator, subject: Subject, case: Case) -> None:
    """Compiled, a call raises where eager mode does, and where not its output has the same shape."""
    operands = {name: case.tensor(name, shape, subject.format) for name, shape in case.shapes.items()}
    plain, other = (s.run(operator.program, operands, case.arguments) for s in (eager(subject), subject))
    if not plain.error:
        same_shape(other, plain.outputs["output"].shape)
    else:
        holds(bool(other.error), f"{subject} gave a result, but {eager(subject)} raised {plain.error}")

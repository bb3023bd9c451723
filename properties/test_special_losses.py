"""Special values in losses: a row's NaN and infinities are its own."""

from __future__ import annotations

from functools import partial

from properties.laws import law
from properties.operators import Operator
from properties.special import Special
from properties.special_gradients import specials
from properties.special_losses import PALETTES, cotangent, of_losses
from properties.subjects import Subject
from properties.verdict import verdict


@law("special losses", covers=lambda operator: operator.has("loss"), cases=partial(specials, palettes=PALETTES))
def test_losses(operator: Operator, subject: Subject, case: Special) -> None:
    """A loss and its gradients are NaN and infinite exactly where the formula is, row by row."""
    operands, g = operator.operands(case, subject.format), cotangent(operator, case, subject.format)
    loss, gradients = of_losses(operator, case, g, operands, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, g)
    verdict(outcome, {"output": loss.kept(outcome)}, subject)
    expected = {name: promise.kept(outcome, name, "gradients") for name, promise in gradients.items()}
    verdict(outcome, expected, subject, "gradients")

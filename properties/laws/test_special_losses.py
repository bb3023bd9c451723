"""Special values in losses: a row's NaN and infinities are its own."""

from __future__ import annotations

from functools import partial

import numpy as np

from properties.edges.special_gradients import specials
from properties.edges.special_losses import PALETTES, cotangent, of_losses
from properties.edges.special_terms import of_terms, operands_of
from properties.edges.special_values import Special
from properties.engine.law import law
from properties.operators import Operator, operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict
from refimpl.rounding import FORMATS


@law("special losses", covers=lambda operator: operator.has("loss"), cases=partial(specials, palettes=PALETTES))
def test_losses(operator: Operator, subject: Subject, case: Special) -> None:
    """A loss and its gradients are NaN and infinite exactly where the formula is, row by row."""
    operands, g = operator.operands(case, subject.format), cotangent(operator, case, subject.format)
    loss, gradients = of_losses(operator, case, g, operands, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, g)
    verdict(outcome, {"output": loss.kept(outcome)}, subject)
    expected = {name: promise.kept(outcome, name, "gradients") for name, promise in gradients.items()}
    verdict(outcome, expected, subject, "gradients")


@law("special terms", covers=lambda operator: operator.has("terms"), cases=partial(specials, palettes=PALETTES))
def test_terms(operator: Operator, subject: Subject, case: Special) -> None:
    """A NaN makes its own term of a loss NaN, and touches no other; or it is refused."""
    operands, g = operands_of(operator, case, subject.format), cotangent(operator, case, subject.format)
    loss, gradients = of_terms(operator, case, g, operands, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, g)
    if outcome.error and not all(np.isfinite(values).all() for values in operands.values()):
        return
    verdict(outcome, {"output": loss.kept(outcome)}, subject)
    expected = {name: promise.kept(outcome, name, "gradients") for name, promise in gradients.items()}
    verdict(outcome, expected, subject, "gradients")


def test_an_infinity_of_no_weight_promises_nothing() -> None:
    """Zero times ∞ is NaN or left out, even where an example of weight one makes the loss infinite already."""
    nll_loss, weight = operator("nll_loss"), (0.0,) * 8 + (1.0,)
    case = Special(
        {"input": (4, 9)}, {"target": (1, 5, 5, 8), "weight": weight}, "normal", seed=2195, palette="both inf"
    )
    operands = nll_loss.operands(case, FORMATS["float32"])
    assert [operands["input"][0, 1], operands["input"][3, 8]] == [np.inf, -np.inf]
    loss, _ = of_losses(nll_loss, case, np.ones(()), operands, FORMATS["float32"])
    assert not loss.certain

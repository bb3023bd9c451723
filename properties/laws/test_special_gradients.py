"""Special values in gradients: NaN and infinities reach what the formula says, and nothing else."""

from __future__ import annotations

from properties.edges.special_gradients import of_gradients, specials
from properties.edges.special_values import Special
from properties.engine.law import law
from properties.laws.test_special_values import one_product
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import verdict


def selecting(operator: Operator) -> bool:
    """True if elements of the input are selected by their values alone."""
    return operator.has("selecting") and not operator.given


@law(
    "special gradients",
    covers=lambda o: o.differentiable and (one_product(o) or selecting(o)),
    cases=specials,
)
def test_gradients(operator: Operator, subject: Subject, case: Special) -> None:
    """A NaN or infinity of the cotangent or an operand reaches exactly the gradients that it is a factor of."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    promises = of_gradients(operator, case, cotangent, operands, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    expected = {name: promise.kept(outcome, name, "gradients") for name, promise in promises.items()}
    verdict(outcome, expected, subject, "gradients")

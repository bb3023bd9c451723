"""Special values in gradients: NaN and infinities reach what the formula says, and nothing else."""

from __future__ import annotations

from properties.edges.few_values import FewValues, alike, few_values, spread, without_special
from properties.edges.special_gradients import of_gradients, specials
from properties.edges.special_values import Special
from properties.engine.law import law
from properties.laws.test_special_values import one_product
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import tensor, verdict


def selecting(operator: Operator) -> bool:
    """True if elements of the input are selected by their values alone."""
    return operator.has("selecting") and not operator.given


@law(
    "special gradients",
    covers=lambda o: o.differentiable and (one_product(o) or selecting(o) or o.has("activation")),
    cases=specials,
    elementwise=True,
)
def test_gradients(operator: Operator, subject: Subject, case: Special) -> None:
    """A NaN or infinity of the cotangent or an operand reaches exactly the gradients that it is a factor of."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    promises = of_gradients(operator, case, cotangent, operands, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    expected = {name: promise.kept(outcome, name, "gradients") for name, promise in promises.items()}
    verdict(outcome, expected, subject, "gradients")


@law("equal elements", covers=lambda o: o.differentiable and o.has("activation"), cases=few_values)
def test_equal_elements(operator: Operator, subject: Subject, case: FewValues) -> None:
    """Equal elements, or rows, NaN and infinities among them, have equal results and gradients wherever they stand."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent(case, subject.format)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    finite = {name: without_special(values, operator) for name, values in operands.items()}
    near = operator.expected(finite, case.arguments, subject.format)["output"]
    equal = spread(operands)
    wanted = alike(tensor(outcome), near, subject.format, equal, case.arguments)
    verdict(outcome, {"output": wanted}, subject)
    of = without_special(cotangent, operator), finite, case.arguments
    slopes = operator.expected_gradients(*of, subject.format)["input"]
    wanted = alike(tensor(outcome, "input", "gradients"), slopes, subject.format, [*equal, cotangent], case.arguments)
    verdict(outcome, {"input": wanted}, subject, "gradients")

"""Batches: an image does not see the others (S3)."""

from __future__ import annotations

from properties.cases import Case, in_batch
from properties.disturbed import disturbed
from properties.laws import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.test_equivariance import has_window
from properties.verdict import same_shape, verdict


@law("batch = loop", covers=has_window)
def test_batch_is_a_loop(operator: Operator, subject: Subject, case: Case) -> None:
    """A batch of three gives what each of them gives in a batch of its own and without one."""
    case = in_batch(case, 3, operator.axes)
    operands, image = operator.operands(case, subject.format), case.seed % 3
    expected = operator.expected(operands, case.arguments, subject.format)
    verdict(subject.run(operator.program, operands, case.arguments), expected, subject)
    for at in (slice(image, image + 1), image):
        alone = {**operands, "input": operands["input"][at]}
        part = {name: whole.map(lambda values, at=at: values[at]) for name, whole in expected.items()}
        verdict(subject.run(operator.program, alone, case.arguments), part, subject)


@law("whatever the batch", covers=has_window, cases=disturbed, exact=False)
def test_whatever_the_batch(operator: Operator, subject: Subject, case: Case) -> None:
    """What is accepted for one image is accepted for two, for none and without a batch, and what is not is not."""
    outcomes = {}
    for batch in ((), (0,), (1,), (2,)):
        shapes = {**case.shapes, "input": (*batch, *case.shapes["input"][-operator.axes - 1 :])}
        operands = {name: case.tensor(name, shape, subject.format) for name, shape in shapes.items()}
        outcomes[batch] = subject.run(operator.program, operands, case.arguments)
    accepted = {batch: o.outputs["output"].shape[len(batch) :] for batch, o in outcomes.items() if not o.error}
    if accepted:
        batch, shape = next(iter(accepted.items()))
        for other, outcome in outcomes.items():
            same_shape(outcome, (*other, *shape), f" for a batch {batch}")

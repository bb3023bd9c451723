"""Batches: an image, or a row, does not see the others (S3)."""

from __future__ import annotations

from properties.cases.case import Case
from properties.edges.one_number_changed import disturbed
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.verdict import same_shape, verdict


@law("batch = loop", covers=lambda operator: operator.batched)
def test_batch_is_a_loop(operator: Operator, subject: Subject, case: Case) -> None:
    """A batch of three gives what each of them gives in a batch of its own and without one."""
    axes, case = operator.example(case), operator.in_batch(case, (3,))
    operands, chosen = operator.operands(case, subject.format), case.seed % 3
    expected = operator.expected(operands, case.arguments, subject.format)
    verdict(subject.run(operator.program, operands, case.arguments), expected, subject)
    for at in (slice(chosen, chosen + 1), chosen):
        alone = {name: values[at] if name in axes else values for name, values in operands.items()}
        part = {name: whole[at] for name, whole in expected.items()}
        verdict(subject.run(operator.program, alone, case.arguments), part, subject)


@law("whatever the batch", covers=lambda operator: operator.batched, cases=disturbed, exact=False)
def test_whatever_the_batch(operator: Operator, subject: Subject, case: Case) -> None:
    """What is accepted for one example is accepted for two, for none and without a batch, and what is not is not."""
    outcomes = {}
    for batch in ((), (0,), (1,), (2,)):
        sized = operator.in_batch(case, batch)
        operands = operator.any_operands(sized, subject.format)
        outcomes[batch] = subject.run(operator.program, operands, sized.arguments)
    accepted = {batch: o.outputs["output"].shape[len(batch) :] for batch, o in outcomes.items() if not o.error}
    if accepted:
        batch, shape = next(iter(accepted.items()))
        for other, outcome in outcomes.items():
            same_shape(outcome, (*other, *shape), f" for a batch {batch}")

"""Tasks of KernelBench's form: an answer on the task's own shape, off it, and backward.

Collected where --kernels answers a task, and then alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from properties.cases.case import Case
from properties.engine.chains import MOVING
from properties.engine.domain import OWN_WORK
from properties.engine.law import law
from properties.engine.tasks import Shaped, Task, as_torch, expected, operands_of, other_cases, own_cases
from properties.engine.trial import Trial
from properties.laws.test_networks import holds_at
from properties.operators import Operator
from properties.subjects import Declined, Subject
from properties.verdicts.verdict import BUG, UNCLEAN, Diverged, holds, same_shape, verdict
from properties.worker.call import Outcome
from properties.worker.watch import is_called


def of_a_task(operator: Operator) -> bool:
    """True if it is what a task's Model computes."""
    return isinstance(operator, Task)


def few(subject: Subject) -> float:
    """The share of a search's cases that are tried on the task's own shape: each takes long, and they differ little."""
    return 0.05


def answers(subject: Subject) -> bool:
    """True if kernels stand for torch."""
    return bool(subject.kernels) and not subject.integral


@contextlib.contextmanager
def of(shaped: Shaped) -> Iterator[None]:
    """Have what diverges say of which module and inputs."""
    try:
        yield
    except Diverged as failure:
        failure.args = (f"{failure}; {shaped}",)
        raise


def unless_refused(outcome: Outcome) -> Outcome:
    """The outcome; an exception is no wrong answer, but none. Raises Declined."""
    kind = (outcome.error or "").partition(":")[0]
    if outcome.error and kind not in UNCLEAN and BUG not in outcome.error:
        raise Declined(outcome.error.partition("\n")[0])
    return outcome


@law("own shape", covers=of_a_task, on=answers, cases=own_cases, exact=False, rank=1, share=few, least=2)
def test_own_shape(operator: Task, subject: Trial, case: Case) -> None:
    """On the task's own shape the answer gives what Model should; of a large result, some hundred elements."""
    operands, made = operands_of(operator, case, subject), operator.shaped(case).made
    as_torch("agreement", operator, case, subject, operands)
    outcome = subject.run(operator.program, operands, case.arguments)
    with of(operator.shaped(case)):
        same_shape(outcome, operator.output_shape(case))
        if made and made.in_parts:
            own = made.case(case, operands)
            for part in made.operator.parts(own, made.operands(operands), None):  # type: ignore[misc]
                holds_at(replace(part, where={"output": part.where["output"]}), outcome, made.operator, subject)
        else:
            verdict(outcome, expected(operator, case, subject, operands)[0], subject)


@law("other shapes", covers=of_a_task, on=answers, cases=other_cases, rank=2)
def test_other_shapes(operator: Task, subject: Trial, case: Case) -> None:
    """On shapes around the task's own the answer gives what Model should, or raises."""
    operands = operands_of(operator, case, subject)
    as_torch("agreement", operator, case, subject, operands)
    outcome = unless_refused(subject.run(operator.program, operands, case.arguments))
    with of(operator.shaped(case)):
        verdict(outcome, expected(operator, case, subject, operands)[0], subject)


@law("backward", covers=of_a_task, on=answers, cases=other_cases, rank=3)
def test_backward(operator: Task, subject: Trial, case: Case) -> None:
    """The answer's gradients to inputs and weights are what Model's should be, or asking for them raises."""
    operands, cotangent = operands_of(operator, case, subject), operator.cotangent(case, subject.format)
    as_torch("gradients", operator, case, subject, operands)
    outcome = subject.run(operator.program, operands, case.arguments, cotangent)
    with of(operator.shaped(case)):
        if outcome.error:  # perhaps since the output has another shape than its gradient
            forward = unless_refused(subject.run(operator.program, operands, case.arguments))
            same_shape(forward, operator.output_shape(case))
        unless_refused(outcome)
        verdict(outcome, expected(operator, case, subject, operands, cotangent)[1], subject, "gradients")


@law(
    f"{OWN_WORK} of an answer", covers=of_a_task, on=answers, cases=own_cases, exact=False, rank=3, share=few, least=1,
)  # fmt: skip
def test_own_work(operator: Task, subject: Subject, case: Case) -> None:
    """Of the functions that Model calls, there is one that the answer does not call."""
    assert operator.own
    names = tuple(dict.fromkeys(name for name, _ in operator.own.calls if name not in MOVING))
    operands = operands_of(operator, case, subject)
    called = subject.run(operator.program, operands, case.arguments, watched=names).handed_on
    own = [name for name in names if not any(is_called(name, by.rpartition(".")[2]) for by in called)]
    holds(bool(own), f"hands on to {', '.join(called)}: nothing of it is the answer's own")

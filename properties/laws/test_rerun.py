"""A second run gives the same bits, and so does one in memory that other calls have used."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, Repeated, whole
from properties.engine.law import law
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import verdict
from properties.worker.call import Outcome, Setting
from properties.worker.programs import VIEWS

SHARED, MOST = 2**15 + 1, 512
"""Elements that torch gives to two threads, and the most examples of a case: convolutions take one after the other."""
OFTEN = 3


@st.composite
def repeated(draw: st.DrawFn, operator: Operator) -> Repeated:
    """Cases of one thread; one in eight is so large that two threads share it, and is run often."""
    case = draw(operator.cases)
    if not operator.batched or draw(whole(0, 7)) < 7:
        return Repeated(case.shapes, case.arguments, case.fill, case.seed)
    large = many(operator, case)
    return Repeated(large.shapes, large.arguments, large.fill, large.seed, Setting(threads=2), OFTEN)


def many(operator: Operator, case: Case) -> Case:
    """The same case in a batch of so many examples that threads share them."""
    one = operator.in_batch(case, (1,))
    sizes = [math.prod(one.shapes[name]) for name in operator.example(case) if name in one.shapes]
    most = max(1, *sizes, math.prod(operator.output_shape(one)))
    return operator.in_batch(case, (min(MOST, math.ceil(SHARED / most)),))


def as_seen(outcome: Outcome, group: str) -> dict[str, Expected]:
    """What another run of the same call should give."""
    return {name: Expected(np.asarray(observed.values)) for name, observed in getattr(outcome, group).items()}


@law(
    "rerun",
    covers=lambda operator: True,
    on=lambda subject: subject.mode == "eager" and subject.device != "meta",
    cases=repeated,
    exact=False,
    share=lambda subject: 0.5,
)
def test_rerun(operator: Operator, subject: Subject, case: Repeated) -> None:
    """The same call on the same operands gives the same output and gradients, bit for bit, however often it is made."""
    operands, cotangent = operator.operands(case, subject.format), operator.cotangent_if_any(case, subject.format)
    runs = [
        subject.run(operator.program, operands, case.arguments, cotangent, setting=case.setting)
        for _ in range(1 + case.times)
    ]
    for again in runs[1:]:
        verdict(again, as_seen(runs[0], "outputs"), subject)
        verdict(again, as_seen(runs[0], "gradients"), subject, "gradients")


@st.composite
def in_turn(draw: st.DrawFn, operator: Operator) -> Repeated:
    """Cases of a call or, one in eight, a hundred of them."""
    case = draw(operator.cases)
    return Repeated(case.shapes, case.arguments, case.fill, case.seed, times=50 if draw(whole(0, 7)) == 7 else 1)


@law(
    "call after call",
    covers=lambda operator: operator.program not in VIEWS,
    cases=in_turn,
    exact=False,
    share=lambda subject: 0.25,
)
def test_call_after_call(operator: Operator, subject: Subject, case: Repeated) -> None:
    """New numbers in the same memory give their own results, to the hundredth call, and leave the first ones alone."""
    cotangent = operator.cotangent_if_any(case, subject.format)
    first, last = (operator.operands(replace(case, seed=seed), subject.format) for seed in (case.seed + 1, case.seed))
    alone = [subject.run(operator.program, values, case.arguments, cotangent) for values in (first, last)]
    gradients = {f"gradient {name}": seen for name, seen in as_seen(alone[0], "gradients").items()}
    outcome = subject.run(operator.program, last, case.arguments, cotangent, before=first, rounds=case.times)
    verdict(outcome, as_seen(alone[1], "outputs"), subject)
    verdict(outcome, as_seen(alone[1], "gradients"), subject, "gradients")
    verdict(outcome, {**as_seen(alone[0], "outputs"), **gradients}, subject, "held")

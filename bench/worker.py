"""What it costs to run torch in a worker, and how many cases the suite tries in a second.

Whatever is compared is measured in interleaved rounds, and a difference is taken within each round.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import hypothesis
import numpy as np

from bench import measure
from properties.cases.case import Case
from properties.engine.check import Check
from properties.engine.law import Law
from properties.engine.trial import Engine, Engines
from properties.laws import test_agreement
from properties.operators import Operator, operator
from properties.selftest import hostile
from properties.subjects import Subject
from properties.subjects.workers import Workers
from properties.verdicts import evidence
from properties.verdicts.verdict import verdict
from properties.worker import programs
from properties.worker.call import Call, Outcome
from properties.worker.execute import execute

AGREEMENT: Law = test_agreement.test_agreement.law  # type: ignore[attr-defined]
OPERATOR, SUBJECT = operator("conv2d"), Subject("cpu", "float32")
CRASH = Call(hostile.crashes, {"input": np.ones((1, 2))}, dtype="float32")
SMALL = Call(
    programs.convolution.conv2d, {"input": np.ones((1, 1, 8, 8)), "weight": np.ones((1, 1, 3, 3))}, dtype="float32"
)
CALLS = 20
PARTS = ("drawing", "reference", "comparison", "torch")


def restart(workers: Workers) -> float:
    """Seconds that a crash takes: from the call that crashes to the next call's answer, by a new worker."""
    outcomes: list[Outcome] = []
    seconds = measure.seconds(lambda: outcomes.extend(map(workers.run, (CRASH, SMALL))))
    assert str(outcomes[0].error).startswith("NativeCrash")
    assert outcomes[1].error is None
    return seconds


def calls(workers: Workers, rounds: int) -> dict[str, list[float]]:
    """Seconds of the same call by a worker and here, round by round."""

    def each(answer: Callable[[Call], Outcome]) -> float:
        return measure.seconds(lambda: [answer(SMALL) for _ in range(CALLS)]) / CALLS

    return measure.interleave({"worker": lambda: each(workers.run), "here": lambda: each(execute)}, rounds)


def search(engines: Engines, cases: int, turn: int) -> float:
    """Seconds a case of one search for agreement, as ``pytest properties`` makes it; each turn draws other cases.

    It is to run in a sandbox, where calls are made in place.
    """
    return _search(engines, AGREEMENT, cases, turn)


def _search(engines: Engines, law: Law, cases: int, turn: int) -> float:
    name = f"{SUBJECT} {turn}"
    result = evidence.Result(law.name, law.title, OPERATOR.name, name, SUBJECT.device, SUBJECT.dtype, (), "")
    settings = hypothesis.settings(
        max_examples=cases, derandomize=True, database=None, deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )  # fmt: skip
    with evidence.collecting(result):
        seconds = measure.seconds(lambda: Check(law, OPERATOR, SUBJECT, result, engines).search(settings))
    return seconds / result.tally.cases


@dataclass
class Clock:
    """Seconds by what they went into."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Let the time within count towards a part."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start


def shares(engines: Engines, cases: int, turn: int) -> dict[str, float]:
    """The shares of a search's time, in a sandbox. What is none of them is drawing: Hypothesis, values, evidence."""
    clock = Clock()

    def answer(call: Call) -> Outcome:
        with clock.on("torch"):
            return engines.by_torch[""].answer(call)

    whole = _search(Engines({"": Engine(answer)}), _clocked(clock), cases, turn) * cases
    parts = dict.fromkeys(PARTS, 0.0) | clock.seconds
    parts["drawing"] = whole - sum(parts.values())
    return {part: spent / whole for part, spent in parts.items()}


def _clocked(clock: Clock) -> Law:
    """The law of agreement, timed part by part."""

    @functools.wraps(AGREEMENT.body)
    def body(operator: Operator, subject: Subject, case: Case) -> None:
        operands = operator.operands(case, subject.format)
        outcome = subject.run(operator.program, operands, case.arguments)
        with clock.on("reference"):
            expected = operator.expected(operands, case.arguments, subject.format)
        with clock.on("comparison"):
            verdict(outcome, expected, subject)

    return replace(AGREEMENT, body=body)

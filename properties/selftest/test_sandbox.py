"""The sandbox: what holds there holds, and what ends it is a verdict of one check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest

from properties import operators
from properties.engine.check import Check
from properties.engine.law import every
from properties.engine.sandbox import Sandbox
from properties.engine.trial import Engines
from properties.selftest import hostile
from properties.session import recording
from properties.session.options import OPTIONS
from properties.subjects import Subject
from properties.verdicts import evidence
from properties.worker.call import Program

FLOAT32 = Subject("cpu", "float32")
NOWHERE = Engines({})
"""A call that is made in this process, or in a worker, fails."""
Judged = Callable[[Program], evidence.Result]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Judged]:
    """Holds a program, in the place of torch's sigmoid, to the law of agreement, each time in the same sandbox."""
    law, sigmoid = every()["agreement"], operators.operator("sigmoid")
    planted = {
        program: replace(sigmoid, name=program.__name__, program=program)
        for program in (hostile.crashes_on_long_rows, hostile.spins, hostile.hoards, hostile.unwritten, sigmoid.program)
    }
    monkeypatch.setattr(operators, "CATALOGUE", (*operators.CATALOGUE, *planted.values()))
    sandbox = Sandbox(timeout=1.0)
    sandbox.launcher.open()

    def judge(program: Program) -> evidence.Result:
        blank = evidence.Result("agreement", "", program.__name__, "cpu-float32", "cpu", "float32", (), "")
        return sandbox.judge(Check(law, planted[program], FLOAT32, blank, NOWHERE), seed=1)

    yield judge
    sandbox.close()


def test_what_holds_is_counted_there(judged: Judged) -> None:
    """A check passes in the sandbox without a call in this process or in a worker."""
    result = judged(operators.operator("sigmoid").program)
    assert (result.status, result.tally.cases) == ("passed", hypothesis.settings().max_examples)
    assert result.tally.comparisons == result.tally.cases


@pytest.mark.parametrize(
    "program, status, message",
    [
        (hostile.crashes_on_long_rows, "error", "NativeCrash: SIGSEGV"),
        (hostile.spins, "error", "Hung: no answer after 1 s of computing"),
        (hostile.hoards, "diverged", "raised OutOfMemory: "),
        (hostile.unwritten, "diverged", "output"),
    ],
)
def test_what_fails_is_one_checks(judged: Judged, program: Program, status: str, message: str) -> None:
    """What crashes, hangs, hoards or never wrote its output fails, and the next check is made in a new sandbox."""
    result = judged(program)
    assert (result.status, str(result.message)[: len(message)]) == (status, message)
    assert judged(operators.operator("sigmoid").program).status == "passed"


def test_a_hang_after_a_hang(judged: Judged) -> None:
    """A sandbox that ended in the middle of a call leaves nothing behind that hides the next one's hang."""
    for _ in range(2):
        assert str(judged(hostile.spins).message).startswith("Hung")


def test_same_seed_same_cases(judged: Judged) -> None:
    """A check of one seed can be made again, elsewhere too: it meets the same worst case."""
    first, second = (judged(operators.operator("sigmoid").program) for _ in range(2))
    assert (first.tally.worst_case, first.tally.worst_share) == (second.tally.worst_case, second.tally.worst_share)


@pytest.mark.parametrize(
    "doubt, status", [("NativeCrash: SIGSEGV", "error"), ("Hung: no answer", "passed"), (None, "passed")]
)
def test_what_comes_and_goes_is_an_error(doubt: str | None, status: str) -> None:
    """A failure of the sandbox that no worker shows is told, unless the call was only late."""
    lines: list[Any] = []
    result = evidence.Result("agreement", "", "sigmoid", "cpu-float32", "cpu", "float32", (), "")
    writer = SimpleNamespace(write=lines.append, folder=Path())
    stash = {recording.WRITER: writer, OPTIONS: SimpleNamespace(kernels=None)}
    item: Any = SimpleNamespace(config=SimpleNamespace(stash=stash), user_properties=[])
    with pytest.raises(pytest.fail.Exception, match="comes and goes") if status == "error" else nullcontext():
        recording.record(result, FLOAT32, item, lambda: None, doubt)
    assert [line["status"] for line in lines] == [status]

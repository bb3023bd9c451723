"""Another torch beside the suite's own: what one does and the other does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis
import numpy as np
import pytest

from properties.cases.case import Case
from properties.engine import trial
from properties.engine.check import Check
from properties.engine.law import Law
from properties.engine.trial import HERE, Engine, Engines
from properties.laws import test_agreement, test_batches
from properties.ledger.known import LEDGER, every_known
from properties.ledger.record import Divergence
from properties.operators import operator
from properties.subjects import Subject
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged
from properties.worker.call import Call, Observed, Outcome
from properties.worker.execute import execute
from refimpl.rounding import BFLOAT16, round_to

OTHER = Subject("cpu", "bfloat16", torch="torch-0.1.0+cpu")
AGREEMENT = test_agreement.test_agreement.law  # type: ignore[attr-defined]
BATCH = test_batches.test_batch_is_a_loop.law  # type: ignore[attr-defined]
GIVEN = hypothesis.settings(phases=[hypothesis.Phase.explicit], database=None, deadline=None)
FEW = hypothesis.settings(max_examples=20, derandomize=True, database=None, deadline=None)


def right(call: Call) -> Outcome:
    """The answer of a torch that rounds once."""
    outcome = execute(replace(call, dtype="float64"))
    return replace(outcome, outputs={name: _rounded(seen) for name, seen in outcome.outputs.items()})


def _rounded(seen: Observed) -> Observed:
    return replace(seen, values=round_to(np.asarray(seen.values), BFLOAT16), dtype="bfloat16")


def wrong(call: Call) -> Outcome:
    """An answer that is off by one everywhere."""
    return execute(call).part(lambda values: values + 1.0)


@pytest.fixture
def held() -> Callable[..., evidence.Result]:
    """Hold an engine, as another torch, to a law, by default to agreement."""
    engines = dict(HERE.by_torch)

    def hold(
        answer: Callable[[Call], Outcome],
        name: str,
        subject: Subject = OTHER,
        law: Law = AGREEMENT,
        settings: hypothesis.settings = FEW,
        renew: Callable[[], None] = lambda: None,
    ) -> evidence.Result:
        if subject.torch:
            engines[subject.torch] = Engine(answer, renew)
        result = evidence.Result(law.name, "", name, str(subject), "cpu", "bfloat16", (), "")
        with evidence.collecting(result):
            Check(law, operator(name), subject, result, Engines(engines)).search(settings)
        return result

    return hold


def test_an_old_defect_is_known(held: Callable[..., evidence.Result]) -> None:
    """Another torch is tried; where it diverges under the predicate, that is known."""
    result = held(execute, "log_softmax")
    assert 0 < result.tally.known <= result.tally.cases
    assert result.tally.entry.id == "log-softmax-sum-in-storage"
    assert result.tally.comparisons


def test_overwritten_memory_is_given_up(held: Callable[..., evidence.Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a case that may overwrite other memory, and no other, calls are made in a new process."""
    renewed: list[int] = []

    def overwriting(*case: Any) -> list[Divergence]:
        return [replace(entry, overwrites=True) for entry in every_known(*case)]

    monkeypatch.setattr(trial, "every_known", overwriting)
    result = held(execute, "log_softmax", renew=lambda: renewed.append(1))
    assert result.tally.known <= len(renewed) < result.tally.cases


def test_a_torch_without_the_defect_passes(held: Callable[..., evidence.Result]) -> None:
    """A torch that is right where the suite's own is wrong has no known case: the report shows the difference."""
    result = held(right, "log_softmax")
    assert (result.tally.known, result.tally.comparisons) == (0, result.tally.cases)


def test_the_suites_own_torch_is_tried_beside_another(held: Callable[..., evidence.Result]) -> None:
    """Both sides try the same cases, so that their counts of known ones can be compared."""
    other = held(execute, "log_softmax").tally
    own = held(execute, "log_softmax", replace(OTHER, torch="")).tally
    assert 0 < own.known == other.known < own.cases
    assert own.comparisons == other.comparisons == own.cases
    assert (own.worst_case, own.worst_share) == (other.worst_case, other.worst_share)


def test_a_call_of_a_laws_own_is_known(held: Callable[..., evidence.Result]) -> None:
    """A case that is right itself is known where another image of its batch diverges as an entry says."""
    arguments = {"norm_type": 3.0, "kernel_size": (1, 1), "ceil_mode": False}
    case = Case({"input": (1, 1, 1, 1)}, arguments, "normal", seed=1)
    result = held(execute, "lp_pool2d", law=replace(BATCH, examples=(case,)), settings=GIVEN)
    assert (result.tally.known, result.tally.entry.id) == (1, "lp-pool-odd-root-of-negative-sum")


def test_a_release_is_told_from_the_one_before() -> None:
    """An entry that ends with a release is about those before it alone, whichever torch computes."""
    entry = next(entry for entry in LEDGER if entry.id == "fused-sgd-skips-vectors")
    torches = {version: replace(OTHER, torch=f"torch-{version}") for version in ("2.13.0", "2.14.1+cu130", "2.15.0")}
    assert [version for version, subject in torches.items() if entry.shows(subject)] == ["2.13.0"]
    assert entry.fixed == "2.14.1"


def test_a_new_defect_is_none_of_them(held: Callable[..., evidence.Result]) -> None:
    """What no entry covers diverges on another torch as on any."""
    with pytest.raises(Diverged):
        held(wrong, "softmax")

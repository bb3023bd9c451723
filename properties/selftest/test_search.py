"""The search gives each pair its share, keeps what it finds and goes on; what it found before, it finds again."""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase, InMemoryExampleDatabase

from properties.cases.case import Case
from properties.engine import findings, search
from properties.engine.check import Check
from properties.engine.law import Law, every
from properties.engine.search import Pair, Search
from properties.ledger import record
from properties.operators import operator
from properties.session import profiles
from properties.subjects import Declined, Subject
from properties.verdicts import evidence, tally
from properties.verdicts.verdict import Diverged, holds
from properties.worker.call import Setting

SETTINGS = hypothesis.settings(
    hypothesis.settings.get_profile(profiles.SEARCH), database=InMemoryExampleDatabase(), max_examples=20
)
LINEAR, FLOAT64 = operator("linear"), Subject("cpu", "float64")


def pair(name: str, body: Callable[..., None], cases: Any = st.integers(0, 10**6)) -> Pair:  # noqa: B008
    """A law about nothing but numbers."""
    law = Law(name, body, (), None, lambda subject: True, cases, ())
    return Pair(law, None, None, evidence.Result(name, "", "-", "-", "-", "-", (), name))


@dataclass
class Told:
    """A search whose finds are kept."""

    folder: Path
    pairs: list[Pair]
    finds: list[Pair] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic

    def run(self, seconds: float = 60.0, settings: hypothesis.settings = SETTINGS, rounds: int = 2) -> Search:
        """Search for some seconds, or as many rounds."""
        until = self.clock() + seconds
        searched = Search(self.pairs, until, self.folder, [], self.finds.append, lambda: None, settings=settings)
        searched.stop = lambda: searched.round > rounds
        searched.run()
        return searched


def right(case: int) -> None:
    """Always."""
    holds(case >= 0, "below zero")


def wrong(case: int) -> None:
    """Fails from 1,000 on."""
    holds(case < 1000, f"{case} is too large")


def test_too_few_cases_to_say_that_none_prove_anything() -> None:
    """A law that proves nothing is searched again, until it does or has had cases enough."""

    def late(case: int) -> None:
        tally.compared(None, exact=True, vacuous=first.tally.cases <= once)

    def never(case: int) -> None:
        tally.compared(None, exact=True, vacuous=True)

    first, last, once = pair("late", late), pair("never", never), hypothesis.settings().max_examples
    for tried in (first, last):
        with evidence.collecting(tried.result):
            tried.search_enough()
    assert once < first.tally.cases < 3 * once
    assert last.settled


def test_what_holds_is_not_kept() -> None:
    """A search that met every pair leaves no example, which the next would try again in place of a new one."""
    kept = InMemoryExampleDatabase()
    result = evidence.Result("layouts", "", "relu", "", "cpu", "float64", (), "")
    check = Check(every()["layouts"], operator("relu"), Subject("cpu", "float32"), result)
    with evidence.collecting(result):
        check.search(hypothesis.settings(SETTINGS, database=kept, max_examples=40), seed=1)
    assert result.tally.pairs_met == result.tally.pairs > 0
    assert not kept.data


def test_every_pair_gets_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow pairs do not eat the time of the others, and cases add up over rounds."""
    seconds = [0.0]
    clock = SimpleNamespace(monotonic=lambda: seconds[0])
    monkeypatch.setattr(search, "time", clock)

    def slow(case: int) -> None:
        """Takes its time."""
        seconds[0] += 0.2

    pairs = [pair(f"slow {number}", slow) for number in range(2)] + [pair("right", right)]
    searched = Told(tmp_path, pairs, clock=clock.monotonic).run(seconds=6.0, rounds=10)
    assert searched.round > 1
    assert {p.result.status for p in pairs} == {"passed"}
    assert all(p.tally.cases > 3 for p in pairs)
    assert pairs[-1].tally.cases > search.FIRST


def test_a_find_is_shrunk_and_set_aside(tmp_path: Path) -> None:
    """It is told once, at its smallest, and the search goes on with the others."""
    told = Told(tmp_path, [pair("wrong", wrong), pair("right", right)])
    searched = told.run()
    (find,) = told.finds
    assert (find.case, str(find.result.message).partition("\n")[0]) == (1000, "1000 is too large")
    assert searched.round > 1
    assert told.pairs[1].tally.cases > search.FIRST


def test_a_search_is_taken_up_again(tmp_path: Path) -> None:
    """What the database holds is tried first: here, nothing else is."""
    kept = hypothesis.settings(SETTINGS, database=DirectoryBasedExampleDatabase(tmp_path / "examples"))
    Told(tmp_path, [pair("wrong", wrong)]).run(settings=kept)
    again = Told(tmp_path, [pair("wrong", wrong)])
    again.run(settings=hypothesis.settings(kept, phases=[hypothesis.Phase.reuse]))
    assert [find.case for find in again.finds] == [1000]
    nothing = Told(tmp_path, [pair("wrong", wrong)])
    nothing.run(settings=hypothesis.settings(SETTINGS, database=None, phases=[hypothesis.Phase.reuse]))
    assert all(find.failure is None for find in nothing.finds)  # but Hypothesis objects to having tried nothing


def test_examples_are_kept_apart(tmp_path: Path) -> None:
    """What one law, operator or subject fails on is not tried on the next, where it would count as shrunk."""
    kept = InMemoryExampleDatabase()
    first, second = Told(tmp_path, [pair("wrong", wrong)]), Told(tmp_path, [pair("also wrong", wrong)])
    for told in (first, second):
        told.run(settings=hypothesis.settings(SETTINGS, database=kept))
    assert len([key for key in kept.data if not key.endswith((b".secondary", b".pareto"))]) == 2
    assert [find.case for find in first.finds + second.finds] == [1000, 1000]


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends the search; what was being shrunk is kept as far as that went."""
    failures: list[int] = []

    def stopped(case: int) -> None:
        """Fails, and is interrupted when a failing case is tried again, as one always is, be it the smallest."""
        try:
            wrong(case)
        except Diverged:
            failures.append(case)
            if len(failures) > 1:
                raise KeyboardInterrupt from None
            raise

    told = Told(tmp_path, [pair("stopped", stopped)])
    searched = told.run(seconds=60.0)
    assert searched.interrupted
    (find,) = told.finds
    assert find.result.status == "diverged"
    assert f"Not shrunk to its end: case={find.case}" in str(find.result.message)


def test_interrupted_before_a_find(tmp_path: Path) -> None:
    """What held until Ctrl-C is passed, and what had no turn is not run."""

    def stopped(case: int) -> None:
        """Is interrupted at once."""
        raise KeyboardInterrupt

    pairs = [pair("stopped", stopped), pair("also stopped", stopped)]
    assert Told(tmp_path, pairs).run().interrupted
    assert sorted(str(p.result.reason) for p in pairs) == ["None", search.UNVISITED]


def test_what_comes_and_goes_is_an_error(tmp_path: Path) -> None:
    """A failure that does not repeat is told with what there is to see."""
    calls: list[int] = []

    def fickle(case: int) -> None:
        """Fails once."""
        calls.append(case)
        holds(len(calls) != 5, "wrong this time")

    told = Told(tmp_path, [pair("fickle", fickle)])
    told.run()
    (find,) = told.finds
    assert find.result.status == "error"
    assert str(find.result.message).startswith("wrong this time\nIt comes and goes: case=")


def test_a_failure_of_the_suite_is_told(tmp_path: Path) -> None:
    """It is no divergence, and no reason to stop."""

    def broken(case: int) -> None:
        """Cannot work."""
        raise RuntimeError("no such thing")

    told = Told(tmp_path, [pair("broken", broken), pair("right", right)])
    told.run()
    (find,) = told.finds
    assert find.result.status == "error"
    assert str(find.result.message).startswith("RuntimeError: no such thing\n")
    assert told.pairs[1].result.status == "passed"


def test_what_is_not_implemented_is_not_run(tmp_path: Path) -> None:
    """Every case declined, in every round: no pass."""

    def declines(case: int) -> None:
        """Is not there."""
        raise Declined("no such kernel")

    told = Told(tmp_path, [pair("declines", declines)])
    told.run()
    result, tally = told.pairs[0].result, told.pairs[0].tally
    assert (result.status, result.reason) == ("not run", "no such kernel")
    assert tally.declined == tally.cases > search.FIRST


def test_time_is_up(tmp_path: Path) -> None:
    """Pairs that had no turn are not run."""
    told = Told(tmp_path, [pair("right", right)])
    told.run(seconds=0.0)
    assert (told.pairs[0].result.status, told.pairs[0].result.reason) == ("not run", search.UNVISITED)


CASE = Case({"input": (2, 3), "weight": (1, 3)}, {}, setting=Setting({"input": "strided"}))


def found_where_there_is_a_batch(folder: Path, diagnosing: int = 0) -> Pair:
    """The pair of a search that finds one thing, in CASE, and leaves its script and stub in a folder."""

    def body(operator: object, subject: Subject, case: Case) -> None:
        """Fails in two dtypes, where there is a batch."""
        holds(subject.dtype == "float16" or case.shapes["input"][0] < 2, "gradient to input is off")

    found = Pair(
        Law("gradients", body, (), None, lambda subject: True, st.just(CASE), ()),
        LINEAR, FLOAT64, evidence.Result("gradients", "", "linear", "cpu-float64", "cpu", "float64", (), ""),
        diagnosing=diagnosing,
    )  # fmt: skip
    places = [FLOAT64, *(Subject("cpu", dtype) for dtype in ("float32", "float16"))]
    Search([found], time.monotonic() + 3, folder, places, lambda p: None, lambda: None, settings=SETTINGS).run()
    return found


def test_stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub registers an entry; its example is the smallest case, its dtypes are those in which that case fails."""
    found = found_where_there_is_a_batch(tmp_path)
    monkeypatch.setattr(record, "ENTRIES", {})
    runpy.run_path(str(tmp_path / str(found.stub)))
    (entry,) = record.ENTRIES.values()
    assert (entry.operator, entry.law, entry.example) == ("linear", "gradients", CASE)
    assert (entry.dtypes, entry.severity, entry.modes) == (("float64", "float32"), "wrong gradient", ("eager",))
    assert entry.why is entry.upstream is entry.holds(CASE, FLOAT64) is ...
    assert (entry.what, entry.seen) == ("gradient to input is off", torch.__version__.partition("+")[0])


def test_stub_drafts_the_predicate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The predicate of a stub begins as the diagnosis, of which the example is."""
    found = found_where_there_is_a_batch(tmp_path, diagnosing=60)
    assert "Diagnosis: wrong where first axis of input > 1" in str(found.result.message)
    monkeypatch.setattr(record, "ENTRIES", {})
    runpy.run_path(str(tmp_path / str(found.stub)))
    (entry,) = record.ENTRIES.values()
    assert entry.holds(CASE, FLOAT64)
    assert not entry.holds(CASE.with_shape("input", (1, 3)), FLOAT64)


def test_a_stub_that_cannot_be_written(tmp_path: Path) -> None:
    """What was found is told all the same, and that it has no stub."""
    (tmp_path / "stubs").write_text("a file where the folder should be", encoding="utf-8")
    message = str(found_where_there_is_a_batch(tmp_path).result.message)
    assert message.startswith("gradient to input is off\n")
    assert f"\nno stub: {tmp_path / 'stubs'}: File exists; give another folder with --evidence" in message


def test_severities_are_those_of_the_ledger() -> None:
    """A message's beginning tells the class of a defect."""
    assert findings.severity("output[0] is 1.0, but should be 2.0") == "silent wrong value"
    assert findings.severity("output has shape (1,), but should have (2,)") == "wrong shape"
    assert findings.severity("raised RuntimeError: no") == "valid arguments rejected"
    assert set(findings.SEVERITIES.values()) < set(record.SEVERITIES)

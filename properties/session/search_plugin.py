"""``pytest properties --search-minutes N``: the tests that hold laws become the pairs of one search a process.

Each process of pytest-xdist searches its share of the pairs. What it finds, and how far it is, reaches the process that
the user started on reports that pytest passes on anyway; there each pair becomes a test in pytest's summary.
"""

from __future__ import annotations

import random
import time
from typing import Any, Literal

import pytest
import torch

from properties.engine.search import Pair, Search
from properties.operators import Operator
from properties.session import absent, law_tests, progress, recording
from properties.session.options import OPTIONS
from properties.subjects import Subject
from properties.verdicts import evidence

CARRIED = "convproof search"
OFTEN, SNAPSHOT = 0.5, 20.0
"""Seconds between signs of life, and between rewrites of the evidence."""


class Part(pytest.Item):
    """The pairs that one process searches."""

    def __init__(
        self, *, pairs: list[tuple[Pair, pytest.Item]], absent: list[evidence.Result], plugin: Plugin, **about: Any
    ) -> None:
        super().__init__(**about)
        self.items = dict(pairs)
        self.absent = absent
        self.plugin = plugin
        self.sent = self.saved = 0.0

    def runtest(self) -> None:
        """Search."""
        writer = self.config.stash[recording.WRITER]
        subjects = self.config.stash[OPTIONS].subjects
        self.search = Search(
            list(self.items),
            self.plugin.until,
            writer.folder.parent,
            subjects,
            found=self._found,
            tick=self._tick,
            stop=lambda: self.session.shouldfail or self.session.shouldstop,
        )
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in the other tests: on tiny shapes two are many times slower
        try:
            self.search.run()
        finally:
            torch.set_num_threads(threads)
            self._save()
            self._send([pair for pair in self.items if not pair.failed])
            if unfounded := [pair for pair in self.items if pair.failed and not pair.aside]:
                self._found(*unfounded)

    def _found(self, *pairs: Pair) -> None:
        if hasattr(self.config, "workerinput"):  # elsewhere the reports are counted
            self.session.testsfailed += len(pairs)
        self._save()
        self._send(list(pairs))

    def _tick(self) -> None:
        now = time.monotonic()
        if now > self.saved + SNAPSHOT:
            self._save()
        if now > self.sent + OFTEN:
            self._send([])

    def _save(self) -> None:
        """Write all rows anew, so that the file of a run that is killed holds what came of it until then."""
        self.saved = time.monotonic()
        seen = [pair for pair in self.items if pair.visited or pair.result.status == "not run"]
        results = [*self.absent, *(pair.result for pair in seen)]
        self.config.stash[recording.WRITER].rewrite(line for result in results for line in result.lines())

    def _send(self, ended: list[Pair]) -> None:
        """Tell how far the search is, and of pairs that ended."""
        self.sent = time.monotonic()
        search, hook = self.search, self.config.hook
        reports = [_report(pair, self.items[pair]) for pair in ended]
        state = {
            "part": self.name, "round": search.round, "turn": search.turn, "turns": search.turns, "left": search.left,
            "cases": sum(pair.tally.cases for pair in self.items), "interrupted": search.interrupted,
            "found": sum(pair.failed and pair.aside for pair in self.items),
            "reports": [hook.pytest_report_to_serializable(config=self.config, report=r) for r in reports],
        }  # fmt: skip
        carrier = pytest.TestReport(
            self.nodeid, self.location, {}, "passed", None, "setup", user_properties=[(CARRIED, state)]
        )
        hook.pytest_runtest_logreport(report=carrier)


def _report(pair: Pair, item: pytest.Item) -> pytest.TestReport:
    """A pair as pytest's report on a test."""
    result = pair.result
    outcome: Literal["passed", "failed", "skipped"] = "passed"
    why: tuple[str, int, str] | str | None = None
    if result.status == "not run":
        outcome, why = "skipped", (str(item.path), 0, f"Skipped: not run ({result.reason})")
    elif pair.failed:
        files = [name for name in (result.repro, pair.stub) if name]
        outcome, why = "failed", "\n".join([f"{result.status}: {result.message}", *files])
    found = f"{result.status}: {pair}: {str(result.message).partition(chr(10))[0]}" if pair.failed else None
    return pytest.TestReport(
        item.nodeid, item.location, {}, outcome, why, "call", duration=result.seconds, found=found, pair=True
    )


class Plugin:
    """Makes the search of what was collected, and shows in the user's own process how far it is."""

    def __init__(self, config: pytest.Config, budget: float) -> None:
        self.config, self.minutes = config, budget
        self.until = time.monotonic() + 60 * budget
        self.parts: dict[str, dict[str, Any]] = {}
        self.running = True
        self.display = progress.Display(config)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Deal the tests that hold laws out to the processes, each the same whichever process deals."""
        held = [item for item in items if _holds_a_law(item)]
        self.config.hook.pytest_deselected(items=[item for item in items if item not in set(held)])
        gone = [row for item in held for row in self.config.stash[absent.ROWS].get(item, ())]
        absent.note(self.config, gone)
        worker = getattr(self.config, "workerinput", {})
        random.Random(worker.get("testrunuid")).shuffle(held)
        count = min(len(held), worker.get("workercount", 1))
        parts = [[(_pair(item), item) for item in held[start::count]] for start in range(count)]
        items[:] = [
            Part.from_parent(
                session, name=f"search {number} of {count}", pairs=pairs, absent=[] if number > 1 else gone, plugin=self
            )
            for number, pairs in enumerate(parts, 1)
        ]
        self.until = time.monotonic() + 60 * self.minutes

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Search instead of running a test."""
        if not isinstance(item, Part):
            return None
        item.runtest()
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a process tells, in the one that the user started."""
        carried: dict[str, Any] = dict(report.user_properties)
        state = carried.get(CARRIED)
        if state is None or hasattr(self.config, "workerinput"):
            return
        self.parts[state["part"]] = state
        for data in state.pop("reports"):
            ended = self.config.hook.pytest_report_from_serializable(config=self.config, data=data)
            self.config.hook.pytest_runtest_logreport(report=ended)
            if ended.found:
                self.display.line(f"search: {ended.found}")
        self.display.show(f"search: {self._state()}")

    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """Count pairs as tests, without a letter for each while the search runs."""
        return (report.outcome, "", "") if self.running and getattr(report, "pair", False) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """From here on pytest's summary shows what failed."""
        self.running = False
        self.display.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how far it came and where what it found lies."""
        if not self.parts:
            return
        terminalreporter.write_line(f"search: {self._state()}")
        if any(state["found"] for state in self.parts.values()):
            folder = self.config.stash[recording.WRITER].folder.parent
            terminalreporter.write_line(f"scripts and ledger stubs: {folder / 'repro'}, {folder / 'stubs'}")

    def _state(self) -> str:
        states = list(self.parts.values())
        cases, found, turn, turns = (sum(s[name] for s in states) for name in ("cases", "found", "turn", "turns"))
        left = max(s["left"] for s in states)
        ended = ", ended by Ctrl-C" if any(s["interrupted"] for s in states) else ""
        return (
            f"round {min(s['round'] for s in states)}, {turn:,} of {turns:,} pairs, {cases:,} cases, "
            f"{left / 60:.1f} minutes left, {found} divergences{ended}"
        )


def _holds_a_law(item: Any) -> bool:
    """True if a test tries a law on something: where a law covers nothing, pytest makes a test that is skipped."""
    about = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return hasattr(getattr(item, "function", None), "law") and all(isinstance(x, Operator | Subject) for x in about)


def _pair(item: Any) -> Pair:
    """What a collected test would have tried."""
    about = item.callspec.params if hasattr(item, "callspec") else {}
    check = law_tests.planned(item.function.law, about.get("operator"), about.get("subject"), item)
    return Pair(**vars(check))

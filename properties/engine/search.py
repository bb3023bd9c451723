"""The search: rounds over every law × operator × subject until the time is up.

Each round visits the pairs in a new order, with twice as many cases as the round before, and gives none more than its
share of half the time that is left: so each gets its turn even when the time is short. A pair's cases and its worst
error add up over the visits. A pair that fails is shrunk, written down and set aside; the search goes on with the rest.
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import hypothesis

from properties.engine import findings
from properties.engine.check import Check
from properties.engine.judgement import Enough, judge
from properties.engine.trial import Trial
from properties.subjects import Declined, Subject
from properties.verdicts import evidence
from properties.verdicts.tally import Tally, counting
from properties.verdicts.verdict import Diverged, Vacuous

FIRST, MOST = 20, 20_000
"""Cases of a visit in the first round, and the most of any."""
LEAST = 1.0
"""Seconds that a visit may take, however little time is left."""
FAILED = ("diverged", "error", "vacuous")
UNVISITED = "the time was up before its turn"


@dataclass(eq=False)
class Pair(Check):
    """A check that the search comes back to: an operator and a subject, or what there is of them."""

    visited: bool = False
    aside: bool = False
    stub: str | None = None
    failure: AssertionError | None = None
    case: object = None

    def __str__(self) -> str:
        return " ".join(name for name in (self.result.law, self.result.operator, self.result.subject) if name != "-")

    @property
    def failed(self) -> bool:
        """True if it is a find, or the suite's own failure."""
        return self.result.status in FAILED

    def visit(self, settings: hypothesis.settings, until: float) -> None:
        """Try more cases, with fresh seeds, until a time; raises what the law, or Hypothesis, raises."""
        self.visited, self.failure = True, None
        self._renew()
        watched = replace(self.law, body=self._watched(until))
        with evidence.collecting(self.result), contextlib.redirect_stdout(io.StringIO()):  # Hypothesis names its seed
            check = Check(watched, self.operator, self.subject, self.result, self.engines, self.domains)
            check.algorithms = self.algorithms
            judge(self.result, self.subject, lambda: self._searched_by(check, settings))

    def _searched_by(self, check: Check, settings: hypothesis.settings) -> None:
        """Search by a check whose law is watched, and diagnose what fails by this one, whose law is not."""
        try:
            check.search(settings)
        except Diverged as failure:
            self.failing = check.failing
            self.diagnose(failure)
            raise

    def settle(self) -> None:
        """Settle the status by all visits so far, after one that was broken off."""
        self._renew()
        with contextlib.suppress(Vacuous):
            judge(self.result, self.subject, lambda: None)

    def close(self) -> None:
        """At the end of the search: what was not tried enough is not run, whatever it seems to prove."""
        result = self.result
        if not self.visited:
            result.status, result.reason = "not run", UNVISITED
        elif result.status == "vacuous" and not self.settled:
            result.status, result.reason = (
                "not run",
                f"the time was up after {self.tally.cases} cases that prove nothing",
            )

    def _renew(self) -> None:
        result = self.result
        result.status, result.reason, result.message, result.tally.call = "passed", None, None, None
        result.severity = result.upstream = None

    def _watched(self, until: float) -> Callable[..., None]:
        """The law's body, which notes how it fails and ends the search when it is late and has not failed."""
        body, before = self.law.body, self.tally.cases

        @functools.wraps(body)
        def watched(**about: object) -> None:
            if self.failure is None and self.tally.cases > before + 1 and time.monotonic() > until:
                self.tally.cases -= 1  # this one is not tried
                raise Enough("late")
            try:
                body(**about)
            except AssertionError as failure:
                self.failure, self.case = failure, about.get("case")
                raise

        return watched


@dataclass
class Search:
    """A search over pairs until a time: ``folder`` is where scripts and stubs go, ``subjects`` are all that there are.

    ``found`` is called with each pair that is set aside because it failed, ``tick`` after each visit; ``stop`` says
    whether to end early.
    """

    pairs: list[Pair]
    until: float
    folder: Path
    subjects: Iterable[Subject]
    found: Callable[[Pair], None]
    tick: Callable[[], None]
    stop: Callable[[], object] = bool
    settings: hypothesis.settings = field(default_factory=hypothesis.settings)
    round: int = 0
    turn: int = 0
    turns: int = 0
    interrupted: bool = False
    _random: random.Random = field(default_factory=random.Random)

    @property
    def left(self) -> float:
        """Seconds left."""
        return max(0.0, self.until - time.monotonic())

    def run(self) -> None:
        """Search until the time is up, every pair is set aside, or Ctrl-C: what was found stays."""
        try:
            while active := [pair for pair in self.pairs if not pair.aside]:
                self._random.shuffle(active)
                self.round, self.turns = self.round + 1, len(active)
                share = max(LEAST, self.left / 2 / len(active))
                for self.turn, pair in enumerate(active):
                    if not self.left or self.stop():
                        return
                    self._visit(pair, share)
                self.turn = self.turns
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            for pair in self.pairs:
                pair.close()

    def _visit(self, pair: Pair, share: float) -> None:
        try:
            settings = hypothesis.settings(self.settings, max_examples=min(FIRST << (self.round - 1), MOST))
            pair.visit(settings, min(time.monotonic() + share, self.until))
        except Vacuous:
            pass  # more cases may prove something
        except KeyboardInterrupt:
            self._broken_off(pair)
            raise
        except AssertionError as failure:
            self._set_aside(pair, failure)
        except Exception as error:
            self._comes_and_goes(pair, error)
        # One that has no case to draw, or no place to run, gives the same in each round.
        pair.aside = pair.aside or "case" not in pair.law.parameters or bool(pair.subject and pair.subject.absence)
        self.tick()

    def _broken_off(self, pair: Pair) -> None:
        """Ctrl-C: a failure that was being shrunk is kept as far as that went."""
        pair.settle()
        if pair.failure is not None:
            pair.result.status = "diverged"
            pair.result.message = f"{pair.failure}\nNot shrunk to its end: case={pair.case!r}"
            self._set_aside(pair, pair.failure, others=False)

    def _comes_and_goes(self, pair: Pair, error: Exception) -> None:
        """Hypothesis could not repeat a failure, or the suite failed: an error, with what there is to see."""
        if pair.failure is not None:
            pair.result.message = f"{pair.failure}\nIt comes and goes: case={pair.case!r}\n{pair.result.message}"
        self._set_aside(pair, pair.failure or error)

    def _set_aside(self, pair: Pair, failure: Exception, others: bool = True) -> None:
        pair.aside = True
        try:
            if isinstance(failure, AssertionError):
                findings.script(pair.result, failure, self.folder)
            if pair.failure is not None and pair.case is not None and pair.operator and pair.subject:
                dtypes = self._dtypes(pair, pair.subject) if others else [pair.subject.dtype]
                about = pair.result, pair.operator, pair.subject, pair.case, dtypes
                path = findings.stub(*about, self.folder, pair.diagnosis)
                pair.stub = f"stubs/{path.name}"
        except OSError as error:  # a find counts for more than what can be written of it
            pair.result.message = f"{pair.result.message}\nno stub: {evidence.unwritten(error, self.folder / 'stubs')}"
        except Exception as trouble:
            pair.result.message = f"{pair.result.message}\nNot all of it could be written: {trouble!r}"
        self.found(pair)

    def _dtypes(self, pair: Pair, subject: Subject) -> list[str]:
        """The dtypes of the same device and mode in which a failing case fails, its own among them."""
        near = [s for s in self.subjects if replace(s, dtype=subject.dtype) == subject and not s.absence]
        near = [s for s in near if pair.law.includes(pair.operator, s)]
        return [s.dtype for s in near if s == subject or _fails(pair, s)]


def _fails(pair: Pair, subject: Subject) -> bool:
    """True if a pair's case fails on another subject; these calls count for no result."""
    nobody = Tally()
    about = {"operator": pair.operator, "subject": Trial.of(subject, pair.engines, nobody), "case": pair.case}
    with counting(nobody):
        try:
            pair.law.body(**{name: thing for name, thing in about.items() if name in pair.law.parameters})
        except AssertionError:
            return True
        except (Declined, ValueError, TypeError):
            return False
    return False

"""``python -m properties.engine.precision``: what entries of the ledger steer around, and how much of that is wrong.

An entry that covers right cases hides new defects. So of the cases that are drawn under its predicate, nine of ten are
to diverge on one of its laws; an entry may say why fewer do (``chance``). Of one that is too wide, cases that are right
are shown. One on rounding steers around nothing: of its cases those are told that break the bound of sums in float32.
To compile a case takes seconds: ``--seconds`` ends an entry's turn.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import Phase
from hypothesis import strategies as st

from properties.cases.case import Case
from properties.cases.dealing import BACKEND
from properties.engine.check import Check
from properties.engine.judgement import Enough
from properties.engine.law import Law, every
from properties.engine.trial import HERE, Engine, Engines
from properties.ledger.known import LEDGER
from properties.ledger.record import Divergence, nearest
from properties.operators import Operator, operator
from properties.subjects import Subject
from properties.subjects.workers import Workers
from properties.verdicts.evidence import Result

LEAST = 0.9
"""The share of the cases under a predicate that is to diverge."""
SHOWN = 3
"""Right cases of an entry that is too wide, of which no more are shown."""
DRAWS = hypothesis.settings(
    phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck),
    backend=BACKEND,
)  # fmt: skip
"""The same cases in any process."""


@dataclass
class Reach:
    """How many cases were drawn, how many lie under an entry's predicate, how many of those diverge, and the others."""

    drawn: int = 0
    under: int = 0
    diverged: int = 0
    right: list[Case] = field(default_factory=list)

    @property
    def precise(self) -> bool:
        """True if no more than one of ten cases under the predicate is right."""
        return self.diverged >= LEAST * self.under

    def __str__(self) -> str:
        return f"{self.under:5} of {self.drawn:5} cases, of which {self.diverged:3} diverge"


def reach(
    entry: Divergence, subject: Subject, wanted: int, draws: int, engines: Engines = HERE, seconds: float = math.inf
) -> Reach:
    """Draw cases of the entry's first law until so many are under its predicate, and try those on its laws."""
    seen, layer, end = Reach(), operator(entry.operator), time.monotonic() + seconds
    checks = [_check(law, layer, subject, engines) for law in _laws(entry, layer, subject)]

    def tried(case: Case) -> None:
        if seen.under >= wanted or time.monotonic() > end:
            raise Enough(f"{seen.under} cases")
        seen.drawn += 1
        if entry.holds(case, subject):
            seen.under += 1
            wrong = any(check.divergence(case) for check in checks)
            seen.diverged += wrong
            seen.right += [] if wrong else [case]
            if entry.overwrites:
                engines.by_torch[""].renew()

    _draw(checks[0].law.strategy(layer), tried, draws)
    return seen


def _draw(cases: st.SearchStrategy[Any], tried: Callable[[Case], None], draws: int) -> None:
    """Try so many cases, the same ones each time, or fewer where that is Enough."""

    def each(case: Case) -> None:
        tried(case)

    with contextlib.suppress(Enough):
        hypothesis.seed(0)(hypothesis.settings(DRAWS, max_examples=draws)(hypothesis.given(case=cases)(each)))()


def _laws(entry: Divergence, layer: Operator, subject: Subject) -> Iterator[Law]:
    """The entry's first law, and those of the same cases; of an entry on all laws, that of gradients."""
    first = every()[entry.law]
    yield first
    for name in entry.laws[1:] if entry.laws else ("gradients",):
        law = every()[name]
        same = law.cases is first.cases is None and law.turns is first.turns
        if same and law.includes(layer, subject) and layer in law.operators:
            yield law


def _check(law: Law, layer: Operator, subject: Subject, engines: Engines) -> Check:
    result = Result(law.name, law.title, layer.name, str(subject), subject.device, subject.dtype, (), "")
    return Check(law, layer, subject, result, engines)


def place(entry: Divergence) -> Subject | None:
    """A subject of this machine's processor on which the entry shows, None if there is none."""
    kinds = ((d, dtype, mode) for d in entry.devices for mode in entry.modes for dtype in entry.dtypes)
    subjects = (Subject(*kind, backend=entry.backends[0]) for kind in kinds)
    return next((s for s in subjects if s.device in ("cpu", "meta") and not s.absence and entry.shows(s)), None)


def main(arguments: list[str] | None = None) -> int:
    """Print the reach of entries. Returns the exit code: 1 if one is not precise and does not say why."""
    parser = argparse.ArgumentParser(prog="python -m properties.engine.precision", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="ENTRY", help="entries; by default all that show here")
    parser.add_argument("--cases", type=int, default=10, help="to be tried under each predicate (default: 10)")
    parser.add_argument("--draws", type=int, default=1000, help="cases drawn for that, at most (default: 1000)")
    parser.add_argument("--seconds", type=int, default=60, help="for each entry, at most (default: 60)")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in (ids := [entry.id for entry in LEDGER]):
            parser.error(f"{name!r} is no entry of the ledger; {nearest(name, ids)}")
    for name in ("cases", "draws", "seconds"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}={getattr(options, name)}: no number above 0; give one, e.g. 10")
    chosen = [entry for entry in LEDGER if not options.names or entry.id in options.names]
    workers, failed = Workers(), False
    for entry in chosen:
        if (subject := place(entry)) is None:
            continue
        engines = Engines({"": Engine(workers.run, workers.renew)})
        found = reach(entry, subject, options.cases, options.draws, engines, options.seconds)
        excused = entry.rounds or entry.chance
        failed |= not (found.precise or excused)
        print(
            f"{entry.id:72}{found}{'' if found.precise else f'  ({excused})' if excused else '  TOO WIDE'}", flush=True
        )
        if not (found.precise or excused):
            print(*found.right[:SHOWN], sep="\n", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

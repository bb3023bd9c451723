"""``python -m properties.selftest.diagnosing``: what the diagnosis says of planted faults, and how much of it is true.

What a fault gets wrong is told by the fault itself: cases that the diagnosis has not seen, drawn from the law and near
the failing one, are held to the law, and the rule is held against what comes of them. A rule is right if it holds of
nineteen of twenty cases that are wrong, and if nine of ten cases of which it holds are wrong, as is asked of entries of
the ledger. That a case under it is right may be luck: it counts only if it is right with other values, too. A rule is
too narrow if cases beside it are wrong, else too wide.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import sys
from collections import Counter
from dataclasses import dataclass, replace

import hypothesis
from hypothesis import Phase

from properties.cases.case import Case
from properties.engine.check import Check
from properties.engine.diagnosis import CASES, Diagnosing, Diagnosis
from properties.engine.judgement import judge
from properties.engine.law import every
from properties.engine.precision import LEAST
from properties.engine.trial import HERE, Engine, Engines
from properties.ledger.record import nearest
from properties.selftest import faults
from properties.subjects import Subject
from properties.subjects.workers import Workers
from properties.verdicts.evidence import Result, collecting

RECALL = 0.95
"""The share of the wrong cases that are under a right rule; what share of those under it are wrong, the ledger says."""
HELD_OUT = 150
"""Cases of each kind that a rule is held against: drawn, and near the failing one."""
SEARCH = hypothesis.settings(
    max_examples=1000, derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(hypothesis.HealthCheck), report_multiple_bugs=False,
)  # fmt: skip


@dataclass
class Told:
    """What is said of a fault, and how it stands against cases that were not seen.

    wrong, right: of these cases, how many under the rule are; missed: how many beside it are wrong.
    """

    name: str
    diagnosis: Diagnosis | None = None
    wrong: int = 0
    right: int = 0
    missed: int = 0

    @property
    def kind(self) -> str:
        """Right, too wide, too narrow, or not told."""
        if self.diagnosis is None:
            return "not told"
        if self.wrong < RECALL * (self.wrong + self.missed):
            return "too narrow"
        return "right" if self.wrong >= LEAST * (self.wrong + self.right) else "too wide"

    def __str__(self) -> str:
        counts = f"{self.wrong} wrong and {self.right} right under it, {self.missed} wrong beside it"
        return f"{self.kind:10}  {self.name}\n{'':12}{self.diagnosis}\n{'':12}unseen: {counts}"


def tell(name: str, cases: int = CASES, held_out: int = HELD_OUT, engines: Engines = HERE) -> Told:
    """Diagnose a planted fault, and hold the rule against cases that were not seen."""
    planted = faults.FAULTS[name]
    subject = Subject("cpu", planted.dtypes[0], planted.mode)
    result = Result(planted.law, "", planted.operator, str(subject), subject.device, subject.dtype, (), "")
    check = Check(every()[planted.law], planted.planted(), subject, result, engines, diagnosing=cases)
    with collecting(result), contextlib.suppress(AssertionError, hypothesis.errors.Flaky):
        judge(result, subject, lambda: check.search(SEARCH))
    told = Told(name)
    if check.broken_by is None:
        return told
    if check.diagnosis is None:  # of what comes and goes Hypothesis says no more than that
        check.diagnose(check.broken_by)
    if check.diagnosis is None:
        return told
    told.diagnosis = check.diagnosis
    if held_out:
        _hold_out(told, check, held_out)
    return told


def _hold_out(told: Told, check: Check, each: int) -> None:
    assert told.diagnosis is not None
    assert check.broken_by is not None
    fresh = Diagnosing(check, check.failing, check.broken_by, 2 * each)
    seen = {repr(seen.case) for seen in told.diagnosis.seen}
    fresh.chance = random.Random(told.name)
    first = next(seen.case for seen in told.diagnosis.seen if seen.wrong)
    drawn = fresh.fresh(2)
    near = fresh.near(first)
    for kind in (drawn, near):
        unseen = (case for case in itertools.islice(kind, 10 * each) if repr(case) not in seen)
        fresh.try_each(itertools.islice(unseen, each))
    fresh.left += len(fresh.seen)
    for new in list(fresh.seen):
        under = told.diagnosis.rule(new.facts)
        wrong = new.wrong or (under and _lucky(fresh, told.diagnosis, new.case))
        told.wrong += under and wrong
        told.right += under and not wrong
        told.missed += new.wrong and not under


def _lucky(fresh: Diagnosing, diagnosis: Diagnosis, case: Case) -> bool:
    """True if a right case under the rule is wrong with other values, and still under the rule."""
    again = fresh.held(replace(case, fill="normal", seed=case.seed + 1))
    return bool(again and again.wrong and diagnosis.rule(again.facts))


def main(arguments: list[str] | None = None) -> int:
    """Print what is said of faults, and how many are diagnosed right. Returns the exit code: 0."""
    parser = argparse.ArgumentParser(prog="python -m properties.selftest.diagnosing", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FAULT", help="what is wrong with them; by default all")
    parser.add_argument("--cases", type=int, default=CASES, help=f"that a diagnosis tries (default: {CASES})")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth alone")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in faults.FAULTS:
            parser.error(f"{name!r} is no planted fault; {nearest(name, list(faults.FAULTS))}")
    counts: Counter[str] = Counter()
    workers = Workers()  # some laws draw cases on which torch itself crashes
    engines = Engines({"": Engine(workers.run, workers.renew)})
    for name in options.names or list(faults.FAULTS)[:: options.every]:
        told = tell(name, options.cases, engines=engines)
        counts[told.kind] += 1
        print(told, flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.most_common()))
    workers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

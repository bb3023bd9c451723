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
from hypothesis import Phase, errors

from properties.cases.case import Case
from properties.engine.check import Check
from properties.engine.diagnosis import CASES, Diagnosing, Diagnosis
from properties.engine.judgement import judge
from properties.engine.law import every
from properties.engine.precision import LEAST
from properties.engine.sandbox import Lost, Sandbox
from properties.engine.trial import Engine, Engines
from properties.ledger.record import nearest
from properties.selftest import faults
from properties.subjects import Subject
from properties.subjects.workers import Workers
from properties.verdicts.evidence import Result, collecting
from properties.worker.call import INDUCTOR

RECALL = 0.95
"""The share of the wrong cases that are under a right rule; what share of those under it are wrong, the ledger says."""
HELD_OUT = 120
"""Cases of each kind that a rule is held against: drawn, and near the failing one."""
TRACED, OF_COMPILED = "aot_eager", 8
"""How faults are compiled that show in compiled code alone, and of how many cases one is tried of it."""
TIMES = 4
"""How often a failing case is tried once more."""
UNSEEN = 7
"""The seed with which they are drawn; a diagnosis has others."""
SEARCH = hypothesis.settings(
    max_examples=1000, derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(hypothesis.HealthCheck), report_multiple_bugs=False,
)  # fmt: skip


@dataclass
class Told:
    """What is said of a fault, and how it stands against cases that were not seen.

    wrong, right: of these cases, how many under the rule are; missed: how many beside it are wrong. steady: the failing
    case is wrong whenever it is tried, in a process of its own, too.
    """

    name: str
    diagnosis: Diagnosis | None = None
    failing: Case | None = None
    steady: bool = True
    wrong: int = 0
    right: int = 0
    missed: int = 0

    @property
    def kind(self) -> str:
        """Right, too wide, too narrow, or not told; of what comes and goes there is nothing to tell of cases."""
        if not self.steady:
            return "comes and goes"
        if self.diagnosis is None:
            return "not told"
        if self.wrong < RECALL * (self.wrong + self.missed):
            return "too narrow"
        return "right" if self.wrong >= LEAST * (self.wrong + self.right) else "too wide"

    def __str__(self) -> str:
        counts = f"{self.wrong} wrong and {self.right} right under it, {self.missed} wrong beside it"
        return f"{self.kind:14}  {self.name}\n{'':16}{self.diagnosis}\n{'':16}unseen: {counts}"


def tell(engines: Engines, name: str, cases: int = CASES, held_out: int = HELD_OUT) -> Told:
    """Diagnose a planted fault, and hold the rule against cases that were not seen."""
    check, told = check_of(engines, name, cases), Told(name)
    compiled = faults.FAULTS[name].mode != "eager"
    with collecting(check.result), contextlib.suppress(AssertionError, errors.Flaky):
        judge(check.result, check.subject, lambda: check.search(SEARCH))
    if check.broken_by is None:
        return told
    if check.diagnosis is None:  # of what comes and goes Hypothesis says no more than that
        check.diagnose(check.broken_by)
    if check.diagnosis:
        told.failing = next(seen.case for seen in check.diagnosis.seen if seen.wrong)
        _hold_out(told, check, check.diagnosis, held_out // (OF_COMPILED if compiled else 1))
        told.diagnosis = replace(check.diagnosis, seen=())
    return told


def check_of(engines: Engines, name: str, cases: int = 0) -> Check:
    """A check of a planted fault, whose diagnosis may try so many cases."""
    planted = faults.FAULTS[name]
    subject = Subject("cpu", planted.dtypes[0], planted.mode, backend=INDUCTOR if planted.mode == "eager" else TRACED)
    result = Result(planted.law, "", planted.operator, str(subject), subject.device, subject.dtype, (), "")
    check = Check(every()[planted.law], planted.planted(), subject, result, engines, diagnosing=cases)
    check.algorithm = planted.algorithm
    return check


def is_wrong(engines: Engines, name: str, case: Case) -> bool:
    """True if a fault shows on a case, each time that it is tried."""
    return all(check_of(engines, name).divergence(case) for _ in range(TIMES))


def _hold_out(told: Told, check: Check, diagnosis: Diagnosis, each: int) -> None:
    assert check.broken_by is not None
    assert told.failing is not None
    fresh = Diagnosing(check, check.failing, check.broken_by, 2 * each)
    seen = {repr(seen.case) for seen in diagnosis.seen}
    fresh.chance = random.Random(told.name)
    for kind in (fresh.fresh(UNSEEN, 2 * each), fresh.near(told.failing)):
        unseen = (case for case in itertools.islice(kind, 10 * each) if repr(case) not in seen)
        fresh.try_each(itertools.islice(unseen, each))
    for new in list(fresh.seen):
        under = diagnosis.rule(new.facts)
        wrong = new.wrong or (under and fresh.is_lucky(new.case, diagnosis.rule))
        told.wrong += under and wrong
        told.right += under and not wrong
        told.missed += new.wrong and not under


def told_of(name: str, cases: int, sandbox: Sandbox, workers: Workers) -> Told:
    """What is said of a fault, beside torch where that is possible, else with each call in a worker."""
    engines = Engines({"": Engine(workers.run, workers.renew)})
    if not sandbox.suits(check_of(engines, name).subject):
        return tell(engines, name, cases)
    try:
        told = sandbox.run(tell, name, cases)
        if told.failing and told.kind != "right":  # it may depend on calls before it
            sandbox.renew()
            told.steady = sandbox.run(is_wrong, name, told.failing)
        return told
    except Lost:
        return tell(engines, name, cases)


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
    sandbox, workers = Sandbox(), Workers()  # some laws draw cases on which torch itself crashes
    for name in options.names or list(faults.FAULTS)[:: options.every]:
        told = told_of(name, options.cases, sandbox, workers)
        counts[told.kind] += 1
        print(told, flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.most_common()))
    sandbox.close()
    workers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What differs between two reports: what broke, what got fixed, what is new or gone, what got slower or faster.

Environments are paired by what they are, else by their machine, and the only one of each with the only one of the
other. Statuses are compared whatever the machine, times only on one machine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from reports.read import environments
from reports.read.records import FAILED, STATUSES, Check, Result
from reports.read.results import Report
from reports.tell import two_torches
from reports.tell.intervals import Change, changes
from reports.tell.noise_floor import NOT_JUDGED
from reports.tell.summarise import some

SORTS = {
    "broke": "Broke",
    "new and failing": "New, and failing",
    "slower": "Slower",
    "fixed": "Fixed",
    "faster": "Faster",
    "no longer run": "No longer run",
    "gone": "Gone",
    "changed": "Other changes",
    "newly run": "Newly run",
    "new": "New",
}
"""Every way in which two reports differ, in the order in which a reader wants them."""


@dataclass
class Comparison:
    """What differs. ``found`` holds lines by sort; ``remarks`` what a reader must know to judge them."""

    found: dict[str, list[str]]
    remarks: list[str]
    same: int
    steady: int

    @property
    def worse(self) -> bool:
        """Something broke, fails newly, or got slower past the noise floor."""
        return any(self.found[sort] for sort in ("broke", "new and failing", "slower"))


def compare(one: Report, other: Report, floor: float | None = None) -> Comparison:
    """``other`` (the newer) against ``one``; ``floor`` replaces the noise floor that the samples themselves give.

    Where ``other`` timed two torches, the newer of them is compared with the older, too.
    """
    comparison = Comparison({sort: [] for sort in SORTS}, [], 0, 0)
    pairs = _pairs(one, other)
    for side in (one, other):
        if side.unread:
            comparison.remarks.append(f"{side.path}: {side.unread:,} entries could not be read and are left out")
    for old, new in pairs:
        where = f" in {other.environments[new]['name']}" if len(pairs) > 1 else ""
        _checks(one.checks.get(old, {}), other.checks.get(new, {}), where, comparison)
        _speeds(one, other, (old, new), where, floor, comparison)
    _unpaired(one, [old for old, _ in pairs], "gone", comparison)
    _unpaired(other, [new for _, new in pairs], "new", comparison)
    _torches(other, comparison)
    return comparison


def times_two_torches(report: Report) -> bool:
    """True if a report holds times of one call in two torches."""
    return any(item.kind == "versions" for own in report.benchmarks.values() for item in own.values())


def _torches(report: Report, comparison: Comparison) -> None:
    """The newer of two torches that were timed in one run against the older."""
    for own in report.benchmarks.values():
        timed = [item for item in own.values() if item.kind == "versions"]
        words = Counter(two_torches.word(item) for item in timed)
        for item in timed:
            if (word := two_torches.word(item)) in comparison.found:
                comparison.found[word].append(two_torches.told(item))
        comparison.steady += words["no difference shown"]
        if words[NOT_JUDGED]:
            calls = some(words[NOT_JUDGED], "call")
            comparison.remarks.append(f"{calls} in two torches {NOT_JUDGED} ({timed[0].warning})")


def _pairs(one: Report, other: Report) -> list[tuple[str, str]]:
    """Environments of the two that belong together, each at most once."""
    left, right = dict(one.environments), dict(other.environments)
    pairs: list[tuple[str, str]] = []
    for alike in (_identical, _on_one_machine, _only):
        for old in list(left):
            fits = [new for new in right if alike(left, old, right, new)]
            if fits:
                pairs.append((old, fits[0]))
                del left[old], right[fits[0]]
    return pairs


Named = dict[str, dict[str, Any]]


def _identical(left: Named, old: str, right: Named, new: str) -> bool:
    return environments.identity(left[old]["environment"]) == environments.identity(right[new]["environment"])


def _on_one_machine(left: Named, old: str, right: Named, new: str) -> bool:
    return environments.one_machine(left[old]["environment"], right[new]["environment"])


def _only(left: Named, old: str, right: Named, new: str) -> bool:
    return len(left) == len(right) == 1


def _checks(old: dict[Check, Result], new: dict[Check, Result], where: str, comparison: Comparison) -> None:
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        sort = _sort(before, after)
        if sort is None:
            comparison.same += 1
            continue
        line = f"{_about(new.get(key) or old[key])}{where}: {_status(before)} → {_status(after)}"
        told = (after.message or after.reason) if after and after.status in (*FAILED, "not run") else None
        first = told.strip().partition("\n")[0][:240] if told else ""
        comparison.found[sort].append(f"{line}; {first}" if first else line)


def _status(row: Result | None) -> str:
    return row.status if row else "absent"


def _about(row: Result) -> str:
    return f"{row.operator}, {row.named}, on {row.subject}"


def _sort(before: Result | None, after: Result | None) -> str | None:
    """How a check (None: it is not there) differs; None where it does not.

    One that is known and then passes is fixed only if no case runs into what is known any more: a check is called known
    where most do, which varies from run to run.
    """
    old, new = before and before.status, after and after.status
    if old == new:
        return None
    if new is None:
        return "gone"
    if new in FAILED:
        return "changed" if old in FAILED else "new and failing" if old in (None, "not run") else "broke"
    if old is None:
        return "new"
    if new == "not run":
        return "no longer run"
    if old == "not run":
        return "newly run"
    fixed = old in FAILED or (old == "known" and not (after and after.known))
    return "fixed" if new == "passed" and fixed else "changed"


def _speeds(
    one: Report, other: Report, pair: tuple[str, str], where: str, floor: float | None, comparison: Comparison
) -> None:
    old, new = one.benchmarks.get(pair[0], {}), other.benchmarks.get(pair[1], {})
    if not old or not new:
        return
    before, after = one.environments[pair[0]]["environment"], other.environments[pair[1]]["environment"]
    if not environments.one_machine(before, after):
        apart = environments.differing_machines(before, after)
        why = f"the machines differ in {', '.join(apart)}" if apart else "no CPU is recorded"
        comparison.remarks.append(f"times are not compared{where}: {why}")
        return
    measured, remarks = changes(old, new, floor)
    comparison.remarks += [f"{remark}{where}" for remark in remarks]
    for change in measured:
        sort = change.sort
        comparison.steady += sort is None
        if sort:
            comparison.found[sort].append(_told(change, where))


def _told(change: Change, where: str) -> str:
    return (
        f"{change.name}{where}: {change.ratio:.3f} × the time, 95 % interval {change.low:.3f} to {change.high:.3f}, "
        f"noise floor {100 * change.floor:.1f} %"
    )


def _unpaired(side: Report, paired: list[str], sort: str, comparison: Comparison) -> None:
    """Environments that only one side has: said as a whole, but what fails in a new one is listed."""
    for name, entry in side.environments.items():
        if name in paired:
            continue
        own = side.checks.get(name, {})
        number = Counter(row.status for row in own.values())
        counted = ", ".join(f"{number[status]:,} {status}" for status in STATUSES if number[status])
        comparison.found[sort].append(f"environment {entry['name']}: {counted or 'benchmarks only'}")
        if sort == "new":
            comparison.found["new and failing"] += [
                f"{_about(row)} in {entry['name']}: absent → {row.status}"
                for _, row in sorted(own.items())
                if row.status in FAILED
            ]

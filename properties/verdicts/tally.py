"""What is counted while a law is held to one check: cases, comparisons, and how close errors came to their bounds.

The comparisons of :mod:`properties.verdicts.verdict` count towards the innermost :func:`counting`. That is the one
thing that a law's body does not pass on: it compares numbers of its own as well as what a subject returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """The counts of one check.

    declined: cases that the subject does not implement (``declining`` says why). pairs: how many pairs of values there
    are of two choices that are dealt (:mod:`properties.cases.dealing`), and pairs_met: on how many of them the law was
    held. explained: of each entry of the ledger, the cases that ran into it, and those of them that were not tried;
    ``entry`` is the last. exact, bounded: comparisons by their tier; vacuous: those that prove nothing. worst_share:
    the largest error as a share of its bound, in ``worst_case``. raised: rules, each with the exception that met its
    violation. call: the last one made. profiles, figures: the numbers of the report's pictures.
    """

    cases: int = 0
    explained: dict[str, list[int]] = field(default_factory=dict)
    declined: int = 0
    comparisons: int = 0
    exact: int = 0
    bounded: int = 0
    vacuous: int = 0
    worst_share: float | None = None
    worst_case: str | None = None
    raised: list[str] = field(default_factory=list)
    compilations: int = 0
    pairs: int = 0
    pairs_met: int = 0
    entry: Any = None
    declining: str | None = None
    call: Any = None
    profiles: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    case_share: float = 0.0

    @property
    def proves_nothing(self) -> bool:
        """True if more than three of four comparisons could easily have come out the same from a wrong subject."""
        return 4 * self.vacuous > 3 * self.comparisons

    @property
    def known(self) -> int:
        """The cases that ran into the ledger."""
        return sum(known for known, _ in self.explained.values())

    @property
    def steered(self) -> int:
        """The known cases that were not tried."""
        return sum(steered for _, steered in self.explained.values())

    def begin_case(self) -> None:
        """Count a case; its comparisons follow."""
        self.cases += 1
        self.case_share = 0.0

    def explain(self, entry: Any, tried: bool = True) -> None:
        """Count a case that an entry of the ledger explains."""
        self.entry = entry
        counts = self.explained.setdefault(entry.id, [0, 0])
        counts[0] += 1
        counts[1] += not tried

    def take_back(self, earlier: Tally) -> None:
        """Forget the comparisons since an earlier copy: what they are about is compared again."""
        for name in ("comparisons", "exact", "bounded", "vacuous"):
            setattr(self, name, getattr(earlier, name))

    def end_case(self, case: object) -> None:
        """Keep the case whose error came closest to its bound."""
        if self.bounded and (self.worst_share is None or self.case_share > self.worst_share):
            self.worst_share = self.case_share
            self.worst_case = None if case is None else repr(case)


_counting: ContextVar[Tally | None] = ContextVar("counting", default=None)


@contextmanager
def counting(tally: Tally) -> Iterator[Tally]:
    """Let comparisons made within count towards a tally."""
    token = _counting.set(tally)
    try:
        yield tally
    finally:
        _counting.reset(token)


def current() -> Tally:
    """The tally of the innermost :func:`counting`; outside of any, one that nobody reads."""
    return _counting.get() or Tally()


def compared(share: float | None, exact: bool, vacuous: bool) -> None:
    """Count one comparison: its worst error as a share of the bound, its tier, and whether it proves nothing."""
    tally = current()
    tally.comparisons += 1
    tally.exact += exact
    tally.bounded += not exact
    tally.vacuous += vacuous
    if share is not None:
        tally.case_share = max(tally.case_share, share)


def raised(rule: str, kind: str) -> None:
    """Note the type of the exception with which a violated rule was met."""
    noted, seen = f"{rule}: {kind}", current().raised
    if noted not in seen:
        seen.append(noted)


def profile(direction: str, shares: dict[str, float], storage: str) -> None:
    """Note the worst error so far as a share of the bound of each accumulator, the widest first, for a direction.

    The accumulator that the subject shows is the widest whose bound every error has kept.
    """
    data = current().profiles.setdefault(direction, {"direction": direction, "shares": {}})
    seen = {name: max(share, data["shares"].get(name, 0.0)) for name, share in shares.items()}
    kept = [name for name, share in seen.items() if share <= 1.0]
    worst = seen[next(iter(seen))]
    data |= {"shares": seen, "storage": storage, "accumulator": (kept or ["none"])[0], "worst_share": worst}


def algorithm(operator: str, shares: dict[str, float]) -> None:
    """Note the worst error so far as a share of the bound of each algorithm, and the first whose bound all kept."""
    data = current().figures.setdefault("algorithms", {"operator": operator, "shares": []})
    seen = {each["algorithm"]: each["share"] for each in data["shares"]}
    seen |= {name: max(share, seen.get(name, 0.0)) for name, share in shares.items()}
    data["shares"] = [{"algorithm": name, "share": share} for name, share in seen.items()]
    data["algorithm"] = next((name for name, share in seen.items() if share <= 1.0), "beyond any")


def figure(name: str, data: dict[str, Any]) -> None:
    """Keep the numbers of a picture in the report; the first of a name stays."""
    current().figures.setdefault(name, data)

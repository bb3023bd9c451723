"""The diagnosis of a divergence: when it fails, and when not, in one sentence with what was counted.

Beside the cases that the search tried, the smallest failing case's neighbours are held to the law, and fresh ones. Of
their facts the smallest rule is learnt that tells the wrong from the right. While others explain what was seen as well,
cases are tried on which these rules differ; at last, fresh cases on both sides. No more is said than was seen.

A right case that meets the rule may be right by luck, as where the elements that are taken for each other are equal. If
it is wrong with other values, it counts on neither side.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import hypothesis

from properties.cases.case import Case, Mixed, Repeated, Wanting
from properties.edges.few_values import FewValues
from properties.edges.special_values import Special
from properties.engine import neighbours
from properties.engine.domain import DRAWS, drawn
from properties.engine.rules import LEAST, Rule, disputed, rules
from properties.engine.symptoms import Symptoms, symptoms
from properties.engine.trial import Listed, Trial
from properties.ledger.known import every_known
from properties.ledger.record import OUT_OF_RANGE, Divergence
from properties.operators.facts import Facts, facts_of
from properties.subjects import Declined
from properties.verdicts.evidence import Result
from properties.verdicts.tally import Tally, counting
from properties.verdicts.verdict import Diverged

if TYPE_CHECKING:
    from properties.engine.check import Check

CASES = 400
"""How many cases a diagnosis tries by default: some 10 s of one core."""
FRESH, NEAR, ROUND = 0.3, 0.25, 24
"""The shares of them that are drawn first, and near the failing one; and how many are tried before rules are learnt
again."""
RIVALS, MARGIN = 40, 0.05
"""How many rules are held against each other, and how much worse than the best one may be."""
CONFIRMING = 48
"""Cases that are kept for the end: as many on each side of the rule, where there are."""
LUCKY = 8
"""Right cases under the best rule of a round that are tried with other values."""
MISSED = 0.02
"""The share of what is wrong beside a rule with conditions on values, from which on these may be luck."""
POOL = 300
"""Cases that are made, not tried, for rules to differ on."""
MORE = (Repeated, Wanting, Mixed, Special, FewValues)
"""Kinds of cases that add to any valid case of an operator, so that their neighbours are cases of the same law."""
HUNG = "Hung"
LATE = 2
"""Calls without an end, each of which takes seconds, after which no more cases are tried."""
FEWEST = 8
"""Cases without which no rule is learnt."""


@dataclass
class Seen:
    """A case that was held to the law, what is so of it, and how it failed, if it did."""

    case: Case
    facts: Facts
    failure: Diverged | None

    @property
    def wrong(self) -> bool:
        """True if the law failed."""
        return self.failure is not None


@dataclass(frozen=True)
class Diagnosis:
    """When a check fails: a rule, and all that was seen. confirmed: fresh cases on both sides bore it out."""

    rule: Rule
    seen: Sequence[Seen] = field(repr=False, default=())
    confirmed: bool = True
    symptoms: Symptoms | None = None

    def __str__(self) -> str:
        return ". ".join(filter(None, (self.when, str(self.symptoms or ""))))

    @property
    def told(self) -> dict[str, Any]:
        """The diagnosis as it is written down: of the cases under the rule, and beside it, the wrong and the right."""
        seen = self.symptoms
        return {
            "rule": [str(condition) for condition in self.rule.conditions],
            "others": [str(condition) for condition in self.rule.others],
            "under": list(self.rule.under),
            "beside": list(self.rule.beside),
            "confirmed": self.confirmed,
            "elements": (str(seen.elements or "") or None) if seen else None,
            "value": (seen.value or None) if seen else None,
            "plane": seen.plane.shares if seen and seen.plane else None,
            "of": seen.plane.what if seen and seen.plane else None,
            "right": [repr(case) for case in self.nearest(3)],
        }

    def nearest(self, number: int) -> list[Case]:
        """The right cases of which the fewest facts are others than those of the failing one."""
        wrong = next((seen.facts for seen in self.seen if seen.wrong), {})
        right = [seen for seen in self.seen if not seen.wrong]
        right.sort(key=lambda seen: sum(wrong.get(name) != fact for name, fact in seen.facts.items()))
        return [seen.case for seen in right[:number]]

    @property
    def when(self) -> str:
        """The rule in a sentence."""
        (wrong, lucky), (missed, right) = self.rule.under, self.rule.beside
        if not self.rule.conditions and not lucky:
            return f"wrong in every case that was tried ({wrong})"
        if not self.rule.conditions:
            return f"wrong in {wrong} of {wrong + lucky} cases, and no condition was found that tells which"
        if not missed + right:
            return f"wrong wherever {self.rule} ({wrong} of {wrong + lucky}); no other case was seen"
        told = f"wrong where {self.rule} ({wrong} of {wrong + lucky}); right elsewhere ({right} of {right + missed})"
        if wrong < LEAST * (wrong + lucky):
            return f"{told}; what else it takes was not found"
        return told if self.confirmed else f"{told}; that is not confirmed by fresh cases"


def diagnose(
    check: Check, case: object, failure: Diverged, cases: int = CASES, entry: Divergence | None = None
) -> Diagnosis | None:
    """When a check fails that failed on a case; None where nothing can be told of such cases.

    entry: the one of the ledger that is to be diagnosed, for which no case is passed over.
    """
    if check.operator is None or check.subject is None or not isinstance(case, Case):
        return None
    # One function for many sizes is compiled anew for each case that is tried apart.
    subject = replace(check.subject, mode="compiled") if check.subject.compiled else check.subject
    cases = round(cases * subject.budget)
    return Diagnosing(check, case, failure, cases, entry).diagnosis() if cases >= FEWEST else None


class Diagnosing:
    """The cases of one diagnosis; the same ones for the same failing case."""

    def __init__(
        self, check: Check, case: Case, failure: Diverged, budget: int, entry: Divergence | None = None
    ) -> None:
        result = Result(**{**vars(check.result), "tally": Tally()})
        self.check, self.case, self.left, self.late = replace(check, result=result), case, budget, 0
        self.budget, self.chance = budget, random.Random(repr(case))
        assert check.operator is not None
        self.operator = check.operator
        self.entry = entry
        self.seen: list[Seen] = []
        self.known = set[str]()
        self.told = dict[str, Facts]()
        self.again = set[str]()
        self.others, self.error = drawn(self.operator), _error(failure)

    def diagnosis(self) -> Diagnosis | None:
        """Try cases until the rule is found, or the budget is used up."""
        first = self.failing()
        if first is None:
            return None
        self.about = first.facts
        assert self.check.subject is not None
        format = self.check.subject.format
        self.of_values = self.about.keys() - facts_of(self.operator, first.case, format, values=False).keys()
        for case, failed in list(self.check.outcomes):
            self._note(case, failed)
        fresh, near = self.fresh(0, POOL), self.near(first.case)
        self.try_each(itertools.islice(fresh, round(FRESH * self.budget)))
        self.try_each(itertools.islice(near, round(NEAR * self.budget)))
        if len(self.seen) < FEWEST:
            return None
        self._tell_apart([*itertools.islice(near, POOL), *itertools.islice(fresh, POOL)])
        confirmed = self._confirmed()
        failures = [seen.failure for seen in self.seen if seen.failure is not None]
        assert first.failure is not None
        return Diagnosis(self._rule(), self.seen, confirmed, symptoms(self.operator, first.failure, failures))

    def failing(self) -> Seen | None:
        """The failing case, filled with the values with which it fails."""
        for variant in self.check.tiers(self.case):
            if isinstance(variant, Case) and (seen := self.held(variant)) and seen.wrong:
                return seen
        return None

    def facts(self, case: Case) -> Facts:
        """What is so of a case."""
        assert self.check.subject is not None
        if (text := repr(case)) not in self.told:
            self.told[text] = facts_of(self.operator, case, self.check.subject.format)
        return self.told[text]

    @property
    def _labelled(self) -> list[tuple[Facts, bool]]:
        return [(seen.facts, seen.wrong) for seen in self.seen]

    def _rule(self) -> Rule:
        return rules(self._labelled, about=self.about)[0]

    def _tell_apart(self, pool: list[Case]) -> None:
        """Try cases on which the best rules differ, until none is as good, or all agree."""
        while self.left > CONFIRMING:
            self._forget_lucky(LUCKY)
            untried = [case for case in pool if repr(case) not in self.known]
            told = disputed(self._labelled, [self.facts(case) for case in untried], self.about, RIVALS, MARGIN)
            if not told or not self.try_each(untried[i] for i in told[:ROUND]):
                return

    def _forget_lucky(self, most: int) -> None:
        """Try right cases under the rule with other values; those that are wrong then count on neither side.

        Where the maximum of a window is elsewhere, a right value is luck, and conditions on values tell it badly: of a
        rule that misses some of the wrong cases those under the rest of its conditions are tried.
        """
        rule = self._rule()
        if rule.beside[0] > MISSED * (rule.under[0] + rule.beside[0]):
            rule = rule.without(self.of_values)
        right = [seen for seen in self.seen if not seen.wrong and rule(seen.facts)]
        for seen in [seen for seen in right if repr(seen.case) not in self.again][:most]:
            self.again.add(repr(seen.case))
            if self.is_lucky(seen.case, rule):
                self.seen = [other for other in self.seen if other is not seen]

    def is_lucky(self, case: Case, rule: Rule) -> bool:
        """True if a right case under a rule is wrong with other values, and still under the rule."""
        for fill, more in ((case.fill, 1), ("normal", 1), (case.fill, 2)):
            other, self.left = replace(case, fill=fill, seed=case.seed + more), self.left - 1
            told, failure = self._outcome(other)  # not noted: of right cases alone others would be seen
            if told and failure is not None and rule(self.facts(other)):
                return True
        return False

    def _confirmed(self) -> bool:
        """True if fresh cases on both sides bear the rule out. One that is learnt from them, too, is held to others."""
        for seed in (1, 2):
            cases = self._on_both_sides(self._rule(), seed, self.left // (3 - seed))
            self.try_each(cases)
            self._forget_lucky(self.left)
            rule, new = self._rule(), set(map(repr, cases))
            fresh = [(rule(seen.facts), seen.wrong) for seen in self.seen if repr(seen.case) in new]
            if fresh and _borne_out(fresh):
                return True
        return False

    def _on_both_sides(self, rule: Rule, seed: int, number: int) -> list[Case]:
        """Cases that were not tried: half of them under the rule, and half beside it, as far as there are such."""
        sides: dict[bool, list[Case]] = {True: [], False: []}
        fresh = itertools.chain(self.fresh(seed, POOL // 3), self.near(self.case))
        for case in itertools.islice(fresh, 2 * POOL):
            side = sides[rule(self.facts(case))]
            if len(side) < number // 2 and repr(case) not in self.known:
                side.append(case)
            if all(len(side) >= number // 2 for side in sides.values()):
                break
        return [*sides[True], *sides[False]]

    def fresh(self, seed: int, number: int) -> Iterator[Case]:
        """Cases of the law, at most so many, with integers and with their own values by turns."""
        found: list[Any] = []

        def each(case: Any) -> None:
            found.append(case)

        strategy = self.check.law.strategy(self.operator)
        settings = hypothesis.settings(DRAWS, max_examples=number)
        hypothesis.seed(seed + 1)(settings(hypothesis.given(case=strategy)(each)))()
        for i, case in enumerate(self.chance.sample(found, len(found))):
            variants = [variant for variant in self.check.tiers(case) if isinstance(variant, Case)]
            if variants and all(neighbours.small(variant) for variant in variants):
                yield variants[i % len(variants)]

    def near(self, case: Case) -> Iterator[Case]:
        """Neighbours of the failing case, where the law is about any valid case of the operator."""
        law, own = self.check.law, type(self.case) is Case and self.case.setting is None
        if law.name in OUT_OF_RANGE or type(self.case) not in (Case, *MORE) or (law.cases is not None and own):
            return iter(())
        return neighbours.neighbours(self.operator, case, self.others, self.chance)

    def try_each(self, cases: Iterable[Case]) -> int:
        """Hold the law on cases, as far as the budget goes. Returns how many told something."""
        before = len(self.seen)
        for case in cases:
            if self.left <= 0 or self.late >= LATE:
                break
            self.held(case)
        return len(self.seen) - before

    def held(self, case: Case) -> Seen | None:
        """Hold the law on a case once; None where nothing is learnt of it."""
        if repr(case) in self.known:
            return None
        self.left -= 1
        told, failure = self._outcome(case)
        if failure is not None and HUNG in str(failure):
            self.late += 1
        return self._note(case, failure) if told else None

    def _note(self, case: Case, failure: Diverged | None) -> Seen | None:
        if (text := repr(case)) in self.known:
            return None
        self.known.add(text)
        self.seen.append(seen := Seen(case, self.facts(case), failure))
        return seen

    def _asked(self, trial: Trial | None, case: Case) -> Trial | None:
        """The trial, once the ledger was asked about a case; where sums may be rounded, it is held to their bound.

        Raises Listed where another entry than the one to be diagnosed has it.
        """
        assert self.check.subject is not None
        if self.entry is None and trial is not None:
            trial.ask(self.operator, case, self.check.subject)
        if self.entry is None or trial is None:
            return trial
        known = every_known(self.check.law.name, self.operator, self.check.subject, case)
        others = tuple(other for other in known if other is not self.entry)
        for other in others:
            if self.entry.rounds or not other.tried:
                raise Listed(other)
        return replace(trial, roundings=tuple(other for other in others if other.rounds))

    def _outcome(self, case: Case) -> tuple[bool, Diverged | None]:
        """True with a case that tells something, and how the law fails on it.

        One that the ledger knows, the subject declines, or no wrong subject could fail on tells nothing. Nor does one
        that ends with another error than the failing case: a neighbour may turn out not to be valid.
        """
        # Of calls the ledger is not asked where an entry is diagnosed: they would be put down to that.
        trial, tally = self.check.trial(None if self.entry else case), Tally()
        try:
            with counting(tally):
                self.check.hold(self._asked(trial, case), case=case)
        except (Listed, Declined):
            return False, None
        except Diverged as failure:
            return not (trial and trial.entries) and _error(failure) == self.error, failure
        except Exception:  # the loops refuse what is not valid
            return False, None
        return tally.vacuous < tally.comparisons, None


def _borne_out(fresh: Sequence[tuple[bool, bool]]) -> bool:
    """True if what is under a rule, the first of each pair, is wrong, and nearly nothing else is."""
    sides = [[wrong for under, wrong in fresh if under == side] for side in (True, False)]
    under, beside = (sum(side) / max(len(side), 1) for side in sides)
    return (not sides[0] or under >= LEAST) and beside <= 1 - LEAST


def _error(failure: Diverged) -> str:
    """The type of the exception that a failure tells of; empty for a wrong result.

    >>> _error(Diverged("raised IndexError: too far, but these arguments are valid")), _error(Diverged("output is 1"))
    ('IndexError', '')
    """
    raised = re.match(r"raised (\w+)", str(failure))
    return raised[1] if raised else ""

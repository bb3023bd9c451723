"""Rules: the fewest conditions that tell what is wrong from what is right.

A rule is learnt from facts: of each case, or of each element of a result, what it is and whether it is wrong. It is a
conjunction of up to three conditions; where none explains what was seen, two of them, with an "or" between. Of some
thousand conditions most are not met by what is wrong, or say the same as others, so that a plain search over the rest
takes a tenth of a second.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from properties.operators.facts import Fact, Facts
from refimpl.arrays import Array

COST = 0.035
"""What a condition must gain in precision or recall, for the rule to have it."""
LEAST = 0.9
"""The share of what meets a rule that is wrong, of a rule that tells what it takes."""
OF_RIGHT = 0.7
"""How much it counts that what falls under a rule is right, beside that what is wrong does not: the former may be luck,
as where the values that a fault takes for each other are equal."""
AT_LEAST, AT_MOST, IS, IS_NOT, MULTIPLE, NO_MULTIPLE = "≥", "≤", "=", "≠", "a multiple of", "no multiple of"
PAST = "at least 2 past a multiple of"
RELATIONS = {AT_LEAST: operator.ge, AT_MOST: operator.le, IS: operator.eq, IS_NOT: operator.ne}
OF_REMAINDERS: dict[str, Callable[[Array], Array]] = {
    MULTIPLE: lambda remainders: remainders == 0,
    NO_MULTIPLE: lambda remainders: remainders != 0,
    PAST: lambda remainders: remainders >= 2,
}
REMAINDERS = {MULTIPLE: "== 0", NO_MULTIPLE: "!= 0", PAST: ">= 2"}
OPERATORS = {AT_LEAST: ">=", AT_MOST: "<=", IS: "==", IS_NOT: "!="}
MODULI = (2, 4, 8, 16, 32, 64)
SINGLE = 12
"""Values of a fact of which each may be told, whole number or not."""
FEW = 40
"""Values of a fact at which it is cut."""
STRONG, KEPT, FIRST, NEXT = 400, 100, 8, 60
"""Conditions that are tried with each other, pairs of them to which a third is added, conjunctions to which another is
joined by "or", and the conditions that are tried for that."""
OR = 1.0
"""What "or" costs, beside the conditions that follow it."""
OF_MISSED = 0.3
"""How much it counts that what is wrong does not meet the first of two conjunctions."""
EXPLAINED = 0.95
"""The share of what is wrong that meets a rule, and of what meets it that is wrong, where no "or" is looked for."""


@dataclass(frozen=True)
class Condition:
    """A fact compared with a value, which was seen."""

    fact: str
    relation: str
    value: Fact
    cost: float = 1.0

    def __call__(self, facts: Facts) -> bool:
        """True if it is met; where the fact is none of this case, it is not."""
        return self.fact in facts and bool(self.of(np.array([facts[self.fact]], dtype=object))[0])

    def of(self, column: Array) -> Array:
        """For each of many values of its fact, whether it is met; None stands for no such fact, and meets nothing."""
        if column.dtype != object:
            return self._compared(column)
        present = np.array([value is not None for value in column], dtype=bool)
        compared = np.zeros(len(column), dtype=bool)
        compared[present] = self._compared(column[present])
        return compared

    def _compared(self, values: Array) -> Array:
        if self.relation in OF_REMAINDERS:
            return OF_REMAINDERS[self.relation](values % self.value)
        return np.asarray(RELATIONS[self.relation](values, self.value), dtype=bool)

    @property
    def code(self) -> str:
        """The same as Python, of a dict of facts.

        >>> Condition("groups", AT_LEAST, 2).code, Condition("a bias", IS, False).code
        ("facts.get('groups', 0) >= 2", "not facts.get('a bias')")
        """
        fact = f"facts.get({self.fact!r})" if isinstance(self.value, bool | str) else f"facts.get({self.fact!r}, 0)"
        if isinstance(self.value, bool):
            return fact if self.value else f"not {fact}"
        if self.relation in OF_REMAINDERS:
            return f"{fact} % {self.value} {REMAINDERS[self.relation]}"
        return f"{fact} {OPERATORS[self.relation]} {self.value!r}"

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return self.fact if self.value else negated(self.fact)
        if self.relation in OF_REMAINDERS:
            return f"{self.fact} is {self.relation} {self.value}"
        if self.relation == AT_LEAST and isinstance(self.value, int) and self.value in (1, 2):
            return f"{self.fact} > {int(self.value) - 1}"
        value = f"{self.value:.4g}" if isinstance(self.value, float) else "nothing" if self.value == "" else self.value
        return f"{self.fact} {self.relation} {value}"


def negated(phrase: str) -> str:
    """What is said where a phrase is not true.

    >>> negated("a bias"), negated("depthwise")
    ('no bias', 'not depthwise')
    """
    article, _, rest = phrase.partition(" ")
    return f"no {rest}" if article in ("a", "an") else f"not {phrase}"


@dataclass(frozen=True)
class Rule:
    """Conditions that are all met where something is wrong; none says that it is wrong everywhere.

    others: conditions of which all are met where something else is wrong, if there are such. under: how many of the
    wrong and of the right ones meet the rule; beside: how many do not.
    """

    conditions: tuple[Condition, ...]
    under: tuple[int, int] = (0, 0)
    beside: tuple[int, int] = (0, 0)
    loss: float = 0.0
    others: tuple[Condition, ...] = ()

    def __call__(self, facts: Facts) -> bool:
        """True if every condition is met, or every other."""
        return any(all(condition(facts) for condition in part) for part in self.parts)

    def __str__(self) -> str:
        return ", or where ".join(" and ".join(map(str, part)) for part in self.parts)

    @property
    def parts(self) -> list[tuple[Condition, ...]]:
        """Its conjunctions."""
        return [self.conditions, *([self.others] if self.others else [])]

    @property
    def code(self) -> str:
        """The same as Python, of a dict of facts."""
        return " or ".join(" and ".join(condition.code for condition in part) for part in self.parts)

    def without(self, facts: Collection[str]) -> Rule:
        """The rule without conditions on some facts; itself where a conjunction would be nothing else.

        >>> few, small = Condition("groups", AT_MOST, 2), Condition("largest input", AT_MOST, 0.5)
        >>> print(Rule((few, small)).without({"largest input"}), Rule((small,)).without({"largest input"}), sep="; ")
        groups ≤ 2; largest input ≤ 0.5
        """
        kept = [tuple(c for c in part if c.fact not in facts) for part in self.parts]
        return Rule(kept[0], others=kept[1] if len(kept) > 1 else ()) if all(kept) else self

    @property
    def separates(self) -> bool:
        """True if all that is wrong meets it, and nothing that is right does."""
        return self.under[1] == self.beside[0] == 0


def rules(seen: Sequence[tuple[Facts, bool]], best: int = 1, about: Facts | None = None) -> list[Rule]:
    """The best rules for what was seen, each the facts and whether it is wrong; all are met by the facts ``about``.

    >>> seen = [({"stride": s, "groups": g}, s > 1 and g > 2) for s in (1, 2, 3) for g in (1, 2, 4)]
    >>> print(*rules(seen))
    stride > 1 and groups ≥ 4
    >>> seen = [({"stride": s, "groups": g}, s > 2 or g > 2) for s in range(1, 5) for g in range(1, 5)]
    >>> print(*rules(seen))
    stride ≥ 3, or where groups ≥ 3
    """
    table = _Table.of(seen, (), about)
    return [table.rule(found) for found in table.best(best)]


def disputed(
    seen: Sequence[tuple[Facts, bool]], untried: Sequence[Facts], about: Facts, rivals: int, margin: float
) -> list[int]:
    """Which of the untried are under some of the best rules and not under others, the most disputed first.

    Two conditions that say the same of all that was seen are two rules if they differ on what was not.

    >>> disputed([({"n": 1}, False), ({"n": 9}, True)], [{"n": 1}, {"n": 5}, {"n": 9}], {"n": 9}, 8, 0.1)
    [1]
    """
    table = _Table.of(seen, untried, about)
    best, *others = table.best(rivals)
    under = table.under(best, untried=True)
    votes = np.zeros(len(untried), dtype=int)
    for rival in (rule for rule in others if rule.loss < best.loss + margin):
        votes += table.under(rival, untried=True) != under
    return [int(i) for i in np.argsort(-votes, kind="stable") if votes[i]]


Loss = Callable[[Array, Array, Array], Array]
"""Of how many wrong and how many right ones meet a rule, and what it costs."""


@dataclass(frozen=True)
class _Found:
    """A rule by the indices of its conditions, and its loss."""

    loss: float
    conditions: tuple[int, ...]
    others: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Table:
    """What conditions say of all that was seen, and then of what was not tried: conditions by facts.

    about: the conditions that are met by the facts which are to meet each rule.
    """

    conditions: list[Condition]
    met: Array
    wrong: Array
    about: Array

    @classmethod
    def of(cls, seen: Sequence[tuple[Facts, bool]], untried: Sequence[Facts], about: Facts | None) -> _Table:
        """The strongest of all conditions that differ from each other."""
        wrong = np.array([is_wrong for _, is_wrong in seen], dtype=bool)
        facts = [*(facts for facts, _ in seen), *untried, *([] if about is None else [about])]
        conditions, met = _distinct(list(_conditions(facts)), facts)
        kept = _strongest(met[:, : len(seen)], wrong, np.array([condition.cost for condition in conditions]))
        meeting = met[kept, -1] if about is not None else np.ones(len(kept), dtype=bool)
        return cls([conditions[i] for i in kept], met[kept, : len(seen) + len(untried)], wrong, meeting)

    def under(self, found: _Found, untried: bool = False) -> Array:
        """For each that was seen, or that was not tried, whether it meets a rule."""
        met = self.met[:, len(self.wrong) :] if untried else self.met[:, : len(self.wrong)]
        under: Array = np.all(met[list(found.conditions)], axis=0)
        return under | np.all(met[list(found.others)], axis=0) if found.others else under

    def rule(self, found: _Found) -> Rule:
        """A rule with its counts."""
        under = self.under(found)
        counts = [int(np.sum(side & kind)) for side in (under, ~under) for kind in (self.wrong, ~self.wrong)]
        first, second = (tuple(self.conditions[i] for i in sorted(part)) for part in (found.conditions, found.others))
        return Rule(first, (counts[0], counts[1]), (counts[2], counts[3]), found.loss, second)

    def best(self, number: int) -> list[_Found]:
        """The best conjunctions, and where none explains what was seen, the best of two."""
        found = self._searched(np.flatnonzero(self.about), partial(_loss, total=self.wrong.sum()))
        best = self.rule(min(found, key=_by_loss))
        if best.under[0] < EXPLAINED * max(sum(best.under), self.wrong.sum()):
            found += self._of_two()
        distinct = {(frozenset(each.conditions), frozenset(each.others)): each for each in found}
        return sorted(distinct.values(), key=_by_loss)[:number]

    def _of_two(self) -> Iterator[_Found]:
        """Conjunctions of which little is right, each with what is best for the wrong ones beside it."""
        total = self.wrong.sum()
        first = self._searched(np.flatnonzero(self.about), partial(_loss, total=total, of_missed=OF_MISSED))
        distinct = dict[bytes, _Found]()
        for each in sorted(first, key=_by_loss):
            if each.conditions and len(distinct) < FIRST:
                distinct.setdefault(self.under(each).tobytes(), each)
        for each in distinct.values():
            under = self.under(each)
            taken = int(np.sum(under & self.wrong)), int(np.sum(under & ~self.wrong))
            spent = OR + sum(self.conditions[i].cost for i in each.conditions)
            joined = partial(_loss, total=total, taken=taken, spent=spent)
            for other in self._searched(np.arange(len(self.conditions)), joined, ~under, NEXT, each.conditions):
                if other.conditions:
                    yield _Found(other.loss, each.conditions, other.conditions)

    def _searched(
        self, among: Array, loss: Loss, beside: Array | None = None, number: int = STRONG, said: Sequence[int] = ()
    ) -> list[_Found]:
        """Conjunctions of some conditions, of which so many are tried with each other.

        said: those that cost nothing, since the rule has them already: "a and b, or where a and c" is "a, and b or c".
        """
        columns = np.ones(len(self.wrong), dtype=bool) if beside is None else beside
        met, wrong = self.met[among, : len(self.wrong)][:, columns], self.wrong[columns]
        cost = np.array([0.0 if i in said else self.conditions[i].cost for i in among])
        best = np.argsort(loss(met[:, wrong].sum(axis=1), met[:, ~wrong].sum(axis=1), cost), kind="stable")[:number]
        found = _found(met[best], wrong, cost[best], loss)
        return [_Found(lost, tuple(int(among[best[i]]) for i in conditions)) for lost, conditions in found]


def _by_loss(found: _Found) -> float:
    return found.loss


def _loss(
    wrong: Array, right: Array, cost: Array, total: int, of_missed: float = 1.0, taken: tuple[int, int] = (0, 0),
    spent: float = 0.0,
) -> Array:  # fmt: skip
    """How far a rule is from separating: of what meets it, and what it costs to say it.

    total: how many are wrong. taken, spent: how many of the wrong and of the right ones meet a rule to which it is
    joined, and what that costs.
    """
    wrong, right = wrong + taken[0], right + taken[1]
    precision, recall = wrong / np.maximum(wrong + right, 1), wrong / max(total, 1)
    return OF_RIGHT * (1 - precision) + of_missed * (1 - recall) + COST * (cost + spent)


def _strongest(met: Array, wrong: Array, cost: Array) -> list[int]:
    """The conditions that tell the most alone, as a rule or as one of two."""
    counts = met[:, wrong].sum(axis=1), met[:, ~wrong].sum(axis=1), cost
    losses = (_loss(*counts, int(wrong.sum()), of_missed) for of_missed in (1.0, OF_MISSED))
    return sorted({int(i) for each in losses for i in np.argsort(each, kind="stable")[: STRONG // 2]})


def _found(met: Array, wrong: Array, cost: Array, loss: Loss) -> Iterator[tuple[float, tuple[int, ...]]]:
    """The losses of conjunctions, with the indices of their conditions: each of one, the best of two and of three."""
    on_wrong, on_right = met[:, wrong].astype(np.float32), met[:, ~wrong].astype(np.float32)
    yield float(loss(wrong.sum(), (~wrong).sum(), np.array(0.0))), ()
    if not len(met):
        return
    singles = loss(on_wrong.sum(axis=1), on_right.sum(axis=1), cost)
    yield from ((float(lost), (i,)) for i, lost in enumerate(singles))
    pairs = loss(on_wrong @ on_wrong.T, on_right @ on_right.T, cost[:, None] + cost)
    pairs[np.tril_indices(len(pairs))] = math.inf
    best = np.argpartition(pairs, min(KEPT, pairs.size - 1), axis=None)[:KEPT]
    for i, j in zip(*np.unravel_index(best, pairs.shape), strict=True):
        if i >= j:
            continue
        yield float(pairs[i, j]), (int(i), int(j))
        both = on_wrong[i] * on_wrong[j], on_right[i] * on_right[j]
        triples = loss(on_wrong @ both[0], on_right @ both[1], cost + cost[i] + cost[j])
        for k in np.argpartition(triples, min(3, len(triples) - 1))[:3]:
            if k not in (i, j):
                yield float(triples[k]), (int(i), int(j), int(k))


def _conditions(seen: Sequence[Facts]) -> Iterator[Condition]:
    """Every condition that cuts what was seen in two, the plainest first."""
    names = dict.fromkeys(name for facts in seen for name in facts)
    for place, name in enumerate(names):
        values = dict.fromkeys(facts[name] for facts in seen if name in facts)
        cost = 1.0 + 0.006 * place
        if any(isinstance(value, bool) for value in values):
            yield from (Condition(name, IS, value, cost - 0.1) for value in values)
        elif any(isinstance(value, str) for value in values):
            yield from (Condition(name, IS, value, cost) for value in values)
            yield from (Condition(name, IS_NOT, value, cost + 0.3) for value in values)
        else:
            yield from _of_numbers(name, sorted(v for v in values if isinstance(v, int | float)), cost)


def _of_numbers(name: str, values: list[float], cost: float) -> Iterator[Condition]:
    """Cuts of a number, at some of the values that it had; whole numbers may be equal to one, or multiples."""
    cuts = values if len(values) <= FEW else [values[round(i * (len(values) - 1) / FEW)] for i in range(FEW + 1)]
    yield from (Condition(name, AT_LEAST, value, cost) for value in cuts[1:])
    yield from (Condition(name, AT_MOST, value, cost + 0.02) for value in cuts[:-1])
    whole = [value for value in cuts if isinstance(value, int)]
    single = (values if len(values) <= SINGLE else whole)[1:-1]
    yield from (Condition(name, IS, value, cost + 0.1) for value in single)
    yield from (Condition(name, IS_NOT, value, cost + 0.3) for value in single)
    if len(whole) == len(cuts) and values[-1] > 2:
        for modulus in MODULI:
            yield Condition(name, NO_MULTIPLE, modulus, cost + 0.1)
            yield Condition(name, MULTIPLE, modulus, cost + 0.15)
        yield from (Condition(name, PAST, modulus, cost + 0.2) for modulus in MODULI[1:])


def _distinct(conditions: list[Condition], facts: Sequence[Facts]) -> tuple[list[Condition], Array]:
    """Of conditions that say the same the cheapest, and what they say: conditions by facts."""
    kept: dict[bytes, tuple[Condition, Array]] = {}
    columns = dict[str, Array]()
    for condition in sorted(conditions, key=lambda condition: condition.cost):
        if condition.fact not in columns:
            columns[condition.fact] = _column([each.get(condition.fact) for each in facts])
        met = condition.of(columns[condition.fact])
        if met.any() and not met.all():
            kept.setdefault(met.tobytes(), (condition, met))
    if not kept:
        return [], np.zeros((0, len(facts)), dtype=bool)
    return [condition for condition, _ in kept.values()], np.array([met for _, met in kept.values()])


def _column(values: Sequence[Fact | None]) -> Array:
    """Values as an array, of numbers where all are."""
    numbers = all(isinstance(value, int | float) for value in values)
    return np.array(values, dtype=np.float64 if numbers else object)

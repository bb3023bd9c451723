"""Rules: the smallest conjunction of conditions that tells what is wrong from what is right.

A rule is learnt from facts: of each case, or of each element of a result, what it is and whether it is wrong. There are
a few hundred facts and conditions, so that a plain search over conjunctions of up to three takes a tenth of a second.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
RELATIONS = {AT_LEAST: operator.ge, AT_MOST: operator.le, IS: operator.eq, IS_NOT: operator.ne}
OPERATORS = {AT_LEAST: ">=", AT_MOST: "<=", IS: "==", IS_NOT: "!="}
MODULI = (2, 4, 8, 16, 32, 64)
SINGLE = 12
"""Values of a fact of which each may be told, whole number or not."""
FEW = 40
"""Values of a fact at which it is cut."""
KEPT = 60
"""Pairs of conditions to which a third is added."""


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
        if self.relation in (MULTIPLE, NO_MULTIPLE):
            return (values % self.value == 0) == (self.relation == MULTIPLE)
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
        if self.relation in (MULTIPLE, NO_MULTIPLE):
            return f"{fact} % {self.value} {'==' if self.relation == MULTIPLE else '!='} 0"
        return f"{fact} {OPERATORS[self.relation]} {self.value!r}"

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return self.fact if self.value else negated(self.fact)
        if self.relation in (MULTIPLE, NO_MULTIPLE):
            return f"{self.fact} is {self.relation} {self.value}"
        if self.relation == AT_LEAST and self.value in (1, 2):
            return f"{self.fact} > {int(self.value) - 1}"
        value = f"{self.value:.4g}" if isinstance(self.value, float) else self.value
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

    under: how many of the wrong and of the right ones meet them; beside: how many do not.
    """

    conditions: tuple[Condition, ...]
    under: tuple[int, int] = (0, 0)
    beside: tuple[int, int] = (0, 0)
    loss: float = 0.0

    def __call__(self, facts: Facts) -> bool:
        """True if every condition is met."""
        return all(condition(facts) for condition in self.conditions)

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))

    def like(self, other: Rule) -> bool:
        """True if both are about the same facts, cut perhaps at other values."""
        return [(c.fact, c.relation) for c in self.conditions] == [(c.fact, c.relation) for c in other.conditions]

    @property
    def separates(self) -> bool:
        """True if all that is wrong meets it, and nothing that is right does."""
        return self.under[1] == self.beside[0] == 0


def rules(seen: Sequence[tuple[Facts, bool]], best: int = 1, about: Facts | None = None) -> list[Rule]:
    """The best rules for what was seen, each the facts and whether it is wrong; all are met by the facts ``about``.

    >>> seen = [({"stride": s, "groups": g}, s > 1 and g > 2) for s in (1, 2, 3) for g in (1, 2, 4)]
    >>> print(*rules(seen))
    stride > 1 and groups ≥ 4
    """
    wrong, facts = np.array([is_wrong for _, is_wrong in seen], dtype=bool), [facts for facts, _ in seen]
    conditions, met = _distinct(list(_conditions(facts)), facts, about)
    found = sorted(_found(met, wrong, np.array([c.cost for c in conditions])), key=lambda rule: rule[0])
    chosen = list(dict.fromkeys(tuple(sorted(indices)) for _, indices in found))[:best]
    return [_rule([conditions[i] for i in indices], np.all(met[list(indices)], axis=0), wrong) for indices in chosen]


def _rule(conditions: Iterable[Condition], under: Array, wrong: Array) -> Rule:
    counts = [int(np.sum(side & kind)) for side in (under, ~under) for kind in (wrong, ~wrong)]
    sums = (counts[0], counts[1], int(wrong.sum()), sum(condition.cost for condition in conditions))
    return Rule(tuple(conditions), (counts[0], counts[1]), (counts[2], counts[3]), float(_loss(*map(np.array, sums))))


def _loss(wrong: Array, right: Array, all_wrong: Array, cost: Array) -> Array:
    """How far a rule is from separating: of what meets it, and what it costs to say it."""
    precision, recall = wrong / np.maximum(wrong + right, 1), wrong / np.maximum(all_wrong, 1)
    return OF_RIGHT * (1 - precision) + (1 - recall) + COST * cost


def _found(met: Array, wrong: Array, cost: Array) -> Iterator[tuple[float, tuple[int, ...]]]:
    """The losses of conjunctions, with the indices of their conditions: each of one, the best of two and of three."""
    on_wrong, on_right = met[:, wrong].astype(np.float32), met[:, ~wrong].astype(np.float32)
    total = np.array(wrong.sum())
    yield float(_loss(total, np.array((~wrong).sum()), total, np.array(0.0))), ()
    if not len(met):
        return
    singles = _loss(on_wrong.sum(axis=1), on_right.sum(axis=1), total, cost)
    yield from ((float(loss), (i,)) for i, loss in enumerate(singles))
    pairs = _loss(on_wrong @ on_wrong.T, on_right @ on_right.T, total, cost[:, None] + cost)
    pairs[np.tril_indices(len(pairs))] = math.inf
    best = np.argpartition(pairs, min(KEPT, pairs.size - 1), axis=None)[:KEPT]
    for i, j in zip(*np.unravel_index(best, pairs.shape), strict=True):
        if i >= j:
            continue
        yield float(pairs[i, j]), (int(i), int(j))
        both = on_wrong[i] * on_wrong[j], on_right[i] * on_right[j]
        triples = _loss(on_wrong @ both[0], on_right @ both[1], total, cost + cost[i] + cost[j])
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


def _distinct(conditions: list[Condition], seen: Sequence[Facts], about: Facts | None) -> tuple[list[Condition], Array]:
    """Of conditions that say the same of all that was seen the cheapest, and what they say: conditions by facts.

    Those are left out that are not met by the facts ``about``.
    """
    kept: dict[bytes, tuple[Condition, Array]] = {}
    every, columns = [*seen, *([] if about is None else [about])], dict[str, Array]()
    for condition in sorted(conditions, key=lambda condition: condition.cost):
        if condition.fact not in columns:
            columns[condition.fact] = _column([facts.get(condition.fact) for facts in every])
        met = condition.of(columns[condition.fact])
        if (about is None or met[-1]) and met[: len(seen)].any() and not met[: len(seen)].all():
            kept.setdefault(met[: len(seen)].tobytes(), (condition, met[: len(seen)]))
    if not kept:
        return [], np.zeros((0, len(seen)), dtype=bool)
    return [condition for condition, _ in kept.values()], np.array([met for _, met in kept.values()])


def _column(values: Sequence[Fact | None]) -> Array:
    """Values as an array, of numbers where all are."""
    numbers = all(isinstance(value, int | float) for value in values)
    return np.array(values, dtype=np.float64 if numbers else object)

"""Discrete choices that are dealt: by design, not by luck, some dozens of cases meet every pair of their values.

Forty cases whose two layouts are drawn meet some fifteen of the 64 pairs. So values of choices such as a layout, a kind
of fill or a mode come from the rows of a covering array, in which any two values of any two choices stand together
(Kuhn, Kacker, Lei, *Introduction to Combinatorial Testing*); the rest of a case is drawn. Once every pair was met,
all is drawn.

A value that was dealt is a choice of Hypothesis like any other. Only where one is generated does the dealer make it: a
case that is repeated, shrunk or kept in the example database knows nothing of rows.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeVar

from covertable import make
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

BACKEND = "convproof"
"""The name by which Hypothesis's settings know what generates choices here."""

FEW = 16
"""Rows that are taken at a time of an array but the first."""

MANY = 2**16
"""Integers of which any is as good as any other."""

RARE, OFTEN = "rare", (*[False] * 19, True)
PRESENT = "present"

Value = TypeVar("Value")
Hand = Mapping[str, str]
"""The values of a case's choices, as text, by the choices' names."""
Pair = tuple[tuple[str, str], tuple[str, str]]


def apart(one: str, other: str) -> bool:
    """True if two choices are free of each other: "layout of bias" is none where "bias" says that there is no bias."""
    return one not in other and other not in one


def pairs_of(hand: Hand) -> Iterator[Pair]:
    """Every two values of a hand, of choices that are free of each other."""
    return (pair for pair in itertools.combinations(sorted(hand.items()), 2) if apart(pair[0][0], pair[1][0]))


@functools.cache
def covering_array(sizes: tuple[int, ...]) -> list[Sequence[int]]:
    """Rows in which any two values of any two choices stand together; ``sizes`` says how many each choice has.

    >>> [len(covering_array(sizes)) for sizes in ((3,), (2, 2), (8, 8), (5, 3, 2, 2))]
    [3, 4, 64, 16]
    """
    if len(sizes) < 2:
        return [(value,) for size in sizes for value in range(size)]
    return list(make([list(range(size)) for size in sizes]))


@dataclass(eq=False)
class Dealer:
    """What deals the choices of one check: of one seed the same, in any process.

    values: those of each choice that was asked for, as text, in an order of the seed's. together: choices that one case
    had. met: pairs on which the law was held.
    """

    seed: int = 0
    values: dict[str, list[str]] = field(default_factory=dict)
    together: set[tuple[str, str]] = field(default_factory=set)
    met: set[Pair] = field(default_factory=set)
    _random: random.Random = field(init=False)
    _rows: list[Hand] = field(default_factory=list)
    _row: Hand | None = None
    _again: bool = False
    _hand: dict[str, str] = field(default_factory=dict)
    _offered: tuple[str, list[str]] | None = None
    _left: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @property
    def pairs(self) -> int:
        """How many pairs of values there are of choices that one case has."""
        return sum(len(self.values[one]) * len(self.values[other]) for one, other in self.together)

    @property
    def complete(self) -> bool:
        """True if every pair was met."""
        return len(self.met) == self.pairs

    def begin(self) -> None:
        """Begin a case: it is dealt a row of its own, if it asks for one."""
        self._row, self._hand = None, {}

    def end(self) -> Hand:
        """The values that the case got, and the case's end."""
        hand, self._hand = self._hand, {}
        self.together |= {pair for pair in itertools.combinations(sorted(hand), 2) if apart(*pair)}
        return hand

    def meet(self, hand: Hand) -> None:
        """Count the pairs of a case on which the law was held."""
        self.met.update(pairs_of(hand))

    @contextmanager
    def leaving(self, *names: str) -> Iterator[None]:
        """Leave choices to Hypothesis."""
        before, self._left = self._left, self._left | set(names)
        try:
            yield
        finally:
            self._left = before

    def leaves(self, name: str) -> bool:
        """True if a choice is left to Hypothesis."""
        return name in self._left

    @contextmanager
    def offering(self, name: str, values: Sequence[object]) -> Iterator[None]:
        """Let the next integer that is generated be the index of a dealt value."""
        texts = [str(value) for value in values]
        if name not in (RARE, PRESENT, *self.values):
            self.values[name] = self._random.sample(distinct := list(dict.fromkeys(texts)), len(distinct))
            self._rows, self._again = [], False  # they lack it
        self._offered = name, texts
        try:
            yield
        finally:
            self._offered = None

    def note(self, name: str, value: object) -> None:
        """Note a value that a case got, whoever chose it."""
        self._hand[name] = str(value)

    def deal(self) -> int | None:
        """The index of the value on offer that the case's row has; None where nothing is dealt."""
        if self._offered is None:
            return None
        (name, values), self._offered = self._offered, None
        if name == PRESENT:
            return 1
        if self._row is None:
            self._row = self._next_row()
        if name == RARE:
            return 0 if self._row else None
        value = self._row.get(name)
        return values.index(value) if value in values else None

    def _next_row(self) -> Hand:
        """A row with a pair that was not met; an empty one if there is none."""
        if not self._rows and not (self.complete and self.met):
            # What one array left, since some cases had not all choices, or were steered around, stands in other rows
            # of one whose values are named in another order.
            orders = {name: self._random.sample(values, len(values)) for name, values in self.values.items()}
            orders = dict(sorted(orders.items(), key=lambda choice: -len(choice[1])))  # one array for many operators
            array = covering_array(tuple(map(len, orders.values())))
            named: list[Hand] = [{name: orders[name][i] for name, i in zip(orders, row, strict=True)} for row in array]
            counted = [(self._lacking(row), row) for row in self._random.sample(named, len(named))]
            lacking = [row for count, row in sorted(counted, key=itemgetter(0)) if count]
            self._rows, self._again = lacking[-FEW:] if self._again else lacking, True
        return self._rows.pop() if self._rows else {}

    def _lacking(self, row: Hand) -> int:
        """How many pairs of a row were not met, of choices that one case has."""
        return sum(pair not in self.met and (pair[0][0], pair[1][0]) in self.together for pair in pairs_of(row))


_dealer: ContextVar[Dealer | None] = ContextVar("dealer", default=None)


@contextmanager
def dealt_by(dealer: Dealer) -> Iterator[None]:
    """Let a dealer deal the choices that are drawn within."""
    token = _dealer.set(dealer)
    try:
        yield
    finally:
        _dealer.reset(token)


def rarely(draw: st.DrawFn) -> bool:
    """True in one case of twenty, but in none that is dealt a row: what is rare would waste it."""
    dealer = _dealer.get() or Dealer()
    with dealer.offering(RARE, OFTEN):
        return draw(among(*OFTEN))


def dealt(draw: st.DrawFn, name: str, values: Sequence[Value]) -> Value:
    """One of the values of a choice, the simplest first: dealt within :func:`dealt_by`, else drawn."""
    dealer = _dealer.get()
    if dealer is None or dealer.leaves(name):
        return draw(among(*values))
    with dealer.offering(name, values):
        value = draw(among(*values))
    dealer.note(name, value)
    return value


@contextmanager
def drawn(*names: str) -> Iterator[None]:
    """Let choices be drawn, since what is made of them here makes no use of them."""
    with (_dealer.get() or Dealer()).leaving(*names):
        yield


def in_hand(draw: st.DrawFn, cases: st.SearchStrategy[Value]) -> tuple[Value, Hand]:
    """A case, and the values of its choices."""
    dealer = _dealer.get() or Dealer()
    dealer.begin()
    case = draw(cases)
    return case, dealer.end()


@st.composite
def perhaps(draw: st.DrawFn, cases: st.SearchStrategy[Value]) -> tuple[tuple[Value, Hand], ...]:
    """A case and the values of its choices wherever it is generated, and none where Hypothesis tries to do without.

    A part of its own that begins with a choice of two: Hypothesis tries the first at once, so that what fails in a
    bundle is soon alone.
    """
    with (_dealer.get() or Dealer()).offering(PRESENT, (False, True)):
        present = draw(among(False, True))
    return (in_hand(draw, cases),) if present else ()


@functools.lru_cache(maxsize=None, typed=True)
def among(*values: Any) -> st.SearchStrategy[Any]:
    """One of some values, the simplest first. Strategies are cached: to make one takes longer than to draw from it."""
    return st.sampled_from(values)


class Provider(HypothesisProvider):
    """What generates choices: as Hypothesis does, but for those that are dealt, and any one of many is as likely.

    Hypothesis prefers the first of more than some hundreds. It repeats no parts of earlier cases for what another than
    its own provider generates. Nor are there constants of the modules that happen to be imported: of one seed, the
    cases are the same in any process.
    """

    def draw_integer(self, min_value: int | None = None, max_value: int | None = None, **about: Any) -> int:
        """An integer, which stands for a value where one is dealt."""
        dealer = _dealer.get()
        if dealer and (index := dealer.deal()) is not None:
            return index
        if min_value is None or max_value is None or about.get("weights") or max_value - min_value > MANY:
            return super().draw_integer(min_value, max_value, **about)
        assert self._random is not None
        return min_value + int(self._random.random() * (max_value - min_value + 1))

    def _maybe_draw_constant(self, *about: Any, **more: Any) -> None:
        return None


AVAILABLE_PROVIDERS[BACKEND] = Provider

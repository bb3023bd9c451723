"""Bundles: cases that are drawn together, as one example of Hypothesis.

What Hypothesis does for an example, beside drawing it, takes as long as to draw one: the record of what was tried, and
the choice of what to vary. Each case may be absent, so that a failing bundle shrinks to the one case that fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from properties.cases.dealing import Hand, perhaps

LARGEST = 8


@dataclass(frozen=True)
class Bundle:
    """Cases in the order in which they are tried."""

    cases: tuple[Any, ...]
    hands: tuple[Hand, ...] = ()
    """For each case the values of its choices; none where nothing was dealt."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.cases)

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """Show a case alone as what it is."""
        printer.pretty(self.cases[0] if len(self.cases) == 1 else self.cases)


@st.composite
def bundles(draw: st.DrawFn, cases: st.SearchStrategy[Any], size: int) -> Bundle:
    """Up to ``size`` cases, any of which may be left out."""
    some = perhaps(cases)
    return _of([draw(some) for _ in range(size)])


@st.composite
def in_turn(draw: st.DrawFn, turns: Sequence[st.SearchStrategy[Any]]) -> Bundle:
    """A case of each of some strategies, any of which may be left out."""
    return _of([draw(perhaps(cases)) for cases in turns])


def _of(drawn: list[tuple[tuple[Any, Hand], ...]]) -> Bundle:
    present = [case_and_hand for some in drawn for case_and_hand in some]
    return Bundle(tuple(case for case, _ in present), tuple(hand for _, hand in present))

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

from properties.cases.case import among
from properties.cases.dealing import Hand, in_hand

LARGEST = 8
PRESENT = among(False, *[True] * 4095)


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
    return _of([in_hand(draw, cases) for _ in range(size) if draw(PRESENT)])


@st.composite
def in_turn(draw: st.DrawFn, turns: Sequence[st.SearchStrategy[Any]]) -> Bundle:
    """A case of each of some strategies, any of which may be left out."""
    return _of([in_hand(draw, cases) for cases in turns if draw(PRESENT)])


def _of(drawn: list[tuple[Any, Hand]]) -> Bundle:
    return Bundle(tuple(case for case, _ in drawn), tuple(hand for _, hand in drawn))

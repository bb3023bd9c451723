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

LARGEST = 8
PRESENT = among(False, *[True] * 4095)


@dataclass(frozen=True)
class Bundle:
    """Cases in the order in which they are tried."""

    cases: tuple[Any, ...]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.cases)

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """Show a case alone as what it is."""
        printer.pretty(self.cases[0] if len(self.cases) == 1 else self.cases)


@st.composite
def bundles(draw: st.DrawFn, cases: st.SearchStrategy[Any], size: int) -> Bundle:
    """Up to ``size`` cases, any of which may be left out."""
    return Bundle(tuple(draw(cases) for _ in range(size) if draw(PRESENT)))


@st.composite
def dealt(draw: st.DrawFn, hand: Sequence[st.SearchStrategy[Any]]) -> Bundle:
    """A case of each strategy of a hand, any of which may be left out."""
    return Bundle(tuple(draw(cases) for cases in hand if draw(PRESENT)))

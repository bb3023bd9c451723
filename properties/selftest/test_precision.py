"""An entry of the ledger is precise: most cases under its predicate diverge, so that it hides nothing that is right."""

from __future__ import annotations

import pytest

from properties.engine.precision import place, reach
from properties.engine.trial import Engines
from properties.ledger.known import LEDGER
from properties.ledger.record import Divergence

FEW, DRAWS = 5, 60
"""Cases under a predicate, and those drawn for them: one may be right. ``python -m properties.engine.precision`` tells
more."""


def told(entry: Divergence) -> bool:
    """True if an entry that steers around cases in eager mode says of none that it may be right."""
    subject = place(entry)
    return subject is not None and subject.mode == "eager" and not entry.rounds and not entry.chance


@pytest.mark.parametrize("entry", [entry for entry in LEDGER if told(entry)], ids=lambda entry: entry.id)
def test_cases_under_a_predicate_diverge(entry: Divergence, engines: Engines) -> None:
    """Of five that are drawn under it, all but one break a law of the entry."""
    subject = place(entry)
    assert subject is not None
    seen = reach(entry, subject, FEW, DRAWS, engines)
    if not seen.under:
        pytest.skip(f"not run (none of {seen.drawn} cases drawn is under it)")
    assert seen.under - seen.diverged <= 1, f"{entry.id}: {seen}"

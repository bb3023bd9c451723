"""The ledger: what torch is known to get wrong, each with a narrow predicate, a reason and a pinned example.

Cases under a predicate are steered around and counted, so that the suite is green on a torch whose defects are all
listed and red on anything new. The pinned example must still diverge: an entry that no longer does fails
(``properties/test_divergences.py``), so the ledger cannot outlive a fix. Nothing is listed that is not understood.
"""

from __future__ import annotations

from properties.ledger import lossy, missing, overflow, processor, wrong
from properties.ledger.record import Divergence
from properties.operators import Operator
from properties.subjects import Subject

LEDGER: tuple[Divergence, ...] = (
    *wrong.ENTRIES,
    *lossy.ENTRIES,
    *missing.ENTRIES,
    *overflow.ENTRIES,
    *processor.ENTRIES,
)


def known(law: str, operator: Operator | None, subject: Subject | None, case: object) -> Divergence | None:
    """The ledger's entry that a law's case runs into, or None."""
    return next((entry for entry in LEDGER if entry.covers(law, operator, subject, case)), None)

"""The ledger: what torch is known to get wrong, each with a narrow predicate, a reason and a pinned example.

Cases under a predicate are steered around and counted, so that the suite is green on a torch whose defects are all
listed and red on anything new. An entry on rounding steers around nothing: a case under it is tried, and what is off by
more than its bound is known only if it keeps that of sums in the storage. Nor does one that tells what an error says: a
case under it is known only if it raises that. The pinned example must still diverge: an
entry that no longer does fails (``properties/laws/test_ledger.py``) until it says in which release it is ``fixed``,
from which on nothing is steered around: the ledger cannot outlive a fix. Nothing is listed that is not understood.

Every module of this folder is loaded, and registers its own entries (:func:`properties.ledger.record.known`). It is
called after the component that is wrong.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Collection, Iterator

from properties import ledger
from properties.cases.case import Case
from properties.ledger.record import ENTRIES, SEVERITIES, Divergence, require
from properties.operators import CATALOGUE, Operator
from properties.subjects import Subject
from properties.worker.call import Program

for _module in pkgutil.iter_modules(ledger.__path__):
    if _module.name != "__main__":  # which tells of what is known
        importlib.import_module(f"{ledger.__name__}.{_module.name}")


def _first_asked(entry: Divergence) -> tuple[bool, bool, int, bool, str]:
    # What is tried comes after what is steered around; of two on rounding, the one on outputs and gradients has the
    # wider bound.
    severity = SEVERITIES.index(entry.severity)
    return not entry.overwrites, entry.tried, severity, entry.rounds and entry.of_gradients, entry.component


LEDGER: tuple[Divergence, ...] = tuple(sorted(ENTRIES.values(), key=_first_asked))
"""All entries. A case that runs into several of them is put down to the first: to one that overwrites memory, after
which calls are made in a new process, and else to the worst."""


def check_laws(names: Collection[str]) -> None:
    """Raise ValueError for an entry about a law that there is not.

    The ledger is asked by the laws and knows none of them: who knows both checks this.
    """
    for entry in LEDGER:
        require(entry.id, "law", entry.laws, names)


def known(law: str, operator: Operator | None, subject: Subject | None, case: object) -> Divergence | None:
    """The ledger's entry that a law's case runs into, or None."""
    return next(every_known(law, operator, subject, case), None)


def every_known(law: str, operator: Operator | None, subject: Subject | None, case: object) -> Iterator[Divergence]:
    """All entries that a law's case runs into, the one that it is put down to first."""
    if operator is not None and subject is not None and isinstance(case, Case):
        yield from (entry for entry in concerning(law, operator, subject) if entry.holds(case, subject))


@functools.cache
def concerning(law: str, operator: Operator, subject: Subject) -> tuple[Divergence, ...]:
    """The entries into which some case of a law may run."""
    return tuple(entry for entry in LEDGER if entry.concerns(law, operator, subject))


@functools.cache
def computed_by(program: Program) -> Operator | None:
    """The operator that a program computes, None if it is no operator's."""
    return next((operator for operator in CATALOGUE if operator.program is program), None)

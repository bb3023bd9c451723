"""The ledger: what torch is known to get wrong, each with a narrow predicate, a reason and a pinned example.

Cases under a predicate are steered around and counted, so that the suite is green on a torch whose defects are all
listed and red on anything new. The pinned example must still diverge: an entry that no longer does fails
(``properties/laws/test_ledger.py``) until it says in which release it is ``fixed``, from which on nothing is steered
around: the ledger cannot outlive a fix. Nothing is listed that is not understood.
"""

from __future__ import annotations

import functools

from properties.cases.case import Case
from properties.ledger import (
    amx_forward,
    avx512,
    avx512_bfloat16,
    batches,
    channels_last,
    compiled,
    filled_tiles,
    float16_units,
    further_pooling,
    losses,
    lossy,
    lossy_pooling,
    matrix_units,
    missing,
    missing_convolution,
    missing_further,
    overflow,
    padding,
    strides,
    transposed,
    unpooling,
    wrong,
)
from properties.ledger.record import Divergence
from properties.operators import CATALOGUE, Operator
from properties.subjects import Subject
from properties.worker.call import Program

LEDGER: tuple[Divergence, ...] = (
    *wrong.ENTRIES,
    *avx512.ENTRIES,
    *avx512_bfloat16.ENTRIES,
    *batches.ENTRIES,
    *channels_last.ENTRIES,
    *compiled.ENTRIES,
    *further_pooling.ENTRIES,
    *unpooling.ENTRIES,
    *matrix_units.ENTRIES,
    *amx_forward.ENTRIES,
    *float16_units.ENTRIES,
    *filled_tiles.ENTRIES,
    *lossy.ENTRIES,
    *lossy_pooling.ENTRIES,
    *padding.ENTRIES,
    *transposed.ENTRIES,
    *losses.ENTRIES,
    *missing.ENTRIES,
    *missing_convolution.ENTRIES,
    *missing_further.ENTRIES,
    *overflow.ENTRIES,
    *strides.ENTRIES,
)


def known(law: str, operator: Operator | None, subject: Subject | None, case: object) -> Divergence | None:
    """The ledger's entry that a law's case runs into, or None."""
    if operator is None or subject is None or not isinstance(case, Case):
        return None
    return next((entry for entry in concerning(law, operator, subject) if entry.holds(case, subject)), None)


@functools.cache
def concerning(law: str, operator: Operator, subject: Subject) -> tuple[Divergence, ...]:
    """The entries into which some case of a law may run."""
    return tuple(entry for entry in LEDGER if entry.concerns(law, operator, subject))


@functools.cache
def computed_by(program: Program) -> Operator | None:
    """The operator that a program computes, None if it is no operator's."""
    return next((operator for operator in CATALOGUE if operator.program is program), None)

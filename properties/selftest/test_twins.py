"""What the ledger lists for one operator, dtype or processor is tried on its twins."""

from __future__ import annotations

import math

import pytest

from properties.engine.check import Check
from properties.engine.law import every
from properties.engine.trial import Engines
from properties.ledger.known import LEDGER, known
from properties.ledger.record import Divergence
from properties.operators import CATALOGUE
from properties.selftest.twins import HERE, Twin, twins_of
from properties.selftest.twins_seen import SHOWS
from properties.subjects import FLOATS, INTEGERS, devices
from properties.verdicts.evidence import Result

MOST = 2**20
"""Elements of an operand: a twin may need more than its entry's example has."""
PAIRS = [(entry, twin) for entry in LEDGER for twin in twins_of(entry)]


@pytest.mark.parametrize(("entry", "twin"), PAIRS, ids=[f"{entry.id}-{twin.name}" for entry, twin in PAIRS])
def test_twin(entry: Divergence, twin: Twin, engines: Engines) -> None:
    """Where an entry's example shows on a twin, an entry of the ledger knows it; the table says whether it does."""
    if any(max(math.prod(shape), *shape, 0) > MOST for shape in twin.case.shapes.values()):
        pytest.skip("not run (too many elements)")
    for instructions in {entry.having, entry.lacking} & {*devices.instructions()[1:]}:
        if twin.name != HERE:
            pytest.skip(f"not run (nothing was tabled where processors have {instructions})")
    law, subject = every()[entry.law], twin.subject
    result = Result(law.name, law.title, twin.operator.name, str(subject), subject.device, subject.dtype, (), "")
    check = Check(law, twin.operator, subject, result, engines)
    seen = check.divergence(twin.case)
    if entry.overwrites:
        engines.by_torch[""].renew()
    if seen:
        check.tried(twin.case)  # which diverges where the ledger does not explain it
    knows, listed = known(law.name, twin.operator, subject, twin.case), twin.name in SHOWS.get(entry.id, ())
    # The table is that of another processor, too.
    bound = knows and (knows.having or knows.lacking or knows.served_with)
    assert bool(seen) == listed or bound, f"on {twin.name} {entry.id} {'shows' if seen else 'does not show'}: {seen}"


def test_table_is_of_twins() -> None:
    """Its rows are entries, its columns operators, dtypes and this processor."""
    assert set(SHOWS) <= {entry.id for entry in LEDGER}
    named = {name for names in SHOWS.values() for name in names}
    assert named <= {HERE, *FLOATS, *INTEGERS, *(operator.name for operator in CATALOGUE)}

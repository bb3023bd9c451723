"""The ledger stays true: every entry's pinned example still diverges."""

from __future__ import annotations

import pytest

from properties import laws
from properties.divergences import LEDGER, Divergence
from properties.operators import operator
from properties.subjects import Subject
from properties.verdict import Diverged, verdict


@pytest.mark.parametrize("entry", LEDGER, ids=lambda entry: entry.id)
def test_ledger(entry: Divergence, subject: Subject, request: pytest.FixtureRequest) -> None:
    """A known divergence's example lies under its predicate and still diverges; once fixed, the entry must go."""
    pinned = operator(entry.operator)
    result = laws.describe("known divergences", entry.what, pinned, subject, (), request.node)

    def attempt() -> None:
        if subject.device not in entry.devices:
            raise laws.NotRun(f"seen on {', '.join(entry.devices)} only")
        assert entry.covers(pinned, subject, entry.example), f"{entry.id}: its example is not under its predicate"
        operands, arguments = pinned.operands(entry.example, subject.precision), entry.example.arguments
        with pytest.raises(Diverged) as divergence:
            expected = pinned.expected(operands, arguments, subject.precision)
            verdict(subject.run(pinned.program, operands, arguments), expected, subject)
        result.status, result.known = "known", 1
        result.message = f"{entry.severity}: {entry.what}. {entry.why}. Here: {divergence.value}"
        result.reason = f"{entry.id}; torch {', '.join(entry.versions)}; {entry.upstream or 'no upstream issue found'}"

    laws.record(result, subject, request.node, attempt)

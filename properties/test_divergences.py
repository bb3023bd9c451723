"""The ledger stays true: every entry's pinned example still diverges."""

from __future__ import annotations

import pytest
import torch

from properties import laws
from properties.divergences import LEDGER, Divergence
from properties.operators import operator
from properties.subjects import Subject
from properties.verdict import Diverged, verdict


def divergence(entry: Divergence, subject: Subject) -> str | None:
    """How the entry's example diverges on a subject, or None if it agrees."""
    pinned, arguments = operator(entry.operator), entry.example.arguments
    operands = pinned.operands(entry.example, subject.format)
    outcome = subject.run(pinned.program, operands, arguments)
    try:
        verdict(outcome, pinned.expected(operands, arguments, subject.format), subject)
    except Diverged as diverged:
        return str(diverged)
    return None


@pytest.mark.parametrize("entry", LEDGER, ids=lambda entry: entry.id)
def test_ledger(entry: Divergence, subject: Subject, request: pytest.FixtureRequest) -> None:
    """A known divergence's example lies under its predicate and still diverges; once fixed, the entry must go."""
    pinned = operator(entry.operator)
    result = laws.describe("known divergences", entry.what, pinned, subject, (), request.node)

    def attempt() -> None:
        if subject.device not in entry.devices:
            raise laws.NotRun(f"seen on {', '.join(entry.devices)} only")
        assert entry.covers(pinned, subject, entry.example), f"{entry.id}: its example is not under its predicate"
        seen = divergence(entry, subject)
        assert seen, f"{entry.id} is fixed in torch {torch.__version__}: end the entry in properties/divergences.py"
        result.status, result.known = "known", 1
        result.message = f"{entry.severity}: {entry.what}. {entry.why}. Here: {seen}"
        result.reason = f"{entry.id}; torch {', '.join(entry.versions)}; {entry.upstream or 'no upstream issue found'}"

    laws.record(result, subject, request.node, attempt)

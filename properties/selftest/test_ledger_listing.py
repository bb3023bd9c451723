"""``python -m properties.ledger`` counts what is known, and tells one entry's story."""

from __future__ import annotations

import re

import pytest

from properties.ledger import __main__ as listing
from properties.ledger.known import LEDGER
from properties.ledger.record import Divergence


def test_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Every entry is counted once by severity, once by component, and in the release in which it was seen."""
    assert listing.main([]) == 0
    first, severities, components, releases = capsys.readouterr().out.split("\n\n")
    assert first == f"{len(LEDGER)} entries"
    for table in (severities, components, re.sub(r"(?m)^.* fixed in .*$", "", releases)):
        assert sum(int(row.split()[0]) for row in table.splitlines()[1:] if row.strip()) == len(LEDGER)
    fixed = [entry for entry in LEDGER if entry.fixed == "2.14.1"]
    assert f"{len(fixed)}  fixed in torch 2.14.1" in releases


@pytest.mark.parametrize("entry", LEDGER[:: len(LEDGER) // 9], ids=lambda entry: entry.id)
def test_story(entry: Divergence, capsys: pytest.CaptureFixture[str]) -> None:
    """All of an entry: what happens and why that is wrong, where it shows, and its example."""
    assert listing.main([entry.id]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        entry.what,
        entry.why,
        *entry.operators,
        *entry.laws,
        *entry.dtypes,
        f"properties/ledger/{entry.component}",
    ):
        assert " ".join(part.split()) in text
    assert f"seen in {entry.seen}" in text
    assert "shapes=" in text


def test_component(capsys: pytest.CaptureFixture[str]) -> None:
    """The entries of what is wrong, so that an id need not be known."""
    assert listing.main(["optim"]) == 0
    assert "fused-sgd-skips-vectors: silent wrong value\n" in capsys.readouterr().out


def test_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names it and the nearest, and exit code 2."""
    assert listing.main(["max-pool-window-padding"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    start = "no entry and no component is called 'max-pool-window-padding'; the nearest: max-pool-window-in-padding, "
    assert told.err.startswith(start)
    assert told.err.count("\n") == 1

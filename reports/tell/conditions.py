"""The machine while benchmarks ran: how busy it was with something else, and what it may use."""

from __future__ import annotations

import json
from typing import Any

from reports.read.load import Evidence
from reports.tell.benchmarks import measured

SECTIONS = {
    "roof": ("machine", "layer", "training"),
    "real": ("real layer",),
    "torches": ("versions",),
    "phases": ("phases",),
    "growth": ("growth",),
    "scaling": ("distributed",),
    "peers": ("peer",),
    "loops": ("reference",),
    "workers": ("worker",),
}
"""The parts of the page that show benchmarks, and the kinds that each shows."""

NAMES = {
    "training": "recipes", "ten-epochs": "ten epochs", "epoch": "whole epochs", "machine": "the machine's limits",
    "layer": "layers", "real layer": "layers of known networks",
    "versions": "two torches", "null": "one torch beside itself",
    "growth": "cost as work grows", "report growth": "reports of more evidence",
    "distributed": "several processes", "peer": "other libraries",
    "phases": "phases of a step", "reference": "the loops", "worker": "the suite's workers",
    "self-test": "the suite's own tests",
}  # fmt: skip


def busy(evidence: Evidence) -> dict[str, str | None]:
    """For each part of the page what its benchmarks said of a busy machine; None where none did."""
    return {section: _busy(evidence, kinds) for section, kinds in SECTIONS.items()}


def _busy(evidence: Evidence, kinds: tuple[str, ...]) -> str | None:
    """The first warning of each environment."""
    warnings: dict[str, str] = {}
    for place, _, item in measured(evidence):
        if item.kind in kinds and (told := item.warning):
            warnings.setdefault(f"in {place.id}, " if evidence.several else "", told)
    return "; ".join(where + told for where, told in warnings.items()) or None


def conditions(evidence: Evidence) -> list[dict[str, Any]]:
    """The conditions that benchmarks recorded, each once, with what was timed under them.

    Benchmarks of a file, and recipes that took turns, ran under the same.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for place, _, item in measured(evidence):
        recorded = item.extra["conditions"]
        if recorded is not None:
            row = {"environment": place.id, "kinds": {}, "number": 0, **recorded}
            row = found.setdefault((place.id, json.dumps(recorded, sort_keys=True)), row)
            row["kinds"][NAMES.get(item.kind, item.kind)] = None
            row["number"] += 1
    return [{**row, "kinds": list(row["kinds"])} for row in found.values()]

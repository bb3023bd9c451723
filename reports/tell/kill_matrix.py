"""What a run tells of the suite itself: planted faults and who caught them, and what running torch in workers costs."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from reports.read.load import Evidence, Place
from reports.read.records import WORKER_SHARES, Fault
from reports.tell.summarise import label, some

WORKER = "worker"


def records(evidence: Evidence) -> list[dict[str, Any]]:
    """Every fault × subject, sorted, as plain records."""
    found = [{"environment": place.id, **vars(fault)} for place, fault in _faults(evidence)]
    return sorted(found, key=lambda item: (item["environment"], item["correct"], item["name"], item["subject"]))


def kill_matrix(evidence: Evidence) -> dict[str, Any]:
    """Faults, and correct kernels, × subjects, and the totals of both.

    A fault counts as caught when every subject that ran it caught it, by whichever law, a correct kernel as passed when
    none raised the alarm; of two entries on one fault and subject the one that speaks against the suite counts.
    """
    across: dict[str, None] = {}
    found: dict[tuple[bool, str, str], dict[str, Fault]] = {}
    laws: dict[tuple[bool, str, str], dict[str, None]] = {}
    for place, fault in _faults(evidence):
        where = label(fault.subject, place.id) if evidence.several else fault.subject
        across[where] = None
        about = fault.correct, fault.name, fault.operator
        laws.setdefault(about, {})[fault.law] = None
        row = found.setdefault(about, {})
        if where not in row or fault.caught == fault.correct:
            row[where] = fault
    rows: list[dict[str, Any]] = [
        {
            "correct": correct,
            "name": name,
            "law": ", ".join(laws[correct, name, operator]),
            "operator": operator,
            "cells": [cells.get(where) for where in across],
            "good": all(fault.caught != correct for fault in cells.values()),
            "message": next((fault.message for fault in cells.values() if fault.message), None),
        }
        for (correct, name, operator), cells in sorted(found.items())
    ]
    faults, kernels = [row for row in rows if not row["correct"]], [row for row in rows if row["correct"]]
    needed = [fault.cases for row in faults for fault in row["cells"] if fault and fault.caught and fault.cases]
    return {
        "subjects": list(across),
        "faults": sorted(faults, key=lambda row: row["good"]),
        "kernels": sorted(kernels, key=lambda row: row["good"]),
        "caught": sum(row["good"] for row in faults),
        "passed": sum(row["good"] for row in kernels),
        "median_cases": median(needed) if needed else None,
        "most_cases": max(needed) if needed else None,
    }


def remark(matrix: dict[str, Any]) -> str:
    """What the verdict has to say of the suite: nothing when it caught every fault and passed every correct kernel."""
    missed, alarms = len(matrix["faults"]) - matrix["caught"], len(matrix["kernels"]) - matrix["passed"]
    told = f" The suite itself missed {missed} of {some(len(matrix['faults']), 'planted fault')}." if missed else ""
    raised = f"{some(alarms, 'false alarm')} on {some(len(matrix['kernels']), 'correct kernel')}"
    return told + (f" It raised {raised}." if alarms else "")


def workers(evidence: Evidence) -> list[dict[str, Any]]:
    """What workers cost, from the properties' evidence and from the benchmarks, each with where it was measured."""
    found = []
    for place in evidence.places:
        figures = [
            (figure.subject, figure.data) for run in place.runs for figure in run.figures if figure.name == WORKER
        ]
        for source, data in [*figures, *_benchmarked(place)]:
            parts = [(name, data["shares"][name]) for name in WORKER_SHARES if name in data["shares"]]
            measured = {key: data.get(key) for key in ("restart_ms", "call_overhead_ms", "cases_per_second")}
            found.append({"environment": place.id, "source": source, "parts": _stacked(parts), **measured})
    return found


def _benchmarked(place: Place) -> list[tuple[str, dict[str, Any]]]:
    """The benchmarks' figures, on one row for each file and subject: each benchmark measures some of them."""
    found: list[tuple[str, dict[str, Any]]] = []
    for bench in place.benches:
        rows: dict[str, dict[str, Any]] = {}
        for item in bench.benchmarks:
            if item.kind == WORKER:
                row = rows.setdefault(str(item.extra.get("subject") or item.name), {"shares": {}})
                row |= {key: value for key, value in item.extra.items() if value not in (None, {})}
        found += rows.items()
    return found


def _stacked(parts: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Each share with where its bar begins."""
    begins = [sum(share for _, share in parts[:position]) for position in range(len(parts))]
    return [{"name": name, "share": share, "from": begin} for (name, share), begin in zip(parts, begins, strict=True)]


def _faults(evidence: Evidence) -> Iterator[tuple[Place, Fault]]:
    return ((place, fault) for place in evidence.places for run in place.runs for fault in run.faults)

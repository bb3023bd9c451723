"""What implementations from the package registry came to, where an audit held them to the laws."""

from __future__ import annotations

from typing import Any

from reports.read.load import Evidence


def audited(evidence: Evidence) -> list[dict[str, Any]]:
    """A row for each implementation and operator, those that are wrong first."""
    figures = [figure for place in evidence.places for run in place.runs for figure in run.figures]
    rows = [figure.data for figure in figures if figure.name == "audit"]
    return sorted(rows, key=lambda row: row["verdict"] != "wrong")

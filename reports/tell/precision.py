"""How close errors come to their bounds, and in which type each operator accumulates."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from reports.read.load import Evidence
from reports.tell.summarise import label

BINS = 20  # of 5 % each; one more for errors beyond the bound
NARROW = frozenset({"float16", "bfloat16"})


def distributions(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Worst error ÷ bound of every check that has one, by dtype: how many, in each bin too, median and highest."""
    told = table.loc[table["worst_share"].notna(), ["dtype", "worst_share"]]
    return [_distribution(str(dtype), own["worst_share"].to_numpy()) for dtype, own in told.groupby("dtype")]


def accumulators(evidence: Evidence) -> dict[str, Any]:
    """The accumulator profile: (operator, direction) × subject, the totals by subject, and what accumulates narrowly.

    An operator whose storage has 16 bits and that accumulates in it is narrow: its error grows with the sum's length.
    Of two entries on one cell the narrower, then the one with the larger error, counts.
    """
    rows: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    across: dict[str, None] = {}
    for place in evidence.places:
        for figure in (figure for run in place.runs for figure in run.figures if figure.name == "accumulators"):
            where = label(figure.subject, place.id) if evidence.several else figure.subject
            entry = {**figure.data, "where": where, "narrow": _narrow(figure.data)}
            row = rows.setdefault((entry["operator"], entry["direction"]), {})
            across[where] = None
            if where not in row or _severity(entry) > _severity(row[where]):
                row[where] = entry
    entries: dict[str, list[dict[str, Any]]] = {where: [] for where in across}
    for row in rows.values():
        for where, entry in row.items():
            entries[where].append(entry)
    return {
        "subjects": list(across),
        "rows": [
            {"operator": operator, "direction": direction, "cells": [row.get(where) for where in across]}
            for (operator, direction), row in sorted(rows.items())
        ],
        "totals": [
            {"where": where, "types": Counter(entry["accumulator"] for entry in own).most_common()}
            for where, own in entries.items()
        ],
        "narrow": {
            where: sorted(f"{entry['operator']} ({entry['direction']})" for entry in own if entry["narrow"])
            for where, own in entries.items()
        },
    }


def algorithms(evidence: Evidence) -> list[dict[str, Any]]:
    """By which algorithm each operator convolves on each subject, with its largest error as a share of each bound."""
    return [
        {**figure.data, "where": label(figure.subject, place.id) if evidence.several else figure.subject}
        for place in evidence.places
        for run in place.runs
        for figure in run.figures
        if figure.name == "algorithms"
    ]


def _narrow(data: dict[str, Any]) -> bool:
    return data["accumulator"] in NARROW and data["accumulator"] == data["storage"]


def _severity(entry: dict[str, Any]) -> tuple[bool, float]:
    return entry["narrow"], entry["worst_share"] or 0.0


def _distribution(dtype: str, shares: np.ndarray) -> dict[str, Any]:
    binned = np.where(shares > 1, BINS, np.minimum(np.minimum(shares, 1) * BINS, BINS - 1)).astype(int)  # 1 is within
    counts = np.bincount(binned, minlength=BINS + 1)
    return {
        "dtype": dtype,
        "checks": len(shares),
        "median": float(np.median(shares)),
        "highest": float(shares.max()),
        "beyond": int(counts[BINS]),
        "counts": counts.tolist(),
    }

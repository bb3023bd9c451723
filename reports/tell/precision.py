"""How close errors come to their bounds, and in which type each operator accumulates."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from reports.read.load import Evidence
from reports.tell.summarise import label

BINS = 20  # of 5 % each; one more for errors beyond the bound
NARROW = frozenset({"float16", "bfloat16"})
_WIDTH, _HEIGHT = 252, 64


def distributions(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Worst error ÷ bound of every check that has one, by dtype: how many, median, highest, and their histogram."""
    told = table[table["worst_share"].notna()]
    return [_distribution(str(dtype), own["worst_share"].to_numpy()) for dtype, own in told.groupby("dtype")]


def accumulators(evidence: Evidence) -> dict[str, Any]:
    """The accumulator profile: (operator, direction) × subject, the totals by subject, and what accumulates narrowly.

    An operator whose storage has 16 bits and that accumulates in it is narrow: its error grows with the sum's length.
    Of two entries on one cell the narrower, then the one with the larger error, counts.
    """
    several = len(evidence.places) > 1
    rows: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    across: dict[str, None] = {}
    for place in evidence.places:
        for figure in (figure for run in place.runs for figure in run.figures if figure.name == "accumulators"):
            where = label(figure.subject, place.id) if several else figure.subject
            entry = {**figure.data, "where": where, "narrow": _narrow(figure.data)}
            row = rows.setdefault((entry["operator"], entry["direction"]), {})
            across[where] = None
            if where not in row or _severity(entry) > _severity(row[where]):
                row[where] = entry
    entries = [entry for row in rows.values() for entry in row.values()]
    return {
        "subjects": list(across),
        "rows": [
            {"operator": operator, "direction": direction, "cells": [row.get(where) for where in across]}
            for (operator, direction), row in sorted(rows.items())
        ],
        "totals": [
            {"where": where, "types": Counter(e["accumulator"] for e in entries if e["where"] == where).most_common()}
            for where in across
        ],
        "narrow": {
            where: sorted(f"{e['operator']} ({e['direction']})" for e in entries if e["narrow"] and e["where"] == where)
            for where in across
        },
    }


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
        "svg": _histogram(dtype, counts),
    }


def _histogram(dtype: str, counts: np.ndarray) -> Markup:
    """Bars by share of the bound, a line at the bound, and what lies beyond it right of the line."""
    step, base = _WIDTH / (BINS + 1), _HEIGHT - 14
    tallest = max(int(counts.max()), 1)
    bars = [
        f'<rect class="{"beyond" if place == BINS else "bar"}" x="{place * step + 1:.1f}" y="{base - height:.1f}"'
        f' width="{step - 2:.1f}" height="{height:.1f}"/>'
        for place, count in enumerate(counts)
        if count and (height := max((base - 4) * int(count) / tallest, 1.5))
    ]
    bound = BINS * step
    words = f"{int(counts[:BINS].sum()):,} checks within the bound, {int(counts[BINS]):,} beyond; most in "
    fullest = int(counts.argmax())
    words += "the part beyond the bound" if fullest == BINS else f"{5 * fullest} to {5 * fullest + 5} % of it"
    return Markup(
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(dtype)}: {words}">'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{base}" y2="{base}"/>{"".join(bars)}'
        f'<line class="bound" x1="{bound:.1f}" x2="{bound:.1f}" y1="2" y2="{base}"/>'
        f'<text x="0" y="{_HEIGHT - 3}">0</text>'
        f'<text x="{bound / 2:.1f}" y="{_HEIGHT - 3}" text-anchor="middle">50 %</text>'
        f'<text x="{bound:.1f}" y="{_HEIGHT - 3}" text-anchor="end">bound</text></svg>'
    )

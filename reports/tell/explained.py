"""How many cases of a run each entry of the ledger explains, and how many it keeps from being tried."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

COUNTS = re.compile(r"(?P<entry>[\w.-]+): (?P<known>\d{1,12}), (?P<steered>\d{1,12})")
PROOF = "known divergences"
"""The law of which an entry's own example is a case."""


def by_entry(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each entry, the checks and cases that met it, and the check of whose cases it takes most; the largest first.

    >>> check = {"law": "gradients", "operator": "relu", "subject": "cpu-float16", "cases": 40}
    >>> [entry] = by_entry(pd.DataFrame([{**check, "explained": ("rounded-twice: 8, 6",)}]))
    >>> entry["known"], entry["steered"], entry["share"], entry["most"]
    (8, 6, 0.2, 'gradients of relu on cpu-float16')
    """
    found: dict[str, dict[str, Any]] = {}
    met = table[table["explained"].astype(object).astype(bool) & (table["law"] != PROOF)]
    for row in met[["explained", "cases", "law", "operator", "subject"]].to_dict("records"):
        for counts in filter(None, map(COUNTS.fullmatch, row["explained"])):
            known, steered = int(counts["known"]), int(counts["steered"])
            blank = {"entry": counts["entry"], "checks": 0, "known": 0, "steered": 0, "share": 0.0, "most": ""}
            entry = found.setdefault(counts["entry"], blank)
            entry["checks"], entry["known"] = entry["checks"] + 1, entry["known"] + known
            entry["steered"] += steered
            share = min(1.0, known / row["cases"]) if row["cases"] else 0.0
            if share > entry["share"]:
                entry["share"], entry["most"] = share, f"{row['law']} of {row['operator']} on {row['subject']}"
    return sorted(found.values(), key=lambda entry: (-entry["steered"], -entry["known"], entry["entry"]))

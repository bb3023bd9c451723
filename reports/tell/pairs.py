"""How many pairs of the discrete choices of cases were met, by operator."""

from __future__ import annotations

from typing import Any

import pandas as pd


def met(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each operator, the pairs of values of two choices, summed over laws, and those that were met.

    Of each law the subject that met most of its pairs counts: some are to meet a part of them.
    """
    dealt = table[table["pairs"] > 0]
    best = dealt.sort_values(["pairs_met", "pairs"]).groupby(["operator", "law"]).tail(1)
    sums = best.groupby("operator")[["pairs", "pairs_met"]].sum()
    return [
        {"operator": str(operator), "pairs": int(row["pairs"]), "met": int(row["pairs_met"])}
        for operator, row in sums.iterrows()
    ]

"""What one torch does and another does not: a subject ``cpu-float32@torch-2.11.0`` beside its twin ``cpu-float32``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.read.records import STATUSES
from reports.tell.summarise import cells

Key = tuple[str, ...]
CHECK = ["environment", "law", "operator", "subject"]
"""The columns that name a check."""


def differences(table: pd.DataFrame) -> dict[str, Any]:
    """Laws and operators on which twins have another status, or of which one alone has known cases; the worst first.

    ``twins`` names the pairs and ``compared`` counts their checks, so that a reader can tell "no difference" from "not
    compared"; ``one_sided`` counts the checks that only one twin ran.
    """
    twins = {subject: _twin(subject) for subject in table["subject"].unique() if _twin(subject) != subject}
    table = table[table["subject"].isin([*twins, *twins.values()])]
    found = cells(table, CHECK)
    pairs = [(other, own) for other in found if other[3] in twins and (own := (*other[:3], twins[other[3]])) in found]
    known: dict[Any, int] = table.groupby(CHECK, observed=True)["known"].sum().to_dict()
    differing = [(other, own) for other, own in pairs if _differ(found, known, other, own)]
    both = [pair for pair in differing if all(found[key]["status"] != "not run" for key in pair)]
    both.sort(key=lambda pair: (min(STATUSES.index(found[key]["status"]) for key in pair), pair[0]))
    messages = _messages(table, {key for pair in both for key in pair})
    return {
        "twins": sorted({(own[3], other[3]) for other, own in pairs}),
        "compared": len(pairs),
        "one_sided": len(differing) - len(both),
        "rows": [_row(other, own, found, messages) | _known(known, other, own) for other, own in both],
    }


def _twin(subject: str) -> str:
    return subject.partition("@")[0]


def _differ(found: dict[Key, dict[str, Any]], known: dict[Key, int], other: Key, own: Key) -> bool:
    """True if statuses differ, or one side alone has cases of known defects."""
    return found[other]["status"] != found[own]["status"] or (known[other] > 0) != (known[own] > 0)


def _known(known: dict[Key, int], other: Key, own: Key) -> dict[str, int]:
    return {"known": known[own], "other_known": known[other]}


def _row(other: Key, own: Key, found: dict[Key, dict[str, Any]], messages: dict[Key, str]) -> dict[str, Any]:
    statuses = {key: found[key]["status"] for key in (own, other)}
    worse = min(statuses, key=lambda key: (STATUSES.index(statuses[key]), key not in messages))
    return {
        "environment": own[0],
        "law": own[1],
        "operator": own[2],
        "subject": own[3],
        "status": statuses[own],
        "other": other[3],
        "other_status": statuses[other],
        "message": messages.get(worse),
    }


def _messages(table: pd.DataFrame, wanted: set[Key]) -> dict[Key, str]:
    """The first message of each of these checks, or the reason."""
    told = table.assign(message=table["message"].fillna(table["reason"].astype("str")))
    told = told.loc[told["message"].notna(), [*CHECK, "message"]]
    found: dict[Key, str] = {}
    for *key, message in told.itertuples(index=False):
        if tuple(key) in wanted:
            found.setdefault(tuple(key), message)
    return found

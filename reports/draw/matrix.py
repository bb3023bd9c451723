"""Operators × subjects as the page shows them, by family, for each place.

Those of the chapter's families are one table; the others, of later networks, another that opens. Subjects that were
never run say the same in every row, so they are one line below the table and no columns. What each law found is shown
under its operator as far as a budget of cells lasts, operators in trouble first.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import groupby
from math import inf
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from reports.draw.format import share, slug
from reports.read.load import Evidence, Place
from reports.tell.chapter import SYSTEMS
from reports.tell.summarise import NO_REASON, cells, rows_of, subjects

WIDE = 6  # with more columns than this a cell has no room for its word
MOST_COLUMNS = 60
MOST_LAWS = 80
EMPTY = 6  # cells without a check that take the room of one with a check
NO_CHECK = Markup("<td></td>")  # the style sheet has its dot


def matrices(evidence: Evidence, table: pd.DataFrame, budget: int, most: int, places: int) -> list[dict[str, Any]]:
    """A table for each of the first ``places`` places that checked anything, of at most ``most`` operators.

    ``budget`` is how many cells the tables by law may have together.
    """
    checked = [place for place in evidence.places if place.runs][:places]
    return [_matrix(place, rows_of(table, place), budget // len(checked), most) for place in checked]


def _matrix(place: Place, table: pd.DataFrame, budget: int, most: int) -> dict[str, Any]:
    ran = set(table.loc[table["status"] != "not run", "subject"])
    named = subjects(place, table)
    across = sorted((subject for subject in named if subject in ran), key="-".__eq__)[:MOST_COLUMNS]
    across = [subject for group in dict.fromkeys(map(_group, across)) for subject in across if _group(subject) == group]
    whole = cells(table, ["operator", "subject"])
    families = _families(table)
    operators = [operator for _, _, own in families for operator in own]
    shown = operators[:most]
    drilled = _drilled(table, shown, across, budget)
    statuses = table.groupby("operator")["status"].unique().to_dict()
    wide = len(across) > WIDE
    rows = {
        operator: {
            "operator": operator,
            "anchor": f"laws-{place.id}-{position}" if operator in drilled else None,
            "cells": [_cell(whole.get((operator, subject)), wide) for subject in across],
            "alarming": bool(set(statuses.get(operator, ())) & {"diverged", "error"}),
        }
        for position, operator in enumerate(shown, 1)
    }
    return {
        "id": place.id,
        "name": place.name,
        **_head(across),
        "parts": _parts(families, rows),
        "laws": {operator: drilled[operator] for operator in shown if operator in drilled},
        "left_out": len(operators) - len(shown),
        "not_drilled": len(operators) - len(drilled),
        "columns_left_out": len([subject for subject in named if subject in ran]) - len(across),
        "idle": _idle(table, [subject for subject in named if subject not in ran]),
    }


def _families(table: pd.DataFrame) -> list[tuple[bool, str | None, list[str]]]:
    """Families with their operators: whether a system of the chapter is of it, its name, and what it holds.

    Those of the chapter come first, in its order, what is of no family last.
    """
    found: dict[str | None, list[str]] = {}
    for family, operator in table[["family", "operator"]].drop_duplicates("operator").itertuples(index=False):
        found.setdefault(family if isinstance(family, str) else None, []).append(operator)
    order = {system.id: place for place, system in enumerate(SYSTEMS)}
    named = table[["operator", "systems"]].drop_duplicates().astype({"systems": object}).explode("systems").dropna()
    first = named["systems"].map(order).groupby(named["operator"]).min().dropna().to_dict()
    places = {family: min((first.get(operator, inf) for operator in own), default=inf) for family, own in found.items()}
    names = sorted(found, key=lambda family: (family is None, places[family], family or ""))
    return [(places[family] < inf, family, sorted(found[family], key="-".__eq__)) for family in names]


def _parts(families: list[tuple[bool, str | None, list[str]]], rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The chapter's families, with what is of none, and those of later networks, each with its rows; none is empty."""
    parts: list[dict[str, Any]] = []
    for later in (False, True):
        told: list[dict[str, Any]] = [
            {"name": _called(family, families), "rows": [rows[operator] for operator in own if operator in rows]}
            for of_chapter, family, own in families
            if later == (family is not None and not of_chapter)
        ]
        shown = [row for family in told for row in family["rows"]]
        parts.append({
            "families": [family for family in told if family["rows"]],
            "operators": len(shown), "later": later, "alarming": any(row["alarming"] for row in shown),
        })  # fmt: skip
    return [part for part in parts if part["operators"]]


def _called(family: str | None, families: list[tuple[bool, str | None, list[str]]]) -> str | None:
    return family.replace("_", " ") if family else "no family" if len(families) > 1 else None


def _head(across: list[str]) -> dict[str, Any]:
    """The columns; where they are many, under the names of their groups."""
    wide = len(across) > WIDE
    return {
        "wide": wide,
        "columns": [_leaf(subject) if wide else _name(subject) for subject in across],
        "groups": [(group, len(list(items))) for group, items in groupby(across, _group)] if wide else [],
    }


def _drilled(table: pd.DataFrame, operators: list[str], across: list[str], budget: int) -> dict[str, dict[str, Any]]:
    """Tables of laws by operator, the operators with the worst status first, until the budget is spent."""
    seen = table[table["subject"].isin(across) & table["operator"].isin(operators)]
    by_operator = seen.groupby("operator")
    grids = by_operator["law"].nunique().clip(upper=MOST_LAWS) * by_operator["subject"].nunique()
    filled = seen.drop_duplicates(["operator", "law", "subject"]).groupby("operator").size().clip(upper=grids)
    sizes = (filled + (grids - filled) // EMPTY).to_dict()
    ranks = {str(operator): int(rank) for operator, rank in by_operator["rank"].min().items()}
    chosen: list[str] = []
    for operator in sorted(ranks, key=lambda operator: (ranks[operator], operator)):
        budget -= int(sizes[operator])
        if budget < 0:
            break
        chosen.append(operator)
    seen = seen[seen["operator"].isin(chosen)]
    by_law = cells(seen, ["operator", "law", "subject"])
    pairs: dict[str, set[str]] = {}
    own: dict[str, set[str]] = {}
    for operator, law, subject in by_law:
        pairs.setdefault(operator, set()).add(law)
        own.setdefault(operator, set()).add(subject)
    found = {}
    for operator in chosen:
        columns = [subject for subject in across if subject in own[operator]]
        wide = len(columns) > WIDE
        found[operator] = {
            **_head(columns),
            "rows": [
                (law, [_cell(by_law.get((operator, law, subject)), wide) for subject in columns])
                for law in sorted(pairs[operator])[:MOST_LAWS]
            ],
            "left_out": max(len(pairs[operator]) - MOST_LAWS, 0),
        }
    return found


def _idle(table: pd.DataFrame, idle: list[str]) -> list[dict[str, Any]]:
    """Subjects without a row that ran, by the reason that most of their rows give."""
    rows = table[table["subject"].isin(idle)].groupby(["subject", "reason"], observed=True, dropna=False, sort=False)
    reasons: dict[str, Counter[str]] = {}
    sizes: Any = rows.size()
    for (subject, reason), number in sizes.items():
        reasons.setdefault(subject, Counter())[reason if isinstance(reason, str) else NO_REASON] += number
    grouped: dict[str, list[str]] = {}
    for subject in idle:
        [(reason, _)] = reasons.get(subject, Counter(["no row of evidence"])).most_common(1)
        grouped.setdefault(reason, []).append(_name(subject))
    return [{"reason": reason, "subjects": named} for reason, named in grouped.items()]


def _cell(item: dict[str, Any] | None, wide: bool) -> Markup:
    return NO_CHECK if item is None else _drawn(wide, **item)


@lru_cache(10_000)
def _drawn(
    wide: bool, status: str, cases: int, worst_share: float | None, rows: int, not_run: int, exact_only: bool
) -> Markup:
    """One cell: a word with its mark (the mark alone is seen where columns are many), cases, worst error.

    Thousands of these are most of the page, so what they share is in its style sheet, and how the most frequent
    status looks.
    """
    head = "<b>passed</b>" if status == "passed" else f'<b class="{slug(status)}">{status}</b>'
    if status == "not run":
        return Markup(f"<td>{head}</td>")
    error = "exact" if exact_only else share(worst_share)
    counted = f"{cases:,}" if wide else f"{cases:,} {'case' if cases == 1 else 'cases'}"
    unrun = f"{not_run:,} not run" if not_run else ""
    parts = [counted, unrun] if wide else [counted, error, unrun]
    figures = ("<br>" if wide else " · ").join(str(escape(part)) for part in parts if part)
    beside = f" {escape(error)}" if wide and error else ""
    alarm = ' class="bad"' if status in ("diverged", "error") else ""
    return Markup(f"<td{alarm}>{head}{beside}<small>{figures}</small></td>")


def _name(subject: str) -> str:
    return "no subject" if subject == "-" else subject


def _group(subject: str) -> str:
    """What a subject shares with its neighbours: all but its dtype.

    >>> _group("compiled-cpu-float32"), _group("cpu-float32@torch-2.11.0"), _group("-")
    ('compiled-cpu', 'cpu @torch-2.11.0', '')
    """
    base, _, other = subject.partition("@")
    group = base.rpartition("-")[0]
    return f"{group} @{other}" if other else group


def _leaf(subject: str) -> str:
    return _name(subject) if subject == "-" else subject.partition("@")[0].rpartition("-")[2] or subject

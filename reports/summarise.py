"""What the rows of a run come to: the verdict, the matrix, the chapter's systems, and what was not run.

Everything here is plain data (dicts and lists) that `results.json` holds and the page shows, so that the two cannot
tell different stories. Statuses combine by the worst: one divergence among a thousand passes is a divergence, and
rows that were not run never hide behind rows that were.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from reports.chapter import SYSTEMS
from reports.load import PropertiesRun
from reports.records import STATUSES, Benchmark, Result
from reports.speed import said

NO_EVIDENCE = "not run (no evidence)"
NO_REASON = "no reason given"
_COLUMNS = list(Result.__dataclass_fields__)
_FAULTS = ("diverged", "error", "known")


def frame(run: PropertiesRun | None) -> pd.DataFrame:
    """One row per result, in the order of the file, with ``rank``: the place of its status, 0 the worst."""
    table = pd.DataFrame([asdict(row) for row in run.results] if run else [], columns=_COLUMNS)
    table["rank"] = table["status"].map({status: rank for rank, status in enumerate(STATUSES)}).astype(int)
    table["worst_share"] = table["worst_share"].astype(float)
    return table


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The results as plain records, sorted by law, operator and subject."""
    ordered = table.sort_values(["law", "operator", "subject", "test"], kind="stable")[_COLUMNS]
    return [_plain(row) for row in ordered.to_dict("records")]


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Rows by status, every status named."""
    found = table["status"].value_counts()
    return {status: int(found.get(status, 0)) for status in STATUSES}


def verdict(run: PropertiesRun | None, table: pd.DataFrame, chapter: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Is this torch right: ``answer`` in a few words, ``sentence``, ``tone`` (good, part, bad) and the counts.

    ``chapter`` is what `systems` made: a yes that leaves out part of the chapter says so.
    """
    number = counts(table)
    answer, tone, sentence = _answer(run, number)
    silent = unchecked(run, table)
    missing = [system["id"] for system in chapter if system["status"] == NO_EVIDENCE]
    if run is not None and silent:
        sentence += f" Nothing here speaks for {_listed(silent)}."
    if run is not None and missing:
        sentence += f" No evidence at all on {_listed(missing)} of the chapter."
        answer, tone = ("Yes, where it was checked", "part") if tone == "good" else (answer, tone)
    if run is not None and run.unread:
        sentence += f" {_some(run.unread, 'line')} of the evidence could not be read."
    return {
        "answer": answer,
        "tone": tone,
        "sentence": sentence,
        "counts": number,
        "complete": bool(run and run.complete),
        "unchecked": silent,
    }


def _answer(run: PropertiesRun | None, number: dict[str, int]) -> tuple[str, str, str]:
    ran = sum(number.values()) - number["not run"]
    if run is None:
        return "Not shown", "bad", "There is no evidence on the operators: no run of the properties was found."
    if number["diverged"]:
        also = f", and {_some(number['error'], 'check')} ended in an error" if number["error"] else ""
        return "No", "bad", f"{number['diverged']:,} of {_some(ran, 'check')} that ran diverged from the loops{also}."
    if number["error"]:
        return "Not established", "bad", f"{number['error']:,} of {_some(ran, 'check')} ended in an error."
    if not number["passed"]:
        return "Not shown", "bad", f"Not one of {_some(sum(number.values()), 'check')} passed; most were not run."
    if not run.complete:
        return "Not established", "bad", f"No divergence in {_some(ran, 'check')} so far, but the run was cut off."
    if run.exitstatus or run.unread:
        why = f"pytest ended with exit status {run.exitstatus}" if run.exitstatus else "evidence is damaged"
        return "Not established", "bad", f"No divergence in {_some(ran, 'check')}, but {why}."
    return _held(number, ran)


def _held(number: dict[str, int], ran: int) -> tuple[str, str, str]:
    sentence = f"{number['passed']:,} of {_some(ran, 'check')} that ran agree with the loops"
    if number["known"]:
        sentence += f"; {_some(number['known'], 'divergence')} known before"
    if number["vacuous"]:
        sentence += f"; {number['vacuous']:,} proved nothing (vacuous)"
    if number["not run"]:
        sentence += f". {_some(number['not run'], 'check')} not run"
    if number["known"]:
        return "Yes, but for what is known", "part", sentence + "."
    if number["not run"] or number["vacuous"]:
        return "Yes, where it was checked", "part", sentence + "."
    return "Yes", "good", sentence + "."


def unchecked(run: PropertiesRun | None, table: pd.DataFrame) -> list[str]:
    """Subjects of which no row tells anything: none passed, none diverged."""
    telling = set(table.loc[table["status"].isin(["passed", "known", "diverged"]), "subject"])
    return [subject for subject in subjects(run, table) if subject not in telling]


def subjects(run: PropertiesRun | None, table: pd.DataFrame) -> list[str]:
    """Subjects in the run's own order, then those that only rows name; "-" (no subject) last."""
    named = dict.fromkeys([*(run.subjects if run else ()), *table["subject"]])
    return sorted(named, key="-".__eq__)


def cells(table: pd.DataFrame, keys: Sequence[str]) -> dict[Hashable, dict[str, Any]]:
    """Rows combined by ``keys``: worst status, cases, worst error as a share of its bound, and how many not run."""
    if table.empty:
        return {}
    combined = (
        table.assign(idle=table["status"].eq("not run"))
        .groupby(list(keys), sort=False)
        .agg(
            rank=("rank", "min"),
            cases=("cases", "sum"),
            share=("worst_share", "max"),
            rows=("rank", "size"),
            idle=("idle", "sum"),
            exact=("exact", "sum"),
            bounded=("bounded", "sum"),
        )
    )
    return {
        key: {
            "status": STATUSES[int(cell["rank"])],
            "cases": int(cell["cases"]),
            "worst_share": None if pd.isna(cell["share"]) else float(cell["share"]),
            "rows": int(cell["rows"]),
            "not_run": int(cell["idle"]),
            "exact_only": bool(cell["exact"] and not cell["bounded"]),
        }
        for key, cell in zip(combined.index, combined.to_dict("records"), strict=True)
    }


def matrix(run: PropertiesRun | None, table: pd.DataFrame) -> dict[str, Any]:
    """Operators × subjects, and under each operator its laws × the subjects that any of them names."""
    across = subjects(run, table)
    whole = cells(table, ["operator", "subject"])
    by_law = cells(table, ["operator", "law", "subject"])
    laws: dict[str, dict[str, str]] = {}
    for operator, law, title in table[["operator", "law", "title"]].itertuples(index=False):
        laws.setdefault(operator, {}).setdefault(law, title)
    operators = []
    for operator, titles in sorted(laws.items(), key=lambda item: item[0] == "-"):
        own = [subject for subject in across if (operator, subject) in whole]
        operators.append(
            {
                "operator": operator,
                "cells": [whole.get((operator, subject)) for subject in across],
                "subjects": own,
                "laws": [
                    {"law": law, "title": title, "cells": [by_law.get((operator, law, subject)) for subject in own]}
                    for law, title in sorted(titles.items())
                ],
            }
        )
    return {"subjects": across, "operators": operators}


def faults(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What diverged, failed or is known, the worst first; subjects with one law and operator in common together."""
    found: dict[tuple[int, str, str], dict[str, Any]] = {}
    for row in table[table["status"].isin(_FAULTS)].sort_values("rank", kind="stable").to_dict("records"):
        key = (row["rank"], row["law"], row["operator"])
        found.setdefault(key, {**_plain(row), "subjects": []})["subjects"].append(row["subject"])
    return list(found.values())


def systems(table: pd.DataFrame, benchmarks: Iterable[Benchmark]) -> list[dict[str, Any]]:
    """S1–S24, each with what the rows and the benchmarks that name it tell."""
    per_system = table.explode("systems")
    per_law = cells(per_system, ["systems", "law"])
    named_laws = per_system.groupby("systems")["law"].unique().to_dict()
    measured = list(benchmarks)
    return [
        {
            "id": system.id,
            "part": system.part,
            "title": system.title,
            "formula": system.formula,
            "source": system.path,
            "functions": list(system.functions),
            **_standing(
                per_system[per_system["systems"] == system.id],
                {law: per_law[system.id, law] for law in named_laws.get(system.id, ())},
                [said(benchmark) for benchmark in measured if system.id in benchmark.systems],
            ),
        }
        for system in SYSTEMS
    ]


def _standing(table: pd.DataFrame, per_law: dict[str, dict[str, Any]], measured: list[str]) -> dict[str, Any]:
    silent = "measured" if measured else NO_EVIDENCE
    status = STATUSES[int(table["rank"].min())] if len(table) else silent
    return {
        "status": status,
        "counts": counts(table),
        "cases": int(table["cases"].sum()),
        "laws": [{"law": law, **cell} for law, cell in sorted(per_law.items())],
        "measured": measured,
    }


def not_run(table: pd.DataFrame, benchmarks: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """What was not run, by reason, the most frequent first."""
    groups: dict[str, dict[str, Any]] = {}
    idle = table[table["status"] == "not run"]
    for reason, group in idle.groupby(idle["reason"].fillna(NO_REASON)):
        groups[str(reason)] = {
            "rows": len(group),
            "subjects": sorted(set(group["subject"])),
            "laws": sorted(set(group["law"])),
            "benchmarks": [],
        }
    for name, reason in benchmarks:
        nothing: dict[str, Any] = {"rows": 0, "subjects": [], "laws": [], "benchmarks": []}
        groups.setdefault(reason, nothing)["benchmarks"].append(name)
    ordered = sorted(groups.items(), key=lambda item: (-item[1]["rows"], item[0]))
    return [{"reason": reason, **group} for reason, group in ordered]


def _plain(row: dict[Hashable, Any]) -> dict[str, Any]:
    """A row of a frame without NumPy's and pandas' own values."""
    plain = {key: None if isinstance(value, float) and pd.isna(value) else value for key, value in row.items()}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}  # type: ignore[misc]


def _some(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:6], *([f"{len(names) - 6} more"] if len(names) > 6 else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"

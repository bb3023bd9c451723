"""What the rows of a run come to: the verdict, the matrix, the chapter's systems, and what was not run.

Everything here is plain data (dicts and lists) that `results.json` holds and the page shows, so that the two cannot
tell different stories. Statuses combine by the worst: one divergence among a thousand passes is a divergence, and
rows that were not run never hide behind rows that were.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from reports.read.benchmarks import Benchmark
from reports.read.folded import LISTS, categories
from reports.read.load import Evidence, Place
from reports.read.records import COUNTED, STATUSES, Result
from reports.read.runs import PropertiesRun
from reports.tell.benchmarks import in_brief
from reports.tell.chapter import SYSTEMS

NO_EVIDENCE = "not run (no evidence)"
NO_REASON = "no reason given"
_UNTOLD = ("device", "comparisons", "vacuous", "seconds", "raised", "compilations")
"""What the rows in results.json have, and nothing that is drawn or summed up."""
_COLUMNS = [*(name for name in Result._fields if name not in _UNTOLD), "parameters"]
_CATEGORIES = ["environment", "law", "operator", "parameters", "family", "subject", "dtype", "status", "reason"]
_TOTALS = {
    "rank": "min", "cases": "sum", "worst_share": "max", "rows": "sum", "not_run": "sum", "exact": "sum",
    "bounded": "sum",
}  # fmt: skip
_FAULTS = ("diverged", "error", "known")
_TOGETHER = ("subjects", "laws", "operators")


def frame(evidence: Evidence) -> pd.DataFrame:
    """One row per result, in the order of the evidence; names are categories, in the order of the alphabet.

    Beside the fields of a `Result` that are told: ``environment``, the place's id; ``where``, the subject, with the
    place's id where there are several; ``rank``, the place of its status, 0 the worst; ``rows``, 1; ``not_run``. What
    is folded stands at the end, and alone has ``parameters``, those of the test before its subject.
    """
    rows = [row for run in evidence.runs for row in run.results]
    whole = pd.DataFrame(
        dict(zip(Result._fields, zip(*rows, strict=True), strict=True)) if rows else {}, columns=_COLUMNS
    )
    whole["environment"] = [place.id for place in evidence.places for run in place.runs for _ in run.results]
    whole[_CATEGORIES] = whole[_CATEGORIES].astype("str").astype("category")
    for name in LISTS:
        whole[name] = categories(whole[name], np.arange(len(whole)))
    table = _joined([whole, *_folded(evidence)])
    table["where"] = table["subject"]
    if evidence.several:
        table["where"] = label(table["subject"].astype("str"), table["environment"].astype("str")).astype("category")
    ranks = [STATUSES.index(status) for status in table["status"].cat.categories]
    table["rank"] = np.array(ranks, dtype=int)[table["status"].cat.codes]
    table["worst_share"] = table["worst_share"].astype(float)
    table["rows"], table["not_run"] = 1, table["status"] == "not run"
    return table


def _folded(evidence: Evidence) -> Iterator[pd.DataFrame]:
    """What is folded of each run."""
    for place in evidence.places:
        for own in (run.folded for run in place.runs if run.folded):
            columns = {name: own.column(name) for name in (*COUNTED, "parameters")}
            yield pd.DataFrame({**columns, "environment": place.id}).astype({"environment": "category"})


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other, with the categories of all."""
    together = {name: union_categoricals([own[name] for own in tables], sort_categories=True) for name in _CATEGORIES}
    for name in LISTS:
        places = np.cumsum([0, *(len(own[name].cat.categories) for own in tables)])
        codes = [own[name].cat.codes.to_numpy(np.int64) + first for own, first in zip(tables, places, strict=False)]
        together[name] = categories((v for own in tables for v in own[name].cat.categories), np.concatenate(codes))
    others = [own.drop(columns=[*_CATEGORIES, *LISTS]) for own in tables]
    return pd.concat(others, ignore_index=True).assign(**together)


def rows_of(table: pd.DataFrame, place: Place) -> pd.DataFrame:
    """The rows of one place; the table itself where there is no other."""
    own = table["environment"] == place.id
    return table if own.all() else table[own]


def label(subject: Any, environment: Any) -> Any:
    """How a subject is called on a page with several environments; works on texts and on columns of them."""
    return subject + " (" + environment + ")"


def rows(evidence: Evidence) -> list[dict[str, Any]]:
    """The results as plain records, sorted by environment, law, operator and subject."""
    found: list[dict[str, Any]] = []
    for place in evidence.places:
        own = sorted((row for run in place.runs for row in run.results), key=lambda row: row.check)
        found += [{"environment": place.id, **row._asdict()} for row in own]
    return found


def folded(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What is folded, by what its checks have in common: of each subject its cases and known cases."""
    keys = ["environment", "law", "operator", "parameters", "status", "reason"]
    own = table.loc[table["parameters"].notna(), [*keys, "subject", "cases", "known"]]
    names, numbers = own["subject"].to_numpy(), own[["cases", "known"]].to_numpy()
    found = []
    groups: Any = own.groupby(keys, observed=True, dropna=False).indices
    for key, places in groups.items():
        common = {name: value if isinstance(value, str) else None for name, value in zip(keys, key, strict=True)}
        found.append({**common, "checks": dict(zip(names[places], numbers[places].tolist(), strict=True))})
    return found


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Rows by status, every status named."""
    found = table["status"].value_counts()
    return {status: int(found.get(status, 0)) for status in STATUSES}


def verdict(
    runs: Sequence[PropertiesRun], table: pd.DataFrame, chapter: Sequence[dict[str, Any]], silent: Sequence[str]
) -> dict[str, Any]:
    """Is this torch right: ``answer`` in a few words, ``sentence``, ``tone`` (good, part, bad) and the counts.

    ``chapter`` is what `systems` made, ``silent`` what `unchecked` found: a yes that leaves out part of the chapter,
    or a subject, says so.
    """
    number = counts(table)
    answer, tone, sentence = _answer(runs, number)
    missing = [system["id"] for system in chapter if system["status"] == NO_EVIDENCE]
    unread = sum(run.unread for run in runs)
    if runs and silent:
        sentence += f" Nothing was checked on {listed(silent)}."
    if runs and missing:
        sentence += f" No check or benchmark covers {listed(missing)} of the chapter."
        answer, tone = ("Yes, where it was checked", "part") if tone == "good" else (answer, tone)
    if unread:
        sentence += f" {some(unread, 'line')} of the evidence could not be read."
    return {
        "answer": answer,
        "tone": tone,
        "sentence": sentence,
        "counts": number,
        "complete": bool(runs) and all(run.complete for run in runs),
        "unchecked": list(silent),
    }


def _answer(runs: Sequence[PropertiesRun], number: dict[str, int]) -> tuple[str, str, str]:
    ran = sum(number.values()) - number["not run"]
    if not runs:
        return "Not shown", "bad", "No operator was checked: there is no run of the laws in the evidence."
    if number["diverged"]:
        also = f", and {number['error']:,} ended in an error" if number["error"] else ""
        diverged = f"{number['diverged']:,} of {ran:,} checks that ran diverged from the reference loops"
        return "No", "bad", f"{diverged}{also}."
    if number["error"]:
        return "Not established", "bad", f"{number['error']:,} of {ran:,} checks ended in an error."
    if not number["passed"]:
        others = ", ".join(f"{count:,} {status}" for status, count in number.items() if count)
        return "Not shown", "bad", f"No check passed: {others or 'there is none'}."
    if not all(run.complete for run in runs):
        lack = next((run.lack for run in runs if run.lack), "a run was cut off")
        return "Not established", "bad", f"No divergence in {some(ran, 'check')} so far, but {lack}."
    failed = [run.exitstatus for run in runs if run.exitstatus]
    if failed or any(run.unread for run in runs):
        why = f"pytest ended with exit status {failed[0]}" if failed else "part of the evidence is damaged"
        return "Not established", "bad", f"No divergence in {some(ran, 'check')}, but {why}."
    return _held(number, ran)


def _held(number: dict[str, int], ran: int) -> tuple[str, str, str]:
    sentence = f"{number['passed']:,} of {ran:,} checks that ran agree with the reference loops"
    if number["known"]:
        sentence += f"; {number['known']:,} differ only where a known defect explains it"
    if number["vacuous"]:
        sentence += f"; {number['vacuous']:,} prove nothing (vacuous)"
    if number["not run"]:
        sentence += f". {some(number['not run'], 'check')} {'was' if number['not run'] == 1 else 'were'} not run"
    if number["known"]:
        return "Yes, except for known defects", "part", sentence + "."
    if number["not run"] or number["vacuous"]:
        return "Yes, where it was checked", "part", sentence + "."
    return "Yes", "good", sentence + "."


def unchecked(places: Sequence[Place], table: pd.DataFrame, several: bool) -> list[str]:
    """Subjects of which no row tells anything: none passed, none diverged; with their place where there are several."""
    told = table.loc[table["status"].isin(["passed", "known", "diverged"]), ["environment", "subject"]]
    telling = set(told.drop_duplicates().itertuples(index=False, name=None))
    return [
        label(subject, place.id) if several and subject != "-" else subject
        for place in places
        for subject in subjects(place, table)
        if (place.id, subject) not in telling
    ]


def subjects(place: Place, table: pd.DataFrame) -> list[str]:
    """A place's subjects in its runs' own order, then those that only rows name; "-" (no subject) last."""
    own = table.loc[table["environment"] == place.id, "subject"]
    named = dict.fromkeys([*(subject for run in place.runs for subject in run.subjects), *own.unique()])
    return sorted(named, key="-".__eq__)


def cells(table: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Rows combined by ``keys``: worst status, cases, worst error as a share of its bound, and how many not run."""
    found = _totals(table, keys)
    columns = zip(*(found[name].tolist() for name in _TOTALS), strict=True)
    return {
        key: {
            "status": STATUSES[rank],
            "cases": cases,
            "worst_share": share if share == share else None,  # NaN, no share, is unequal to itself
            "rows": size,
            "not_run": unrun,
            "exact_only": exact > 0 and not bounded,
        }
        for key, (rank, cases, share, size, unrun, exact, bounded) in zip(found.index, columns, strict=True)
    }


def _totals(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    return table.groupby(list(keys), sort=False, observed=True).agg(_TOTALS)


def faults(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What diverged, failed or is known, the worst first; subjects with one law and operator in common together.

    What is known is together by the ledger's reason, whatever operators and laws run into it.
    """
    troubled = table[table["status"].isin(_FAULTS)].sort_values("rank", kind="stable")
    first: dict[tuple[int, str, str], int] = {}
    together: dict[tuple[int, str, str], tuple[dict[str, None], ...]] = {}
    columns = (troubled[name] for name in ("rank", "status", "reason", "where", "law", "operator"))
    for position, (rank, status, reason, *names) in enumerate(zip(*columns, strict=True)):
        known = reason if status == "known" and isinstance(reason, str) else None
        key = (rank, known or names[1], "" if known else names[2])
        first.setdefault(key, position)
        for name, own in zip(names, together.setdefault(key, ({}, {}, {})), strict=True):
            own[name] = None
    rows = map(_plain, troubled.iloc[list(first.values())].to_dict("records"))
    return [
        {**row, **dict(zip(_TOGETHER, map(list, own), strict=True))}
        for row, own in zip(rows, together.values(), strict=True)
    ]


def systems(table: pd.DataFrame, benchmarks: Iterable[Benchmark]) -> list[dict[str, Any]]:
    """S1–S24, each with what the rows and the benchmarks that name it tell."""
    named = _totals(table, ["systems", "law", "status"]).reset_index().astype({"systems": object}).explode("systems")
    named = named[named["systems"].isin([system.id for system in SYSTEMS])]
    laws: dict[str, list[dict[str, Any]]] = {}
    for (system, law), cell in sorted(cells(named, ["systems", "law"]).items()):
        laws.setdefault(system, []).append({"law": law, **cell})
    statuses = named.groupby(["systems", "status"], sort=False)["rows"].sum().to_dict()
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
                laws.get(system.id, []),
                {status: int(statuses.get((system.id, status), 0)) for status in STATUSES},
                [in_brief(benchmark) for benchmark in measured if system.id in benchmark.systems],
            ),
        }
        for system in SYSTEMS
    ]


def _standing(laws: list[dict[str, Any]], number: dict[str, int], measured: list[str]) -> dict[str, Any]:
    found = [status for status in STATUSES if number[status]]
    return {
        "status": found[0] if found else "measured" if measured else NO_EVIDENCE,
        "counts": number,
        "cases": sum(law["cases"] for law in laws),
        "laws": laws,
        "measured": measured,
    }


def not_run(table: pd.DataFrame, benchmarks: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """What was not run, by reason, the most frequent first."""
    groups: dict[str, dict[str, Any]] = {}
    idle = table[table["status"] == "not run"]
    for reason, group in idle.groupby(idle["reason"].astype("str").fillna(NO_REASON)):
        groups[str(reason)] = {
            "rows": len(group),
            "subjects": sorted(set(group["where"])),
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


def some(number: int, noun: str) -> str:
    """A count and its noun.

    >>> some(1, "check"), some(1200, "process")
    ('1 check', '1,200 processes')
    """
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def listed(names: Sequence[str]) -> str:
    """At least one name, in a sentence."""
    shown = [*names[:6], *([f"{len(names) - 6} more"] if len(names) > 6 else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"

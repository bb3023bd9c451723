"""The whole report as plain data."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.read import environments
from reports.read.load import Evidence, Place
from reports.read.runs import PropertiesRun
from reports.read.schema import NEWEST
from reports.tell import benchmarks, domains, kill_matrix, summarise, throughput


def assemble(evidence: Evidence, table: pd.DataFrame | None = None) -> dict[str, Any]:
    """The whole report as plain data: what `results.json` holds (see its schema), and what the page is drawn from.

    ``table`` is what `summarise.frame` makes of the same evidence, if it is there already.
    """
    table = summarise.frame(evidence) if table is None else table
    timed = [benchmark for _, _, benchmark in benchmarks.measured(evidence)]
    chapter = summarise.systems(table, timed)
    silent = summarise.unchecked(evidence.places, table, evidence.several)
    verdict = summarise.verdict(evidence.runs, table, chapter, silent)
    entries = throughput.recipes(evidence)
    remark = domains.remark(evidence, table) + kill_matrix.remark(kill_matrix.kill_matrix(evidence))
    return {
        "schema_version": NEWEST,
        "verdict": {**verdict, "sentence": verdict["sentence"] + remark, "speed": throughput.sentence(entries)},
        "environments": [_place(place, table, entries) for place in evidence.places],
        "results": summarise.rows(evidence),
        "folded": summarise.folded(table),
        "faults": kill_matrix.records(evidence),
        "benchmarks": benchmarks.records(evidence),
        "references": throughput.references(evidence),
        "systems": chapter,
        "figures": _figures(evidence),
        "not_run": summarise.not_run(table, [idle for bench in evidence.benches for idle in bench.not_run]),
        "skipped": [vars(notice) for notice in evidence.notices],
    }


def _place(place: Place, table: pd.DataFrame, entries: list[dict[str, Any]]) -> dict[str, Any]:
    own = summarise.rows_of(table, place)
    timed = [
        bench.environment for bench in place.benches if environments.differing(place.environment, bench.environment)
    ]
    verdict = summarise.verdict(place.runs, own, [], summarise.unchecked([place], own, several=False))
    trained = [entry for entry in entries if entry["environment"] == place.id]
    return {
        "id": place.id,
        "name": place.name,
        "environment": place.environment,
        "bench_environment": timed[0] if timed and place.runs else None,
        "verdict": {**verdict, "speed": throughput.sentence(trained)},
        "runs": [_run(run) for run in place.runs],
        "benchmarks": [{"file": bench.file, "datetime": bench.made.isoformat()} for bench in place.benches],
    }


def _run(run: PropertiesRun) -> dict[str, Any]:
    parts = [shard.part for shard in run.shards]
    return {
        **run.header,
        "files": list(run.files),
        "run": run.run,
        "started": run.started.isoformat(),
        "finished": run.ended,
        "complete": run.complete,
        "cut_off": run.cut_off,
        "split": {"of": run.shards[0].of, "parts": parts, "missing": list(run.missing)} if parts else None,
        "exitstatus": run.exitstatus,
        "peak_mib": run.peak_mib,
        "subjects": list(run.subjects),
    }


def _figures(evidence: Evidence) -> list[dict[str, Any]]:
    return [
        {"environment": place.id, "name": figure.name, "subject": figure.subject, "data": figure.data}
        for place in evidence.places
        for run in place.runs
        for figure in run.figures
    ]

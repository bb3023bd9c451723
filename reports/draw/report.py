"""From evidence to the four texts of a report, with nothing written yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from reports.draw import page
from reports.read import environments
from reports.read.load import Evidence, Place
from reports.read.runs import SCHEMA_VERSION
from reports.tell import kill_matrix, speed, summarise

PAGE_LIMIT = 800_000
SUMMARY_LIMIT = 60_000  # GitHub takes a comment of 65,536 characters
_TEMPLATES = Path(__file__).with_name("templates")


def assemble(evidence: Evidence, table: pd.DataFrame | None = None) -> dict[str, Any]:
    """The whole report as plain data: what `results.json` holds (see `reports`), and what the page is drawn from.

    ``table`` is what `summarise.frame` makes of the same evidence, if it is there already.
    """
    table = summarise.frame(evidence) if table is None else table
    benchmarks = [benchmark for _, _, benchmark in speed.measured(evidence)]
    runs = [run for place in evidence.places for run in place.runs]
    chapter = summarise.systems(table, benchmarks)
    said = summarise.verdict(
        runs, table, chapter, summarise.unchecked(evidence.places, table, len(evidence.places) > 1)
    )
    entries = speed.throughput(evidence)
    remark = kill_matrix.remark(kill_matrix.kill_matrix(evidence))
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": {**said, "sentence": said["sentence"] + remark, "speed": speed.sentence(entries)},
        "environments": [_place(place, table, entries) for place in evidence.places],
        "results": summarise.rows(evidence),
        "faults": kill_matrix.records(evidence),
        "benchmarks": speed.records(evidence),
        "references": speed.references(evidence),
        "systems": chapter,
        "figures": _figures(evidence),
        "not_run": summarise.not_run(
            table, [idle for place in evidence.places for bench in place.benches for idle in bench.not_run]
        ),
        "skipped": [
            {"file": notice.file, "line": notice.line, "problem": notice.problem} for notice in evidence.notices
        ],
    }


def render(evidence: Evidence, output: Path | None = None) -> dict[str, str]:
    """The files of a report, by name. The same evidence gives the same texts.

    ``output`` is where they will be: repro scripts that lie below it are shown and linked.
    """
    table = summarise.frame(evidence)
    report = assemble(evidence, table)
    shown = {**report, **page.view(evidence, table, output)}
    return {
        "index.html": _within_limit(shown, evidence, table),
        "summary.md": _summary(shown),
        "samples.csv": speed.samples(evidence).to_csv(index=False, lineterminator="\n"),
        "results.json": dumps(report),
    }


def dumps(report: dict[str, Any]) -> str:
    """JSON with sorted keys, one line for each record of a list: quick to write, and two reports diff line by line."""
    return "{\n" + ",\n".join(_members(report)) + "\n}\n"


def _members(report: dict[str, Any]) -> Iterator[str]:
    encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False).encode
    for key, value in sorted(report.items()):
        if isinstance(value, list) and value:
            yield f"{encode(key)}: [\n " + ",\n ".join(map(encode, value)) + "\n]"
        else:
            yield f"{encode(key)}: {encode(value)}"


def _place(place: Place, table: pd.DataFrame, entries: list[dict[str, Any]]) -> dict[str, Any]:
    own = table[table["environment"] == place.id]
    timed = [
        bench.environment for bench in place.benches if environments.differing(place.environment, bench.environment)
    ]
    said = summarise.verdict(place.runs, own, [], summarise.unchecked([place], own, several=False))
    return {
        "id": place.id,
        "name": place.name,
        "environment": place.environment,
        "bench_environment": timed[0] if timed and place.runs else None,
        "verdict": {**said, "speed": speed.sentence([entry for entry in entries if entry["environment"] == place.id])},
        "runs": [
            {
                **run.header,
                "files": list(run.files),
                "run": run.run,
                "started": run.started.isoformat(),
                "finished": run.ended,
                "complete": run.complete,
                "cut_off": run.cut_off,
                "split": None
                if not run.splits
                else {
                    "of": run.splits[0].of,
                    "parts": [split.part for split in run.splits],
                    "missing": list(run.missing),
                },
                "exitstatus": run.exitstatus,
                "peak_mib": run.peak_mib,
                "subjects": list(run.subjects),
            }
            for run in place.runs
        ],
        "benchmarks": [{"file": bench.file, "datetime": bench.made.isoformat()} for bench in place.benches],
    }


def _figures(evidence: Evidence) -> list[dict[str, Any]]:
    return [
        {"environment": place.id, "name": figure.name, "subject": figure.subject, "data": figure.data}
        for place in evidence.places
        for run in place.runs
        for figure in run.figures
    ]


def _within_limit(shown: dict[str, Any], evidence: Evidence, table: pd.DataFrame) -> str:
    """The page with as much detail as fits; `results.json` always has the whole."""
    template = _template("index.html.jinja", autoescape=True)
    text = ""
    for level in range(page.LEVELS):
        text = template.render(shown, **page.limits(level), matrices=page.tables(evidence, table, level))
        if len(text.encode()) < PAGE_LIMIT:
            break
    return text


def _summary(shown: dict[str, Any]) -> str:
    """The summary with as much detail as a comment on a pull request may have."""
    text = ""
    for level in range(page.LEVELS):
        text = _template("summary.md.jinja", autoescape=False).render(shown, **page.limits(level))
        if len(text.encode()) < SUMMARY_LIMIT:
            break
    return text


@cache
def _template(name: str, autoescape: bool) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(page.FILTERS)
    return environment.get_template(name)

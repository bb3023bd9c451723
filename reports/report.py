"""From evidence to the four texts of a report, with nothing written yet."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from reports import page, speed, summarise
from reports.load import SCHEMA_VERSION, BenchmarkRun, Evidence, PropertiesRun
from reports.records import Figure

PAGE_LIMIT = 500_000
_TEMPLATES = Path(__file__).with_name("templates")


def assemble(evidence: Evidence) -> dict[str, Any]:
    """The whole report as plain data: what `results.json` holds (see `reports`), and what the page is drawn from."""
    run, bench = evidence.properties, evidence.benchmarks
    table = summarise.frame(run)
    benchmarks = bench.benchmarks if bench else []
    checked = run.environment if run else (bench.environment if bench else {})
    chapter = summarise.systems(table, benchmarks)
    said = summarise.verdict(run, table, chapter)
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": {**said, "speed": speed.sentence(speed.throughput(benchmarks))},
        "environment": checked,
        "bench_environment": bench.environment if bench and differing(checked, bench.environment) else None,
        "sources": {"properties": _properties(run), "benchmarks": _benchmarks(bench)},
        "results": summarise.rows(table),
        "benchmarks": speed.records(benchmarks),
        "references": speed.references(benchmarks),
        "systems": chapter,
        "figures": [_figure(figure) for figure in (run.figures if run else [])],
        "not_run": summarise.not_run(table, bench.not_run if bench else []),
        "skipped": [
            {"file": notice.file, "line": notice.line, "problem": notice.problem} for notice in evidence.notices
        ],
    }


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The keys by which two environments are not the same place; a machine's load changes from minute to minute."""
    return sorted(key for key in {*one, *other} - {"load_average"} if one.get(key) != other.get(key))


def render(evidence: Evidence) -> dict[str, str]:
    """The files of a report, by name. The same evidence gives the same texts."""
    report = assemble(evidence)
    apart = differing(report["environment"], report["bench_environment"] or report["environment"])
    shown = {**report, "apart": apart, **page.view(evidence, summarise.frame(evidence.properties))}
    return {
        "index.html": _within_limit(shown),
        "summary.md": _template("summary.md.jinja", autoescape=False).render(shown, **page.limits(0)),
        "samples.csv": speed.samples(evidence.benchmarks.benchmarks if evidence.benchmarks else []).to_csv(
            index=False, lineterminator="\n"
        ),
        "results.json": json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n",
    }


def _within_limit(shown: dict[str, Any]) -> str:
    """The page with as much detail as fits; `results.json` always has the whole."""
    template = _template("index.html.jinja", autoescape=True)
    text = ""
    for level in range(page.LEVELS):
        text = template.render(shown, **page.limits(level))
        if len(text.encode()) < PAGE_LIMIT:
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


def _properties(run: PropertiesRun | None) -> dict[str, Any] | None:
    if run is None:
        return None
    ended = {"file": run.file, "finished": run.finished, "complete": run.complete, "exitstatus": run.exitstatus}
    return {**run.header, **ended, "subjects": list(run.subjects)}


def _benchmarks(bench: BenchmarkRun | None) -> dict[str, Any] | None:
    return None if bench is None else {"file": bench.file, "datetime": bench.made.isoformat()}


def _figure(figure: Figure) -> dict[str, Any]:
    return {"name": figure.name, "subject": figure.subject, "data": figure.data}

"""What the templates need beyond the report's data: pictures, formulas, tables, and sizes kept in bounds."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from reports.draw import bench_view, charts, format, grey_images, scripts, svg, upstream
from reports.draw.histogram import histogram
from reports.draw.mathml import mathml
from reports.draw.matrix import matrices
from reports.read import environments
from reports.read.load import Evidence
from reports.read.records import Figure
from reports.tell import (
    benchmarks,
    explained,
    kill_matrix,
    pairs,
    precision,
    summarise,
    ten_epochs,
    throughput,
    versions,
)
from reports.tell.audit import audited
from reports.tell.chapter import PRINTED, PRINTED_RATE, lines

_MOST = {
    "places": 60,
    "faults": 40,
    "operators": 400,
    "cells": 6000,
    "groups": 40,
    "message": 3000,
    "script": 8000,
    "planted": 120,
}
_STEPS: tuple[dict[str, int], ...] = (
    _MOST,
    {**_MOST, "cells": 4500},
    {**_MOST, "cells": 4500, "message": 1500, "script": 4000, "planted": 80},
    {**_MOST, "cells": 3000, "places": 30, "faults": 20, "message": 800, "script": 2500, "planted": 60},
    {
        "places": 20,
        "faults": 15,
        "operators": 200,
        "cells": 2000,
        "groups": 20,
        "message": 800,
        "script": 3000,
        "planted": 60,
    },
    {"places": 6, "faults": 5, "operators": 50, "cells": 0, "groups": 10, "message": 400, "script": 0, "planted": 20},
)
LEVELS = len(_STEPS)


def limits(level: int) -> dict[str, Any]:
    """How much detail is shown at ``level``, 0 the most."""
    return {"limit": _STEPS[level]}


def tables(evidence: Evidence, table: pd.DataFrame, level: int) -> list[dict[str, Any]]:
    """Operators × subjects of each place, with as much detail as ``level`` allows."""
    limit = _STEPS[level]
    return matrices(evidence, table, limit["cells"], limit["operators"], limit["places"])


def view(evidence: Evidence, table: pd.DataFrame, output: Path | None) -> dict[str, Any]:
    """Everything that the page shows and `results.json` does not hold in this form."""
    entries, trained = throughput.recipes(evidence), ten_epochs.runs(evidence)
    figures = [figure for run in evidence.runs for figure in run.figures]
    return {
        "several": evidence.several,
        "runs": evidence.runs,
        "benches": evidence.benches,
        "apart": {
            place.id: sorted(
                {key for bench in place.benches for key in environments.differing(place.environment, bench.environment)}
            )
            for place in evidence.places
        },
        "faults": _faults(table, figures, output),
        "waiting": upstream.waiting(evidence),
        "planted": kill_matrix.kill_matrix(evidence),
        "pairs": pairs.met(table),
        "explained": explained.by_entry(table),
        "workers": kill_matrix.workers(evidence),
        "distributions": [
            {**entry, "svg": histogram(entry["dtype"], entry["counts"])} for entry in precision.distributions(table)
        ],
        "accumulators": precision.accumulators(evidence),
        "algorithms": precision.algorithms(evidence),
        "audit": audited(evidence),
        "versions": versions.differences(table),
        "throughput": [{**entry, "place": _ran_on(entry, evidence.several)} for entry in entries],
        "others": benchmarks.others(evidence),
        "timed": bench_view.view(evidence),
        "rate_scale": max([PRINTED_RATE, *(rate for entry in entries for rate in entry["rates"])]) * 1.04,
        "ten_epochs": [_with_curves(run, position) for position, run in enumerate(_one_seed(trained)[:6])],
        "pictures": _pictures(figures, trained),
        "lines": lines,
        "printed": PRINTED,
        "printed_rate": PRINTED_RATE,
        "marks": format.MARKS,
        "svg_css": svg.css(),
        "statuses": format.STATUSES,
        "meanings": format.MEANINGS,
        "facts": format.FACTS,
        "severities": format.SEVERITIES,
        "no_evidence": summarise.NO_EVIDENCE,
        "any_bundled": any(benchmark.bundled for _, _, benchmark in benchmarks.measured(evidence)),
        "cases": int(table["cases"].sum()),
    }


def _faults(table: pd.DataFrame, figures: list[Figure], output: Path | None) -> list[dict[str, Any]]:
    """What diverges, the worst first, with the picture, the script and the address that may be shown of it."""
    told = [(figure.subject, figure.data) for figure in figures if figure.name == "diagnosis"]
    planes = {(subject, data["law"], data["operator"], data["entry"]): data for subject, data in told if data["plane"]}
    found = summarise.faults(table)
    order = {severity: place for place, severity in enumerate(format.SEVERITIES)}
    found.sort(key=lambda fault: (fault["rank"], order.get(fault["severity"], len(order))))
    return [
        {
            **fault,
            "picture": planes.get((fault["subject"], fault["law"], fault["operator"], fault["reason"])),
            "script": scripts.script(fault["repro"], output),
            "link": scripts.upstream(fault["upstream"]),
        }
        for fault in found
    ]


def _ran_on(entry: dict[str, Any], several: bool) -> str:
    """Where a recipe was trained: device, environment where there are several, its name, threads."""
    where = format.clip(entry["device"], 40) + (f" in {entry['environment']}" if several else "")
    threads = format.clip(format.plain(entry["threads"]), 10)
    return f"{where}, {format.clip(entry['device_name'], 60)}" + (f", {threads} threads" if entry["threads"] else "")


def _one_seed(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of runs that differ in their seed alone the first; the table of seeds has them all."""
    first: dict[tuple[str, ...], dict[str, Any]] = {}
    for run in sorted(runs, key=lambda run: run["seed"]):
        first.setdefault(tuple(run[key] for key in ("environment", "recipe", "device", "dataset")), run)
    return [run for run in runs if any(run is kept for kept in first.values())]


def _with_curves(run: dict[str, Any], position: int) -> dict[str, Any]:
    return {
        **run,
        "loss_svg": charts.loss_curve(run["history"], f"loss{position}"),
        "accuracy_svg": charts.accuracy_curves(run["history"], f"accuracy{position}"),
    }


def _pictures(figures: list[Figure], trained: list[dict[str, Any]]) -> dict[str, Any]:
    """The first drawable picture of each kind; the others are in `results.json`."""
    first: dict[str, Figure] = {}
    for figure in figures:
        first.setdefault(figure.name, figure)
    pictures: dict[str, Any] = {"edge": None, "learning": None, "maps": [], "fields": None}
    if edge := first.get("edge-detection"):
        transposed = [list(row) for row in zip(*edge.data["image"], strict=True)]
        pictures["edge"] = {"subject": edge.subject, "transposed": transposed, **edge.data}
    if learning := first.get("kernel-learning"):
        loss, weight = learning.data["loss"], learning.data["weight"]
        pictures["learning"] = {
            "subject": learning.subject,
            "steps": len(loss),
            "weight": weight[-1],
            "loss_svg": charts.learning_loss(loss, "learning-loss"),
            "weight_svg": charts.learning_weights(weight, "learning-weights"),
        }
    if maps := first.get("feature-maps"):
        drawn = grey_images.feature_maps(maps.data, "maps")
        where = f"before training, on {maps.subject[:60]}"
        pictures["maps"].append({"where": where, "bundled": False, "layers": drawn})
    if run := next((run for run in trained if run["feature_maps"]), None):
        where = f"after ten epochs, recipe {run['recipe'][:60]} on {run['device'][:40]}"
        drawn = grey_images.feature_maps(run["feature_maps"], "trained")
        pictures["maps"].append({"where": where, "bundled": run["bundled"], "layers": drawn})
    if fields := first.get("receptive-field"):
        pictures["fields"] = {"subject": fields.subject, "units": grey_images.receptive_fields(fields.data, "field")}
    return pictures


@cache
def formula(value: str) -> Markup:
    """The chapter's formula as MathML."""
    return mathml(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "figure": format.figure,
    "precise": format.precise,
    "few": format.few,
    "some": summarise.some,
    "share": format.share,
    "seconds": format.seconds,
    "times": format.times,
    "ratio": format.ratio,
    "prefixed": format.prefixed,
    "size": format.size,
    "plain": format.plain,
    "when": format.when,
    "md": format.markdown,
    "clip": format.clip,
    "breakable": format.breakable,
    "headline": format.headline,
    "grid_class": format.grid_class,
    "short": format.short,
    "mark": format.mark,
    "slug": format.slug,
    "tests": format.tests,
    "mathml": formula,
    "quoted": shlex.quote,
}

"""LeNet after ten epochs beside what the chapter prints (S24), and how far the results of several seeds spread."""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import Any

from reports.read.load import Evidence
from reports.tell.benchmarks import of_kind
from reports.tell.chapter import PRINTED


def runs(evidence: Evidence) -> list[dict[str, Any]]:
    """The runs of ten epochs, whose result stands beside the one the chapter prints (S24)."""
    found = [
        {
            "environment": place.id,
            "name": benchmark.name,
            "recipe": benchmark.extra["recipe"],
            "device": benchmark.extra["device"],
            "device_name": str(benchmark.extra.get("device_name") or benchmark.extra["device"]),
            "dataset": benchmark.extra["dataset"],
            "dataset_note": str(benchmark.extra.get("dataset_note") or ""),
            "bundled": benchmark.bundled,
            "epochs": benchmark.extra.get("epochs"),
            "history": benchmark.extra["history"],
            "seed": benchmark.extra["seed"] or 0,
            "feature_maps": benchmark.extra["feature_maps"],
            "final": benchmark.extra["final"],
            "seconds": benchmark.median,
        }
        for place, _, benchmark in of_kind(evidence, "ten-epochs")
    ]
    return sorted(
        found, key=lambda run: (run["bundled"], run["environment"], run["device"], run["recipe"] != "book", run["name"])
    )


def seeds(evidence: Evidence) -> list[dict[str, Any]]:
    """Ten epochs from several seeds: how far the results spread, and where those that the book prints fall."""
    found: dict[tuple[str, str, str, str], dict[int, dict[str, float]]] = {}
    for place, _, item in of_kind(evidence, "ten-epochs"):
        extra = item.extra
        key = (place.id, extra["device"], extra["dataset"], extra["recipe"])
        found.setdefault(key, {}).setdefault(extra["seed"] or 0, extra["final"])
    return [
        {
            "environment": place, "device": device, "dataset": dataset, "recipe": recipe, "seeds": len(own),
            "bundled": "bundled" in dataset.lower(),
            "spread": {
                name: _spread([final[name] for final in own.values()], printed) for name, printed in PRINTED.items()
            },
        }
        for (place, device, dataset, recipe), own in sorted(found.items())
        if len(own) > 1
    ]  # fmt: skip


def _spread(values: list[float], printed: float) -> dict[str, Any]:
    middle, off = mean(values), stdev(values)
    inside = min(values) <= printed <= max(values)
    away = abs(printed - middle) / off if off > 0 else math.inf
    return {
        "mean": middle,
        "deviation": off,
        "low": min(values),
        "high": max(values),
        "printed": printed,
        "inside": inside,
        "away": away if math.isfinite(away) else None,
    }

"""Benchmarks of all kinds: each with where it ran, as a record, as its samples, in a few words; why one is absent."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

import pandas as pd

from reports.read.benchmarks import Benchmark
from reports.read.load import BenchmarkRun, Evidence, Place
from reports.read.untrusted import LARGEST

NONE = "no such benchmark in the evidence"
_SHOWN = (
    *("training", "epoch", "ten-epochs", "reference", "worker"),
    *("machine", "layer", "real layer", "versions", "null", "phases", "growth", "report growth", "distributed"),
    *("peer", "self-test"),
)
_SETTINGS = ("recipe", "operation", "implementation", "shape", "device", "device_name", "dataset")
COLUMNS = ("environment", "benchmark", "kind", *_SETTINGS, "round", "seconds", "examples_per_second")

Measured = tuple[Place, BenchmarkRun, Benchmark]


def measured(evidence: Evidence) -> list[Measured]:
    """Every benchmark with where it ran, by place, then by file."""
    return [(place, bench, item) for place in evidence.places for bench in place.benches for item in bench.benchmarks]


def of_kind(evidence: Evidence, kind: str) -> Iterator[Measured]:
    """The benchmarks of one kind, each with where it ran."""
    return (found for found in measured(evidence) if found[2].kind == kind)


def reason(evidence: Evidence, *begins: str) -> str:
    """Why there is no benchmark whose name begins so: what the benchmarks said, or that there is none."""
    idle = [idle for bench in evidence.benches for idle in bench.not_run]
    return next((why for name, why in idle if name.startswith(begins)), NONE)


def usable(value: float) -> bool:
    """True if a logarithmic axis can hold it."""
    return 1 / LARGEST <= value <= LARGEST


def rate(item: Benchmark) -> float | None:
    """Examples per second of wall time, loading included; None where they cannot be told."""
    examples = item.extra.get("examples_per_round")
    found = examples / item.median if isinstance(examples, int | float) else 0.0
    return found if usable(found) else None


def records(evidence: Evidence) -> list[dict[str, Any]]:
    """Every benchmark with its raw samples."""
    return [
        {
            "environment": place.id,
            "file": bench.file,
            "name": benchmark.name,
            "fullname": benchmark.fullname,
            "kind": benchmark.kind,
            "systems": list(benchmark.systems),
            "samples": list(benchmark.samples),
            "median": benchmark.median,
            "extra_info": benchmark.extra,
        }
        for place, bench, benchmark in _sorted(evidence)
    ]


def others(evidence: Evidence) -> list[dict[str, Any]]:
    """Benchmarks of kinds that have no table of their own."""
    return [
        {
            "environment": place.id,
            "name": item.name,
            "kind": item.kind,
            "median": item.median,
            "rounds": len(item.samples),
        }
        for place, _, item in _sorted(evidence)
        if item.kind not in _SHOWN
    ]


def in_brief(benchmark: Benchmark) -> str:
    """What one benchmark found, in a few words."""
    extra = benchmark.extra
    label = " (bundled sample, not the whole data set)" if benchmark.bundled else ""
    if benchmark.kind == "training":
        rate = median(extra["examples_per_second"])
        return f"{rate:,.0f} examples per second, recipe {extra['recipe']} on {extra['device']}{label}"
    if benchmark.kind == "ten-epochs":
        final = extra["final"]
        accuracies = f"train acc {final['train_acc']:.3f}, test acc {final['test_acc']:.3f}"
        return f"loss {final['loss']:.3f}, {accuracies}, recipe {extra['recipe']} on {extra['device']}{label}"
    if benchmark.kind == "reference":
        return (
            f"{benchmark.median * 1000:,.3g} ms for {extra['operation']}, {extra['shape']}, {extra['implementation']}"
        )
    return f"{benchmark.median * 1000:,.3g} ms, {benchmark.name}{label}"


def samples(evidence: Evidence) -> pd.DataFrame:
    """One line per raw sample; ``examples_per_second`` (loading excluded) where the benchmark trains."""
    lines: list[dict[str, Any]] = []
    for place, _, benchmark in _sorted(evidence):
        rates = benchmark.extra.get("examples_per_second") if benchmark.kind == "training" else None
        shared = {key: _cell(benchmark.extra.get(key)) for key in _SETTINGS}
        for position, seconds in enumerate(benchmark.samples):
            rate = rates[position] if rates and len(rates) == len(benchmark.samples) else None
            lines.append(
                {
                    "environment": place.id,
                    "benchmark": _cell(benchmark.name),
                    "kind": _cell(benchmark.kind),
                    **shared,
                    "round": position,
                    "seconds": seconds,
                    "examples_per_second": rate,
                }
            )
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _sorted(evidence: Evidence) -> list[Measured]:
    return sorted(measured(evidence), key=lambda found: (found[0].id, found[2].fullname, found[1].file))


def _cell(value: object) -> str | None:
    """Text that a spreadsheet will not take for a formula."""
    if value is None:
        return None
    shown = str(value)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@", "\t") and len(shown) > 1 else shown

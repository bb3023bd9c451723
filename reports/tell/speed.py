"""What the benchmarks come to: throughput against the book, LeNet's ten epochs, and the references' speed ratios."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import pandas as pd

from reports.read.benchmarks import NOT_JUDGED, Benchmark, judged, warning
from reports.read.load import BenchmarkRun, Evidence, Place
from reports.tell.chapter import PRINTED_RATE

LOOPS = "loops"
CHAPTER = "chapter's torch loop"
_SHOWN = (
    *("training", "epoch", "ten-epochs", "reference", "worker"),
    *("machine", "layer", "phases", "growth", "distributed", "peer", "self-test"),
)

Measured = tuple[Place, BenchmarkRun, Benchmark]
COLUMNS = (
    "environment",
    "benchmark",
    "kind",
    "recipe",
    "operation",
    "implementation",
    "shape",
    "device",
    "device_name",
    "dataset",
    "round",
    "seconds",
    "examples_per_second",
)


def measured(evidence: Evidence) -> list[Measured]:
    """Every benchmark with where it ran, by place, then by file."""
    return [(place, bench, item) for place in evidence.places for bench in place.benches for item in bench.benchmarks]


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


def throughput(evidence: Evidence) -> list[dict[str, Any]]:
    """One entry per training benchmark, the chapter's own recipe first on each device.

    ``rate`` is the median over rounds of the book's figure (loading excluded); ``wall`` counts the loading too. A
    recipe is divided by the chapter's only where both ran in one run of the benchmarks, and so on one machine.
    """
    entries = [
        {"environment": place.id, "file": bench.file, **_entry(item)}
        for place, bench, item in measured(evidence)
        if item.kind == "training"
    ]
    entries.sort(key=lambda e: (e["environment"], e["device"], e["recipe"] != "book", e["recipe"], e["file"]))
    for entry in entries:
        alike = [e for e in entries if e["recipe"] == "book"]
        alike = [e for e in alike if all(e[key] == entry[key] for key in ("environment", "file", "device", "dataset"))]
        entry["over_recipe_book"] = entry["rate"] / alike[0]["rate"] if alike else None
    return entries


def _entry(benchmark: Benchmark) -> dict[str, Any]:
    extra = benchmark.extra
    rates: list[float] = extra["examples_per_second"]
    examples = extra.get("examples_per_round")
    return {
        "name": benchmark.name,
        "recipe": extra["recipe"],
        "recipe_doc": str(extra.get("recipe_doc") or ""),
        "device": extra["device"],
        "device_name": str(extra.get("device_name") or extra["device"]),
        "threads": extra.get("threads"),
        "dataset": extra["dataset"],
        "bundled": benchmark.bundled,
        "rates": rates,
        "rate": median(rates),
        "wall": examples / benchmark.median if isinstance(examples, int) and examples > 0 else None,
        "over_book": median(rates) / PRINTED_RATE,
        "ratio": extra["over_book"],
        "floor": extra["noise_floor"],
        "warning": warning(benchmark),
        "word": _word(benchmark),
        "other": None if extra.get("other") is None else str(extra["other"]),
        "memory": extra["peak_memory_bytes"],
        "share_of_peak": _share_of_peak(benchmark),
    }


def _word(benchmark: Benchmark) -> str | None:
    """How the recipe stands to the chapter's own, which itself is the measure."""
    extra = benchmark.extra
    return None if extra["recipe"] == "book" else judged(extra["over_book"], extra["noise_floor"], warning(benchmark))


def _share_of_peak(benchmark: Benchmark) -> float | None:
    extra, examples = benchmark.extra, benchmark.extra.get("examples_per_round")
    work, peak = extra["flop_per_example"], extra["peak_flop_per_second"]
    if not (work and peak and isinstance(examples, int) and examples > 0):
        return None
    return examples * work / benchmark.median / peak


def ten_epochs(evidence: Evidence) -> list[dict[str, Any]]:
    """The runs of ten epochs, whose result stands beside the one the chapter prints (S24)."""
    runs = [
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
        for place, _, benchmark in measured(evidence)
        if benchmark.kind == "ten-epochs"
    ]
    return sorted(
        runs, key=lambda run: (run["bundled"], run["environment"], run["device"], run["recipe"] != "book", run["name"])
    )


def references(evidence: Evidence) -> list[dict[str, Any]]:
    """Loops beside the chapter's own torch loop, by operation and shape; ``ratio`` = chapter ÷ loops, in one run."""
    found: dict[tuple[str, str, str, str], dict[str, float]] = {}
    for place, bench, benchmark in measured(evidence):
        if benchmark.kind == "reference":
            key = (place.id, bench.file, benchmark.extra["operation"], benchmark.extra["shape"])
            found.setdefault(key, {})[benchmark.extra["implementation"]] = benchmark.median
    return [
        {
            "environment": place,
            "operation": operation,
            "shape": shape,
            "loops": medians.get(LOOPS),
            "chapter": medians.get(CHAPTER),
            "ratio": medians[CHAPTER] / medians[LOOPS] if LOOPS in medians and CHAPTER in medians else None,
        }
        for (place, _, operation, shape), medians in sorted(found.items())
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


def sentence(entries: Sequence[dict[str, Any]]) -> str:
    """How fast, in one sentence: the chapter's own recipe where it is there, else the fastest."""
    if not entries:
        return "How fast it trains was not measured: there is no benchmark of training."
    own = [entry for entry in entries if entry["recipe"] == "book"]
    best = max(own or entries, key=lambda entry: entry["rate"])
    recipe = "the chapter's own loop" if own else f"recipe {best['recipe']}"
    label = ", on the bundled sample, not the whole data set" if best["bundled"] else ""
    return (
        f"LeNet trains at {best['rate']:,.0f} examples a second with {recipe} on {best['device']} "
        f"({best['device_name']}){label}: {best['over_book']:.2f} × the {PRINTED_RATE:,.1f} that the book prints for "
        f"its cuda:0.{_fastest(entries)}"
    )


def _fastest(entries: Sequence[dict[str, Any]]) -> str:
    """Which recipe of the same problem is shown to be the fastest; nothing where none stands beside the chapter's."""
    rivals = [entry for entry in entries if entry["word"] and not entry["other"]]
    faster = [entry for entry in rivals if entry["word"] == "faster"]
    if not faster and (busy := next((entry["warning"] for entry in rivals if entry["word"] == NOT_JUDGED), None)):
        return f" No recipe is called faster or slower, as the machine was busy ({busy})."
    if not faster:
        return " No recipe is shown to be faster than the chapter's own loop." if rivals else ""
    best = max(faster, key=lambda entry: entry["ratio"]["low"])
    low, middle, high = (best["ratio"][key] for key in ("low", "median", "high"))
    where = f" in {best['environment']}" if len({entry["environment"] for entry in entries}) > 1 else ""
    return (
        f" The fastest recipe that computes the same is {best['recipe']} on {best['device']}{where}: {middle:.2f} "
        f"times the chapter's own loop in wall time, 95 % interval {low:.2f} to {high:.2f}."
    )


def said(benchmark: Benchmark) -> str:
    """What one benchmark found, in a few words."""
    extra = benchmark.extra
    label = " (bundled sample, not the whole data set)" if benchmark.bundled else ""
    if benchmark.kind == "training":
        rate = median(extra["examples_per_second"])
        return f"{rate:,.0f} examples a second, recipe {extra['recipe']} on {extra['device']}{label}"
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
        shared = {key: _cell(benchmark.extra.get(key)) for key in COLUMNS[3:10]}
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

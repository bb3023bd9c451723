"""What the benchmarks come to: throughput against the book, LeNet's ten epochs, and the references' speed ratios."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import pandas as pd

from reports.chapter import PRINTED_RATE
from reports.records import Benchmark

LOOPS = "loops"
CHAPTER = "chapter's torch loop"
COLUMNS = (
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


def records(benchmarks: Iterable[Benchmark]) -> list[dict[str, Any]]:
    """Every benchmark with its raw samples."""
    return [
        {
            "name": benchmark.name,
            "fullname": benchmark.fullname,
            "kind": benchmark.kind,
            "systems": list(benchmark.systems),
            "samples": list(benchmark.samples),
            "median": benchmark.median,
            "extra_info": benchmark.extra,
        }
        for benchmark in sorted(benchmarks, key=lambda item: item.fullname)
    ]


def throughput(benchmarks: Iterable[Benchmark]) -> list[dict[str, Any]]:
    """One entry per training benchmark, the chapter's own recipe first on each device.

    ``rate`` is the median over rounds of the book's figure (loading excluded); ``wall`` counts the loading too.
    """
    entries = [_entry(benchmark) for benchmark in benchmarks if benchmark.kind == "training"]
    entries.sort(key=lambda entry: (entry["device"], entry["recipe"] != "book", entry["recipe"]))
    for entry in entries:
        alike = [e for e in entries if e["recipe"] == "book" and e["device"] == entry["device"]]
        alike = [e for e in alike if e["dataset"] == entry["dataset"]]
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
    }


def ten_epochs(benchmarks: Iterable[Benchmark]) -> list[dict[str, Any]]:
    """The runs of ten epochs, whose result stands beside the one the chapter prints (S24)."""
    runs = [
        {
            "name": benchmark.name,
            "recipe": benchmark.extra["recipe"],
            "device": benchmark.extra["device"],
            "device_name": str(benchmark.extra.get("device_name") or benchmark.extra["device"]),
            "dataset": benchmark.extra["dataset"],
            "dataset_note": str(benchmark.extra.get("dataset_note") or ""),
            "bundled": benchmark.bundled,
            "epochs": benchmark.extra.get("epochs"),
            "history": benchmark.extra["history"],
            "final": benchmark.extra["final"],
            "seconds": benchmark.median,
        }
        for benchmark in benchmarks
        if benchmark.kind == "ten-epochs"
    ]
    return sorted(runs, key=lambda run: (run["bundled"], run["device"], run["name"]))


def references(benchmarks: Iterable[Benchmark]) -> list[dict[str, Any]]:
    """Loops beside the chapter's own torch loop, by operation and shape; ``ratio`` = chapter ÷ loops."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for benchmark in benchmarks:
        if benchmark.kind == "reference":
            key = (benchmark.extra["operation"], benchmark.extra["shape"])
            found.setdefault(key, {})[benchmark.extra["implementation"]] = benchmark.median
    return [
        {
            "operation": operation,
            "shape": shape,
            "loops": medians.get(LOOPS),
            "chapter": medians.get(CHAPTER),
            "ratio": medians[CHAPTER] / medians[LOOPS] if LOOPS in medians and CHAPTER in medians else None,
        }
        for (operation, shape), medians in sorted(found.items())
    ]


def sentence(entries: Sequence[dict[str, Any]]) -> str:
    """How fast, in one sentence: the chapter's own recipe where it is there, else the fastest."""
    if not entries:
        return "Not measured: no training benchmark was found."
    own = [entry for entry in entries if entry["recipe"] == "book"]
    best = max(own or entries, key=lambda entry: entry["rate"])
    recipe = "the chapter's own loop" if own else f"recipe {best['recipe']}"
    label = ", on the bundled sample, not the whole data set" if best["bundled"] else ""
    return (
        f"LeNet trains at {best['rate']:,.0f} examples a second with {recipe} on {best['device']} "
        f"({best['device_name']}){label}: {best['over_book']:.2f} × the {PRINTED_RATE:,.1f} that the book prints for "
        "its cuda:0."
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


def samples(benchmarks: Iterable[Benchmark]) -> pd.DataFrame:
    """One line per raw sample; ``examples_per_second`` (loading excluded) where the benchmark trains."""
    lines: list[dict[str, Any]] = []
    for benchmark in sorted(benchmarks, key=lambda item: item.fullname):
        rates = benchmark.extra.get("examples_per_second") if benchmark.kind == "training" else None
        shared = {key: _cell(benchmark.extra.get(key)) for key in COLUMNS[2:9]}
        for position, seconds in enumerate(benchmark.samples):
            rate = rates[position] if rates and len(rates) == len(benchmark.samples) else None
            lines.append(
                {
                    "benchmark": _cell(benchmark.name),
                    "kind": _cell(benchmark.kind),
                    **shared,
                    "round": position,
                    "seconds": seconds,
                    "examples_per_second": rate,
                }
            )
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _cell(value: object) -> str | None:
    """Text that a spreadsheet will not take for a formula."""
    if value is None:
        return None
    shown = str(value)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@", "\t") and len(shown) > 1 else shown

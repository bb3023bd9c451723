"""How fast LeNet trains: every recipe beside the chapter's loop, epochs, phases of a step, growth, other libraries.

Everything is read from the benchmark files. A word such as "faster" is said only where the 95 % interval of the ratio
clears the noise floor of the same run, and on a machine that was not busy with something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from reports.read.benchmarks import Benchmark
from reports.read.load import Evidence
from reports.tell.benchmarks import of_kind, rate, reason, usable
from reports.tell.chapter import PRINTED_RATE
from reports.tell.noise_floor import NOT_JUDGED, judged

LOOPS = "loops"
CHAPTER = "chapter's torch loop"
REPORT = ("rows", "evidence_bytes", "peak_mib", "page_bytes", "results_bytes", "folded")
SEEDS = 10
"""From so many the full ladder trains ten epochs by the book's loop, before any other recipe does."""

Run = tuple[str, str, str]
"""An environment, a benchmark file and a device."""


def recipes(evidence: Evidence) -> list[dict[str, Any]]:
    """One entry per training benchmark, the chapter's own recipe first on each device.

    ``rate`` is the median over rounds of the book's figure (loading excluded); ``wall`` counts the loading too. A
    recipe is divided by the chapter's only where both ran in one run of the benchmarks, and so on one machine.
    """
    entries = [
        {"environment": place.id, "file": bench.file, **_entry(item)}
        for place, bench, item in of_kind(evidence, "training")
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
        "wall": rate(benchmark),
        "over_book": median(rates) / PRINTED_RATE,
        "ratio": extra["over_book"],
        "floor": extra["noise_floor"],
        "warning": benchmark.warning,
        "word": _word(benchmark),
        "other": None if extra.get("other") is None else str(extra["other"]),
        "memory": extra["peak_memory_bytes"],
        "share_of_peak": _share_of_peak(benchmark),
    }


def _word(benchmark: Benchmark) -> str | None:
    """How the recipe stands to the chapter's own, which itself is the measure."""
    extra = benchmark.extra
    return None if extra["recipe"] == "book" else judged(extra["over_book"], extra["noise_floor"], benchmark.warning)


def _share_of_peak(benchmark: Benchmark) -> float | None:
    reached, work = rate(benchmark), benchmark.extra["flop_per_example"]
    peak = benchmark.extra["peak_flop_per_second"]
    return reached * work / peak if reached and work and peak else None


def sentence(entries: Sequence[dict[str, Any]]) -> str:
    """How fast, in one sentence: the chapter's own recipe where it is there, else the fastest."""
    if not entries:
        return "The speed of training was not measured."
    own = [entry for entry in entries if entry["recipe"] == "book"]
    best = max(own or entries, key=lambda entry: entry["rate"])
    recipe = "the chapter's own loop" if own else f"recipe {best['recipe']}"
    label = ", on the bundled sample, not the whole data set" if best["bundled"] else ""
    return (
        f"LeNet trains at {best['rate']:,.0f} examples per second with {recipe} on {best['device']} "
        f"({best['device_name']}){label}, {best['over_book']:.2f} times the {PRINTED_RATE:,.1f} that the book prints "
        f"for its cuda:0.{_fastest(entries)}"
    )


def _fastest(entries: Sequence[dict[str, Any]]) -> str:
    """Which recipe of the same problem is shown to be the fastest; nothing where none stands beside the chapter's."""
    rivals = [entry for entry in entries if entry["word"] and not entry["other"]]
    faster = [entry for entry in rivals if entry["word"] == "faster"]
    if not faster and (busy := next((entry["warning"] for entry in rivals if entry["word"] == NOT_JUDGED), None)):
        return f" No recipe is called faster or slower, because the machine was busy ({busy})."
    if not faster:
        return " No recipe is shown to be faster than the chapter's own loop." if rivals else ""
    best = max(faster, key=lambda entry: entry["ratio"]["low"])
    low, middle, high = (best["ratio"][key] for key in ("low", "median", "high"))
    where = f" in {best['environment']}" if len({entry["environment"] for entry in entries}) > 1 else ""
    return (
        f" The fastest recipe for the same problem is {best['recipe']} on {best['device']}{where}: in wall time "
        f"{middle:.2f} times as fast as the chapter's own loop (95 % interval {low:.2f} to {high:.2f})."
    )


def ladders(evidence: Evidence) -> list[dict[str, Any]]:
    """The recipes of each run on each device beside the chapter's loop, the fastest first, with the noise floor."""
    found: dict[Run, list[Benchmark]] = {}
    for place, bench, item in of_kind(evidence, "training"):
        if item.extra["over_book"] is not None:
            found.setdefault((place.id, bench.file, item.extra["device"]), []).append(item)
    ended = _ended(evidence)
    drawn = (_ladder(run, items, ended.get(run)) for run, items in sorted(found.items()))
    return [ladder for ladder in drawn if ladder["rungs"]]


def _ladder(run: Run, items: list[Benchmark], ended: set[str] | None) -> dict[str, Any]:
    rungs = sorted(map(_rung, items), key=lambda rung: -rung["median"])
    place, file, device = run
    return {
        "environment": place,
        "file": file,
        "device": device,
        "floor": max((item.extra["noise_floor"] or 0.0 for item in items), default=0.0),
        "warning": next(filter(None, (item.warning for item in items)), None),
        "rungs": [rung for rung in rungs if ended is None or rung["label"] in ended],
        "left_out": [rung["label"] for rung in rungs if ended is not None and rung["label"] not in ended],
    }


def _ended(evidence: Evidence) -> dict[Run, set[str]]:
    """The recipes of each run whose ten epochs ended as the book's, where that ran from enough seeds to say so.

    The benchmark of one that ends otherwise fails, and a failed benchmark leaves no result.
    """
    seeds: dict[Run, dict[str, int]] = {}
    for place, bench, item in of_kind(evidence, "ten-epochs"):
        own = seeds.setdefault((place.id, bench.file, item.extra["device"]), {})
        own[item.extra["recipe"]] = own.get(item.extra["recipe"], 0) + 1
    return {run: set(own) for run, own in seeds.items() if own.get("book", 0) >= SEEDS}


def _rung(item: Benchmark) -> dict[str, Any]:
    extra = item.extra
    word = "baseline" if extra["recipe"] == "book" else _word(item)
    return {"label": extra["recipe"], **extra["over_book"], "word": word, "other": extra.get("other")}


def epochs(evidence: Evidence) -> list[dict[str, Any]]:
    """Median wall time of whole epochs by recipe, and how many times as fast as the chapter's loop in their rounds."""
    found = [
        {
            "environment": place.id,
            "device": item.extra["device"],
            "recipe": item.extra["recipe"],
            "seconds": item.median,
            "rounds": len(item.samples),
            "ratio": item.extra["over_book"] if item.extra["recipe"] != "book" else None,
            "other": item.extra.get("other"),
        }
        for place, _, item in of_kind(evidence, "epoch")
    ]
    return sorted(found, key=lambda entry: (entry["environment"], entry["device"], entry["seconds"]))


def phases(evidence: Evidence) -> list[dict[str, Any]]:
    """Where the time of a step goes, the median of its steps by phase, for each recipe on each device."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for place, _, item in of_kind(evidence, "phases"):
        parts = {name: median(seconds) for name, seconds in item.extra["phases"].items()}
        if total := sum(parts.values()):
            entry = {"recipe": item.extra["recipe"], "total": total, "parts": parts}
            found.setdefault((place.id, item.extra["device"]), []).append(entry)
    return [
        {
            "environment": place,
            "device": device,
            "recipes": own,
            "names": list(dict.fromkeys(n for e in own for n in e["parts"])),
        }
        for (place, device), own in sorted(found.items())
    ]


def growth(evidence: Evidence) -> list[dict[str, Any]]:
    """Examples a second as batch size, threads or image size grow: median, least and most of the rounds."""
    found: dict[tuple[str, str, str], dict[float, dict[str, float]]] = {}
    for place, _, item in of_kind(evidence, "growth"):
        examples = item.extra["examples_per_round"]
        rates = [examples / seconds for seconds in item.samples]
        if all(map(usable, rates)):
            point = {"value": item.extra["value"], "low": min(rates), "median": median(rates), "high": max(rates)}
            found.setdefault((place.id, item.extra["device"], item.extra["axis"]), {})[point["value"]] = point
    return [
        {"environment": place, "device": device, "axis": axis, "points": [own[value] for value in sorted(own)]}
        for (place, device, axis), own in sorted(found.items())
    ]


def reports(evidence: Evidence) -> list[dict[str, Any]]:
    """What a report costs as evidence grows, the smallest first."""
    found = [
        {"environment": place.id, "seconds": item.median, **{key: item.extra[key] for key in REPORT}}
        for place, _, item in of_kind(evidence, "report growth")
    ]
    return sorted(found, key=lambda row: (row["environment"], row["rows"]))


def scaling(evidence: Evidence) -> list[dict[str, Any]]:
    """Efficiency of several ranks, strong and weak: the speed-up over one rank alone, divided by the ranks."""
    entries = []
    for place, _, item in of_kind(evidence, "distributed"):
        extra, ranks = item.extra, item.extra["world_size"]
        entries.append(
            {
                "environment": place.id,
                "label": f"{extra['scaling'][:20]}, {ranks:g} ranks",
                **{key: value / ranks for key, value in extra["speedup"].items()},
                "speedup": extra["speedup"],
                "backend": str(extra.get("backend") or "?"),
                "threads": extra.get("threads_per_rank"),
                "batch": extra.get("batch_size"),
                "word": NOT_JUDGED if item.warning else None,
            }
        )
    return sorted(entries, key=lambda entry: (entry["environment"], entry["label"]))


def peers(evidence: Evidence, work: str) -> list[dict[str, Any]]:
    """torch's recipes and other libraries in one run, the fastest first.

    Multiples of the chapter's loop where ``work`` is training, of torch's eager mode where it is inference.
    """
    entries = [
        {
            "environment": place.id,
            "label": item.extra["recipe"],
            "library": f"{item.extra['library']} {item.extra.get('version') or ''}".strip(),
            "torch": item.extra["library"] == "torch",
            **item.extra["over_book"],
            "rate": rate(item),
            "word": NOT_JUDGED if item.warning else None,
        }
        for place, _, item in of_kind(evidence, "peer")
        if item.extra["work"] == work
    ]
    return sorted(entries, key=lambda entry: (entry["environment"], -entry["median"]))


def absent_peers(evidence: Evidence) -> list[tuple[str, str]]:
    """The other libraries that were not run, each with the reason."""
    ran = {item.extra["recipe"] for _, _, item in of_kind(evidence, "peer")}
    names = ("jax", "onnxruntime", "tinygrad")
    return [
        (name, reason(evidence, f"test_peers[{name}", f"test_inference[{name}")) for name in names if name not in ran
    ]


def references(evidence: Evidence) -> list[dict[str, Any]]:
    """Loops beside the chapter's own torch loop, by operation and shape; ``ratio`` = chapter ÷ loops, in one run."""
    found: dict[tuple[str, str, str, str], dict[str, float]] = {}
    for place, bench, item in of_kind(evidence, "reference"):
        key = (place.id, bench.file, item.extra["operation"], item.extra["shape"])
        found.setdefault(key, {})[item.extra["implementation"]] = item.median
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

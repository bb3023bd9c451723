"""What the benchmarks tell beside a rate: who is faster and by how much, against which limits, and where time goes.

Everything is read from the benchmark files. A word such as "faster" is said only where the 95 % interval of the ratio
clears the noise floor of the same run, and on a machine that was not busy with something else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from statistics import mean, median, stdev
from typing import Any

from reports.read.benchmarks import LARGEST, NOT_JUDGED, Benchmark, judged, warning
from reports.read.load import Evidence
from reports.tell.chapter import PRINTED
from reports.tell.speed import Measured, measured

NONE = "no such benchmark in the evidence"
SEEDS = 10
"""From so many the full ladder trains ten epochs by the book's loop, before any other recipe does."""

Run = tuple[str, str, str]
"""An environment, a benchmark file and a device."""


def of_kind(evidence: Evidence, kind: str) -> Iterator[Measured]:
    """The benchmarks of one kind, each with where it ran."""
    return (found for found in measured(evidence) if found[2].kind == kind)


def reason(evidence: Evidence, *begins: str) -> str:
    """Why there is no benchmark whose name begins so: what the benchmarks said, or that there is none."""
    idle = [idle for place in evidence.places for bench in place.benches for idle in bench.not_run]
    return next((why for name, why in idle if name.startswith(begins)), NONE)


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
        "warning": next(filter(None, map(warning, items)), None),
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
    ratio = extra["over_book"]
    word = judged(ratio, extra["noise_floor"], warning(item)) if extra["recipe"] != "book" else "the measure"
    return {"label": extra["recipe"], **ratio, "word": word, "other": extra.get("other")}


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


def roofs(evidence: Evidence) -> list[dict[str, Any]]:
    """The machine's limits by environment and device, with every recipe and layer as FLOP, bytes and seconds.

    The best round counts for a limit, the median round for a point. Layers without FLOP move data alone; they are no
    points of the picture.
    """
    limits: dict[tuple[str, str], dict[str, float]] = {}
    for place, _, item in of_kind(evidence, "machine"):
        own = limits.setdefault((place.id, item.extra["device"]), {})
        amount = item.extra["flop"] or item.extra["bytes"]
        name = f"{item.extra['what']} {item.extra.get('dtype') or ''}".strip() if item.extra["flop"] else "copy"
        if amount and usable(amount / min(item.samples)):
            own[name] = max(own.get(name, 0.0), amount / min(item.samples))
    points: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key, point in [*_recipe_points(evidence), *_layer_points(evidence)]:
        points.setdefault(key, []).append(point)
    return [
        {"environment": place, "device": device, "limits": own, "points": points.get((place, device), [])}
        for (place, device), own in sorted(limits.items())
        if own
    ]


Points = Iterator[tuple[tuple[str, str], dict[str, Any]]]


def _recipe_points(evidence: Evidence) -> Points:
    for place, _, item in of_kind(evidence, "training"):
        extra, examples = item.extra, item.extra.get("examples_per_round")
        flop, moved = extra["flop_per_example"], extra["bytes_per_example"]
        if flop and moved and isinstance(examples, int) and examples > 0:
            point = _point("recipe", extra["recipe"], examples * flop, examples * moved, item)
            yield (place.id, extra["device"]), {**point, "dtype": extra.get("dtype"), "what": "steps"}


def _layer_points(evidence: Evidence) -> Points:
    for place, _, item in of_kind(evidence, "layer"):
        extra = item.extra
        point = _point("layer", short_name(extra["layer_name"]), extra["flop"], extra["bytes"], item)
        yield (place.id, extra["device"]), {**point, "dtype": "float32", "what": extra["direction"]}


def _point(kind: str, name: str, flop: float, moved: float, item: Benchmark) -> dict[str, Any]:
    taken = item.median
    return {"kind": kind, "name": name, "flop": flop, "bytes": moved, "seconds": taken, "intensity": flop / moved}


def short_name(layer: str) -> str:
    """torch's description of a layer in two words.

    >>> short_name("Conv2d(6, 16, kernel_size=(5, 5), stride=(1, 1))")
    'conv 6→16'
    >>> short_name("Linear(in_features=400, out_features=120, bias=True)"), short_name("Sigmoid()")
    ('dense 400→120', 'sigmoid')
    """
    if found := re.match(r"Conv2d\((\d+), (\d+)", layer):
        return f"conv {found[1]}→{found[2]}"
    if found := re.match(r"Linear\(in_features=(\d+), out_features=(\d+)", layer):
        return f"dense {found[1]}→{found[2]}"
    return layer.partition("(")[0].lower()[:20] or "layer"


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
                "word": NOT_JUDGED if warning(item) else None,
            }
        )
    return sorted(entries, key=lambda entry: (entry["environment"], entry["label"]))


def peers(evidence: Evidence) -> list[dict[str, Any]]:
    """torch's recipes and other libraries in one run, as multiples of the chapter's loop, the fastest first."""
    entries = [
        {
            "environment": place.id,
            "label": item.extra["recipe"],
            "library": f"{item.extra['library']} {item.extra.get('version') or ''}".strip(),
            "torch": item.extra["library"] == "torch",
            **item.extra["over_book"],
            "rate": _rate(item),
            "word": NOT_JUDGED if warning(item) else None,
        }
        for place, _, item in of_kind(evidence, "peer")
    ]
    return sorted(entries, key=lambda entry: (entry["environment"], -entry["median"]))


def absent_peers(evidence: Evidence) -> list[tuple[str, str]]:
    """The other libraries that were not run, each with the reason."""
    ran = {item.extra["recipe"] for _, _, item in of_kind(evidence, "peer")}
    return [(name, reason(evidence, f"test_peers[{name}")) for name in ("jax", "tinygrad") if name not in ran]


def seeds(evidence: Evidence) -> list[dict[str, Any]]:
    """Ten epochs from several seeds: how far the results spread, and where those that the book prints fall."""
    runs: dict[tuple[str, str, str, str], dict[int, dict[str, float]]] = {}
    for place, _, item in of_kind(evidence, "ten-epochs"):
        extra = item.extra
        key = (place.id, extra["device"], extra["dataset"], extra["recipe"])
        runs.setdefault(key, {}).setdefault(extra["seed"] or 0, extra["final"])
    return [
        {
            "environment": place, "device": device, "dataset": dataset, "recipe": recipe, "seeds": len(own),
            "bundled": "bundled" in dataset.lower(),
            "spread": {
                name: _spread([final[name] for final in own.values()], printed) for name, printed in PRINTED.items()
            },
        }
        for (place, device, dataset, recipe), own in sorted(runs.items())
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


def _rate(item: Benchmark) -> float | None:
    examples = item.extra.get("examples_per_round")
    if not isinstance(examples, int | float) or not usable(examples / item.median):
        return None
    return examples / item.median


def usable(value: float) -> bool:
    """Whether a logarithmic axis can hold it."""
    return 1 / LARGEST <= value <= LARGEST

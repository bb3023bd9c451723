"""What the machine allows: its measured limits, and every recipe and layer beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from reports.read.load import Evidence
from reports.tell.benchmarks import of_kind, rate, usable

Points = Iterator[tuple[tuple[str, str], dict[str, Any]]]


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


def _recipe_points(evidence: Evidence) -> Points:
    for place, _, item in of_kind(evidence, "training"):
        extra, reached = item.extra, rate(item)
        flop, moved = extra["flop_per_example"], extra["bytes_per_example"]
        if flop and moved and reached:
            point = _point("recipe", extra["recipe"], flop, moved, 1 / reached)
            yield (place.id, extra["device"]), {**point, "dtype": extra.get("dtype"), "what": "steps"}


def _layer_points(evidence: Evidence) -> Points:
    for place, _, item in of_kind(evidence, "layer"):
        extra = item.extra
        point = _point("layer", short_name(extra["layer_name"]), extra["flop"], extra["bytes"], item.median)
        yield (place.id, extra["device"]), {**point, "dtype": "float32", "what": extra["direction"]}


def _point(kind: str, name: str, flop: float, moved: float, seconds: float) -> dict[str, Any]:
    return {"kind": kind, "name": name, "flop": flop, "bytes": moved, "seconds": seconds, "intensity": flop / moved}


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

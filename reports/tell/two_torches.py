"""Two torches timed in one run: which calls take longer in the newer, and how often one torch differs from itself.

Slower is said only where the interval of the ratio lies beyond the interval of the older torch to itself, the p-value,
corrected for the number of calls, is below 5 %, and the machine was not busy.
"""

from __future__ import annotations

from typing import Any

from reports.read.benchmarks import Benchmark
from reports.read.load import Evidence
from reports.tell.benchmarks import of_kind
from reports.tell.noise_floor import NO_DIFFERENCE, NOT_JUDGED, side

FALSE_DISCOVERIES = 0.05


def compared(evidence: Evidence) -> list[dict[str, Any]]:
    """A group for each environment and pair of torches: its calls, the slowest first, and how many of each word."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for place, _, item in of_kind(evidence, "versions"):
        found.setdefault((place.id, item.extra["older"], item.extra["newer"]), []).append(_row(item))
    return [
        {
            "environment": place,
            "older": older,
            "newer": newer,
            "rows": sorted(rows, key=lambda row: -row["ratio"]["median"]),
            "words": {word: sum(row["word"] == word for row in rows) for word in ("slower", "faster", NO_DIFFERENCE)},
        }
        for (place, older, newer), rows in found.items()
    ]


def nulls(evidence: Evidence) -> list[dict[str, Any]]:
    """What came of timing one torch beside itself."""
    keys = ("runs", "wrong_runs", "calls", "wrong_calls")
    return [
        {"environment": place.id, **{key: item.extra[key] for key in keys}}
        for place, _, item in of_kind(evidence, "null")
    ]


def word(item: Benchmark) -> str:
    """How the newer torch stands to the older in one call.

    >>> about = {"over_older": {"low": 1.3, "median": 1.4, "high": 1.5}, "null": {"low": 0.9, "median": 1, "high": 1.2}}
    >>> [word(Benchmark("", "", "versions", (), (1.0,), {**about, "p": p})) for p in (0.01, 0.2)]
    ['slower', 'no difference shown']
    """
    extra = item.extra
    if item.warning:
        return NOT_JUDGED
    floor = max(abs(extra["null"]["low"] - 1), abs(extra["null"]["high"] - 1))
    beyond = side(extra["over_older"]["low"], extra["over_older"]["high"], floor)
    return {1: "slower", -1: "faster"}.get(beyond if extra["p"] < FALSE_DISCOVERIES else 0, NO_DIFFERENCE)


def told(item: Benchmark) -> str:
    """A call and its ratio, in a line."""
    extra, ratio = item.extra, item.extra["over_older"]
    call = " ".join(dict.fromkeys(extra[key] for key in ("network", "layer_name", "direction", "dtype")))
    return (
        f"{call}: {ratio['median']:.3f} × the time in torch {extra['newer']} as in {extra['older']}, "
        f"95 % interval {ratio['low']:.3f} to {ratio['high']:.3f}, corrected p {extra['p']:.2g}"
    )


def _row(item: Benchmark) -> dict[str, Any]:
    keys = ("network", "layer_name", "direction", "dtype", "null", "p")
    return {**{key: item.extra[key] for key in keys}, "ratio": item.extra["over_older"], "word": word(item)}

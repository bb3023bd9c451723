"""A benchmark as pytest-benchmark recorded it, read with nothing taken on trust."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from reports.read.records import feature_maps, worker
from reports.read.untrusted import (
    Record,
    Unusable,
    clean,
    count,
    number,
    numbers,
    optional,
    record,
    string,
    strings,
    text,
)

MOST_PHASES = 12
LARGEST = 10**18  # FLOP a second of a device; its inverse is the least that counts as positive
CURVES = ("loss", "train_acc", "test_acc")


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: its raw samples in seconds, and what it says of itself."""

    name: str
    fullname: str
    kind: str
    systems: tuple[str, ...]
    samples: tuple[float, ...]
    extra: dict[str, Any]

    @classmethod
    def read(cls, entry: Record) -> Benchmark:
        """Raises `Unusable` where a part that the report needs is missing."""
        name = string(entry, "name")
        extra = record(entry.get("extra_info"), f"extra_info of {name}")
        samples = numbers(record(entry.get("stats"), f"stats of {name}").get("data"), f"stats.data of {name}")
        if min(samples) <= 0:
            raise Unusable(f"stats.data of {name} holds a time that is not positive")
        kind = string(extra, "kind", "other")
        cleaned = clean({key: value for key, value in extra.items() if key != "feature_maps"})
        if kind == "worker":
            cleaned |= worker(extra)
        for key, check in (_ALWAYS | _NEEDED.get(kind, {})).items():
            cleaned[key] = check(extra, key)
        return cls(name, string(entry, "fullname", name), kind, strings(extra, "systems"), tuple(samples), cleaned)

    @property
    def median(self) -> float:
        """Median of the samples, in seconds."""
        return median(self.samples)

    @property
    def bundled(self) -> bool:
        """It ran on the bundled sample, whose figures say nothing of the real data set."""
        return "bundled" in str(self.extra.get("dataset", "")).lower()

    @property
    def warning(self) -> str | None:
        """What it says of a machine that was busy with something else."""
        return (self.extra.get("conditions") or {}).get("warning")


def _rates(extra: Record, key: str) -> list[float]:
    rates = numbers(extra.get(key), key)
    if min(rates) <= 0:
        raise Unusable(f"{key} holds a rate that is not positive")
    return rates


def _history(extra: Record, key: str) -> list[dict[str, float]]:
    points = extra.get(key)
    if not isinstance(points, list) or not points:
        raise Unusable(f"{key} is not a list of points")
    return [
        {name: number(value, name) for name, value in record(point, key).items() if name in ("epoch", *CURVES)}
        for point in points[:10_000]
    ]


def _final(extra: Record, key: str) -> dict[str, float]:
    final = record(extra.get(key), key)
    return {name: number(final.get(name), name) for name in (*CURVES, "examples_per_second")}


def _share(extra: Record, key: str) -> float:
    value = number(extra.get(key), key)
    if value < 0:
        raise Unusable(f"{key} is negative")
    return value


def _positive(extra: Record, key: str) -> float:
    value = number(extra.get(key), key, LARGEST)
    if value < 1 / LARGEST:
        raise Unusable(f"{key} is not positive")
    return value


def _ratio(extra: Record, key: str) -> dict[str, float]:
    """A median and its interval, all positive and in order."""
    given = record(extra.get(key), key)
    found = {part: _positive(given, part) for part in ("low", "median", "high")}
    if not found["low"] <= found["median"] <= found["high"]:
        raise Unusable(f"{key} has a median outside its interval")
    return found


def _conditions(extra: Record, key: str) -> dict[str, Any]:
    given = record(extra.get(key), key)
    others = None if given.get("others_share") is None else _share(given, "others_share")
    plain = {name: clean(given.get(name)) for name in ("cores", "governor", "load_average")}
    return {**plain, "others_share": others, "warning": optional(given, "warning")}


def _phases(extra: Record, key: str) -> dict[str, list[float]]:
    given = record(extra.get(key), key)
    if not 0 < len(given) <= MOST_PHASES:
        raise Unusable(f"{key} does not name 1 to {MOST_PHASES} phases")
    found = {text(str(name), 40): numbers(seconds, name) for name, seconds in given.items()}
    if any(min(seconds) < 0 for seconds in found.values()):
        raise Unusable(f"{key} holds a negative time")
    return found


def _maybe(check: Callable[[Record, str], Any]) -> Callable[[Record, str], Any]:
    """What may be missing; what is there must be right."""
    return lambda extra, key: None if extra.get(key) is None else check(extra, key)


_ALWAYS: dict[str, Callable[[Record, str], Any]] = {"conditions": _maybe(_conditions)}
_PLACE: dict[str, Callable[[Record, str], Any]] = {"device": string}
_WORK = dict.fromkeys(("flop_per_example", "bytes_per_example"), _maybe(_positive))
_LIMITS = dict.fromkeys(("peak_flop_per_second", "copy_bytes_per_second", "peak_memory_bytes"), _maybe(_positive))
_NEEDED: dict[str, dict[str, Callable[[Record, str], Any]]] = {
    "training": {
        **_PLACE,
        "recipe": string,
        "dataset": string,
        "examples_per_second": _rates,
        "over_book": _maybe(_ratio),
        "noise_floor": _maybe(_share),
        "other": _maybe(string),
        "dtype": _maybe(string),
        "prepare_seconds": _maybe(_positive),
        **_WORK,
        **_LIMITS,
    },
    "ten-epochs": {
        **_PLACE,
        "recipe": string,
        "dataset": string,
        "history": _history,
        "final": _final,
        "seed": _maybe(count),
        "feature_maps": _maybe(lambda extra, key: feature_maps(record(extra[key], key))),
    },
    "reference": {"operation": string, "implementation": string, "shape": string},
    "machine": {**_PLACE, "what": string, "flop": _maybe(_positive), "bytes": _maybe(_positive)},
    "layer": {**_PLACE, "layer_name": string, "direction": string, "flop": count, "bytes": _positive},
    "phases": {**_PLACE, "recipe": string, "phases": _phases},
    "growth": {**_PLACE, "axis": string, "value": _positive, "examples_per_round": _positive},
    "distributed": {
        "scaling": string,
        "world_size": _positive,
        "speedup": _ratio,
        "efficiency": _positive,
    },
    "peer": {"library": string, "recipe": string, "over_book": _ratio},
    "epoch": {**_PLACE, "recipe": string, "over_book": _ratio, "other": _maybe(string)},
}

"""A benchmark as pytest-benchmark recorded it, read with nothing taken on trust."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from reports.records import worker
from reports.untrusted import Record, Unusable, clean, number, numbers, record, string, strings

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
        cleaned = clean(extra)
        if kind == "worker":
            cleaned |= worker(extra)
        for key, check in _NEEDED.get(kind, {}).items():
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


_NEEDED: dict[str, dict[str, Callable[[Record, str], Any]]] = {
    "training": {"recipe": string, "device": string, "dataset": string, "examples_per_second": _rates},
    "ten-epochs": {"recipe": string, "device": string, "dataset": string, "history": _history, "final": _final},
    "reference": {"operation": string, "implementation": string, "shape": string},
}

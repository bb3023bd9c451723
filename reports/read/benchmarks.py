"""A benchmark as pytest-benchmark recorded it, in the form that the schema gives its kind."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from reports.read import records, schema
from reports.read.untrusted import Record, Unusable, clean, texts


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
        schema.check(entry, "benchmark")
        own, extra = schema.taken(entry, "benchmark"), entry["extra_info"]
        form = schema.form_of(extra.get("kind"), "extra_info")
        known = own["extra_info"] | (schema.taken(extra, form) if form else {})
        if form == "worker":
            records.worker(known)
        if known.get("feature_maps"):
            records.feature_maps(known["feature_maps"])
        _in_order(known)
        return cls(
            own["name"],
            own["fullname"] or own["name"],
            known["kind"] or "other",
            texts(known["systems"]),
            tuple(own["stats"]["data"]),
            clean(extra) | known,
        )

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


def _in_order(extra: Record) -> None:
    for key in ("over_book", "speedup"):
        ratio = extra.get(key)
        if ratio and not ratio["low"] <= ratio["median"] <= ratio["high"]:
            raise Unusable(f"{key} has a median outside its interval")

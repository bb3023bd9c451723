"""The three kinds of record that evidence holds, each read with nothing taken on trust."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from reports.untrusted import Record, Unusable, clean, count, number, numbers, optional, record, string, strings

STATUSES = ("diverged", "error", "known", "vacuous", "passed", "not run")  # the worst first
LARGEST_GRID = 32
CURVES = ("loss", "train_acc", "test_acc")


@dataclass(frozen=True)
class Result:
    """One law × operator × subject; ``worst_share`` is the largest error found, as a share of its bound."""

    law: str
    title: str
    operator: str
    subject: str
    device: str
    dtype: str
    systems: tuple[str, ...]
    status: str
    reason: str | None
    cases: int
    comparisons: int
    exact: int
    bounded: int
    vacuous: int
    worst_share: float | None
    worst_case: str | None
    message: str | None
    test: str
    seconds: float | None

    @classmethod
    def read(cls, line: Record) -> tuple[Result, list[str]]:
        """The row, and remarks on what in it could not be taken as it stands; raises `Unusable`."""
        status = string(line, "status")
        if status not in STATUSES:
            raise Unusable(f"status is {status[:40]!r}, none of {', '.join(STATUSES)}")
        law = string(line, "law")
        share = _share(line.get("worst_share"))
        row = cls(
            law,
            string(line, "title", law),
            string(line, "operator"),
            string(line, "subject"),
            string(line, "device", "-"),
            string(line, "dtype", "-"),
            strings(line, "systems"),
            status,
            optional(line, "reason"),
            count(line, "cases"),
            count(line, "comparisons"),
            count(line, "exact"),
            count(line, "bounded"),
            count(line, "vacuous"),
            None if share is None or not math.isfinite(share) else share,
            optional(line, "worst_case"),
            optional(line, "message"),
            string(line, "test", "-"),
            None if line.get("seconds") is None else number(line["seconds"], "seconds"),
        )
        return row._checked(share)

    def _checked(self, share: float | None) -> tuple[Result, list[str]]:
        """A pass that its own numbers do not bear out is not shown as one."""
        if self.status == "passed" and share is not None and not share <= 1:
            reason = f"recorded as passed with a worst error of {share:.3g} times its bound"
            return replace(self, status="error", reason=reason), [reason]
        if self.status == "passed" and self.cases == 0:
            reason = "recorded as passed without a single case"
            return replace(self, status="vacuous", reason=reason), [reason]
        if share is not None and self.worst_share is None:
            return self, [f"worst_share is {share}; shown as none"]
        return self, []


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


@dataclass(frozen=True)
class Figure:
    """Data of one picture, checked to be drawable."""

    name: str
    subject: str
    data: dict[str, Any]

    @classmethod
    def read(cls, line: Record) -> Figure:
        """Raises `Unusable` where the data cannot be drawn. A picture of another name is kept, and not drawn."""
        name, data = string(line, "name"), record(line.get("data"), "data")
        if name == "edge-detection":
            checked: dict[str, Any] = {
                key: _grid(data, key) for key in ("image", "kernel", "output", "transposed_output")
            }
        elif name == "kernel-learning":
            checked = {"loss": numbers(data.get("loss"), "loss"), "weight": _grid(data, "weight")}
            if len(checked["loss"]) != len(checked["weight"]):
                raise Unusable("loss and weight differ in length")
        else:
            checked = clean(data)
        return cls(name, string(line, "subject", "-"), checked)


def _share(value: object) -> float | None:
    """Error ÷ bound, which may be infinite (a bound of 0) or NaN; raises `Unusable` if it is no number or negative."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise Unusable("worst_share is neither null nor a number from 0 on")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _grid(data: Record, key: str) -> list[list[float]]:
    rows = data.get(key)
    if not isinstance(rows, list) or not 0 < len(rows) <= LARGEST_GRID:
        raise Unusable(f"{key} is not a list of 1 to {LARGEST_GRID} rows")
    grid = [numbers(row, key) for row in rows]
    if len({len(row) for row in grid}) != 1 or len(grid[0]) > LARGEST_GRID:
        raise Unusable(f"{key} is not a grid of at most {LARGEST_GRID} columns")
    return grid


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

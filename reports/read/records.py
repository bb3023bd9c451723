"""The kinds of line that a run's evidence holds, each read with nothing taken on trust."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from reports.read.untrusted import Record, Unusable, clean, count, number, numbers, optional, record, string, strings

STATUSES = ("diverged", "error", "known", "vacuous", "passed", "not run")  # the worst first
FAILED = ("diverged", "error")
LARGEST_GRID = 32
MOST_MAPS = 64  # of a layer, and layers of a network
WORKER_TIMES = ("restart_ms", "call_overhead_ms", "cases_per_second")
WORKER_SHARES = ("drawing", "reference", "comparison", "transport", "torch")


Check = tuple[str, str, str, str]
"""Law, operator, subject, and the parameters of the test, which tell several tests of the same three apart."""


class Result(NamedTuple):
    """One law × operator × subject; ``worst_share`` is the largest error found, as a share of its bound.

    A named tuple and not a dataclass: a run has a hundred thousand of them.
    """

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
    known: int
    comparisons: int
    exact: int
    bounded: int
    vacuous: int
    worst_share: float | None
    worst_case: str | None
    message: str | None
    severity: str | None
    repro: str | None
    upstream: str | None
    test: str
    seconds: float | None
    raised: tuple[str, ...] = ()
    compilations: int = 0

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
            count(line, "known"),
            count(line, "comparisons"),
            count(line, "exact"),
            count(line, "bounded"),
            count(line, "vacuous"),
            None if share is None or not math.isfinite(share) else share,
            optional(line, "worst_case"),
            optional(line, "message"),
            optional(line, "severity"),
            optional(line, "repro"),
            optional(line, "upstream"),
            string(line, "test", "-"),
            None if line.get("seconds") is None else number(line["seconds"], "seconds"),
            strings(line, "raised"),
            count(line, "compilations"),
        )
        return row._checked(share)

    @property
    def check(self) -> Check:
        """What was checked: equal for the rows of two runs on the same, whatever file the test is in."""
        return (self.law, self.operator, self.subject, self.test.partition("[")[2].removesuffix("]"))

    @property
    def named(self) -> str:
        """The law, with the test's parameters where law, operator and subject do not name the check."""
        law, operator, subject, parameters = self.check
        usual = {"-".join(name for name in names if name != "-") for names in ((operator, subject), (subject,), ())}
        return law if parameters in usual else f"{law} [{parameters}]"

    def _checked(self, share: float | None) -> tuple[Result, list[str]]:
        """A pass that its own numbers do not bear out is not shown as one."""
        if self.status == "passed" and share is not None and not share <= 1:
            reason = f"recorded as passed with a worst error of {share:.3g} times its bound"
            return self._replace(status="error", reason=reason), [reason]
        if self.status == "passed" and self.cases == 0:
            reason = "recorded as passed without a single case"
            return self._replace(status="vacuous", reason=reason), [reason]
        if share is not None and self.worst_share is None:
            return self, [f"worst_share is {share}; shown as none"]
        return self, []


@dataclass(frozen=True)
class Fault:
    """One planted fault, or one correct kernel in an unusual order (``correct``), on one subject.

    ``caught`` says that the suite raised the alarm: right for a fault, a false alarm for a correct kernel.
    """

    name: str
    law: str
    operator: str
    subject: str
    caught: bool
    cases: int | None
    correct: bool
    message: str | None

    @classmethod
    def read(cls, line: Record) -> Fault:
        """Raises `Unusable` where a part that the report needs is missing."""
        return cls(
            string(line, "name"),
            string(line, "law", "-"),
            string(line, "operator", "-"),
            string(line, "subject", "-"),
            _flag(line, "caught"),
            None if line.get("cases") is None else count(line, "cases"),
            line.get("correct") is not None and _flag(line, "correct"),
            optional(line, "message"),
        )


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
        return cls(name, string(line, "subject", "-"), _FIGURES.get(name, clean)(data))


def worker(data: Record) -> dict[str, Any]:
    """What running torch in workers costs; each number may be missing, not all; raises `Unusable`."""
    shares = record(data.get("shares") or {}, "shares")
    found: dict[str, Any] = {key: number(data[key], key) for key in WORKER_TIMES if data.get(key) is not None}
    found["shares"] = {key: number(shares[key], key) for key in WORKER_SHARES if shares.get(key) is not None}
    if any(not 0 <= value <= 1 for value in found["shares"].values()):
        raise Unusable("shares holds a share outside 0 to 1")
    if len(found) == 1 and not found["shares"]:
        raise Unusable(f"a worker's figures name none of {', '.join(WORKER_TIMES)} and no share")
    return found


def _edge_detection(data: Record) -> dict[str, Any]:
    return {key: _grid(data, key) for key in ("image", "kernel", "output", "transposed_output")}


def _kernel_learning(data: Record) -> dict[str, Any]:
    checked: dict[str, Any] = {"loss": numbers(data.get("loss"), "loss"), "weight": _grid(data, "weight")}
    if len(checked["loss"]) != len(checked["weight"]):
        raise Unusable("loss and weight differ in length")
    return checked


def feature_maps(data: Record) -> dict[str, Any]:
    """A network's activations of one image in shades from 0 to 255, layer by layer; raises `Unusable`."""
    layers = [record(layer, "a layer") for layer in _few(data, "layers")]
    return {"image": _shades(data, "image"), "label": string(data, "label"), "layers": [_layer(own) for own in layers]}


def _layer(data: Record) -> dict[str, Any]:
    maps = [_shades({"maps": tile}, "maps") for tile in _few(data, "maps")]
    if len({(len(tile), len(tile[0])) for tile in maps}) != 1:
        raise Unusable("maps of a layer differ in size")
    shape = [count({"shape": size}, "shape") for size in _few(data, "shape")]
    ends = {key: number(data.get(key), key) for key in ("low", "high")}
    return {"name": string(data, "name"), "shape": shape, **ends, "maps": maps}


def _receptive_field(data: Record) -> dict[str, Any]:
    units = []
    for unit in _few(data, "units"):
        own = record(unit, "a unit")
        units.append({"name": string(own, "name"), "field": count(own, "field"), "gradient": _shades(own, "gradient")})
    return {"image": _shades(data, "image"), "units": units}


def _few(data: Record, key: str) -> list[Any]:
    values = data.get(key)
    if not isinstance(values, list) or not 0 < len(values) <= MOST_MAPS:
        raise Unusable(f"{key} is not a list of 1 to {MOST_MAPS}")
    return values


def _shades(data: Record, key: str) -> list[list[int]]:
    grid = _grid(data, key)
    if any(not 0 <= value <= 255 for row in grid for value in row):
        raise Unusable(f"{key} holds a shade outside 0 to 255")
    return [[int(value) for value in row] for row in grid]


def _accumulators(data: Record) -> dict[str, Any]:
    share = _share(data.get("worst_share"))
    names = {key: string(data, key) for key in ("operator", "storage", "accumulator")}
    finite = None if share is None or not math.isfinite(share) else share
    return {**names, "direction": string(data, "direction", "forward"), "worst_share": finite}


_FIGURES: dict[str, Callable[[Record], dict[str, Any]]] = {
    "edge-detection": _edge_detection,
    "kernel-learning": _kernel_learning,
    "feature-maps": feature_maps,
    "receptive-field": _receptive_field,
    "accumulators": _accumulators,
    "worker": worker,
}


def _flag(source: Record, key: str) -> bool:
    """True or false under ``key``."""
    value = source.get(key)
    if not isinstance(value, bool):
        raise Unusable(f"{key} is neither true nor false")
    return value


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

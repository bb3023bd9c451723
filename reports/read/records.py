"""The kinds of line that a run's evidence holds, each in the form that its schema gives it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from sys import intern
from typing import Any, NamedTuple

from reports.read import schema
from reports.read.schema import FORMS
from reports.read.untrusted import LARGEST, Record, Unusable, text, texts

STATUSES = tuple(FORMS["status"]["enum"])  # the worst first
FAILED = ("diverged", "error")
WORKER_TIMES = ("restart_ms", "call_overhead_ms", "cases_per_second")
WORKER_SHARES = tuple(FORMS["worker"]["properties"]["shares"]["properties"])

Check = tuple[str, str, str, str]
"""Law, operator, subject, and the parameters of the test, which tell several tests of the same three apart."""


class Result(NamedTuple):
    """One law × operator × subject; ``worst_share`` is the largest error found, as a share of its bound.

    The fields are those of the schema's ``result``. A named tuple and not a dataclass: a run has a hundred thousand.
    """

    law: str
    title: str
    operator: str
    family: str | None
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
    diagnosis: str | None
    severity: str | None
    repro: str | None
    upstream: str | None
    test: str
    seconds: float | None
    raised: tuple[str, ...]
    compilations: int
    pairs: int
    pairs_met: int
    explained: tuple[str, ...]

    @classmethod
    def read(cls, line: Record) -> tuple[Result, list[str]]:
        """The row, and remarks on what in it could not be taken as it stands; raises `Unusable`."""
        line, share = _finite_share(line)
        values = [line.get(name, default) for name, default, _ in _FIELDS]
        if not all(plain(value) for value, (_, _, plain) in zip(values, _FIELDS, strict=True)):
            schema.check(line, "result")
        row = cls._make(map(_taken, values))
        return (row if row.title else row._replace(title=row.law))._checked(share)

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
        schema.check(line, "fault")
        return cls(**schema.taken(line, "fault"))


@dataclass(frozen=True)
class Figure:
    """Data of one picture, checked to be drawable."""

    name: str
    subject: str
    data: dict[str, Any]

    @classmethod
    def read(cls, line: Record) -> Figure:
        """Raises `Unusable` where the data cannot be drawn. A picture of another name is kept, and not drawn."""
        data = line.get("data")
        line = {**line, "data": _finite_share(data)[0]} if isinstance(data, dict) else line
        schema.check(line, "figure")
        own, form = schema.taken(line, "figure"), schema.form_of(line["name"], "figure")
        if form:
            own["data"] = schema.taken(line["data"], form)
            _DRAWABLE.get(form, _anything)(own["data"])
        return cls(**own)


def worker(data: dict[str, Any]) -> None:
    """Raise `Unusable` if what should say what workers cost has no number; leave out the shares that are none."""
    data["shares"] = {key: share for key, share in (data["shares"] or {}).items() if share is not None}
    if not data["shares"] and all(data[key] is None for key in WORKER_TIMES):
        raise Unusable(f"a worker's figures name none of {', '.join(WORKER_TIMES)} and no share")


def feature_maps(data: Record) -> None:
    """Raise `Unusable` unless the image and every layer's maps can be drawn side by side."""
    rectangular(data["image"], "image")
    for layer in data["layers"]:
        for tile in layer["maps"]:
            rectangular(tile, "maps")
        if len(set(map(_size, layer["maps"]))) != 1:
            raise Unusable("maps of a layer differ in size")


def rectangular(rows: list[list[Any]], name: str) -> None:
    """Raise `Unusable` unless all rows are as long as the first."""
    if len({len(row) for row in rows}) != 1:
        raise Unusable(f"{name} is not a grid: its rows differ in length")


def _edge_detection(data: Record) -> None:
    for name in FORMS["edge_detection"]["required"]:
        rectangular(data[name], name)


def _kernel_learning(data: Record) -> None:
    rectangular(data["weight"], "weight")
    if len(data["loss"]) != len(data["weight"]):
        raise Unusable("loss and weight differ in length")


def _diagnosis(data: Record) -> None:
    if data["plane"] is not None:
        rectangular(data["plane"], "plane")


def _receptive_field(data: Record) -> None:
    rectangular(data["image"], "image")
    for unit in data["units"]:
        rectangular(unit["gradient"], "gradient")
        if _size(unit["gradient"]) != _size(data["image"]):
            raise Unusable("image and gradient differ in size")


def _size(grid: list[list[Any]]) -> tuple[int, int]:
    return len(grid), len(grid[0])


def _anything(_: Record) -> None:
    """Of other pictures the schema says all."""


_DRAWABLE: dict[str, Callable[[dict[str, Any]], None]] = {
    "edge_detection": _edge_detection,
    "kernel_learning": _kernel_learning,
    "feature_maps": feature_maps,
    "receptive_field": _receptive_field,
    "diagnosis": _diagnosis,
    "worker": worker,
}
"""What a schema cannot say of a picture's data."""


def _finite_share(line: Record) -> tuple[Record, float | None]:
    """The record without a ``worst_share`` that is infinite (of a bound of 0) or NaN, and what it was."""
    share = line.get("worst_share")
    if isinstance(share, int):
        share = math.inf if share > LARGEST else share
    if isinstance(share, float) and not math.isfinite(share) and not share < 0:
        return {**line, "worst_share": None}, share
    return line, share


def _taken(value: Any) -> Any:
    """A value of a line, safe to store; the same few names in every row are kept once."""
    if isinstance(value, str):
        return intern(text(value))
    return texts(value) if isinstance(value, list) else value


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str) and value != "",
    "text_or_null": lambda value: value is None or (isinstance(value, str) and value != ""),
    "texts": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "count": lambda value: type(value) is int and 0 <= value <= 10**12,
    "number_or_null": lambda value: value is None or (type(value) in (int, float) and -1e12 <= value <= 1e12),
    "error_share": lambda value: value is None or (type(value) in (int, float) and 0 <= value < math.inf),
    "status": lambda value: isinstance(value, str) and value in STATUSES,
}
"""What plainly has a form: to ask jsonschema of each of 20,000 rows would take longer than all else of a build."""

_FIELDS = [
    (name, rule.get("default"), _PLAIN[schema.named(rule)])
    for name in Result._fields
    if (rule := FORMS["result"]["properties"][name])
]

"""The kinds of line that a run's evidence holds, each in the form that its schema gives it."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from sys import intern
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

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
        try:
            return cls.taken(msgspec.convert(line, ResultLine), share)
        except msgspec.ValidationError:
            schema.check(line, "result")
            raise Unusable("the line is no result") from None

    @classmethod
    def taken(cls, line: Any, share: float | None) -> tuple[Result, list[str]]:
        """The same of a line that has its form; ``share`` is its worst share as it was written."""
        row = cls._make([_taken(getattr(line, name)) for name in cls._fields])
        return (row if row.title else row._replace(title=row.law))._checked(share)

    @classmethod
    def unfolded(cls, entry: Record) -> Iterator[Result]:
        """The checks of an entry of ``folded`` in a results.json; raises `Unusable`."""
        try:
            own = msgspec.convert(entry, _Folded)
        except msgspec.ValidationError as error:
            raise Unusable(f"what is folded has not its form ({error})") from None
        for subject, (cases, known) in own.checks.items():
            about = {"law": own.law, "operator": own.operator, "status": own.status, "reason": own.reason}
            test = f"[{own.parameters}-{subject}]"
            yield cls.taken(ResultLine(**about, subject=subject, test=test, cases=cases, known=known), None)[0]

    @property
    def check(self) -> Check:
        """What was checked: equal for the rows of two runs on the same, whatever file the test is in."""
        return (self.law, self.operator, self.subject, parameters(self.test))

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


def parameters(test: str) -> str:
    """What tells apart the tests of one function, of pytest's id of one.

    >>> parameters("properties/laws/test_agreement.py::test_agreement[conv2d-cpu-float32]")
    'conv2d-cpu-float32'
    """
    return test.partition("[")[2].removesuffix("]")


def plain_figure(line: bytes, drawn: Container[str]) -> Figure | None:
    """The figure of a line that plainly is one, without data if its name is in ``drawn``; None of any other."""
    try:
        own = _FIGURES.decode(line)
        if own.name in drawn:
            return Figure(own.name, own.subject, {})
        flat = _flat(schema.form_of(own.name, "figure"))
        data = flat and msgspec.json.decode(own.data, type=flat)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if data is None:
        return None
    return Figure(
        text(own.name), text(own.subject), {name: _taken(getattr(data, name)) for name in data.__struct_fields__}
    )


def decoded(line: bytes, counts: bool = False) -> Any | None:
    """A line that plainly is a result, as a ``ResultLine`` whose texts are not yet safe; None of any other.

    With ``counts`` it has COUNTED alone.
    """
    try:
        return (_COUNTS if counts else _RESULTS).decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _taken(value: Any) -> Any:
    """A value of a line, safe to store; the same few names in every row are kept once."""
    if isinstance(value, str):
        return intern(text(value))
    return texts(value) if isinstance(value, tuple) else value


Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]
Status: Any = Literal[STATUSES]
_TYPES: dict[str, Any] = {
    "text": Text,
    "text_or_null": Text | None,
    "texts": tuple[str, ...],
    "count": Count,
    "number_or_null": Number | None,
    "error_share": Annotated[float, Meta(ge=0)] | None,
    "status": Status,
}
"""The schema's forms as types: to ask jsonschema of each of 20,000 rows would take longer than all else of a build."""


def _field(form: str, name: str) -> tuple[Any, ...]:
    rule = FORMS[form]["properties"][name]
    own = (name, _TYPES[schema.named(rule)])
    if name in FORMS[form]["required"]:
        return own
    default = rule.get("default")
    return (*own, () if default == [] else default)


def _line(names: Iterable[str]) -> Any:
    fields = [*(_field("result", name) for name in names), ("kind", Literal["result"], "result")]
    return msgspec.defstruct("ResultLine", fields, kw_only=True, frozen=True, gc=False)


@cache
def _flat(form: str | None) -> Any | None:
    """A form as a type; None where it has more than texts and numbers."""
    rules = FORMS[form]["properties"] if form else {}
    if not rules or not all(
        "$ref" in rule and schema.named(rule) in _TYPES.keys() - {"texts"} for rule in rules.values()
    ):
        return None
    return msgspec.defstruct(str(form), [_field(str(form), name) for name in rules], kw_only=True, frozen=True)


NAMES = ("law", "operator", "family", "subject", "dtype", "systems", "status", "reason", "explained")
COUNTS = ("cases", "known", "exact", "bounded", "pairs", "pairs_met")
COUNTED = (*NAMES, *COUNTS, "worst_share")
"""What is kept of a check of which counts alone are kept."""

ResultLine = _line(Result._fields)
"""A result's line as its schema says it."""

_RESULTS = msgspec.json.Decoder(ResultLine)
_COUNTS = msgspec.json.Decoder(_line((*COUNTED, "test")))


class _Folded(msgspec.Struct):
    """Checks of one operator under one law of which counts alone were kept: cases and known cases by subject."""

    law: Text
    operator: Text
    parameters: Text
    status: Status
    checks: dict[str, tuple[Count, Count]]
    reason: Text | None = None


class _FigureLine(msgspec.Struct):
    """A line of numbers behind a picture, which are not read yet."""

    name: Text
    data: msgspec.Raw
    kind: Literal["figure"]
    subject: Text = "-"


_FIGURES = msgspec.json.Decoder(_FigureLine)

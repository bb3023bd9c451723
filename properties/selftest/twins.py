"""Twins of the ledger's entries: where else a defect may show, since the code is shared or alike.

A twin is another operator (the transposed one, another number of axes, another pooling) or another dtype of the same
width or kind. An entry's example is translated to it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from properties.cases.case import Case, Geometry, in_format
from properties.edges.special_values import Special
from properties.engine.law import every
from properties.ledger.record import Divergence
from properties.operators import CATALOGUE, Operator, operator
from properties.operators.constraints import Invalid
from properties.subjects import FLOATS, INTEGERS, SIXTEEN_BITS, Subject
from refimpl.geometry import convolution_output, effective_kernel, transposed_output

HERE = "this processor"
"""The twin of an entry that is about others."""
NEUTRAL = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0, "output_size": 1}
"""What an axis of one element has that is as if it were not there."""
KINDS = (INTEGERS, SIXTEEN_BITS, FLOATS[:2])
"""Dtypes that share kernels' templates."""


@dataclass(frozen=True)
class Twin:
    """Where else an entry's example is tried: a name, and the operator, subject and case that it becomes there."""

    name: str
    operator: Operator
    subject: Subject
    case: Case


def twins_of(entry: Divergence) -> Iterator[Twin]:
    """The twins to which an entry's example can be translated, of laws that speak of them, in eager mode here."""
    law, own = every()[entry.law], operator(entry.operator)
    if (place := _place(entry)) is None:
        return
    found = [] if entry.shows(place) else [Twin(HERE, own, place, entry.example)]
    if place.device == "cpu":
        same: tuple[str, ...] = next((kind for kind in KINDS if place.dtype in kind), ())
        if isinstance(entry.example, Special):  # sums that bfloat16 does not hold float32 does not either
            same = tuple(dtype for dtype in same if dtype != "bfloat16")
        found += [Twin(dtype, own, replace(place, dtype=dtype), entry.example)
                  for dtype in same if dtype not in entry.dtypes]  # fmt: skip
    for other in CATALOGUE:
        if other.name not in entry.operators and (case := translated(entry.example, own, other)) is not None:
            found.append(Twin(other.name, other, place, case))
    yield from (twin for twin in found if twin.operator in law.operators and law.includes(twin.operator, twin.subject))


def _place(entry: Divergence) -> Subject | None:
    """A subject on which an entry shows, be it on another processor."""
    subjects = (Subject(device, dtype) for device in ("cpu", "meta") for dtype in entry.dtypes)
    eager = "eager" in entry.modes
    return next((s for s in subjects if eager and s.device in entry.devices and not s.absence), None)


def translated(case: Case, own: Operator, other: Operator) -> Case | None:
    """A case of one operator as one of another with which it shares code; None if there is none."""
    if isinstance(case, Invalid) and case.violated not in [rule.name for rule in other.constraints]:
        return None
    (family, axes), (others, wanted) = _family(own), _family(other)
    turns = AS_IT_IS if isinstance(case, Invalid) else TURNS
    turn = turns.get((family, others)) if axes == wanted else None
    try:
        made = _with_axes(case, axes, wanted) if family == others else turn(case, axes) if turn else None
    except (ValueError, ZeroDivisionError):  # arguments that make no output
        return None
    if made is None:
        return None
    shapes, arguments = made
    layouts = {n: in_format(kind, shapes.get(n)) for n, kind in case.setting.layouts.items()} if case.setting else {}
    setting = replace(case.setting, layouts=layouts) if case.setting else None
    return replace(case, shapes=shapes, arguments=arguments, setting=setting)


def _family(operator: Operator) -> tuple[str, int]:
    """An operator's name without its number of axes, and that number."""
    name = operator.name
    for axes in (1, 2, 3):
        name = name.replace(f"{axes}d", "")
    return name, operator.axes


def _with_axes(case: Case, axes: int, wanted: int) -> Geometry | None:
    """The same shapes and arguments with axes of one element more, or without such axes."""
    if axes == wanted:
        return None
    numbers = {name: value for name, value in case.arguments.items() if name in NEUTRAL and isinstance(value, tuple)}
    kernels = ["weight"] if "weight" in case.shapes else []
    if wanted > axes:
        more = wanted - axes
        shapes = {n: s if n == "bias" else (*s[: len(s) - axes], *(1,) * more, *s[len(s) - axes :])
                  for n, s in case.shapes.items()}  # fmt: skip
        given = {name: (*(NEUTRAL[name],) * more, *value) for name, value in numbers.items()}
        return shapes, {**case.arguments, **given}
    less = axes - wanted
    of_axes = [case.shapes[name][-axes:][:less] for name in ("input", *kernels)]
    plain = all(set(sizes) == {1} for sizes in of_axes)
    steps = [(name, value[:less]) for name, value in numbers.items() if name != "stride"]
    if not plain or any(set(values) != {NEUTRAL[name]} for name, values in steps):
        return None
    shapes = {n: s if n == "bias" else (*s[: len(s) - axes], *s[len(s) - wanted :]) for n, s in case.shapes.items()}
    return shapes, {**case.arguments, **{name: value[less:] for name, value in numbers.items()}}


def _transposed(case: Case, axes: int) -> Geometry | None:
    """The transposed convolution that is the gradient of a convolution; as large an input where its output is none."""
    given, x, weight = case.arguments, case.shapes["input"], case.shapes["weight"]
    if isinstance(given["padding"], str) or any(len(given[name]) != axes for name in ("stride", "padding", "dilation")):
        return None
    sizes, steps = x[-axes:], [given[name] for name in ("stride", "padding", "dilation")]
    try:
        windows = list(zip(sizes, weight[2:], *steps, strict=True))
        outputs = tuple(convolution_output(*window) for window in windows)
        more = tuple((size + 2 * p - effective_kernel(k, d)) % s for size, k, s, p, d in windows)
    except (ValueError, ZeroDivisionError):
        outputs, more = sizes, (0,) * axes
    bias = {"bias": (weight[1] * given["groups"],)} if "bias" in case.shapes else {}
    shapes = {"input": (*x[: -axes - 1], weight[0], *outputs), "weight": weight, **bias}
    return shapes, {**given, "output_padding": more}


def _forward(case: Case, axes: int) -> Geometry | None:
    """The convolution whose gradient a transposed one is; as large an input where its output is none."""
    given, x, weight = dict(case.arguments), case.shapes["input"], case.shapes["weight"]
    more = given.pop("output_padding")
    steps = [given["stride"], given["padding"], more, given["dilation"]]
    if any(len(step) != axes for step in steps):
        return None
    sizes = tuple(transposed_output(*axis) for axis in zip(x[-axes:], weight[2:], *steps, strict=True))
    sizes = sizes if min(sizes) > 0 else x[-axes:]
    bias = {"bias": (weight[0],)} if "bias" in case.shapes else {}
    channels = weight[1] * given["groups"]
    return {"input": (*x[: -axes - 1], channels, *sizes), "weight": weight, **bias}, given


def _as_transposed(case: Case, axes: int) -> Geometry | None:
    """The same shapes, where a transposed convolution takes them."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    fits = x[-axes - 1] == weight[0] and not isinstance(case.arguments["padding"], str)
    return (dict(case.shapes), {**case.arguments, "output_padding": (0,) * axes}) if fits else None


def _as_convolution(case: Case, axes: int) -> Geometry | None:
    """The same shapes, where a convolution takes them."""
    x, weight, given = case.shapes["input"], case.shapes["weight"], dict(case.arguments)
    fits = len(x) > axes and x[-axes - 1] == weight[1] * given["groups"]
    return (dict(case.shapes), given) if fits and not any(given.pop("output_padding")) else None


def _changed(without: tuple[str, ...], **added: Any) -> Callable[[Case, int], Geometry | None]:
    """The same shapes; arguments without some, which have to be as if they were not there, and with others."""

    def changed(case: Case, axes: int) -> Geometry | None:
        idle = {"padding": 0, "dilation": 1, "padding_mode": "zeros"}
        left_out = {name: case.arguments[name] for name in without if name in case.arguments}
        for name, value in left_out.items():
            values = set(value) if isinstance(value, tuple) else {value}
            if name in idle and values != {idle[name]}:
                return None
        kept = {name: value for name, value in case.arguments.items() if name not in left_out}
        given = {name: (value,) * axes if name in ("dilation", "padding") else value for name, value in added.items()}
        return dict(case.shapes), {**kept, **given}

    return changed


def _folded(case: Case, axes: int) -> Geometry | None:
    """The fold of as many columns as an unfold gives, which is its gradient."""
    given, x = case.arguments, case.shapes["input"]
    columns = math.prod(_blocks(x[-2:], given))
    rows = x[-3] * math.prod(given["kernel_size"])
    return {"input": (*x[:-3], rows, columns)}, {"output_size": x[-2:], **given}


def _unfolded(case: Case, axes: int) -> Geometry | None:
    """The unfold that a fold is the gradient of."""
    given, x = dict(case.arguments), case.shapes["input"]
    size = given.pop("output_size")
    channels = x[-2] // (math.prod(given["kernel_size"]) or 1)
    return {"input": (*x[:-2], channels, *size)}, given


def _blocks(sizes: tuple[int, ...], given: Mapping[str, Any]) -> list[Any]:
    steps = (given[name] for name in ("kernel_size", "stride", "padding", "dilation"))
    return [convolution_output(*axis) for axis in zip(sizes, *steps, strict=True)]


SAME = _changed(())


def _alone(case: Case, axes: int) -> Geometry | None:
    """The same shapes of a function that has no arguments, or is given none."""
    return None if case.arguments else (dict(case.shapes), {})


def _in_mode(kind: str) -> Callable[[Case, int], Geometry | None]:
    """The same interpolation in another mode, where it has as many axes."""

    def turned(case: Case, axes: int) -> Geometry | None:
        spatial = len(case.shapes["input"]) - 2
        mode = {"nearest": "nearest", "bicubic": "bicubic"}.get(kind, ("linear", "bilinear", "trilinear")[spatial - 1])
        if kind in ("bicubic", "antialiased") and spatial != 2:
            return None
        given = {name: value for name, value in case.arguments.items() if name not in ("antialias", "align_corners")}
        return dict(case.shapes), {**given, "mode": mode, **({"antialias": True} if kind == "antialiased" else {})}

    return turned


INTERPOLATIONS = ("nearest", "linear", "bicubic", "antialiased")
ACTIVATIONS = ("relu6", "hardtanh", "elu", "selu", "celu", "hardswish", "hardsigmoid", "mish", "silu", "softplus",
               "softsign", "gelu", "hardshrink", "softshrink", "tanhshrink")  # fmt: skip
AVERAGES = ("count_include_pad", "divisor_override")
TURNS: dict[tuple[str, str], Callable[[Case, int], Geometry | None]] = {
    ("conv", "conv_transpose"): _transposed,
    ("conv_transpose", "conv"): _forward,
    ("conv", "conv_padded"): _changed((), padding_mode="zeros"),
    ("conv_padded", "conv"): _changed(("padding_mode",)),
    ("max_pool", "avg_pool"): _changed(("dilation",)),
    ("avg_pool", "max_pool"): _changed(AVERAGES, dilation=1),
    ("max_pool", "lp_pool"): _changed(("dilation", "padding"), norm_type=math.inf),
    ("avg_pool", "lp_pool"): _changed(("padding", *AVERAGES), norm_type=2.0),
    ("lp_pool", "avg_pool"): _changed(("norm_type",), padding=0),
    ("adaptive_max_pool", "adaptive_avg_pool"): SAME,
    ("adaptive_avg_pool", "adaptive_max_pool"): SAME,
    ("softmax", "log_softmax"): SAME,
    ("log_softmax", "softmax"): SAME,
    ("unfold", "fold"): _folded,
    ("fold", "unfold"): _unfolded,
    ("reflection_pad", "replication_pad"): SAME,
    ("reflection_pad", "circular_pad"): SAME,
    ("replication_pad", "circular_pad"): SAME,
    ("circular_pad", "replication_pad"): SAME,
    ("reflection_pad", "constant_pad"): SAME,
    **dict.fromkeys(itertools.permutations(ACTIVATIONS, 2), _alone),
    **{(f"interpolate_{a}", f"interpolate_{b}"): _in_mode(b) for a, b in itertools.permutations(INTERPOLATIONS, 2)},
}
"""How a case of one family is one of another, by their names without numbers of axes."""
AS_IT_IS: dict[tuple[str, str], Callable[[Case, int], Geometry | None]] = {
    **{pair: turn for pair, turn in TURNS.items() if "pool" in pair[0] or "softmax" in pair[0]},
    ("conv", "conv_transpose"): _as_transposed,
    ("conv_transpose", "conv"): _as_convolution,
    ("conv", "conv_padded"): TURNS["conv", "conv_padded"],
    ("conv_padded", "conv"): TURNS["conv_padded", "conv"],
}
"""The same of cases that break a rule, which another shape might keep."""

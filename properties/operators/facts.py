"""Facts of a case, in the field's words: what a diagnosis can say about when a result is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from properties.cases.case import Case, kernel_size
from properties.operators.record import Operator, formula
from properties.worker.call import PLAIN
from properties.worker.layouts import LAYOUTS
from refimpl.geometry import effective_kernel
from refimpl.rounding import FORMATS

Fact = bool | int | float | str
Facts = Mapping[str, Fact]
"""What is so of a case or an element, in the field's words, the plainest first: a bool's name is said as it stands."""
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The spatial axes, by their number."""
INNERMOST = ("channels_last", "axis 1 innermost")
VALUES = 2**16
"""Elements of an operand whose values are looked at."""


def facts_of(operator: Operator, case: Case) -> dict[str, Fact]:
    """What is so of a case; each name is said of a number, a word, or of what is true or not."""
    found: dict[str, Fact] = {}
    for part in (_arguments, _adaptive, _window, _sizes, _output, _setting, _kind, _values):
        with contextlib.suppress(
            ValueError, TypeError, LookupError, ArithmeticError
        ):  # not all is told of what is invalid
            for name, value in part(operator, case):
                if isinstance(value, bool | int | float | str):
                    found.setdefault(name, value)
    return found


Found = Iterator[tuple[str, Any]]


def _arguments(operator: Operator, case: Case) -> Found:
    """The arguments, or their defaults: of one for each axis the largest, and each."""
    later: list[tuple[str, Any]] = []
    for name, value in {**_defaults(operator.layer), **case.arguments}.items():
        if isinstance(value, bool) or value is None or isinstance(value, str):
            yield name, str(value)
        elif isinstance(value, int | float):
            yield name, value
        elif isinstance(value, tuple) and len(value) == operator.axes and None not in value:
            yield name, max(value)
            later += _by_axis(operator, name, value)
    yield from ((f"a {name}", name in case.arguments) for name in ("divisor_override", "output_size", "weight"))
    yield from later


@functools.cache
def _defaults(layer: str) -> dict[str, Any]:
    """What a layer takes for arguments that are not given; of a task's Model nothing is known."""
    thing: Any = torch
    for part in layer.split(".")[1:]:
        thing = getattr(thing, part, None)
    if not callable(thing):
        return {}
    parameters = inspect.signature(thing).parameters.values()
    return {p.name: p.default for p in parameters if isinstance(p.default, bool | int | float | str)}


def _adaptive(operator: Operator, case: Case) -> Found:
    """What is so of windows whose number is given: that all are of one size, that an axis keeps its own."""
    wanted = case.arguments.get("output_size")
    if "kernel_size" in case.arguments or not isinstance(wanted, tuple) or not operator.has("pooling"):
        return
    sizes = zip(case.shapes["input"][-len(wanted) :], wanted, strict=True)
    yield "output_size a divisor of the size", all(n is None or size % n == 0 for size, n in sizes)
    yield "an output_size of None", None in wanted


def _by_axis(operator: Operator, name: str, values: tuple[int, ...]) -> Found:
    if len(values) > 1:
        yield from ((f"{name} of the {axis}", v) for axis, v in zip(AXES[len(values)], values, strict=True))
        yield f"the same {name} on all axes", len(set(values)) == 1


def _window(operator: Operator, case: Case) -> Found:
    """The window, where one slides: kernel, reach, and what lies at the borders."""
    weight = case.shapes.get("weight", ())
    if not operator.axes or not ("kernel_size" in case.arguments or len(weight) > 2):
        return
    kernel = kernel_size(case)
    if "kernel_size" not in case.arguments:
        yield "kernel", max(kernel)
        yield from _by_axis(operator, "kernel", kernel)
    yield "taps", math.prod(kernel)
    stride = case.arguments.get("stride", kernel)
    padding, dilation = (case.arguments.get(n, (v,) * len(kernel)) for n, v in (("padding", 0), ("dilation", 1)))
    sizes = case.shapes["input"][-len(kernel) :]
    if not all(isinstance(each, tuple) and len(each) == len(kernel) for each in (stride, padding, dilation)):
        return
    reach = [effective_kernel(k, d) for k, d in zip(kernel, dilation, strict=True)]
    yield "windows that overlap", any(r > s for r, s in zip(reach, stride, strict=True))
    yield "stride = window", tuple(reach) == tuple(stride)
    yield "padding past the kernel's reach", any(p >= r for p, r in zip(padding, reach, strict=True))
    if not operator.has("transposed"):
        over = [(n + 2 * p - r) % s if s else 0 for n, p, r, s in zip(sizes, padding, reach, stride, strict=True)]
        yield "elements beyond the last window", any(over)
        ceil = bool(case.arguments.get("ceil_mode")) and formula(operator, case)
        floor = ceil and formula(operator, case.with_arguments(ceil_mode=False))
        yield "a window past the border", bool(ceil) and ceil != floor


def _sizes(operator: Operator, case: Case) -> Found:
    """The sizes of operands: batch, channels and spatial axes where there are, else axes as they come."""
    yield from ((f"a {name}", name in case.shapes) for name in ("bias",))
    if operator.axes and "input" in case.shapes:
        shape, weight = case.shapes["input"], case.shapes.get("weight")
        spatial = shape[-operator.axes :]
        yield from zip(AXES[operator.axes], spatial, strict=True)
        yield from _channels(operator, case, shape, weight)
        batch = shape[: -operator.axes - 1]
        yield "a batch", bool(batch)
        yield "batch", math.prod(batch)
    else:
        for name, shape in case.shapes.items():
            yield from ((_axis(name, len(shape) - i), shape[-i]) for i in range(1, len(shape) + 1))
        yield "axes of the input", len(next(iter(case.shapes.values()), ()))
        yield from _rows(case)
    for name, shape in case.shapes.items():
        yield f"elements of {name}", math.prod(shape)
        if len(shape) > 1 and not operator.axes:
            yield f"the last axes of {name} equal", shape[-1] == shape[-2]


def _axis(name: str, axis: int) -> str:
    return f"axis {axis} of {name}" if axis else f"first axis of {name}"


def _channels(operator: Operator, case: Case, shape: tuple[int, ...], weight: tuple[int, ...] | None) -> Found:
    channels = shape[-operator.axes - 1]
    yield "channels", channels
    if weight is None or len(weight) < 3:
        return
    groups = case.arguments.get("groups", 1)
    outputs = weight[1] * groups if operator.has("transposed") else weight[0]
    yield "channels of a group", channels // groups
    yield "output channels", outputs
    yield "output channels of a group", outputs // groups
    yield "depthwise", groups == channels > 1
    yield "as many output channels as input channels", channels == outputs


def _rows(case: Case) -> Found:
    """What a loss has: its rows and classes, and what of them it ignores."""
    target = case.arguments.get("target")
    if not isinstance(target, tuple):
        return
    ignored = sum(t == case.arguments.get("ignore_index") for t in target)
    yield "rows", len(target)
    yield "ignored rows", ignored
    yield "every row ignored", ignored == len(target) > 0


def _output(operator: Operator, case: Case) -> Found:
    """The output's sizes."""
    shape = formula(operator, case)
    if shape is None:
        return
    if operator.axes and len(shape) >= operator.axes:
        yield from ((f"output {axis}", n) for axis, n in zip(AXES[operator.axes], shape[-operator.axes :], strict=True))
    elif shape:
        yield "last axis of the output", shape[-1]
    yield "elements of the output", math.prod(shape)


def _setting(operator: Operator, case: Case) -> Found:
    """Where operands lie in memory, and how torch is set."""
    setting = case.setting or PLAIN
    yield "threads", setting.threads
    yield "oneDNN", setting.onednn
    yield "deterministic algorithms", setting.deterministic
    if not setting.layouts:
        return
    shapes = {**case.shapes, "cotangent": formula(operator, case) or ()}
    layouts = {name: setting.layouts.get(name, "contiguous") for name in shapes}
    for name, layout in layouts.items():
        yield f"contiguous {name}", _contiguous(layout, shapes[name])
        yield f"channels of {name} innermost", layout in INNERMOST and len(shapes[name]) > 2
        yield f"aligned {name}", not layout.startswith("offset")
    yield from ((f"layout of {name}", layout) for name, layout in layouts.items())


def _contiguous(layout: str, shape: tuple[int, ...]) -> bool:
    return bool(LAYOUTS[layout](torch.empty(shape, device="meta")).is_contiguous())


def _kind(operator: Operator, case: Case) -> Found:
    """What a law adds to a case."""
    yield "values", case.fill
    plain = {field.name for field in dataclasses.fields(Case)}
    for field in dataclasses.fields(case):
        value = getattr(case, field.name)
        if field.name in plain:
            continue
        if isinstance(value, Mapping):
            yield from ((f"another {field.name.rstrip('s')} of {name}", name in value) for name in case.shapes)
            yield from ((f"{field.name} of {name}", str(each)) for name, each in value.items())
        elif isinstance(value, tuple):
            yield from ((f"{field.name}: {name}", name in value) for name in case.shapes)
        else:
            yield field.name, value


def _values(operator: Operator, case: Case) -> Found:
    """What the values of operands are."""
    for name, shape in case.shapes.items():
        if not 0 < math.prod(shape) <= VALUES:
            continue
        values = operator.filled(name, shape, case, FORMATS["float64"])
        finite = values[np.isfinite(values)]
        yield f"largest |{name}|", float(np.abs(finite).max(initial=0.0))
        yield f"largest {name}", float(finite.max(initial=-math.inf))
        yield f"smallest |{name}|", float(np.abs(finite).min(initial=math.inf))
        yield f"a negative {name}", bool((values < 0).any())
        yield f"a zero in {name}", bool((values == 0).any())
        yield f"NaN in {name}", bool(np.isnan(values).any())
        yield f"an infinite {name}", bool(np.isinf(values).any())

"""Facts of a case, in the field's words: what a diagnosis can say about when a result is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from properties.cases.case import Case, kernel_size
from properties.operators.record import Operator, formula
from properties.worker.call import PLAIN
from properties.worker.layouts import LAYOUTS, OFFSETS
from refimpl.arrays import Array
from refimpl.geometry import effective_kernel
from refimpl.rounding import FORMATS, Format

Fact = bool | int | float | str
Facts = Mapping[str, Fact]
"""What is so of a case or an element, in the field's words, the plainest first: a bool's name is said as it stands."""
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The spatial axes, by their number."""
FROM_THE_LAST = ("last axis", "second last axis", "third last axis", "fourth last axis")
NO_CLASS = -100
"""What torch ignores where no index is named."""
ALIGNMENT = 64
"""Bytes that divide the address of what torch allocates."""
OPERANDS = 6
"""Operands, the first ones, of which facts are told: an optimizer has dozens."""
VALUES, TERMS = 2**16, 2**22
"""Elements of an operand whose values are looked at, and about so many products of an output that is computed."""
WORD = 2**32
WIDE = FORMATS["float64"]
OPTIONAL = (
    "divisor_override", "output_size", "scale_factor", "recompute_scale_factor", "weight", "bias", "momentum_buffer",
)  # fmt: skip
SAID = ("target", "weight", "dim", "start_dim", "end_dim")
"""Arguments of which other facts are told than their numbers."""


def facts_of(operator: Operator, case: Case, format: Format = WIDE, values: bool = True) -> dict[str, Fact]:
    """What is so of a case; each name is said of a number, a word, or of what is true or not.

    format: that of the operands. values: whether these are looked at, and those of the output.
    """
    found: dict[str, Fact] = {}
    case = dataclasses.replace(case, shapes=dict(itertools.islice(case.shapes.items(), OPERANDS)))
    parts: list[Part] = [_arguments, _adaptive, _window, _sizes, _output, partial(_in_memory, format=format), _kind]
    parts += [partial(part, format=format) for part in (_values, _output_values) if values and not _vast(case)]
    for part in parts:
        with contextlib.suppress(
            ValueError, TypeError, LookupError, ArithmeticError, AssertionError
        ):  # not all is told of what is invalid
            for name, value in part(operator, case):
                if isinstance(value, bool | int | float | str):
                    found.setdefault(name, value)
    return found


def _vast(case: Case) -> bool:
    """True if an argument is a number to which a loop does not count in time."""
    given = (value if isinstance(value, tuple) else (value,) for value in case.arguments.values())
    return any(isinstance(number, int) and abs(number) > VALUES for numbers in given for number in numbers)


def _rows_of_weights(case: Case) -> Array:
    weight = np.atleast_1d(case.arguments.get("weight", 1.0))
    return weight.reshape(-1, weight.shape[-1] or 1)


Found = Iterator[tuple[str, Any]]
Part = Callable[[Operator, Case], Found]


def _arguments(operator: Operator, case: Case) -> Found:
    """The arguments, or their defaults: of one for each axis the largest, and each."""
    later: list[tuple[str, Any]] = []
    window = {"stride": case.arguments["kernel_size"]} if "kernel_size" in case.arguments else {}
    for name, value in {**_defaults(operator.layer), **window, **case.arguments}.items():
        if isinstance(value, bool) or value is None:
            yield name, str(value)
        elif isinstance(value, str):
            yield (f"{name} as a word" if name == "padding" else name), value
        elif isinstance(value, int | float) and name not in SAID:
            yield name, value
            later += [(f"bits of {name}", significant_bits(np.array([value])))] if isinstance(value, float) else []
        elif isinstance(value, tuple) and len(value) == operator.axes:
            yield name, (most := max((number for number in value if number is not None), default=None))
            later += [(f"{name} in 32 bits", most % WORD)] if isinstance(most, int) and most >= WORD // 2 else []
            later += _by_axis(operator, name, value)
        elif isinstance(value, tuple) and name not in SAID:
            later += _several(operator, case, name, value)
    yield from ((_one(name), name in case.arguments or name in case.shapes) for name in OPTIONAL)
    if operator.has("weighted"):
        yield "weights that differ between rows", len(np.unique(_rows_of_weights(case), axis=0)) > 1
    yield from _dims(operator, case)
    yield from later


def _one(noun: str) -> str:
    """A noun with its article.

    >>> _one("bias"), _one("output that is not finite")
    ('a bias', 'an output that is not finite')
    """
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _several(operator: Operator, case: Case, name: str, values: tuple[Any, ...]) -> Found:
    """An argument with several numbers or words, as many as there may be: how many, which, and where they differ."""
    numbers = [value for value in values if isinstance(value, int | float)]
    if name == "padding" and len(numbers) == len(values) and not operator.axes:
        yield name, max(numbers)
        yield f"a negative {name}", min(numbers) < 0
        yield f"a {name} that is not 0", any(numbers)
        yield from _by_side(next(iter(case.shapes.values())), values)
        return
    yield f"entries of {name}", len(values)
    yield f"the same {name} throughout", len(set(values)) == 1
    yield from ((f"{word} in {name}", True) for word in dict.fromkeys(values) if isinstance(word, str))
    if name == "steps":
        yield "steps that are taken", sum(step != "overflowing" for step in values)
    if numbers:
        yield from ((f"largest {name}", max(numbers)), (f"smallest {name}", min(numbers)))
        yield from ((f"first of {name}", numbers[0]), (f"last of {name}", numbers[-1]))


def _by_side(shape: tuple[int, ...], padding: tuple[int, ...]) -> Found:
    """Padding before and after each axis, from the last axis on."""
    for axis, size, before, after in zip(FROM_THE_LAST, reversed(shape), padding[::2], padding[1::2], strict=False):
        yield f"padding before the {axis}", before
        yield f"padding after the {axis}", after
        yield f"padding as long as the {axis}", max(before, after) >= size


def _dims(operator: Operator, case: Case) -> Found:
    """Axes that arguments name, counted from the first and from the last, and how long they are."""
    shape = next(iter(case.shapes.values()), ())
    for name in ("dim", "start_dim", "end_dim"):
        axis = case.arguments.get(name, -1 if name == "end_dim" and "start_dim" in case.arguments else None)
        if isinstance(axis, int) and -len(shape) <= axis < len(shape):
            yield name, axis % len(shape)
            yield f"axes after {name}", len(shape) - 1 - axis % len(shape)
            yield f"elements along {name}", shape[axis]
    several = case.arguments.get("dim", 0)
    if operator.has("reduction") and not isinstance(several, int):
        reduced = [shape[axis] for axis in (range(len(shape)) if several is None else several)]
        yield "a dim", several is not None
        yield "axes that are reduced", len(reduced)
        yield "axes of several elements that are reduced", sum(n > 1 for n in reduced)
        yield "every axis reduced", len(reduced) == len(shape)
        yield "elements of a reduced row", math.prod(reduced)
        yield "elements along the reduced axes but the last", math.prod(reduced[:-1])
    if "start_dim" in case.arguments:
        merged = shape[case.arguments["start_dim"] : case.arguments.get("end_dim", -1) % len(shape) + 1]
        yield "axes that are merged", len(merged)
        yield "axes of several elements that are merged", sum(n > 1 for n in merged)
    if "unflattened_size" in case.arguments:
        at = case.arguments["dim"] % len(shape)
        new = (formula(operator, case) or ())[at : at + len(case.arguments["unflattened_size"])]
        yield "new axes of several elements", sum(n > 1 for n in new)


@functools.cache
def _defaults(layer: str) -> dict[str, Any]:
    """What a layer takes for arguments that are not given; of a task's Model nothing is known."""
    thing: Any = torch
    for part in layer.split(".")[1:]:
        thing = getattr(thing, part, None)
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):  # of what is written in C++, and of what there is not
        return {}
    return {p.name: p.default for p in parameters if isinstance(p.default, bool | int | float | str)}


def _adaptive(operator: Operator, case: Case) -> Found:
    """What is so of windows whose number is given: that all are of one size, how long, that an axis keeps its own."""
    wanted = case.arguments.get("output_size")
    if "kernel_size" in case.arguments or not isinstance(wanted, tuple) or not operator.has("pooling"):
        return
    sizes = case.shapes["input"][-len(wanted) :]
    divides = [n is None or (n > 0 and size % n == 0) for size, n in zip(sizes, wanted, strict=True)]
    lengths = [_lengths(size, size if n is None else n) for size, n in zip(sizes, wanted, strict=True)]
    longest = tuple(int(each.max(initial=0)) for each in lengths)
    yield "output_size a divisor of the size", all(divides)
    yield "an output_size of None", None in wanted
    yield (
        "an output_size of None for several elements",
        any(n is None and size > 1 for size, n in zip(sizes, wanted, strict=True)),
    )
    yield "longest window", max(longest)
    yield from _by_axis(operator, "longest window", longest)
    yield "windows of one length on each axis", all(len(np.unique(each)) < 2 for each in lengths)
    if len(wanted) > 1:
        axes = zip(AXES[len(wanted)], divides, wanted, lengths, strict=True)
        for axis, is_divisor, n, each in axes:
            yield f"output_size a divisor of the {axis}", is_divisor
            yield f"output_size of None for the {axis}", n is None
            yield f"windows of one length along the {axis}", len(np.unique(each)) < 2


def _lengths(size: int, outputs: int) -> Array:
    """Elements of each adaptive window along an axis (:func:`refimpl.geometry.adaptive_window`).

    >>> _lengths(5, 3).tolist(), _lengths(6, 3).tolist(), _lengths(4, 3).tolist()
    ([2, 3, 2], [2, 2, 2], [2, 2, 2])
    """
    positions = np.arange(min(outputs, VALUES))
    lengths: Array = -(-(positions + 1) * size // outputs) - positions * size // outputs
    return lengths


def _by_axis(operator: Operator, name: str, values: tuple[int | None, ...]) -> Found:
    if len(values) > 1:
        yield from ((f"{name} of the {axis}", v) for axis, v in zip(AXES[len(values)], values, strict=True))
        yield f"the same {name} on all axes", len(set(values)) == 1
        yield f"smallest {name}", min((value for value in values if value is not None), default=None)


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
    if not all(isinstance(each, tuple) and len(each) == len(kernel) for each in (stride, dilation)):
        return
    reach = [effective_kernel(k, d) for k, d in zip(kernel, dilation, strict=True)]
    yield "reach", max(reach)
    yield from _by_axis(operator, "reach", tuple(reach))
    if isinstance(padding, str):  # of "same" one side has an element more where a window's reach is even
        uneven = [padding == "same" and r % 2 == 0 for r in reach]
        yield "uneven padding", any(uneven)
        yield from ((f"uneven padding of the {axis}", u) for axis, u in zip(AXES[len(reach)], uneven, strict=True))
        return
    sizes = case.arguments["output_size"] if operator.has("columns") else case.shapes["input"][-len(kernel) :]
    yield "a window longer than its axis", any(r > n for r, n in zip(reach, sizes, strict=True))
    windows = _windows(operator, case, zip(sizes, reach, stride, padding, strict=True))
    yield "windows", math.prod(windows)
    yield "windows that overlap", any(r > s and n > 1 for r, s, n in zip(reach, stride, windows, strict=True))
    yield "stride = window", tuple(reach) == tuple(stride)
    yield "padding past the kernel's reach", any(p >= r for p, r in zip(padding, reach, strict=True))
    if not operator.has("transposed"):
        over = [(n + 2 * p - r) % s if s else 0 for n, p, r, s in zip(sizes, padding, reach, stride, strict=True)]
        yield "elements beyond the last window", any(over)
        ceil = bool(case.arguments.get("ceil_mode")) and formula(operator, case)
        floor = ceil and formula(operator, case.with_arguments(ceil_mode=False))
        yield "a window past the border", bool(ceil) and ceil != floor
    scattered = (formula(operator, case) or ())[-len(kernel) :] if operator.has("transposed") else sizes
    if max(*windows, *scattered) * max(kernel) <= VALUES:
        whose = "input" if scattered is sizes and not operator.has("columns") else "output"
        yield from _seen(list(map(_axis, windows, kernel, stride, dilation, padding, scattered)), whose)


def _windows(operator: Operator, case: Case, axes: Iterable[tuple[int, int, int, int]]) -> tuple[int, ...]:
    """How many windows there are along each axis, of its size, a window's reach, stride and padding."""
    if operator.has("transposed"):
        return case.shapes["input"][-operator.axes :]
    shape = formula(operator, case) if operator.has("window") else None
    return shape[-operator.axes :] if shape else tuple((n + 2 * p - r) // s + 1 if s else 1 for n, r, s, p in axes)


def _axis(windows: int, kernel: int, stride: int, dilation: int, padding: int, size: int) -> tuple[Array, Array]:
    """Of each window's taps along an axis, which see an element, and how many see each element.

    >>> inside, seen = _axis(windows=3, kernel=2, stride=1, dilation=1, padding=1, size=2)
    >>> inside.tolist(), seen.tolist()
    ([[False, True], [True, True], [True, False]], [2, 2])
    """
    places = np.arange(windows)[:, None] * stride + np.arange(kernel) * dilation - padding
    inside = (places >= 0) & (places < size)
    return inside, np.bincount(places[inside], minlength=size)


def _seen(axes: list[tuple[Array, Array]], whose: str) -> Found:
    """What windows see, along any axis: padding alone, or an element more than once, or never.

    whose: the elements are the input's, or, where windows scatter, the output's.
    """
    taps, elements = [inside for inside, _ in axes], [seen for _, seen in axes]
    yield "an element that several windows see", any((seen > 1).any() for seen in elements)
    yield "every element seen by a window", all((seen > 0).all() for seen in elements)
    yield "a window that sees padding alone", any(not inside.any(axis=1).all() for inside in taps)
    yield "a last window that sees padding alone", any(not inside[-1:].any() for inside in taps)
    yield "a tap that sees padding alone", any(not inside.any(axis=0).all() for inside in taps)
    yield "a first tap that sees padding alone", any(not inside[:, :1].any() for inside in taps)
    yield "a last tap that sees padding alone", any(not inside[:, -1:].any() for inside in taps)
    names = [f"{whose}'s {axis}" for axis in AXES[len(axes)]] if len(axes) > 1 else [whose]
    for name, seen in zip(names, elements, strict=True):
        yield f"a window that sees the last element of the {name}", bool(seen[-1:].any())


def _sizes(operator: Operator, case: Case) -> Found:
    """The sizes of operands: batch, channels and spatial axes where there are, else axes as they come."""
    if operator.has("columns"):
        *batch, rows, columns = case.shapes["input"]
        yield from (("rows", rows), ("columns", columns), ("a batch", bool(batch)), ("batch", math.prod(batch)))
    elif operator.axes and "input" in case.shapes:
        yield from _image(operator, case, case.shapes["input"])
    else:
        for name, shape in case.shapes.items():
            yield from ((f"{axis} of {name}", n) for axis, n in zip(FROM_THE_LAST, reversed(shape), strict=False))
            if shape:
                yield f"first axis of {name}", shape[0]
        yield "axes of the input", len(next(iter(case.shapes.values()), ()))
        yield from _rows(case)
    for name, shape in case.shapes.items():
        yield f"elements of {name}", math.prod(shape)
        if len(shape) > 1 and not operator.axes:
            yield f"the last axes of {name} equal", shape[-1] == shape[-2]


def _image(operator: Operator, case: Case, shape: tuple[int, ...]) -> Found:
    """A batch of images, or one, and the bank of weights for it, if there is one."""
    *batch, channels = shape[: -operator.axes]
    yield from zip(AXES[operator.axes], shape[-operator.axes :], strict=True)
    yield from _channels(operator, case, channels, case.shapes.get("weight", ()))
    yield "elements of a channel", math.prod(shape[-operator.axes :])
    if operator.axes > 1:
        yield "the same size on all axes", len(set(shape[-operator.axes :])) == 1
    yield "a batch", bool(batch)
    yield "batch", math.prod(batch)
    yield "channels of all images", math.prod(batch) * channels


def _channels(operator: Operator, case: Case, channels: int, weight: tuple[int, ...]) -> Found:
    yield "channels", channels
    if len(weight) < 3:
        return
    groups = case.arguments.get("groups", 1)
    outputs = weight[1] * groups if operator.has("transposed") else weight[0]
    yield "channels of a group", channels // groups
    yield "output channels", outputs
    yield "output channels of a group", outputs // groups
    yield "depthwise", groups == channels > 1
    yield "as many output channels as input channels", channels == outputs


def _rows(case: Case) -> Found:
    """What a loss has: its rows and classes, their weights, and what of them it ignores."""
    if "target" not in case.arguments:
        return
    shape, target = next(iter(case.shapes.values())), np.array(case.arguments["target"])
    classes, index = shape[min(1, len(shape) - 1)], case.arguments.get("ignore_index", NO_CLASS)
    probabilities = target.shape == shape
    yield "classes", classes
    yield "a target of probabilities", probabilities
    yield "an ignore_index", "ignore_index" in case.arguments
    yield "an ignore_index that is a class", 0 <= index < classes
    rows, ignored = math.prod(shape) // max(classes, 1), 0 if probabilities else int((target == index).sum())
    yield "rows", rows
    yield "ignored rows", ignored
    yield "every row ignored", ignored == rows > 0
    if not probabilities:
        yield "rows of class 0", int((target == 0).sum())
        yield "classes of targets", len(np.unique(target))
    weight = case.arguments.get("weight")
    if isinstance(weight, tuple) and not probabilities:
        of_rows = np.array(weight)[target[(target != index) & (target >= 0)]]
        yield "the same weight for all rows", len(np.unique(of_rows)) <= 1
        yield "sum of the weights of rows", float(of_rows.sum())


def _output(operator: Operator, case: Case) -> Found:
    """The output's sizes."""
    shape = formula(operator, case)
    if shape is None:
        return
    if operator.axes and len(shape) >= operator.axes:
        yield from ((f"output {axis}", n) for axis, n in zip(AXES[operator.axes], shape[-operator.axes :], strict=True))
        if operator.axes > 1:
            yield "the same output size on all axes", len(set(shape[-operator.axes :])) == 1
    elif shape:
        yield "last axis of the output", shape[-1]
    yield "elements of the output", math.prod(shape)
    if {"size", "scale_factor"} & set(case.arguments):
        yield from _scaled(case.shapes["input"][2:], shape[2:])
        yield from _by_factors(case, case.shapes["input"][2:], shape[2:])


def _scaled(before: tuple[int, ...], after: tuple[int, ...]) -> Found:
    """How long axes become that are interpolated."""
    yield "an axis that gets shorter", any(m < n for n, m in zip(before, after, strict=True))
    yield "an axis that gets longer", any(m > n for n, m in zip(before, after, strict=True))
    for axis, n, m in zip(FROM_THE_LAST, reversed(before), reversed(after), strict=False):
        yield f"{axis} that gets shorter", m < n
        yield f"{axis} that gets longer", m > n
        yield f"scale of the {axis}", m / max(n, 1)


def _by_factors(case: Case, before: tuple[int, ...], after: tuple[int, ...]) -> Found:
    """Rounded lengths, and scales that are no whole number, of axes of several elements."""
    scales = factors = case.arguments.get("scale_factor") or ()
    if not factors or case.arguments.get("recompute_scale_factor"):
        scales = tuple(m / max(n, 1) for n, m in zip(before, after, strict=True))
    yield "a length that is rounded", any(n > 1 and n * f % 1 for n, f in zip(before, factors, strict=False))
    yield "a scale that is no whole number", any(n > 1 and f % 1 for n, f in zip(before, scales, strict=True))


def _in_memory(operator: Operator, case: Case, format: Format) -> Found:
    """Where operands lie in memory, and how torch is set."""
    setting = case.setting or PLAIN
    yield "threads", setting.threads
    yield "oneDNN", setting.onednn
    yield "deterministic algorithms", setting.deterministic
    if not setting.layouts:
        return
    given = {name: make(case, format).shape for name, make in operator.given.items() if name in setting.layouts}
    shapes = {**case.shapes, **given, "cotangent": formula(operator, case) or ()}
    layouts = {name: setting.layouts.get(name, "contiguous") for name in shapes}
    for name, layout in layouts.items():
        laid = LAYOUTS[layout](torch.empty(shapes[name], device="meta"))
        yield f"contiguous {name}", laid.is_contiguous()
        if operator.axes and laid.ndim > operator.axes:
            channels = 1 if name == "weight" else laid.ndim - operator.axes - 1
            yield f"channels of {name} innermost", laid.stride(channels) == 1 and not laid.is_contiguous()
        yield f"alignment of {name}", _alignment(layout, format)
    yield from ((f"layout of {name}", layout) for name, layout in layouts.items())


def _alignment(layout: str, format: Format) -> int:
    """The bytes that surely divide the address of the first element.

    >>> [_alignment(layout, FORMATS["float32"]) for layout in ("contiguous", "offset", "offset 8")]
    [64, 4, 8]
    """
    if layout not in OFFSETS:
        return ALIGNMENT
    element = int(getattr(torch, format.storage.name, torch.float32).itemsize)
    return int(layout.removeprefix("offset") or element)


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
            yield from ((f"{field.name} of {name}", str(value.get(name, ""))) for name in {**case.shapes, **value})
        elif isinstance(value, tuple):
            names = dict.fromkeys((*case.shapes, *case.arguments, *map(str, value)))
            yield from ((f"{field.name}: {name}", name in value) for name in names)
        else:
            yield field.name, value


def _values(operator: Operator, case: Case, format: Format) -> Found:
    """What the values of operands are."""
    shapes: dict[str, tuple[int, ...] | None] = {**case.shapes}
    if operator.differentiable:
        shapes["cotangent"] = formula(operator, case)
    sized = {name: shape for name, shape in shapes.items() if shape is not None and 0 < math.prod(shape) <= VALUES}
    values = {name: operator.filled(name, shape, case, format) for name, shape in sized.items()}
    yield from ((f"bits of {name}", significant_bits(each)) for name, each in values.items())
    if (cotangent := values.pop("cotangent", None)) is not None:
        yield "a NaN in cotangent", bool(np.isnan(cotangent).any())
        yield "an infinite cotangent", bool(np.isinf(cotangent).any())
    for name, each in values.items():
        yield from _of_values(name, each)
    yield from ((f"a repeated element of {name}", len(np.unique(each)) < each.size) for name, each in values.items())


def _of_values(name: str, values: Array) -> Found:
    finite = values[np.isfinite(values)]
    yield f"largest |{name}|", float(np.abs(finite).max(initial=0.0))
    yield f"largest {name}", float(finite.max(initial=-math.inf))
    yield f"smallest {name}", float(finite.min(initial=math.inf))
    yield f"smallest |{name}| but 0", float(np.abs(finite[finite != 0]).min(initial=math.inf))
    yield f"smallest {name} above 0", float(finite[finite > 0].min(initial=math.inf))
    yield f"a negative {name}", bool((values < 0).any())
    yield f"a zero in {name}", bool((values == 0).any())
    yield f"a finite {name}", bool(finite.size)
    yield _one(f"{name} that is not finite"), finite.size < values.size
    yield f"a NaN in {name}", bool(np.isnan(values).any())
    yield f"an infinite {name}", bool(np.isinf(values).any())


def significant_bits(values: Array) -> int:
    """Of the numbers that have the most of them, 0 where there is nothing but zeros.

    >>> significant_bits(np.array([0.0, -0.5, 3.0, 257.0])), significant_bits(np.array([np.inf, 0.0]))
    (9, 0)
    """
    finite = values[np.isfinite(values) & (values != 0)]
    if not finite.size:
        return 0
    whole = np.ldexp(np.abs(np.frexp(finite)[0]), WIDE.storage.bits).astype(np.int64)
    return int(WIDE.storage.bits - np.log2(whole & -whole).min())


def _output_values(operator: Operator, case: Case, format: Format) -> Found:
    """What the values of the output should be, where they are quickly computed."""
    shape, weight = formula(operator, case), case.shapes.get("weight", ())
    if operator.given or shape is None or not 0 < math.prod(shape) * max(1, math.prod(weight[1:])) <= TERMS:
        return
    values = [operator.filled(name, each, case, format) for name, each in case.shapes.items()]
    with np.errstate(all="ignore"):
        results = operator.reference(*values, **case.arguments)
    output = results[0] if isinstance(results, tuple) else results
    if isinstance(output, np.ndarray) and output.dtype.kind == "f":
        yield from _of_values("output", output)

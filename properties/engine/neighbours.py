"""Neighbours of a case: what else is like it but for one thing, or for two."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from properties.cases.case import INTEGERS, REAL_FILLS, Case, kernel_size
from properties.operators import Operator, features
from properties.operators.features import Feature
from properties.operators.record import formula
from properties.worker.call import PLAIN
from properties.worker.layouts import FAITHFUL
from refimpl.rounding import FORMATS

Change = Callable[[Case], Case]
LARGEST, OUTPUTS = 20_000, 1_000_000
"""Elements of the largest operand of a neighbour, and of its output, which a long kernel may scatter to: the loops take
as long as there are, and as much memory."""
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65)
SMALL = (0, 1, 2, 3, 4, 5)
PADDING = "padding"
"""Of layers that pad as many axes as they are told to."""


def changes(operator: Operator, case: Case, others: Sequence[Case]) -> list[Change]:
    """Changes of one thing each, some to what is no valid case; ``others`` tell what values there are."""
    parts = (_features, _batches, _numbers, _words, _axes, _channels, _kernels, _rows, _settings, _fills)
    return [change for part in parts for change in part(operator, case, others)]


def small(case: Case) -> bool:
    """True if the loops take no long time for it."""
    return max(map(math.prod, case.shapes.values()), default=0) <= LARGEST


def valid(operator: Operator, case: Case) -> bool:
    """True if the formula gives a shape, what is given can be made, and both are small."""
    if not small(case) or (shape := formula(operator, case)) is None or math.prod(shape) > OUTPUTS:
        return False
    try:
        for make in operator.given.values():
            make(case, FORMATS["float32"])
    except (ValueError, IndexError):
        return False
    return True


def changed(operator: Operator, case: Case, some: Iterable[Change]) -> Case | None:
    """A case after some changes; None where that is no valid one."""
    try:
        for change in some:
            case = change(case)
        return case if valid(operator, case) else None
    except (ValueError, KeyError, IndexError, TypeError, ZeroDivisionError):
        return None


def neighbours(operator: Operator, case: Case, others: Sequence[Case], chance: random.Random) -> Iterator[Case]:
    """Valid cases that differ in one thing, in an order of chance; then in two, and three, without end."""
    single = changes(operator, case, others)
    for change in chance.sample(single, len(single)):
        if near := changed(operator, case, [change]):
            yield near
    while single:
        if near := changed(operator, case, chance.sample(single, min(len(single), chance.choice((2, 2, 3, 4))))):
            yield near


def _features(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    for feature in features.FEATURES:
        if feature.of(operator) and isinstance(feature, Feature):
            if feature.asked(operator, case):
                yield partial(feature.without, operator)
            elif feature.given:
                yield partial(feature.given, operator)


def _batches(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    if operator.batched:
        yield from (partial(operator.in_batch, batch=batch) for batch in ((), (1,), (2,), (3,), (5,)))


def _numbers(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    """Each number of each argument, alone and on all axes."""
    for name, value in case.arguments.items():
        if isinstance(value, bool):
            yield partial(_with, {name: not value})
        elif isinstance(value, int) and name != "groups":
            yield from (partial(_with, {name: n}) for n in {value - 1, value + 1, 1, 2, 3, 4, 8})
        elif isinstance(value, tuple) and operator.axes and len(value) == operator.axes:
            for n in SMALL:
                yield partial(_on_axes, operator, name, dict.fromkeys(range(operator.axes), n))
                yield from (partial(_on_axes, operator, name, {axis: n}) for axis in range(operator.axes))
        elif isinstance(value, tuple) and name == PADDING:
            for i, n in itertools.product(range(len(value)), (-1, *SMALL)):
                yield partial(_with, {name: (*value[:i], n, *value[i + 1 :])})


def _with(arguments: Mapping[str, Any], case: Case) -> Case:
    return case.with_arguments(**arguments)


def _on_axes(operator: Operator, name: str, values: dict[int, int], case: Case) -> Case:
    """The case with other numbers of an argument on some axes, and an input into which the windows fit."""
    before = case.arguments[name]
    changed = case.with_arguments(**{name: tuple(values.get(axis, n) for axis, n in enumerate(before))})
    return features.fitting(operator, changed) if features.slides(operator) else changed


def _words(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    """What other cases have for an argument that is no number, or whether they have it at all."""
    for other in others[:40]:
        for name in {*other.arguments, *case.arguments} - {"target", "weight", "kernel_size"}:
            mine, theirs = case.arguments.get(name), other.arguments.get(name)
            if mine == theirs or isinstance(theirs, tuple):
                continue
            if name not in other.arguments:
                yield partial(_less, name)
            else:
                yield partial(_with, {name: theirs})


def _less(name: str, case: Case) -> Case:
    return replace(case, arguments={n: value for n, value in case.arguments.items() if n != name})


def _axes(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    """Each spatial axis longer or shorter."""
    if not operator.axes or operator.has("columns") or operator.given:
        return
    for axis in range(operator.axes):
        size = case.shapes["input"][axis - operator.axes]
        for n in {*SIZES, size + 1, size - 1, size + 2, 2 * size} - {size}:
            yield partial(_long, operator, {axis: n})
    yield from (partial(_long, operator, dict.fromkeys(range(operator.axes), n)) for n in SIZES[:12])


def _long(operator: Operator, sizes: dict[int, int], case: Case) -> Case:
    shape = case.shapes["input"]
    spatial = (sizes.get(axis, n) for axis, n in enumerate(shape[-operator.axes :]))
    longer = case.with_shape("input", (*shape[: -operator.axes], *spatial))
    return features.fitting(operator, longer) if features.slides(operator) else longer


def _channels(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    if not operator.axes or operator.has("columns") or "input" not in case.shapes:
        return
    for n in SIZES:
        if not features.convolves(operator):
            yield partial(_with_channels, operator, n)
            continue
        yield from (partial(_with_bank, operator, {part: n}) for part in ("inputs", "outputs"))
        if n < 10:
            yield partial(_with_bank, operator, {"groups": n})
            yield partial(_with_bank, operator, {"groups": n, "inputs": 1, "outputs": 1})


def _with_channels(operator: Operator, channels: int, case: Case) -> Case:
    shape = case.shapes["input"]
    at = len(shape) - operator.axes - 1
    return case.with_shape("input", (*shape[:at], channels, *shape[at + 1 :]))


def _with_bank(operator: Operator, sizes: Mapping[str, int], case: Case) -> Case:
    """The case with other numbers of groups, and of input and output channels of a group."""
    shape, weight, groups = case.shapes["input"], case.shapes["weight"], case.arguments["groups"]
    transposed = operator.has("transposed")
    inputs, outputs = (weight[0] // groups, weight[1]) if transposed else (weight[1], weight[0] // groups)
    now = {"groups": groups, "inputs": inputs, "outputs": outputs} | {**sizes}
    groups, inputs, outputs = now["groups"], now["inputs"], now["outputs"]
    bank = (groups * inputs, outputs) if transposed else (groups * outputs, inputs)
    at = len(shape) - operator.axes - 1
    shapes = {**case.shapes, "input": (*shape[:at], groups * inputs, *shape[at + 1 :]), "weight": (*bank, *weight[2:])}
    if "bias" in shapes:
        shapes["bias"] = (groups * outputs,)
    return replace(case, shapes=shapes, arguments={**case.arguments, "groups": groups})


def _kernels(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    if not features.convolves(operator):
        return
    for n in SMALL[1:]:
        yield partial(_with_kernel, operator, dict.fromkeys(range(operator.axes), n))
        yield from (partial(_with_kernel, operator, {axis: n}) for axis in range(operator.axes))


def _with_kernel(operator: Operator, sizes: dict[int, int], case: Case) -> Case:
    weight, kernel = case.shapes["weight"], kernel_size(case)
    kernel = tuple(sizes.get(axis, n) for axis, n in enumerate(kernel))
    return features.fitting(operator, case.with_shape("weight", (*weight[:2], *kernel)))


def _rows(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    """Axes of operands without spatial axes, each with those that are as long in every other case."""
    tuples = {name for name, value in case.arguments.items() if isinstance(value, tuple)}
    if operator.axes or "target" in case.arguments or tuples - {PADDING}:
        return
    for tied in _tied(case, others):
        name, axis = tied[0]
        for n in {*SIZES, case.shapes[name][axis] + 1, max(1, case.shapes[name][axis] - 1)} - {case.shapes[name][axis]}:
            yield partial(_resized, tied, n)


def _tied(case: Case, others: Sequence[Case]) -> list[list[tuple[str, int]]]:
    """Axes of operands in groups that are as long as each other in every case of as many axes."""
    like = [other for other in others if _ranks(other) == _ranks(case)] + [case]
    axes = [(name, axis) for name, shape in case.shapes.items() for axis in range(len(shape))]
    groups: dict[tuple[int, ...], list[tuple[str, int]]] = {}
    for name, axis in axes:
        groups.setdefault(tuple(other.shapes[name][axis] for other in like), []).append((name, axis))
    return list(groups.values()) if len(like) > 4 else []


def _ranks(case: Case) -> dict[str, int]:
    return {name: len(shape) for name, shape in case.shapes.items()}


def _resized(tied: Sequence[tuple[str, int]], size: int, case: Case) -> Case:
    for name, axis in tied:
        shape = case.shapes[name]
        case = case.with_shape(name, (*shape[:axis], size, *shape[axis + 1 :]))
    return case


def _settings(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    """Each operand's layout, and torch's switches, where the case has a setting."""
    if case.setting is None:
        return
    yield lambda case: replace(case, setting=PLAIN)
    for name, layout in itertools.product(case.setting.layouts, FAITHFUL):
        yield partial(_laid, name, layout)
    if any(other.setting and (other.setting.threads > 1 or not other.setting.onednn) for other in others):
        yield from (partial(_set, {"threads": n}) for n in (1, 2))
        yield from (partial(_set, {switch: on}) for switch in ("onednn", "deterministic") for on in (False, True))


def _laid(name: str, layout: str, case: Case) -> Case:
    assert case.setting is not None
    return replace(case, setting=replace(case.setting, layouts={**case.setting.layouts, name: layout}))


def _set(switches: Mapping[str, Any], case: Case) -> Case:
    return replace(case, setting=replace(case.setting or PLAIN, **switches))


def _fills(operator: Operator, case: Case, others: Sequence[Case]) -> Iterator[Change]:
    """Each kind of values, and others of each."""
    for fill, seed in itertools.product(dict.fromkeys((INTEGERS, *REAL_FILLS)), (case.seed, 1, 2)):
        yield partial(_filled, fill, seed)


def _filled(fill: str, seed: int, case: Case) -> Case:
    return replace(case, fill=fill, seed=seed)

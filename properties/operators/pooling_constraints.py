"""What adaptive, power-average and fractional poolings and max unpooling forbid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, with_spatial
from properties.operators import constraints as must
from refimpl.arrays import Array
from refimpl.geometry import unpooled_size
from refimpl.rounding import Format

TUPLE = "a number or a tuple of {}"
BATCHED = "{}, Shape: (N, C, *spatial) or (C, *spatial)"


def adaptive(axes: int, mode: str) -> tuple[must.Constraint, ...]:
    """Of AdaptiveMaxPool and AdaptiveAvgPool; mode "Max" or "Avg"."""
    layer = f"torch.nn.Adaptive{mode}Pool{axes}d"
    size = f"{layer}: output_size is 'the target output size', a count of elements"
    return (
        must.each_axis("output_size is at least 0", "output_size", (-1, -2, -(2**31), -(2**62)), size),
        must.Constraint("output_size has one value per axis", f"{layer}: " + TUPLE.format(axes), _size_too_many),
        must.rank(axes, BATCHED.format(layer)),
    )


def _size_too_many(draw: st.DrawFn, case: Case) -> Case:
    return case.with_arguments(output_size=(*case.arguments["output_size"], 1))


def power(axes: int) -> tuple[must.Constraint, ...]:
    """Of LPPool."""
    layer = f"torch.nn.LPPool{axes}d"
    several = [must.one_value_per_axis(name, f"{layer}: {TUPLE.format(axes)}") for name in ("kernel_size", "stride")]
    return (
        must.each_axis("kernel_size is at least 1", "kernel_size", (0, -1, -3), f"{layer}: 'the size of the window'"),
        must.below("stride", 1, f"{layer}: 'the stride of the window', by which its formula divides"),
        must.window_fits(f"{layer}, Shape: the formula gives at least one output element"),
        must.argument_is("norm_type is not 0", "norm_type", [0, 0.0], f"{layer}: a p-th root, and there is no zeroth"),
        must.rank(axes, BATCHED.format(layer)),
        *(several if axes > 1 else []),  # one integer alone, which no tuple stands for
    )


def unpooling(axes: int) -> tuple[must.Constraint, ...]:
    """Of MaxUnpool: its window is a max pooling's, and its indices are those that this gave."""
    layer = f"torch.nn.MaxUnpool{axes}d"
    pooled = f"{layer}: {{}} of a max pooling, of which torch.nn.MaxPool{axes}d demands this"
    given = f"{layer}: 'the indices given out by MaxPool{axes}d'"
    rules = (
        must.Constraint("kernel_size is at least 1", pooled.format("'size of the max pooling window'"), _empty_window),
        must.Constraint("stride is at least 1", pooled.format("'stride of the max pooling window'"), _no_step),
        must.Constraint("padding is at least 0", pooled.format("'padding that was added to the input'"), _cropped),
        must.Constraint(
            "padding is at most half of the kernel", pooled.format("'padding that was added to the input'"), _overpadded
        ),
        must.Constraint(
            "max pooling maps the output size to the input's",
            f"{layer}: output_size is one of the sizes that a max pooling 'can map to the same output sizes'", _no_size,
        ),
        must.rank(axes, BATCHED.format(layer)),
        must.one_value_per_axis("kernel_size", f"{layer}: {TUPLE.format(axes)}"),
        must.one_value_per_axis("padding", f"{layer}: {TUPLE.format(axes)}"),
    )  # fmt: skip
    of_indices = (
        must.Constraint("indices lie in the output", given, _valued, of_values=True, given={"indices": outside}),
        must.Constraint("there is one index a value", given, _asked, given={"indices": _one_more}),
    )
    return (*(replace(rule, given={"indices": _first}) for rule in rules), *of_indices)


def _axis(draw: st.DrawFn, case: Case, size: int | None = None) -> tuple[Case, int]:
    """The case without an output size, with room along one axis, which is not padded, or with a size of one's own."""
    axis, axes = must.draw_axis(draw, case), len(case.arguments["kernel_size"])
    sizes = list(case.shapes["input"][-axes:])
    sizes[axis] = sizes[axis] + 2 if size is None else size
    return must.on_axis(with_spatial(_asked(draw, case), sizes), "padding", axis, 0), axis


def _asked(draw: st.DrawFn, case: Case) -> Case:
    """The case whose output size is the default."""
    kept = {name: value for name, value in case.arguments.items() if name != "output_size"}
    return must.with_stride(replace(case, arguments=kept))


def _valued(draw: st.DrawFn, case: Case) -> Case:
    """The case with values, whatever its batch."""
    leading = (max(size, 1) for size in case.shapes["input"])
    return _asked(draw, case).with_shape("input", tuple(leading))


def _empty_window(draw: st.DrawFn, case: Case) -> Case:
    case, axis = _axis(draw, case)
    return must.on_axis(case, "kernel_size", axis, draw(st.sampled_from([0, -1])))


def _no_step(draw: st.DrawFn, case: Case) -> Case:
    case, axis = _axis(draw, case, size=1)
    return must.on_axis(case, "stride", axis, draw(st.sampled_from([0, -1, -2])))


def _cropped(draw: st.DrawFn, case: Case) -> Case:
    case, axis = _axis(draw, case)
    return must.on_axis(case, "padding", axis, draw(st.sampled_from([-1, -2])))


def _overpadded(draw: st.DrawFn, case: Case) -> Case:
    """More than half of the kernel, where the output has an element all the same."""
    more = draw(st.integers(1, 3))
    axes = len(case.arguments["kernel_size"])
    case, axis = _axis(draw, case, size=case.shapes["input"][-axes] + 2 * max(case.arguments["kernel_size"]) + 8)
    return must.on_axis(case, "padding", axis, case.arguments["kernel_size"][axis] // 2 + more)


def _no_size(draw: st.DrawFn, case: Case) -> Case:
    """A stride or more away from the default, on one axis."""
    case, axis = _axis(draw, case)
    kernel, stride, padding = (case.arguments[name] for name in ("kernel_size", "stride", "padding"))
    windows = zip(case.shapes["input"][-len(kernel) :], kernel, stride, padding, strict=True)
    output = [unpooled_size(*window) for window in windows]
    away = stride[axis] + draw(st.integers(0, 2))
    output[axis] += draw(st.sampled_from([away, -away] if output[axis] > away else [away]))
    return case.with_arguments(output_size=tuple(output))


def _first(case: Case, format: Format) -> Array:
    """Indices of the first element, which every output has."""
    return np.zeros(case.shapes["input"], dtype=np.int64)


def outside(case: Case, format: Format | None = None) -> Array:
    """Indices one of which is of no element of the output."""
    elements, indices = elements_of(case), np.zeros(case.shapes["input"], dtype=np.int64)
    indices.flat[case.seed % indices.size] = (elements, elements + 1000, -1, 2**62)[case.seed % 4]
    return indices


def elements_of(case: Case) -> int:
    """The elements of one plane of the output, of the default size."""
    kernel, stride, padding = (case.arguments[name] for name in ("kernel_size", "stride", "padding"))
    windows = zip(case.shapes["input"][-len(kernel) :], kernel, stride, padding, strict=True)
    return math.prod(unpooled_size(*window) for window in windows)


def _one_more(case: Case, format: Format) -> Array:
    """Indices of an input that is longer along its last axis."""
    return np.zeros(must.longer(case.shapes["input"], -1), dtype=np.int64)


def fractional(axes: int) -> tuple[must.Constraint, ...]:
    """Of FractionalMaxPool, given random samples of each plane."""
    layer = f"torch.nn.FractionalMaxPool{axes}d"
    ratio = f"torch.nn.functional.fractional_max_pool{axes}d: output_ratio 'has to be in the range (0, 1)'"
    rules = (
        must.each_axis(
            "kernel_size is at least 1", "kernel_size", (0, -1, -2),
            f"{layer}: 'the size of the window to take a max over'",
        ),
        must.Constraint("as many windows fit", f"{layer}: 'we must have kH + oH − 1 <= H_in'", _too_many_windows),
        must.each_axis(
            "output_size is at least 0", "output_size", (-1, -2, -(2**31)), f"{layer}: 'the target output size'"
        ),
        must.Constraint(
            "an output size or ratio is given",
            f"{layer}: 'Exactly one of output_size or output_ratio must be defined'",
            lambda draw, case: _with_ratio(case, None),
        ),
        must.Constraint("output_ratio is above 0", ratio, _ratio(0.0, -0.5)),
        must.Constraint("output_ratio is below 1", ratio, _ratio_of_all),
        must.rank(axes, BATCHED.format(layer)),
    )  # fmt: skip
    return tuple(replace(rule, given={"samples": _middle}) for rule in rules)


def _too_many_windows(draw: st.DrawFn, case: Case) -> Case:
    """One window more than fits along one axis."""
    axis, kernel = must.draw_axis(draw, case), case.arguments["kernel_size"]
    size, output = case.shapes["input"][axis - len(kernel)], list(case.arguments["output_size"])
    output[axis] = size - kernel[axis] + 1 + draw(st.integers(1, 3))
    return case.with_arguments(output_size=tuple(output))


def _with_ratio(case: Case, ratio: float | None) -> Case:
    """A ratio of each axis, or none, in the place of the output size."""
    kept = {name: value for name, value in case.arguments.items() if name != "output_size"}
    axes = len(case.arguments["kernel_size"])
    return replace(case, arguments=kept | ({} if ratio is None else {"output_ratio": (ratio,) * axes}))


def _ratio(*ratios: float) -> Callable[[st.DrawFn, Case], Case]:
    return lambda draw, case: _with_ratio(case, draw(st.sampled_from(ratios)))


def _ratio_of_all(draw: st.DrawFn, case: Case) -> Case:
    """As many windows as elements, which fit if each is of one."""
    axes = len(case.arguments["kernel_size"])
    return _with_ratio(case.with_arguments(kernel_size=(1,) * axes), 1.0)


def _middle(case: Case, format: Format) -> Array:
    """A sample of one half of each plane and axis."""
    axes = len(case.arguments["kernel_size"])
    return np.full((*case.shapes["input"][:-axes], axes), 0.5)

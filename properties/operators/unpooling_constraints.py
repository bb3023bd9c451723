"""What max unpooling forbids."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case, with_spatial
from properties.operators import constraints as must
from refimpl.arrays import Array
from refimpl.geometry import unpooled_size
from refimpl.rounding import Format


def unpooling(axes: int) -> tuple[must.Constraint, ...]:
    """The rules of MaxUnpool: its window is a max pooling's, and its indices are those that this gave."""
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
        must.rank(axes, must.BATCHED.format(layer)),
        must.one_value_per_axis("kernel_size", f"{layer}: {must.TUPLE.format(axes)}"),
        must.one_value_per_axis("padding", f"{layer}: {must.TUPLE.format(axes)}"),
    )  # fmt: skip
    of_indices = (
        must.Constraint("indices lie in the output", given, _valued, of_values=True, given={"indices": outside}),
        must.Constraint("there is one index a value", given, _asked, given={"indices": _one_more}),
    )
    return (*(replace(rule, given={"indices": _first}) for rule in rules), *of_indices)


def _axis(draw: st.DrawFn, case: Case, size: int | None = None) -> tuple[Case, int]:
    """The case of the default output size with one axis unpadded and longer by two, or of a size; and that axis."""
    axis, axes = must.draw_axis(draw, case), len(case.arguments["kernel_size"])
    sizes = list(case.shapes["input"][-axes:])
    sizes[axis] = sizes[axis] + 2 if size is None else size
    return must.on_axis(with_spatial(_asked(draw, case), sizes), "padding", axis, 0), axis


def _asked(draw: st.DrawFn, case: Case) -> Case:
    """The case whose output size is the default."""
    kept = {name: value for name, value in case.arguments.items() if name != "output_size"}
    return must.with_stride(replace(case, arguments=kept))


def _valued(draw: st.DrawFn, case: Case) -> Case:
    """The case with at least one element, whatever its batch."""
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
    """Indices, one of which lies outside the output."""
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

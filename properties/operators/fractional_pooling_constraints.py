"""What fractional max pooling forbids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import Case
from properties.operators import constraints as must
from refimpl.arrays import Array
from refimpl.rounding import Format


def fractional(axes: int) -> tuple[must.Constraint, ...]:
    """The rules of FractionalMaxPool, given random samples of each plane."""
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
        must.rank(axes, must.BATCHED.format(layer)),
    )  # fmt: skip
    return tuple(replace(rule, given={"samples": _middle}) for rule in rules)


def _too_many_windows(draw: st.DrawFn, case: Case) -> Case:
    """One window more than fits along one axis."""
    axis, kernel = must.draw_axis(draw, case), case.arguments["kernel_size"]
    size, output = case.shapes["input"][axis - len(kernel)], list(case.arguments["output_size"])
    output[axis] = size - kernel[axis] + 1 + draw(st.integers(1, 3))
    return case.with_arguments(output_size=tuple(output))


def _with_ratio(case: Case, ratio: float | None) -> Case:
    """The case with a ratio for each axis, or with none, in place of its output size."""
    kept = {name: value for name, value in case.arguments.items() if name != "output_size"}
    axes = len(case.arguments["kernel_size"])
    return replace(case, arguments=kept | ({} if ratio is None else {"output_ratio": (ratio,) * axes}))


def _ratio(*ratios: float) -> Callable[[st.DrawFn, Case], Case]:
    return lambda draw, case: _with_ratio(case, draw(st.sampled_from(ratios)))


def _ratio_of_all(draw: st.DrawFn, case: Case) -> Case:
    """As many windows as elements: they fit if each holds one element."""
    axes = len(case.arguments["kernel_size"])
    return _with_ratio(case.with_arguments(kernel_size=(1,) * axes), 1.0)


def _middle(case: Case, format: Format) -> Array:
    """A sample of one half for each plane and axis."""
    axes = len(case.arguments["kernel_size"])
    return np.full((*case.shapes["input"][:-axes], axes), 0.5)

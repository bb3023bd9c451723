"""torch.nn.MaxPool1d/2d/3d and AvgPool1d/2d/3d."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large, long_sums, spots
from properties.cases.case import (
    CHANNELS,
    Axis,
    Case,
    Geometry,
    among,
    batches,
    cases,
    longest_axis,
    pooling_axis,
    whole,
)
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import pooling as programs
from refimpl import double_backward, pooling
from refimpl.arrays import Array
from refimpl.bounds import pooling as bounds

KERNELS = {1: 7, 2: 4, 3: 3}
LONGEST = {1: 65, 2: 33, 3: 9}
MAX_PROGRAMS = {1: programs.max_pool1d, 2: programs.max_pool2d, 3: programs.max_pool3d}
AVERAGE_PROGRAMS = {1: programs.avg_pool1d, 2: programs.avg_pool2d, 3: programs.avg_pool3d}


@st.composite
def geometry(draw: st.DrawFn, axes: int, mode: str, padded: bool = True) -> Geometry:
    """Shapes and arguments of a valid pooling with ``axes`` spatial axes; mode "max" or "average"."""
    longest = draw(longest_axis(axes, LONGEST[axes]))
    windows = [draw(pooling_axis(KERNELS[axes], length, mode == "max", padded)) for length in longest]
    arguments, channels = arguments_of(mode, draw, windows), draw(CHANNELS)
    return {"input": (*draw(batches()), channels, *(w.size for w in windows))}, arguments


def arguments_of(mode: str, draw: st.DrawFn, windows: list[Axis]) -> dict[str, Any]:
    """The arguments of a pooling with these windows; a stride that is left out is the kernel's size."""
    arguments: dict[str, Any] = {
        "kernel_size": tuple(w.kernel for w in windows),
        "padding": tuple(w.padding for w in windows),
        "ceil_mode": dealt(draw, "ceil_mode", (False, True)),
    }
    if dealt(draw, "stride", (False, True)):
        arguments["stride"] = tuple(w.stride for w in windows)
    if mode == "max":
        arguments["dilation"] = tuple(w.dilation for w in windows)
    else:
        arguments["count_include_pad"] = dealt(draw, "count_include_pad", (False, True))
        if len(windows) > 1 and dealt(draw, "divisor_override", (False, True)):
            few = max(w.kernel for w in windows) <= max(KERNELS.values())
            arguments["divisor_override"] = draw(whole(1, 9) if few else among(257, 2049, 70_000))
    return arguments


def output_shape(case: Case) -> tuple[int, ...]:
    """(N, C, *output) from the formula for each axis."""
    x = case.shapes["input"]
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    window = {name: case.arguments[name] for name in names if name in case.arguments}
    return (*x[: -len(window["kernel_size"])], *pooling.output_sizes(x, **window))


def divisors(case: Case) -> set[int]:
    """Every number that an average of this case divides by: the elements counted in some window that sees any."""
    ones = np.ones(case.shapes["input"][-len(case.arguments["kernel_size"]) - 1 :])
    counted = pooling.average_pool(ones, **{**case.arguments, "divisor_override": 1})
    means, seen = pooling.average_pool(ones, **case.arguments), counted > 0
    return {round(d) for d in np.unique(counted[seen] / means[seen])}


def constraints(axes: int, mode: str) -> tuple[must.Constraint, ...]:
    """What the documents of torch.nn.functional's poolings demand; mode "max" or "average"."""
    here = f"torch.nn.functional.{'max' if mode == 'max' else 'avg'}_pool{axes}d"
    positive = "torch.nn.MaxPool1d: kernel_size, stride and dilation 'must be > 0'; {} has the same formula"
    half = "padding 'must be >= 0 and <= kernel_size / 2'"
    if mode == "average":
        half = "padding 'should be at most half of effective kernel size'"
    size = f"torch.nn.{'Max' if mode == 'max' else 'Avg'}Pool{axes}d, Shape"
    own = [must.below("dilation", 1, positive.format(here))] if mode == "max" else []
    if mode == "average" and axes > 1:
        what = f"{here}: divisor_override 'will be used as divisor', and nothing is divided by zero"
        own += [must.argument_is("divisor_override is not 0", "divisor_override", [0], what)]
    return (
        must.kernel_at_least_one(positive.format(here)),
        must.below("stride", 1, positive.format(here)),
        must.padding_not_negative(f"torch.nn.functional.max_pool{axes}d: padding 'must be >= 0'"),
        must.padding_at_most_half(f"{here}: {half}", dilated=mode == "average"),
        must.window_fits(f"{size}: the formula gives at least one output element"),
        must.one_value_per_axis("kernel_size", f"{here}: a number or a tuple of {axes}"),
        must.one_value_per_axis("padding", f"{here}: a number or a tuple of {axes}"),
        must.rank(axes, f"{size}: (N, C, *spatial) or (C, *spatial)"),
        *own,
    )


def _max_operator(axes: int) -> Operator:
    def gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
        indices = pooling.max_pool(x, **arguments)[1]
        return (pooling.max_pool_gradient(g, indices, x.shape, axes),)

    return Operator(
        name=f"max_pool{axes}d",
        layer=f"torch.nn.MaxPool{axes}d",
        systems=("S15", "S16", "S17") if axes == 2 else ("S15",),
        cases=cases(long_sums.now_and_then(geometry(axes, "max"), long_sums.pooling)),
        program=MAX_PROGRAMS[axes],
        reference=pooling.max_pool,
        bound=bounds.max_pool,
        gradients=gradients,
        gradient_bounds=bounds.max_pool_gradients,
        second=partial(double_backward.selecting, pooling.max_pool, axes),
        gradient_magnitude=lambda g, x, **arguments: gradients(np.abs(g), x, **arguments),
        output_shape=output_shape,
        traits=frozenset({"window", "pooling", "selecting"}),
        axes=axes,
        large=large.pooling(axes, partial(arguments_of, "max")),
        parts=spots.planes,
        constraints=constraints(axes, "max"),
    )


def _average_operator(axes: int) -> Operator:
    def summed(x: Array, **arguments: Any) -> Array:
        return pooling.average_pool(np.abs(x), **{**arguments, "divisor_override": 1})

    def gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
        return (pooling.average_pool_gradient(g, x.shape, **arguments),)

    def summed_gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
        return gradients(np.abs(g), x, **{**arguments, "divisor_override": 1})

    return Operator(
        name=f"avg_pool{axes}d",
        layer=f"torch.nn.AvgPool{axes}d",
        systems=("S15", "S16", "S17") if axes == 2 else ("S15",),
        cases=cases(long_sums.now_and_then(geometry(axes, "average"), long_sums.pooling)),
        program=AVERAGE_PROGRAMS[axes],
        reference=pooling.average_pool,
        bound=bounds.average_pool,
        gradients=gradients,
        gradient_bounds=bounds.average_pool_gradients,
        second=partial(double_backward.linear, bounds.average_pool),
        output_shape=output_shape,
        traits=frozenset({"window", "pooling", "linear", "averaging"}),
        axes=axes,
        large=large.pooling(axes, partial(arguments_of, "average")),
        parts=spots.planes,
        constraints=constraints(axes, "average"),
        # Integers that every divisor divides have integer averages.
        scale=lambda case: math.lcm(*divisors(case)),
        magnitude=summed,
        gradient_magnitude=summed_gradients,
    )


def _values_alone() -> Operator:
    """Max pooling in one dimension without indices."""
    return replace(
        _max_operator(1),
        name="max_pool1d_values",
        program=programs.max_pool1d_values,
        outputs=("output",),
        reference=lambda x, **arguments: pooling.max_pool(x, **arguments)[0],
        bound=lambda x, **arguments: bounds.max_pool(x, **arguments)[0],
    )


OPERATORS = (
    *(make(axes) for make in (_max_operator, _average_operator) for axes in (1, 2, 3)),
    _values_alone(),
)

"""torch.nn.AdaptiveMaxPool1d/2d/3d and AdaptiveAvgPool1d/2d/3d."""

from __future__ import annotations

import functools
import math
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large, spots
from properties.cases.case import CHANNELS, COIN, Case, Geometry, among, batches, cases, longest_axis, sizes, whole
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import adaptive_pooling as programs
from refimpl import adaptive_pooling, double_backward, pooling
from refimpl.arrays import Array
from refimpl.bounds import adaptive_pooling as bounds
from refimpl.geometry import adaptive_window

LONGEST = {1: 65, 2: 33, 3: 9}
OUTPUTS = {1: 12, 2: 8, 3: 5}


@functools.cache
@st.composite
def output_of(draw: st.DrawFn, size: int, axes: int) -> int | None:
    """The output size asked of an axis: often a divisor, at times more than the input's, or None for the input's."""
    if axes > 1 and draw(whole(0, 4)) == 4:  # torch takes no None for a single axis
        return None
    divisors = [d for d in range(1, min(size, OUTPUTS[axes]) + 1) if size % d == 0]
    return draw(among(*divisors) if draw(COIN) else whole(1, min(size + 3, OUTPUTS[axes])))


@st.composite
def geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and output sizes with ``axes`` spatial axes."""
    spatial = [draw(sizes(1, longest)) for longest in draw(longest_axis(axes, LONGEST[axes]))]
    channels = draw(CHANNELS)
    output_size = tuple(draw(output_of(size, axes)) for size in spatial)
    return {"input": (*draw(batches()), channels, *spatial)}, {"output_size": output_size}


def output_shape(case: Case) -> tuple[int, ...]:
    """(N, C, *output_size), None spelled out."""
    x, wanted = case.shapes["input"], case.arguments["output_size"]
    return (*x[: -len(wanted)], *adaptive_pooling.output_sizes(x, wanted))


def output_shape_of_maxima(case: Case) -> tuple[int, ...]:
    """The same. Raises ValueError where windows hold no elements, of which none is the largest."""
    shape = output_shape(case)
    if adaptive_pooling.has_nothing(case.shapes["input"], shape[-len(case.arguments["output_size"]) :]):
        raise ValueError(f"an input of shape {case.shapes['input']} has no maximum")
    return shape


def counts(input_shape: tuple[int, ...], output_size: adaptive_pooling.Sizes) -> Array:
    """The elements of each window: the product of its extents."""
    output = adaptive_pooling.output_sizes(input_shape, output_size)
    axes = zip(input_shape[-len(output) :], output, strict=True)
    windows = [[adaptive_window(i, size, outputs) for i in range(outputs)] for size, outputs in axes]
    return functools.reduce(np.multiply.outer, [np.array([stop - start for start, stop in axis]) for axis in windows])


def constraints(axes: int, mode: str) -> tuple[must.Constraint, ...]:
    """What the documents of AdaptiveMaxPool and AdaptiveAvgPool demand; mode "Max" or "Avg"."""
    layer = f"torch.nn.Adaptive{mode}Pool{axes}d"
    size = f"{layer}: output_size is 'the target output size', a count of elements"
    return (
        must.each_axis("output_size is at least 0", "output_size", (-1, -2, -(2**31), -(2**62)), size),
        must.Constraint("output_size has one value per axis", f"{layer}: " + must.TUPLE.format(axes), _size_too_many),
        must.rank(axes, must.BATCHED.format(layer)),
    )


def _size_too_many(draw: st.DrawFn, case: Case) -> Case:
    return case.with_arguments(output_size=(*case.arguments["output_size"], 1))


def _max_operator(axes: int) -> Operator:
    def gradients(g: Array, x: Array, output_size: adaptive_pooling.Sizes) -> tuple[Array]:
        indices = adaptive_pooling.adaptive_max_pool(x, output_size)[1]
        return (pooling.max_pool_gradient(g, indices, x.shape, axes),)

    return Operator(
        name=f"adaptive_max_pool{axes}d",
        layer=f"torch.nn.AdaptiveMaxPool{axes}d",
        systems=("S15",),
        cases=cases(geometry(axes)),
        program=getattr(programs, f"adaptive_max_pool{axes}d"),
        reference=adaptive_pooling.adaptive_max_pool,
        bound=bounds.adaptive_max_pool,
        gradients=gradients,
        gradient_bounds=bounds.adaptive_max_pool_gradients,
        second=partial(double_backward.selecting, adaptive_pooling.adaptive_max_pool, axes),
        gradient_magnitude=lambda g, x, output_size: gradients(np.abs(g), x, output_size),
        output_shape=output_shape_of_maxima,
        traits=frozenset({"pooling", "selecting"}),
        axes=axes,
        large=large.adaptive(axes),
        parts=spots.planes,
        constraints=constraints(axes, "Max"),
    )


def _average_operator(axes: int) -> Operator:
    def summed(x: Array, output_size: adaptive_pooling.Sizes) -> Array:
        return adaptive_pooling.adaptive_average_pool(np.abs(x), output_size) * counts(x.shape, output_size)

    def gradients(g: Array, x: Array, output_size: adaptive_pooling.Sizes) -> tuple[Array]:
        return (adaptive_pooling.adaptive_average_pool_gradient(g, x.shape, output_size),)

    def summed_gradients(g: Array, x: Array, output_size: adaptive_pooling.Sizes) -> tuple[Array]:
        return gradients(np.abs(g) * counts(x.shape, output_size), x, output_size)

    return Operator(
        name=f"adaptive_avg_pool{axes}d",
        layer=f"torch.nn.AdaptiveAvgPool{axes}d",
        systems=("S15",),
        cases=cases(geometry(axes)),
        program=getattr(programs, f"adaptive_avg_pool{axes}d"),
        reference=adaptive_pooling.adaptive_average_pool,
        bound=bounds.adaptive_average_pool,
        gradients=gradients,
        gradient_bounds=bounds.adaptive_average_pool_gradients,
        second=bounds.adaptive_average_pool_second,
        output_shape=output_shape,
        traits=frozenset({"pooling", "linear", "averaging"}),
        axes=axes,
        large=large.adaptive(axes),
        parts=spots.planes,
        constraints=constraints(axes, "Avg"),
        # Integers that the elements of every window divide have integer averages.
        scale=_divisor,
        magnitude=summed,
        gradient_magnitude=summed_gradients,
    )


def _divisor(case: Case) -> int:
    found: set[Any] = set(counts(case.shapes["input"], case.arguments["output_size"]).flat)
    return math.lcm(*map(int, found))


OPERATORS = tuple(make(axes) for make in (_max_operator, _average_operator) for axes in (1, 2, 3))

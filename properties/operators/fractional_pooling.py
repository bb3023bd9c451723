"""torch.nn.FractionalMaxPool2d/3d."""

from __future__ import annotations

import functools
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import CHANNELS, Case, Geometry, among, batches, cases, longest_axis, whole
from properties.operators import fractional_pooling_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import fractional_pooling as programs
from refimpl import double_backward, fractional_pooling, pooling
from refimpl.arrays import Array
from refimpl.bounds import fractional_pooling as bounds
from refimpl.geometry import fractional_starts
from refimpl.rounding import BFLOAT16, Format

LONGEST = {2: 17, 3: 9}


@functools.cache
def certain_samples(size: int, kernel: int, outputs: int) -> tuple[float, ...]:
    """Sixty-fourths with which the starts of fractional windows are certain in bfloat16, so in every format."""
    grid = (k / 64 for k in range(64))
    return tuple(u for u in grid if fractional_pooling.certain_starts(size, kernel, outputs, u, BFLOAT16))


@functools.cache
@st.composite
def window(draw: st.DrawFn, longest: int, most: int) -> tuple[int, int, int]:
    """Size, kernel and outputs for which some sample is certain; now and then as many outputs as fit."""
    kernel, free = draw(whole(1, 4)), draw(whole(0, longest - 4))
    fitting = range(1, min(free + (draw(whole(0, 9)) == 9), most) + 1)
    certain = [outputs for outputs in fitting if certain_samples(free + kernel, kernel, outputs)]
    return free + kernel, kernel, draw(among(*(certain or [1])))


@st.composite
def geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a fractional max pooling."""
    lengths = draw(longest_axis(axes, LONGEST[axes]))
    spatial, kernel, output = zip(*(draw(window(length, 12 - 2 * axes)) for length in lengths), strict=True)
    return {"input": (*draw(batches()), draw(CHANNELS), *spatial)}, {"kernel_size": kernel, "output_size": output}


def output_shape(case: Case) -> tuple[int, ...]:
    """(N, C, *output_size). Raises ValueError where so many windows do not fit."""
    x, kernel, output = case.shapes["input"], case.arguments["kernel_size"], case.arguments["output_size"]
    for axis in zip(x[-len(output) :], kernel, output, strict=True):
        fractional_starts(*axis, sample=0.0)
    return (*x[: -len(output)], *output)


def samples(case: Case, format: Format | None = None) -> Array:
    """Certain random samples of each plane and axis, (N, C, axes) or (C, axes), axes in torch's order."""
    x, kernel, output = case.shapes["input"], case.arguments["kernel_size"], case.arguments["output_size"]
    generator, axes = np.random.default_rng([case.seed, 2]), len(kernel)
    of_axes = [
        generator.choice(certain_samples(*axis), x[:-axes]) for axis in zip(x[-axes:], kernel, output, strict=True)
    ]
    return np.stack(of_axes[::-1] if axes == 2 else of_axes, axis=-1)


def _operator(axes: int) -> Operator:
    def loops(x: Array, samples: Array, **arguments: Any) -> tuple[Array, Array]:
        return fractional_pooling.fractional_max_pool(x, samples=_batched(samples), **arguments)

    def gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
        return (pooling.max_pool_gradient(g, loops(x, **arguments)[1], x.shape, axes),)

    return Operator(
        name=f"fractional_max_pool{axes}d",
        layer=f"torch.nn.FractionalMaxPool{axes}d",
        systems=("S15",),
        cases=cases(geometry(axes)),
        program=getattr(programs, f"fractional_max_pool{axes}d"),
        reference=loops,
        bound=lambda x, samples, **arguments: bounds.fractional_max_pool(x, samples=_batched(samples), **arguments),
        gradients=gradients,
        gradient_bounds=lambda g, x, samples, **arguments: bounds.fractional_max_pool_gradients(
            g, x, samples=_batched(samples), **arguments
        ),
        second=partial(double_backward.selecting, loops, axes),
        gradient_magnitude=lambda g, x, **arguments: gradients(np.abs(g), x, **arguments),
        output_shape=output_shape,
        traits=frozenset({"pooling", "selecting"}),
        axes=axes,
        given={"samples": samples},
        rows=lambda case: {"input": axes + 1, "samples": 2},
        constraints=rules.fractional(axes),
    )


def _batched(samples: Array) -> Array:
    """(C, axes) or (N, C, axes) → (1 or N, C, axes), as torch wants them."""
    return samples[None] if samples.ndim == 2 else samples


OPERATORS = tuple(_operator(axes) for axes in (2, 3))

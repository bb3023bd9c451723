"""torch.nn.LPPool1d/2d/3d, MaxUnpool1d/2d/3d and FractionalMaxPool2d/3d."""

from __future__ import annotations

import functools
import math
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases.case import CHANNELS, Case, Geometry, batches, cases, longest_axis, pooling_axis, sizes
from properties.operators import pooling as sliding
from properties.operators import pooling_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import further_pooling as programs
from refimpl import bounds, double_backward, fractional_pooling, pooling, power_pooling, unpooling
from refimpl.arrays import Array
from refimpl.geometry import fractional_starts, unpooled_size
from refimpl.rounding import BFLOAT16, Format

KERNELS = {1: 5, 2: 4, 3: 3}
LONGEST = {1: 33, 2: 17, 3: 9}
NORMS = (2.0, 1.0, 3.0, 2, 1.5, 0.5, math.inf, -math.inf)


@st.composite
def power_geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a power-average pooling."""
    longest = draw(longest_axis(axes, LONGEST[axes]))
    windows = [draw(pooling_axis(KERNELS[axes], length, dilated=False, padded=False)) for length in longest]
    arguments: dict[str, Any] = {
        "norm_type": draw(st.sampled_from(NORMS)),
        "kernel_size": tuple(w.kernel for w in windows),
        "ceil_mode": draw(st.booleans()),
    }
    if draw(st.booleans()):
        arguments["stride"] = tuple(w.stride for w in windows)
    return {"input": (*draw(batches()), draw(CHANNELS), *(w.size for w in windows))}, arguments


def with_a_root(case: Case, name: str, values: Array) -> Array:
    """Values whose powers have a sum with a root: none negative where the exponent is no integer.

    Where it is odd, sums may be negative and have a root all the same; every other case is without. Where it is a
    fraction below two, the power's slope at zero, or the slope of that, is infinite: no zero is in several windows,
    which may have any share of it.
    """
    norm_type, kernel = case.arguments["norm_type"], case.arguments["kernel_size"]
    whole = math.isinf(norm_type) or norm_type == int(norm_type)
    if whole:
        return values if norm_type % 2 != 1 or case.seed % 2 else np.abs(values)
    overlapping = any(s < k for s, k in zip(case.arguments.get("stride", kernel), kernel, strict=True))
    return np.where((values == 0.0) & overlapping & (norm_type < 2), 1.0, np.abs(values))


@st.composite
def unpooling_axis(draw: st.DrawFn, kernels: int, longest: int, padded: bool) -> tuple[int, int, int, int, int]:
    """Size, kernel, stride and padding of one axis and what is asked for beyond the default output.

    Windows that overlap have no padding, so that each can have a maximum of its own (see :func:`apart`).
    """
    kernel = draw(st.integers(1, kernels))
    padding = draw(st.integers(0, kernel // 2)) if padded else 0
    stride = draw(st.integers(kernel if padding else 1, kernel + 2))
    size = draw(sizes(1 + (2 * padding >= kernel), longest))
    default = unpooled_size(size, kernel, stride, padding)
    # The last window starts at least one element before the end, and there is one.
    least = max(default - stride, (size - 1) * stride - padding, 0) + 1
    return size, kernel, stride, padding, draw(st.integers(least, default + stride - 1)) - default


@st.composite
def unpooling_geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a max unpooling, output size asked for or not."""
    lengths = draw(longest_axis(axes, LONGEST[axes]))
    padded, chosen = draw(st.booleans()), draw(st.booleans())
    windows = [draw(unpooling_axis(KERNELS[axes], length, padded)) for length in lengths]
    spatial, kernel, stride, padding, beyond = zip(*windows, strict=True)
    arguments: dict[str, Any] = {"kernel_size": kernel, "padding": padding}
    if draw(st.booleans()) or stride != kernel:
        arguments["stride"] = stride
    shape = (*draw(batches()), draw(CHANNELS), *spatial)
    if chosen:
        default = unpooling.output_sizes(shape, kernel, stride, padding)
        arguments["output_size"] = tuple(d + b for d, b in zip(default, beyond, strict=True))
    return {"input": shape}, arguments


def unpooled_shape(case: Case) -> tuple[int, ...]:
    """(N, C, *output) from the formula for each axis, or as asked."""
    x = case.shapes["input"]
    return (*x[: -len(case.arguments["kernel_size"])], *unpooling.output_sizes(x, **case.arguments))


def apart(case: Case, format: Format | None = None) -> Array:
    """Indices as a max pooling may give them, all of a plane distinct: of each window, an element that no other holds.

    Of a window longer than the stride these are the first so many; otherwise all that lie in the output.
    """
    x, arguments = case.shapes["input"], case.arguments
    kernel, padding = arguments["kernel_size"], arguments["padding"]
    strides, output = arguments.get("stride", kernel), unpooled_shape(case)[-len(kernel) :]
    generator, flat = np.random.default_rng([case.seed, 1]), np.zeros(x, dtype=np.int64)
    for axis, (size, k, s, p, out) in enumerate(zip(x[-len(kernel) :], kernel, strides, padding, output, strict=True)):
        starts = (np.arange(size) * s - p).reshape(-1, *(1,) * (len(kernel) - axis - 1))
        low, high = np.maximum(starts, 0), np.minimum(starts + min(k, s), out)
        flat = flat * out + generator.integers(low, high, x)
    return flat


@functools.cache
def certain_samples(size: int, kernel: int, outputs: int) -> tuple[float, ...]:
    """Sixty-fourths with which the starts of fractional windows are certain in bfloat16, so in every format."""
    grid = (k / 64 for k in range(64))
    return tuple(u for u in grid if fractional_pooling.certain_starts(size, kernel, outputs, u, BFLOAT16))


@st.composite
def fractional_axis(draw: st.DrawFn, longest: int, most: int) -> tuple[int, int, int]:
    """Size, kernel and outputs for which some sample is certain; now and then as many outputs as fit."""
    kernel, free = draw(st.integers(1, 4)), draw(st.integers(0, longest - 4))
    fitting = range(1, min(free + (draw(st.integers(0, 9)) == 9), most) + 1)
    certain = [outputs for outputs in fitting if certain_samples(free + kernel, kernel, outputs)]
    return free + kernel, kernel, draw(st.sampled_from(certain or [1]))


@st.composite
def fractional_geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a fractional max pooling."""
    lengths = draw(longest_axis(axes, LONGEST[axes]))
    spatial, kernel, output = zip(*(draw(fractional_axis(length, 12 - 2 * axes)) for length in lengths), strict=True)
    return {"input": (*draw(batches()), draw(CHANNELS), *spatial)}, {"kernel_size": kernel, "output_size": output}


def fractional_shape(case: Case) -> tuple[int, ...]:
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


def _power_operator(axes: int) -> Operator:
    return Operator(
        name=f"lp_pool{axes}d",
        layer=f"torch.nn.LPPool{axes}d",
        systems=("S15",),
        cases=cases(power_geometry(axes)),
        program=getattr(programs, f"lp_pool{axes}d"),
        reference=power_pooling.lp_pool,
        bound=bounds.lp_pool,
        gradients=lambda g, x, **arguments: (power_pooling.lp_pool_gradient(g, x, **arguments),),
        gradient_bounds=bounds.lp_pool_gradients,
        second=bounds.lp_pool_second,
        output_shape=sliding.output_shape,
        traits=frozenset({"window", "pooling"}),
        axes=axes,
        inexact="a root of an integer is seldom one",
        domain=with_a_root,
        constraints=rules.power(axes),
    )


def _unpool_operator(axes: int) -> Operator:
    def gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
        return (unpooling.max_unpool_gradient(g, **arguments),)

    return Operator(
        name=f"max_unpool{axes}d",
        layer=f"torch.nn.MaxUnpool{axes}d",
        systems=("S15",),
        cases=cases(unpooling_geometry(axes)),
        program=getattr(programs, f"max_unpool{axes}d"),
        reference=unpooling.max_unpool,
        bound=bounds.max_unpool,
        gradients=gradients,
        gradient_bounds=bounds.max_unpool_gradients,
        second=partial(double_backward.linear, bounds.max_unpool),
        output_shape=unpooled_shape,
        traits=frozenset({"pooling"}),
        axes=axes,
        given={"indices": apart},
        constraints=rules.unpooling(axes),
    )


def _fractional_operator(axes: int) -> Operator:
    def loops(x: Array, samples: Array, **arguments: Any) -> tuple[Array, Array]:
        return fractional_pooling.fractional_max_pool(x, samples=_batched(samples), **arguments)

    def gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
        return (pooling.max_pool_gradient(g, loops(x, **arguments)[1], x.shape, axes),)

    return Operator(
        name=f"fractional_max_pool{axes}d",
        layer=f"torch.nn.FractionalMaxPool{axes}d",
        systems=("S15",),
        cases=cases(fractional_geometry(axes)),
        program=getattr(programs, f"fractional_max_pool{axes}d"),
        reference=loops,
        bound=lambda x, samples, **arguments: bounds.fractional_max_pool(x, samples=_batched(samples), **arguments),
        gradients=gradients,
        gradient_bounds=lambda g, x, samples, **arguments: bounds.fractional_max_pool_gradients(
            g, x, samples=_batched(samples), **arguments
        ),
        second=partial(double_backward.selecting, loops, axes),
        gradient_magnitude=lambda g, x, **arguments: gradients(np.abs(g), x, **arguments),
        output_shape=fractional_shape,
        traits=frozenset({"pooling", "selecting"}),
        axes=axes,
        given={"samples": samples},
        rows=lambda case: {"input": axes + 1, "samples": 2},
        constraints=rules.fractional(axes),
    )


def _batched(samples: Array) -> Array:
    """(C, axes) or (N, C, axes) → (1 or N, C, axes), as torch wants them."""
    return samples[None] if samples.ndim == 2 else samples


OPERATORS = (
    *(_power_operator(axes) for axes in (1, 2, 3)),
    *(_unpool_operator(axes) for axes in (1, 2, 3)),
    *(_fractional_operator(axes) for axes in (2, 3)),
)

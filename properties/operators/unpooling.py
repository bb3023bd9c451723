"""torch.nn.MaxUnpool1d/2d/3d."""

from __future__ import annotations

import functools
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import CHANNELS, COIN, Case, Geometry, batches, cases, longest_axis, sizes, whole
from properties.cases.dealing import dealt
from properties.operators import unpooling_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import unpooling as programs
from refimpl import double_backward, unpooling
from refimpl.arrays import Array
from refimpl.bounds import unpooling as bounds
from refimpl.geometry import unpooled_size
from refimpl.rounding import Format

KERNELS = {1: 5, 2: 4, 3: 3}
LONGEST = {1: 33, 2: 17, 3: 9}


@functools.cache
@st.composite
def unpooling_axis(draw: st.DrawFn, kernels: int, longest: int, padded: bool) -> tuple[int, int, int, int, int]:
    """Size, kernel, stride and padding of one axis and what is asked for beyond the default output.

    Windows that overlap have no padding, so that each can have a maximum of its own (see :func:`apart`).
    """
    kernel = draw(whole(1, kernels))
    padding = draw(whole(0, kernel // 2)) if padded else 0
    stride = draw(whole(kernel if padding else 1, kernel + 2))
    size = draw(sizes(1 + (2 * padding >= kernel), longest))
    default = unpooled_size(size, kernel, stride, padding)
    # The last window starts at least one element before the end, and there is one.
    least = max(default - stride, (size - 1) * stride - padding, 0) + 1
    return size, kernel, stride, padding, draw(whole(least, default + stride - 1)) - default


@st.composite
def geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a max unpooling, output size asked for or not."""
    lengths = draw(longest_axis(axes, LONGEST[axes]))
    padded, chosen = dealt(draw, "padded", (False, True)), dealt(draw, "output_size", (False, True))
    windows = [draw(unpooling_axis(KERNELS[axes], length, padded)) for length in lengths]
    spatial, kernel, stride, padding, beyond = zip(*windows, strict=True)
    arguments: dict[str, Any] = {"kernel_size": kernel, "padding": padding}
    if draw(COIN) or stride != kernel:
        arguments["stride"] = stride
    shape = (*draw(batches()), draw(CHANNELS), *spatial)
    if chosen:
        default = unpooling.output_sizes(shape, kernel, stride, padding)
        arguments["output_size"] = tuple(d + b for d, b in zip(default, beyond, strict=True))
    return {"input": shape}, arguments


def output_shape(case: Case) -> tuple[int, ...]:
    """(N, C, *output) from the formula for each axis, or as asked."""
    x = case.shapes["input"]
    return (*x[: -len(case.arguments["kernel_size"])], *unpooling.output_sizes(x, **case.arguments))


def apart(case: Case, format: Format | None = None) -> Array:
    """Indices that a max pooling may give, all of a plane distinct: each window's is of an element that no other holds.

    In a window longer than the stride these are its first elements, as many as the stride; in another, all that lie in
    the output.
    """
    x, arguments = case.shapes["input"], case.arguments
    kernel, padding = arguments["kernel_size"], arguments["padding"]
    strides, output = arguments.get("stride", kernel), output_shape(case)[-len(kernel) :]
    generator, flat = np.random.default_rng([case.seed, 1]), np.zeros(x, dtype=np.int64)
    for axis, (size, k, s, p, out) in enumerate(zip(x[-len(kernel) :], kernel, strides, padding, output, strict=True)):
        starts = (np.arange(size) * s - p).reshape(-1, *(1,) * (len(kernel) - axis - 1))
        low, high = np.maximum(starts, 0), np.minimum(starts + min(k, s), out)
        flat = flat * out + generator.integers(low, high, x)
    return flat


def _operator(axes: int) -> Operator:
    def gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
        return (unpooling.max_unpool_gradient(g, **arguments),)

    return Operator(
        name=f"max_unpool{axes}d",
        layer=f"torch.nn.MaxUnpool{axes}d",
        systems=("S15",),
        cases=cases(geometry(axes)),
        program=getattr(programs, f"max_unpool{axes}d"),
        reference=unpooling.max_unpool,
        bound=bounds.max_unpool,
        gradients=gradients,
        gradient_bounds=bounds.max_unpool_gradients,
        second=partial(double_backward.linear, bounds.max_unpool),
        output_shape=output_shape,
        traits=frozenset({"pooling"}),
        axes=axes,
        given={"indices": apart},
        large=large.planes(axes, {"kernel_size": (2,) * axes, "padding": (0,) * axes}),
        constraints=rules.unpooling(axes),
    )


OPERATORS = tuple(_operator(axes) for axes in (1, 2, 3))

"""torch.nn.Conv1d, Conv2d and Conv3d."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import strategies as st

from properties.cases import (
    COIN,
    Axis,
    Case,
    Geometry,
    among,
    batches,
    cases,
    convolution_axis,
    longest_axis,
    sizes,
    whole,
)
from properties.operators import long
from properties.operators.record import Operator
from properties.programs import convolution as programs
from refimpl import bounds, convolution, second
from refimpl.arrays import Array
from refimpl.geometry import convolution_output

KERNELS = {1: 7, 2: 5, 3: 3}
LONGEST = {1: 65, 2: 33, 3: 9}
PROGRAMS = {1: programs.conv1d, 2: programs.conv2d, 3: programs.conv3d}


@st.composite
def geometry(draw: st.DrawFn, axes: int, kernels: int | None = None, padded: bool = True) -> Geometry:
    """Shapes and arguments of a valid convolution with ``axes`` spatial axes and kernels up to ``kernels``."""
    longest = draw(longest_axis(axes, LONGEST[axes]))
    windows: list[Axis] = [draw(convolution_axis(kernels or KERNELS[axes], length, padded)) for length in longest]
    groups = draw(whole(1, 3))
    inputs, outputs = (draw(whole(1, 4)) for _ in range(2))
    if groups == 1 and draw(COIN):
        inputs, outputs = draw(among((8, 1), (1, 8), (16, 2), (2, 17), (9, 9)))
    shapes = {
        "input": (*draw(batches()), groups * inputs, *(w.size for w in windows)),
        "weight": (groups * outputs, inputs, *(w.kernel for w in windows)),
    }
    if draw(COIN):
        shapes["bias"] = (groups * outputs,)
    arguments = {
        "stride": tuple(w.stride for w in windows),
        "padding": tuple(w.padding for w in windows),
        "dilation": tuple(w.dilation for w in windows),
        "groups": groups,
    }
    return shapes, arguments


@st.composite
def pointwise_geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """An unbatched input and a bank of kernels of one element each."""
    spatial = [draw(sizes(1, length)) for length in draw(longest_axis(axes, LONGEST[axes]))]
    inputs, outputs = draw(sizes(1, 17)), draw(sizes(1, 17))
    return {"input": (inputs, *spatial), "weight": (outputs, inputs, *(1,) * axes)}, {}


def output_shape(case: Case) -> tuple[int, ...]:
    """(N, C_out, *output) from the formula for each axis."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    axes = len(weight) - 2
    steps = (case.arguments[name] for name in ("stride", "padding", "dilation"))
    sizes = zip(x[-axes:], weight[2:], *steps, strict=True)
    return (*x[: -axes - 1], weight[0], *(convolution_output(*size) for size in sizes))


def gradients(g: Array, x: Array, weight: Array, bias: Array | None = None, **arguments: Any) -> tuple[Array, ...]:
    """The loops' gradients to input, weight and, where there is one, bias."""
    to_operands = (
        convolution.input_gradient(g, x.shape, weight, **arguments),
        convolution.weight_gradient(g, x, weight.shape, **arguments),
    )
    return to_operands if bias is None else (*to_operands, convolution.bias_gradient(g, weight.ndim - 2))


def _operator(axes: int) -> Operator:
    return Operator(
        name=f"conv{axes}d",
        layer=f"torch.nn.Conv{axes}d",
        systems=("S3", "S4", "S5", "S10", "S11", "S12", "S13") if axes == 2 else ("S3",),
        cases=cases(long.now_and_then(geometry(axes), long.convolution(axes))),
        program=PROGRAMS[axes],
        reference=convolution.cross_correlate,
        bound=bounds.cross_correlate,
        gradients=gradients,
        gradient_bounds=bounds.convolution_gradients,
        second=partial(second.bilinear, bounds.cross_correlate, bounds.convolution_gradients),
        output_shape=output_shape,
        traits=frozenset({"window", "kernel"}),
        axes=axes,
    )


OPERATORS = tuple(_operator(axes) for axes in (1, 2, 3))

"""torch.nn.ConvTranspose1d, ConvTranspose2d and ConvTranspose3d."""

from __future__ import annotations

import functools
from functools import partial
from typing import Any

from hypothesis import strategies as st

from properties.cases import image_sized, large, long_sums, tiled
from properties.cases.case import COIN, Axis, Case, Geometry, among, batches, cases, longest_axis, sizes, whole
from properties.cases.dealing import dealt
from properties.operators import transposed_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import transposed as programs
from refimpl import convolution, double_backward, transposed
from refimpl.arrays import Array
from refimpl.bounds import transposed as bounds
from refimpl.geometry import convolution_output, effective_kernel, transposed_output

KERNELS = {1: 7, 2: 4, 3: 3}
LONGEST = {1: 33, 2: 17, 3: 8}
PROGRAMS = {1: programs.conv_transpose1d, 2: programs.conv_transpose2d, 3: programs.conv_transpose3d}


@functools.cache
@st.composite
def transposed_axis(draw: st.DrawFn, kernels: int, longest: int) -> tuple[Axis, int]:
    """A window and its output padding; padding takes at most all but one element of the output."""
    kernel, dilation, stride = draw(whole(1, kernels)), draw(whole(1, 3)), draw(whole(1, 4))
    size = draw(sizes(1, longest))
    output_padding = draw(whole(0, max(stride, dilation) - 1))
    full = transposed_output(size, kernel, stride, 0, output_padding, dilation)
    padding = draw(whole(0, min((full - 1) // 2, dilation * kernel)))
    return Axis(size, kernel, stride, padding, dilation), output_padding


@st.composite
def geometry(draw: st.DrawFn, axes: int) -> Geometry:
    """Shapes and arguments of a valid transposed convolution with ``axes`` spatial axes."""
    drawn = [draw(transposed_axis(KERNELS[axes], length)) for length in draw(longest_axis(axes, LONGEST[axes]))]
    windows = [window for window, _ in drawn]
    groups = draw(whole(2, 3)) if dealt(draw, "grouped", (False, True, True)) else 1
    inputs, outputs = draw(whole(1, 3)), draw(whole(1, 3))
    if groups == 1 and draw(COIN):
        inputs, outputs = draw(among((8, 1), (1, 8), (17, 2), (2, 17), (9, 9)))
    shapes = {
        "input": (*draw(batches()), groups * inputs, *(w.size for w in windows)),
        "weight": (groups * inputs, outputs, *(w.kernel for w in windows)),
    }
    if dealt(draw, "bias", (False, True)):
        shapes["bias"] = (groups * outputs,)
    arguments = {
        "stride": tuple(w.stride for w in windows),
        "padding": tuple(w.padding for w in windows),
        "output_padding": tuple(output_padding for _, output_padding in drawn),
        "groups": groups,
        "dilation": tuple(w.dilation for w in windows),
    }
    return shapes, arguments


def turned(convolution: Geometry) -> Geometry:
    """The transposed convolution whose gradient to its input is this convolution."""
    shapes, given = convolution
    axes = len(given["stride"])
    (*batch, channels), sizes = shapes["input"][:-axes], shapes["input"][-axes:]
    steps = (given["stride"], given["padding"], given["dilation"])
    windows = list(zip(sizes, shapes["weight"][2:], *steps, strict=True))
    outputs = tuple(convolution_output(*window) for window in windows)
    left_over = tuple((size + 2 * p - effective_kernel(k, d)) % s for size, k, s, p, d in windows)
    bias = {"bias": (channels,)} if "bias" in shapes else {}
    return {"input": (*batch, shapes["weight"][0], *outputs), "weight": shapes["weight"], **bias}, {
        "stride": given["stride"], "padding": given["padding"], "output_padding": left_over,
        "groups": given["groups"], "dilation": given["dilation"],
    }  # fmt: skip


def _tiled(draw: st.DrawFn, usual: Geometry) -> Geometry:
    return turned(tiled.convolution(draw, usual))


def _image_sized(draw: st.DrawFn, usual: Geometry) -> Geometry:
    return turned(image_sized.convolution(draw, usual))


def output_shape(case: Case) -> tuple[int, ...]:
    """(N, C_out, *output) from the formula for each axis."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    axes = len(weight) - 2
    steps = (case.arguments[name] for name in ("stride", "padding", "output_padding", "dilation"))
    sizes = zip(x[-axes:], weight[2:], *steps, strict=True)
    channels = weight[1] * case.arguments["groups"]
    return (*x[: -axes - 1], channels, *(transposed_output(*size) for size in sizes))


def gradients(g: Array, x: Array, weight: Array, bias: Array | None = None, **arguments: Any) -> tuple[Array, ...]:
    """The loops' gradients to input, weight and, where there is one, bias."""
    to_operands = (
        transposed.input_gradient(g, x.shape, weight, **arguments),
        transposed.weight_gradient(g, x, weight.shape, **arguments),
    )
    return to_operands if bias is None else (*to_operands, convolution.bias_gradient(g, weight.ndim - 2))


def _operator(axes: int) -> Operator:
    return Operator(
        name=f"conv_transpose{axes}d",
        layer=f"torch.nn.ConvTranspose{axes}d",
        systems=(),
        cases=cases(long_sums.now_and_then(geometry(axes), _tiled, _image_sized)),
        program=PROGRAMS[axes],
        reference=transposed.conv_transpose,
        bound=bounds.conv_transpose,
        gradients=gradients,
        gradient_bounds=bounds.conv_transpose_gradients,
        second=partial(double_backward.bilinear, bounds.conv_transpose, bounds.conv_transpose_gradients),
        output_shape=output_shape,
        traits=frozenset({"linear", "transposed", "products"}),
        axes=axes,
        large=large.mapped(lambda drawn: drawn.map(turned), large.convolution(axes)),
        constraints=rules.transposed(axes),
    )


OPERATORS = tuple(_operator(axes) for axes in (1, 2, 3))

"""torch.nn.Conv1d, Conv2d and Conv3d."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import strategies as st

from properties.cases import image_sized, large, long_sums, spots, tiled
from properties.cases.case import (
    COIN,
    Axis,
    Case,
    Geometry,
    among,
    batches,
    cases,
    convolution_axis,
    convolution_of,
    longest_axis,
    sizes,
    whole,
)
from properties.cases.dealing import dealt
from properties.operators import constraints as must
from properties.operators.record import Operator
from properties.worker.programs import convolution as programs
from refimpl import convolution, double_backward
from refimpl.arrays import Array
from refimpl.bounds import convolution as bounds
from refimpl.geometry import convolution_output

KERNELS = {1: 7, 2: 5, 3: 3}
LONGEST = {1: 65, 2: 33, 3: 17}
PROGRAMS = {1: programs.conv1d, 2: programs.conv2d, 3: programs.conv3d}


@st.composite
def geometry(draw: st.DrawFn, axes: int, kernels: int | None = None, padded: bool = True) -> Geometry:
    """Shapes and arguments of a valid convolution with ``axes`` spatial axes and kernels up to ``kernels``."""
    longest = draw(longest_axis(axes, LONGEST[axes]))
    windows: list[Axis] = [draw(convolution_axis(kernels or KERNELS[axes], length, padded)) for length in longest]
    groups = draw(among(2, 3)) if dealt(draw, "grouped", (False, True, True)) else 1
    inputs, outputs = (draw(whole(1, 4)) for _ in range(2))
    if groups == 1 and draw(COIN):
        inputs, outputs = draw(among((8, 1), (1, 8), (16, 2), (2, 17), (9, 9)))
    return convolution_of(windows, draw(batches()), inputs, outputs, groups, dealt(draw, "bias", (False, True)))


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


def _more_groups(draw: st.DrawFn, case: Case) -> Case:
    """Two groups of the same input channels each, for an odd number of output channels."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    axes, outputs = len(weight) - 2, weight[0] + 1 - weight[0] % 2
    case = case.with_shape("input", (*x[: -axes - 1], 2 * weight[1], *x[-axes:])).with_arguments(groups=2)
    case = case.with_shape("weight", (outputs, *weight[1:]))
    return case.with_shape("bias", (outputs,)) if "bias" in case.shapes else case


def _no_kernel(draw: st.DrawFn, case: Case) -> Case:
    return must.with_window(case, must.draw_axis(draw, case), 0)


def constraints(axes: int) -> tuple[must.Constraint, ...]:
    """What the documents of torch.nn.functional's convolutions demand."""
    here, size = f"torch.nn.functional.conv{axes}d", f"torch.nn.Conv{axes}d, Shape"
    formula = f"{size}: the formula gives a whole number of output elements, at least one"
    channels = f"{here}: weight has shape (out_channels, in_channels/groups, *kernel)"

    def other_channels(case: Case) -> list[tuple[int, ...]]:
        return [must.longer(case.shapes["input"], -axes - 1)]

    def other_biases(case: Case) -> list[tuple[int, ...]]:
        outputs = case.shapes["weight"][0]
        return [(outputs + 1,), (outputs, 1), (), *([(1,)] if outputs > 1 else [])]

    return (
        must.below("stride", 1, formula),
        must.below("dilation", 1, formula),
        must.padding_not_negative(f"torch.nn.Conv{axes}d: padding is added to the input"),
        must.Constraint("the kernel has at least one element", formula, _no_kernel),
        must.window_fits(formula),
        must.one_value_per_axis("stride", f"{here}: a number or a tuple of {axes}"),
        must.one_value_per_axis("padding", f"{here}: a number or a tuple of {axes}"),
        must.rank(axes, f"{size}: (N, C, *spatial) or (C, *spatial)"),
        must.argument_is("groups is at least 1", "groups", [0, -1, -(2**62)], f"{here}: groups divides the channels"),
        must.Constraint(
            "groups divides the output channels", f"{here}: out_channels 'should be divisible by the number of groups'",
            _more_groups,
        ),
        must.operand_shape("input and weight have the same channels", "input", channels, other_channels),
        must.operand_shape("bias has one value per output channel", "bias", f"{here}: bias 'of shape (out_channels)'",
                           other_biases),
        must.argument_is("padding is a number or a known word", "padding", ["full", "SAME", ""],
                         f"{here}: padding 'can be a string {{valid, same}}'"),
    )  # fmt: skip


def _operator(axes: int) -> Operator:
    return Operator(
        name=f"conv{axes}d",
        layer=f"torch.nn.Conv{axes}d",
        systems=("S3", "S4", "S5", "S10", "S11", "S12", "S13") if axes == 2 else ("S3",),
        cases=cases(
            long_sums.now_and_then(geometry(axes), long_sums.convolution, tiled.convolution, image_sized.convolution)
        ),
        program=PROGRAMS[axes],
        reference=convolution.cross_correlate,
        bound=bounds.cross_correlate,
        gradients=gradients,
        gradient_bounds=bounds.convolution_gradients,
        second=partial(double_backward.bilinear, bounds.cross_correlate, bounds.convolution_gradients),
        output_shape=output_shape,
        traits=frozenset({"window", "kernel", "products"}),
        axes=axes,
        large=large.convolution(axes),
        parts=spots.convolution,
        constraints=constraints(axes),
    )


OPERATORS = tuple(_operator(axes) for axes in (1, 2, 3))

"""torch.nn.Conv1d, Conv2d and Conv3d with each of their ``padding_mode``s, and with padding "same" and "valid"."""

from __future__ import annotations

import functools
from functools import partial

from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import (
    Axis,
    Case,
    Geometry,
    among,
    batches,
    cases,
    convolution_of,
    longest_axis,
    sizes,
    whole,
)
from properties.cases.dealing import dealt
from properties.operators import padded_convolution_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import padded_convolution as programs
from refimpl import double_backward, padded_convolution, padding
from refimpl.bounds import padded_convolution as bounds
from refimpl.geometry import convolution_output, effective_kernel, same_split

KERNELS = {1: 5, 2: 4, 3: 3}
LONGEST = {1: 33, 2: 17, 3: 8}
MODES = ("zeros", "reflect", "replicate", "circular")
PROGRAMS = {1: programs.conv1d_padded, 2: programs.conv2d_padded, 3: programs.conv3d_padded}


@functools.cache
@st.composite
def padded_axis(draw: st.DrawFn, kernels: int, longest: int, mode: str, word: str | None) -> Axis:
    """A window and an input that is long enough for it and for its padding; "same" takes only a stride of 1."""
    kernel, dilation = draw(whole(1, kernels)), draw(whole(1, 3))
    effective = effective_kernel(kernel, dilation)
    amount = 0 if word else draw(whole(0, min(effective + 1, 4)))
    sides = same_split(kernel, dilation) if word == "same" else (amount, amount)
    enough = {"reflect": max(sides) + 1, "circular": max(sides)}.get(mode, 1)
    size = draw(sizes(max(1, effective - sum(sides), enough), longest))
    return Axis(size, kernel, 1 if word == "same" else draw(whole(1, 3)), amount, dilation)


@st.composite
def geometry(draw: st.DrawFn, axes: int, form: tuple[str, str | None] | None = None) -> Geometry:
    """Shapes and arguments of a valid convolution with ``axes`` spatial axes, padded in some mode.

    form: a mode, and a word for the padding or None for amounts.
    """
    words = (None, None, "same", "valid")
    mode, word = form or (dealt(draw, "padding_mode", MODES), dealt(draw, "padding", words))
    longest = draw(longest_axis(axes, LONGEST[axes]))
    windows = [draw(padded_axis(KERNELS[axes], length, mode, word)) for length in longest]
    groups, bias = 2 if dealt(draw, "grouped", (False, True)) else 1, dealt(draw, "bias", (False, True))
    inputs, outputs = draw(whole(1, 3)), draw(whole(1, 3))
    shapes, arguments = convolution_of(windows, draw(batches()), inputs, outputs, groups, bias)
    arguments |= {"padding": word or arguments["padding"], "padding_mode": mode}
    return shapes, arguments


@st.composite
def padded(draw: st.DrawFn, convolutions: st.SearchStrategy[Geometry]) -> Geometry:
    """One of these convolutions in a mode that pads any input."""
    shapes, arguments = draw(convolutions)
    return shapes, {**arguments, "padding_mode": draw(among("replicate", "zeros"))}


def output_shape(case: Case) -> tuple[int, ...]:
    """(N, C_out, *output): the size of each axis with its padding, then the formula of a convolution.

    Raises ValueError where the mode has not the elements to pad with.
    """
    x, weight, given = case.shapes["input"], case.shapes["weight"], case.arguments
    axes = len(weight) - 2
    amounts = padding.convolution_padding(weight[2:], given["padding"], given["dilation"])
    mode = "constant" if given["padding_mode"] == "zeros" else given["padding_mode"]
    sides = [(x[-1 - k], amounts[2 * k], amounts[2 * k + 1]) for k in reversed(range(axes))]
    padded = [padding.padded_axis(*side, mode) for side in sides]
    windows = zip(padded, weight[2:], given["stride"], (0,) * axes, given["dilation"], strict=True)
    return (*x[: -axes - 1], weight[0], *(convolution_output(*window) for window in windows))


def _operator(axes: int) -> Operator:
    return Operator(
        name=f"conv{axes}d_padded",
        layer=f"torch.nn.Conv{axes}d",
        systems=("S4", "S10") if axes == 2 else (),
        cases=cases(geometry(axes)),
        program=PROGRAMS[axes],
        reference=padded_convolution.padded_convolution,
        bound=bounds.padded_convolution,
        gradients=padded_convolution.padded_convolution_gradients,
        gradient_bounds=bounds.padded_convolution_gradients,
        second=partial(double_backward.bilinear, bounds.padded_convolution, bounds.padded_convolution_gradients),
        output_shape=output_shape,
        staged_gradients=True,  # the gradient of the padded input, before what lies in the padding is added up
        traits=frozenset({"linear", "padded"}),
        axes=axes,
        large=large.mapped(padded, large.convolution(axes)),
        constraints=rules.padded(axes),
    )


OPERATORS = tuple(_operator(axes) for axes in (1, 2, 3))

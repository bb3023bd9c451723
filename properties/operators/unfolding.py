"""torch.nn.Unfold and torch.nn.Fold."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import Axis, Case, Geometry, batches, cases, convolution_axis, longest_axis
from properties.operators import unfolding_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import unfolding as programs
from refimpl import double_backward, unfolding
from refimpl.arrays import Array
from refimpl.bounds import unfolding as bounds
from refimpl.geometry import convolution_output

KERNELS, LONGEST = 4, 17


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[Axis], dict[str, Any]]:
    """The windows of both axes, and the arguments that describe them."""
    axes = [draw(convolution_axis(KERNELS, length)) for length in draw(longest_axis(2, LONGEST))]
    words = {"kernel_size": "kernel", "dilation": "dilation", "padding": "padding", "stride": "stride"}
    return axes, {name: tuple(getattr(axis, word) for axis in axes) for name, word in words.items()}


@st.composite
def unfold_geometry(draw: st.DrawFn) -> Geometry:
    """(N, C, H, W) or (C, H, W), at least as large as the window."""
    axes, arguments = draw(windows())
    return {"input": (*draw(batches()), draw(st.integers(1, 4)), *(axis.size for axis in axes))}, arguments


@st.composite
def fold_geometry(draw: st.DrawFn) -> Geometry:
    """(N, C·A·B, I·J) or (C·A·B, I·J): as many columns as there are windows in the output."""
    axes, arguments = draw(windows())
    size = tuple(axis.size for axis in axes)
    channels = draw(st.integers(1, 4)) * math.prod(arguments["kernel_size"])
    columns = math.prod(_blocks(size, arguments))
    return {"input": (*draw(batches()), channels, columns)}, {"output_size": size, **arguments}


def _blocks(size: tuple[int, ...], given: Any) -> tuple[int, ...]:
    steps = (given[name] for name in ("kernel_size", "stride", "padding", "dilation"))
    return tuple(convolution_output(*axis) for axis in zip(size, *steps, strict=True))


def unfold_shape(case: Case) -> tuple[int, ...]:
    """(N, C·A·B, I·J)."""
    *leading, channels, rows, columns = case.shapes["input"]
    elements = channels * math.prod(case.arguments["kernel_size"])
    return (*leading, elements, math.prod(_blocks((rows, columns), case.arguments)))


def fold_shape(case: Case) -> tuple[int, ...]:
    """(N, C, H, W)."""
    *leading, elements, _ = case.shapes["input"]
    return (*leading, elements // math.prod(case.arguments["kernel_size"]), *case.arguments["output_size"])


def _unfold_gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
    return (unfolding.unfold_gradient(g, x.shape, **arguments),)


def _fold_gradients(g: Array, x: Array, **arguments: Any) -> tuple[Array]:
    return (unfolding.fold_gradient(g, **arguments),)


OPERATORS = (
    Operator(
        name="unfold",
        layer="torch.nn.Unfold",
        systems=("S14",),
        cases=cases(unfold_geometry()),
        program=programs.unfold,
        reference=unfolding.unfold,
        bound=bounds.unfold,
        gradients=_unfold_gradients,
        gradient_bounds=bounds.unfold_gradients,
        second=partial(double_backward.linear, bounds.unfold),
        output_shape=unfold_shape,
        traits=frozenset({"linear"}),
        axes=2,
        constraints=rules.unfold(),
    ),
    Operator(
        name="fold",
        layer="torch.nn.Fold",
        systems=(),
        cases=cases(fold_geometry()),
        program=programs.fold,
        reference=unfolding.fold,
        bound=bounds.fold,
        gradients=_fold_gradients,
        gradient_bounds=bounds.fold_gradients,
        second=partial(double_backward.linear, bounds.fold),
        output_shape=fold_shape,
        traits=frozenset({"linear", "columns"}),
        axes=2,
        rows=lambda case: {"input": 2},
        constraints=rules.fold(),
    ),
)

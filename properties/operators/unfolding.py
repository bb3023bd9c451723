"""torch.nn.Unfold and torch.nn.Fold."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from properties.cases import large
from properties.cases.case import Axis, Case, Geometry, batches, cases, convolution_axis, longest_axis, whole
from properties.operators import unfolding_constraints as rules
from properties.operators.record import Operator
from properties.worker.programs import unfolding as programs
from refimpl import double_backward, unfolding
from refimpl.arrays import Array
from refimpl.bounds import unfolding as bounds
from refimpl.geometry import convolution_output

KERNELS, LONGEST = 4, 17


@st.composite
def windows(draw: st.DrawFn) -> list[Axis]:
    """The windows of both axes."""
    return [draw(convolution_axis(KERNELS, length)) for length in draw(longest_axis(2, LONGEST))]


def _arguments_of(axes: list[Axis]) -> dict[str, Any]:
    words = {"kernel_size": "kernel", "dilation": "dilation", "padding": "padding", "stride": "stride"}
    return {name: tuple(getattr(axis, word) for axis in axes) for name, word in words.items()}


@st.composite
def unfold_geometry(draw: st.DrawFn) -> Geometry:
    """(N, C, H, W) or (C, H, W), at least as large as the window."""
    return _unfold_of(draw(windows()), draw(batches()), draw(whole(1, 4)))


@st.composite
def fold_geometry(draw: st.DrawFn) -> Geometry:
    """(N, C·A·B, I·J) or (C·A·B, I·J): as many columns as there are windows in the output."""
    return _fold_of(draw(windows()), draw(batches()), draw(whole(1, 4)))


def _unfold_of(axes: list[Axis], batch: tuple[int, ...], channels: int) -> Geometry:
    return {"input": (*batch, channels, *(axis.size for axis in axes))}, _arguments_of(axes)


def _fold_of(axes: list[Axis], batch: tuple[int, ...], channels: int) -> Geometry:
    arguments, size = _arguments_of(axes), tuple(axis.size for axis in axes)
    shape = (*batch, channels * math.prod(arguments["kernel_size"]), math.prod(_blocks(size, arguments)))
    return {"input": shape}, {"output_size": size, **arguments}


def _large(make: Callable[[list[Axis], tuple[int, ...], int], Geometry]) -> large.Kinds:
    """What can be large about either layer, which ``make`` makes of windows, a batch and channels."""

    def of_numbers(draw: st.DrawFn, images: int, channels: int) -> Geometry:
        return make(large.short_axes(draw, 2), (images,), channels)

    return {
        **large.each(of_numbers, images=large.TWO, channels=large.TWO),
        **large.each_axis(
            2, lambda draw, axes: make(axes, (1,), 1), taps=large.many_taps, positions=large.many_positions
        ),
    }


def _blocks(size: tuple[int, ...], given: Any) -> tuple[int, ...]:
    steps = (given[name] for name in ("kernel_size", "stride", "padding", "dilation"))
    return tuple(convolution_output(*axis) for axis in zip(size, *steps, strict=True))


def unfold_shape(case: Case) -> tuple[int, ...]:
    """(N, C·A·B, I·J)."""
    *leading, channels, rows, columns = case.shapes["input"]
    elements = channels * math.prod(case.arguments["kernel_size"])
    return (*leading, elements, math.prod(_blocks((rows, columns), case.arguments)))


def fold_shape(case: Case) -> tuple[int, ...]:
    """(N, C, H, W). Raises ValueError where there is not one column for each block."""
    *leading, elements, columns = case.shapes["input"]
    if columns != math.prod(_blocks(case.arguments["output_size"], case.arguments)):
        raise ValueError(f"{columns} columns are not as many as there are blocks")
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
        traits=frozenset({"linear", "blocks"}),
        axes=2,
        large=_large(_unfold_of),
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
        large=_large(_fold_of),
        constraints=rules.fold(),
    ),
)

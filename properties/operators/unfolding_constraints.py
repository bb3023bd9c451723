"""What unfold and fold forbid."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from properties.cases.case import Case
from properties.operators import constraints as must


def unfold() -> tuple[must.Constraint, ...]:
    """The rules of Unfold."""
    formula = "torch.nn.Unfold: the formula gives a whole number of blocks, at least one"
    return (*_sliding("torch.nn.Unfold", formula), must.padding_not_negative(_PADS), must.window_fits(formula),
            must.rank(2, "torch.nn.Unfold, Shape: (N, C, *), and an example without its batch"))  # fmt: skip


def fold() -> tuple[must.Constraint, ...]:
    """The rules of Fold."""
    formula = "torch.nn.Fold: the arguments must satisfy the formula for the number of blocks"
    shape = "torch.nn.Fold, Shape: (N, C·Π kernel_size, L) or (C·Π kernel_size, L)"
    return (
        *_sliding("torch.nn.Fold", formula),
        must.Constraint("padding is at least 0", _PADS, _cropped_output),
        must.one_value_per_axis("output_size", "torch.nn.Fold: a number or a tuple of 2"),
        must.Constraint("a kernel's elements divide the channels", shape, _divided_badly),
        must.operand_shape("there are as many columns as blocks", "input", formula,
                           lambda case: [must.longer(case.shapes["input"], -1)]),
        must.Constraint("output_size is at least 0",
                        "torch.nn.Fold: output_size is 'the shape of the spatial dimensions of the output'",
                        _no_output),
        must.Constraint("the input has its axes with a batch, or without", shape, _other_rank, of_rank=True),
    )  # fmt: skip


_PADS = "torch.nn.Unfold: 'implicit zero padding to be added on both sides of input'"


def _sliding(layer: str, formula: str) -> tuple[must.Constraint, ...]:
    return (
        must.Constraint("kernel_size is at least 1", f"{layer}: 'the size of the sliding blocks'", _no_block),
        must.below("stride", 1, formula),
        must.below("dilation", 1, formula),
        *(
            must.one_value_per_axis(name, f"{layer}: an integer, or one for each axis")
            for name in ("kernel_size", "stride", "padding", "dilation")
        ),
    )


def _no_block(draw: st.DrawFn, case: Case) -> Case:
    return must.on_axis(case, "kernel_size", must.draw_axis(draw, case), draw(st.sampled_from([0, -1, -3])))


def _cropped_output(draw: st.DrawFn, case: Case) -> Case:
    """A negative padding, and an output so much larger that there are as many blocks."""
    axis, padding = must.draw_axis(draw, case), -draw(st.integers(1, 3))
    size = case.arguments["output_size"][axis] + 2 * (case.arguments["padding"][axis] - padding)
    return must.on_axis(must.on_axis(case, "output_size", axis, size), "padding", axis, padding)


def _divided_badly(draw: st.DrawFn, case: Case) -> Case:
    """One channel too many of columns for blocks of two elements or more."""
    case = must.on_axis(case, "kernel_size", 0, max(2, case.arguments["kernel_size"][0]))
    block = math.prod(case.arguments["kernel_size"])
    *leading, _, columns = case.shapes["input"]
    return case.with_shape("input", (*leading, block + draw(st.integers(1, block - 1)), columns))


def _no_output(draw: st.DrawFn, case: Case) -> Case:
    return must.on_axis(case, "output_size", must.draw_axis(draw, case), draw(st.sampled_from([-1, -2, -(2**31)])))


def _other_rank(draw: st.DrawFn, case: Case) -> Case:
    *_, elements, columns = case.shapes["input"]
    return case.with_shape("input", draw(st.sampled_from([(1, 1, elements, columns), (columns,), ()])))

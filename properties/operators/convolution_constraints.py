"""What transposed convolutions, padded convolutions, unfold and fold forbid."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import strategies as st

from properties.cases.case import Case, kernel_size, with_spatial
from properties.operators import constraints as must
from properties.operators import convolution
from refimpl.geometry import effective_kernel, same_split

TUPLE = "a number or a tuple of {}"


def transposed(axes: int) -> tuple[must.Constraint, ...]:
    """Of ConvTranspose."""
    here, layer = f"torch.nn.functional.conv_transpose{axes}d", f"torch.nn.ConvTranspose{axes}d"
    gradient = f"{layer}: 'can be seen as the gradient of Conv{axes}d with respect to its input', whose {{}} is so"
    ambiguity = f"{layer}: output_padding is 'to resolve this ambiguity' among the input sizes of one output size"
    weight = f"{here}: weight has shape (in_channels, out_channels/groups, *kernel)"
    return (
        must.below("stride", 1, gradient.format("stride")),
        must.below("dilation", 1, gradient.format("dilation")),
        must.below("padding", 0, gradient.format("padding"), values=(-1, -2, -3)),
        must.below("output_padding", 0, f"{layer}: 'Additional size added to one side'", values=(-1, -2)),
        must.Constraint("output_padding is smaller than stride or dilation", ambiguity, _much_output_padding),
        must.Constraint("the kernel has at least one element", gradient.format("kernel"), _no_kernel),
        must.Constraint("the output has no negative size", f"{layer}, Shape: the formula", _negative_output),
        *(
            must.one_value_per_axis(name, f"{here}: {TUPLE.format(axes)}")
            for name in ("stride", "padding", "output_padding", "dilation")
        ),
        must.rank(axes, f"{layer}, Shape: (N, C, *spatial) or (C, *spatial)"),
        must.argument_is("groups is at least 1", "groups", [0, -1, -(2**62)], f"{here}: groups divides the channels"),
        must.Constraint(
            "groups divides the input channels", f"{here}: in_channels 'should be divisible by the number of groups'",
            _odd_channels,
        ),
        must.operand_shape("input and weight have the same channels", "input", weight,
                           lambda case: [must.longer(case.shapes["input"], -axes - 1)]),
        must.operand_shape("bias has one value per output channel", "bias", f"{here}: bias 'of shape (out_channels)'",
                           _other_biases),
    )  # fmt: skip


def _much_output_padding(draw: st.DrawFn, case: Case) -> Case:
    axis = must.draw_axis(draw, case)
    least = max(case.arguments["stride"][axis], case.arguments["dilation"][axis])
    return must.on_axis(case, "output_padding", axis, least + draw(st.sampled_from([0, 1, 2**31])))


def _no_kernel(draw: st.DrawFn, case: Case) -> Case:
    """An empty kernel, on one axis, where the formula has an output all the same."""
    axis = must.draw_axis(draw, case)
    sizes = list(case.shapes["input"][-len(kernel_size(case)) :])
    sizes[axis] += 2 * case.arguments["padding"][axis] + case.arguments["dilation"][axis]
    return must.with_window(with_spatial(case, sizes), axis, 0)


def _negative_output(draw: st.DrawFn, case: Case) -> Case:
    """One element under a kernel of one, padded, on one axis."""
    axis = must.draw_axis(draw, case)
    sizes = list(case.shapes["input"][-len(kernel_size(case)) :])
    sizes[axis] = 1
    case = must.with_window(must.on_axis(with_spatial(case, sizes), "output_padding", axis, 0), axis, 1)
    return must.on_axis(case, "padding", axis, draw(st.integers(1, 4)))


def _odd_channels(draw: st.DrawFn, case: Case) -> Case:
    """Two groups for an odd number of input channels."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    axes, inputs = len(weight) - 2, weight[0] + 1 - weight[0] % 2
    case = case.with_shape("input", (*x[: -axes - 1], inputs, *x[-axes:])).with_arguments(groups=2)
    case = case.with_shape("weight", (inputs, *weight[1:]))
    return case.with_shape("bias", (2 * weight[1],)) if "bias" in case.shapes else case


def _other_biases(case: Case) -> list[tuple[int, ...]]:
    outputs = case.shapes["weight"][1] * case.arguments["groups"]
    return [(outputs + 1,), (outputs, 1), (), *([(1,)] if outputs > 1 else [])]


def padded(axes: int) -> tuple[must.Constraint, ...]:
    """Of Conv with a padding mode: all that a convolution forbids, and what each mode needs."""
    layer = f"torch.nn.Conv{axes}d"
    pads = {mode: f"torch.nn.{name}Pad{axes}d: 'padding size should be {size} the corresponding input dimension'"
            for mode, name, size in (("reflect", "Reflection", "less than"),
                                     ("circular", "Circular", "less than or equal to"))}  # fmt: skip
    return (
        *(_numbered(rule) for rule in convolution.constraints(axes)),
        must.Constraint(
            "'same' takes no stride but 1", f"{layer}: 'this mode doesn't support any stride values other than 1'",
            _strided,
        ),
        must.argument_is(
            "padding_mode is known", "padding_mode", ["reflection", "", "ZEROS"],
            f"{layer}: padding_mode is 'zeros', 'reflect', 'replicate' or 'circular'",
        ),
        must.Constraint("reflection is of less than the input", pads["reflect"], _much("reflect")),
        must.Constraint("a circle is of at most the input", pads["circular"], _much("circular")),
    )  # fmt: skip


def _numbered(rule: must.Constraint) -> must.Constraint:
    """A rule of convolutions for one whose padding is a word, or whose mode takes what zeros do not."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        axes = len(kernel_size(case))
        if isinstance(case.arguments["padding"], str):
            case = case.with_arguments(padding=(0,) * axes)
        if rule.name == "padding is at least 0":  # other modes say nothing of it, and crop
            case = case.with_arguments(padding_mode="zeros")
        return rule.violate(draw, case)

    return replace(rule, violate=violate)


def _strided(draw: st.DrawFn, case: Case) -> Case:
    """A stride of two or three on one axis of an input long enough for every mode."""
    axis, axes = must.draw_axis(draw, case), len(kernel_size(case))
    reach = [sum(same_split(k, d)) + 1 for k, d in zip(kernel_size(case), case.arguments["dilation"], strict=True)]
    sizes = (max(size, more) for size, more in zip(case.shapes["input"][-axes:], reach, strict=True))
    case = with_spatial(case, sizes).with_arguments(padding="same", stride=(1,) * axes)
    return must.on_axis(case, "stride", axis, draw(st.integers(2, 3)))


def _much(mode: str) -> must.Violate:
    """Padding on one axis that the input does not have the elements for; the window fits all the same."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        axis, axes = must.draw_axis(draw, case), len(kernel_size(case))
        case = case.with_arguments(padding_mode=mode, padding=(0,) * axes)
        reach = [effective_kernel(k, d) for k, d in zip(kernel_size(case), case.arguments["dilation"], strict=True)]
        sizes = [max(size, most) for size, most in zip(case.shapes["input"][-axes:], reach, strict=True)]
        least = sizes[axis] + (mode == "circular")
        return must.on_axis(with_spatial(case, sizes), "padding", axis, least + draw(st.integers(0, 2)))

    return violate


def unfold() -> tuple[must.Constraint, ...]:
    """Of Unfold."""
    formula = "torch.nn.Unfold: the formula gives a whole number of blocks, at least one"
    return (*_sliding("torch.nn.Unfold", formula), must.padding_not_negative(_PADS), must.window_fits(formula),
            must.rank(2, "torch.nn.Unfold, Shape: (N, C, *), and an example without its batch"))  # fmt: skip


def fold() -> tuple[must.Constraint, ...]:
    """Of Fold."""
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

"""What transposed convolutions forbid."""

from __future__ import annotations

from hypothesis import strategies as st

from properties.cases.case import Case, kernel_size, with_spatial
from properties.operators import constraints as must


def transposed(axes: int) -> tuple[must.Constraint, ...]:
    """The rules of ConvTranspose."""
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
            must.one_value_per_axis(name, f"{here}: {must.TUPLE.format(axes)}")
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

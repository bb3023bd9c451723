"""What convolutions with a padding mode forbid."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from properties.cases.case import Case, kernel_size, with_spatial
from properties.operators import constraints as must
from properties.operators import convolution
from refimpl.geometry import effective_kernel, same_split


def padded(axes: int) -> tuple[must.Constraint, ...]:
    """The rules of Conv with a padding mode: all that a convolution forbids, and what each mode needs."""
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
    """A rule of convolutions for cases whose padding may be a word, or in a mode that allows what zeros do not."""

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
    """More padding on one axis than the input has elements for; the window fits all the same."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        axis, axes = must.draw_axis(draw, case), len(kernel_size(case))
        case = case.with_arguments(padding_mode=mode, padding=(0,) * axes)
        reach = [effective_kernel(k, d) for k, d in zip(kernel_size(case), case.arguments["dilation"], strict=True)]
        sizes = [max(size, most) for size, most in zip(case.shapes["input"][-axes:], reach, strict=True)]
        least = sizes[axis] + (mode == "circular")
        return must.on_axis(with_spatial(case, sizes), "padding", axis, least + draw(st.integers(0, 2)))

    return violate

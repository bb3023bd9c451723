"""Wrong values and crashes of oneDNN's bfloat16 convolutions for Intel's matrix units (AMX), and of float16 ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from properties.cases import Case
from properties.ledger.record import OF_WRONG_GRADIENTS, Divergence
from properties.runner.call import Setting
from properties.special import Special, specials
from properties.subjects import Subject
from refimpl import padding
from refimpl.geometry import effective_kernel, padded_size, per_axis, reaches

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "conv1d_padded", "conv2d_padded", "conv3d_padded")
SEVERAL_AXES = ("conv2d", "conv3d", "conv2d_padded", "conv3d_padded")
TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def _amounts(case: Case) -> list[tuple[int, int]]:
    """What the convolution itself pads on each axis: zeros; what another mode pads is part of its input."""
    weight, given = case.shapes["weight"], case.arguments
    sides = padding.convolution_padding(weight[2:], given.get("padding", 0), given.get("dilation", 1))
    return [(sides[k], sides[k + 1]) for k in reversed(range(0, len(sides), 2))]


def _windows(case: Case) -> list[dict[str, int]]:
    """Of each axis: sizes of the convolution's input and output, and its kernel, stride, dilation and padding.

    Where no window fits, the output is empty.

    A transposed convolution's gradient to its input is the convolution, of the output's size.
    """
    weight, given, axes = case.shapes["weight"], case.arguments, len(case.shapes["weight"]) - 2
    strides, dilations = (per_axis(given.get(name, 1), axes) for name in ("stride", "dilation"))
    found = []
    for axis, (before, after) in enumerate(_amounts(case)):
        kernel, stride, dilation = weight[2 + axis], strides[axis], dilations[axis]
        size = case.shapes["input"][axis - axes]
        window = {"kernel": kernel, "stride": stride, "dilation": dilation, "before": before}
        if "output_padding" in given:
            whole = (size - 1) * stride + dilation * (kernel - 1) + 1 + given["output_padding"][axis]
            window |= {"input": whole - before - after, "output": size}
        else:
            padded = padded_size(size, before, after)
            inside = given.get("padding_mode", "zeros") == "zeros"
            window |= {"output": max(0, (padded - effective_kernel(kernel, dilation)) // stride + 1)}
            window |= {"input": size} if inside else {"input": padded, "before": 0}
        found.append(window)
    return found


def _one_strided_column(case: Case, subject: Subject) -> bool:
    """Whether the last axis has one window, of several taps, and a stride; or so has the convolution that gives the
    gradient of the gradients to the weight, whose window is the output and whose stride is the dilation."""
    last = _windows(case)[-1]
    direct = last["output"] == 1 and last["stride"] > 1 and last["kernel"] > 1
    return direct or (last["kernel"] == 1 and last["dilation"] > 1 and last["output"] > 1)


def _one_plane_deep(case: Case, subject: Subject) -> bool:
    """Whether a kernel of several planes, padded, slides over an input of one plane and one channel in a group; or so
    does the cotangent over the input, as it does for the gradient of the gradients to the weight, where the channels
    are the batch."""
    (first, *_), x, weight = _windows(case), case.shapes["input"], case.shapes["weight"]
    batch = x[0] if len(x) == len(weight) else 1
    several = (first["kernel"] > 1 and weight[1] == 1) or (first["output"] > 1 and batch == 1)
    return first["input"] == 1 and several


def _windows_reach(input: int, output: int, kernel: int, stride: int, dilation: int, before: int) -> Iterator[bool]:
    """Of each window: whether one of its taps lies in the input."""
    return (reaches(o * stride - before, kernel, dilation, input) for o in range(output))


def _taps_reach(input: int, output: int, kernel: int, stride: int, dilation: int, before: int) -> Iterator[bool]:
    """Of each tap: whether it lies in the input in one of the windows."""
    return (reaches(a * dilation - before, output, stride, input) for a in range(kernel))


def _idle_tap(case: Case, subject: Subject) -> bool:
    """Whether on some axis with a stride some tap reads nothing but padding in every window."""
    return any(w["stride"] > 1 and not all(_taps_reach(**w)) for w in _windows(case))


def _window_of_padding(case: Case, subject: Subject) -> bool:
    """Whether on an axis before the last some window, or some tap in all windows, reads nothing but padding.

    The taps are windows of the convolution that gives the gradient of the gradients to the weight.
    """
    return not all(all(_windows_reach(**w)) and all(_taps_reach(**w)) for w in _windows(case)[:-1])


def last_axis_of_padding(case: Case, subject: Subject) -> bool:
    """Whether on the last axis, with a stride and a dilation, no tap of any of several windows lies in the input."""
    last = _windows(case)[-1]
    apart = last["stride"] > 1 and last["dilation"] > 1 and last["output"] > 1
    return apart and not any(_taps_reach(**last))


def _wide_depthwise(case: Case, subject: Subject) -> bool:
    """Whether every channel has its own kernel, of 15 taps or more along the last axis, with 26 outputs or more."""
    weight, last = case.shapes["weight"], _windows(case)[-1]
    depthwise = weight[1] == 1 and weight[0] == case.arguments.get("groups", 1) > 1
    return depthwise and last["kernel"] >= 15 and last["output"] >= 26


def _odd_input(case: Case, subject: Subject) -> bool:
    """Whether the input holds NaN or an infinity, and a matrix product's inner size is no multiple of 32."""
    weight = case.shapes.get("weight", ())
    inner = weight[1] if len(weight) == 2 else case.shapes.get("other", (1,))[0]
    if inner % 32 == 0:
        return False
    return not np.isfinite(case.tensor("input", case.shapes["input"], subject.format)).all()


def _odd_weight(case: Case, subject: Subject) -> bool:
    """Whether the weight holds NaN or an infinity."""
    return not np.isfinite(case.tensor("weight", case.shapes["weight"], subject.format)).all()


def _odd_values(case: Case, subject: Subject) -> bool:
    """Whether operands and cotangent hold NaN or infinities."""
    return isinstance(case, Special) and not np.isfinite(specials(case.palette, subject.format.storage)).all()


SLICE: dict[str, Any] = {"dilation": (1, 1), "groups": 1}

ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="amx-convolution-of-one-strided-column",
        severity="silent wrong value",
        operators=SEVERAL_AXES,
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_one_strided_column,
        what="where the output is one column wide and the stride along it is more than 1, rows are out of order",
        why="torch.nn.Conv2d, the formula; float32, and processors without AMX, are right",
        versions=("2.13.0",),
        upstream="https://github.com/pytorch/pytorch/issues/169688",
        operator="conv2d",
        having="amx_bf16",
        example=Case(
            {"input": (1, 3, 15, 3), "weight": (2, 3, 3, 2)}, {"stride": (2, 2), "padding": (0, 0), **SLICE}, "normal"
        ),
    ),
    Divergence(
        id="amx-gradient-of-transposed-convolution-of-one-strided-column",
        severity="wrong gradient",
        operators=TRANSPOSED[1:],
        laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_one_strided_column,
        what="where the input is one column wide and the stride along it is more than 1, rows of its gradient are out "
        "of order",
        why="torch.nn.ConvTranspose2d, the formula; float32, and processors without AMX, are right",
        versions=("2.13.0",),
        upstream="https://github.com/pytorch/pytorch/issues/169688",
        operator="conv_transpose2d",
        having="amx_bf16",
        example=Case(
            {"input": (1, 3, 7, 1), "weight": (3, 3, 3, 2)},
            {"stride": (2, 2), "padding": (0, 0), "output_padding": (0, 0), **SLICE},
            "normal",
        ),
    ),
    Divergence(
        id="amx-convolution-one-plane-deep",
        severity="silent wrong value",
        operators=("conv3d", "conv3d_padded"),
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_one_plane_deep,
        what="over an input of one plane and one channel in a group, a kernel of several planes gives outputs that "
        "were never written, or sums of them",
        why="torch.nn.Conv3d, the formula; float32, and the same input with two channels, are right",
        versions=("2.13.0",),
        upstream=None,
        operator="conv3d",
        having="amx_bf16",
        example=Case(
            {"input": (1, 3, 1, 1, 3), "weight": (9, 1, 3, 1, 2)},
            {"stride": (1, 1, 1), "padding": (2, 0, 0), "dilation": (1, 1, 1), "groups": 3},
        ),
    ),
    Divergence(
        id="amx-weight-gradient-of-idle-tap",
        severity="wrong gradient",
        operators=CONVOLUTIONS + TRANSPOSED,
        laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_idle_tap,
        what="with a stride, the gradient to a tap that reads only padding is memory that was never written, not zero",
        why="torch.nn.Conv1d, the formula: no output depends on that tap; a stride of 1, and processors without AMX, "
        "are right",
        versions=("2.13.0",),
        upstream=None,
        operator="conv_transpose1d",
        having="amx_bf16",
        example=Case(
            {"input": (6, 2), "weight": (6, 3, 5)},
            {"stride": (2,), "padding": (3,), "output_padding": (0,), "groups": 2, "dilation": (1,)},
            setting=Setting(deterministic=True),  # fills memory that was never written with NaN
        ),
    ),
    Divergence(
        id="amx-crash-on-window-of-padding",
        severity="crash",
        operators=SEVERAL_AXES,
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_window_of_padding,
        what="a window that on an axis before the last holds nothing but padding ends the process with SIGSEGV, where "
        "oneDNN chooses its kernel for matrix units",
        why="torch.nn.Conv3d, Shape: no limit on padding; its output is the bias; processors without AMX are right",
        versions=("2.13.0",),
        upstream="https://github.com/pytorch/pytorch/issues/195394",
        operator="conv3d",
        having="amx_bf16",
        example=Case(
            {"input": (1, 16, 1, 1, 3), "weight": (1, 16, 1, 2, 1)},
            {"stride": (1, 1, 1), "padding": (0, 2, 0), "dilation": (1, 3, 1), "groups": 1},
        ),
    ),
    Divergence(
        id="amx-crash-in-gradient-of-transposed-convolution",
        severity="crash",
        operators=TRANSPOSED[1:],
        laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_window_of_padding,
        what="where on an axis before the last an element of the input reaches no output, the gradient to the input "
        "ends the process with SIGSEGV, where oneDNN chooses its kernel for matrix units",
        why="torch.nn.ConvTranspose2d, Shape: no limit on padding; processors without AMX are right",
        versions=("2.13.0",),
        upstream=None,
        operator="conv_transpose2d",
        having="amx_bf16",
        example=Case(
            {"input": (2, 2, 1, 7), "weight": (2, 3, 2, 3)},
            {"stride": (2, 4), "padding": (2, 0), "output_padding": (1, 2), "groups": 2, "dilation": (3, 1)},
        ),
    ),
    Divergence(
        id="float16-crash-on-last-axis-of-padding",
        severity="crash",
        operators=CONVOLUTIONS,
        laws=(),
        devices=("cpu",),
        dtypes=("float16",),
        holds=last_axis_of_padding,
        what="where with a stride and a dilation no tap along the last axis lies in the input, all being between its "
        "elements or in the padding, the process ends with SIGSEGV, or the output is right by chance",
        why="torch.nn.Conv1d, Shape: no limit on padding; its output is the bias; bfloat16, and processors without "
        "AVX-512 for float16, are right",
        versions=("2.13.0",),
        upstream=None,
        operator="conv1d",
        having="avx512_fp16",
        example=Case(
            {"input": (1, 2, 1), "weight": (2, 1, 7)},
            {"stride": (2,), "padding": (13,), "dilation": (2,), "groups": 2},
        ),
    ),
    Divergence(
        id="float16-crash-in-transposed-gradient-on-last-axis-of-padding",
        severity="crash",
        operators=TRANSPOSED,
        laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("float16",),
        holds=last_axis_of_padding,
        what="the gradient to the input of a transposed convolution is a convolution: where that sees nothing but "
        "padding along the last axis, with a stride and a dilation, the process ends with SIGSEGV",
        why="torch.nn.ConvTranspose1d: no limit on padding but what the output needs; the gradient is zero",
        versions=("2.13.0",),
        upstream=None,
        operator="conv_transpose1d",
        having="avx512_fp16",
        example=Case(
            {"input": (1, 2, 8), "weight": (2, 1, 7)},
            {"stride": (2,), "padding": (13,), "output_padding": (0,), "groups": 2, "dilation": (2,)},
        ),
    ),
    Divergence(
        id="float16-depthwise-hangs",
        severity="crash",
        operators=CONVOLUTIONS,
        laws=(),
        devices=("cpu",),
        dtypes=("float16",),
        holds=_wide_depthwise,
        what="a depthwise convolution with a wide kernel never ends: with 14 taps it does, with 15 not, from somewhere "
        "between 26 and 33 outputs on",
        why="torch.nn.Conv1d: groups may equal the channels, and a kernel have any size; bfloat16, float32, and "
        "processors without AVX-512 for float16, take a millisecond",
        versions=("2.13.0",),
        upstream=None,
        operator="conv1d",
        having="avx512_fp16",
        example=Case(
            {"input": (1, 2, 64), "weight": (2, 1, 16)},
            {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 2},
        ),
    ),
    Divergence(
        id="bfloat16-infinity-times-zero",
        severity="silent wrong value",
        operators=("matmul", "linear", *CONVOLUTIONS, *TRANSPOSED),
        laws=("special values",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_odd_input,
        what="tiles are filled up with elements of the neighbouring row or position, which meet weights of zero: where "
        "those are NaN or infinite, outputs that do not depend on them become NaN",
        why="torch.matmul: an output element is the product of its own row and column",
        versions=("2.13.0",),
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5717",
        operator="conv1d",
        having="avx512_f",
        example=Special(
            shapes={"input": (1, 1, 3), "weight": (1, 1, 2)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1},
            fill="normal",
            seed=1,
            palette="nan",
        ),
    ),
    Divergence(
        id="bfloat16-infinity-times-zero-in-gradients",
        severity="wrong gradient",
        operators=("matmul", "linear", *CONVOLUTIONS, *TRANSPOSED),
        laws=("special gradients",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_odd_values,
        what="in the gradients, as in the output, tiles are filled up with neighbouring elements, which meet zeros: "
        "where those are NaN or infinite, elements that do not depend on them become NaN",
        why="torch.matmul: an output element is the product of its own row and column, and so is one of a gradient",
        versions=("2.13.0",),
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5717",
        operator="matmul",
        having="avx512_f",
        example=Special(
            shapes={"input": (17, 15), "other": (15, 17)}, arguments={}, fill="normal", seed=2, palette="inf"
        ),
    ),
    Divergence(
        id="bfloat16-infinite-weight-times-zero",
        severity="silent wrong value",
        operators=(*CONVOLUTIONS, *TRANSPOSED),
        laws=("special values",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_odd_weight,
        what="without tiles, weights are multiplied with zeros that fill up the channels: outputs that should be "
        "infinite, as a weight is, become NaN",
        why="torch.nn.Conv1d: the output is a sum over the input channels that there are",
        versions=("2.13.0",),
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5717",
        operator="conv1d",
        having="avx512_f",
        lacking="amx_bf16",
        example=Special(
            shapes={"input": (1, 2, 2), "weight": (4, 1, 1)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 2},
            fill="normal",
            palette="inf",
        ),
    ),
)

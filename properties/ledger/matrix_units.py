"""Wrong values and crashes of oneDNN's bfloat16 convolutions for Intel's matrix units (AMX)."""

from __future__ import annotations

import math
from typing import Any

from properties.cases.case import Case
from properties.ledger.record import CONVOLUTIONS, OF_WRONG_GRADIENTS, TRANSPOSED, Divergence
from properties.ledger.windows import after, taps_reach, where_valid, windows_of, windows_reach
from properties.subjects import Subject
from properties.worker.call import Setting

SEVERAL_AXES = ("conv2d", "conv3d", "conv2d_padded", "conv3d_padded")
SLICE: dict[str, Any] = {"dilation": (1, 1), "groups": 1}

SET_ASIDE = 1.2 * 2**20
"""Bytes of the second-level cache, of 2 MiB, in which rows are kept."""


def _one_strided_column(case: Case, subject: Subject) -> bool:
    """Whether the last axis has one window, of several taps, and a stride; or so has the convolution that gives the
    gradient of the gradients to the weight, whose window is the output and whose stride is the dilation."""
    last = windows_of(case)[-1]
    direct = last["output"] == 1 and last["stride"] > 1 and last["kernel"] > 1
    return direct or (last["kernel"] == 1 and last["dilation"] > 1 and last["output"] > 1)


def _idle_tap(case: Case, subject: Subject) -> bool:
    """Whether on some axis with a stride some tap reads nothing but padding in every window."""
    return any(w["stride"] > 1 and not all(taps_reach(**w)) for w in windows_of(case))


def _planes_in_blocks(case: Case, subject: Subject) -> bool:
    """Whether planes are so large that their rows do not all fit into what of the cache is set aside for them.

    Of each row there are two copies, of the input's and the output's, in blocks of 16 channels and of 32 columns or,
    where fewer will do, somewhat less; and the input's rows under one window.
    """
    outputs, channels = case.shapes["weight"][:2]
    groups, (_, column, row) = case.arguments.get("groups", 1), windows_of(case)
    kernels = outputs // groups
    if groups > 1 and channels == kernels == 1:  # another kernel
        return False
    columns = (row["input"] + row["before"] + max(0, after(**row)), row["stride"] * row["output"])
    of_input, of_output = (
        2 * 2 * 32 * math.ceil(length / 32) * 16 * math.ceil(depth / 16)
        for length, depth in zip(columns, (channels, kernels), strict=True)
    )
    return column["output"] * (of_input + of_output) + column["kernel"] * of_input > SET_ASIDE


@where_valid
def _window_of_padding(case: Case, subject: Subject) -> bool:
    """Whether on an axis before the last some window, or some tap in all windows, reads nothing but padding.

    The taps are windows of the convolution that gives the gradient of the gradients to the weight.
    """
    return not all(all(windows_reach(**w)) and all(taps_reach(**w)) for w in windows_of(case)[:-1])


def _wide_under_planes_left_over(case: Case, subject: Subject) -> bool:
    """Whether, of an input more than 16 wide, the last planes are in no window, and all planes before them are.

    Windows of a convolution; a transposed one is the gradient to its input, whose windows are those. Of several groups,
    each has channels and kernels in sixteens. The kernel outreaches the padding on the axes after the first.
    """
    (first, *others), weight, groups = windows_of(case), case.shapes["weight"], case.arguments.get("groups", 1)
    without_gaps = first["dilation"] == 1 < first["stride"] <= first["kernel"]
    served = groups == 1 or (weight[1] % 16 == 0 and weight[0] // groups % 16 == 0)
    reached = all(w["before"] <= w["dilation"] * (w["kernel"] - 1) for w in others)
    return without_gaps and after(**first) < 0 and others[-1]["input"] > 16 and served and reached


@where_valid
def _unreached_axis(case: Case, subject: Subject) -> bool:
    """Whether strides are 1 and on an axis before the last no element of the output is in a window of the input's.

    Where the output has four elements or fewer, or the padding is more than a kernel reaches, other code computes it.
    """
    windows = windows_of(case)
    plain = all(w["stride"] == 1 and w["before"] <= w["dilation"] * (w["kernel"] - 1) for w in windows)
    several = math.prod(w["input"] for w in windows) > 4
    return plain and several and not all(any(windows_reach(**w)) for w in windows[:-1])


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
        upstream="https://github.com/pytorch/pytorch/issues/195394",
        operator="conv3d",
        having="amx_bf16",
        example=Case(
            {"input": (1, 16, 1, 1, 3), "weight": (1, 16, 1, 2, 1)},
            {"stride": (1, 1, 1), "padding": (0, 2, 0), "dilation": (1, 3, 1), "groups": 1},
        ),
        also=("whatever the batch",),
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
        upstream=None,
        operator="conv_transpose2d",
        having="amx_bf16",
        example=Case(
            {"input": (2, 2, 1, 7), "weight": (2, 3, 2, 3)},
            {"stride": (2, 4), "padding": (2, 0), "output_padding": (1, 2), "groups": 2, "dilation": (3, 1)},
        ),
    ),
    Divergence(
        id="amx-crash-in-transposed-convolution-of-nothing",
        severity="crash",
        operators=TRANSPOSED[1:],
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_unreached_axis,
        what="with strides of 1, where the padding takes all that the input reaches on an axis before the last, the "
        "process ends with SIGSEGV, or the output is right by chance",
        why="torch.nn.ConvTranspose2d, Shape: no limit on padding but what the output needs; its output is the bias; "
        "processors without AMX are right",
        upstream="https://github.com/pytorch/pytorch/issues/195394",
        operator="conv_transpose2d",
        having="amx_bf16",
        example=Case(
            {"input": (2, 16, 2, 3), "weight": (16, 2, 2, 2)},
            {"stride": (1, 1), "padding": (2, 0), "output_padding": (0, 0), "groups": 1, "dilation": (3, 3)},
        ),
        also=("whatever the batch",),
    ),
    Divergence(
        id="amx-transposed-convolution-leaves-planes-unwritten",
        severity="silent wrong value",
        operators=TRANSPOSED[2:],
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_wide_under_planes_left_over,
        what="planes that an output padding adds and no input reaches are memory that was never written, from the "
        "second column on, where the output is more than 16 wide; right by chance where that memory is zero",
        why="torch.nn.ConvTranspose3d: output_padding only finds the size; what no input reaches is the bias. float32, "
        "16 columns, and processors without AMX are right",
        upstream=None,
        operator="conv_transpose3d",
        having="amx_bf16",
        example=Case(
            {"input": (1, 1, 1, 1, 5), "weight": (1, 1, 2, 1, 1)},
            {"stride": (2, 1, 4), "padding": (0,) * 3, "output_padding": (1, 0, 0), "groups": 1, "dilation": (1,) * 3},
            setting=Setting(deterministic=True),  # fills memory that was never written with NaN
        ),
    ),
    Divergence(
        id="amx-input-gradient-leaves-planes-unwritten",
        severity="wrong gradient",
        operators=("conv3d", "conv3d_padded"),
        laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_wide_under_planes_left_over,
        what="the gradient to planes that the stride leaves over is memory that was never written, not zero, from the "
        "second column on, where the input is more than 16 wide; right by chance where that memory is zero",
        why="torch.nn.Conv3d, the formula: no output depends on those planes; float32, 16 columns, and processors "
        "without AMX are right",
        upstream=None,
        operator="conv3d",
        having="amx_bf16",
        example=Case(
            {"input": (1, 1, 3, 1, 17), "weight": (1, 1, 2, 1, 1)},
            {"stride": (2, 1, 4), "padding": (0,) * 3, "dilation": (1,) * 3, "groups": 1},
            setting=Setting(deterministic=True),
        ),
    ),
    Divergence(
        id="amx-weight-gradient-of-large-planes",
        severity="crash",
        operators=("conv3d", "conv3d_padded", "conv_transpose3d"),
        laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_planes_in_blocks,
        what="over three axes, where planes are so large that oneDNN would take their rows in blocks (154 rows of 64 "
        "columns, 77 of 128), its buffer is as large as a block and takes whole planes: the gradient to the weight is "
        "wrong, and memory that is not its own is overwritten, so that the process ends with SIGSEGV or SIGABRT, "
        "perhaps much later, or nothing shows",
        why="torch.nn.Conv3d, the formula; two axes, float32, and processors without AMX are right. Only blocks of "
        "planes are made over three axes, not of rows",
        upstream=None,
        operator="conv3d",
        having="amx_bf16",
        overwrites=True,
        example=Case(
            {"input": (1, 1, 1, 256, 128), "weight": (1, 1, 1, 1, 1)},
            {"stride": (1,) * 3, "padding": (0,) * 3, "dilation": (1,) * 3, "groups": 1},
        ),
    ),
)

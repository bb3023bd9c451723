"""oneDNN's convolutions of operands that lie in memory in channels_last."""

from __future__ import annotations

import math

from properties.cases.case import Case
from properties.ledger.examples import convolution
from properties.ledger.memory_formats import convolves_in_channels_last
from properties.ledger.record import known
from properties.ledger.windows import last_axis_of_padding, where_valid, windows_of
from properties.subjects import Subject
from properties.subjects.devices import instructions
from properties.worker.call import Setting

SEVERAL_AXES = ("conv2d", "conv3d", "conv2d_padded", "conv3d_padded")
ON_PADDING = (
    "{} whose input or weight lies in channels_last ends the process with SIGSEGV where, with a stride and a dilation, "
    "no tap along the last axis lies in the input; always if fresh memory is not zero, else now and then"
)
BIAS_ALONE = (
    "torch.nn.Conv2d, Shape: no limit on padding; its output is the bias, as it is for contiguous operands. A memory "
    "format is no part of a tensor's value"
)
ON_PADDING_EXAMPLE = Case(
    *convolution(
        (1, 2, 2, 1), (4, 1, 1, 2), (4,), stride=(1, 2), padding=(0, 3), dilation=(1, 2), groups=2
    ),
    setting=Setting({"input": "channels_last"}),
)  # fmt: skip


@known(
    "channels-last-crash-on-last-axis-of-padding",
    SEVERAL_AXES,
    chance="memory may be right by chance",
    severity="crash",
    laws=("layouts", "special values", "special gradients"),
    dtypes=("float32",),
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
    what=ON_PADDING.format("a grouped convolution with a bias"),
    why=BIAS_ALONE,
    example=ON_PADDING_EXAMPLE,
)
def _grouped_on_padding(case: Case, subject: Subject) -> bool:
    # Groups have more than one kernel, or more than one channel.
    weight, groups = case.shapes["weight"], case.arguments.get("groups", 1)
    grouped = groups > 1 and (weight[1] > 1 or weight[0] > groups)
    return grouped and "bias" in case.shapes and _on_padding(case, subject)


@known(
    "bfloat16-channels-last-crash-on-last-axis-of-padding",
    SEVERAL_AXES,
    severity="crash",
    laws=("layouts", "special values", "special gradients"),
    dtypes=("bfloat16",),
    having="avx512_bf16",
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
    what=ON_PADDING.format("a convolution"),
    why=BIAS_ALONE,
    example=ON_PADDING_EXAMPLE,
)
def _on_padding(case: Case, subject: Subject) -> bool:
    return last_axis_of_padding(case, subject) and convolves_in_channels_last(case)


@known(
    "channels-last-crash-in-weight-gradient-of-strided-pointwise",
    ("conv2d", "conv2d_padded"),
    severity="crash",
    laws=("layouts", "gradients", "gradients of some operands", "rerun", "call after call", "special gradients"),
    dtypes=("float32",),
    having="avx2",
    overwrites=True,
    upstream="https://github.com/uxlfoundation/oneDNN/issues/6035",
    why="torch.nn.Conv2d: a memory format is no part of a tensor's value; contiguous operands, and 16 channels, are "
    "right",
    example=Case(
        *convolution((1, 4, 128, 128), (8, 4, 1, 1), stride=(2, 2)),
        setting=Setting({"input": "channels_last", "weight": "channels_last", "cotangent": "channels_last"}),
    ),
)
@where_valid
def _strided_pointwise(case: Case, subject: Subject) -> bool:
    """The gradient to the weight of a strided 1×1 convolution of 2 to 15 channels in channels_last, of 2 to 7 with AVX2
    alone, ends the process with SIGSEGV or SIGABRT where an image has many outputs: other memory is overwritten."""
    # oneDNN copies the elements that the stride leaves, 16 channels at once, with AVX2 alone 8, to where there is room
    # for those that there are. Up to 256 outputs nothing was seen to be hit.
    windows, channels = windows_of(case), case.shapes["weight"][1]
    pointwise = all(w["kernel"] == 1 and w["before"] == 0 for w in windows) and any(w["stride"] > 1 for w in windows)
    few = 1 < channels < (16 if "avx512_f" in instructions() else 8) and case.arguments.get("groups", 1) == 1
    many = math.prod(w["output"] for w in windows) > 256
    return pointwise and few and many and convolves_in_channels_last(case)

"""oneDNN's convolutions of operands that lie in memory in channels_last."""

from __future__ import annotations

import functools
import math

from properties.cases.case import Case
from properties.ledger.backends import without_onednn
from properties.ledger.examples import convolution, transposed
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
    what=ON_PADDING.format("a convolution with a bias, of several images or groups,"),
    why=BIAS_ALONE,
    example=ON_PADDING_EXAMPLE,
)
def _several_on_padding(case: Case, subject: Subject) -> bool:
    weight = case.shapes["weight"]
    images = math.prod(case.shapes["input"][: 1 - len(weight)])
    several = images * case.arguments.get("groups", 1) > 1
    return several and "bias" in case.shapes and _on_padding(case, subject)


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
@known(
    "bfloat16-channels-last-crash-in-transposed-gradient-on-last-axis-of-padding",
    ("conv_transpose2d", "conv_transpose3d"),
    severity="crash",
    laws=("layouts", "special gradients"),
    dtypes=("bfloat16",),
    having="avx512_bf16",
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
    what="the gradient to the input of a transposed convolution is a convolution: one whose input or weight lies in "
    "channels_last ends the process with SIGSEGV where, with a stride and a dilation, no tap along the last axis lies "
    "in what is convolved; always if fresh memory is not zero, else now and then",
    why="torch.nn.ConvTranspose2d: no limit on padding but what the output needs; the gradient is zero, as it is for "
    "contiguous operands. A memory format is no part of a tensor's value",
    example=Case(
        *transposed((1, 2, 1, 2), (2, 1, 1, 1), stride=(1, 2), padding=(0, 1), output_padding=(0, 0), dilation=(1, 2)),
        setting=Setting({"input": "channels_last"}),
    ),
)
def _on_padding(case: Case, subject: Subject) -> bool:
    return last_axis_of_padding(case, subject) and convolves_in_channels_last(case)


strided_pointwise = functools.partial(
    known,
    chance="what is overwritten may be memory that nothing reads",
    severity="crash",
    laws=("layouts", "gradients", "gradients of some operands", "rerun", "call after call", "special gradients"),
    overwrites=True,
    upstream="https://github.com/uxlfoundation/oneDNN/issues/6035",
    why="torch.nn.Conv2d: a memory format is no part of a tensor's value; contiguous operands, and 16 channels, are "
    "right",
)
in_float32 = functools.partial(strided_pointwise, dtypes=("float32",), having="avx2")
in_bfloat16 = functools.partial(strided_pointwise, dtypes=("bfloat16",), having="avx512_f", lacking="amx_bf16")
IN_CHANNELS_LAST = Setting({"input": "channels_last", "weight": "channels_last", "cotangent": "channels_last"})
STRIDED = Case(*convolution((1, 4, 128, 128), (8, 4, 1, 1), stride=(2, 2)), setting=IN_CHANNELS_LAST)
TRANSPOSED_STRIDED = Case(
    *transposed((1, 8, 64, 64), (8, 4, 1, 1), stride=(2, 2), output_padding=(1, 1)), setting=IN_CHANNELS_LAST
)


@in_float32(
    "channels-last-crash-in-weight-gradient-of-strided-pointwise",
    ("conv1d", "conv2d", "conv1d_padded", "conv2d_padded"),
    operator="conv2d",
    example=STRIDED,
)
@in_float32(
    "channels-last-crash-in-weight-gradient-of-transposed-pointwise",
    ("conv_transpose1d", "conv_transpose2d"),
    operator="conv_transpose2d",
    example=TRANSPOSED_STRIDED,
)
@in_bfloat16(
    "bfloat16-channels-last-crash-in-weight-gradient-of-strided-pointwise",
    ("conv1d", "conv2d", "conv1d_padded", "conv2d_padded"),
    operator="conv2d",
    example=STRIDED,
)
@in_bfloat16(
    "bfloat16-channels-last-crash-in-weight-gradient-of-transposed-pointwise",
    ("conv_transpose1d", "conv_transpose2d"),
    operator="conv_transpose2d",
    example=TRANSPOSED_STRIDED,
)
@where_valid
def _strided_pointwise(case: Case, subject: Subject) -> bool:
    """The gradient to the weight of a strided 1×1 convolution of fewer than 16 channels in channels_last, with AVX2
    alone of fewer than 8, is wrong, or ends the process with SIGSEGV or SIGABRT, or hangs: memory is overwritten."""
    # oneDNN copies the elements that the stride leaves, 16 channels at once, with AVX2 alone 8, to where there is room
    # for those that there are: where an input is as many strides long as the output has elements (rtus, in its code).
    windows, channels = windows_of(case), case.shapes["weight"][1]
    pointwise = all(w["kernel"] == 1 and w["before"] == 0 for w in windows) and any(w["stride"] > 1 for w in windows)
    copied = pointwise and all(w["input"] == w["output"] * w["stride"] for w in windows)
    few = 0 < channels < (16 if "avx512_f" in instructions() else 8) and case.arguments.get("groups", 1) == 1
    many = math.prod(w["output"] for w in windows) > 1
    return copied and few and many and convolves_in_channels_last(case) and not without_onednn(case, subject)

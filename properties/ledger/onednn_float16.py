"""oneDNN's float16 convolutions for processors that compute in it (AVX512-FP16)."""

from __future__ import annotations

import functools

from properties.cases.case import Case
from properties.edges.huge import Huge
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, TRANSPOSED, WITH_GRADIENTS, known
from properties.ledger.windows import (
    last_axis_of_padding,
    strides_over_four_gigabytes,
    turned,
    where_valid,
    windows_of,
    windows_reach,
)
from properties.subjects import Subject

crash = functools.partial(known, severity="crash", dtypes=("float16",), having="avx512_fp16")
"""Register a crash, or a hang."""


@crash(
    "float16-crash-on-last-axis-of-padding",
    CONVOLUTIONS,
    also=("whatever the batch",),
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
    why="torch.nn.Conv1d, Shape: no limit on padding; its output is the bias; bfloat16, and processors without AVX-512 "
    "for float16, are right",
    example=Case(*convolution((1, 2, 1), (2, 1, 7), stride=(2,), padding=(13,), dilation=(2,), groups=2)),
)
@crash(
    "float16-crash-in-transposed-gradient-on-last-axis-of-padding",
    TRANSPOSED,
    laws=WITH_GRADIENTS,
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
    what="the gradient to the input of a transposed convolution is a convolution: where that sees nothing but padding "
    "along the last axis, with a stride and a dilation, the process ends with SIGSEGV",
    why="torch.nn.ConvTranspose1d: no limit on padding but what the output needs; the gradient is zero",
    example=Case(*transposed((1, 2, 8), (2, 1, 7), stride=(2,), padding=(13,), dilation=(2,), groups=2)),
)
def _last_axis_of_padding(case: Case, subject: Subject) -> bool:
    """Where with a stride and a dilation no tap along the last axis lies in the input, all being between its elements
    or in the padding, the process ends with SIGSEGV, or the output is right by chance."""
    return last_axis_of_padding(case, subject)


@crash(
    "float16-crash-in-second-gradient-on-last-axis-of-padding",
    CONVOLUTIONS + TRANSPOSED,
    laws=("gradients of gradients",),
    upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
    why="torch.nn.Conv1d, Shape: no limit on padding; no output depends on the weight, and the gradient is zero",
    example=Case(*convolution((1, 1, 1), (1, 1, 3), stride=(3,), padding=(3,), dilation=(2,))),
)
def _taps_of_padding(case: Case, subject: Subject) -> bool:
    """The gradient of the gradients to the weight is a convolution too, with an output for each tap, and more where the
    stride leaves elements of the input over: where none of them sees the input along the last axis, with a stride and a
    dilation, the process ends with SIGSEGV."""
    last = turned(windows_of(case)[-1])
    apart = last["stride"] > 1 and last["dilation"] > 1 and last["output"] > 1
    return apart and not any(windows_reach(**last))


@crash(
    "float16-depthwise-hangs",
    CONVOLUTIONS,
    why="torch.nn.Conv1d: groups may equal the channels, and a kernel have any size; bfloat16, float32, and processors "
    "without AVX-512 for float16, take a millisecond",
    example=Case(*convolution((1, 2, 64), (2, 1, 16), groups=2)),
)
def _wide_depthwise(case: Case, subject: Subject) -> bool:
    """A depthwise convolution with a wide kernel never ends: with 14 taps it does, with 15 not, from somewhere between
    26 and 33 outputs on."""
    weight, last = case.shapes["weight"], windows_of(case)[-1]
    depthwise = weight[1] == 1 and weight[0] == case.arguments.get("groups", 1) > 1
    return depthwise and last["kernel"] >= 15 and last["output"] >= 26


@crash(
    "conv-float16-stride-in-32-bits",
    CONVOLUTIONS,
    laws=("huge arguments",),
    why="torch.nn.Conv1d: no limit on the stride; float32 and processors without AVX-512 for float16 give the one "
    "output",
    example=Huge(*convolution((1, 8, 1), (1, 8, 1), stride=(2**30,), padding=(1,)), inflated=("stride",)),
)
@where_valid
def _stride_of_four_gigabytes(case: Case, subject: Subject) -> bool:
    """Where windows stride over 2³² bytes or more, the process ends with a segmentation fault, never ends, gives wrong
    outputs, or is right by chance."""
    return strides_over_four_gigabytes(case)

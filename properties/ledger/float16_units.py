"""Crashes and a hang of oneDNN's float16 convolutions for processors that compute in it (AVX512-FP16)."""

from __future__ import annotations

from properties.cases.case import Case
from properties.ledger.record import CONVOLUTIONS, OF_WRONG_GRADIENTS, TRANSPOSED, Divergence
from properties.ledger.windows import last_axis_of_padding, turned, windows_of, windows_reach
from properties.subjects import Subject


def _taps_of_padding(case: Case, subject: Subject) -> bool:
    """Whether the same holds of the convolution that gives the gradient of the gradients to the weight."""
    last = turned(windows_of(case)[-1])
    apart = last["stride"] > 1 and last["dilation"] > 1 and last["output"] > 1
    return apart and not any(windows_reach(**last))


def _wide_depthwise(case: Case, subject: Subject) -> bool:
    """Whether every channel has its own kernel, of 15 taps or more along the last axis, with 26 outputs or more."""
    weight, last = case.shapes["weight"], windows_of(case)[-1]
    depthwise = weight[1] == 1 and weight[0] == case.arguments.get("groups", 1) > 1
    return depthwise and last["kernel"] >= 15 and last["output"] >= 26


ENTRIES: tuple[Divergence, ...] = (
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
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
        operator="conv1d",
        having="avx512_fp16",
        example=Case(
            {"input": (1, 2, 1), "weight": (2, 1, 7)},
            {"stride": (2,), "padding": (13,), "dilation": (2,), "groups": 2},
        ),
        also=("whatever the batch",),
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
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
        operator="conv_transpose1d",
        having="avx512_fp16",
        example=Case(
            {"input": (1, 2, 8), "weight": (2, 1, 7)},
            {"stride": (2,), "padding": (13,), "output_padding": (0,), "groups": 2, "dilation": (2,)},
        ),
    ),
    Divergence(
        id="float16-crash-in-second-gradient-on-last-axis-of-padding",
        severity="crash",
        operators=CONVOLUTIONS + TRANSPOSED,
        laws=("gradients of gradients",),
        devices=("cpu",),
        dtypes=("float16",),
        holds=_taps_of_padding,
        what="the gradient of the gradients to the weight is a convolution too, with an output for each tap, and for "
        "what the stride leaves over: where none of them sees the input along the last axis, with a stride and a "
        "dilation, the process ends with SIGSEGV",
        why="torch.nn.Conv1d, Shape: no limit on padding; no output depends on the weight, and the gradient is zero",
        upstream="https://github.com/uxlfoundation/oneDNN/issues/5942",
        operator="conv1d",
        having="avx512_fp16",
        example=Case(
            {"input": (1, 1, 1), "weight": (1, 1, 3)},
            {"stride": (3,), "padding": (3,), "dilation": (2,), "groups": 1},
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
        upstream=None,
        operator="conv1d",
        having="avx512_fp16",
        example=Case(
            {"input": (1, 2, 64), "weight": (2, 1, 16)},
            {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 2},
        ),
    ),
)

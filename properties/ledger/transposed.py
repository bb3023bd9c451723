"""Transposed and padded convolutions: 16-bit sums where torch does not use oneDNN."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from properties.cases.case import Case
from properties.ledger.lossy import OPMATH
from properties.ledger.record import OF_GRADIENTS, TRANSPOSED, Divergence
from properties.subjects import SIXTEEN_BITS, Subject


def _output_padding_past_stride(case: Case, subject: Subject) -> bool:
    """Whether an output padding is not smaller than its stride, but than its dilation: oneDNN has no such layer."""
    pairs = zip(case.arguments["output_padding"], case.arguments["stride"], strict=True)
    return any(output_padding >= stride for output_padding, stride in pairs)


def _several_terms(case: Case, subject: Subject) -> bool:
    """Whether an output is a sum over taps, or a gradient one over taps or over a batch."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    return math.prod(weight[2:]) > 1 or (len(x) == len(weight) and x[0] > 1)


def _terms_or_bias(case: Case, subject: Subject) -> bool:
    """Whether anything is added to a product: another, or the bias."""
    return "bias" in case.shapes or _several_terms(case, subject)


WINDOW: dict[str, Any] = {"padding": (1,), "groups": 1}

SUMMED_IN_STORAGE = Divergence(
    id="transposed-convolution-summed-in-float16",
    severity="lossy accumulation",
    operators=TRANSPOSED,
    laws=(),
    devices=("cpu",),
    dtypes=("float16",),
    holds=_terms_or_bias,
    what="sums over taps and with the bias (the output) and over the batch (the gradient to the weight) are formed "
    "in float16",
    why=OPMATH + "in bfloat16 they are formed in float, where the processor has AVX-512",
    upstream=None,
    operator="conv_transpose1d",
    lacking="avx512_fp16",
    example=Case(
        {"input": (3, 3, 17), "weight": (3, 3, 3)},
        {"stride": (1,), "output_padding": (0,), "dilation": (1,), **WINDOW},
        "normal",
    ),
)

ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="meta-transposed-convolution-without-input-channels",
        severity="wrong shape",
        operators=TRANSPOSED,
        laws=("zero sizes",),
        devices=("meta",),
        dtypes=("float32",),
        holds=lambda case, subject: case.shapes["weight"][0] == 0,
        what="on the meta device an input of no channels gives an output of no channels",
        why="torch.nn.ConvTranspose1d, Shape: the output has out_channels channels, each the bias; or the input is "
        "refused, as in eager mode",
        upstream=None,
        operator="conv_transpose1d",
        example=Case(
            {"input": (2, 0, 1), "weight": (0, 3, 1)},
            {"stride": (1,), "padding": (0,), "output_padding": (0,), "groups": 1, "dilation": (1,)},
        ),
    ),
    Divergence(
        id="transposed-convolution-with-long-output-padding-in-storage",
        severity="lossy accumulation",
        operators=TRANSPOSED,
        laws=(),
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_output_padding_past_stride,
        what="with an output padding that is not smaller than its stride, sums over taps (the output) and over the "
        "batch (the gradient to the weight) are formed in the 16-bit storage",
        why=OPMATH + "with a shorter output padding the same sums are formed in float",
        upstream=None,
        operator="conv_transpose1d",
        example=Case(
            {"input": (3, 3, 17), "weight": (3, 3, 3)},
            {"stride": (1,), "output_padding": (2,), "dilation": (3,), **WINDOW},
            "normal",
        ),
    ),
    SUMMED_IN_STORAGE,
    replace(
        SUMMED_IN_STORAGE,
        id="transposed-convolution-summed-in-bfloat16",
        dtypes=("bfloat16",),
        what=SUMMED_IN_STORAGE.what.replace("float16", "bfloat16"),
        why=OPMATH + "processors with AVX-512 do so",
        lacking="avx512_f",
    ),
    Divergence(
        id="padded-convolution-gradient-summed-in-float16",
        severity="lossy accumulation",
        operators=("conv1d_padded", "conv2d_padded", "conv3d_padded"),
        laws=(*OF_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("float16",),
        holds=_several_terms,
        what="sums over taps (gradient to the input) and over the batch (gradient to the weight) are formed in float16",
        why=OPMATH + "the forward pass, and the gradients in bfloat16, do so",
        upstream=None,
        operator="conv1d_padded",
        lacking="avx512_fp16",
        example=Case(
            {"input": (2, 2, 1), "weight": (2, 1, 1)},
            {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 2, "padding_mode": "zeros"},
            "normal",
        ),
    ),
)

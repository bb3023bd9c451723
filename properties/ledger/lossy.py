"""Sums and intermediate results that are rounded to 16 bits on the way, where torch means to keep float32."""

from __future__ import annotations

import math

import numpy as np
import torch

from properties.cases.case import Case
from properties.ledger.record import CONVOLUTIONS, OF_GRADIENTS, OF_WRONG_GRADIENTS, Divergence
from properties.operators import pooling
from properties.subjects import SIXTEEN_BITS, Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS
from refimpl.geometry import effective_kernel
from refimpl.rounding import round_to


def windows_overlap(case: Case, subject: Subject) -> bool:
    """Whether some element can lie in two windows of a pooling, so that its gradient is a sum."""
    kernel = case.arguments["kernel_size"]
    strides, dilations = case.arguments.get("stride", kernel), case.arguments.get("dilation", (1,) * len(kernel))
    axes = zip(kernel, strides, dilations, strict=True)
    return any(effective_kernel(k, d) > s for k, s, d in axes)


def _divisor_is_rounded(case: Case, subject: Subject) -> bool:
    """Whether some average of a pooling is divided by a number that the storage does not have."""
    counts = np.array(sorted(pooling.divisors(case)), dtype=np.float64)
    return bool((round_to(counts, subject.format.storage) != counts).any())


def _several_terms(case: Case, subject: Subject) -> bool:
    """Whether a gradient of a convolution is a sum over taps or over a batch."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    return math.prod(weight[2:]) > 1 or (len(x) == len(weight) and x[0] > 1)


def _scattered_rows_and_bias(case: Case, subject: Subject) -> bool:
    """Whether a linear layer gets an input that is no matrix and a bias, not both contiguous."""
    shapes = case.shapes
    if "bias" not in shapes or len(shapes["input"]) == 2 or 0 in shapes["input"]:
        return False
    tensors = [LAYOUTS[case.layout(name)](torch.empty(shapes[name])) for name in ("input", "bias")]
    return not all(tensor.is_contiguous() for tensor in tensors)


def _always(case: Case, subject: Subject) -> bool:
    """Every case."""
    return True


POOLING_GRADIENT = (
    "the gradient of an element in several windows is summed in the 16-bit storage, every partial sum rounded"
)
OPMATH = "ATen/OpMathType.h: operations on bfloat16 and float16 are to compute in float and to round the result once; "

ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="max-pool-gradient-summed-in-storage",
        severity="lossy accumulation",
        operators=("max_pool1d_values", "max_pool1d", "max_pool2d", "max_pool3d"),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=windows_overlap,
        what=POOLING_GRADIENT,
        why=OPMATH + "the forward pass of average pooling does so",
        upstream=None,
        operator="max_pool1d",
        example=Case(
            shapes={"input": (1, 8, 65)},
            arguments={"kernel_size": (3,), "padding": (0,), "ceil_mode": False, "stride": (1,), "dilation": (1,)},
            fill="normal",
        ),
    ),
    Divergence(
        id="avg-pool-gradient-summed-in-storage",
        severity="lossy accumulation",
        operators=("avg_pool1d", "avg_pool2d", "avg_pool3d"),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=windows_overlap,
        what=POOLING_GRADIENT,
        why=OPMATH + "the forward pass does so",
        upstream=None,
        operator="avg_pool1d",
        example=Case(
            shapes={"input": (1, 8, 65)},
            arguments={"kernel_size": (3,), "padding": (0,), "ceil_mode": False, "stride": (1,)},
            fill="normal",
        ),
    ),
    Divergence(
        id="avg-pool-gradient-divided-by-rounded-divisor",
        severity="wrong gradient",
        operators=("avg_pool1d", "avg_pool2d", "avg_pool3d"),
        laws=OF_WRONG_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_divisor_is_rounded,
        what="the divisor is rounded to the 16-bit storage before the gradient is divided by it: a window of 257 "
        "elements counts as 256 in bfloat16, and one of more than 65,519 as infinitely many in float16, whose gradient "
        "is then zero",
        why=OPMATH + "the forward pass divides by the divisor itself",
        upstream=None,
        operator="avg_pool2d",
        example=Case(
            shapes={"input": (1, 3, 8)},
            arguments={"kernel_size": (1, 1), "padding": (0, 0), "ceil_mode": False, "divisor_override": 66_304},
            fill="normal",
        ),
    ),
    Divergence(
        id="conv-gradient-summed-in-float16",
        severity="lossy accumulation",
        operators=("conv1d", "conv2d", "conv3d"),
        laws=(*OF_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("float16",),
        holds=_several_terms,
        what="sums over taps (gradient to the input) and over the batch (gradient to the weight) are formed in float16",
        why=OPMATH + "the forward pass, and the gradients in bfloat16, do so",
        upstream=None,
        operator="conv1d",
        lacking="avx512_fp16",
        example=Case(
            shapes={"input": (2, 2, 1), "weight": (2, 1, 1)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 2},
            fill="normal",
        ),
    ),
    Divergence(
        id="conv-gradient-summed-in-bfloat16",
        severity="lossy accumulation",
        operators=CONVOLUTIONS,
        laws=(*OF_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_several_terms,
        what="sums over taps (gradient to the input) and over the batch (gradient to the weight) are formed in "
        "bfloat16",
        why=OPMATH + "the forward pass, and processors with AVX-512, do so",
        upstream=None,
        operator="conv1d",
        lacking="avx512_f",
        example=Case(
            shapes={"input": (2, 2, 1), "weight": (2, 1, 1)},
            arguments={"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 2},
            fill="normal",
        ),
    ),
    Divergence(
        id="linear-bias-added-after-rounding",
        severity="lossy accumulation",
        operators=("linear",),
        laws=("layouts",),
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_scattered_rows_and_bias,
        what="for an input that is no matrix, where it or the bias is not contiguous, the product is rounded "
        "before the bias is added",
        why=OPMATH + "contiguous operands are computed so: the result depends on strides",
        upstream=None,
        operator="linear",
        example=Case(
            shapes={"input": (2, 3, 7), "weight": (9, 7), "bias": (9,)},
            arguments={},
            fill="normal",
            setting=Setting({"input": "transposed"}),
        ),
    ),
    Divergence(
        id="sigmoid-gradient-in-float16",
        severity="lossy accumulation",
        operators=("sigmoid",),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=("float16",),
        holds=_always,
        what="g·(1 − s)·s is rounded to float16 after each operation",
        why=OPMATH + "the forward pass, and the gradient in bfloat16, do so",
        upstream=None,
        operator="sigmoid",
        example=Case(shapes={"input": (17, 33)}, arguments={}, fill="normal", seed=6),
    ),
)

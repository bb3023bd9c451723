"""Sums and intermediate results that are rounded to 16 bits on the way: what entries about them share."""

from __future__ import annotations

import functools
import math

from properties.cases.case import Case
from properties.ledger.record import known
from properties.subjects import SIXTEEN_BITS
from refimpl.geometry import effective_kernel

OPMATH = "ATen/OpMathType.h: operations on bfloat16 and float16 are to compute in float and to round the result once; "
"""What an entry's ``why`` begins with; what does so goes on."""

lossy = functools.partial(known, severity="lossy accumulation", dtypes=SIXTEEN_BITS)
"""Register a rounding."""


def sums_taps_or_images(case: Case) -> bool:
    """True if the gradients of a convolution are sums over the taps of a kernel or over the images of a batch."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    return math.prod(weight[2:]) > 1 or (len(x) == len(weight) and x[0] > 1)


def windows_overlap(case: Case) -> bool:
    """True if some element can lie in two windows of a pooling, so that its gradient is a sum."""
    kernel = case.arguments["kernel_size"]
    strides, dilations = case.arguments.get("stride", kernel), case.arguments.get("dilation", (1,) * len(kernel))
    axes = zip(kernel, strides, dilations, strict=True)
    return any(effective_kernel(k, d) > s for k, s, d in axes)

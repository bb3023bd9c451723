"""Sums and intermediate results that are rounded to 16 bits on the way: what entries about them share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable

import numpy as np

from properties.cases.case import Case
from properties.edges.special_gradients import of_gradients
from properties.edges.special_values import same_places
from properties.ledger.record import ROUNDING, known
from properties.operators import Operator
from properties.subjects import SIXTEEN_BITS, Subject
from refimpl.arrays import Array
from refimpl.geometry import effective_kernel
from refimpl.rounding import FLOAT16, round_to

OPMATH = "ATen/OpMathType.h: operations on bfloat16 and float16 are to compute in float and to round the result once; "
"""What an entry's ``why`` begins with; what does so goes on."""

lossy = functools.partial(known, severity=ROUNDING, dtypes=SIXTEEN_BITS)
"""Register a rounding."""
overflowing_gradient = functools.partial(
    known,
    severity="wrong gradient",
    laws=("special gradients",),
    dtypes=("float16",),
    modes=("eager",),
    why=OPMATH + "float16 holds the sum of the gradients that an element gets",
)
"""Register a gradient that is infinite, or NaN, where a part of its sum passes float16's largest number."""


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


def added_in_float16(terms: Iterable[Array]) -> Array:
    """Terms added up one after the other, each partial sum rounded to float16.

    >>> added_in_float16([np.array([60000.0]), np.array([6000.0]), np.array([-6000.0])])
    array([inf])
    """
    total: Array = np.zeros(())
    with np.errstate(invalid="ignore"):
        for term in terms:
            total = round_to(total + term, FLOAT16)
    return total


def overflows(exact: Array, summed: Array) -> bool:
    """True if sums that were formed in float16 are infinite or NaN where the exact ones, stored in it, are not."""
    return not same_places(round_to(exact, FLOAT16), summed).all()


def gradient_overflows(layer: Operator, case: Case, subject: Subject, summed: Callable[[Array, Array], Array]) -> bool:
    """True if the gradient to the input, as a kernel sums it in float16, has other NaN or infinities than is promised.

    summed: what that is, of the incoming gradient and the input.
    """
    cotangent, operands = layer.cotangent(case, subject.format), layer.operands(case, subject.format)
    if not may_overflow(cotangent.size, cotangent):
        return False
    promise = of_gradients(layer, case, cotangent, operands, subject.format)["input"]
    made = summed(cotangent, operands["input"])
    return bool((promise.certain & ~same_places(promise.expected.values, made)).any())


def may_overflow(terms: int, *factors: Array) -> bool:
    """True if so many products, each of one finite element of every factor, may add up to more than float16 holds."""
    largest = (float(np.max(np.abs(f), initial=0.0, where=np.isfinite(f))) for f in factors)
    return terms * math.prod(largest) > FLOAT16.largest

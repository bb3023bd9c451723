"""Adaptive, power-average and fractional pooling: sums that are rounded to 16 bits on the way."""

from __future__ import annotations

import math

import numpy as np

from properties.cases.case import Case
from properties.ledger.lossy import OPMATH, POOLING_GRADIENT, windows_overlap
from properties.ledger.record import OF_GRADIENTS, Divergence
from properties.operators.adaptive_pooling import counts
from properties.operators.fractional_pooling import samples
from properties.subjects import SIXTEEN_BITS, Subject
from refimpl import adaptive_pooling as adaptive
from refimpl.arrays import Array
from refimpl.geometry import fractional_starts

POWER = ("lp_pool1d", "lp_pool2d", "lp_pool3d")


def _uneven(case: Case, subject: Subject) -> bool:
    """Whether adaptive windows overlap, as they do where they do not divide an axis evenly."""
    output = adaptive.output_sizes(case.shapes["input"], case.arguments["output_size"])
    return any(size % out for size, out in zip(case.shapes["input"][-len(output) :], output, strict=True))


def _counts(case: Case) -> Array:
    return counts(case.shapes["input"], case.arguments["output_size"])


def _averages_of_several(case: Case, subject: Subject) -> bool:
    """Whether some window but the whole input holds more than two elements, whose sum is rounded on the way."""
    found = _counts(case)
    return found.size > 1 and bool((found > 2).any())


def _uneven_or_long_on_two_axes(case: Case, subject: Subject) -> bool:
    """Whether the gradient of an adaptive average is a sum, or is divided by two extents, one after the other."""
    sizes = case.shapes["input"][-len(case.arguments["output_size"]) :]
    return _uneven(case, subject) or sum(size > 1 for size in sizes) > 1


def _fractional_overlap(case: Case, subject: Subject) -> bool:
    """Whether an element can be the largest of two fractional windows."""
    kernel, output = case.arguments["kernel_size"], case.arguments["output_size"]
    drawn = samples(case).reshape(-1, len(kernel))
    drawn = drawn[:, ::-1] if len(kernel) == 2 else drawn
    axes = zip(case.shapes["input"][-len(kernel) :], kernel, output, drawn.T, strict=True)
    return any(min(np.diff(fractional_starts(size, k, out, u)), default=k) < k for size, k, out, us in axes for u in us)


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="adaptive-avg-pool3d-in-storage",
        severity="lossy accumulation",
        operators=("adaptive_avg_pool3d",),
        laws=(),
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_averages_of_several,
        what="the elements of a window are added up in the 16-bit storage, and the sum is divided by one extent after "
        "the other, each time rounded",
        why=OPMATH + "adaptive_avg_pool2d does so",
        upstream="https://github.com/pytorch/pytorch/issues/140696",
        operator="adaptive_avg_pool3d",
        example=Case(shapes={"input": (1, 1, 2, 9, 7)}, arguments={"output_size": (1, 2, 2)}, fill="normal"),
        modes=("eager",),
    ),
    Divergence(
        id="adaptive-max-pool-gradient-summed-in-storage",
        severity="lossy accumulation",
        operators=("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_uneven,
        what=POOLING_GRADIENT,
        why=OPMATH + "the forward pass of average pooling does so",
        upstream=None,
        operator="adaptive_max_pool2d",
        example=Case(shapes={"input": (1, 8, 1, 5)}, arguments={"output_size": (1, 12)}, fill="normal"),
    ),
    Divergence(
        id="adaptive-avg-pool-gradient-in-storage",
        severity="lossy accumulation",
        operators=("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_uneven_or_long_on_two_axes,
        what=POOLING_GRADIENT + "; each term is divided by one extent of its window after the other, and rounded",
        why=OPMATH + "the forward pass of adaptive_avg_pool2d does so",
        upstream=None,
        operator="adaptive_avg_pool2d",
        example=Case(shapes={"input": (1, 8, 1, 5)}, arguments={"output_size": (1, 12)}, fill="normal"),
    ),
    Divergence(
        id="fractional-max-pool-gradient-summed-in-storage",
        severity="lossy accumulation",
        operators=("fractional_max_pool2d", "fractional_max_pool3d"),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_fractional_overlap,
        what=POOLING_GRADIENT,
        why=OPMATH + "the forward pass of average pooling does so",
        upstream=None,
        operator="fractional_max_pool2d",
        example=Case(
            shapes={"input": (1, 8, 1, 12)},
            arguments={"kernel_size": (1, 4), "output_size": (1, 9)},
            fill="normal",
            seed=1,
        ),
    ),
    Divergence(
        id="lp-pool-gradient-summed-in-storage",
        severity="lossy accumulation",
        operators=POWER,
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=windows_overlap,
        what=POOLING_GRADIENT,
        why=OPMATH + "the forward pass does so",
        upstream=None,
        operator="lp_pool1d",
        example=Case(
            shapes={"input": (1, 8, 33)},
            arguments={"norm_type": math.inf, "kernel_size": (5,), "ceil_mode": False, "stride": (1,)},
            fill="normal",
        ),
    ),
)

"""ATen's adaptive pooling."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from properties.cases.case import Case
from properties.edges.special_values import Special
from properties.ledger.record import OF_GRADIENTS, known
from properties.ledger.rules import accepted, has_no_channels, needs_channels_in_a_batch
from properties.ledger.sums import (
    OPMATH,
    added_in_float16,
    gradient_overflows,
    lossy,
    may_overflow,
    overflowing_gradient,
    overflows,
)
from properties.operators import operator
from properties.operators.adaptive_pooling import counts
from properties.subjects import Subject
from refimpl import adaptive_pooling
from refimpl.arrays import Array
from refimpl.geometry import adaptive_window
from refimpl.rounding import FLOAT16, round_to

MAXIMUM = ("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
AVERAGE = ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")


@needs_channels_in_a_batch(
    "adaptive-max-pool-without-channels-depends-on-batch",
    MAXIMUM,
    example=Case({"input": (1, 0, 2)}, {"output_size": (1,)}, "normal"),
)
def _no_channels(case: Case, subject: Subject) -> bool:
    return has_no_channels(case)


@needs_channels_in_a_batch(
    "adaptive-avg-pool3d-without-channels-depends-on-batch",
    AVERAGE[2:],
    example=Case({"input": (1, 0, 2, 2, 2)}, {"output_size": (2, 2, 2)}, "normal"),
)
def _no_channels_of_windows(case: Case, subject: Subject) -> bool:
    # For the mean of a whole image torch has another way.
    return has_no_channels(case) and set(case.arguments["output_size"]) != {1}


@accepted(
    "adaptive-average-to-one-of-any-rank",
    AVERAGE[1:],
    "the input has its axes with a batch, or without",
    why="torch.nn.AdaptiveAvgPool2d, Shape: (N, C, H, W) or (C, H, W); with any other output size, as in adaptive max "
    "pooling, it raises",
    example=({"input": (1, 1, 1, 1, 1)}, {"output_size": (1, 1)}),
)
def _to_one_beyond(case: Case, subject: Subject) -> bool:
    """An input with too many axes is accepted where the output is one element."""
    x, output = case.shapes["input"], case.arguments["output_size"]
    sizes = zip(x[-len(output) :], output, strict=False)
    return len(x) > len(output) + 2 and all((size if wanted is None else wanted) == 1 for size, wanted in sizes)


@lossy(
    "adaptive-avg-pool3d-in-storage",
    AVERAGE[2:],
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/140696",
    why=OPMATH + "adaptive_avg_pool2d does so",
    example=Case({"input": (1, 1, 2, 9, 7)}, {"output_size": (1, 2, 2)}, "normal"),
)
def _averages_of_several(case: Case, subject: Subject) -> bool:
    """The elements of a window are added up in the 16-bit storage, and the sum is divided by one extent after the
    other, each time rounded."""
    # The sum of two elements is rounded once, and the mean of the whole input is not computed so.
    if _past_memory(case):
        return False
    found = counts(case.shapes["input"], case.arguments["output_size"])
    return found.size > 1 and bool((found > 2).any())


overflowing = functools.partial(
    known,
    operators=AVERAGE[2:],
    severity="silent wrong value",
    dtypes=("float16",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/140696",
    why=OPMATH + "a mean is no larger than what was averaged; adaptive_avg_pool2d, and bfloat16, are right",
)
"""Register a mean that is infinite, or NaN."""


@overflowing(
    "adaptive-avg-pool3d-overflows-in-float16",
    example=Special({"input": (1, 1, 1, 6)}, {"output_size": (1, 1, 2)}, "normal", seed=22, palette="large"),
)
def _sum_overflows(case: Case, subject: Subject) -> bool:
    """The elements of a window are added up in float16, so that the mean is infinite where their sum passes its largest
    number, and NaN where it does so in both directions."""
    return _multiple_overflows(case, subject, 1.0)


@overflowing(
    "adaptive-avg-pool3d-of-multiples-overflows-in-float16",
    laws=("powers of two",),
    example=Case({"input": (1, 6, 6, 6)}, {"output_size": (1, 1, 2)}, seed=2),
)
def _sum_of_multiples_overflows(case: Case, subject: Subject) -> bool:
    """The elements of a window are added up in float16: of a multiple the mean is infinite where that of the elements
    themselves is not."""
    return _multiple_overflows(case, subject, (-2.0) ** (1 + case.seed % 3))


def _multiple_overflows(case: Case, subject: Subject, factor: float) -> bool:
    """True if the sum of a window of the elements times a factor passes float16's largest number, and its mean does
    not."""
    if _past_memory(case):
        return False
    layer = operator("adaptive_avg_pool3d")
    for filled in (case, case.with_integers()):
        x = factor * layer.operands(filled, subject.format)["input"]
        means = layer.reference(x, **case.arguments)
        if _several(means) and may_overflow(x.size, x) and overflows(means, _sums_in_float16(x, means.shape[-3:])):
            return True
    return False


@overflowing(
    "adaptive-avg-pool3d-of-one-value-overflows-in-float16",
    laws=("constants stay",),
    example=Case({"input": (1, 8, 7, 8)}, {"output_size": (4, 1, 1)}, seed=0),
)
def _sum_of_one_value_overflows(case: Case, subject: Subject) -> bool:
    """The mean of a window of one value is infinite where the sum of its elements passes float16's largest number."""
    if _past_memory(case):
        return False
    layer, terms = operator("adaptive_avg_pool3d"), counts(case.shapes["input"], case.arguments["output_size"])
    levels = [
        layer.operands(filled, subject.format)["input"][..., :1, :1, :1] for filled in (case, case.with_integers())
    ]
    sums = (added_in_float16([level] * int(terms.max(initial=0))) for level in levels)
    return terms.size > 1 and any(overflows(*both) for both in zip(levels, sums, strict=True))


def _past_memory(case: Case) -> bool:
    """True if an output is asked for that no memory holds."""
    return max(size or 0 for size in case.arguments["output_size"]) >= 2**30


@overflowing_gradient(
    "adaptive-avg-pool-gradient-overflows-in-float16",
    AVERAGE,
    upstream="https://github.com/pytorch/pytorch/issues/140696",
    operator="adaptive_avg_pool3d",
    example=Special({"input": (1, 1, 1, 1)}, {"output_size": (1, 1, 4)}, "normal", 3, palette="large", often=1.0),
)
def _gradient_overflows(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is added up in float16, window after window, so that it is infinite
    or NaN where a part of the sum passes its largest number, and the whole does not."""
    axes = len(case.arguments["output_size"])
    layer = operator(f"adaptive_avg_pool{axes}d")
    several = math.prod(layer.output_shape(case)[-axes:]) != 1
    return several and gradient_overflows(layer, case, subject, lambda g, x: _gradient_in_float16(g, x.shape, axes))


def _gradient_in_float16(cotangent: Array, shape: tuple[int, ...], axes: int) -> Array:
    """The gradient, each window's share of an element added to those of the windows before."""
    total, output = np.zeros(shape), cotangent.shape[-axes:]
    for at in np.ndindex(*output):
        ends = [adaptive_window(*axis) for axis in zip(at, shape[-axes:], output, strict=True)]
        share = cotangent[(..., *at)]
        for start, stop in ends:
            share = round_to(share / (stop - start), FLOAT16)
        window: Any = (..., *(slice(*axis) for axis in ends))
        total[window] = added_in_float16([total[window], share.reshape(*share.shape, *(1,) * axes)])
    return total


def _several(means: Array) -> bool:
    """True if they are several: the mean of the whole input is computed otherwise."""
    return math.prod(means.shape[-3:]) > 1


def _sums_in_float16(x: Array, output: tuple[int, ...]) -> Array:
    """The sum of each adaptive window."""
    sums = np.empty((*x.shape[:-3], *output))
    for at in np.ndindex(*output):
        axes = zip(at, x.shape[-3:], output, strict=True)
        depth, rows, columns = (slice(*adaptive_window(*axis)) for axis in axes)
        window = x[..., depth, rows, columns]
        sums[(..., *at)] = added_in_float16(np.moveaxis(window.reshape(*x.shape[:-3], -1), -1, 0))
    return sums


@lossy(
    "adaptive-max-pool-gradient-summed-in-storage",
    MAXIMUM,
    laws=OF_GRADIENTS,
    why=OPMATH + "the forward pass of average pooling does so",
    operator="adaptive_max_pool2d",
    example=Case({"input": (1, 8, 1, 5)}, {"output_size": (1, 12)}, "normal"),
)
def _windows_overlap(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is summed in the 16-bit storage, every partial sum rounded."""
    return _uneven(case)


def _uneven(case: Case) -> bool:
    """True if windows overlap, as they do where they do not divide an axis evenly."""
    output = adaptive_pooling.output_sizes(case.shapes["input"], case.arguments["output_size"])
    return any(size % out for size, out in zip(case.shapes["input"][-len(output) :], output, strict=True))


@lossy(
    "adaptive-avg-pool-gradient-in-storage",
    AVERAGE,
    laws=OF_GRADIENTS,
    why=OPMATH + "the forward pass of adaptive_avg_pool2d does so",
    operator="adaptive_avg_pool2d",
    example=Case({"input": (1, 8, 1, 5)}, {"output_size": (1, 12)}, "normal"),
    narrower="which of its gradients break the bound is the luck of roundings; of more elements more do",
)
def _uneven_or_divided_by_rounded(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is summed in the 16-bit storage, every partial sum rounded; each
    term is divided by one extent of its window after the other, which is rounded, too: 907 elements count as 908 in
    bfloat16."""
    sizes = case.shapes["input"][-len(case.arguments["output_size"]) :]
    return _uneven(case) or sum(size > 1 for size in sizes) > 1 or _rounds_an_extent(case, subject)


def _rounds_an_extent(case: Case, subject: Subject) -> bool:
    """True if the storage has no number for an extent of windows that divide their axes evenly."""
    output = adaptive_pooling.output_sizes(case.shapes["input"], case.arguments["output_size"])
    axes = zip(case.shapes["input"][-len(output) :], output, strict=True)
    extents = np.array([size // wanted for size, wanted in axes if wanted], dtype=np.float64)
    return bool((round_to(extents, subject.format.storage) != extents).any())

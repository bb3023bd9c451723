"""ATen's power-average pooling."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch

from properties.cases.case import Case
from properties.edges.huge import countable
from properties.ledger.aten_pooling import takes_the_largest
from properties.ledger.memory_formats import passes
from properties.ledger.record import OF_GRADIENTS, OF_WRONG_GRADIENTS, known
from properties.ledger.sums import OPMATH, lossy, windows_overlap
from properties.operators import operator
from properties.subjects import Subject
from properties.worker.call import Setting
from properties.worker.layouts import LAYOUTS
from refimpl import pooling
from refimpl.arrays import Array
from refimpl.bounds.power_pooling import largest_on_the_way, power_sums
from refimpl.rounding import Computed

POWER = ("lp_pool1d", "lp_pool2d", "lp_pool3d")

everywhere = functools.partial(known, operators=POWER, devices=("cpu", "cuda"))
"""Register a defect that processors and GPUs show."""


def _powered(case: Case) -> bool:
    """True if the exponent is finite, so that powers are summed, over windows that there are and can be counted to."""
    try:
        operator("lp_pool1d").output_shape(case)
    except ValueError:
        return False
    return countable(case) and not takes_the_largest(case)


def _sums(case: Case, subject: Subject) -> Computed:
    """The sum of powers of each window, as the subject may compute it."""
    x = Computed.operand(_input(case, subject), subject.format)
    return power_sums(x, case.arguments["norm_type"], **_window(case))


def _window(case: Case) -> dict[str, Any]:
    """The windows, none of which is longer than the input: past it there is nothing to be summed."""
    given = {name: value for name, value in case.arguments.items() if name != "norm_type"}
    kernel = given["kernel_size"]
    lengths = zip(kernel, case.shapes["input"][-len(kernel) :], strict=True)
    return {"stride": kernel, **given, "kernel_size": tuple(min(length) for length in lengths)}


def _input(case: Case, subject: Subject) -> Array:
    """What is pooled."""
    return operator("lp_pool1d").operands(case, subject.format)["input"]


@everywhere(
    "lp-pool-cut-off-window",
    severity="silent wrong value",
    why="torch.nn.LPPool1d: f(X) is the p-th root of the sum of x^p over x in X, the window; at p = 1 one gets sum "
    "pooling",
    example=Case({"input": (1, 1, 3)}, {"norm_type": 2.0, "kernel_size": (2,), "ceil_mode": True}, "normal"),
)
def _window_cut_off(case: Case, subject: Subject) -> bool:
    """In ceil mode, a last window that reaches past the input gets the mean of its powers times the whole kernel size,
    not times the elements that it has: each counts for more than one."""
    # A sum of nothing but zeros is zero all the same, and one that is infinite stays so.
    if not _powered(case):
        return False
    kernel, outputs = case.arguments["kernel_size"], operator("lp_pool1d").output_shape(case)
    strides, sizes = case.arguments.get("stride", kernel), case.shapes["input"]
    axes = zip(sizes[-len(kernel) :], kernel, strides, outputs[-len(kernel) :], strict=True)
    cut_off = functools.reduce(np.logical_or.outer, [np.arange(out) * s + k > size for size, k, s, out in axes])
    if not cut_off.any():
        return False
    sums = _sums(case, subject).value
    return bool((cut_off & (sums != 0.0) & np.isfinite(sums)).any())


@everywhere(
    "lp-pool-odd-root-of-negative-sum",
    severity="silent wrong value",
    # Its open change (pull 187207) would make |x|^p the formula: then there is no negative sum, and the loops follow.
    upstream="https://github.com/pytorch/pytorch/issues/184037",
    why="torch.nn.LPPool1d: f(X) is the p-th root of the sum of x^p, and the third root of −8 is −2; at p = 1 negative "
    "sums are kept",
    example=Case({"input": (1, 1, 2)}, {"norm_type": 3.0, "kernel_size": (1,), "ceil_mode": False}, "normal", seed=15),
)
def _odd_root_of_negative(case: Case, subject: Subject) -> bool:
    """A negative sum of cubes gives NaN in place of its real cube root, though the code means to keep its sign."""
    # Sums of other odd powers do so, too, and those that may be rounded to be negative; a first root is exact.
    norm_type = case.arguments["norm_type"]
    if norm_type % 2 != 1 or norm_type == 1 or not _powered(case):
        return False
    sums = _sums(case, subject)
    return bool((sums.value < sums.off).any())


@everywhere(
    "lp-pool-gradient-at-zero",
    severity="wrong gradient",
    laws=OF_WRONG_GRADIENTS,
    why="torch.nn.LPPool1d: if the sum to the power of p is zero, the gradient is set to zero",
    example=Case({"input": (1, 1, 3)}, {"norm_type": 0.5, "kernel_size": (1,), "ceil_mode": False}, "ties"),
)
def _zero_under_a_small_power(case: Case, subject: Subject) -> bool:
    """With a power below one, the gradient of a zero is NaN, not zero, where it lies in windows of zeros alone or in
    none: zero times an infinite slope."""
    return 0 < case.arguments["norm_type"] < 1 and _powered(case) and _zero_among_zeros(case, subject)


def _zero_among_zeros(case: Case, subject: Subject) -> bool:
    """True if some element is zero and lies in no window whose sum is another."""
    sums, x = _sums(case, subject).value, _input(case, subject)
    nonzero = np.where(sums == 0.0, 0.0, 1.0)
    seen = pooling.average_pool_gradient(nonzero, x.shape, **_window(case), divisor_override=1)
    return bool(((x == 0.0) & (seen == 0.0)).any())


@everywhere(
    "lp-pool-second-gradient-at-zero",
    severity="wrong gradient",
    laws=("gradients of gradients",),
    why="torch.nn.LPPool1d: if the sum to the power of p is zero, the gradient is set to zero; what is zero for every "
    "cotangent has the gradient zero",
    example=Case({"input": (1, 1, 3)}, {"norm_type": 2.0, "kernel_size": (1,), "ceil_mode": False}, "ties"),
)
def _zero_under_a_second_slope(case: Case, subject: Subject) -> bool:
    """Differentiated once more, the gradient of a window of zeros, as a ReLU leaves them, is NaN to the cotangent, and
    with a power below two to the zeros as well: zero times an infinite slope."""
    # So is that of a sum that may be rounded to zero.
    norm_type = case.arguments["norm_type"]
    if norm_type == 1 or not _powered(case):
        return False
    sums = _sums(case, subject)
    among_zeros = norm_type < 2 and _zero_among_zeros(case, subject)
    return among_zeros or bool(norm_type > 1 and (np.abs(sums.value) <= sums.off).any())


@everywhere(
    "lp-pool-second-gradient-overflows",
    severity="wrong gradient",
    laws=("gradients of gradients",),
    dtypes=("float16",),
    why="torch.nn.LPPool1d: of a window of one element the root of its power is that element, whose second gradient is "
    "zero",
    example=Case({"input": (1, 1, 2)}, {"norm_type": 3.0, "kernel_size": (1,), "ceil_mode": False}, "normal", seed=8),
)
def _second_slope_overflows(case: Case, subject: Subject) -> bool:
    """The slope of a root's slope at a small sum is past float16's largest number, so that a second gradient within it
    becomes infinite or NaN."""
    if not _powered(case) or case.arguments["norm_type"] == 1:
        return False
    pool, format = operator("lp_pool1d"), subject.format
    operands, directions = pool.operands(case, format), pool.directions(case, format)
    values = (pool.cotangent(case, format), operands["input"], directions["input"])
    g, x, h = (Computed.operand(value, format) for value in values)
    return largest_on_the_way(g, x, h, **case.arguments) >= format.storage.largest


@known(
    "lp-pool3d-unbatched-channels-last",
    POWER[2:],
    severity="valid arguments rejected",
    laws=("layouts",),
    why="torch.nn.LPPool3d: an input of shape (C, D, H, W) is supported; strides are no part of a tensor's value",
    example=Case(
        {"input": (1, 2, 1, 2)},
        {"norm_type": math.inf, "kernel_size": (1, 1, 1), "ceil_mode": False},
        "normal",
        setting=Setting({"input": "channels_last"}),
    ),
)
def _largest_unbatched_channels_last(case: Case, subject: Subject) -> bool:
    """With an infinite power, an unbatched input, or its incoming gradient, that lies in memory as channels_last does
    raises 'Unsupported memory format', as max_pool3d does. What is pooled is |x|, which may lie so though x does not.
    """
    shapes = {"input": case.shapes["input"], "cotangent": operator("lp_pool3d").output_shape(case)}
    if not takes_the_largest(case) or len(shapes["input"]) != 4 or any(0 in shape for shape in shapes.values()):
        return False
    x, g = (LAYOUTS[case.layout(name)](torch.zeros(shape)) for name, shape in shapes.items())
    return passes(x.abs()) or passes(-g if case.arguments["norm_type"] < 0 else g)


@lossy(
    "lp-pool-gradient-summed-in-storage",
    POWER,
    laws=OF_GRADIENTS,
    why=OPMATH + "the forward pass does so",
    example=Case(
        {"input": (1, 8, 33)},
        {"norm_type": math.inf, "kernel_size": (5,), "ceil_mode": False, "stride": (1,)},
        "normal",
    ),
)
def _windows_overlap(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is summed in the 16-bit storage, every partial sum rounded."""
    return windows_overlap(case)

"""Power-average and fractional pooling: wrong values, and valid arguments that are rejected."""

from __future__ import annotations

import math

import numpy as np

from properties.cases.case import Case
from properties.edges.huge import countable
from properties.ledger.channels_last import passes_for_channels_last
from properties.ledger.record import OF_WRONG_GRADIENTS, Divergence
from properties.operators import operator
from properties.subjects import FLOATS, INTEGERS, Subject
from properties.worker.call import Setting
from refimpl import pooling
from refimpl.arrays import Array
from refimpl.bounds.power_pooling import largest_on_the_way, power_sums
from refimpl.rounding import Computed

POWER = ("lp_pool1d", "lp_pool2d", "lp_pool3d")


def _powered(case: Case) -> bool:
    """Whether the exponent is finite, so that powers are summed, over windows that there are and can be counted to."""
    try:
        operator("lp_pool1d").output_shape(case)
    except ValueError:
        return False
    return countable(case) and not math.isinf(case.arguments["norm_type"])


def _window_cut_off(case: Case, subject: Subject) -> bool:
    """Whether, in ceil mode, a last window of powers reaches past the input."""
    if not _powered(case):
        return False
    kernel, outputs = case.arguments["kernel_size"], operator("lp_pool1d").output_shape(case)
    strides, sizes = case.arguments.get("stride", kernel), case.shapes["input"]
    axes = zip(sizes[-len(kernel) :], kernel, strides, outputs[-len(kernel) :], strict=True)
    return any((out - 1) * s + k > size for size, k, s, out in axes)


def _sums(case: Case, subject: Subject) -> Computed:
    """The sum of powers of each window, as the subject may compute it."""
    return power_sums(Computed.operand(_input(case, subject), subject.format), **case.arguments)


def _input(case: Case, subject: Subject) -> Array:
    """What is pooled."""
    return operator("lp_pool1d").operands(case, subject.format)["input"]


def _odd_root_of_negative(case: Case, subject: Subject) -> bool:
    """Whether some window has a sum of odd powers that is negative, or may be rounded to be; a first root is exact."""
    norm_type = case.arguments["norm_type"]
    if norm_type % 2 != 1 or norm_type == 1 or not _powered(case):
        return False
    sums = _sums(case, subject)
    return bool((sums.value < sums.off).any())


def _zero_under_a_small_power(case: Case, subject: Subject) -> bool:
    """Whether, under a power below one, some element is zero and lies in no window whose sum is another."""
    return 0 < case.arguments["norm_type"] < 1 and _powered(case) and _zero_among_zeros(case, subject)


def _zero_among_zeros(case: Case, subject: Subject) -> bool:
    """Whether some element is zero and lies in no window whose sum is another."""
    window = {name: value for name, value in case.arguments.items() if name != "norm_type"}
    sums, x = _sums(case, subject).value, _input(case, subject)
    seen = pooling.average_pool_gradient(np.where(sums == 0.0, 0.0, 1.0), x.shape, **window, divisor_override=1)
    return bool(((x == 0.0) & (seen == 0.0)).any())


def _zero_under_a_second_slope(case: Case, subject: Subject) -> bool:
    """Whether a root of zero, or of what may be rounded to it, or a power of a zero that counts for nothing, has an
    infinite slope once or twice."""
    norm_type = case.arguments["norm_type"]
    if norm_type == 1 or not _powered(case):
        return False
    sums = _sums(case, subject)
    among_zeros = norm_type < 2 and _zero_among_zeros(case, subject)
    return among_zeros or bool(norm_type > 1 and (np.abs(sums.value) <= sums.off).any())


def _second_slope_overflows(case: Case, subject: Subject) -> bool:
    """Whether a step of the second gradient may be past the largest number."""
    if not _powered(case) or case.arguments["norm_type"] == 1:
        return False
    pool, format = operator("lp_pool1d"), subject.format
    operands, directions = pool.operands(case, format), pool.directions(case, format)
    values = (pool.cotangent(case, format), operands["input"], directions["input"])
    g, x, h = (Computed.operand(value, format) for value in values)
    return largest_on_the_way(g, x, h, **case.arguments) >= format.storage.largest


def _largest_unbatched_channels_last(case: Case, subject: Subject) -> bool:
    """Whether an unbatched 3-d pooling of infinite power sees a tensor that passes for channels_last."""
    if not math.isinf(case.arguments["norm_type"]):
        return False
    tensors = {"input": case.shapes["input"], "cotangent": operator("lp_pool3d").output_shape(case)}
    return any(len(shape) == 4 and passes_for_channels_last(case, name, shape) for name, shape in tensors.items())


def _fits_exactly(case: Case, subject: Subject) -> bool:
    """Whether, on some axis, as many windows are asked for as fit: kernel + outputs − 1 is the size."""
    kernel, output = case.arguments["kernel_size"], case.arguments["output_size"]
    axes = zip(case.shapes["input"][-len(kernel) :], kernel, output, strict=True)
    return any(k + out - 1 == size for size, k, out in axes)


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="lp-pool-cut-off-window",
        severity="silent wrong value",
        operators=POWER,
        laws=(),
        devices=("cpu", "cuda"),
        dtypes=FLOATS,
        holds=_window_cut_off,
        what="in ceil mode, a last window that reaches past the input gets the mean of its powers times the whole "
        "kernel size, not times the elements that it has: each counts for more than one",
        why="torch.nn.LPPool1d: f(X) is the p-th root of the sum of x^p over x in X, the window; at p = 1 one gets sum "
        "pooling",
        upstream=None,
        operator="lp_pool1d",
        example=Case(
            shapes={"input": (1, 1, 3)},
            arguments={"norm_type": 2.0, "kernel_size": (2,), "ceil_mode": True},
            fill="normal",
        ),
    ),
    Divergence(
        id="lp-pool-odd-root-of-negative-sum",
        severity="silent wrong value",
        operators=POWER,
        laws=(),
        devices=("cpu", "cuda"),
        dtypes=FLOATS,
        holds=_odd_root_of_negative,
        what="a negative sum of cubes gives NaN in place of its real cube root, though the code means to keep its sign",
        why="torch.nn.LPPool1d: f(X) is the p-th root of the sum of x^p, and the third root of −8 is −2; at p = 1 "
        "negative sums are kept",
        upstream=None,
        operator="lp_pool1d",
        example=Case(
            shapes={"input": (1, 1, 2)},
            arguments={"norm_type": 3.0, "kernel_size": (1,), "ceil_mode": False},
            fill="normal",
            seed=15,
        ),
    ),
    Divergence(
        id="lp-pool-gradient-at-zero",
        severity="wrong gradient",
        operators=POWER,
        laws=OF_WRONG_GRADIENTS,
        devices=("cpu", "cuda"),
        dtypes=FLOATS,
        holds=_zero_under_a_small_power,
        what="with a power below one, the gradient of a zero is NaN, not zero, where it lies in windows of zeros alone "
        "or in none: zero times an infinite slope",
        why="torch.nn.LPPool1d: if the sum to the power of p is zero, the gradient is set to zero",
        upstream=None,
        operator="lp_pool1d",
        example=Case(
            shapes={"input": (1, 1, 3)},
            arguments={"norm_type": 0.5, "kernel_size": (1,), "ceil_mode": False},
            fill="ties",
        ),
    ),
    Divergence(
        id="lp-pool-second-gradient-at-zero",
        severity="wrong gradient",
        operators=POWER,
        laws=("gradients of gradients",),
        devices=("cpu", "cuda"),
        dtypes=FLOATS,
        holds=_zero_under_a_second_slope,
        what="differentiated once more, the gradient of a window of zeros, as a ReLU leaves them, is NaN to the "
        "cotangent, and with a power below two to the zeros as well: zero times an infinite slope",
        why="torch.nn.LPPool1d: if the sum to the power of p is zero, the gradient is set to zero; what is zero for "
        "every cotangent has the gradient zero",
        upstream=None,
        operator="lp_pool1d",
        example=Case(
            shapes={"input": (1, 1, 3)},
            arguments={"norm_type": 2.0, "kernel_size": (1,), "ceil_mode": False},
            fill="ties",
        ),
    ),
    Divergence(
        id="lp-pool-second-gradient-overflows",
        severity="wrong gradient",
        operators=POWER,
        laws=("gradients of gradients",),
        devices=("cpu", "cuda"),
        dtypes=("float16",),
        holds=_second_slope_overflows,
        what="the slope of a root's slope at a small sum is past float16's largest number, so that a second gradient "
        "that is not becomes infinite or NaN",
        why="torch.nn.LPPool1d: of a window of one element the root of its power is that element, whose second "
        "gradient is zero",
        upstream=None,
        operator="lp_pool1d",
        example=Case(
            shapes={"input": (1, 1, 2)},
            arguments={"norm_type": 3.0, "kernel_size": (1,), "ceil_mode": False},
            fill="normal",
            seed=8,
        ),
    ),
    Divergence(
        id="lp-pool3d-unbatched-channels-last",
        severity="valid arguments rejected",
        operators=("lp_pool3d",),
        laws=("layouts",),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=_largest_unbatched_channels_last,
        what="with an infinite power, an unbatched input, or its incoming gradient, that lies in memory as "
        "channels_last does raises 'Unsupported memory format', as max_pool3d does",
        why="torch.nn.LPPool3d: an input of shape (C, D, H, W) is supported; strides are no part of a tensor's value",
        upstream=None,
        operator="lp_pool3d",
        example=Case(
            shapes={"input": (1, 2, 1, 2)},
            arguments={"norm_type": math.inf, "kernel_size": (1, 1, 1), "ceil_mode": False},
            fill="normal",
            setting=Setting({"input": "channels_last"}),
        ),
    ),
    Divergence(
        id="fractional-max-pool3d-exact-fit",
        severity="valid arguments rejected",
        operators=("fractional_max_pool3d",),
        laws=(),
        devices=("cpu", "cuda", "meta"),
        dtypes=FLOATS + INTEGERS,
        holds=_fits_exactly,
        what="raises 'pool time 1 too large relative to input time 1' where kernel + outputs − 1 is the size, as for "
        "an axis of one element",
        why="torch.nn.FractionalMaxPool2d: kH + oH − 1 <= H_in; fractional_max_pool2d accepts the same sizes",
        upstream=None,
        operator="fractional_max_pool3d",
        example=Case(shapes={"input": (1, 1, 1, 1, 1)}, arguments={"kernel_size": (1, 1, 1), "output_size": (1, 1, 1)}),
    ),
)

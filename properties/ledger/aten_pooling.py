"""ATen's maximum and average pooling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from properties.cases.case import Case, kernel_size, window
from properties.edges.huge import COMPUTED, Huge, formula
from properties.edges.special_values import Special
from properties.ledger.aten_activation import lanes
from properties.ledger.memory_formats import passes, passes_for_channels_last
from properties.ledger.record import MODES, OF_GRADIENTS, OF_WRONG_GRADIENTS, WITH_GRADIENTS, known
from properties.ledger.sums import (
    OPMATH,
    added_in_float16,
    gradient_overflows,
    lossy,
    overflowing_gradient,
    windows_overlap,
)
from properties.ledger.windows import DIVISION, divided, division_overflows, spans_of, wrapped
from properties.operators import operator
from properties.operators.pooling import divisors
from properties.subjects import FLOATS, INTEGERS, Subject
from properties.worker.call import FAKE, Setting
from properties.worker.layouts import LAYOUTS
from refimpl import pooling
from refimpl.arrays import Array
from refimpl.geometry import reaches
from refimpl.rounding import FLOAT16, round_to

MAXIMUM = ("max_pool1d", "max_pool2d", "max_pool3d")
AVERAGE = ("avg_pool1d", "avg_pool2d", "avg_pool3d")
WITHOUT_INDICES = ("max_pool1d_values", "lp_pool1d")
"""The latter with a power of infinity."""


@known(
    "max-pool-window-in-padding",
    MAXIMUM,
    severity="silent wrong value",
    dtypes=FLOATS + INTEGERS,
    overwrites=True,
    upstream="https://github.com/pytorch/pytorch/issues/114216",
    why="torch.nn.MaxPool2d: indices are where the maxima are, for torch.nn.MaxUnpool2d. Here no such element exists; "
    "an error or an index that backward skips would be right, another channel's element is not",
    operator="max_pool2d",
    example=Case(
        {"input": (1, 1, 1, 1)}, {"kernel_size": (1, 2), "padding": (0, 1), "ceil_mode": False, "dilation": (1, 2)}
    ),
)
@known(
    "max-pool-values-window-in-padding",
    ("max_pool1d_values",),
    severity="wrong gradient",
    laws=WITH_GRADIENTS,
    overwrites=True,
    upstream="https://github.com/pytorch/pytorch/issues/114216",
    what="the gradient of a dilated window that sees nothing but padding, −∞ whatever the input, is added to an "
    "element past the end of its channel: in the next channel or image; after the last, the gradient of the "
    "gradients raises 'index out of bounds'",
    why="torch.nn.MaxPool1d: the output is the largest element of its own window and channel",
    example=Case(
        {"input": (2, 1, 2)}, {"kernel_size": (2,), "padding": (1,), "ceil_mode": False, "dilation": (3,)}, "normal"
    ),
)
def _sees_only_padding(case: Case, subject: Subject) -> bool:
    """A dilated window that sees nothing but padding gets an index past the end of its channel, and the backward pass
    adds its gradient there: to the next channel, or outside the tensor after the last."""
    kernel, given = case.arguments["kernel_size"], case.arguments
    outputs = formula(operator("max_pool1d"), case)
    if outputs is None or math.prod(outputs) > COMPUTED**2:
        return False
    per_axis = (outputs, case.shapes["input"], kernel, given.get("stride", kernel), given["padding"], given["dilation"])
    return not all(
        reaches(o * stride - padding, taps, dilation, size)
        for count, size, taps, stride, padding, dilation in zip(*(v[-len(kernel) :] for v in per_axis), strict=True)
        for o in range(count)
    )


@known(
    "max-pool3d-index-of-smallest-value",
    MAXIMUM[2:],
    severity="silent wrong value",
    laws=("special maxima", "layouts"),
    dtypes=FLOATS + INTEGERS,
    why="torch.nn.MaxPool3d: indices are where the maxima are, for torch.nn.MaxUnpool3d; contiguous input is right",
    example=Special(
        {"input": (1, 2, 2, 1, 1)},
        {"kernel_size": (1, 1, 1), "padding": (0, 0, 0), "ceil_mode": False, "dilation": (1, 1, 1)},
        seed=2,
        setting=Setting({"input": "channels_last"}),
        palette="all -inf",
    ),
)
def _smallest_in_channels_last(case: Case, subject: Subject) -> bool:
    """In channels_last, a window beyond depth 0 that holds nothing but −∞, or the smallest integer, gets the index of
    an element at depth 0, in the channels behind those that fill whole vectors."""
    shape = case.shapes["input"]
    if len(shape) != 5 or shape[2] < 2 or not passes_for_channels_last(case, "input", shape):
        return False
    values = (case.with_integers() if subject.integral else case).tensor("input", shape, subject.format)
    smallest = np.iinfo(subject.dtype).min if subject.integral else -np.inf
    maxima, indices = pooling.max_pool(values, **case.arguments)
    vector = 2 * lanes() // getattr(torch, subject.dtype).itemsize
    rest = slice(shape[1] - shape[1] % vector, None)
    return bool(((maxima[:, rest] == smallest) & (indices[:, rest] >= shape[3] * shape[4])).any())


@known(
    "avg-pool3d-ignores-padding-in-size-check",
    ("avg_pool3d", "lp_pool3d"),
    severity="valid arguments rejected",
    devices=("cpu", "cuda", "meta"),
    dtypes=FLOATS + INTEGERS,
    modes=(*MODES, FAKE),
    why="torch.nn.AvgPool3d, Shape: the output size ⌊(size + 2·padding − kernel_size)/stride⌋ + 1 is positive, rounded "
    "up in ceil mode; avg_pool1d, avg_pool2d and max_pool3d accept the same window",
    example=Case({"input": (1, 1, 1, 1, 1)}, {"kernel_size": (1, 1, 2), "padding": (0, 0, 1), "ceil_mode": False}),
    narrower="any of three axes may be the short one; a conjunction speaks of the example's",
)
def _smaller_than_kernel(case: Case, subject: Subject) -> bool:
    """Raises 'input image smaller than kernel size' though the padded input is large enough, or overhung by less than a
    stride in ceil mode."""
    kernel = case.arguments["kernel_size"]
    return any(size < k for size, k in zip(case.shapes["input"][-len(kernel) :], kernel, strict=True))


@known(
    "max-pool3d-unbatched-channels-last",
    MAXIMUM[2:],
    severity="valid arguments rejected",
    laws=("layouts", "special maxima"),
    dtypes=FLOATS + INTEGERS,
    why="torch.nn.MaxPool3d: an input of shape (C, D, H, W) is supported; strides are no part of a tensor's value",
    example=Case(
        {"input": (1, 2, 1, 2)},
        {"kernel_size": (1, 1, 1), "padding": (0, 0, 0), "ceil_mode": False, "dilation": (1, 1, 1)},
        setting=Setting({"input": "channels_last"}),
    ),
)
def _unbatched_channels_last(case: Case, subject: Subject) -> bool:
    """An unbatched input, or its incoming gradient, that lies in memory as channels_last does raises 'Unsupported
    memory format'."""
    tensors = {"input": case.shapes["input"], "cotangent": operator("max_pool3d").output_shape(case)}
    return any(len(shape) == 4 and passes_for_channels_last(case, name, shape) for name, shape in tensors.items())


@known(
    "max-pool-indices-of-integers-overflow",
    MAXIMUM,
    severity="valid arguments rejected",
    laws=("layouts", "special maxima"),
    dtypes=("int8", "uint8", "int16"),
    why="torch.nn.MaxPool2d: no limit on the size of an image; the contiguous kernel has none",
    operator="max_pool2d",
    example=Case(
        {"input": (1, 2, 182, 182)},
        {"kernel_size": (1, 1), "padding": (0, 0), "ceil_mode": False, "dilation": (1, 1)},
        setting=Setting({"input": "channels_last"}),
    ),
)
def _more_elements_than_integers(case: Case, subject: Subject) -> bool:
    """An image in channels_last with more than 127 elements a channel, of 16 bits 32,767, raises an internal check: the
    kernel counts elements in integers as wide as those that it pools."""
    # One axis is pooled as an image of one row.
    shape, axes = case.shapes["input"], len(case.arguments["kernel_size"])
    if len(shape) != axes + 2 or 0 in shape:
        return False
    image = LAYOUTS[case.layout("input")](torch.empty(shape))
    format = passes(image.unsqueeze(-2) if axes == 1 else image)
    return format and math.prod(shape[2:]) > np.iinfo(f"int{8 * getattr(torch, subject.dtype).itemsize}").max


# Sums


@lossy(
    "max-pool-gradient-summed-in-storage",
    ("max_pool1d_values", *MAXIMUM),
    laws=OF_GRADIENTS,
    why=OPMATH + "the forward pass of average pooling does so",
    operator="max_pool1d",
    example=Case(
        {"input": (1, 8, 65)},
        {"kernel_size": (3,), "padding": (0,), "ceil_mode": False, "stride": (1,), "dilation": (1,)},
        "normal",
    ),
)
@lossy(
    "avg-pool-gradient-summed-in-storage",
    AVERAGE,
    laws=OF_GRADIENTS,
    why=OPMATH + "the forward pass does so",
    example=Case(
        {"input": (1, 8, 65)}, {"kernel_size": (3,), "padding": (0,), "ceil_mode": False, "stride": (1,)}, "normal"
    ),
)
def _windows_overlap(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is summed in the 16-bit storage, every partial sum rounded."""
    return windows_overlap(case)


@lossy(
    "avg-pool-gradient-divided-by-rounded-divisor",
    AVERAGE,
    chance="a rounded divisor may be within the bound of the quotient",
    severity="wrong gradient",
    laws=OF_WRONG_GRADIENTS,
    why=OPMATH + "the forward pass divides by the divisor itself",
    operator="avg_pool2d",
    example=Case(
        {"input": (1, 3, 8)},
        {"kernel_size": (1, 1), "padding": (0, 0), "ceil_mode": False, "divisor_override": 66_304},
        "normal",
    ),
)
def _divisor_is_rounded(case: Case, subject: Subject) -> bool:
    """The divisor is rounded to the 16-bit storage before the gradient is divided by it: a window of 257 elements
    counts as 256 in bfloat16, and one of more than 65,519 as infinitely many in float16, whose gradient is then
    zero."""
    counts = np.array(sorted(divisors(case)), dtype=np.float64)
    return bool((round_to(counts, subject.format.storage) != counts).any())


# Huge arguments


@known(
    "max-pool1d-window-unchecked",
    WITHOUT_INDICES,
    chance="what is read elsewhere may be small",
    severity="crash",
    laws=("huge arguments",),
    upstream="https://github.com/pytorch/pytorch/pull/175223",
    why="torch.nn.MaxPool1d, Shape: no output size is positive, or one is and padding has no values to read; with "
    "return_indices the arguments are refused: 'value cannot be converted to type int without overflow'",
    example=Huge(
        {"input": (1, 3)},
        {"stride": (1,), "padding": (0,), "dilation": (2**62,), "kernel_size": (5,), "ceil_mode": False},
        inflated=("dilation",),
    ),
)
def _long_window(case: Case, subject: Subject) -> bool:
    """Without indices, no size is checked against overflow, and every element of a window is walked through, in the
    input or not: reads far outside the input, outputs that no formula gives, or no end."""
    # No kernel walks through 2³⁰ elements in the time that a call may take.
    return takes_the_largest(case) and any(span >= 2**30 for span, _, _ in spans_of(case)) and _has_a_size(case)


def _has_a_size(case: Case) -> bool:
    """True if max pooling of one axis accepts its arguments: in 64 bits, with quotients in 32, it has an output."""
    if max(value for values in case.arguments.values() if isinstance(values, tuple) for value in values) >= 2**63:
        return False
    ((span, stride, padding, _),), size, up = window(case), case.shapes["input"][-1], case.arguments["ceil_mode"]
    room = wrapped(size + 2 * padding - span + (stride - 1 if up else 0), 64)
    outputs = divided(room, stride) + 1
    outputs -= up and wrapped((outputs - 1) * stride, 64) >= size + padding
    return 2 * padding <= min(kernel_size(case)[0], wrapped(span, 64)) and outputs > 0


def takes_the_largest(case: Case) -> bool:
    """True if the largest element of a window is pooled, as a power of infinity does, too."""
    return math.isinf(case.arguments.get("norm_type", math.inf))


@known(
    "max-pool1d-stride-wraps",
    WITHOUT_INDICES,
    chance="what is overwritten may not show, or be no smaller",
    severity="crash",
    laws=("huge arguments",),
    overwrites=True,
    why="torch.nn.MaxPool1d, Shape: one output for each channel, which is the largest element of its only window",
    example=Huge(
        {"input": (1, 2, 2)},
        {"stride": (2**63 - 1,), "padding": (2,), "dilation": (1,), "kernel_size": (4,), "ceil_mode": False},
        inflated=("stride",),
    ),
)
def _rounding_up_overflows(case: Case, subject: Subject) -> bool:
    """Without indices, the first and the last window that a tap lies in are found by a division that rounds up after
    adding the stride, which wraps past 2⁶³: outputs before the first or behind the last are written, which are another
    channel's or other memory."""
    # What is divided is how far a window's first tap lies before the input, or its last behind it.
    windows = window(case)
    axes = zip(case.shapes["input"][-len(windows) :], windows, strict=True)
    return (
        takes_the_largest(case)
        and _has_a_size(case)
        and any(max(padding, span - padding - size) + stride > 2**63 for size, (span, stride, padding, _) in axes)
    )


@known(
    "max-pool-output-size-in-32-bits",
    MAXIMUM,
    severity="wrong shape",
    laws=("huge arguments",),
    upstream="https://github.com/pytorch/pytorch/issues/136719",
    what=f"{DIVISION}: a window that does not fit is accepted, and an output of −∞ is made up",
    why="torch.nn.MaxPool1d, Shape: no output size is positive; torch checks smaller windows and raises 'Output size "
    "is too small'",
    example=Huge(
        {"input": (1, 5)},
        {"stride": (1,), "padding": (0,), "dilation": (2**31 - 1,), "kernel_size": (3,), "ceil_mode": False},
        inflated=("dilation",),
    ),
)
def _division_overflows(case: Case, subject: Subject) -> bool:
    # Arguments that no 32 bits hold are refused, and so is a padding of more than half of a window, whose gaps count
    # where there are several axes.
    spans, alone = window(case), len(kernel_size(case)) == 1
    widths = kernel_size(case) if alone else [span for span, *_ in spans]
    if any(2 * padding > width for width, (_, _, padding, _) in zip(widths, spans, strict=True)):
        return False
    given = (case.arguments.get(name, ()) for name in ("kernel_size", "stride", "padding", "dilation"))
    return max(max(values, default=0) for values in given) < 2**31 and division_overflows(case, 1)


@overflowing_gradient(
    "max-pool-gradient-overflows-in-float16",
    (*MAXIMUM, "max_pool1d_values", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
    operator="adaptive_max_pool3d",
    example=Special({"input": (1, 1, 1, 1, 1)}, {"output_size": (1, 1, 4)}, "normal", 3, palette="large", often=1.0),
)
def _picked_often(case: Case, subject: Subject) -> bool:
    """The gradient of an element that is the largest of several windows is added up in float16, window after window, so
    that it is infinite or NaN where a part of the sum passes its largest number, and the whole does not."""
    axes = len(case.arguments.get("kernel_size") or case.arguments["output_size"])
    layer = operator(f"{'max' if 'kernel_size' in case.arguments else 'adaptive_max'}_pool{axes}d")

    def summed(cotangent: Array, x: Array) -> Array:
        return _scattered(cotangent, layer.reference(x, **case.arguments)[1], x.shape, axes)

    return gradient_overflows(layer, case, subject, summed)


@overflowing_gradient(
    "avg-pool-gradient-overflows-in-float16",
    AVERAGE[:2],
    operator="avg_pool1d",
    example=Special(
        {"input": (1, 1, 3)},
        {"kernel_size": (4,), "padding": (2,), "ceil_mode": False, "stride": (1,), "count_include_pad": False},
        "normal",
        29,
        palette="large",
        often=1.0,
    ),
)
def _spread_often(case: Case, subject: Subject) -> bool:
    """The gradient of an element in several windows is added up in float16, window after window, so that it is infinite
    or NaN where a part of the sum passes its largest number, and the whole does not: as a divisor that is given, or
    that counts no padding, lets it."""
    layer = operator(f"avg_pool{len(case.arguments['kernel_size'])}d")
    return gradient_overflows(layer, case, subject, lambda g, x: _spread(g, x.shape, case.arguments))


def _spread(cotangent: Array, shape: tuple[int, ...], given: Mapping[str, Any]) -> Array:
    """Gradients added up in float16, the share of one window after the other."""
    total = np.zeros(shape)
    for at in np.ndindex(*cotangent.shape[-len(given["kernel_size"]) :]):
        window = np.zeros_like(cotangent)
        window[(..., *at)] = cotangent[(..., *at)]
        total = added_in_float16([total, round_to(pooling.average_pool_gradient(window, shape, **given), FLOAT16)])
    return total


def _scattered(cotangent: Array, indices: Array, shape: tuple[int, ...], axes: int) -> Array:
    """Gradients added up in float16 at the indices, one output after the other."""
    planes = math.prod(shape[:-axes])
    total = np.zeros((planes, math.prod(shape[-axes:])))
    for g, at in zip(cotangent.reshape(planes, -1).T, indices.reshape(planes, -1).T, strict=True):
        seen = np.arange(planes)[at >= 0], at[at >= 0]
        total[seen] = added_in_float16([total[seen], g[at >= 0]])
    return total.reshape(shape)

"""Sizes and arguments so large that torch's integers overflow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from properties.cases.case import Case, window
from properties.edges.huge import Huge
from properties.ledger.record import Divergence
from properties.ledger.windows import where_valid, windows_of
from properties.subjects import FLOATS, Subject

ONE = {"stride": (1,), "padding": (0,), "dilation": (1,)}
LONG = 2**30
"""Elements of a window that no kernel walks through in the time that a call may take."""


def _axes(case: Case) -> Iterator[tuple[int, int, int]]:
    """For each axis: what the window spans, the elements left beside it, and its stride."""
    windows = window(case)
    for size, (span, stride, padding, _) in zip(case.shapes["input"][-len(windows) :], windows, strict=True):
        yield span, size + 2 * padding - span, stride


def _window_overflows(case: Case, subject: Subject) -> bool:
    """Whether the elements that a window spans are more than 64 bits hold."""
    return any(span >= 2**63 for span, _, _ in _axes(case))


def _division_overflows(case: Case) -> bool:
    """Whether the quotient or the remainder of the output size's division is more than 32 bits hold."""
    return any(max(abs(room) // stride, abs(room) % stride) >= 2**31 for _, room, stride in _axes(case))


def _dilated_division_overflows(case: Case, subject: Subject) -> bool:
    """Whether it is so for a convolution whose kernel is dilated."""
    return set(case.arguments["dilation"]) != {1} and _division_overflows(case)


def _planes_or_dilated_division_overflows(case: Case, subject: Subject) -> bool:
    """Whether it is so for a convolution whose kernel is dilated or has three axes."""
    return (len(window(case)) == 3 and _division_overflows(case)) or _dilated_division_overflows(case, subject)


def _long_window(case: Case, subject: Subject) -> bool:
    """Whether a window spans more elements than anyone walks through."""
    return any(span >= LONG for span, _, _ in _axes(case))


def _long_unindexed(case: Case, subject: Subject) -> bool:
    """Whether it is so for the largest element, which a power of infinity gives too."""
    return math.isinf(case.arguments.get("norm_type", math.inf)) and _long_window(case, subject)


def _largest_division_overflows(case: Case, subject: Subject) -> bool:
    """Whether the division of the output's size overflows, for the largest element or a power of infinity."""
    return math.isinf(case.arguments.get("norm_type", math.inf)) and _division_overflows(case)


def _rounding_up_overflows(case: Case, subject: Subject) -> bool:
    """True if a window's first tap lies so far before the input, or its last so far behind it, that the distance and
    the stride, added to divide one by the other and round up, are more than 64 bits hold."""
    if not math.isinf(case.arguments.get("norm_type", math.inf)):
        return False
    sizes = case.shapes["input"][-len(window(case)) :]
    return any(
        max(padding, span - padding - size) + stride > 2**63
        for size, (span, stride, padding, _) in zip(sizes, window(case), strict=True)
    )


def _past_tiles(case: Case, subject: Subject) -> bool:
    """Whether a window of 2³⁰ elements or more slides over a padded axis of 2³¹ or more."""
    return any(span >= LONG and room + span >= 2**31 for span, room, _ in _axes(case))


@where_valid
def _elements_overflow(case: Case, subject: Subject) -> bool:
    """Whether an image's outputs are more than 64 bits count."""
    return math.prod(window["output"] for window in windows_of(case)) >= 2**63


DIVISION = "the quotient and the remainder of the output size's division are cut to 32 bits (ATen/div_rtn.h)"

SIZED_WITHOUT_ONEDNN = Divergence(
    id="conv-float16-output-size-in-32-bits",
    severity="wrong shape",
    operators=("conv1d", "conv2d", "conv3d"),
    laws=("huge arguments",),
    devices=("cpu",),
    dtypes=("float16",),
    holds=_planes_or_dilated_division_overflows,
    what=DIVISION + ": where oneDNN has no float16, a dilated convolution, or one over three axes, gives an output "
    "of no elements",
    why="torch.nn.Conv3d, Shape: the formula gives one element",
    upstream=None,
    operator="conv1d",
    lacking="avx512_fp16",
    example=Huge(
        shapes={"input": (1, 2), "weight": (1, 1, 1)},
        arguments={"stride": (2**61 - 1,), "padding": (2**31 - 1,), "dilation": (2,), "groups": 1},
        inflated=("padding", "stride"),
    ),
)

ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="conv-window-overflows",
        severity="wrong shape",
        operators=("conv1d", "conv2d", "conv3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=_window_overflows,
        what="dilation·(kernel − 1) + 1 wraps past 2⁶³, so that a window that does not fit is taken and an output is "
        "made up",
        why="torch.nn.Conv1d, Shape: no output size is positive; torch checks smaller windows and raises 'Kernel size "
        "can't be greater than actual input size'",
        upstream=None,
        operator="conv1d",
        example=Huge(
            shapes={"input": (1, 5), "weight": (1, 1, 5)},
            arguments=ONE | {"dilation": (2**62,), "groups": 1},
            inflated=("dilation",),
        ),
    ),
    Divergence(
        id="conv-output-size-in-32-bits",
        severity="wrong shape",
        operators=("conv1d", "conv2d", "conv3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=("float64", "float32"),
        holds=_dilated_division_overflows,
        what=DIVISION + ": a dilated convolution gives an output of no elements",
        why="torch.nn.Conv1d, Shape: the formula gives one element",
        upstream=None,
        operator="conv1d",
        example=Huge(
            shapes={"input": (1, 2), "weight": (1, 1, 1)},
            arguments={"stride": (2**61 - 1,), "padding": (2**31 - 1,), "dilation": (2,), "groups": 1},
            inflated=("padding", "stride"),
        ),
    ),
    SIZED_WITHOUT_ONEDNN,
    replace(
        SIZED_WITHOUT_ONEDNN,
        id="conv-bfloat16-output-size-in-32-bits",
        dtypes=("bfloat16",),
        what=SIZED_WITHOUT_ONEDNN.what.replace("float16", "bfloat16"),
        lacking="avx512_f",
    ),
    Divergence(
        id="conv-elements-overflow",
        severity="crash",
        operators=("conv2d", "conv3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=("float64", "float32"),
        holds=_elements_overflow,
        what="the number of outputs wraps past 2⁶⁴: what is allocated is what is left of it, and the process ends with "
        "a segmentation fault",
        why="torch.nn.Conv2d, Shape: such an output cannot be; torch raises 'Storage size calculation overflowed' "
        "where one axis alone is too long",
        upstream=None,
        operator="conv2d",
        example=Huge(
            shapes={"input": (1, 1, 33, 32), "weight": (1, 1, 1, 1)},
            arguments={"stride": (1, 1), "padding": (2**61 - 1, 0), "dilation": (1, 1), "groups": 1},
            inflated=("padding",),
        ),
    ),
    Divergence(
        id="conv-bfloat16-padded-axis-in-32-bits",
        severity="crash",
        operators=("conv1d", "conv2d", "conv3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_past_tiles,
        what="a dilated window of 2³⁰ elements over a padded axis of 2³¹ ends the process with a segmentation fault",
        why="torch.nn.Conv1d: no limit on padding and dilation; other dtypes and older processors give zeros",
        upstream=None,
        operator="conv2d",
        having="amx_bf16",
        example=Huge(
            shapes={"input": (1, 4, 2, 3), "weight": (8, 2, 2, 1)},
            arguments={"stride": (2**30, 1), "padding": (2**30, 0), "dilation": (2**30, 1), "groups": 2},
            inflated=("dilation", "padding", "stride"),
        ),
    ),
    Divergence(
        id="max-pool1d-window-unchecked",
        severity="crash",
        operators=("max_pool1d_values", "lp_pool1d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=_long_unindexed,
        what="without indices, no size is checked against overflow, and every element of a window is walked through, "
        "in the input or not: reads far outside the input, outputs that no formula gives, or no end",
        why="torch.nn.MaxPool1d, Shape: no output size is positive, or one is and padding has no values to read; with "
        "return_indices the arguments are refused: 'value cannot be converted to type int without overflow'",
        upstream="https://github.com/pytorch/pytorch/pull/175223",
        operator="max_pool1d_values",
        example=Huge(
            shapes={"input": (1, 3)},
            arguments=ONE | {"kernel_size": (5,), "dilation": (2**62,), "ceil_mode": False},
            inflated=("dilation",),
        ),
    ),
    Divergence(
        id="max-pool1d-stride-wraps",
        severity="crash",
        operators=("max_pool1d_values", "lp_pool1d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=_rounding_up_overflows,
        what="without indices, the first and the last window that a tap lies in are found by a division that rounds up "
        "after adding the stride, which wraps past 2⁶³: outputs before the first or behind the last are written, those "
        "of the next channel or memory of others",
        why="torch.nn.MaxPool1d, Shape: one output for each channel, which is the largest element of its only window",
        upstream=None,
        operator="max_pool1d_values",
        overwrites=True,
        example=Huge(
            shapes={"input": (1, 2, 2)},
            arguments=ONE | {"kernel_size": (4,), "padding": (2,), "stride": (2**63 - 1,), "ceil_mode": False},
            inflated=("stride",),
        ),
    ),
    Divergence(
        id="max-pool-output-size-in-32-bits",
        severity="wrong shape",
        operators=("max_pool1d", "max_pool2d", "max_pool3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=FLOATS,
        holds=lambda case, subject: _division_overflows(case),
        what=DIVISION + ": a window that does not fit is taken, and an output of −∞ is made up",
        why="torch.nn.MaxPool1d, Shape: no output size is positive; torch checks smaller windows and raises 'Output "
        "size is too small'",
        upstream=None,
        operator="max_pool1d",
        example=Huge(
            shapes={"input": (1, 5)},
            arguments=ONE | {"kernel_size": (3,), "dilation": (2**31 - 1,), "ceil_mode": False},
            inflated=("dilation",),
        ),
    ),
    Divergence(
        id="max-pool1d-output-size-in-32-bits",
        severity="valid arguments rejected",
        operators=("max_pool1d_values", "lp_pool1d"),
        laws=("huge shapes",),
        devices=("meta",),
        dtypes=("float32",),
        holds=_largest_division_overflows,
        what="without indices, " + DIVISION + ": an output of more than 2³¹ elements raises 'Invalid computed output "
        "size'",
        why="torch.nn.MaxPool1d, Shape: no limit on sizes; with return_indices there is none",
        upstream=None,
        operator="max_pool1d_values",
        example=Huge(
            shapes={"input": (1, 2**31 + 1)},
            arguments=ONE | {"kernel_size": (1,), "ceil_mode": False},
            inflated=("size",),
        ),
    ),
)

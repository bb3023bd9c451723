"""Strides and dilations so long that what oneDNN computes from them overflows: crashes and loops without end."""

from __future__ import annotations

import math

from properties.cases.case import Case
from properties.edges.huge import COMPUTED, Huge
from properties.ledger.record import Divergence
from properties.ledger.windows import where_valid, windows_of
from properties.subjects import Subject

LARGEST_BLOCK = 64
"""Output channels that are computed at once, at most."""

LEAST = 32
"""Columns of bfloat16 that are computed at once, at least, where there are so many."""


@where_valid
def _far(case: Case, subject: Subject) -> bool:
    """Whether along some axis a window of 16-bit numbers begins 2³² bytes or more behind the one before.

    Channels lie innermost, those of all groups. oneDNN refuses a stride of 2³¹.
    """
    channels, axes = case.shapes["input"][-len(case.shapes["weight"]) + 1], windows_of(case)
    padded = [w["input"] + 2 * w["before"] for w in axes]
    inner = [2 * channels * math.prod(padded[axis + 1 :]) for axis in range(len(axes))]
    return any(w["stride"] * size >= 2**32 and w["stride"] < 2**31 for w, size in zip(axes, inner, strict=True))


@where_valid
def _dilation_is_negative(case: Case, subject: Subject) -> bool:
    """Whether the axis before the last is dilated by 2³¹, the least of 32-bit integers, and five outputs are made."""
    axes = windows_of(case)
    return axes[-2]["dilation"] == 2**31 and axes[-1]["kernel"] > 1 and math.prod(w["output"] for w in axes) > 4


def _strides_wrap(case: Case, subject: Subject) -> bool:
    """Whether, for one tap, the strides times the channels of a group come to a little less than 2⁶² times some."""
    channels, *kernel = case.shapes["weight"][1:]
    less = -channels * math.prod(case.arguments["stride"]) % 2**62
    return math.prod(kernel) == 1 and 0 < less <= channels + LARGEST_BLOCK


@where_valid
def _blocks_wrap(case: Case, subject: Subject) -> bool:
    """Whether a divisor may come to 2⁶⁴ times some, as matrix products over few outputs at once are planned.

    Divisors are multiples of the strides' product and the taps: by columns, by channels, by 16, with weights or output
    channels added.
    """
    outputs, channels, *kernel = case.shapes["weight"]
    groups, taps, axes = case.arguments["groups"], math.prod(kernel), windows_of(case)
    outputs, columns, strides = outputs // groups, math.prod(w["output"] for w in axes), case.arguments["stride"]
    images = groups * math.prod(case.shapes["input"][: -len(kernel) - 1])
    if columns > COMPUTED:  # they are more than any memory holds
        return False
    planned = images * columns >= LEAST or columns < images or (strides[-1] == 1 and 20 * channels * taps <= outputs)

    def wraps(times: int, least: int, most: int) -> bool:
        return least <= -times * (math.prod(strides) + taps) % 2**64 <= most

    return planned and (
        any(wraps(at_once, 0, taps * outputs) for at_once in (*range(LEAST, columns), columns))
        or wraps(channels, 1, max(outputs, 8))
        or wraps(16, 1, 2 * taps * outputs)
    )


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="conv-bfloat16-stride-in-32-bits",
        severity="crash",
        operators=("conv1d", "conv2d", "conv3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_far,
        what="where windows stride over 2³² bytes or more, the process ends with a division by zero (SIGFPE) or a "
        "segmentation fault, never ends, or is right by chance",
        why="torch.nn.Conv2d: no limit on the stride; float32 and processors without AMX give the one output",
        upstream=None,
        operator="conv2d",
        having="amx_bf16",
        example=Huge(
            shapes={"input": (1, 1, 1, 8), "weight": (1, 1, 1, 2)},
            arguments={"stride": (2**30, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1},
            inflated=("stride",),
        ),
    ),
    Divergence(
        id="conv-float16-stride-in-32-bits",
        severity="crash",
        operators=("conv1d", "conv2d", "conv3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=("float16",),
        holds=_far,
        what="where windows stride over 2³² bytes or more, the process ends with a segmentation fault, never ends, "
        "gives wrong outputs, or is right by chance",
        why="torch.nn.Conv1d: no limit on the stride; float32 and processors without AVX-512 for float16 give the one "
        "output",
        upstream=None,
        operator="conv1d",
        having="avx512_fp16",
        example=Huge(
            shapes={"input": (1, 8, 1), "weight": (1, 8, 1)},
            arguments={"stride": (2**30,), "padding": (1,), "dilation": (1,), "groups": 1},
            inflated=("stride",),
        ),
    ),
    Divergence(
        id="conv-bfloat16-dilation-in-32-bits",
        severity="crash",
        operators=("conv2d", "conv3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_dilation_is_negative,
        what="where a kernel of one row is dilated by 2³¹, which means nothing, and has several columns, the process "
        "ends with a segmentation fault, or the output is right by chance",
        why="torch.nn.Conv2d: no limit on the dilation; smaller and larger ones, other dtypes and processors without "
        "AMX are right",
        upstream=None,
        operator="conv2d",
        having="amx_bf16",
        example=Huge(
            shapes={"input": (1, 8, 1, 6), "weight": (1, 8, 1, 2)},
            arguments={"stride": (1, 1), "padding": (0, 0), "dilation": (2**31, 1), "groups": 1},
            inflated=("dilation",),
        ),
    ),
    Divergence(
        id="conv-stride-past-64-bits",
        severity="crash",
        operators=("conv1d", "conv2d", "conv3d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=("float32",),
        holds=_strides_wrap,
        what="for a kernel of one element, where the input channels times the product of the strides wrap past 2⁶² to "
        "a little less than nothing, and with the channels computed at once may come to zero, the process ends with a "
        "division by zero (SIGFPE)",
        why="torch.nn.Conv2d: no limit on the stride; float64, and other strides as long, give the one output",
        upstream=None,
        operator="conv2d",
        example=Huge(
            shapes={"input": (1, 8, 1, 1), "weight": (2, 4, 1, 1)},
            arguments={"stride": (2**62 - 1, 3), "padding": (0, 0), "dilation": (1, 1), "groups": 2},
            inflated=("stride",),
        ),
    ),
    Divergence(
        id="conv-bfloat16-stride-past-64-bits",
        severity="crash",
        operators=("conv1d", "conv2d"),
        laws=("huge arguments",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_blocks_wrap,
        what="where the product of the strides and the taps, times the columns or channels that are computed at once, "
        "wraps past 2⁶⁴ to nothing, as a stride of 2⁶¹ - 1 does for one tap and 32 columns, the process ends with a "
        "division by zero (SIGFPE)",
        why="torch.nn.Conv2d: no limit on the stride; float32, processors without AVX-512, and other strides as long, "
        "give the one output",
        upstream=None,
        operator="conv2d",
        having="avx512_f",
        example=Huge(
            shapes={"input": (1, 1, 1, 32), "weight": (1, 1, 1, 1)},
            arguments={"stride": (2**61 - 1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1},
            inflated=("stride",),
        ),
    ),
)

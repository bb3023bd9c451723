"""How oneDNN divides a convolution into blocks, where strides are so long that it divides by what wraps to zero."""

from __future__ import annotations

import math

from properties.cases.case import Case, kernel_size
from properties.edges.huge import COMPUTED, Huge
from properties.ledger.backends import without_onednn
from properties.ledger.examples import convolution
from properties.ledger.record import PADDED, PLAIN, known
from properties.ledger.windows import accepted, where_valid, windows_of
from properties.subjects import Subject

SMALLEST = 8
"""Of a sum that wraps to a little less than nothing: how much less was seen to matter."""

LEAST = 32
"""Columns of bfloat16 that are computed at once, at least, where there are so many."""


@known(
    "conv-stride-past-64-bits",
    ("conv2d", "conv2d_padded"),
    severity="crash",
    laws=("huge arguments",),
    dtypes=("float32",),
    why="torch.nn.Conv2d: no limit on the stride; float64, and other strides as long, give the one output",
    operator="conv2d",
    example=Huge(*convolution((1, 8, 1, 1), (2, 4, 1, 1), stride=(2**62 - 1, 3), groups=2), inflated=("stride",)),
)
def _strides_wrap(case: Case, subject: Subject) -> bool:
    """For a kernel of one element, where the product of the strides, and one more, times the input channels that are
    computed at once wraps past 2⁶⁴ to minus the output channels at once, the process ends with a division by zero
    (SIGFPE)."""
    outputs, channels, *kernel = case.shapes["weight"]
    outputs //= case.arguments["groups"]
    blocks = [(channels, outputs), (8, outputs), (1, outputs), *([(channels, 8)] if outputs <= 8 else [])]
    wraps = any(
        (inputs * (math.prod(case.arguments["stride"]) + 1) + at_once) % 2**64 == 0 for inputs, at_once in blocks
    )
    return math.prod(kernel) == 1 and wraps and _reaches_onednn(case, subject)


def _reaches_onednn(case: Case, subject: Subject) -> bool:
    """True if no argument is refused on the way to oneDNN, nor by it: strides of 2⁶² are."""
    return max(case.arguments["stride"]) < 2**62 and not without_onednn(case, subject) and accepted(case)


@known(
    "conv-strides-and-taps-past-64-bits",
    ("conv2d", "conv2d_padded"),
    severity="crash",
    laws=("huge arguments",),
    dtypes=("float32",),
    chance="which of these sums come to nothing depends on the columns and channels that are computed at once",
    why="torch.nn.Conv2d: no limit on the stride; float64, and other strides as long, give the one output",
    operator="conv2d",
    example=Huge(*convolution((3, 2, 1, 2), (2, 1, 1, 2), stride=(4, 2**62 - 1), groups=2), inflated=("stride",)),
)
def _strides_and_taps_wrap(case: Case, subject: Subject) -> bool:
    """Where the product of the strides and several taps together wrap past 2⁶⁴ to a little less than nothing, the
    process ends with a division by zero (SIGFPE)."""
    # Seen for sums of −1 to −8, and one, two, four or eight output channels in each group.
    strides, outputs = case.arguments["stride"], case.shapes["weight"][0] // case.arguments["groups"]
    taps = math.prod(kernel_size(case))
    less = -(math.prod(strides) + taps) % 2**64
    return taps > 1 and outputs in (1, 2, 4, 8) and 0 < less <= SMALLEST and _reaches_onednn(case, subject)


@known(
    "conv-bfloat16-stride-past-64-bits",
    PLAIN[:2] + PADDED[:2],
    severity="crash",
    laws=("huge arguments",),
    dtypes=("bfloat16",),
    having="avx512_f",
    why="torch.nn.Conv2d: no limit on the stride; float32, processors without AVX-512, and other strides as long, give "
    "the one output",
    operator="conv2d",
    example=Huge(*convolution((1, 1, 1, 32), (1, 1, 1, 1), stride=(2**61 - 1, 1)), inflated=("stride",)),
)
@where_valid
def _blocks_wrap(case: Case, subject: Subject) -> bool:
    """Where the product of the strides and the taps, times the columns or channels that are computed at once, wraps
    past 2⁶⁴ to nothing, as a stride of 2⁶¹ - 1 does for one tap and 32 columns, the process ends with a division by
    zero (SIGFPE)."""
    # Divisors are multiples of the strides' product and the taps: by columns, by channels, by 16, with weights or
    # output channels added. They are computed where matrix products over few outputs at once are planned.
    outputs, channels, *kernel = case.shapes["weight"]
    groups, taps, axes = case.arguments["groups"], math.prod(kernel), windows_of(case)
    outputs, columns, strides = outputs // groups, math.prod(w["output"] for w in axes), case.arguments["stride"]
    images = groups * math.prod(case.shapes["input"][: -len(kernel) - 1])
    if not 0 < columns <= COMPUTED:  # no window fits, or they are more than any memory holds
        return False
    planned = images * columns >= LEAST or columns < images or (strides[-1] == 1 and 20 * channels * taps <= outputs)

    def wraps(times: int, least: int, most: int) -> bool:
        return least <= -times * (math.prod(strides) + taps) % 2**64 <= most

    return (
        planned
        and _reaches_onednn(case, subject)
        and (
            any(wraps(at_once, 0, taps * outputs) for at_once in (*range(LEAST, columns), columns))
            or wraps(channels, 1, max(outputs, 8))
            or wraps(16, 1, 2 * taps * outputs)
        )
    )

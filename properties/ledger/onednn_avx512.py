"""The gradient to the weight of oneDNN's convolutions for processors with AVX-512 and, of bfloat16, without AMX.

A transposed convolution's weight gradient is that of the convolution which its gradient to the input is. The kernel for
bfloat16 copies rows so that a column's channels lie together, of every stride-th column for each remainder; it walks
through depth, and there through rows, with a counter of the taps that lie in the input.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from itertools import pairwise

from properties.cases.case import Case
from properties.ledger.backends import without_onednn
from properties.ledger.examples import convolution, transposed
from properties.ledger.memory_formats import convolves_in_channels_last
from properties.ledger.record import CONVOLUTIONS, OF_WRONG_GRADIENTS, TRANSPOSED, known
from properties.ledger.windows import after, where_valid, windows_of
from properties.subjects import Subject
from properties.worker.call import Setting
from properties.worker.layouts import OFFSETS
from refimpl.geometry import effective_kernel

VECTOR = 16
"""Channels, or kernels, in a register."""
TAPS, TAPS_OF_FEW_CHANNELS = 14, 24
"""Taps along the last axis for which there is a kernel."""
BLOCK = 28
"""Outputs that one pass takes along the last axis; in float32, two passes of half as many where padding is long."""
OVER_DEPTH = ("conv3d", "conv3d_padded", "conv_transpose3d")
FLOAT32 = "torch.nn.Conv{}d, the formula; float64, torch without oneDNN, and processors without AVX-512 are right"

Window = Mapping[str, int]
ABSENT = {"input": 1, "output": 1, "kernel": 1, "stride": 1, "dilation": 1, "before": 0}
"""The window of an axis that there is not."""

wrong = functools.partial(
    known, severity="wrong gradient", laws=(*OF_WRONG_GRADIENTS, "rerun", "call after call"), having="avx512_f"
)
"""Register a gradient that is wrong on processors with AVX-512."""
in_float32 = functools.partial(wrong, dtypes=("float32",))
in_bfloat16 = functools.partial(wrong, dtypes=("bfloat16",), lacking="amx_bf16")


@in_float32(
    "avx512-weight-gradient-of-planes-between-paddings",
    OVER_DEPTH,
    overwrites=True,
    why=FLOAT32.format(3),
    example=Case(*convolution((2, 16, 4, 2, 2), (16, 16, 7, 1, 1), stride=(2, 1, 1), padding=(5, 0, 0))),
)
def _depth_between_paddings(case: Case, subject: Subject) -> bool:
    """With a stride along the first of three axes, where a window other than the first reaches from the padding before
    the input to its end, the gradient to the weight is wrong, and other memory is overwritten."""
    # Or where a window after the first begins in the padding, and the next within the input and ends past it.
    first = windows_of(case)[0]
    size, kernel, stride = first["input"], first["kernel"], first["stride"]
    starts = [o * stride - first["before"] for o in range(first["output"])]
    if first["dilation"] > 1 or stride == 1 or not starts or starts[0] + kernel >= size:
        return False
    inside = any(start < 0 and start + kernel >= size for start in starts[1:])
    return inside or any(a < 0 < b and b + kernel > size for a, b in pairwise(starts[1:]))


@in_float32(
    "avx512-weight-gradient-between-long-paddings",
    CONVOLUTIONS + TRANSPOSED,
    why=FLOAT32.format(1),
    operator="conv_transpose1d",
    example=Case(*transposed((2, 1, 31), (1, 1, 6), stride=(2,), padding=(15,), dilation=(3,))),
)
def _long_padding_on_both_sides(case: Case, subject: Subject) -> bool:
    """With a stride, a dilation, 29 to 55 outputs along the last axis, and padding of 15 to 28 elements on both sides
    of it, the gradient to the weight is wrong in most elements, by more than its size."""
    # Padding before the input is longer than half a block, and that after it at least as long as what is left of the
    # output after one block. Kernels have 14 taps at most; a dilation makes them reach.
    *others, last = windows_of(case)
    reach = last["dilation"] * (last["kernel"] - 1)
    rest = last["output"] - BLOCK
    padded = BLOCK / 2 < last["before"] <= min(BLOCK, reach) and rest <= after(**last) <= BLOCK
    alone = not any(w["stride"] > 1 and w["dilation"] > 1 for w in others)
    sliding = last["stride"] > 1 and last["kernel"] <= BLOCK / 2 and 0 < rest < BLOCK
    return padded and alone and sliding and _has_such_a_kernel(case) and not without_onednn(case, subject)


def _has_such_a_kernel(case: Case) -> bool:
    """True if the channels fill a register, or are few and of one group; in channels_last, any have this kernel."""
    weight, groups = case.shapes["weight"], case.arguments.get("groups", 1)
    channels, kernels = weight[1], weight[0] // groups
    if convolves_in_channels_last(case):
        return True
    if groups > 1:
        return channels % VECTOR == 0 and kernels % VECTOR == 0
    return channels >= VECTOR or channels <= 3


def _span(window: Window) -> int:
    return effective_kernel(window["kernel"], window["dilation"])


def _few(case: Case) -> bool:
    """True if there are fewer channels than fill a register, of one group: the kernel is another one."""
    return case.arguments.get("groups", 1) == 1 and case.shapes["weight"][1] < VECTOR


def _copied(case: Case) -> bool:
    """True if rows are copied first, not read where they lie."""
    return not _few(case) or convolves_in_channels_last(case)


def _stored(case: Case) -> bool:
    """True if oneDNN's kernel is for these channels and kernels, as they lie in memory."""
    weight, groups = case.shapes["weight"], case.arguments.get("groups", 1)
    whole, channels_whole = weight[0] // groups % VECTOR == 0, weight[1] % VECTOR == 0
    if convolves_in_channels_last(case):
        return True
    return (whole and channels_whole) if groups > 1 else (whole or weight[1] >= VECTOR)


def _served(case: Case) -> tuple[Window, Window, Window] | None:
    """The windows of depth, rows and columns; None where the kernel for bfloat16 does not take them."""
    windows = windows_of(case)
    depth, rows, columns = [ABSENT] * (3 - len(windows)) + windows
    strided = all(w["stride"] == 1 or w["dilation"] == 1 for w in windows)
    whole = depth["dilation"] == 1 or max(depth["before"], after(**depth)) <= 0
    dilated = rows["dilation"] == 1 or _span(rows) <= rows["input"]
    taps = columns["kernel"] <= (TAPS_OF_FEW_CHANNELS if _few(case) else TAPS)
    taps = taps and (_copied(case) or _span(columns) <= columns["input"] + 1)
    # Past that, torch does not ask oneDNN.
    added = all(p < w["stride"] for p, w in zip(case.arguments.get("output_padding", ()), windows, strict=False))
    padded = all(max(w["before"], after(**w)) < _span(w) for w in (depth, columns))
    padded = padded and max(rows["before"], after(**rows)) <= _span(rows) // 2
    taken = strided and whole and dilated and taps and added and padded and _stored(case)
    return (depth, rows, columns) if taken else None


@in_bfloat16(
    "avx512-bfloat16-weight-gradient-of-no-column",
    CONVOLUTIONS + TRANSPOSED,
    why="torch.nn.Conv1d, the formula: no output depends on that tap; float32, torch without oneDNN, and processors "
    "without AVX-512 are right",
    example=Case(
        *convolution((1, 16, 1), (1, 16, 2), stride=(2,), padding=(1,)),
        setting=Setting(deterministic=True),  # fills memory that was never written with NaN
    ),
)
@where_valid
def _tap_of_no_column(case: Case, subject: Subject) -> bool:
    """With a stride longer than the last axis, the gradient to a tap that reads only padding is memory that was never
    written, times the incoming gradient, not zero."""
    # The tap would read columns whose remainder by the stride no column of the input has.
    if (served := _served(case)) is None or not _copied(case):
        return False
    columns = served[-1]
    remainders = ((tap - columns["before"]) % columns["stride"] for tap in range(columns["kernel"]))
    return any(remainder >= columns["input"] for remainder in remainders)


@in_bfloat16(
    "avx512-bfloat16-weight-gradient-reads-past-the-end",
    CONVOLUTIONS + TRANSPOSED,
    laws=("layouts",),
    why="torch.nn.Conv1d, the formula: a gradient depends on nothing outside the input; float32, torch without oneDNN, "
    "and processors without AVX-512 are right",
    example=Case(*convolution((1, 8, 1), (16, 8, 1), stride=(2,)), setting=Setting({"input": "offset"})),
)
@where_valid
def _columns_past_the_end(case: Case, subject: Subject) -> bool:
    """With few channels and a multiple of 16 kernels, windows a stride apart are processed in pairs, a single one too:
    what lies past the input is multiplied with zero, which makes NaN of NaN or an infinity."""
    # Rows are read where they lie in a buffer; a transposed convolution's rows are its cotangent's.
    if (served := _served(case)) is None or _copied(case):
        return False
    columns = served[-1]
    last = columns["stride"] - columns["before"] + columns["kernel"] - 1
    within = case.layout("cotangent" if "output_padding" in case.arguments else "input") in OFFSETS
    return within and columns["stride"] > 1 and columns["output"] == 1 and last >= columns["input"]


@in_bfloat16(
    "avx512-bfloat16-weight-gradient-of-planes-past-the-end",
    OVER_DEPTH,
    overwrites=True,
    why=FLOAT32.format(3),
    example=Case(*convolution((1, 16, 1, 1, 1), (1, 16, 2, 1, 1), padding=(1, 0, 0))),
)
@where_valid
def _depth_past_the_end(case: Case, subject: Subject) -> bool:
    """Where a window other than the first begins with the first of three axes or in the padding before it, and ends in
    the padding behind it, what follows there counts for other taps: most of the gradient is wrong, and other memory is
    overwritten."""
    if (served := _served(case)) is None:
        return False
    depth = served[0]
    starts = (o * depth["stride"] - depth["before"] for o in range(1, depth["output"]))
    return any(start <= 0 and start + depth["kernel"] > depth["input"] for start in starts)


@in_bfloat16(
    "avx512-bfloat16-weight-gradient-of-rows-in-padding",
    OVER_DEPTH,
    overwrites=True,
    why=FLOAT32.format(3),
    example=Case(*convolution((1, 16, 1, 1, 1), (1, 16, 1, 5, 1), padding=(0, 2, 0))),
)
@where_valid
def _rows_in_padding(case: Case, subject: Subject) -> bool:
    """Where the windows along the second of three axes are so few that one more would begin in the padding, the
    gradient to the weight is wrong; where the only one is longer than the axis and its padding shorter than the stride,
    other memory is overwritten, and the process may end with SIGABRT."""
    # The padding is that before the input; an only window is one of several along the first axis.
    if len(case.shapes["weight"]) != 5 or (served := _served(case)) is None:
        return False
    depth, rows, _ = served
    next_one = rows["output"] * rows["stride"] - rows["before"]
    whole = rows["before"] > 0 and rows["kernel"] - rows["before"] > rows["input"]
    return next_one < 0 or (whole and next_one > 0 and depth["output"] > 1 == rows["output"])


@in_bfloat16(
    "avx512-bfloat16-weight-gradient-of-dilated-rows",
    tuple(name for name in CONVOLUTIONS + TRANSPOSED if "1d" not in name),
    laws=("layouts", *(law for law in OF_WRONG_GRADIENTS if law != "layouts")),
    why="torch.nn.Conv2d, the formula; a memory format is no part of a tensor's value. Contiguous operands, torch "
    "without oneDNN, and processors without AVX-512 are right",
    example=Case(
        *convolution((1, 2, 3, 29), (2, 1, 2, 1), dilation=(2, 1), groups=2),
        setting=Setting({"input": "channels_last"}),
    ),
)
@where_valid
def _rows_taken_apart(case: Case, subject: Subject) -> bool:
    """In channels_last, where a group's channels leave a register of 16 unfilled and dilated rows have more than 28
    outputs, the gradient to the weights of the channels in that register is wrong in most elements, by more than its
    size."""
    # Rows are processed one after the other where all taps of a window lie in the input, and then over two axes all
    # such windows; and piece by piece where a row has too many outputs to be processed at once.
    channels, *kernel = case.shapes["weight"][1:]
    pointwise = case.arguments.get("groups", 1) == 1 and set(kernel) == {1}  # which is another kernel's
    if channels % VECTOR == 0 or pointwise or _few(case) or (served := _served(case)) is None:
        return False
    _, rows, columns = served
    starts = (o * rows["stride"] - rows["before"] for o in range(rows["output"]))
    whole = sum(0 <= start <= rows["input"] - _span(rows) for start in starts)
    several = whole > 0 if rows["kernel"] > 1 else (whole > 1 and len(kernel) == 2)
    return rows["dilation"] > 1 and several and columns["output"] > BLOCK and convolves_in_channels_last(case)

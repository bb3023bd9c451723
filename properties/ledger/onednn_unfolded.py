"""oneDNN's convolutions in channels_last as products of matrices, for processors with AVX-512 and, of bfloat16, without
AMX, forward: of rows that are copied tap beside tap, and of columns that are taken together for channels.

A transposed convolution's gradient to its input is such a convolution, too.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from properties.cases.case import Case
from properties.ledger.backends import without_onednn
from properties.ledger.examples import convolution, transposed
from properties.ledger.memory_formats import convolves_in_channels_last
from properties.ledger.record import CONVOLUTIONS, known
from properties.ledger.windows import after, where_valid, windows_of
from properties.subjects import Subject
from properties.worker.call import Setting
from refimpl.geometry import reaches

Window = Mapping[str, int]
PLANES = ("conv2d", "conv2d_padded", "conv3d", "conv3d_padded")
TRANSPOSED_PLANES = ("conv_transpose2d", "conv_transpose3d")
ABSENT = {"input": 1, "output": 1, "kernel": 1, "stride": 1, "dilation": 1, "before": 0}
"""The window of an axis that there is not."""
TAPS = 2**16
"""More taps of a row are not looked at one by one."""
VECTOR = 32
"""Channels of bfloat16 in a register."""
IN_CHANNELS_LAST = Setting({"input": "channels_last"})
PREFERRED = "sizes and the number of threads decide whether an older kernel is preferred, which is right"

wrong = functools.partial(
    known,
    severity="silent wrong value",
    laws=("layouts", "special values", "special gradients"),
    why="torch.nn.Conv2d, the formula; a memory format is no part of a tensor's value. Contiguous operands, torch "
    "without oneDNN, and processors without AVX-512 are right",
)
"""Register outputs that are wrong."""
in_bfloat16 = functools.partial(wrong, dtypes=("bfloat16",), having="avx512_bf16", lacking="amx_bf16")
in_gradient = {"severity": "wrong gradient", "laws": ("layouts", "special gradients")}


def _axes(case: Case) -> tuple[Window, Window, Window]:
    """The windows of depth, rows and columns."""
    windows = windows_of(case)
    depth, rows, columns = [ABSENT] * (3 - len(windows)) + windows
    return depth, rows, columns


def _merges(case: Case, columns: Window, most: int) -> bool:
    """True if as many neighbouring columns as divide input, kernel and stride, ``most`` at most, become channels."""
    sizes = columns["input"], columns["kernel"], columns["stride"]
    padded = columns["before"] > 0 or after(**columns) > 0
    divides = any(all(size % n == 0 for size in sizes) for n in range(2, most + 1))
    return case.arguments["groups"] == 1 and columns["dilation"] == 1 and not padded and divides


def _copied(case: Case, columns: Window) -> bool:
    """True if the taps of a row are copied beside each other: those of a single channel are, by group."""
    depthwise = case.shapes["weight"][0] == case.arguments["groups"] > 1
    alone = case.shapes["weight"][1] == 1 and not depthwise and convolves_in_channels_last(case)
    return alone and columns["kernel"] > 1 and columns["dilation"] == 1


def _of_one_column(case: Case) -> bool:
    windows = _axes(case)
    _, rows, columns = windows
    strided = columns["stride"] > 1 == rows["stride"] and columns["output"] == 1 < rows["output"]
    inside = all(max(w["before"], after(**w)) < w["kernel"] for w in windows)
    return strided and inside and _copied(case, columns)


in_float32 = functools.partial(wrong, dtypes=("float32",), having="avx512_f", chance=PREFERRED)


@in_float32(
    "avx512-unfolded-rows-of-one-column",
    PLANES,
    example=Case(*convolution((2, 1, 5, 5), (17, 1, 3, 2), stride=(1, 4)), setting=IN_CHANNELS_LAST),
)
@in_float32(
    "avx512-unfolded-rows-of-one-column-in-transposed-gradient",
    TRANSPOSED_PLANES,
    **in_gradient,
    example=Case(
        *transposed((2, 17, 3, 1), (17, 1, 3, 2), stride=(1, 4), output_padding=(0, 3)), setting=IN_CHANNELS_LAST
    ),
)
@where_valid
def _rows_of_one_column(case: Case, subject: Subject) -> bool:
    """In channels_last, of one channel, with windows a stride apart along the last axis of which there is one, and
    adjacent rows of windows, the rows after the first are multiplied with elements of other places."""
    # Rows of the copy are taken to be as far apart as windows a stride apart would be; of several groups it makes none.
    alone = case.arguments["groups"] == 1 and not without_onednn(case, subject)
    columns = _axes(case)[-1]
    return alone and _of_one_column(case) and not _merges(case, columns, columns["kernel"])


@in_bfloat16(
    "avx512-bfloat16-unfolded-rows-of-one-column",
    PLANES,
    chance=PREFERRED,
    example=Case(*convolution((2, 2, 5, 3), (34, 1, 3, 2), stride=(1, 3), groups=2), setting=IN_CHANNELS_LAST),
)
@in_bfloat16(
    "avx512-bfloat16-unfolded-rows-of-one-column-in-transposed-gradient",
    TRANSPOSED_PLANES,
    **in_gradient,
    chance=PREFERRED,
    example=Case(
        *transposed((2, 34, 3, 1), (34, 1, 3, 2), stride=(1, 3), output_padding=(0, 1), groups=2),
        setting=IN_CHANNELS_LAST,
    ),
)
@where_valid
def _rows_of_one_column_in_bfloat16(case: Case, subject: Subject) -> bool:
    """In channels_last, of one channel in each group, with windows a stride apart along the last axis of which there is
    one, and adjacent rows of windows, the rows after the first are multiplied with elements of other places."""
    return _axes(case)[0]["input"] == 1 and _of_one_column(case)


@in_bfloat16(
    "avx512-bfloat16-unfolded-planes-in-padding",
    ("conv3d", "conv3d_padded"),
    chance=PREFERRED,
    example=Case(
        *convolution((1, 2, 1, 6, 6), (34, 1, 2, 3, 2), stride=(2, 1, 3), padding=(1, 0, 0), groups=2),
        setting=IN_CHANNELS_LAST,
    ),
)
@in_bfloat16(
    "avx512-bfloat16-unfolded-planes-in-padding-in-transposed-gradient",
    ("conv_transpose3d",),
    **in_gradient,
    chance=PREFERRED,
    example=Case(
        *transposed((1, 34, 1, 4, 2), (34, 1, 2, 3, 2), stride=(2, 1, 3), padding=(1, 0, 0), output_padding=(1, 0, 1),
                    groups=2),
        setting=IN_CHANNELS_LAST,
    ),
)  # fmt: skip
@where_valid
def _planes_in_padding(case: Case, subject: Subject) -> bool:
    """In channels_last, of one channel in each group and one plane, where a kernel's first planes lie in the padding
    before it, those that do not are taken for them."""
    depth, _, columns = _axes(case)
    padded = depth["input"] == 1 and depth["kernel"] > 1 and depth["before"] > 0
    return padded and _copied(case, columns)


@in_bfloat16(
    "avx512-bfloat16-columns-taken-for-channels",
    PLANES,
    example=Case(*convolution((1, 16, 1, 4), (1, 16, 1, 4), stride=(1, 4)), setting=IN_CHANNELS_LAST),
)
@in_bfloat16(
    "avx512-bfloat16-columns-taken-for-channels-in-transposed-gradient",
    TRANSPOSED_PLANES,
    **in_gradient,
    example=Case(
        *transposed((1, 1, 2, 1), (1, 16, 1, 4), stride=(1, 4)),
        setting=Setting({"input": "channels_last", "weight": "channels_last"}),
    ),
)
@where_valid
def _columns_for_channels(case: Case, subject: Subject) -> bool:
    """In channels_last, where windows are as wide as the input and strides a multiple of that, columns are taken for
    channels, which come to a multiple of 32: the channels that fill up the weight's 32 are multiplied, too."""
    # Two windows, or of a depth of several, have another kernel. What sees nothing but padding is right.
    depth, _, columns = _axes(case)
    channels, taps = case.shapes["weight"][1], columns["kernel"]
    whole = columns["input"] == taps and columns["stride"] % taps == 0 and columns["output"] == depth["output"] == 1
    filled = channels % 2 == 0 and channels < VECTOR < channels * taps and channels * taps % VECTOR == 0
    return whole and filled and _merges(case, columns, taps) and convolves_in_channels_last(case)


PAGE = 4096
"""Elements to a multiple of which a buffer is rounded up."""
in_copies = functools.partial(
    wrong,
    severity="crash",
    overwrites=True,
    chance="what is overwritten may be memory that nothing reads",
    upstream="https://github.com/uxlfoundation/oneDNN/pull/5494",
)
MUCH = (2, 32, 2049, 8), (8, 32, 1, 8)


@in_copies(
    "avx512-copied-rows-past-their-buffer",
    PLANES,
    dtypes=("float32",),
    having="avx512_f",
    example=Case(*convolution(*MUCH, stride=(128, 8)), setting=IN_CHANNELS_LAST),
)
@in_copies(
    "avx512-bfloat16-copied-rows-past-their-buffer",
    PLANES,
    dtypes=("bfloat16",),
    having="avx512_bf16",
    lacking="amx_bf16",
    example=Case(*convolution(*MUCH, stride=(128, 8)), setting=IN_CHANNELS_LAST),
)
@where_valid
def _copies_past_the_buffer(case: Case, subject: Subject) -> bool:
    """In channels_last, where windows are as wide as the input and their rows, or planes, further apart than a kernel
    has, rows are copied into a buffer in which there is room for rows as far apart as the kernel's alone: memory behind
    it is overwritten."""
    # One plane of outputs, all rows of which are computed at once; the buffer is a multiple of a page.
    depth, rows, columns = windows = _axes(case)
    channels, taps = case.shapes["weight"][1], columns["kernel"]
    whole = columns["input"] == taps and columns["output"] == depth["output"] == 1 == case.arguments["groups"]
    whole = whole and columns["stride"] % taps == 0 and columns["before"] == 0
    vector = 16 if subject.dtype == "float32" else VECTOR
    even = (channels <= vector or channels % vector == 0) and channels * taps % vector == 0
    padded = any(max(w["before"], after(**w)) > 0 for w in windows)
    pointwise = all(w["kernel"] == 1 for w in windows)  # which is another kernel's
    by_onednn = subject.dtype != "float32" or not without_onednn(case, subject)
    if not (whole and even and by_onednn and convolves_in_channels_last(case)) or padded or pointwise:
        return False
    line = _reach(depth, depth["stride"]) * taps * channels
    room = line * _reach(rows, min(rows["stride"], rows["kernel"]))
    return line * _reach(rows, rows["stride"]) > -(-room // PAGE) * PAGE and rows["output"] > 1


def _reach(window: Window, stride: int) -> int:
    """How many elements windows span, were they so far apart."""
    return (window["output"] - 1) * stride + window["dilation"] * (window["kernel"] - 1) + 1


of_padding = functools.partial(
    wrong,
    severity="crash",
    overwrites=True,
    chance="what lies beside a buffer may be memory of the process",
)
"""Register a crash where there is nothing but padding."""
UNSEEN: dict[str, Any] = {"stride": (3,), "padding": (10,), "dilation": (3,), "groups": 2}


@of_padding(
    "avx512-channels-last-columns-of-padding-alone",
    CONVOLUTIONS,
    dtypes=("float32",),
    having="avx512_f",
    operator="conv1d",
    example=Case(*convolution((1, 4, 2), (2, 2, 4), (2,), **UNSEEN), setting=Setting({"weight": "axis 1 innermost"})),
)
@of_padding(
    "avx512-bfloat16-channels-last-columns-of-padding-alone",
    CONVOLUTIONS,
    dtypes=("bfloat16",),
    having="avx512_bf16",
    lacking="amx_bf16",
    operator="conv1d",
    example=Case(*convolution((1, 4, 2), (2, 2, 4), (2,), **UNSEEN), setting=Setting({"weight": "axis 1 innermost"})),
)
@where_valid
def _columns_of_padding_alone(case: Case, subject: Subject) -> bool:
    """In channels_last, where no tap of any window meets a column of the input, as a stride that is a multiple of the
    dilation has it, memory beside the input is taken or overwritten."""
    depth, rows, columns = _axes(case)
    places = ((columns["dilation"] * tap - columns["before"]) for tap in range(min(columns["kernel"], TAPS)))
    meets = any(reaches(at, columns["output"], columns["stride"], columns["input"]) for at in places)
    # In float32 there is another kernel for several rows.
    row = all(w["input"] == w["kernel"] == 1 for w in (depth, rows)) or subject.dtype != "float32"
    unseen = not meets and columns["output"] > 1 and columns["kernel"] < TAPS
    return unseen and row and not without_onednn(case, subject) and convolves_in_channels_last(case)

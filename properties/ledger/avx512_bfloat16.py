"""Wrong weight gradients of oneDNN's bfloat16 convolution for processors with AVX-512 and without matrix units (AMX).

A transposed convolution's weight gradient is that of the convolution which its gradient to the input is. The kernel
copies rows so that a column's channels lie together, of every stride-th column for each remainder; it walks through
planes, and in each through rows, with a counter of the taps that lie in the input.
"""

from __future__ import annotations

from collections.abc import Mapping

from properties.cases.case import Case
from properties.ledger.channels_last import convolves_in_channels_last
from properties.ledger.record import CONVOLUTIONS, OF_WRONG_GRADIENTS, TRANSPOSED, Divergence
from properties.ledger.windows import after, where_valid, windows_of
from properties.subjects import Subject
from properties.worker.call import Setting
from refimpl.geometry import effective_kernel

VECTOR = 16
"""Channels, or kernels, in a register."""
TAPS, TAPS_OF_FEW_CHANNELS = 14, 24
"""Taps along the last axis for which there is a kernel."""
AT_ONCE = 28
"""Outputs of a row that are taken without a loop."""

Window = Mapping[str, int]
ABSENT = {"input": 1, "output": 1, "kernel": 1, "stride": 1, "dilation": 1, "before": 0}
"""The window of an axis that there is not."""


def _span(window: Window) -> int:
    return effective_kernel(window["kernel"], window["dilation"])


def _few(case: Case) -> bool:
    """Whether there are fewer channels than fill a register, of one group: the kernel is another one."""
    return case.arguments.get("groups", 1) == 1 and case.shapes["weight"][1] < VECTOR


def _copied(case: Case) -> bool:
    """Whether rows are copied first, not read where they lie."""
    return not _few(case) or convolves_in_channels_last(case)


def _stored(case: Case) -> bool:
    """Whether oneDNN's kernel is for these channels and kernels, as they lie in memory."""
    weight, groups = case.shapes["weight"], case.arguments.get("groups", 1)
    whole, channels_whole = weight[0] // groups % VECTOR == 0, weight[1] % VECTOR == 0
    if convolves_in_channels_last(case):
        return True
    return (whole and channels_whole) if groups > 1 else (whole or weight[1] >= VECTOR)


def _served(case: Case) -> tuple[Window, Window, Window] | None:
    """The windows of planes, rows and columns; None where the kernel does not take them."""
    windows = windows_of(case)
    planes, rows, columns = [ABSENT] * (3 - len(windows)) + windows
    strided = all(w["stride"] == 1 or w["dilation"] == 1 for w in windows)
    whole = planes["dilation"] == 1 or max(planes["before"], after(**planes)) <= 0
    dilated = rows["dilation"] == 1 or _span(rows) <= rows["input"]
    taps = columns["kernel"] <= (TAPS_OF_FEW_CHANNELS if _few(case) else TAPS)
    taps = taps and (_copied(case) or _span(columns) <= columns["input"] + 1)
    # Past that, torch does not ask oneDNN.
    added = all(p < w["stride"] for p, w in zip(case.arguments.get("output_padding", ()), windows, strict=False))
    padded = all(max(w["before"], after(**w)) < _span(w) for w in (planes, columns))
    padded = padded and max(rows["before"], after(**rows)) <= _span(rows) // 2
    taken = strided and whole and dilated and taps and added and padded and _stored(case)
    return (planes, rows, columns) if taken else None


@where_valid
def _tap_of_no_column(case: Case, subject: Subject) -> bool:
    """Whether some tap would read columns whose remainder by the stride no column of the input has."""
    if (served := _served(case)) is None or not _copied(case):
        return False
    columns = served[-1]
    remainders = ((tap - columns["before"]) % columns["stride"] for tap in range(columns["kernel"]))
    return any(remainder >= columns["input"] for remainder in remainders)


@where_valid
def _columns_past_the_end(case: Case, subject: Subject) -> bool:
    """Whether rows are read where they lie in a buffer, and the next to a single window has taps past the row.

    A transposed convolution's rows are its cotangent's.
    """
    if (served := _served(case)) is None or _copied(case):
        return False
    columns = served[-1]
    last = columns["stride"] - columns["before"] + columns["kernel"] - 1
    within = case.layout("cotangent" if "output_padding" in case.arguments else "input") == "offset"
    return within and columns["stride"] > 1 and columns["output"] == 1 and last >= columns["input"]


@where_valid
def _planes_past_the_end(case: Case, subject: Subject) -> bool:
    """Whether a window of planes but the first begins before the input or with it, and ends past it."""
    if (served := _served(case)) is None:
        return False
    planes = served[0]
    starts = (o * planes["stride"] - planes["before"] for o in range(1, planes["output"]))
    return any(start <= 0 and start + planes["kernel"] > planes["input"] for start in starts)


@where_valid
def _rows_in_padding(case: Case, subject: Subject) -> bool:
    """Whether, of rows in planes, a window more would begin in the padding before the input, too.

    Or past that, where the only one, in several planes, begins in the padding and ends past the input.
    """
    if len(case.shapes["weight"]) != 5 or (served := _served(case)) is None:
        return False
    planes, rows, _ = served
    next_one = rows["output"] * rows["stride"] - rows["before"]
    whole = rows["before"] > 0 and rows["kernel"] - rows["before"] > rows["input"]
    return next_one < 0 or (whole and next_one > 0 and planes["output"] > 1 == rows["output"])


@where_valid
def _rows_taken_apart(case: Case, subject: Subject) -> bool:
    """Whether in channels_last, of channels that leave a register unfilled, long rows are taken apart by dilation.

    They are taken one after the other where all taps of a window lie in the input, and then without planes all such
    windows; and piece by piece where the outputs of a row are too many to be taken at once.
    """
    channels, *kernel = case.shapes["weight"][1:]
    pointwise = case.arguments.get("groups", 1) == 1 and set(kernel) == {1}  # which is another kernel's
    if channels % VECTOR == 0 or pointwise or _few(case) or (served := _served(case)) is None:
        return False
    _, rows, columns = served
    starts = (o * rows["stride"] - rows["before"] for o in range(rows["output"]))
    whole = sum(0 <= start <= rows["input"] - _span(rows) for start in starts)
    several = whole > 0 if rows["kernel"] > 1 else (whole > 1 and len(kernel) == 2)
    return rows["dilation"] > 1 and several and columns["output"] > AT_ONCE and convolves_in_channels_last(case)


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="avx512-bfloat16-weight-gradient-of-no-column",
        severity="wrong gradient",
        operators=CONVOLUTIONS + TRANSPOSED,
        laws=OF_WRONG_GRADIENTS,
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_tap_of_no_column,
        what="with a stride longer than the last axis, the gradient to a tap that reads only padding is memory that "
        "was never written, times the incoming gradient, not zero",
        why="torch.nn.Conv1d, the formula: no output depends on that tap; float32, torch without oneDNN, and "
        "processors without AVX-512 are right",
        upstream=None,
        operator="conv1d",
        having="avx512_f",
        lacking="amx_bf16",
        example=Case(
            {"input": (1, 16, 1), "weight": (1, 16, 2)},
            {"stride": (2,), "padding": (1,), "dilation": (1,), "groups": 1},
            setting=Setting(deterministic=True),  # fills memory that was never written with NaN
        ),
    ),
    Divergence(
        id="avx512-bfloat16-weight-gradient-reads-past-the-end",
        severity="wrong gradient",
        operators=CONVOLUTIONS + TRANSPOSED,
        laws=("layouts",),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_columns_past_the_end,
        what="of few channels and a multiple of 16 kernels, windows a stride apart are taken in pairs, a single one "
        "too: what lies past the input is multiplied with zero, which makes NaN of NaN or an infinity",
        why="torch.nn.Conv1d, the formula: a gradient depends on nothing outside the input; float32, torch without "
        "oneDNN, and processors without AVX-512 are right",
        upstream=None,
        operator="conv1d",
        having="avx512_f",
        lacking="amx_bf16",
        example=Case(
            {"input": (1, 8, 1), "weight": (16, 8, 1)},
            {"stride": (2,), "padding": (0,), "dilation": (1,), "groups": 1},
            setting=Setting({"input": "offset"}),
        ),
    ),
    Divergence(
        id="avx512-bfloat16-weight-gradient-of-planes-past-the-end",
        severity="wrong gradient",
        operators=("conv3d", "conv3d_padded", "conv_transpose3d"),
        laws=OF_WRONG_GRADIENTS,
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_planes_past_the_end,
        what="where a window but the first begins with the first of three axes or in the padding before it, and ends "
        "in that behind it, the planes from there on count for other taps: most of the gradient is wrong, "
        "and other memory is overwritten",
        why="torch.nn.Conv3d, the formula; float64, torch without oneDNN, and processors without AVX-512 are right",
        upstream=None,
        operator="conv3d",
        having="avx512_f",
        lacking="amx_bf16",
        overwrites=True,
        example=Case(
            {"input": (1, 16, 1, 1, 1), "weight": (1, 16, 2, 1, 1)},
            {"stride": (1,) * 3, "padding": (1, 0, 0), "dilation": (1,) * 3, "groups": 1},
        ),
    ),
    Divergence(
        id="avx512-bfloat16-weight-gradient-of-rows-in-padding",
        severity="wrong gradient",
        operators=("conv3d", "conv3d_padded", "conv_transpose3d"),
        laws=OF_WRONG_GRADIENTS,
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_rows_in_padding,
        what="where the windows along the second of three axes are so few that one more would begin in the padding, "
        "the gradient to the weight is wrong; where the only one is longer than the axis and its padding shorter than "
        "the stride, other memory is overwritten, and the process may end with SIGABRT",
        why="torch.nn.Conv3d, the formula; float64, torch without oneDNN, and processors without AVX-512 are right",
        upstream=None,
        operator="conv3d",
        having="avx512_f",
        lacking="amx_bf16",
        overwrites=True,
        example=Case(
            {"input": (1, 16, 1, 1, 1), "weight": (1, 16, 1, 5, 1)},
            {"stride": (1,) * 3, "padding": (0, 2, 0), "dilation": (1,) * 3, "groups": 1},
        ),
    ),
    Divergence(
        id="avx512-bfloat16-weight-gradient-of-dilated-rows",
        severity="wrong gradient",
        operators=tuple(name for name in CONVOLUTIONS + TRANSPOSED if "1d" not in name),
        laws=("layouts", *(law for law in OF_WRONG_GRADIENTS if law != "layouts")),
        devices=("cpu",),
        dtypes=("bfloat16",),
        holds=_rows_taken_apart,
        what="in channels_last, where a group's channels leave a register of 16 unfilled and dilated rows have more "
        "than 28 outputs, the gradient to the weights of the channels in that register is wrong in most elements, by "
        "more than its size",
        why="torch.nn.Conv2d, the formula; a memory format is no part of a tensor's value. Contiguous operands, torch "
        "without oneDNN, and processors without AVX-512 are right",
        upstream=None,
        operator="conv2d",
        having="avx512_f",
        lacking="amx_bf16",
        example=Case(
            {"input": (1, 2, 3, 29), "weight": (2, 1, 2, 1)},
            {"stride": (1, 1), "padding": (0, 0), "dilation": (2, 1), "groups": 2},
            setting=Setting({"input": "channels_last"}),
        ),
    ),
)

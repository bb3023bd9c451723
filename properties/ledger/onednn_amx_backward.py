"""The gradients of oneDNN's bfloat16 convolution for Intel's matrix units (AMX), to the input and to the weight.

A transposed convolution is the gradient to an input.
"""

from __future__ import annotations

import functools
import math

from properties.cases.case import Case
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, TRANSPOSED, WITH_GRADIENTS, known
from properties.ledger.windows import after, taps_reach, where_valid, windows_of, windows_reach
from properties.subjects import Subject
from properties.worker.call import Setting

SET_ASIDE = 1.2 * 2**20
"""Bytes of the second-level cache, of 2 MiB, in which rows are kept."""

NAN_FILLED = Setting(deterministic=True)
"""Fills memory that was never written with NaN."""

with_amx = functools.partial(known, dtypes=("bfloat16",), having="amx_bf16")
"""Register a defect that processors with matrix units show."""


@with_amx(
    "amx-weight-gradient-of-idle-tap",
    CONVOLUTIONS + TRANSPOSED,
    severity="wrong gradient",
    laws=WITH_GRADIENTS,
    why="torch.nn.Conv1d, the formula: no output depends on that tap; a stride of 1, and processors without AMX, are "
    "right",
    operator="conv_transpose1d",
    example=Case(*transposed((6, 2), (6, 3, 5), stride=(2,), padding=(3,), groups=2), setting=NAN_FILLED),
)
def _idle_tap(case: Case, subject: Subject) -> bool:
    """With a stride, the gradient to a tap that reads only padding is memory that was never written, not zero."""
    return any(w["stride"] > 1 and not all(taps_reach(**w)) for w in windows_of(case))


@with_amx(
    "amx-weight-gradient-of-large-planes",
    ("conv3d", "conv3d_padded", "conv_transpose3d"),
    severity="crash",
    laws=WITH_GRADIENTS,
    overwrites=True,
    why="torch.nn.Conv3d, the formula; two axes, float32, and processors without AMX are right. Over three axes oneDNN "
    "divides the work by depth alone, not by rows",
    example=Case(*convolution((1, 1, 1, 256, 128), (1, 1, 1, 1, 1))),
)
def _rows_in_blocks(case: Case, subject: Subject) -> bool:
    """Over three axes, where rows are so many and so long that oneDNN would take them in blocks (154 rows of 64
    columns, 77 of 128), its buffer is as large as a block and takes all of them: the gradient to the weight is wrong,
    and memory that is not its own is overwritten, so that the process ends with SIGSEGV or SIGABRT, perhaps much
    later, or nothing shows."""
    # There are two copies of each row, of the input's and the output's, in blocks of 16 channels and of 32 columns or,
    # where fewer will do, somewhat less; and the input's rows under one window.
    outputs, channels = case.shapes["weight"][:2]
    groups, (_, column, row) = case.arguments.get("groups", 1), windows_of(case)
    kernels = outputs // groups
    if groups > 1 and channels == kernels == 1:  # another kernel
        return False
    columns = (row["input"] + row["before"] + max(0, after(**row)), row["stride"] * row["output"])
    of_input, of_output = (
        2 * 2 * 32 * math.ceil(length / 32) * 16 * math.ceil(depth / 16)
        for length, depth in zip(columns, (channels, kernels), strict=True)
    )
    return column["output"] * (of_input + of_output) + column["kernel"] * of_input > SET_ASIDE


@with_amx(
    "amx-transposed-convolution-leaves-planes-unwritten",
    TRANSPOSED[2:],
    severity="silent wrong value",
    what="where an output padding extends the depth past all that the input reaches, the output there is memory that "
    "was never written, from the second column on, if the output is more than 16 wide; right by chance where that "
    "memory is zero",
    why="torch.nn.ConvTranspose3d: output_padding only finds the size; what no input reaches is the bias. float32, "
    "16 columns, and processors without AMX are right",
    example=Case(
        *transposed((1, 1, 1, 1, 5), (1, 1, 2, 1, 1), stride=(2, 1, 4), output_padding=(1, 0, 0)), setting=NAN_FILLED
    ),
)
@with_amx(
    "amx-input-gradient-leaves-planes-unwritten",
    ("conv3d", "conv3d_padded"),
    severity="wrong gradient",
    laws=WITH_GRADIENTS,
    why="torch.nn.Conv3d, the formula: no output depends on that part of the input; float32, 16 columns, and "
    "processors without AMX are right",
    example=Case(*convolution((1, 1, 3, 1, 17), (1, 1, 2, 1, 1), stride=(2, 1, 4)), setting=NAN_FILLED),
)
def _wide_past_the_last_window(case: Case, subject: Subject) -> bool:
    """Where the stride leaves over the end of the input's depth, the gradient there is memory that was never written,
    not zero, from the second column on, if the input is more than 16 wide; right by chance where that memory is
    zero."""
    # Windows of a convolution; a transposed one is the gradient to its input, whose windows those are. Of several
    # groups, each has channels and kernels in sixteens. The kernel outreaches the padding on the axes after the first.
    (first, *others), weight, groups = windows_of(case), case.shapes["weight"], case.arguments.get("groups", 1)
    without_gaps = first["dilation"] == 1 < first["stride"] <= first["kernel"]
    served = groups == 1 or (weight[1] % 16 == 0 and weight[0] // groups % 16 == 0)
    reached = all(w["before"] <= w["dilation"] * (w["kernel"] - 1) for w in others)
    return without_gaps and after(**first) < 0 and others[-1]["input"] > 16 and served and reached


@with_amx(
    "amx-crash-in-transposed-convolution-of-nothing",
    TRANSPOSED[1:],
    severity="crash",
    also=("whatever the batch",),
    upstream="https://github.com/pytorch/pytorch/issues/195394",
    why="torch.nn.ConvTranspose2d, Shape: no limit on padding but what the output needs; its output is the bias; "
    "processors without AMX are right",
    example=Case(*transposed((2, 16, 2, 3), (16, 2, 2, 2), padding=(2, 0), dilation=(3, 3))),
)
@where_valid
def _unreached_axis(case: Case, subject: Subject) -> bool:
    """With strides of 1, where the padding takes all that the input reaches on an axis before the last, the process
    ends with SIGSEGV, or the output is right by chance."""
    # Outputs of four elements or fewer, and padding of more than a kernel reaches, are computed by other code.
    windows = windows_of(case)
    plain = all(w["stride"] == 1 and w["before"] <= w["dilation"] * (w["kernel"] - 1) for w in windows)
    several = math.prod(w["input"] for w in windows) > 4
    return plain and several and not all(any(windows_reach(**w)) for w in windows[:-1])

"""oneDNN's depthwise convolution of volumes, backward, which plans for every pair of rows, or planes, of a kernel."""

from __future__ import annotations

import functools

from properties.cases.case import Case
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import WITH_GRADIENTS, known
from properties.subjects import Subject

MOST_ROWS = 2048
"""With so many rows of a kernel its plan takes some seconds."""
FAST = "of some thousand rows a fast processor gives the result before it is stopped"

refused = functools.partial(
    known,
    severity="valid arguments rejected",
    lacking="amx_bf16",
    why="torch.nn.ConvTranspose3d: no limit on the kernel; oneDNN off, float64, a stride or a dilation of 2, two "
    "channels a group, and as many taps on the last axis give the result in some hundredths of a second",
)
planned = functools.partial(refused, dtypes=("float32",), chance=FAST)
in_bfloat16 = functools.partial(refused, dtypes=("bfloat16",), having="avx512_bf16", chance=FAST)
"""Register one that processors without bfloat16 do not show."""
ROWS = 65_536


@planned(
    "onednn-depthwise-3d-input-gradient-of-many-rows",
    ("conv3d", "conv3d_padded"),
    laws=WITH_GRADIENTS,
    example=Case(*convolution((1, 2, 1, ROWS, 1), (2, 1, 1, ROWS, 1), groups=2)),
)
@planned(
    "onednn-depthwise-3d-transposed-of-many-rows",
    ("conv_transpose3d",),
    example=Case(*transposed((1, 2, 1, 1, 1), (2, 1, 1, ROWS, 1), groups=2)),
)
def _many_rows(case: Case, subject: Subject) -> bool:
    """A depthwise transposed convolution of volumes, and the input gradient of a depthwise convolution, with strides
    and dilations of 1, takes time and memory that grow with the square of the kernel's rows: 1.5 s for 1,024, 37 s and
    0.9 GB for 4,096; from 30,000 on it raises 'std::bad_alloc'."""
    return _undilated_depthwise(case) and case.shapes["weight"][3] > MOST_ROWS


def _undilated_depthwise(case: Case) -> bool:
    weight, given = case.shapes["weight"], case.arguments
    depthwise = weight[1] == 1 and weight[0] == given["groups"] > 1
    return depthwise and {*given["stride"], *given["dilation"]} == {1}


@in_bfloat16(
    "onednn-bfloat16-depthwise-3d-input-gradient-of-many-rows",
    ("conv3d", "conv3d_padded"),
    laws=WITH_GRADIENTS,
    example=Case(*convolution((1, 2, ROWS, 1, 1), (2, 1, ROWS, 1, 1), groups=2)),
)
@in_bfloat16(
    "onednn-bfloat16-depthwise-3d-transposed-of-many-rows",
    ("conv_transpose3d",),
    example=Case(*transposed((1, 2, 1, 1, 1), (2, 1, ROWS, 1, 1), groups=2)),
)
def _many_planes(case: Case, subject: Subject) -> bool:
    """In bfloat16, too, a depthwise transposed convolution of volumes, and the input gradient of a depthwise
    convolution, takes time and memory that grow with the square of the kernel's rows, or of its planes: 1 s for 2,048,
    4 s and 0.7 GB for 4,096, whose operands take 32 kB; of 65,536 it raises 'std::bad_alloc'."""
    return _undilated_depthwise(case) and max(case.shapes["weight"][2:4]) > MOST_ROWS

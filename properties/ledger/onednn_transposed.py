"""oneDNN's transposed convolution, which plans for every step of a stride, and for every tap of a step."""

from __future__ import annotations

import functools
import math

from properties.cases.case import Case
from properties.edges.huge import Huge
from properties.ledger.backends import SIXTEEN, without_onednn
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, TRANSPOSED, WITH_GRADIENTS, known
from properties.ledger.windows import dilated, where_valid, windows_of
from properties.subjects import Subject

LONG = range(2**13, 2**31)
"""Strides for which it takes from a tenth of a second on; those of more bits oneDNN does not take."""

GONE_THROUGH = 2**32
"""So many steps, of rows' strides in each row of each image and group, take some seconds."""


@where_valid
def _long_strides(case: Case, subject: Subject) -> bool:
    """Each step of the last axis' stride is gone through, and for each row of the output those of the rows' stride,
    however few are computed: a stride of 2¹³ takes tenths of a second, one of 2³⁰ seconds, and one of 2³¹ − 1 ends the
    process with a division by zero (SIGFPE), or takes half a minute; from 2¹⁶ on it may end with SIGSEGV."""
    *rows, last = strides = case.arguments["stride"]
    if max(strides) >= LONG.stop or dilated(case) or without_onednn(case, subject) or _other_kernel(case, subject):
        return False
    image, sizes = case.shapes["input"], [window["input"] for window in windows_of(case)]
    kernels = math.prod(image[: -len(sizes) - 1]) * case.arguments["groups"] * math.prod(sizes[:-1]) * last
    return 0 not in image and (last in LONG or max(rows, default=0) * kernels >= GONE_THROUGH)


def _other_kernel(case: Case, subject: Subject) -> bool:
    """True if there are several groups of so few channels that oneDNN has another kernel for them."""
    # See is_grouped_small_oc in oneDNN's jit_brgemm_conv_bwd_utils.cpp; both of its kernels for float32 are tried.
    groups, outputs = case.arguments["groups"], case.shapes["weight"][1]
    inputs = case.shapes["weight"][0] // groups
    few = inputs <= 8 if subject.dtype == "float32" else inputs <= 16 and inputs % 4 == outputs % 4 == 0
    return groups > 1 and few


for _dtype, _instructions in (("float32", None), *SIXTEEN.items()):
    known(
        f"onednn-transposed-crash-of-long-strides-in-{_dtype}",
        TRANSPOSED,
        severity="crash",
        laws=("huge arguments",),
        dtypes=(_dtype,),
        having=_instructions,
        chance="what takes some seconds gives the right elements",
        why="torch.nn.ConvTranspose1d: no limit on the stride; float64, a dilation of 2 and oneDNN off give the four "
        "elements of the output at once",
        example=Huge(
            *transposed((2, 1, 2), (1, 1, 3), stride=(2**20 - 1,), padding=(2**19 - 1,)), inflated=("stride", "padding")
        ),
    )(_long_strides)


TAPS = 2080
"""So many taps for each step of a stride take a second, and more than one for each further step."""
hangs = functools.partial(
    known,
    severity="valid arguments rejected",
    dtypes=("bfloat16",),
    having="avx512_bf16",
    lacking="amx_bf16",
    chance="what takes some seconds gives the right elements",
    why="torch.nn.ConvTranspose1d: no limit on the kernel; float32, a tap more, a stride of 1, a dilation of 2 and "
    "oneDNN off give the result in some hundredths of a second",
)


@hangs(
    "onednn-bfloat16-input-gradient-of-many-taps-a-step",
    CONVOLUTIONS,
    laws=WITH_GRADIENTS,
    example=Case(*convolution((1, 1, 49152), (1, 1, 49152), stride=(16,))),
)
@hangs(
    "onednn-bfloat16-transposed-of-many-taps-a-step",
    TRANSPOSED,
    example=Case(*transposed((1, 1, 1), (1, 1, 49152), stride=(16,))),
)
def _many_taps_a_step(case: Case, subject: Subject) -> bool:
    """Where the last axis of a kernel is a multiple of the stride, and without a dilation there, a transposed
    convolution in bfloat16, and the input gradient of a convolution, plan for each tap: of 8,192 taps and a stride of 2
    they take 5 s, of a stride of 4 and twice as many 9 s; of 49,152 and a stride of 12 they take 40 s and 2 GiB."""
    taps, step = case.shapes["weight"][-1], case.arguments["stride"][-1]
    return step > 1 and taps % step == 0 and taps >= TAPS * step and case.arguments["dilation"][-1] == 1

"""Wrong values of oneDNN's float32 convolutions for processors with AVX-512."""

from __future__ import annotations

from itertools import pairwise

from properties.cases.case import Case
from properties.ledger.record import CONVOLUTIONS, OF_WRONG_GRADIENTS, TRANSPOSED, Divergence
from properties.ledger.windows import after, windows_of
from properties.subjects import Subject

BLOCK = 28
"""Outputs that one pass of the kernel takes along the last axis; two passes of half as many where padding is long."""


def _has_such_a_kernel(case: Case) -> bool:
    """Whether the channels are few, or enough to fill a register; an unbatched input of few has another kernel."""
    x, weight, groups = case.shapes["input"], case.shapes["weight"], case.arguments.get("groups", 1)
    channels, kernels = weight[1], weight[0] // groups
    if groups > 1:
        return channels % 16 == 0 and kernels % 16 == 0
    batch = x[0] if len(x) == len(weight) else 1
    return channels >= 16 or (channels <= 3 and batch > 1)


def _long_padding_on_both_sides(case: Case, subject: Subject) -> bool:
    """Whether a stride goes from one long padding into another: of more than half a block before the input, and after
    it all that is left of the output after one block. Kernels have 14 taps at most; a dilation makes them reach."""
    *others, last = windows_of(case)
    reach = last["dilation"] * (last["kernel"] - 1)
    rest = last["output"] - BLOCK
    padded = BLOCK / 2 < last["before"] <= min(BLOCK, reach) and rest <= after(**last) <= BLOCK
    alone = not any(w["stride"] > 1 and w["dilation"] > 1 for w in others)
    sliding = last["stride"] > 1 and last["kernel"] <= BLOCK / 2 and 0 < rest < BLOCK
    return padded and alone and sliding and _has_such_a_kernel(case)


def _planes_between_paddings(case: Case, subject: Subject) -> bool:
    """Whether, of windows of planes that a stride sets apart, one after the first begins in the padding and ends with
    the input or past it, or the next one does the latter; and the first does not reach the end."""
    first = windows_of(case)[0]
    size, kernel, stride = first["input"], first["kernel"], first["stride"]
    starts = [o * stride - first["before"] for o in range(first["output"])]
    if first["dilation"] > 1 or stride == 1 or not starts or starts[0] + kernel >= size:
        return False
    inside = any(start < 0 and start + kernel >= size for start in starts[1:])
    return inside or any(a < 0 < b and b + kernel > size for a, b in pairwise(starts[1:]))


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="avx512-weight-gradient-of-planes-between-paddings",
        severity="wrong gradient",
        operators=("conv3d", "conv3d_padded", "conv_transpose3d"),
        laws=OF_WRONG_GRADIENTS,
        devices=("cpu",),
        dtypes=("float32",),
        holds=_planes_between_paddings,
        what="with a stride along the first of three axes, where a window but the first reaches from the padding "
        "before the input to its end, the gradient to the weight is wrong, and other memory is overwritten",
        why="torch.nn.Conv3d, the formula; float64, torch without oneDNN, and processors without AVX-512 are right",
        upstream=None,
        operator="conv3d",
        having="avx512_f",
        overwrites=True,
        example=Case(
            {"input": (2, 16, 4, 2, 2), "weight": (16, 16, 7, 1, 1)},
            {"stride": (2, 1, 1), "padding": (5, 0, 0), "dilation": (1,) * 3, "groups": 1},
        ),
    ),
    Divergence(
        id="avx512-weight-gradient-between-long-paddings",
        severity="wrong gradient",
        operators=CONVOLUTIONS + TRANSPOSED,
        laws=OF_WRONG_GRADIENTS,
        devices=("cpu",),
        dtypes=("float32",),
        holds=_long_padding_on_both_sides,
        what="with a stride, a dilation, 29 to 55 outputs along the last axis, and padding of 15 to 28 elements on "
        "both sides of it, the gradient to the weight is wrong in most elements, by more than its size",
        why="torch.nn.Conv1d, the formula; float64, torch without oneDNN, and processors without AVX-512 are right",
        upstream=None,
        operator="conv_transpose1d",
        having="avx512_f",
        example=Case(
            {"input": (2, 1, 31), "weight": (1, 1, 6)},
            {"stride": (2,), "padding": (15,), "output_padding": (0,), "groups": 1, "dilation": (3,)},
        ),
    ),
)

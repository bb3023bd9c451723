"""ATen's unfold and fold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from properties.cases.case import Case
from properties.edges.huge import Huge
from properties.ledger.record import OF_GRADIENTS, known
from properties.ledger.sums import OPMATH, lossy
from properties.ledger.windows import wrapped
from properties.subjects import Subject
from refimpl import unfolding

WINDOW: dict[str, Any] = {"kernel_size": (3, 3), "dilation": (1, 1), "padding": (1, 1), "stride": (1, 1)}


@lossy(
    "unfold-gradient-summed-in-storage",
    ("unfold",),
    laws=OF_GRADIENTS,
    what="an element's gradient, from each window that holds it, is summed in the 16-bit storage, every partial sum "
    "rounded",
    why=OPMATH + "average pooling's forward pass does so",
    example=Case({"input": (1, 3, 8, 9)}, WINDOW, "normal"),
)
@lossy(
    "fold-summed-in-storage",
    ("fold",),
    why=OPMATH + "average pooling's forward pass does so",
    example=Case({"input": (1, 18, 72)}, {"output_size": (8, 9), **WINDOW}, "normal"),
)
def _windows_overlap(case: Case, subject: Subject) -> bool:
    """An element's value, from each window that holds it, is summed in the 16-bit storage, every partial sum
    rounded."""
    # Sums of more than two: the sum of two is rounded once, as it should be.
    if max(value for values in case.arguments.values() for value in values) >= 2**30:  # where they are apart
        return False
    window = {name: value for name, value in case.arguments.items() if name != "output_size"}
    image = (1, *(case.arguments.get("output_size") or case.shapes["input"][-2:]))
    held = unfolding.fold(np.ones(unfolding.unfold(np.ones(image), **window).shape), image[1:], **window)
    return bool((held > 2).any())


@known(
    "unfold-blocks-past-64-bits",
    ("unfold",),
    severity="wrong shape",
    laws=("huge arguments",),
    upstream="https://github.com/pytorch/pytorch/issues/189667",
    why="torch.nn.Unfold: the formula gives another number of blocks, or none",
    example=Huge(
        {"input": (1, 1, 3, 3)},
        {"kernel_size": (3, 3), "dilation": (1, 2), "padding": (2**62, 4), "stride": (2, 2)},
        inflated=("padding",),
    ),
    narrower="sums that wrap past 2⁶³ in other ways are few among the example's neighbours",
)
def _blocks_overflow(case: Case, subject: Subject) -> bool:
    """The size of the padded input less that of a block wraps past 2⁶³, and so may the number of blocks; the division
    by the stride rounds towards zero. If that comes to one block or more, so many are made up."""
    counted, blocks = _blocks(case)
    # More is refused: bytes that no 64 bits count, and, if it should be large, what no memory holds.
    held = 2**40 if blocks else 2**63 // getattr(torch, subject.stored).itemsize
    return counted >= 1 and counted != blocks and 0 <= counted * _elements(case) < held


@known(
    "unfold-elements-of-block-past-64-bits",
    ("unfold",),
    severity="wrong shape",
    laws=("huge arguments",),
    upstream="https://github.com/pytorch/pytorch/issues/189667",
    why="torch.nn.Unfold: the formula gives another number of elements, which no tensor can have",
    example=Huge(
        {"input": (1, 4, 1, 1)},
        {"kernel_size": (2**62, 1), "dilation": (1, 1), "padding": (2**62, 0), "stride": (2**62, 1)},
        inflated=("kernel_size", "padding", "stride"),
    ),
)
def _elements_overflow(case: Case, subject: Subject) -> bool:
    """The number of elements of a block, channels times those of the kernel, wraps past 2⁶³. If that comes to none or
    more, so many rows are made up."""
    counted, blocks = _blocks(case)
    rows = case.shapes["input"][-3] * math.prod(case.arguments["kernel_size"])
    return counted >= 1 and counted == blocks and rows >= 2**63 and 0 <= counted * _elements(case) < 2**40


def _blocks(case: Case) -> tuple[int, int]:
    """The number of blocks as it is computed in 64 bits, none where the check in 32 bits finds none, and as the formula
    says."""
    given = (case.arguments[name] for name in ("kernel_size", "dilation", "padding", "stride"))
    axes = list(zip(case.shapes["input"][-2:], *given, strict=True))
    if max(value for axis in axes for value in axis) >= 2**63:  # which no argument can be
        return 0, 0
    room = [(size + 2 * p - d * (k - 1) - 1, s) for size, k, d, p, s in axes]
    seen = [(wrapped(left, 64), s) for left, s in room]
    if min(_in_32_bits(left, s) for left, s in seen) < 1:
        return 0, 0
    counted = wrapped(math.prod((-(-left // s) if left < 0 else left // s) + 1 for left, s in seen), 64)
    return counted, math.prod(left // s + 1 for left, s in room) if min(left for left, _ in room) >= 0 else 0


def _elements(case: Case) -> int:
    """Images times elements of a block, as they are counted in 64 bits."""
    *images, channels, _, _ = case.shapes["input"]
    return math.prod(images) * wrapped(channels * math.prod(case.arguments["kernel_size"]), 64)


@known(
    "fold-blocks-in-32-bits",
    ("fold",),
    severity="crash",
    laws=("huge arguments",),
    overwrites=True,
    upstream="https://github.com/pytorch/pytorch/issues/136719",
    why="torch.nn.Fold: the arguments must satisfy the formula for the number of blocks; torch checks that, in 32 bits",
    example=Huge(
        {"input": (1, 3, 4)},
        {"output_size": (3, 7), "kernel_size": (3, 1), "dilation": (1, 1), "padding": (2, 2**33), "stride": (4, 4)},
        inflated=("padding",),
    ),
)
def _as_many_in_32_bits(case: Case, subject: Subject) -> bool:
    """Where the number of blocks along an axis, cut to 32 bits, fits the columns, they are accepted, and columns are
    read behind the last, or counted for hours."""
    names = ("output_size", "kernel_size", "dilation", "padding", "stride")
    axes = list(zip(*(case.arguments[name] for name in names), strict=True))
    if max(value for axis in axes for value in axis) >= 2**63:  # which no argument can be
        return False
    room = [(size + 2 * p - d * (k - 1) - 1, s) for size, k, d, p, s in axes]
    seen = math.prod(_in_32_bits(wrapped(left, 64), s) for left, s in room)
    *images, rows, columns = case.shapes["input"]
    output = math.prod(images) * rows * math.prod(case.arguments["output_size"])
    many = output // math.prod(case.arguments["kernel_size"]) >= 2**60  # elements, which no tensor has: it is refused
    return not many and seen == columns and seen != math.prod(left // s + 1 for left, s in room)


def _in_32_bits(room: int, stride: int) -> int:
    """Blocks along an axis as ATen's div_rtn counts them, whose quotient and remainder are cut to 32 bits."""
    sign, (quotient, rest) = 1 if room >= 0 else -1, divmod(abs(room), stride)
    return wrapped(sign * quotient, 32) - (wrapped(sign * rest, 32) < 0) + 1

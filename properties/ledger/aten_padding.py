"""ATen's padding, on its own and before a convolution."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from properties.cases.case import Case
from properties.edges.huge import Huge
from properties.ledger.backends import counted_sizes
from properties.ledger.examples import convolution
from properties.ledger.record import OF_GRADIENTS, PADDED, known
from properties.ledger.rules import accepted
from properties.ledger.sums import OPMATH, lossy
from properties.ledger.windows import amounts_of, spans_of, wrapped
from properties.subjects import FLOATS, INTEGERS, Subject
from refimpl import padding

MODES = {"reflection_pad": "reflect", "replication_pad": "replicate", "circular_pad": "circular"}


@known(
    "circular-pad-of-what-cropping-leaves",
    ("circular_pad",),
    chance="memory that was never written may be right by chance",
    severity="silent wrong value",
    laws=("whatever the batch",),
    modes=("eager",),
    upstream="https://github.com/pytorch/pytorch/issues/176254",
    why="torch.nn.CircularPad1d: the padding must not wrap around more than once, which torch checks against the size "
    "before it crops",
    example=Case({"input": (1, 1, 2)}, {"padding": (-1, 2)}, "normal"),
)
def _wraps_past_what_is_left(case: Case, subject: Subject) -> bool:
    """Where one side of an axis is cropped and more is wrapped around on the other than that leaves, a batch of several
    images is filled from memory that was never written; a single image raises 'unsupported operation', and an empty
    batch is accepted."""
    amounts, shape = case.arguments["padding"], case.shapes["input"]
    sides = [(shape[-1 - k], *amounts[2 * k : 2 * k + 2]) for k in range(len(amounts) // 2)]
    once = all(max(pair) <= size for size, *pair in sides)
    return once and any(max(pair) > size + min(*pair, 0) for size, *pair in sides)


@accepted(
    "circle-of-more-than-is-left",
    ("circular_pad",),
    "a circle is of at most what is left",
    severity="silent wrong value",
    dtypes=FLOATS + INTEGERS,
    upstream="https://github.com/pytorch/pytorch/issues/176254",
    why="torch.nn.CircularPad2d: 'values at the end are used to pad the beginning', and 'the ends of the tensor get "
    "removed'; where nothing is cropped, more than there is raises",
    example=({"input": (1, 3)}, {"padding": (-3, 1)}),
)
def _more_than_is_left(case: Case, subject: Subject) -> bool:
    """Where one side is cropped and the other takes more than is left, elements of the output are memory that was never
    written."""
    return True


@accepted(
    "replication-of-no-elements",
    ("replication_pad",),
    "something is left",
    laws=("rejection", "zero sizes"),
    dtypes=FLOATS + INTEGERS,
    fixed="2.14.1",
    upstream="https://github.com/pytorch/pytorch/pull/184254",
    why="torch.nn.ReplicationPad2d: 'the output dimensions must remain positive'; with one axis it raises",
    example=({"input": (1, 1, 1)}, {"padding": (0, -1, 0, 0)}),
)
def _something_left_elsewhere(case: Case, subject: Subject) -> bool:
    """Amounts that leave nothing of one axis are accepted where they leave something of another."""
    amounts, x = case.arguments["padding"], case.shapes["input"]
    sides = [amounts[2 * axis : 2 * axis + 2] for axis in range(len(amounts) // 2)]
    left = [x[-1 - axis] + sum(side) for axis, side in enumerate(sides[: len(x)])]
    return min(left, default=1) == 0 < max(left)  # and no axis is left fewer than none


# Huge arguments


@known(
    "replication-past-64-bits",
    ("replication_pad",),
    severity="crash",
    laws=("huge arguments",),
    dtypes=FLOATS + INTEGERS,
    upstream="https://github.com/pytorch/pytorch/issues/169741",
    why="torch.nn.ReplicationPad2d, Shape: each size with both amounts added, which no tensor can have; other modes "
    "refuse such amounts",
    example=Huge({"input": (1, 1, 1, 3)}, {"padding": (2**63 - 1, 2**63 - 1, 0, 0)}, inflated=("padding",)),
)
def _replicated_size_wraps(case: Case, subject: Subject) -> bool:
    """The size of an axis wraps past 2⁶³, and what is left of it is the output's: with one axis the elements are wrong,
    with more the process ends with a segmentation fault."""
    amounts, shape = case.arguments["padding"], case.shapes["input"]
    return _replicated(shape[-1 - k : len(shape) - k] + amounts[2 * k : 2 * k + 2] for k in range(len(amounts) // 2))


def _replicated(axes: Iterable[tuple[int, ...]]) -> bool:
    """True if sizes wrap, the amounts are such as 64 bits hold, and what is left can be held and is not refused."""
    axes = list(axes)
    sizes = [wrapped(sum(axis), 64) for axis in axes]
    past = max(sum(axis) for axis in axes) >= 2**63 and max(amount for _, *sides in axes for amount in sides) < 2**63
    return past and min(sizes) >= 0 and max(sizes) > 0 and math.prod(sizes) < 2**30


@known(
    "convolution-of-replication-past-64-bits",
    PADDED,
    severity="crash",
    laws=("huge arguments",),
    dtypes=FLOATS + INTEGERS,
    upstream="https://github.com/pytorch/pytorch/issues/169741",
    why="torch.nn.Conv1d: padding_mode='replicate' pads by 'padding', and no tensor is so large; other modes refuse "
    "such a padding",
    operator="conv2d_padded",
    example=Huge(
        *convolution((1, 1, 1, 3), (1, 1, 1, 1), padding=(0, 2**63 - 1), padding_mode="replicate"),
        inflated=("padding",),
    ),
)
def _padded_size_wraps(case: Case, subject: Subject) -> bool:
    """The size of a replicated axis wraps past 2⁶³, and what is left of it is convolved: with one axis the elements are
    wrong, with more the process ends with a segmentation fault."""
    # That happens where the last axis wraps. What is left of others is convolved, unless no window fits; "same" keeps
    # the size, then, too.
    given, image, spans = case.arguments, case.shapes["input"], [span for span, _, _ in spans_of(case)]
    axes = list(zip(image[-len(spans) :], amounts_of(case), strict=True))
    if given["padding_mode"] != "replicate" or not _replicated((size, *sides) for size, sides in axes):
        return False
    sizes = [wrapped(size + sum(sides), 64) for size, sides in axes]
    if len(axes) > 1 and 0 not in (*image, *sizes[:-1]) and sum(axes[-1][1]) >= 2**63:
        return True
    convolved = given["padding"] != "same" and max(*given["stride"], *given["dilation"]) < 2**63
    fit = all(wrapped(span, 64) <= size for span, size in zip(spans, sizes, strict=True))
    return convolved and fit and (max(spans) < 2**63 or min(counted_sizes(case, subject)) >= 0)


# Sums


def _summed(name: str) -> None:
    """Register the sums of a padding on its own."""

    @lossy(
        f"{name.replace('_', '-')}-gradient-summed-in-storage",
        (name,),
        laws=OF_GRADIENTS,
        why=OPMATH + "average pooling's forward pass does so",
        example=Case({"input": (1, 8, 7, 6)}, {"padding": (5, 5, 6, 6)}, "normal"),
    )
    def repeats(case: Case, subject: Subject) -> bool:
        """An element's gradient, from each place that it is copied to, is summed in the 16-bit storage, every partial
        sum rounded."""
        return _repeats(case.arguments["padding"], MODES[name], case.shapes["input"])


for _name in MODES:
    _summed(_name)


def _repeats(amounts: tuple[int, ...], mode: str, shape: tuple[int, ...]) -> bool:
    """True if padding takes some element more than twice: a sum of two is rounded once, as it should be."""
    image = shape[-len(amounts) // 2 :]
    taken = np.ones(padding.pad(np.ones(image), amounts, mode).shape)
    return bool((padding.pad_gradient(taken, image, amounts, mode) > 2).any())


@lossy(
    "padded-convolution-gradient-summed-in-storage",
    PADDED,
    laws=(*OF_GRADIENTS, "gradients of gradients"),
    why=OPMATH + "average pooling's forward pass does so",
    operator="conv2d_padded",
    example=Case(
        *convolution((2, 3, 6, 6), (3, 3, 3, 3), stride=(2, 2), padding=(4, 4), padding_mode="reflect"), "wide", 20269
    ),
    around_kernels=True,
)
def _convolution_repeats(case: Case, subject: Subject) -> bool:
    """An element's gradient, from each place of the padded input that it is copied to, is summed in the 16-bit storage,
    every partial sum rounded."""
    given = case.arguments
    amounts = padding.convolution_padding(case.shapes["weight"][2:], given["padding"], given["dilation"])
    return given["padding_mode"] != "zeros" and _repeats(amounts, given["padding_mode"], case.shapes["input"])

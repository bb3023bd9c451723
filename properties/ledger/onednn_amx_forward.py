"""oneDNN's bfloat16 convolution for Intel's matrix units (AMX), wherever it is what computes something.

That is a convolution itself, the gradient of a transposed one to its input, and the gradient of the gradients to the
weight. It makes other convolutions of some, so that a tile is full. Of few channels, the taps along the last axis
become channels ("lowering"). With a stride and no padding, neighbouring positions do ("folding"): k of them, where k
divides the input, the kernel and the stride.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from properties.cases.case import Case, Geometry
from properties.edges.huge import Huge
from properties.ledger.examples import convolution, transposed
from properties.ledger.record import CONVOLUTIONS, PADDED, PLAIN, TRANSPOSED, WITH_GRADIENTS, Predicate, known, sentence
from properties.ledger.windows import (
    after,
    spans_of,
    strides_over_four_gigabytes,
    taps_reach,
    turned,
    where_valid,
    windows_of,
    windows_reach,
)
from properties.subjects import Subject

TILE = 32
"""Values of bfloat16 in a row of a tile, in which the weights of so many channels are stored."""
SMALL = 4
"""Output positions up to which another kernel is chosen."""

SEVERAL_AXES = ("conv2d", "conv3d", "conv2d_padded", "conv3d_padded")

with_amx = functools.partial(known, dtypes=("bfloat16",), having="amx_bf16")
"""Register a defect that processors with matrix units show."""


@with_amx(
    "amx-convolution-of-one-strided-column",
    SEVERAL_AXES,
    severity="silent wrong value",
    upstream="https://github.com/pytorch/pytorch/issues/169688",
    why="torch.nn.Conv2d, the formula; float32, and processors without AMX, are right",
    example=Case(*convolution((1, 3, 15, 3), (2, 3, 3, 2), stride=(2, 2)), "normal"),
)
@with_amx(
    "amx-gradient-of-transposed-convolution-of-one-strided-column",
    TRANSPOSED[1:],
    severity="wrong gradient",
    laws=WITH_GRADIENTS,
    upstream="https://github.com/pytorch/pytorch/issues/169688",
    what="where the input is one column wide and the stride along it is more than 1, rows of its gradient are out of "
    "order",
    why="torch.nn.ConvTranspose2d, the formula; float32, and processors without AMX, are right",
    example=Case(*transposed((1, 3, 7, 1), (3, 3, 3, 2), stride=(2, 2)), "normal"),
)
def _one_strided_column(case: Case, subject: Subject) -> bool:
    """Where the output is one column wide and the stride along it is more than 1, rows are out of order."""
    last = windows_of(case)[-1]
    direct = last["output"] == 1 and last["stride"] > 1 and last["kernel"] > 1
    # The gradient of the gradients to the weight is a convolution whose window is the output and whose stride is the
    # dilation.
    return direct or (last["kernel"] == 1 and last["dilation"] > 1 and last["output"] > 1)


@with_amx(
    "amx-crash-on-window-of-padding",
    SEVERAL_AXES,
    severity="crash",
    also=("whatever the batch",),
    upstream="https://github.com/pytorch/pytorch/issues/195394",
    why="torch.nn.Conv3d, Shape: no limit on padding; its output is the bias; processors without AMX are right",
    operator="conv3d",
    example=Case(*convolution((1, 16, 1, 1, 3), (1, 16, 1, 2, 1), padding=(0, 2, 0), dilation=(1, 3, 1))),
)
@with_amx(
    "amx-crash-in-gradient-of-transposed-convolution",
    TRANSPOSED[1:],
    severity="crash",
    laws=WITH_GRADIENTS,
    what="where on an axis before the last an element of the input reaches no output, the gradient to the input "
    "ends the process with SIGSEGV, where oneDNN chooses its kernel for matrix units",
    why="torch.nn.ConvTranspose2d, Shape: no limit on padding; processors without AMX are right",
    example=Case(
        *transposed(
            (2, 2, 1, 7), (2, 3, 2, 3),
            stride=(2, 4), padding=(2, 0), output_padding=(1, 2), groups=2, dilation=(3, 1),
        )
    ),
)  # fmt: skip
@where_valid
def _window_of_padding(case: Case, subject: Subject) -> bool:
    """A window that on an axis before the last holds nothing but padding ends the process with SIGSEGV, where oneDNN
    chooses its kernel for matrix units."""
    # Taps are windows, too: of the convolution that gives the gradient of the gradients to the weight.
    return not all(all(windows_reach(**w)) and all(taps_reach(**w)) for w in windows_of(case)[:-1])


@with_amx(
    "conv-bfloat16-stride-in-32-bits",
    CONVOLUTIONS,
    severity="crash",
    laws=("huge arguments",),
    why="torch.nn.Conv2d: no limit on the stride; float32 and processors without AMX give the one output",
    operator="conv2d",
    example=Huge(*convolution((1, 1, 1, 8), (1, 1, 1, 2), stride=(2**30, 1)), inflated=("stride",)),
)
@where_valid
def _stride_of_four_gigabytes(case: Case, subject: Subject) -> bool:
    """Where windows stride over 2³² bytes or more, the process ends with a division by zero (SIGFPE) or a segmentation
    fault, never ends, or is right by chance."""
    return strides_over_four_gigabytes(case)


@with_amx(
    "conv-bfloat16-dilation-in-32-bits",
    PLAIN[1:] + PADDED[1:],
    severity="crash",
    laws=("huge arguments",),
    why="torch.nn.Conv2d: no limit on the dilation; smaller and larger ones, other dtypes and processors without AMX "
    "are right",
    example=Huge(*convolution((1, 8, 1, 6), (1, 8, 1, 2), dilation=(2**31, 1)), inflated=("dilation",)),
)
@where_valid
def _dilation_is_negative(case: Case, subject: Subject) -> bool:
    """Where a kernel of one row is dilated by 2³¹, which has no effect, and has several columns, the process ends with
    a segmentation fault, or the output is right by chance."""
    axes = windows_of(case)  # with up to four outputs another kernel is chosen
    return axes[-2]["dilation"] == 2**31 and axes[-1]["kernel"] > 1 and math.prod(w["output"] for w in axes) > SMALL


@with_amx(
    "conv-bfloat16-padded-axis-in-32-bits",
    CONVOLUTIONS,
    severity="crash",
    laws=("huge arguments",),
    why="torch.nn.Conv1d: no limit on padding and dilation; other dtypes and older processors give zeros",
    operator="conv2d",
    example=Huge(
        *convolution((1, 4, 2, 3), (8, 2, 2, 1), stride=(2**30, 1), padding=(2**30, 0), dilation=(2**30, 1), groups=2),
        inflated=("dilation", "padding", "stride"),
    ),
)
def _long_padded_axis(case: Case, subject: Subject) -> bool:
    """A dilated window of 2³⁰ elements over a padded axis of 2³¹ ends the process with a segmentation fault."""
    return any(span >= 2**30 and room + span >= 2**31 for span, room, _ in spans_of(case))


@dataclass(frozen=True)
class Convolution:
    """Channels of a group, groups, and the window on each axis."""

    channels: int
    groups: int
    windows: tuple[Mapping[str, int], ...]

    @property
    def small(self) -> bool:
        """True if another kernel is chosen."""
        return math.prod(w["output"] for w in self.windows) <= SMALL

    @property
    def folds(self) -> int:
        """How many positions become channels of one."""
        w, channels = self.windows[-1], self.channels
        if self.groups > 1 or w["dilation"] > 1 or max(w["before"], after(**w)) > 0 or channels % 2 or not channels:
            return 1
        common = math.gcd(w["input"], w["kernel"], w["stride"])
        return max(k for k in range(1, common + 1) if common % k == 0 and _fills(channels) and _fills(k * channels))

    @property
    def lowered(self) -> bool:
        """True if the taps along the last axis become channels."""
        w = self.windows[-1]
        several = w["kernel"] > 1 and w["dilation"] == 1
        return self.few and several and after(**w) < w["kernel"] and self.folds == 1

    @property
    def lowered_along_columns(self) -> bool:
        """True if, of an image, the taps of a kernel one column wide become channels."""
        if len(self.windows) != 2 or not self.few:
            return False
        column, row = self.windows
        single = row["kernel"] == 1 and row["dilation"] == column["dilation"] == 1 < column["kernel"]
        return single and (row["output"] > 48 or row["output"] % 16 == 0) and column["before"] < column["kernel"]

    @property
    def few(self) -> bool:
        """True if there are so few channels that others are sought to fill a tile."""
        return 0 < self.channels < TILE // 2

    def aligned(self, taps: int) -> bool:
        """True if channels and taps fill rows of tiles, so that the weights are taken to lie as they are needed."""
        return self.channels % 2 == 0 and _fills(self.channels * taps)


def _fills(channels: int) -> bool:
    return channels <= TILE or channels % TILE == 0


def _of(case: Case) -> Convolution:
    """The convolution that a case is, or that a transposed one's gradient to its input is."""
    return Convolution(case.shapes["weight"][1], case.arguments.get("groups", 1), tuple(windows_of(case)))


def _of_second(case: Case) -> Convolution:
    """The convolution that the gradient of the gradients to the weight is, by group: its channels are the batch."""
    x, weight = case.shapes["input"], case.shapes["weight"]
    return Convolution(x[0] if len(x) == len(weight) else 1, 1, tuple(map(turned, windows_of(case))))


Kind = Callable[[Convolution], bool]


def everywhere(
    id: str,
    axes: tuple[int, ...],
    *,
    severity: str,
    layer: Geometry,
    gradient: Geometry,
    second: Geometry,
    **about: Any,
) -> Callable[[Kind], Kind]:
    """Register a defect of a kind of convolution three times: as a layer, as a gradient of a transposed one to its
    input, and as the gradient of the gradients to a weight. Each has its example."""
    convolutions, transposes = (
        tuple(name for name in names if any(f"{n}d" in name for n in axes)) for names in (CONVOLUTIONS, TRANSPOSED)
    )
    of_gradients = "crash" if severity == "crash" else "wrong gradient"

    def register(kind: Kind) -> Kind:
        what = sentence(kind.__doc__ or "")
        with_amx(
            id, convolutions, severity=severity, operator=_with_axes_of(layer, convolutions), example=Case(*layer),
            **about,
        )(_holds(kind, _of))  # fmt: skip
        with_amx(
            f"{id}-in-transposed-gradient", transposes, severity=of_gradients, laws=WITH_GRADIENTS,
            what=f"the gradient to the input of a transposed convolution is a convolution: {what}",
            operator=_with_axes_of(gradient, transposes), example=Case(*gradient), **about,
        )(_holds(kind, _of))  # fmt: skip
        with_amx(
            f"{id}-in-second-gradient", convolutions + transposes, severity=of_gradients,
            laws=("gradients of gradients",),
            what="the gradient of the gradients to the weight is a convolution whose channels are the batch and whose "
            f"kernel is the output: {what}",
            operator=_with_axes_of(second, convolutions), example=Case(*second), **about,
        )(_holds(kind, _of_second))  # fmt: skip
        return kind

    return register


def _with_axes_of(example: Geometry, names: tuple[str, ...]) -> str:
    return next(name for name in names if f"{len(example[0]['weight']) - 2}d" in name)


def _holds(kind: Kind, of: Callable[[Case], Convolution]) -> Predicate:
    @functools.wraps(kind)
    def holds(case: Case, subject: Subject) -> bool:
        made = of(case)
        return not made.small and kind(made)

    return holds


@everywhere(
    "amx-convolution-of-few-channels",
    (1, 2, 3),
    severity="silent wrong value",
    why="torch.nn.Conv1d, the formula; float32, a kernel of one tap more, and processors without AMX, are right",
    layer=convolution((1, 8, 12), (1, 8, 8)),
    gradient=transposed((1, 1, 5), (1, 8, 8)),
    second=convolution((8, 1, 12), (1, 1, 5)),
)
def _lowered_in_place(made: Convolution) -> bool:
    """Where a group has an even number of channels below 16, and that number times the kernel's last size is a multiple
    of 32 above 32, most products are left out of the sum: with 2 channels and 32 taps all but 3 of 64. So they are, in
    some cases, for a kernel one column wide and its first size."""
    if not (made.lowered or made.lowered_along_columns):
        return False
    taps = made.windows[-1 if made.lowered else 0]["kernel"]
    return made.aligned(taps) and made.channels * taps > TILE  # of which the weights are taken to lie as needed


@everywhere(
    "amx-convolution-of-patches",
    (1, 2, 3),
    severity="silent wrong value",
    why="torch.nn.Conv1d, the formula; float32, 32 channels, and processors without AMX, are right. oneDNN has "
    "given the same rewriting up for bfloat16 on AArch64, where it was found wrong (uxlfoundation/oneDNN, pull "
    "request 4684)",
    layer=convolution((1, 16, 20), (1, 16, 4), stride=(4,)),
    gradient=transposed((1, 1, 5), (1, 16, 4), stride=(4,)),
    second=convolution((16, 1, 20), (1, 1, 5), dilation=(4,)),
)
def _folded(made: Convolution) -> bool:
    """With a stride, no padding, fewer than 32 channels, and a common divisor of the last axis, its kernel and its
    stride that times the channels is a multiple of 32 above 32, the weights are read in another order: patches of 4 of
    16 channels, for one."""
    return made.channels < TILE < made.channels * made.folds


@everywhere(
    "amx-convolution-one-plane-deep",
    (3,),
    severity="silent wrong value",
    why="torch.nn.Conv3d, the formula; float32, and the same input with two channels, are right",
    layer=convolution((1, 3, 1, 1, 3), (9, 1, 3, 1, 2), padding=(2, 0, 0), groups=3),
    gradient=transposed((1, 1, 2, 1, 5), (1, 5, 2, 1, 2), padding=(1, 0, 0)),
    second=convolution((5, 1, 1, 1, 6), (1, 1, 2, 1, 5), padding=(1, 0, 0)),
)
def _lowered_at_depth_one(made: Convolution) -> bool:
    """Over an input of depth one and few channels, an odd number or with taps that do not fill tiles, a kernel of
    greater depth gives outputs that were never written, or sums of them, or ends the process with SIGSEGV."""
    first = made.windows[0]
    deep = len(made.windows) == 3 and first["input"] == 1 < first["kernel"]
    return deep and made.lowered and not made.aligned(made.windows[-1]["kernel"])


@everywhere(
    "amx-convolution-with-gaps",
    (2, 3),
    severity="crash",
    overwrites=True,
    upstream="https://github.com/uxlfoundation/oneDNN/pull/5494",
    why="torch.nn.Conv3d, Shape: no limit on stride; float32, and processors without AMX, are right",
    layer=convolution((1, 16, 5, 13, 14), (1, 16, 1, 1, 2), stride=(4, 4, 2)),
    gradient=transposed((1, 1, 2, 4, 7), (1, 16, 1, 1, 2), stride=(4, 4, 2)),
    second=convolution((16, 1, 5, 13, 14), (1, 1, 2, 4, 7), dilation=(4, 4, 2)),
)
def _outrun(made: Convolution) -> bool:
    """Where the stride is more than the kernel on an axis before the last, a buffer is too small for what is copied
    into it: the output is wrong, and memory that is not its own is overwritten, so that the process ends with SIGSEGV
    or SIGABRT, perhaps much later, or nothing shows."""
    gaps = any(w["stride"] > w["kernel"] and w["output"] > 1 for w in made.windows[:-1])
    # Rows of an image are copied together otherwise; then only padding as long as the kernel is too much.
    long = any(max(w["before"], after(**w)) >= w["kernel"] for w in made.windows)
    return gaps and (long or len(made.windows) == 3)

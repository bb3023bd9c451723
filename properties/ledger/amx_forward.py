"""Wrong values of oneDNN's bfloat16 convolution for matrix units (AMX), wherever it is what computes something.

That is a convolution itself, the gradient of a transposed one to its input, and the gradient of the gradients to the
weight. It makes other convolutions of some, so that a tile is full. Of few channels, the taps along the last axis
become channels ("lowering"). With a stride and no padding, neighbouring positions do ("folding"): k of them, where k
divides the input, the kernel and the stride.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from properties.cases.case import Case
from properties.ledger.record import CONVOLUTIONS, OF_WRONG_GRADIENTS, TRANSPOSED, Divergence
from properties.ledger.windows import Predicate, after, turned, windows_of
from properties.subjects import Subject

TILE = 32
"""Values of bfloat16 in a row of a tile, in which the weights of so many channels are stored."""
SMALL = 4
"""Output positions up to which another kernel is chosen."""


@dataclass(frozen=True)
class Convolution:
    """Channels of a group, groups, and the window on each axis."""

    channels: int
    groups: int
    windows: tuple[Mapping[str, int], ...]

    @property
    def small(self) -> bool:
        """Whether another kernel is chosen."""
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
        """Whether the taps along the last axis become channels."""
        w = self.windows[-1]
        several = w["kernel"] > 1 and w["dilation"] == 1
        return self.few and several and after(**w) < w["kernel"] and self.folds == 1

    @property
    def lowered_along_columns(self) -> bool:
        """Whether, of an image, the taps of a kernel one column wide become channels."""
        if len(self.windows) != 2 or not self.few:
            return False
        column, row = self.windows
        single = row["kernel"] == 1 and row["dilation"] == column["dilation"] == 1 < column["kernel"]
        return single and (row["output"] > 48 or row["output"] % 16 == 0) and column["before"] < column["kernel"]

    @property
    def few(self) -> bool:
        """Whether there are so few channels that others are sought to fill a tile."""
        return 0 < self.channels < TILE // 2

    def aligned(self, taps: int) -> bool:
        """Whether channels and taps fill rows of tiles, so that the weights are taken to lie as they are needed."""
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


def _lowered_in_place(made: Convolution) -> bool:
    """Whether lowered taps fill several rows, of weights that are taken to lie as they are needed."""
    if not (made.lowered or made.lowered_along_columns):
        return False
    taps = made.windows[-1 if made.lowered else 0]["kernel"]
    return made.aligned(taps) and made.channels * taps > TILE


def _folded(made: Convolution) -> bool:
    """Whether folded channels are more than the row in which their weights were stored."""
    return made.channels < TILE < made.channels * made.folds


def _lowered_over_one_plane(made: Convolution) -> bool:
    """Whether a kernel of several planes slides over an input of one, and weights are laid out for lowered taps."""
    first = made.windows[0]
    deep = len(made.windows) == 3 and first["input"] == 1 < first["kernel"]
    return deep and made.lowered and not made.aligned(made.windows[-1]["kernel"])


def _outrun(made: Convolution) -> bool:
    """Whether on an axis before the last there are several windows, with gaps between them.

    Of an image, whose rows are copied together otherwise, only where some padding is as long as the kernel.
    """
    gaps = any(w["stride"] > w["kernel"] and w["output"] > 1 for w in made.windows[:-1])
    long = any(max(w["before"], after(**w)) >= w["kernel"] for w in made.windows)
    return gaps and (long or len(made.windows) == 3)


def _predicate(kind: Kind, of: Callable[[Case], Convolution]) -> Predicate:
    def holds(case: Case, subject: Subject) -> bool:
        made = of(case)
        return not made.small and kind(made)

    return holds


def _everywhere(
    kind: Kind, axes: tuple[int, ...], layer: Case, transposed: Case, second: Case, **about: Any
) -> tuple[Divergence, ...]:
    """A defect where the convolution is a layer, a gradient of one, and a gradient of its gradients."""
    convolutions, transposes = (
        tuple(name for name in names if any(f"{n}d" in name for n in axes)) for names in (CONVOLUTIONS, TRANSPOSED)
    )

    def named(names: tuple[str, ...], example: Case) -> str:
        return next(name for name in names if f"{len(example.shapes['weight']) - 2}d" in name)

    of_layer = Divergence(
        operators=convolutions, laws=(), devices=("cpu",), dtypes=("bfloat16",), having="amx_bf16",
        holds=_predicate(kind, _of), operator=named(convolutions, layer), example=layer, **about,
    )  # fmt: skip
    of_gradients = replace(of_layer, severity="crash" if of_layer.severity == "crash" else "wrong gradient")
    return (
        of_layer,
        replace(
            of_gradients,
            id=f"{of_layer.id}-in-transposed-gradient",
            operators=transposes,
            laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
            what=f"the gradient to the input of a transposed convolution is a convolution: {of_layer.what}",
            operator=named(transposes, transposed),
            example=transposed,
        ),
        replace(
            of_gradients,
            id=f"{of_layer.id}-in-second-gradient",
            operators=convolutions + transposes,
            laws=("gradients of gradients",),
            holds=_predicate(kind, _of_second),
            operator=named(convolutions, second),
            what="the gradient of the gradients to the weight is a convolution whose channels are the batch and whose "
            f"kernel is the output: {of_layer.what}",
            example=second,
        ),
    )


def _case(input: tuple[int, ...], weight: tuple[int, ...], **given: Any) -> Case:
    """A case with what is given, and else a stride and dilation of 1, no padding, and one group."""
    ones, zeros = (1,) * (len(weight) - 2), (0,) * (len(weight) - 2)
    return Case(
        {"input": input, "weight": weight}, {"stride": ones, "padding": zeros, "dilation": ones, "groups": 1, **given}
    )


ENTRIES = (
    *_everywhere(
        _lowered_in_place,
        (1, 2, 3),
        _case((1, 8, 12), (1, 8, 8)),
        _case((1, 1, 5), (1, 8, 8), output_padding=(0,)),
        _case((8, 1, 12), (1, 1, 5)),
        id="amx-convolution-of-few-channels",
        severity="silent wrong value",
        what="where a group has an even number of channels below 16, and they times the kernel's last size are a "
        "multiple of 32 past 32, most products are left out of the sum: with 2 channels and 32 taps all but 3 of 64. "
        "So they are, or are not, for a kernel one column wide and its first size",
        why="torch.nn.Conv1d, the formula; float32, a kernel of one tap more, and processors without AMX, are right",
        upstream=None,
    ),
    *_everywhere(
        _folded,
        (1, 2, 3),
        _case((1, 16, 20), (1, 16, 4), stride=(4,)),
        _case((1, 1, 5), (1, 16, 4), stride=(4,), output_padding=(0,)),
        _case((16, 1, 20), (1, 1, 5), dilation=(4,)),
        id="amx-convolution-of-patches",
        severity="silent wrong value",
        what="with a stride, no padding, fewer than 32 channels, and a common divisor of the last axis, its kernel and "
        "its stride that makes of the channels a multiple of 32 past 32, the weights are read in another order: "
        "patches of 4 of 16 channels, for one",
        why="torch.nn.Conv1d, the formula; float32, 32 channels, and processors without AMX, are right. oneDNN has "
        "given the same rewriting up for bfloat16 on AArch64, where it was found wrong (uxlfoundation/oneDNN, pull "
        "request 4684)",
        upstream=None,
    ),
    *_everywhere(
        _lowered_over_one_plane,
        (3,),
        _case((1, 3, 1, 1, 3), (9, 1, 3, 1, 2), padding=(2, 0, 0), groups=3),
        _case((1, 1, 2, 1, 5), (1, 5, 2, 1, 2), padding=(1, 0, 0), output_padding=(0, 0, 0)),
        _case((5, 1, 1, 1, 6), (1, 1, 2, 1, 5), padding=(1, 0, 0)),
        id="amx-convolution-one-plane-deep",
        severity="silent wrong value",
        what="over an input of one plane and few channels, an odd number or with taps that do not fill tiles, a kernel "
        "of several planes gives outputs that were never written, or sums of them, or ends the process with SIGSEGV",
        why="torch.nn.Conv3d, the formula; float32, and the same input with two channels, are right",
        upstream=None,
    ),
    *_everywhere(
        _outrun,
        (2, 3),
        _case((1, 16, 5, 13, 14), (1, 16, 1, 1, 2), stride=(4, 4, 2)),
        _case((1, 1, 2, 4, 7), (1, 16, 1, 1, 2), stride=(4, 4, 2), output_padding=(0, 0, 0)),
        _case((16, 1, 5, 13, 14), (1, 1, 2, 4, 7), dilation=(4, 4, 2)),
        id="amx-convolution-with-gaps",
        severity="crash",
        what="where the stride is more than the kernel on an axis before the last, a buffer is too small for what is "
        "copied into it: the output is wrong, and memory that is not its own is overwritten, so that the process ends "
        "with SIGSEGV or SIGABRT, perhaps much later, or nothing shows",
        why="torch.nn.Conv3d, Shape: no limit on stride; float32, and processors without AMX, are right",
        upstream="https://github.com/uxlfoundation/oneDNN/pull/5494",
        overwrites=True,
    ),
)

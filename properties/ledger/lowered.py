"""Wrong values of oneDNN's bfloat16 convolutions for matrix units (AMX) that make other convolutions of themselves.

Of few channels, the taps along the last axis become channels ("lowering"), so that a tile is full. With a stride and no
padding, neighbouring positions do ("folding"): k positions, where k divides the input, the kernel and the stride. Both
read the weights in another order than that in which they were stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from properties.cases import Case
from properties.ledger.record import CONVOLUTIONS, OF_WRONG_GRADIENTS, TRANSPOSED, Divergence
from properties.ledger.windows import Predicate, windows_of
from properties.subjects import Subject

TILE = 32
"""Values of bfloat16 in a row of a tile, in which the weights of so many channels are stored."""

PLAIN: dict[str, Any] = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}
SMALL = 4
"""Positions up to which another kernel is chosen."""


@dataclass(frozen=True)
class Convolution:
    """Channels and groups of a convolution, its window on the last axis, and how many positions its output has."""

    channels: int
    groups: int
    window: Mapping[str, int]
    positions: int

    @property
    def after(self) -> int:
        """What the last window sees of the padding behind the input; negative where it does not reach the end."""
        w = self.window
        return (w["output"] - 1) * w["stride"] + w["dilation"] * (w["kernel"] - 1) + 1 - w["input"] - w["before"]

    @property
    def folds(self) -> int:
        """How many positions become channels of one."""
        w, channels = self.window, self.channels
        if self.groups > 1 or w["dilation"] > 1 or max(w["before"], self.after) > 0 or channels % 2 or not channels:
            return 1
        common = math.gcd(w["input"], w["kernel"], w["stride"])
        return max(k for k in range(1, common + 1) if common % k == 0 and _fills(channels) and _fills(k * channels))

    @property
    def lowered(self) -> bool:
        """Whether the taps of few channels fill several tiles, with nothing left over."""
        w, size = self.window, self.channels * self.window["kernel"]
        few = self.channels < TILE // 2 and self.channels % 2 == 0
        return few and size > TILE and size % TILE == 0 and w["dilation"] == 1 and self.after < w["kernel"]


def _fills(channels: int) -> bool:
    return channels <= TILE or channels % TILE == 0


def _of(case: Case) -> Convolution:
    """The convolution that a case is, or that a transposed one's gradient to its input is."""
    windows, groups = windows_of(case), case.arguments.get("groups", 1)
    return Convolution(case.shapes["weight"][1], groups, windows[-1], math.prod(w["output"] for w in windows))


def _of_second(case: Case) -> Convolution:
    """The convolution that the gradient of the gradients to the weight is, group by group.

    Its channels are the batch, its window is the output, and stride and dilation change places. Its outputs are the
    taps, and those that what the stride leaves over of the input makes; they are computed and cut off.
    """
    turned = [
        {**w, "kernel": w["output"], "output": _taps(**w), "stride": w["dilation"], "dilation": w["stride"]}
        for w in windows_of(case)
    ]
    x, weight = case.shapes["input"], case.shapes["weight"]
    batch = x[0] if len(x) == len(weight) else 1
    return Convolution(batch, 1, turned[-1], math.prod(w["output"] for w in turned))


def _taps(input: int, output: int, kernel: int, stride: int, dilation: int, before: int) -> int:
    return (input + 2 * before - stride * (output - 1) - 1) // dilation + 1


def _lowered(of: Callable[[Case], Convolution]) -> Predicate:
    """Whether a convolution of more than four positions is lowered, and not folded instead."""

    def holds(case: Case, subject: Subject) -> bool:
        made = of(case)
        return made.positions > SMALL and made.lowered and made.folds == 1

    return holds


def _folded(of: Callable[[Case], Convolution]) -> Predicate:
    """Whether a convolution of more than four positions is folded, so that a row of a tile does not hold it."""

    def holds(case: Case, subject: Subject) -> bool:
        made = of(case)
        return made.positions > SMALL and made.channels < TILE < made.channels * made.folds

    return holds


LOWERED = Divergence(
    id="amx-convolution-of-few-channels",
    severity="silent wrong value",
    operators=CONVOLUTIONS,
    laws=(),
    devices=("cpu",),
    dtypes=("bfloat16",),
    holds=_lowered(_of),
    what="where a group has an even number of channels below 16, and they times the kernel's last size are a multiple "
    "of 32 past 32, most of the products are left out of the sum: with 2 channels and 32 taps all but 3 of 64",
    why="torch.nn.Conv1d, the formula; float32, a kernel of one tap more, and processors without AMX, are right",
    versions=("2.13.0",),
    upstream=None,
    operator="conv1d",
    having="amx_bf16",
    example=Case({"input": (1, 8, 12), "weight": (1, 8, 8)}, PLAIN),
)
FOLDED = Divergence(
    id="amx-convolution-of-patches",
    severity="silent wrong value",
    operators=CONVOLUTIONS,
    laws=(),
    devices=("cpu",),
    dtypes=("bfloat16",),
    holds=_folded(_of),
    what="with a stride, no padding, fewer than 32 channels, and a common divisor of the last axis, its kernel and its "
    "stride that makes of the channels a multiple of 32 past 32, the weights are read in another order: patches of 4 "
    "of 16 channels, for one",
    why="torch.nn.Conv1d, the formula; float32, 32 channels, and processors without AMX, are right. oneDNN has given "
    "the same rewriting up for bfloat16 on AArch64, where it was found wrong (uxlfoundation/oneDNN, pull request 4684)",
    versions=("2.13.0",),
    upstream=None,
    operator="conv1d",
    having="amx_bf16",
    example=Case({"input": (1, 16, 20), "weight": (1, 16, 4)}, {**PLAIN, "stride": (4,)}),
)


def _everywhere(
    defect: Divergence, kind: Callable[[Callable[[Case], Convolution]], Predicate]
) -> tuple[Divergence, ...]:
    """A defect of convolutions, where they are a layer, and where they are a gradient of one."""
    (_, channels, size), (*_, kernel) = defect.example.shapes.values()
    stride = defect.example.arguments["stride"]
    as_gradient = {"input": (1, 1, SMALL + 1), "weight": (1, channels, kernel)}
    as_second = {"input": (channels, 1, size), "weight": (1, 1, SMALL + 1)}
    return (
        defect,
        replace(
            defect,
            id=f"{defect.id}-in-transposed-gradient",
            severity="wrong gradient",
            operators=TRANSPOSED,
            laws=(*OF_WRONG_GRADIENTS, "gradients of gradients"),
            what=f"the gradient to the input of a transposed convolution is a convolution: {defect.what}",
            why=defect.why.replace("Conv1d", "ConvTranspose1d"),
            operator="conv_transpose1d",
            example=Case(as_gradient, {**PLAIN, "stride": stride, "output_padding": (0,)}),
        ),
        replace(
            defect,
            id=f"{defect.id}-in-second-gradient",
            severity="wrong gradient",
            operators=CONVOLUTIONS + TRANSPOSED,
            laws=("gradients of gradients",),
            holds=kind(_of_second),
            what="the gradient of the gradients to the weight is a convolution whose channels are the batch and whose "
            f"kernel is the output: {defect.what}",
            example=Case(as_second, {**PLAIN, "dilation": stride}),
        ),
    )


ENTRIES = (*_everywhere(LOWERED, _lowered), *_everywhere(FOLDED, _folded))

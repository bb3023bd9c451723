"""Padding, unfold and fold: where elements meet, 16-bit sums whose every partial sum is rounded."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from properties.cases.case import Case
from properties.ledger.lossy import OPMATH
from properties.ledger.record import OF_GRADIENTS, Divergence
from properties.subjects import SIXTEEN_BITS, Subject
from refimpl import padding, unfolding


def _repeats(amounts: tuple[int, ...], mode: str, shape: tuple[int, ...]) -> bool:
    """Whether padding takes some element more than twice: a sum of two is rounded once, as it should be."""
    plane = shape[-len(amounts) // 2 :]
    taken = np.ones(padding.pad(np.ones(plane), amounts, mode).shape)
    return bool((padding.pad_gradient(taken, plane, amounts, mode) > 2).any())


def _padding_repeats(mode: str, case: Case, subject: Subject) -> bool:
    return _repeats(case.arguments["padding"], mode, case.shapes["input"])


def _convolution_repeats(case: Case, subject: Subject) -> bool:
    """The same for what a convolution pads before it convolves; zeros take no element."""
    given = case.arguments
    amounts = padding.convolution_padding(case.shapes["weight"][2:], given["padding"], given["dilation"])
    return given["padding_mode"] != "zeros" and _repeats(amounts, given["padding_mode"], case.shapes["input"])


def _windows_meet(case: Case, subject: Subject) -> bool:
    """Whether more than two windows hold some element."""
    window = {name: value for name, value in case.arguments.items() if name != "output_size"}
    plane = (1, *(case.arguments.get("output_size") or case.shapes["input"][-2:]))
    held = unfolding.fold(np.ones(unfolding.unfold(np.ones(plane), **window).shape), plane[1:], **window)
    return bool((held > 2).any())


SUMMED = "an element's {} is summed in the 16-bit storage, every partial sum rounded"
WHY = OPMATH + "average pooling's forward pass does so"


def _padding(name: str, mode: str) -> Divergence:
    return Divergence(
        id=f"{name.replace('_', '-')}-gradient-summed-in-storage",
        severity="lossy accumulation",
        operators=(name,),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=partial(_padding_repeats, mode),
        what=SUMMED.format("gradient, from each place that took it,"),
        why=WHY,
        upstream=None,
        operator=name,
        example=Case({"input": (1, 8, 7, 6)}, {"padding": (5, 5, 6, 6)}, "normal"),
    )


WINDOW: dict[str, Any] = {"kernel_size": (3, 3), "dilation": (1, 1), "padding": (1, 1), "stride": (1, 1)}

ENTRIES: tuple[Divergence, ...] = (
    _padding("reflection_pad", "reflect"),
    _padding("replication_pad", "replicate"),
    _padding("circular_pad", "circular"),
    Divergence(
        id="padded-convolution-gradient-summed-in-storage",
        severity="lossy accumulation",
        operators=("conv1d_padded", "conv2d_padded", "conv3d_padded"),
        laws=(*OF_GRADIENTS, "gradients of gradients"),
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_convolution_repeats,
        what=SUMMED.format("gradient, from each place of the padded input that took it,"),
        why=WHY,
        upstream=None,
        operator="conv2d_padded",
        example=Case(
            {"input": (2, 3, 6, 6), "weight": (3, 3, 3, 3)},
            {"stride": (2, 2), "padding": (4, 4), "dilation": (1, 1), "groups": 1, "padding_mode": "reflect"},
            "wide",
            20269,
        ),
    ),
    Divergence(
        id="unfold-gradient-summed-in-storage",
        severity="lossy accumulation",
        operators=("unfold",),
        laws=OF_GRADIENTS,
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_windows_meet,
        what=SUMMED.format("gradient, from each window that holds it,"),
        why=WHY,
        upstream=None,
        operator="unfold",
        example=Case({"input": (1, 3, 8, 9)}, WINDOW, "normal"),
    ),
    Divergence(
        id="fold-summed-in-storage",
        severity="lossy accumulation",
        operators=("fold",),
        laws=(),
        devices=("cpu",),
        dtypes=SIXTEEN_BITS,
        holds=_windows_meet,
        what=SUMMED.format("value, from each window that holds it,"),
        why=WHY,
        upstream=None,
        operator="fold",
        example=Case({"input": (1, 18, 72)}, {"output_size": (8, 9), **WINDOW}, "normal"),
    ),
)

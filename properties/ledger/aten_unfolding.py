"""ATen's unfold and fold."""

from __future__ import annotations

from typing import Any

import numpy as np

from properties.cases.case import Case
from properties.ledger.record import OF_GRADIENTS
from properties.ledger.sums import OPMATH, lossy
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
    window = {name: value for name, value in case.arguments.items() if name != "output_size"}
    image = (1, *(case.arguments.get("output_size") or case.shapes["input"][-2:]))
    held = unfolding.fold(np.ones(unfolding.unfold(np.ones(image), **window).shape), image[1:], **window)
    return bool((held > 2).any())

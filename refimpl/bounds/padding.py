"""Padding with its errors: elements are moved, and only where several meet, in a gradient, are they added.

Where m elements meet, their sum has m − 1 additions: ``γ_{m−1}·scatter(|g|)``. So an element that is alone, or that
meets none, has no error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refimpl import padding as paddings
from refimpl.bounds.common import summed
from refimpl.rounding import Computed, round_to


def pad(x: Computed, padding: Sequence[int], mode: str = "constant", value: float = 0.0) -> Computed:
    """:func:`refimpl.padding.pad` moves elements; a constant that is no number of the storage is rounded to it."""
    rounding = abs(float(round_to(np.asarray(value), x.format.storage)) - value)
    padded = paddings.pad(x.value, padding, mode, value)
    if x.error is None and not rounding:
        return Computed(padded, x.format)
    return Computed(padded, x.format, paddings.pad(x.off, padding, mode, rounding))


def pad_gradients(
    cotangent: Computed, x: Computed, padding: Sequence[int], mode: str = "constant", value: float = 0.0
) -> tuple[Computed, ...]:
    """Gradient of padding: m is how often an element was taken."""
    return (summed(cotangent, lambda g: paddings.pad_gradient(g, x.shape, padding, mode)),)

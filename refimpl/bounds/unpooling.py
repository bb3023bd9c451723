"""Max unpooling with its errors, of which there are none: elements are moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from refimpl import unpooling
from refimpl.arrays import Array
from refimpl.rounding import Computed


def max_unpool(x: Computed, indices: Array, kernel_size: Sequence[int], **arguments: Any) -> Computed:
    """:func:`refimpl.unpooling.max_unpool` moves elements and computes nothing."""
    return x.map(lambda a: unpooling.max_unpool(a, indices, kernel_size, **arguments))


def max_unpool_gradients(
    cotangent: Computed, x: Computed, indices: Array, kernel_size: Sequence[int], **arguments: Any
) -> tuple[Computed, ...]:
    """Gradient of max unpooling, which moves elements and computes nothing."""
    return (cotangent.map(lambda g: unpooling.max_unpool_gradient(g, indices, kernel_size, **arguments)),)

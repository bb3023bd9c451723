"""Fractional max pooling with its errors."""

from __future__ import annotations

from typing import Any

from refimpl import fractional_pooling
from refimpl.arrays import Array
from refimpl.bounds.pooling import known, to_indices
from refimpl.rounding import Computed


def fractional_max_pool(x: Computed, **arguments: Any) -> tuple[Computed, Array]:
    """:func:`refimpl.fractional_pooling.fractional_max_pool`: exact like max pooling, where the starts are certain."""
    values, indices = fractional_pooling.fractional_max_pool(known(x), **arguments)
    return Computed(values, x.format), indices


def fractional_max_pool_gradients(cotangent: Computed, x: Computed, **arguments: Any) -> tuple[Computed, ...]:
    """Gradient of fractional max pooling: m, the windows whose largest element this is, make m − 1 additions."""
    indices = fractional_pooling.fractional_max_pool(x.value, **arguments)[1]
    return (to_indices(cotangent, indices, x.shape, len(arguments["kernel_size"])),)

"""Unfold and fold with their errors: elements are moved, and only where several meet are they added.

Where m elements meet, their sum has m − 1 additions (:func:`refimpl.bounds.common.summed`).
"""

from __future__ import annotations

from typing import Any

from refimpl import unfolding
from refimpl.bounds.common import summed
from refimpl.rounding import Computed


def unfold(x: Computed, **arguments: Any) -> Computed:
    """:func:`refimpl.unfolding.unfold` moves elements and computes nothing."""
    return x.map(lambda a: unfolding.unfold(a, **arguments))


def unfold_gradients(cotangent: Computed, x: Computed, **arguments: Any) -> tuple[Computed, ...]:
    """Gradient of unfold, a fold: m is the windows that hold an element."""
    return (summed(cotangent, lambda g: unfolding.unfold_gradient(g, x.shape, **arguments)),)


def fold(x: Computed, **arguments: Any) -> Computed:
    """:func:`refimpl.unfolding.fold`: m is the windows that hold an element."""
    return summed(x, lambda a: unfolding.fold(a, **arguments))


def fold_gradients(cotangent: Computed, x: Computed, **arguments: Any) -> tuple[Computed, ...]:
    """Gradient of fold, an unfold, which moves elements and computes nothing."""
    return (cotangent.map(lambda g: unfolding.fold_gradient(g, **arguments)),)

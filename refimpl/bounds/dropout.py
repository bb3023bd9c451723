"""Dropout with its errors, for a mask that is known: 1 for what is kept.

A mask may be divided by ``1 − p``, which is rounded to the storage then, before it meets the input: two roundings of
each kept element. Alpha dropout's a and b, and what they are products of, may be rounded to the storage as well, and
so may each of its results be: four roundings of ``|a·x|`` and six of ``|a·α|``, which no part of b exceeds.
"""

from __future__ import annotations

import numpy as np

from refimpl import dropout as loops
from refimpl.arrays import Array
from refimpl.rounding import Computed, gamma


def dropout(x: Computed, kept: Array, p: float) -> Computed:
    """:func:`refimpl.dropout.dropout`."""
    return _scaled(x, kept, p, loops.dropout(x.value, kept, p), alpha=False)


def dropout_gradients(cotangent: Computed, x: Computed, kept: Array, p: float) -> tuple[Computed, ...]:
    """Gradient of dropout: dropout of the cotangent, by the same mask."""
    return (dropout(cotangent, kept, p),)


def alpha_dropout(x: Computed, kept: Array, p: float) -> Computed:
    """:func:`refimpl.dropout.alpha_dropout`."""
    return _scaled(x, kept, p, loops.alpha_dropout(x.value, kept, p), alpha=True)


def alpha_dropout_gradients(cotangent: Computed, x: Computed, kept: Array, p: float) -> tuple[Computed, ...]:
    """Gradient of alpha dropout: ``a·m`` of the cotangent, by the same mask, and nothing of α and b."""
    scale, *_ = loops.scales(p, alpha=True)
    value = np.where(kept != 0, cotangent.value * scale, 0.0)
    return (_scaled(cotangent, kept, p, value, alpha=True, shifted=False),)


def _scaled(x: Computed, kept: Array, p: float, value: Array, alpha: bool, shifted: bool = True) -> Computed:
    """Kept elements times their scale, and what is added, with the errors of both."""
    if p in (0.0, 1.0):  # nothing is scaled, or nothing is kept
        return Computed(value, x.format, None if x.error is None else x.error * (1.0 - p))
    scale, *_ = loops.scales(p, alpha)
    size = np.where(kept != 0, x.reach * scale, 0.0)
    constants = abs(scale * loops.SATURATED) if alpha and shifted else 0.0
    terms = gamma(4 if alpha else 2, x.format.storage) * size + gamma(6, x.format.storage) * constants
    off = np.where(kept != 0, x.off * scale, 0.0) + terms + np.where(size > 0.0, x.format.storage.underflow, 0.0)
    return Computed(value, x.format, off)

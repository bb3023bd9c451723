"""Xavier (Glorot) initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from refimpl.arrays import Array


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Inputs and outputs of one unit: ``fan_in = shape[1]·receptive``, ``fan_out = shape[0]·receptive``.

    shape: (out, in) of a linear layer or (C_out, C_in, *kernel), where receptive is the kernel's element count.
    Source: torch.nn.init, ``_calculate_fan_in_and_fan_out``.

    >>> fans((120, 400)), fans((6, 1, 5, 5))
    ((400, 120), (25, 150))
    """
    if len(shape) < 2:
        raise ValueError(f"a weight of shape {tuple(shape)} has no fan in and fan out: it needs two axes or more")
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def xavier_bound(shape: Sequence[int], gain: float = 1.0) -> float:
    """``r = gain·√(6 / (fan_in + fan_out))`` of Xavier uniform initialisation, U(−r, r) (S19).

    Source: torch.nn.init.xavier_uniform_.

    >>> xavier_bound((3, 3)), xavier_bound((3, 3), gain=2.0)
    (1.0, 2.0)
    """
    return gain * math.sqrt(6.0 / sum(fans(shape)))


def xavier_std(shape: Sequence[int], gain: float = 1.0) -> float:
    """``σ = gain·√(2 / (fan_in + fan_out))`` of Xavier normal initialisation, N(0, σ²): as uniform, ``σ = r/√3``.

    Source: torch.nn.init.xavier_normal_.

    >>> xavier_std((1, 1)), xavier_std((1, 1), gain=2.0)
    (1.0, 2.0)
    """
    return gain * math.sqrt(2.0 / sum(fans(shape)))


def xavier_uniform(shape: Sequence[int], generator: np.random.Generator, gain: float = 1.0) -> Array:
    """Draw a weight of ``shape`` from U(−r, r), r of :func:`xavier_bound`."""
    bound = xavier_bound(shape, gain)
    return generator.uniform(-bound, bound, size=tuple(shape))

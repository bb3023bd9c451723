"""Maxima over windows that are given by their first element and the one after their last, axis by axis."""

from __future__ import annotations

import numpy as np
from numba import njit

from refimpl.arrays import Array


def spans(starts_and_stops: list[tuple[int, int]], planes: int = 1) -> Array:
    """The windows of one axis for so many planes: (planes, outputs, 2), int64."""
    return np.tile(np.array(starts_and_stops, dtype=np.int64).reshape(1, -1, 2), (planes, 1, 1))


@njit(cache=True)
def largest(values, indices, x, depth, rows, columns):  # type: ignore[no-untyped-def]
    """Largest element of each window of x and its flat index in the plane.

    x: (planes, D, H, W); depth, rows, columns: the windows of each axis as :func:`spans` gives them; values, indices:
    (planes, *outputs). A NaN is larger than anything before it; among equals the first in row-major order wins.
    """
    for n, p, i, j in np.ndindex(values.shape):
        best, index = -np.inf, -1
        for z in range(depth[n, p, 0], depth[n, p, 1]):
            for u in range(rows[n, i, 0], rows[n, i, 1]):
                for v in range(columns[n, j, 0], columns[n, j, 1]):
                    value = x[n, z, u, v]
                    if index < 0 or value > best or np.isnan(value):
                        best = value
                        index = (z * x.shape[2] + u) * x.shape[3] + v
        values[n, p, i, j] = best
        indices[n, p, i, j] = index

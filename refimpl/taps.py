"""The three loops over the taps of a sliding bank of kernels: gather, and the two scatters that are its adjoints.

Every array has five axes and every argument three values (:mod:`refimpl.arrays` lifts them). Axes: ``n`` batch,
``c`` input channel, ``o`` output channel, output position ``(p, i, j)``, kernel offset ``(d, a, b)``. Along an axis
with stride s, padding q before it and dilation e, position p and offset d meet at element ``z = p·s − q + d·e``; a tap
outside the input is skipped, which is what a zero there would contribute. How many positions there are is up to the
caller: the arrays say it.

``groups`` splits the channels: output channel ``o`` sees only the ``C_in/groups`` input channels of its own group,
which start at ``c₀ = (o // (C_out/groups)) · (C_in/groups)``.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def slide(y, x, weight, bias, groups, stride, padding, dilation, mirror):  # type: ignore[no-untyped-def]
    """Gather: ``y[n,o,p,i,j] = bias[o] + Σ_{c,d,a,b} weight[o,c,d,a,b] · x[n, c₀+c, p·s−q+d·e, …]``.

    ``mirror`` lets the kernel run against the input: ``D−1−d`` in place of d, and so for a and b.
    """
    _, channels, depths, rows, columns = weight.shape
    for n, o in np.ndindex(y.shape[0], y.shape[1]):
        first = o // (y.shape[1] // groups) * channels
        for p, i, j in np.ndindex(y.shape[2], y.shape[3], y.shape[4]):
            total = bias[o]
            for c in range(channels):
                for d in range(depths):
                    z = p * stride[0] - padding[0] + (depths - 1 - d if mirror else d) * dilation[0]
                    if not 0 <= z < x.shape[2]:
                        continue
                    for a in range(rows):
                        u = i * stride[1] - padding[1] + (rows - 1 - a if mirror else a) * dilation[1]
                        if not 0 <= u < x.shape[3]:
                            continue
                        for b in range(columns):
                            v = j * stride[2] - padding[2] + (columns - 1 - b if mirror else b) * dilation[2]
                            if 0 <= v < x.shape[4]:
                                total += weight[o, c, d, a, b] * x[n, first + c, z, u, v]
            y[n, o, p, i, j] = total


@njit(cache=True)
def scatter_to_input(gradient, g, weight, groups, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """Adjoint of :func:`slide` for x: each tap adds ``weight[o,c,d,a,b] · g[n,o,p,i,j]`` to where it would gather."""
    _, channels, depths, rows, columns = weight.shape
    for n, o in np.ndindex(g.shape[0], g.shape[1]):
        first = o // (g.shape[1] // groups) * channels
        for p, i, j in np.ndindex(g.shape[2], g.shape[3], g.shape[4]):
            for c in range(channels):
                for d in range(depths):
                    z = p * stride[0] - padding[0] + d * dilation[0]
                    if not 0 <= z < gradient.shape[2]:
                        continue
                    for a in range(rows):
                        u = i * stride[1] - padding[1] + a * dilation[1]
                        if not 0 <= u < gradient.shape[3]:
                            continue
                        for b in range(columns):
                            v = j * stride[2] - padding[2] + b * dilation[2]
                            if 0 <= v < gradient.shape[4]:
                                gradient[n, first + c, z, u, v] += weight[o, c, d, a, b] * g[n, o, p, i, j]


@njit(cache=True)
def scatter_to_weight(gradient, g, x, groups, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """Adjoint of :func:`slide` for weight: each tap adds ``g[n,o,p,i,j] · x[n, c₀+c, …]``, what it would gather."""
    _, channels, depths, rows, columns = gradient.shape
    for n, o in np.ndindex(g.shape[0], g.shape[1]):
        first = o // (g.shape[1] // groups) * channels
        for p, i, j in np.ndindex(g.shape[2], g.shape[3], g.shape[4]):
            for c in range(channels):
                for d in range(depths):
                    z = p * stride[0] - padding[0] + d * dilation[0]
                    if not 0 <= z < x.shape[2]:
                        continue
                    for a in range(rows):
                        u = i * stride[1] - padding[1] + a * dilation[1]
                        if not 0 <= u < x.shape[3]:
                            continue
                        for b in range(columns):
                            v = j * stride[2] - padding[2] + b * dilation[2]
                            if 0 <= v < x.shape[4]:
                                gradient[o, c, d, a, b] += g[n, o, p, i, j] * x[n, first + c, z, u, v]

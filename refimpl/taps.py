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
def meeting(positions, size, stride, shift):  # type: ignore[no-untyped-def]
    """Which of so many positions p meet one of ``size`` elements, where ``0 ≤ p·stride + shift < size``.

    >>> meeting.py_func(5, 4, 2, -1), meeting.py_func(5, 4, 1, 2)
    (range(1, 3), range(0, 2))
    """
    return range(max(0, -(shift // stride)), min(positions, (size - 1 - shift) // stride + 1))


@njit(cache=True)
def slide(y, x, weight, bias, groups, stride, padding, dilation, mirror):  # type: ignore[no-untyped-def]
    """Gather: ``y[n,o,p,i,j] = bias[o] + Σ_{c,d,a,b} weight[o,c,d,a,b] · x[n, c₀+c, p·s−q+d·e, …]``.

    ``mirror`` lets the kernel run against the input: ``D−1−d`` in place of d, and so for a and b.
    """
    _, _, positions, rows, columns = y.shape
    _, channels, depth, height, width = weight.shape
    for n, o in np.ndindex(y.shape[0], y.shape[1]):
        first = o // (y.shape[1] // groups) * channels
        y[n, o] = bias[o]
        for c, d, a, b in np.ndindex(weight.shape[1:]):
            tap = weight[o, c, d, a, b]
            z = (depth - 1 - d if mirror else d) * dilation[0] - padding[0]
            u = (height - 1 - a if mirror else a) * dilation[1] - padding[1]
            v = (width - 1 - b if mirror else b) * dilation[2] - padding[2]
            for p in meeting(positions, x.shape[2], stride[0], z):
                for i in meeting(rows, x.shape[3], stride[1], u):
                    for j in meeting(columns, x.shape[4], stride[2], v):
                        at = p * stride[0] + z, i * stride[1] + u, j * stride[2] + v
                        y[n, o, p, i, j] += tap * x[n, first + c, at[0], at[1], at[2]]


@njit(cache=True)
def scatter_to_input(gradient, g, weight, groups, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """Adjoint of :func:`slide` for x: each tap adds ``weight[o,c,d,a,b] · g[n,o,p,i,j]`` to where it would gather."""
    x, channels = gradient, weight.shape[1]
    for n, o in np.ndindex(g.shape[0], g.shape[1]):
        first = o // (g.shape[1] // groups) * channels
        for c, d, a, b in np.ndindex(weight.shape[1:]):
            tap = weight[o, c, d, a, b]
            z, u, v = d * dilation[0] - padding[0], a * dilation[1] - padding[1], b * dilation[2] - padding[2]
            for p in meeting(g.shape[2], x.shape[2], stride[0], z):
                for i in meeting(g.shape[3], x.shape[3], stride[1], u):
                    for j in meeting(g.shape[4], x.shape[4], stride[2], v):
                        at = p * stride[0] + z, i * stride[1] + u, j * stride[2] + v
                        x[n, first + c, at[0], at[1], at[2]] += tap * g[n, o, p, i, j]


@njit(cache=True)
def scatter_to_weight(gradient, g, x, groups, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """Adjoint of :func:`slide` for weight: each tap adds ``g[n,o,p,i,j] · x[n, c₀+c, …]``, what it would gather."""
    channels = gradient.shape[1]
    for n, o in np.ndindex(g.shape[0], g.shape[1]):
        first = o // (g.shape[1] // groups) * channels
        for c, d, a, b in np.ndindex(gradient.shape[1:]):
            z, u, v = d * dilation[0] - padding[0], a * dilation[1] - padding[1], b * dilation[2] - padding[2]
            total = 0.0
            for p in meeting(g.shape[2], x.shape[2], stride[0], z):
                for i in meeting(g.shape[3], x.shape[3], stride[1], u):
                    for j in meeting(g.shape[4], x.shape[4], stride[2], v):
                        at = p * stride[0] + z, i * stride[1] + u, j * stride[2] + v
                        total += g[n, o, p, i, j] * x[n, first + c, at[0], at[1], at[2]]
            gradient[o, c, d, a, b] += total

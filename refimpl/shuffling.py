"""Shuffles: channels become positions and back, or change places. Each is a rearrangement, and its inverse its adjoint.

Axes: ``n`` whatever leads, ``c`` channel, position ``(u, v)``, and ``r`` the factor by which both axes grow or shrink.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64


def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    """Channels become positions: ``y[n, c, u·r+i, v·r+j] = x[n, (c·r+i)·r+j, u, v]``.

    x: (*, C·r², H, W). Returns (*, C, H·r, W·r). Raises ValueError where there are fewer than three axes, or r² does
    not divide the channels. Source: torch.nn.PixelShuffle.

    >>> pixel_shuffle(np.array([1, 2, 3, 4]).reshape(4, 1, 1), 2)
    array([[[1., 2.],
            [3., 4.]]])
    """
    r, (*leading, channels, rows, columns) = upscale_factor, shuffled_shape(np.shape(x), upscale_factor)
    y = np.empty((math.prod(leading), channels, rows, columns))
    _spread(y, float64(x).reshape(len(y), channels * r * r, rows // r, columns // r), r)
    return y.reshape(*leading, channels, rows, columns)


def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """The inverse of :func:`pixel_shuffle`: ``y[n, (c·r+i)·r+j, u, v] = x[n, c, u·r+i, v·r+j]``.

    x: (*, C, H·r, W·r). Returns (*, C·r², H, W). Raises ValueError where there are fewer than three axes, or r divides
    the rows or the columns not. Source: torch.nn.PixelUnshuffle.

    >>> pixel_unshuffle(np.array([[[1, 2], [3, 4]]]), 2).ravel()
    array([1., 2., 3., 4.])
    """
    r, (*leading, channels, rows, columns) = downscale_factor, unshuffled_shape(np.shape(x), downscale_factor)
    y = np.empty((math.prod(leading), channels, rows, columns))
    _gather(y, float64(x).reshape(len(y), channels // (r * r), rows * r, columns * r), r)
    return y.reshape(*leading, channels, rows, columns)


def channel_shuffle(x: Array, groups: int) -> Array:
    """Channels of G groups are taken in turns, one of each group: ``y[n, k·G+m] = x[n, m·(C/G)+k]``.

    x: (N, C, *). Returns the same shape. Raises ValueError where G does not divide the channels, or nothing follows
    them. Its inverse has C/G groups. Source: torch.nn.ChannelShuffle.

    >>> channel_shuffle(np.arange(6).reshape(1, 6, 1), 2).ravel()
    array([0., 3., 1., 4., 2., 5.])
    """
    shape = np.shape(x)
    if len(shape) < 3 or groups < 1 or shape[1] % groups:
        raise ValueError(f"{groups} groups do not divide the channels of {shape}, which are its second axis of three")
    planes = float64(x).reshape(shape[0], shape[1], math.prod(shape[2:]))
    y = np.empty(planes.shape)
    _take_turns(y, planes, groups)
    return y.reshape(shape)


def shuffled_shape(shape: tuple[int, ...], r: int) -> tuple[int, ...]:
    """(*, C, H·r, W·r) for (*, C·r², H, W). Raises ValueError as :func:`pixel_shuffle`.

    >>> shuffled_shape((2, 12, 3, 4), 2)
    (2, 3, 6, 8)
    """
    if len(shape) < 3 or r < 1 or shape[-3] % (r * r):
        raise ValueError(f"the square of upscale_factor={r} does not divide the channels of {shape}")
    return (*shape[:-3], shape[-3] // (r * r), shape[-2] * r, shape[-1] * r)


def unshuffled_shape(shape: tuple[int, ...], r: int) -> tuple[int, ...]:
    """(*, C·r², H, W) for (*, C, H·r, W·r). Raises ValueError as :func:`pixel_unshuffle`.

    >>> unshuffled_shape((2, 3, 6, 8), 2)
    (2, 12, 3, 4)
    """
    if len(shape) < 3 or r < 1 or shape[-2] % r or shape[-1] % r:
        raise ValueError(f"downscale_factor={r} does not divide the rows and columns of {shape}")
    return (*shape[:-3], shape[-3] * r * r, shape[-2] // r, shape[-1] // r)


@njit(cache=True)
def _spread(y, x, r):  # type: ignore[no-untyped-def]
    for n, c, u, v in np.ndindex(x.shape):
        offset = c % (r * r)
        y[n, c // (r * r), u * r + offset // r, v * r + offset % r] = x[n, c, u, v]


@njit(cache=True)
def _gather(y, x, r):  # type: ignore[no-untyped-def]
    for n, c, u, v in np.ndindex(y.shape):
        offset = c % (r * r)
        y[n, c, u, v] = x[n, c // (r * r), u * r + offset // r, v * r + offset % r]


@njit(cache=True)
def _take_turns(y, x, groups):  # type: ignore[no-untyped-def]
    each = x.shape[1] // groups
    for n, c, p in np.ndindex(x.shape):
        y[n, c % each * groups + c // each, p] = x[n, c, p]

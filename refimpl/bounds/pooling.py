"""Max and average pooling with their errors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from refimpl import pooling
from refimpl.arrays import Array, Axes
from refimpl.bounds.common import summed
from refimpl.geometry import per_axis
from refimpl.rounding import Computed, rounding_of


def average_pool(x: Computed, kernel_size: Sequence[int], **arguments: Any) -> Computed:
    """:func:`refimpl.pooling.average_pool`: k terms and one division, or a product with the rounded 1/divisor.

    ``γ_{k+1}·avg(|x|)``: k − 1 additions and up to two roundings of the division, k the window's elements.
    """
    return averaged(x, lambda a: pooling.average_pool(a, kernel_size, **arguments), int(np.prod(kernel_size)) + 1)


def average_pool_gradients(
    cotangent: Computed, x: Computed, kernel_size: Sequence[int], **arguments: Any
) -> tuple[Computed, ...]:
    """Gradient of average pooling: ``γ_{m+1}·adjoint(|g|)``, m the windows that can cover an element."""
    windows = int(np.prod(_covering(kernel_size, arguments.get("stride"))))

    def spread(g: Array) -> Array:
        return pooling.average_pool_gradient(g, x.shape, kernel_size, **arguments)

    return (averaged(cotangent, spread, windows + 1),)


def max_pool(x: Computed, kernel_size: Sequence[int], **arguments: Any) -> tuple[Computed, Array]:
    """:func:`refimpl.pooling.max_pool`: comparisons do not round, so an exact x has exact maxima and indices.

    A maximum of values with errors is off by the largest of these. The indices are those of the exact maxima, then, and
    have no bound.
    """
    values, indices = pooling.max_pool(x.value, kernel_size, **arguments)
    if x.error is None:
        return Computed(values, x.format), indices
    return Computed(values, x.format, np.maximum(pooling.max_pool(x.error, kernel_size, **arguments)[0], 0.0)), indices


def max_pool_gradients(
    cotangent: Computed, x: Computed, kernel_size: Sequence[int], **arguments: Any
) -> tuple[Computed, ...]:
    """Gradient of max pooling: ``γ_m·adjoint(|g|)``, m the windows whose largest element this is.

    Where errors of x leave open which element is the largest, all of g is off at each that may be.
    """
    values, indices = pooling.max_pool(x.value, kernel_size, **arguments)

    def scatter(g: Array, indices: Array = indices) -> Array:
        return pooling.max_pool_gradient(g, indices, x.shape, len(kernel_size))

    if x.error is None:
        return (cotangent.scattered(scatter, scatter(np.ones(cotangent.shape))).stored(),)
    rivals = list(_rivals(x, values, indices, kernel_size, **arguments))
    tied = np.sum([at >= 0 for at in rivals], axis=0) > 1

    def to_each(g: Array) -> Array:
        return np.sum([scatter(g, at) for at in rivals], axis=0)

    off = scatter(np.where(tied, 0.0, cotangent.off)) + to_each(np.where(tied, cotangent.reach, 0.0))
    rounding = rounding_of(to_each(cotangent.reach), to_each(np.ones(cotangent.shape)), x.precision)
    return (Computed(scatter(cotangent.value), x.format, off + rounding).stored(),)


def _rivals(
    x: Computed,
    values: Array,
    indices: Array,
    kernel_size: Sequence[int],
    stride: Axes | None = None,
    padding: Axes = 0,
    dilation: Axes = 1,
    ceil_mode: bool = False,
) -> Iterator[Array]:
    """For each place in a window the flat index of its element, where that may be the largest, or else −1.

    Each element is off by twice its error at most, since the loops' own may be, too. Equal elements without errors are
    no rivals: the first is taken.
    """
    axes, sizes = len(kernel_size), x.shape[-len(kernel_size) :]
    steps = [per_axis(each, axes) for each in (kernel_size if stride is None else stride, padding, dilation)]
    most = 2.0 * x.off
    own = pooling.picked(most, indices, axes)
    for place in np.ndindex(*kernel_size):
        along = np.ix_(*(
            np.arange(count) * s - q + at * e
            for count, at, s, q, e in zip(values.shape[-axes:], place, *steps, strict=True)
        ))  # fmt: skip
        inside = [(z >= 0) & (z < size) for z, size in zip(along, sizes, strict=True)]
        flat = np.where(functools.reduce(np.logical_and, inside), np.ravel_multi_index(along, sizes, mode="clip"), -1)
        at = np.broadcast_to(flat, values.shape)
        reaches = pooling.picked(x.value + most, at, axes) >= values - own
        yield np.where(reaches & ((at == indices) | (pooling.picked(most, at, axes) + own > 0.0)), at, -1)


def known(x: Computed) -> Array:
    """The values of an x without errors. Raises ValueError for another, whose largest element may be any of several."""
    if x.error is not None:
        raise ValueError("the index of a maximum among values with errors has no bound")
    return x.value


def to_indices(cotangent: Computed, indices: Array, input_shape: Sequence[int], axes: int) -> Computed:
    """The cotangents of windows added at the index of each; m windows of one index make m − 1 additions."""
    return summed(cotangent, lambda g: pooling.max_pool_gradient(g, indices, input_shape, axes))


def averaged(x: Computed, average: Callable[[Array], Array], roundings: int) -> Computed:
    """An average of elements with so many roundings in it, each of which may underflow."""
    averaged = x.scattered(average, roundings)
    return Computed(averaged.value, x.format, averaged.off + x.precision.underflow * roundings).stored()


def _covering(kernel_size: Sequence[int], stride: Axes | None) -> list[int]:
    """Windows along each axis that can hold one element: ``⌈kernel / stride⌉``."""
    strides = per_axis(kernel_size if stride is None else stride, len(kernel_size))
    return [-(-k // s) for k, s in zip(kernel_size, strides, strict=True)]

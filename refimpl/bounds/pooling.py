"""Max and average pooling with their errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refimpl import pooling
from refimpl.arrays import Array, Axes
from refimpl.bounds.common import summed
from refimpl.geometry import per_axis
from refimpl.rounding import Computed


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
    """:func:`refimpl.pooling.max_pool`: comparisons do not round, so an exact x has exact maxima and indices."""
    values, indices = pooling.max_pool(known(x), kernel_size, **arguments)
    return Computed(values, x.format), indices


def max_pool_gradients(
    cotangent: Computed, x: Computed, kernel_size: Sequence[int], **arguments: Any
) -> tuple[Computed, ...]:
    """Gradient of max pooling: ``γ_m·adjoint(|g|)``, m the windows whose largest element this is."""
    indices = pooling.max_pool(x.value, kernel_size, **arguments)[1]

    def scatter(g: Array) -> Array:
        return pooling.max_pool_gradient(g, indices, x.shape, len(kernel_size))

    return (cotangent.scattered(scatter, scatter(np.ones(cotangent.shape))).stored(),)


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

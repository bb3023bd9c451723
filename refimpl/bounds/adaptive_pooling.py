"""Adaptive max and average pooling with their errors."""

from __future__ import annotations

import math

import numpy as np

from refimpl import adaptive_pooling
from refimpl.arrays import Array
from refimpl.bounds.pooling import averaged, known, to_indices
from refimpl.rounding import Computed


def adaptive_max_pool(x: Computed, output_size: adaptive_pooling.Sizes) -> tuple[Computed, Array]:
    """:func:`refimpl.adaptive_pooling.adaptive_max_pool`: exact, as max pooling is."""
    values, indices = adaptive_pooling.adaptive_max_pool(known(x), output_size)
    return Computed(values, x.format), indices


def adaptive_max_pool_gradients(
    cotangent: Computed, x: Computed, output_size: adaptive_pooling.Sizes
) -> tuple[Computed, ...]:
    """Gradient of adaptive max pooling: m, the windows whose largest element this is, make m − 1 additions."""
    indices = adaptive_pooling.adaptive_max_pool(x.value, output_size)[1]
    return (to_indices(cotangent, indices, x.shape, len(output_size)),)


def adaptive_average_pool(x: Computed, output_size: adaptive_pooling.Sizes) -> Computed:
    """:func:`refimpl.adaptive_pooling.adaptive_average_pool`: ``γ_{k−1+2a}·avg(|x|)``.

    k is the largest window, a the axes: k − 1 additions and, for each axis, a division, or a product with a rounded
    reciprocal, for some divide by the window's extents one after the other.
    """
    sizes = adaptive_pooling.output_sizes(x.shape, output_size)
    axes = len(sizes)
    if 0 in (*x.shape[-axes:], *sizes):  # nothing is computed
        return x.map(lambda a: adaptive_pooling.adaptive_average_pool(a, output_size))
    largest = math.prod(-(-size // wanted) + 1 for size, wanted in zip(x.shape[-axes:], sizes, strict=True))
    return averaged(x, lambda a: adaptive_pooling.adaptive_average_pool(a, output_size), largest - 1 + 2 * axes)


def adaptive_average_pool_gradients(
    cotangent: Computed, x: Computed, output_size: adaptive_pooling.Sizes
) -> tuple[Computed, ...]:
    """Gradient of adaptive average pooling: ``γ_{m−1+2a}·adjoint(|g|)``, m the windows that can hold an element."""
    sizes = adaptive_pooling.output_sizes(x.shape, output_size)
    axes = len(sizes)

    def spread(g: Array) -> Array:
        return adaptive_pooling.adaptive_average_pool_gradient(g, x.shape, output_size)

    if 0 in (*x.shape[-axes:], *sizes):
        return (cotangent.map(spread),)
    windows = math.prod(-(-wanted // size) + 1 for size, wanted in zip(x.shape[-axes:], sizes, strict=True))
    return (averaged(cotangent, spread, windows - 1 + 2 * axes),)


def adaptive_average_pool_second(
    cotangent: Computed, x: Computed, h: Computed, output_size: adaptive_pooling.Sizes
) -> tuple[Computed, Computed]:
    """Gradients of ``⟨h, adaptive_average_pool_gradients(g)⟩``: to g the layer of h, to x nothing.

    One mean of everything may be differentiated as a quotient and a sum, each stored: a quotient h/n is off by
    ``u·|h|/n + η``, which is that of an h off by ``u·|h| + n·η``.
    """
    zero = Computed.operand(np.zeros(x.shape), x.format)
    sizes, storage = adaptive_pooling.output_sizes(x.shape, output_size), h.format.storage
    if max(sizes) > 1 or storage is h.precision:
        return adaptive_average_pool(h, output_size), zero
    elements = math.prod(x.shape[-len(sizes) :])
    quotients = Computed(h.value, h.format, storage.unit_roundoff * np.abs(h.value) + elements * storage.underflow)
    return adaptive_average_pool(quotients, output_size), zero

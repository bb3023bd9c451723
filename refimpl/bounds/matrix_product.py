"""Products of batches of matrices, and of elements, with their errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl import matrix_product
from refimpl.arrays import Array
from refimpl.bounds.common import bilinear
from refimpl.rounding import Computed, gamma


def product(a: Computed, b: Computed) -> Computed:
    """:func:`refimpl.matrix_product.product`: n = K."""
    return bilinear(matrix_product.product, a, b, terms=np.asarray(float(a.shape[-1])))


def gradients(cotangent: Computed, a: Computed, b: Computed) -> tuple[Computed, Computed]:
    """Gradients to a (n = N) and b (n = M), times as many matrices as share one of them.

    The product of each of those may be stored before they are added up: one storing more of each, and one rounding less
    than there are matrices.
    """

    def to_first(g: Array, b: Array) -> Array:
        return matrix_product.first_gradient(g, b, a.shape)

    def to_second(a: Array, g: Array) -> Array:
        return matrix_product.second_gradient(a, g, b.shape)

    return (
        _shared(to_first, cotangent, b, matrix_product.copies(a.shape, b.shape)),
        _shared(to_second, a, cotangent, matrix_product.copies(b.shape, a.shape)),
    )


def scaled(a: Computed, b: Computed) -> Computed:
    """:func:`refimpl.matrix_product.scaled`: one rounding."""
    return (a * b).stored()


def scaled_gradients(cotangent: Computed, a: Computed, b: Computed) -> tuple[Computed, Computed]:
    """Sums of products over the elements for which one of a, or of b, stands; each product may be stored."""

    def to(shape: tuple[int, ...]) -> Callable[[Array, Array], Array]:
        return lambda g, other: matrix_product.scaled_gradient(g, other, shape)

    elements = [cotangent.value.size // max(x.value.size, 1) for x in (a, b)]
    return _shared(to(a.shape), cotangent, b, elements[0]), _shared(to(b.shape), cotangent, a, elements[1])


def _shared(product: Callable[[Array, Array], Array], x: Computed, y: Computed, matrices: int) -> Computed:
    """A sum over so many products, each of which may be stored."""
    computed, storage = bilinear(product, x, y), x.format.storage
    if matrices < 2 or storage is x.precision:
        return computed
    reach = product(x.reach, y.reach)
    off = computed.off + gamma(matrices, storage) * (reach + computed.off) + matrices * storage.underflow
    return Computed(computed.value, computed.format, off)

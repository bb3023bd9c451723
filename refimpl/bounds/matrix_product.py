"""Products of batches of matrices, and of elements, with their errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl import double_backward, matrix_product
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


def second(
    cotangent: Computed, a: Computed, b: Computed, h_a: Computed, h_b: Computed
) -> tuple[Computed, Computed, Computed]:
    """Gradients of ``⟨h, gradients(g, a, b)⟩`` to g, a and b, of products of which each may be stored.

    The gradient to a factor of a vector is an outer product, of single products: what is summed in its own gradient are
    products of these.
    """
    shapes = a.shape, b.shape

    def layer(a: Computed, b: Computed) -> Computed:
        return _each_stored(matrix_product.product, a, b, product(a, b))

    def of_layer(g: Computed, a: Computed, b: Computed) -> tuple[Computed, Computed]:
        to_a, to_b = gradients(g, a, b)
        first = _each_stored(lambda g, b: matrix_product.first_gradient(g, b, shapes[0]), g, b, to_a)
        return first, _each_stored(lambda a, g: matrix_product.second_gradient(a, g, shapes[1]), a, g, to_b)

    to_cotangent, to_first, to_second = double_backward.bilinear(layer, of_layer, cotangent, a, b, h_a, h_b)
    return to_cotangent, to_first, to_second


def _each_stored(multiplied: Callable[[Array, Array], Array], x: Computed, y: Computed, total: Computed) -> Computed:
    """A sum of products of which each is stored before they are added up.

    In float16, of 51/32 the products with 51/32 and with 111/32 are stored as 2.541015625 and 5.52734375, their sum as
    8.0625, not 8.068359375:

    >>> from refimpl.rounding import FORMATS
    >>> x, y = (Computed.operand(np.array(v) / 32.0, FORMATS["float16"]) for v in ([[51.0, 51.0]], [[51.0], [111.0]]))
    >>> bool(abs(8.0625 - 8.068359375) <= _each_stored(matrix_product.product, x, y, product(x, y)).off[0, 0])
    True
    """
    storage = x.format.storage
    if storage is x.precision:
        return total
    terms = multiplied(np.ones(x.shape), np.ones(y.shape))
    rounding = storage.unit_roundoff * (multiplied(x.reach, y.reach) + total.off) + terms * storage.underflow
    return Computed(total.value, total.format, total.off + rounding)


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

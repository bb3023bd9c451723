"""Fully connected layers with their errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from refimpl import dense
from refimpl.arrays import Array
from refimpl.bounds.common import bilinear, trilinear
from refimpl.rounding import Computed


def linear(x: Computed, weight: Computed, bias: Computed | None = None) -> Computed:
    """:func:`refimpl.dense.linear`: n = in features."""
    return bilinear(dense.linear, x, weight, bias, np.asarray(float(weight.shape[1])))


def linear_gradients(
    cotangent: Computed, x: Computed, weight: Computed, bias: Computed | None = None
) -> tuple[Computed, ...]:
    """Gradients of a linear layer to x (n = out features), weight and bias (n = rows)."""
    rows = int(np.prod(cotangent.shape[:-1]))
    gradients = (
        bilinear(dense.linear_input_gradient, cotangent, weight, terms=np.asarray(float(weight.shape[0]))),
        bilinear(dense.linear_weight_gradient, cotangent, x, terms=np.asarray(float(rows))),
    )
    if bias is None:
        return gradients
    return (*gradients, cotangent.scattered(dense.linear_bias_gradient, rows).stored())


def matmul(a: Computed, b: Computed) -> Computed:
    """:func:`refimpl.dense.matrix_product`: n = K."""
    return bilinear(dense.matrix_product, a, b)


def matmul_gradients(cotangent: Computed, a: Computed, b: Computed) -> tuple[Computed, Computed]:
    """Gradients of a product of matrices, which are products with the other one transposed."""

    def transposed(x: Computed) -> Computed:
        return x.map(lambda values: values.T)

    return matmul(cotangent, transposed(b)), matmul(transposed(a), cotangent)


def bilinear_layer(x1: Computed, x2: Computed, weight: Computed, bias: Computed | None = None) -> Computed:
    """:func:`refimpl.dense.bilinear`: n = in1 × in2."""
    computed = trilinear(dense.bilinear, x1, x2, weight, bias)
    value = dense.bilinear(x1.value, x2.value, weight.value, None if bias is None else bias.value)
    return Computed(value, computed.format, computed.error)


def bilinear_layer_gradients(
    cotangent: Computed, x1: Computed, x2: Computed, weight: Computed, bias: Computed | None = None
) -> tuple[Computed, ...]:
    """Gradients of a bilinear layer: n = out × in2 for x1, out × in1 for x2, and rows for weight and bias."""

    def to(k: int) -> Callable[[Array, Array, Array], Array]:
        def gradient(g: Array, *others: Array) -> Array:
            operands = list(others)
            operands.insert(k, np.ones((x1, x2, weight)[k].shape))
            return dense.bilinear_gradients(g, *operands)[k]

        return gradient

    gradients = (
        trilinear(to(0), cotangent, x2, weight),
        trilinear(to(1), cotangent, x1, weight),
        trilinear(to(2), cotangent, x1, x2),
    )
    if bias is None:
        return gradients
    rows = int(np.prod(cotangent.shape[:-1]))
    return (*gradients, cotangent.scattered(dense.linear_bias_gradient, rows).stored())


def flatten(x: Computed, start_dim: int = 1, end_dim: int = -1) -> Computed:
    """:func:`refimpl.dense.flatten` moves elements and computes nothing."""
    return x.map(lambda a: dense.flatten(a, start_dim, end_dim))


def flatten_gradients(cotangent: Computed, x: Computed, start_dim: int = 1, end_dim: int = -1) -> tuple[Computed, ...]:
    """The cotangent in the shape of x."""
    return (cotangent.map(lambda g: g.reshape(x.shape)),)


def unflatten(x: Computed, dim: int, unflattened_size: Sequence[int]) -> Computed:
    """:func:`refimpl.dense.unflatten` moves elements and computes nothing."""
    return x.map(lambda a: dense.unflatten(a, dim, unflattened_size))


def unflatten_gradients(
    cotangent: Computed, x: Computed, dim: int, unflattened_size: Sequence[int]
) -> tuple[Computed, ...]:
    """The cotangent in the shape of x."""
    return (cotangent.map(lambda g: g.reshape(x.shape)),)

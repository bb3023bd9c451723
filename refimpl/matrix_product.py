"""Products of batches of matrices, of matrices with vectors, and element by element, with their gradients.

``y[n,i,j] = Σ_k a[n,i,k]·b[n,k,j]``; with the cotangent g, ``∂a[n,i,k] = Σ_j g[n,i,j]·b[n,k,j]`` and
``∂b[n,k,j] = Σ_i a[n,i,k]·g[n,i,j]``, added up over the batch where an operand is shared by it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64

Shape = tuple[int, ...]


def output_shape(a: Shape, b: Shape) -> Shape:
    """The shape of the product of operands of these shapes. Raises ValueError where they do not fit.

    >>> output_shape((5, 1, 2, 3), (4, 3, 6)), output_shape((3,), (4, 3, 6)), output_shape((2, 3), (3,))
    ((5, 4, 2, 6), (4, 6), (2,))
    """
    if a[-1] != (b[-2] if len(b) > 1 else b[0]):
        raise ValueError(f"the inner sizes of {a} and {b} differ")
    batch = np.broadcast_shapes(a[:-2], b[:-2])
    return (*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def product(a: Array, b: Array) -> Array:
    """The product of the last two axes, the others broadcast; a vector is a row on the left, a column on the right.

    a: (*, M, K) or (K,); b: (*, K, N) or (K,). Returns (*, M, N), without M or N where that operand is a vector.
    Source: torch.matmul, of which torch.bmm and torch.mv are cases.

    >>> product(np.array([[[1, 2]], [[3, 4]]]), np.array([[5], [6]]))
    array([[[17.]],
    <BLANKLINE>
           [[39.]]])
    """
    shape = output_shape(np.shape(a), np.shape(b))
    left, right = _matrices(a, b)
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left, right = (_in_batch(matrix, batch) for matrix in (left, right))
    y = np.zeros((len(left), left.shape[1], right.shape[2]))
    _product(y, left, right)
    return y.reshape(shape)


def first_gradient(g: Array, b: Array, a_shape: Shape) -> Array:
    """``∂a[n,i,k] = Σ_j g[n,i,j]·b[n,k,j]``. g: the output's cotangent; a_shape: that of a.

    >>> first_gradient(np.array([[1.0]]), np.array([[5.0], [6.0]]), (1, 2))
    array([[5., 6.]])
    """
    left, right = _matrices(np.empty(a_shape), b)
    return _gathered(product(_unfolded(g, left, right), np.swapaxes(right, -1, -2)), left.shape).reshape(a_shape)


def second_gradient(a: Array, g: Array, b_shape: Shape) -> Array:
    """``∂b[n,k,j] = Σ_i a[n,i,k]·g[n,i,j]``. b_shape: that of b.

    >>> second_gradient(np.array([[1.0, 2.0]]), np.array([[3.0]]), (2, 1))
    array([[3.],
           [6.]])
    """
    left, right = _matrices(a, np.empty(b_shape))
    return _gathered(product(np.swapaxes(left, -1, -2), _unfolded(g, left, right)), right.shape).reshape(b_shape)


def gradients(g: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Both."""
    return first_gradient(g, b, np.shape(a)), second_gradient(a, g, np.shape(b))


def scaled(a: Array, b: Array) -> Array:
    """``y = a·b``, element by element, both broadcast. Source: torch.mul.

    >>> scaled(np.array([[2.0], [3.0]]), np.array([[1.0, 4.0]]))
    array([[ 2.,  8.],
           [ 3., 12.]])
    """
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    y = np.empty(shape)
    _scaled(y.reshape(-1), *(float64(np.broadcast_to(x, shape)).reshape(-1) for x in (a, b)))
    return y


def scaled_gradient(g: Array, other: Array, shape: Shape) -> Array:
    """``∂a = Σ g·b`` over the elements for which an element of a stands. shape: that of a; other: b.

    >>> scaled_gradient(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), (1, 1))
    array([[11.]])
    """
    return _gathered(scaled(g, other), shape)


def copies(shape: Shape, other: Shape) -> int:
    """How many matrices of a batch share one of an operand of this shape, beside another's."""
    batch = np.broadcast_shapes(shape[:-2], other[:-2])
    return math.prod(batch) // max(math.prod(shape[:-2]), 1)


def _matrices(a: Array, b: Array) -> tuple[Array, Array]:
    """Both operands with two axes at least."""
    left, right = float64(a), float64(b)
    return left[None] if left.ndim == 1 else left, right[:, None] if right.ndim == 1 else right


def _in_batch(matrices: Array, batch: Shape) -> Array:
    """The matrices of a batch along one axis."""
    whole = np.broadcast_to(matrices, (*batch, *matrices.shape[-2:]))
    return np.ascontiguousarray(whole).reshape(math.prod(batch), *matrices.shape[-2:])


def _unfolded(g: Array, left: Array, right: Array) -> Array:
    """The cotangent with the axes that vectors leave out."""
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    return float64(g).reshape(*batch, left.shape[-2], right.shape[-1])


def _gathered(gradient: Array, shape: Shape) -> Array:
    """The sum over the axes along which an operand of this shape was broadcast."""
    more = gradient.ndim - len(shape)
    axes = [axis + more for axis, size in enumerate(shape) if size == 1 < gradient.shape[axis + more]]
    return np.asarray(gradient.sum((*range(more), *axes))).reshape(shape)


@njit(cache=True)
def _scaled(y, a, b):  # type: ignore[no-untyped-def]
    for i in range(y.shape[0]):
        y[i] = a[i] * b[i]


@njit(cache=True)
def _product(y, a, b):  # type: ignore[no-untyped-def]
    for n, i, j in np.ndindex(y.shape):
        total = 0.0
        for k in range(a.shape[2]):
            total += a[n, i, k] * b[n, k, j]
        y[n, i, j] = total

"""Fully connected layers, from the image layer that convolution starts from to torch.nn.Linear."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64, matching


def image_layer(x: Array, weight: Array, bias: Array) -> Array:
    """Fully connected layer from image to image (S1): ``H[i,j] = U[i,j] + Σ_{k,l} W[i,j,k,l] · x[k,l]``.

    x: (K, L); weight W: (I, J, K, L); bias U: (I, J). Returns (I, J).

    >>> image_layer(np.array([[1, 2]]), np.array([[[[3, 4]]]]), np.array([[5]]))
    array([[16.]])
    """
    _check_image_layer(np.shape(x), np.shape(weight), np.shape(bias))
    y = np.empty(np.shape(bias))
    _image_layer(y, float64(x), float64(weight), float64(bias))
    return y


def image_layer_by_offset(x: Array, weight: Array, bias: Array) -> Array:
    """The same layer with re-indexed weight (S1): ``H[i,j] = U[i,j] + Σ_{a,b} V[i,j,a,b] · x[i+a, j+b]``.

    ``V[i,j,a,b] = W[i,j,i+a,j+b]``, so a and b run over all offsets that stay in the image, negative ones too.
    x: (K, L); weight: W as for :func:`image_layer`, (I, J, K, L); bias U: (I, J). Returns (I, J).
    """
    _check_image_layer(np.shape(x), np.shape(weight), np.shape(bias))
    y = np.empty(np.shape(bias))
    _image_layer_by_offset(y, float64(x), float64(weight), float64(bias))
    return y


def toeplitz(kernel: Array, image: tuple[int, int]) -> Array:
    """Weight W of the image layer that computes ``corr2d(x, kernel)`` (S1): doubly blocked Toeplitz.

    ``W[i,j,i+a,j+b] = kernel[a,b]``, zero elsewhere: the same weights at every position (translation
    invariance), zero outside a window (locality). kernel: (A, B); image: (K, L).
    Returns (K−A+1, L−B+1, K, L).

    >>> toeplitz(np.array([[1, -1]]), (1, 3))[0, :, 0]
    array([[ 1., -1.,  0.],
           [ 0.,  1., -1.]])
    """
    rows, columns = np.shape(kernel)
    weight = np.zeros((image[0] - rows + 1, image[1] - columns + 1, *image))
    for i, j in np.ndindex(weight.shape[:2]):
        for a, b in np.ndindex(rows, columns):
            weight[i, j, i + a, j + b] = kernel[a, b]
    return weight


def matrix_product(a: Array, b: Array) -> Array:
    """``y[m,n] = Σ_k a[m,k] · b[k,n]``. a: (M, K); b: (K, N). Returns (M, N).

    >>> matrix_product(np.array([[1, 2], [3, 4]]), np.array([[5], [6]]))
    array([[17.],
           [39.]])
    """
    return linear(a, np.transpose(b))


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Affine map of the last axis (S18): ``y[…,o] = bias[o] + Σ_i weight[o,i] · x[…,i]``.

    x: (*, in); weight: (out, in); bias: (out,). Returns (*, out). Raises ValueError where ``in`` differs.
    Source: torch.nn.functional.linear.

    >>> linear(np.array([1, 2]), np.array([[3, 4], [5, 6]]), np.array([10, 20]))
    array([21., 37.])
    """
    if np.shape(x)[-1] != np.shape(weight)[1]:
        raise ValueError(f"x has {np.shape(x)[-1]} features, but weight takes {np.shape(weight)[1]}")
    rows = _rows(x)
    offset = np.zeros(np.shape(weight)[0]) if bias is None else float64(bias)
    _check_bias(offset, np.shape(weight)[0])
    y = np.empty((rows.shape[0], offset.shape[0]))
    _linear(y, rows, float64(weight), offset)
    return y.reshape(*np.shape(x)[:-1], offset.shape[0])


def linear_input_gradient(cotangent: Array, weight: Array) -> Array:
    """``∂x[…,i] = Σ_o cotangent[…,o] · weight[o,i]``. cotangent: (*, out); weight: (out, in). Returns (*, in)."""
    return linear(cotangent, np.transpose(weight))


def linear_weight_gradient(cotangent: Array, x: Array) -> Array:
    """``∂weight[o,i] = Σ_n cotangent[n,o] · x[n,i]`` over all leading axes n. Returns (out, in)."""
    return linear(np.transpose(_rows(cotangent)), np.transpose(_rows(x)))


def linear_bias_gradient(cotangent: Array) -> Array:
    """``∂bias[o] = Σ_n cotangent[n,o]`` over all leading axes n. cotangent: (*, out). Returns (out,)."""
    rows = _rows(cotangent)
    return linear(np.ones(rows.shape[0]), np.transpose(rows))


def bilinear(x1: Array, x2: Array, weight: Array, bias: Array | None = None) -> Array:
    """A form of two inputs: ``y[…,o] = bias[o] + Σ_{i,j} weight[o,i,j] · x1[…,i] · x2[…,j]``.

    x1: (*, in1); x2: (*, in2); weight: (out, in1, in2); bias: (out,). Returns (*, out). Raises ValueError where the
    shapes do not fit. Source: torch.nn.Bilinear.

    >>> bilinear(np.array([1, 2]), np.array([10, 1]), np.array([[[1, 0], [0, 1]]]), np.array([5]))   # 5 + 10 + 2
    array([17.])
    """
    _check_bilinear(x1, x2, weight)
    offset = np.zeros(np.shape(weight)[0]) if bias is None else float64(bias)
    _check_bias(offset, np.shape(weight)[0])
    rows = _rows(x1), _rows(x2)
    y = np.empty((len(rows[0]), len(offset)))
    _bilinear(y, *rows, float64(weight), offset)
    return y.reshape(*np.shape(x1)[:-1], len(offset))


def bilinear_gradients(
    cotangent: Array, x1: Array, x2: Array, weight: Array, bias: Array | None = None
) -> tuple[Array, ...]:
    """Gradients of ``⟨g, bilinear(x1, x2, weight, bias)⟩`` to x1, x2, weight and, where there is one, bias.

    ``∂x1[n,i] = Σ_{o,j} g[n,o]·weight[o,i,j]·x2[n,j]``, ``∂x2[n,j] = Σ_{o,i} g[n,o]·weight[o,i,j]·x1[n,i]``,
    ``∂weight[o,i,j] = Σ_n g[n,o]·x1[n,i]·x2[n,j]``, ``∂bias[o] = Σ_n g[n,o]`` over all leading axes n.

    >>> bilinear_gradients(np.array([1.0]), np.array([1.0, 2]), np.array([10.0, 1]), np.array([[[1.0, 0], [0, 3]]]))
    (array([10.,  3.]), array([1., 6.]), array([[[10.,  1.],
            [20.,  2.]]]))
    """
    _check_bilinear(x1, x2, weight)
    g = _rows(matching(cotangent, (*np.shape(x1)[:-1], np.shape(weight)[0])))
    rows1, rows2 = _rows(x1), _rows(x2)
    gradients = np.zeros(rows1.shape), np.zeros(rows2.shape), np.zeros(np.shape(weight))
    _bilinear_gradients(*gradients, g, rows1, rows2, float64(weight))
    shaped = tuple(v.reshape(np.shape(x)) for v, x in zip(gradients, (x1, x2, weight), strict=True))
    return shaped if bias is None else (*shaped, linear_bias_gradient(cotangent))


def flatten(x: Array, start_dim: int = 1, end_dim: int = -1) -> Array:
    """Merge the axes from ``start_dim`` to ``end_dim``, row-major (S18). Source: torch.nn.Flatten.

    >>> flatten(np.zeros((2, 3, 4, 5))).shape, flatten(np.zeros((2, 3, 4, 5)), 0, 1).shape
    ((2, 60), (6, 4, 5))
    """
    shape = np.shape(x)
    first, last = start_dim % len(shape), end_dim % len(shape)
    return np.asarray(x).reshape(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


def unflatten(x: Array, dim: int, unflattened_size: Sequence[int]) -> Array:
    """Split the axis ``dim`` into axes of these sizes, row-major; one of them may be −1, for what is left.

    Raises ValueError where their product is not the axis. Source: torch.nn.Unflatten.

    >>> unflatten(np.zeros((2, 12, 3)), 1, (3, -1)).shape
    (2, 3, 4, 3)
    """
    shape = np.shape(x)
    axis = dim % len(shape)
    known = math.prod(size for size in unflattened_size if size >= 0)
    sizes = tuple(shape[axis] // max(known, 1) if size < 0 else size for size in unflattened_size)
    if math.prod(sizes) != shape[axis]:
        raise ValueError(f"unflattened_size={tuple(unflattened_size)} does not make up the {shape[axis]} elements")
    return np.asarray(x).reshape(*shape[:axis], *sizes, *shape[axis + 1 :])


def _rows(x: Array) -> Array:
    return float64(x).reshape(math.prod(np.shape(x)[:-1]), np.shape(x)[-1])


def _check_bias(bias: Array, outputs: int) -> None:
    if np.shape(bias) != (outputs,):
        raise ValueError(f"bias has shape {np.shape(bias)}, but there are {outputs} outputs")


def _check_bilinear(x1: Array, x2: Array, weight: Array) -> None:
    shapes = np.shape(x1), np.shape(x2), np.shape(weight)
    if shapes[0][:-1] != shapes[1][:-1]:
        raise ValueError(f"x1 has shape {shapes[0]} and x2 {shapes[1]}, which differ before the last axis")
    if shapes[2][1:] != (shapes[0][-1], shapes[1][-1]):
        raise ValueError(f"weight has shape {shapes[2]}, not (out, {shapes[0][-1]}, {shapes[1][-1]})")


def _check_image_layer(x: Sequence[int], weight: Sequence[int], bias: Sequence[int]) -> None:
    if tuple(weight) != (*bias, *x):
        raise ValueError(f"weight has shape {tuple(weight)}, but bias and x make {(*bias, *x)}")


@njit(cache=True)
def _linear(y, x, weight, bias):  # type: ignore[no-untyped-def]
    for n, o in np.ndindex(y.shape):
        total = bias[o]
        for i in range(x.shape[1]):
            total += weight[o, i] * x[n, i]
        y[n, o] = total


@njit(cache=True)
def _image_layer(y, x, weight, bias):  # type: ignore[no-untyped-def]
    for i, j in np.ndindex(y.shape):
        total = bias[i, j]
        for k, m in np.ndindex(x.shape):
            total += weight[i, j, k, m] * x[k, m]
        y[i, j] = total


@njit(cache=True)
def _image_layer_by_offset(y, x, weight, bias):  # type: ignore[no-untyped-def]
    for i, j in np.ndindex(y.shape):
        total = bias[i, j]
        for a in range(-i, x.shape[0] - i):
            for b in range(-j, x.shape[1] - j):
                total += weight[i, j, i + a, j + b] * x[i + a, j + b]
        y[i, j] = total


@njit(cache=True)
def _bilinear(y, x1, x2, weight, bias):  # type: ignore[no-untyped-def]
    for n, o in np.ndindex(y.shape):
        total = bias[o]
        for i in range(x1.shape[1]):
            for j in range(x2.shape[1]):
                total += weight[o, i, j] * x1[n, i] * x2[n, j]
        y[n, o] = total


@njit(cache=True)
def _bilinear_gradients(to_x1, to_x2, to_weight, g, x1, x2, weight):  # type: ignore[no-untyped-def]
    for n, o in np.ndindex(g.shape):
        for i in range(x1.shape[1]):
            for j in range(x2.shape[1]):
                to_x1[n, i] += g[n, o] * weight[o, i, j] * x2[n, j]
                to_x2[n, j] += g[n, o] * weight[o, i, j] * x1[n, i]
                to_weight[o, i, j] += g[n, o] * x1[n, i] * x2[n, j]

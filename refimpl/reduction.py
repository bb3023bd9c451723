"""Reductions over axes: sums, means, extremes with indices, logarithms of sums of exponentials, running sums, products.

The elements over which is reduced are brought into rows, one for each element of the result (:func:`rows`). Of a row
``x₀ … x_{n−1}``, the axes in the order that they have in the input,

    ``Σ x_i``; ``Σ x_i / n``; ``max x_i`` and the first i at which it stands; ``log Σ e^{x_i}``;
    ``y_i = Σ_{j≤i} x_j``; ``y_i = Π_{j≤i} x_j``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from refimpl.arrays import Array, Axes, alike, float64, matching


def axes_of(rank: int, dim: Axes | None) -> tuple[int, ...]:
    """The axes of a reduction, in order: of None all. Raises ValueError for one that is none, or is named twice.

    >>> axes_of(3, (-1, 0)), axes_of(2, None)
    ((0, 2), (0, 1))
    """
    named = range(rank) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = sorted(axis + rank if axis < 0 else axis for axis in named)
    if len(set(axes)) < len(axes) or not set(axes) <= set(range(rank)):
        raise ValueError(f"dim={dim} does not name axes of {rank}, each once")
    return tuple(axes)


def reduced(shape: tuple[int, ...], dim: Axes | None, keepdim: bool = False) -> tuple[int, ...]:
    """The shape of a reduction's result: without the axes ``dim``, or with one element along each of them."""
    axes = axes_of(len(shape), dim)
    kept = [1 if axis in axes else size for axis, size in enumerate(shape) if keepdim or axis not in axes]
    return tuple(kept)


def count(shape: tuple[int, ...], dim: Axes | None) -> int:
    """How many elements a row has."""
    return math.prod(shape[axis] for axis in axes_of(len(shape), dim))


def rows(x: Array, dim: Axes | None) -> Array:
    """The elements over which is reduced, as (rows, elements).

    >>> rows(np.array([[1.0, 2.0], [3.0, 4.0]]), 0)
    array([[1., 3.],
           [2., 4.]])
    """
    axes = axes_of(np.ndim(x), dim)
    kept = [axis for axis in range(np.ndim(x)) if axis not in axes]
    shape = math.prod(np.shape(x)[axis] for axis in kept), count(np.shape(x), dim)
    return float64(np.transpose(x, (*kept, *axes))).reshape(shape)


def back(turned: Array, shape: tuple[int, ...], dim: Axes | None) -> Array:
    """Rows as an array of the input's shape."""
    axes = axes_of(len(shape), dim)
    order = [*(axis for axis in range(len(shape)) if axis not in axes), *axes]
    return np.ascontiguousarray(np.transpose(turned.reshape([shape[axis] for axis in order]), np.argsort(order)))


def total(x: Array, dim: Axes | None = None, keepdim: bool = False) -> Array:
    """``Σ x_i`` of each row. Source: torch.sum.

    >>> total(np.array([[1, 2], [3, 4]]), 1), total(np.array([[1, 2], [3, 4]]))
    (array([3., 7.]), array(10.))
    """
    y = np.zeros(len(rows(x, dim)))
    _total(y, rows(x, dim))
    return y.reshape(reduced(np.shape(x), dim, keepdim))


def mean(x: Array, dim: Axes | None = None, keepdim: bool = False) -> Array:
    """``Σ x_i / n`` of each row. Source: torch.mean.

    >>> mean(np.array([[1, 2], [3, 4]]), (0, 1))
    array(2.5)
    """
    return np.asarray(total(x, dim, keepdim) / count(np.shape(x), dim))


def total_gradient(g: Array, shape: tuple[int, ...], dim: Axes | None = None, keepdim: bool = False) -> Array:
    """``∂x_i = g`` at each element of a row. shape: the input's.

    >>> total_gradient(np.array([5.0, 6.0]), (2, 2), 0)
    array([[5., 6.],
           [5., 6.]])
    """
    return np.broadcast_to(float64(g).reshape(reduced(shape, dim, True)), shape).copy()


def extreme(x: Array, dim: Axes | None = None, keepdim: bool = False, largest: bool = True) -> tuple[Array, Array]:
    """The largest element of each row, or the smallest, and the first index in the row at which it stands.

    NaN counts for more than any number. Source: torch.max and torch.min over an axis.

    >>> extreme(np.array([[1, 3, 3], [2, np.nan, 5]]), 1)
    (array([ 3., nan]), array([1, 1]))
    """
    turned, shape = rows(x, dim), reduced(np.shape(x), dim, keepdim)
    values, indices = np.empty(len(turned)), np.empty(len(turned), dtype=np.int64)
    _extreme(values, indices, turned, 1.0 if largest else -1.0)
    return values.reshape(shape), indices.reshape(shape)


def extreme_gradient(g: Array, indices: Array, shape: tuple[int, ...], dim: Axes | None) -> Array:
    """``∂x_i = g`` at the index of the extreme of each row, zero elsewhere. shape: the input's.

    >>> extreme_gradient(np.array([5.0]), np.array([1]), (1, 3), 1)
    array([[0., 5., 0.]])
    """
    turned = np.zeros((np.size(indices), count(shape, dim)))
    _placed(turned, matching(g, np.shape(indices)).reshape(-1), indices.reshape(-1))
    return back(turned, shape, dim)


def logsumexp(x: Array, dim: Axes, keepdim: bool = False) -> Array:
    """``log Σ e^{x_i}`` of each row, as ``m + log Σ e^{x_i − m}`` with m the largest. Source: torch.logsumexp.

    >>> logsumexp(np.array([[0.0, 0.0]]), 1), logsumexp(np.array([[-np.inf, -np.inf]]), 1)
    (array([0.69314718]), array([-inf]))
    """
    turned = rows(x, dim)
    y = np.empty(len(turned))
    _logsumexp(y, turned)
    return y.reshape(reduced(np.shape(x), dim, keepdim))


def logsumexp_gradient(g: Array, x: Array, dim: Axes, keepdim: bool = False) -> Array:
    """``∂x_i = g·P_i`` with ``P_i = e^{x_i − y}``. g: the cotangent of y.

    >>> logsumexp_gradient(np.array([4.0]), np.array([[0.0, 0.0]]), 1)
    array([[2., 2.]])
    """
    return total_gradient(g, np.shape(x), dim, keepdim) * shares(x, dim)


def shares(x: Array, dim: Axes) -> Array:
    """``P_i = e^{x_i − y}`` of each element, y the logarithm of its row's sum."""
    return np.exp(x - logsumexp(x, dim, True))


def logsumexp_second(h: Array, g: Array, x: Array, dim: Axes, keepdim: bool = False) -> tuple[Array, Array]:
    """Of ``⟨h, ∂x⟩`` the gradients ``Σ h_i·P_i`` to g, and ``g·P_i·(h_i − Σ h_j·P_j)`` to x.

    >>> logsumexp_second(np.array([[1.0, 3.0]]), np.array([1.0]), np.array([[0.0, 0.0]]), 1)
    (array([2.]), array([[-0.5,  0.5]]))
    """
    along = total(h * shares(x, dim), dim, True)
    to_input = total_gradient(g, np.shape(x), dim, keepdim) * shares(x, dim) * (h - along)
    return along.reshape(reduced(np.shape(x), dim, keepdim)), to_input


def cumulative_sum(x: Array, dim: int) -> Array:
    """``y_i = Σ_{j≤i} x_j`` along an axis. Source: torch.cumsum.

    >>> cumulative_sum(np.array([[1, 2, 3]]), 1)
    array([[1., 3., 6.]])
    """
    y = np.zeros(rows(x, dim).shape)
    _cumulative_sum(y, rows(x, dim))
    return back(y, np.shape(x), dim)


def cumulative_sum_gradient(g: Array, dim: int) -> Array:
    """``∂x_i = Σ_{j≥i} g_j``.

    >>> cumulative_sum_gradient(np.array([[1, 2, 3]]), 1)
    array([[6., 5., 3.]])
    """
    return np.flip(cumulative_sum(np.flip(g, dim), dim), dim)


def cumulative_product(x: Array, dim: int) -> Array:
    """``y_i = Π_{j≤i} x_j`` along an axis. Source: torch.cumprod.

    >>> cumulative_product(np.array([[2, 3, 4]]), 1)
    array([[ 2.,  6., 24.]])
    """
    y = np.zeros(rows(x, dim).shape)
    _cumulative_product(y, rows(x, dim))
    return back(y, np.shape(x), dim)


def cumulative_product_gradient(g: Array, x: Array, dim: int) -> Array:
    """``∂x_i = Σ_{k≥i} g_k·Π_{j≤k, j≠i} x_j``.

    >>> cumulative_product_gradient(np.array([[1, 1, 1]]), np.array([[2, 3, 4]]), 1)
    array([[16., 10.,  6.]])
    """
    gradient = np.zeros(rows(x, dim).shape)
    _cumulative_product_gradient(gradient, rows(matching(g, np.shape(x)), dim), rows(x, dim))
    return back(gradient, np.shape(x), dim)


def cumulative_product_second(h: Array, g: Array, x: Array, dim: int) -> tuple[Array, Array]:
    """The gradients of ``S = Σ_k g_k·Σ_{i≤k} h_i·Π_{j≤k, j≠i} x_j``, h the direction.

    ``∂g_k = Σ_{i≤k} h_i·Π_{j≤k, j≠i} x_j`` and ``∂x_m = Σ_{k≥m} g_k·Σ_{i≤k, i≠m} h_i·Π_{j≤k, j≠i, j≠m} x_j``.

    >>> cumulative_product_second(np.array([[1, 1, 1]]), np.array([[1, 1, 1]]), np.array([[2, 3, 4]]), 1)
    (array([[ 1.,  5., 26.]]), array([[8., 7., 5.]]))
    """
    h, g, x = alike(h, g, x)
    to_cotangent, to_input = np.zeros(rows(x, dim).shape), np.zeros(rows(x, dim).shape)
    _cumulative_product_second(to_cotangent, to_input, rows(h, dim), rows(g, dim), rows(x, dim))
    return back(to_cotangent, np.shape(x), dim), back(to_input, np.shape(x), dim)


@njit(cache=True)
def _total(y, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        total = 0.0
        for i in range(x.shape[1]):
            total += x[n, i]
        y[n] = total


@njit(cache=True)
def _extreme(values, indices, x, sign):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        at = 0
        for i in range(1, x.shape[1]):
            if sign * x[n, i] > sign * x[n, at] or (np.isnan(x[n, i]) and not np.isnan(x[n, at])):
                at = i
        values[n], indices[n] = x[n, at], at


@njit(cache=True)
def _placed(turned, g, indices):  # type: ignore[no-untyped-def]
    for n in range(turned.shape[0]):
        turned[n, indices[n]] = g[n]


@njit(cache=True)
def _logsumexp(y, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        largest = x[n, 0]
        for i in range(x.shape[1]):
            if x[n, i] > largest or np.isnan(x[n, i]):
                largest = x[n, i]
        shift = 0.0 if np.isinf(largest) else largest
        total = 0.0
        for i in range(x.shape[1]):
            total += np.exp(x[n, i] - shift)
        y[n] = np.log(total) + shift


@njit(cache=True)
def _cumulative_sum(y, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        total = 0.0
        for i in range(x.shape[1]):
            total += x[n, i]
            y[n, i] = total


@njit(cache=True)
def _cumulative_product(y, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        total = 1.0
        for i in range(x.shape[1]):
            total *= x[n, i]
            y[n, i] = total


@njit(cache=True)
def _cumulative_product_gradient(gradient, g, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        before = 1.0
        for i in range(x.shape[1]):
            others = before
            total = g[n, i] * others
            for k in range(i + 1, x.shape[1]):
                others *= x[n, k]
                total += g[n, k] * others
            gradient[n, i] = total
            before *= x[n, i]


@njit(cache=True)
def _cumulative_product_second(to_cotangent, to_input, h, g, x):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            others = 1.0
            for k in range(x.shape[1]):
                if k != i:
                    others *= x[n, k]
                if k >= i:
                    to_cotangent[n, k] += h[n, i] * others
            for m in range(x.shape[1]):
                rest = 1.0
                for k in range(x.shape[1]):
                    if k not in (i, m):
                        rest *= x[n, k]
                    if k >= i and k >= m and i != m:
                        to_input[n, m] += g[n, k] * h[n, i] * rest

"""Losses of embeddings: each row of the operands, or each of their rows together, has a term.

Each function gives the terms, one for each row, and the slopes, their derivatives by the elements of each operand that
has a gradient. They are reduced as those of :mod:`refimpl.elementwise_loss` are, D being the number of rows.

Operands are (rows, elements), or (elements,), which is one row; a target is (rows,), or one number.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64
from refimpl.elementwise_loss import divisor, reduced

Terms = tuple[Array, tuple[Array, ...]]
"""Values and slopes."""
EPSILON = 1e-12
"""What torch adds to the square of a norm, so that a cosine of nothing is zero."""


def cosine_embedding_loss(x: Array, other: Array, target: Array, margin: float = 0.0) -> Terms:
    """``1 − cos(x₁, x₂)`` where y = 1, ``max(0, cos(x₁, x₂) − margin)`` where y = −1.

    With ``cos = x₁·x₂/√((|x₁|² + ε)·(|x₂|² + ε))``, ε = 10⁻¹². Source: torch.nn.CosineEmbeddingLoss.

    >>> x, y = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 0.0]])
    >>> np.round(cosine_embedding_loss(x, y, np.array([1.0, -1.0]), 0.25)[0], 9)
    array([0.  , 0.75])
    """
    rows = _rows(x)
    values, slopes = np.zeros(len(rows)), (np.zeros(rows.shape), np.zeros(rows.shape))
    _cosines(values, *slopes, rows, _rows(other), float64(target).reshape(-1), margin)
    return values.reshape(np.shape(x)[:-1]), tuple(slope.reshape(np.shape(x)) for slope in slopes)


def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
) -> Terms:
    """``max(0, d(a, p) − d(a, n) + margin)`` with ``d(x, y) = (Σ|x − y + ε|^p)^{1/p}``; where it swaps, with the
    smaller of ``d(a, n)`` and ``d(p, n)``. Sources: torch.nn.TripletMarginLoss, torch.nn.functional.pairwise_distance.

    >>> a, p, n = np.array([0.0, 0.0]), np.array([3.0, 4.0]), np.array([0.0, 2.0])
    >>> triplet_margin_loss(a, p, n, eps=0.0)
    (array(4.), (array([-0.6,  0.2]), array([0.6, 0.8]), array([ 0., -1.])))
    """
    rows = [_rows(x) for x in (anchor, positive, negative)]
    values, slopes = np.zeros(len(rows[0])), np.zeros((3, *rows[0].shape))
    _triplets(values, slopes, rows[0], rows[1], rows[2], margin, p, eps, swap)
    shape = np.shape(anchor)
    return values.reshape(shape[:-1]), tuple(slope.reshape(shape) for slope in slopes)


def distance(x: Array, y: Array, p: float, eps: float) -> tuple[Array, Array]:
    """``d = (Σ|x − y + ε|^p)^{1/p}`` of each row and its derivatives by x, ``sgn(e)·(|e|/d)^{p−1}``, e the difference.

    >>> distance(np.array([[3.0, 4.0]]), np.zeros((1, 2)), 2.0, 0.0)
    (array([5.]), array([[0.6, 0.8]]))
    """
    d, slopes = np.zeros(len(x)), np.zeros(x.shape)
    for n, slope in enumerate(slopes):
        d[n] = _distance(slope, x[n], y[n], p, eps)
    return d, slopes


def loss(terms: Terms, reduction: str = "mean") -> Array:
    """The values of the rows, their sum, or that over D.

    >>> loss((np.array([1.0, 3.0]), ()))
    array(2.)
    """
    return reduced(terms[0], reduction)


def gradients(cotangent: Array, terms: Terms, reduction: str = "mean") -> tuple[Array, ...]:
    """``(g/D)·slope``, one for each operand that has a gradient. cotangent: as the loss.

    >>> gradients(np.array([2.0]), (np.zeros(1), (np.array([[1.0, -1.0]]),)), "none")
    (array([[ 2., -2.]]),)
    """
    s = float64(cotangent) / divisor(terms[0].shape, reduction)
    return tuple(np.broadcast_to(s, terms[0].shape)[..., None] * slope for slope in terms[1])


def _rows(x: Array) -> Array:
    return float64(x).reshape(-1, np.shape(x)[-1])


@njit(cache=True)
def _cosines(values, to_x, to_y, x, y, target, margin):  # type: ignore[no-untyped-def]
    for n in range(x.shape[0]):
        along, xx, yy = 0.0, EPSILON, EPSILON
        for i in range(x.shape[1]):
            along += x[n, i] * y[n, i]
            xx += x[n, i] * x[n, i]
            yy += y[n, i] * y[n, i]
        size = np.sqrt(xx) * np.sqrt(yy)
        cosine, slope = along / size, -1.0
        values[n] = 1.0 - cosine
        if target[n] == -1.0:
            inside = cosine - margin
            slope = 0.0 if inside < 0.0 else 1.0
            values[n] = 0.0 if inside < 0.0 else inside
        for i in range(x.shape[1]):
            to_x[n, i] = slope * (y[n, i] / size - cosine * x[n, i] / xx)
            to_y[n, i] = slope * (x[n, i] / size - cosine * y[n, i] / yy)


@njit(cache=True)
def _distance(slope, x, y, p, eps):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(x.shape[0]):
        total += abs(x[i] - y[i] + eps) ** p
    size = np.sqrt(total) if p == 2.0 else total ** (1.0 / p)
    for i in range(x.shape[0]):
        e = x[i] - y[i] + eps
        slope[i] = np.sign(e) * (abs(e) / size) ** (p - 1.0) if size > 0.0 else 0.0
    return size


@njit(cache=True)
def _triplets(values, slopes, a, p, n, margin, power, eps, swap):  # type: ignore[no-untyped-def]
    along, apart, between = np.zeros(a.shape[1]), np.zeros(a.shape[1]), np.zeros(a.shape[1])
    for k in range(a.shape[0]):
        near, far = _distance(along, a[k], p[k], power, eps), _distance(apart, a[k], n[k], power, eps)
        swapped = swap and _distance(between, p[k], n[k], power, eps) < far
        if swapped:
            far = _distance(between, p[k], n[k], power, eps)
        inside = margin + near - far
        if inside < 0.0:
            continue
        values[k] = inside
        for i in range(a.shape[1]):
            slopes[0, k, i], slopes[1, k, i], slopes[2, k, i] = along[i], -along[i], apart[i]
            if swapped:
                slopes[1, k, i] -= between[i]
                slopes[2, k, i] = between[i]
            else:
                slopes[0, k, i] -= apart[i]

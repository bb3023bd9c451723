"""Losses of embeddings: each row of the operands, or each of their rows together, has a term.

Each function gives the terms, one for each row, and the slopes, their derivatives by the elements of each operand that
has a gradient. They are reduced as those of :mod:`refimpl.elementwise_loss` are, D being the number of rows.

With a direction h for each such operand, the gradients of ``S = Σ_a ⟨h_a, (g/D)·slope_a⟩`` are, to g, the derivatives
of the values along the directions and, to an operand, those of its slopes, times g/D, as second derivatives are
symmetric: they are values and slopes once more, of functions whose names end in second, and are reduced as these are.
At a kink all are torch's.

Operands are (rows, elements), or (elements,), which is one row; a target is (rows,), or one number.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refimpl.arrays import Array, alike, float64
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
    x, other = alike(x, other)
    rows = _rows(x)
    values, slopes = np.zeros(len(rows)), (np.zeros(rows.shape), np.zeros(rows.shape))
    _cosines(values, *slopes, rows, _rows(other), _signs(target, len(rows)), margin)
    return values.reshape(np.shape(x)[:-1]), tuple(slope.reshape(np.shape(x)) for slope in slopes)


def cosine_embedding_second(x: Array, other: Array, h: Array, k: Array, target: Array, margin: float = 0.0) -> Terms:
    """Derivatives along h and k, for x₁ and x₂. With ``X = |x₁|² + ε``, ``Y = |x₂|² + ε``, ``q = √(XY)``, ``c = cos``:

    - q grows by ``ρ = h·x₁/X + k·x₂/Y`` of itself, so that c changes by ``ċ = (h·x₂ + k·x₁)/q − c·ρ``;
    - its derivative by x₁, ``x₂/q − c·x₁/X``, changes by ``(k − ρ·x₂)/q − (ċ·x₁ + c·h)/X + 2·c·(h·x₁)·x₁/X²``.

    Derived from the formula of :func:`cosine_embedding_loss` by the rules of products and quotients.

    >>> x, y, h = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])
    >>> values, bends = cosine_embedding_second(x, y, h, 0.0 * h, np.array([1.0]))
    >>> values.round(9), bends[0].round(9) + 0.0
    (array([-1.]), array([[1., 0.]]))
    """
    rows, directions = np.stack([_rows(x), _rows(other)]), np.stack([_rows(h), _rows(k)])
    values, bends = np.zeros(rows.shape[1]), np.zeros(rows.shape)
    _cosines_along(values, bends, rows, directions, _signs(target, rows.shape[1]), margin)
    return values.reshape(np.shape(x)[:-1]), tuple(bend.reshape(np.shape(x)) for bend in bends)


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
    rows = [_rows(x) for x in alike(anchor, positive, negative)]
    values, slopes = np.zeros(len(rows[0])), np.zeros((3, *rows[0].shape))
    _triplets(values, slopes, rows[0], rows[1], rows[2], margin, p, eps, swap)
    shape = np.shape(anchor)
    return values.reshape(shape[:-1]), tuple(slope.reshape(shape) for slope in slopes)


def triplet_margin_second(
    anchor: Array,
    positive: Array,
    negative: Array,
    to_anchor: Array,
    to_positive: Array,
    to_negative: Array,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
) -> Terms:
    """Derivatives along a direction for each operand. That of ``d(x, y)``, with ``e = x − y + ε``, ``v`` its slopes and
    ``t = h_x − h_y``, is ``v·t``; v changes by ``(p − 1)·((|e|/d)^{p−2}·t − v·(v·t))/d``, by nothing where p = 1 or
    d = 0.

    Derived from the formula of :func:`distance` by the rules of powers and quotients.

    >>> a, h = np.array([3.0, 4.0]), np.array([1.0, 0.0])
    >>> values, bends = triplet_margin_second(a, 0.0 * a, a, h, 0.0 * a, h, eps=0.0)
    >>> values, bends[0].round(9), bends[2]
    (array(0.6), array([ 0.128, -0.096]), array([0., 0.]))
    """
    rows = np.stack([_rows(x) for x in (anchor, positive, negative)])
    directions = np.stack([_rows(h) for h in (to_anchor, to_positive, to_negative)])
    values, bends = np.zeros(rows.shape[1]), np.zeros(rows.shape)
    _triplets_along(values, bends, rows, directions, margin, p, eps, swap)
    shape = np.shape(anchor)
    return values.reshape(shape[:-1]), tuple(bend.reshape(shape) for bend in bends)


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


def second(cotangent: Array, terms: Terms, reduction: str = "mean") -> tuple[Array, ...]:
    """The gradients of S to the cotangent and to each operand; terms: derivatives along directions.

    >>> second(np.array(2.0), (np.array([3.0]), (np.array([[1.0, -1.0]]),)))
    (array(3.), array([[ 2., -2.]]))
    """
    return loss(terms, reduction), *gradients(cotangent, terms, reduction)


def _signs(target: Array, rows: int) -> Array:
    """One number for each row."""
    signs = float64(target).reshape(-1)
    if len(signs) != rows:
        raise ValueError(f"target has {len(signs)} elements for {rows} rows")
    return signs


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
def _cosines_along(values, bends, rows, directions, target, margin):  # type: ignore[no-untyped-def]
    x, y, h, k = rows[0], rows[1], directions[0], directions[1]
    for n in range(x.shape[0]):
        along, xx, yy, hx, ky, across = 0.0, EPSILON, EPSILON, 0.0, 0.0, 0.0
        for i in range(x.shape[1]):
            along += x[n, i] * y[n, i]
            xx += x[n, i] * x[n, i]
            yy += y[n, i] * y[n, i]
            hx += h[n, i] * x[n, i]
            ky += k[n, i] * y[n, i]
            across += h[n, i] * y[n, i] + k[n, i] * x[n, i]
        size = np.sqrt(xx) * np.sqrt(yy)
        cosine, growth = along / size, hx / xx + ky / yy
        change, slope = across / size - cosine * growth, -1.0
        if target[n] == -1.0:
            slope = 0.0 if cosine - margin < 0.0 else 1.0
        values[n] = slope * change
        for i in range(x.shape[1]):
            own, other = 2.0 * cosine * hx / xx - change, 2.0 * cosine * ky / yy - change
            bends[0, n, i] = slope * ((k[n, i] - growth * y[n, i]) / size + (own * x[n, i] - cosine * h[n, i]) / xx)
            bends[1, n, i] = slope * ((h[n, i] - growth * x[n, i]) / size + (other * y[n, i] - cosine * k[n, i]) / yy)


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


@njit(cache=True)
def _distance_along(bend, x, y, h, k, p, eps):  # type: ignore[no-untyped-def]
    slope, change = np.zeros(x.shape[0]), 0.0
    size = _distance(slope, x, y, p, eps)
    for i in range(x.shape[0]):
        change += slope[i] * (h[i] - k[i])
    for i in range(x.shape[0]):
        if p == 1.0 or size == 0.0:
            bend[i] = 0.0
        else:
            share = (abs(x[i] - y[i] + eps) / size) ** (p - 2.0)
            bend[i] = (p - 1.0) * (share * (h[i] - k[i]) - slope[i] * change) / size
    return change


@njit(cache=True)
def _triplets_along(values, bends, rows, directions, margin, power, eps, swap):  # type: ignore[no-untyped-def]
    a, p, n, to_a, to_p, to_n = rows[0], rows[1], rows[2], directions[0], directions[1], directions[2]
    along, apart, between = np.zeros(a.shape[1]), np.zeros(a.shape[1]), np.zeros(a.shape[1])
    for k in range(a.shape[0]):
        near, far = _distance(along, a[k], p[k], power, eps), _distance(apart, a[k], n[k], power, eps)
        swapped = swap and _distance(between, p[k], n[k], power, eps) < far
        if swapped:
            far = _distance(between, p[k], n[k], power, eps)
        if margin + near - far < 0.0:
            continue
        values[k] = _distance_along(along, a[k], p[k], to_a[k], to_p[k], power, eps)
        if swapped:
            values[k] -= _distance_along(between, p[k], n[k], to_p[k], to_n[k], power, eps)
        else:
            values[k] -= _distance_along(apart, a[k], n[k], to_a[k], to_n[k], power, eps)
        for i in range(a.shape[1]):
            bends[0, k, i], bends[1, k, i], bends[2, k, i] = along[i], -along[i], apart[i]
            if swapped:
                bends[1, k, i] -= between[i]
                bends[2, k, i] = between[i]
            else:
                bends[0, k, i] -= apart[i]

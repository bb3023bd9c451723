"""Losses of single elements: each has a term of its own, and the terms are left as they are, added up or averaged.

Each function gives the terms with their derivatives by the operands that have a gradient: the values, the slopes, one
for each of these operands, and the curvatures, a row of second derivatives for each. With the cotangent g, D elements
and s = g/D (s = g where nothing is averaged) the gradient to operand a is ``s·slope_a``. The gradients of
``S = Σ_a ⟨h_a, s·slope_a⟩`` are ``Σ_a h_a·slope_a / D`` to g, added up where g is one number, and
``s·Σ_b h_b·curvature_ab`` to a; of no elements the former is zero. At a kink slope and curvature are torch's.

``reduction`` is "none", "sum", "mean", whose D is the number of elements, or "batchmean", whose D is the size of the
first axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl.activation import sigma
from refimpl.arrays import Array, alike, float64
from refimpl.loss import added_up
from refimpl.piecewise_activation import blank, flat
from refimpl.smooth_activation import log_one_plus_exp

Terms = tuple[Array, tuple[Array, ...], tuple[tuple[Array, ...], ...]]
"""Values, slopes and curvatures."""
LEAST_LOG = -100.0
"""What torch.nn.BCELoss clamps its logarithms to."""
LEAST_PRODUCT = 1e-12
"""What torch takes x·(1 − x) for, where it is less, in the gradient of binary cross-entropy."""


def mse_loss(x: Array, target: Array, weight: Array | None = None) -> Terms:
    """``w·(x − t)²``; weight: of the shape of the last axis, or one that broadcasts to x's. Source: torch.nn.MSELoss.

    >>> mse_loss(np.array([1.0, 2.0]), np.array([3.0, 3.0]))[:2]
    (array([4., 1.]), (array([-4., -2.]), array([4., 2.])))
    """
    return _weighted(_of_difference(_square, float64(x) - float64(target)), weight)


def l1_loss(x: Array, target: Array, weight: Array | None = None) -> Terms:
    """``w·|x − t|``; where they are equal the slope is zero. weight: as for :func:`mse_loss`. Source: torch.nn.L1Loss.

    >>> l1_loss(np.array([1.0, 3.0]), np.array([3.0, 3.0]))[:2]
    (array([2., 0.]), (array([-1.,  0.]), array([ 1., -0.])))
    """
    return _weighted(_of_difference(_size, float64(x) - float64(target)), weight)


def smooth_l1_loss(x: Array, target: Array, beta: float = 1.0) -> Terms:
    """``(x − t)²/(2β)`` where ``|x − t| < β``, else ``|x − t| − β/2``. Source: torch.nn.SmoothL1Loss.

    >>> smooth_l1_loss(np.array([1.0, 5.0]), np.zeros(2), 2.0)[0]
    array([0.25, 4.  ])
    """
    return _of_difference(_pieces, float64(x) - float64(target), beta, 1.0)


def huber_loss(x: Array, target: Array, delta: float = 1.0, weight: Array | None = None) -> Terms:
    """``w·(x − t)²/2`` where ``|x − t| ≤ δ``, else ``w·δ·(|x − t| − δ/2)``. Source: torch.nn.HuberLoss.

    weight: as for :func:`mse_loss`.

    >>> huber_loss(np.array([1.0, 5.0]), np.zeros(2), 2.0, np.array([3.0, 1.0]))[0]
    array([1.5, 8. ])
    """
    return _weighted(_of_difference(_pieces, float64(x) - float64(target), delta, delta), weight)


def margin_ranking_loss(x: Array, other: Array, target: Array, margin: float = 0.0) -> Terms:
    """``max(0, −y·(x₁ − x₂) + margin)`` with y = ±1; where that is zero, the slope is −y. The curvature is zero.

    Source: torch.nn.MarginRankingLoss.

    >>> margin_ranking_loss(np.array([1.0, 2.0]), np.array([3.0, 0.0]), np.ones(2), 0.5)[0]
    array([2.5, 0. ])
    """
    x, other, target = alike(x, other, target)
    return _of_difference(_ranked, x - other, target.reshape(-1), margin)


def hinge_embedding_loss(x: Array, target: Array, margin: float = 1.0) -> Terms:
    """``x`` where y = 1, ``max(0, margin − x)`` where y = −1, whose slope at the margin is −1.

    Source: torch.nn.HingeEmbeddingLoss.

    >>> hinge_embedding_loss(np.array([3.0, 3.0, 0.25]), np.array([1.0, -1.0, -1.0]))[0]
    array([3.  , 0.  , 0.75])
    """
    x, target = alike(x, target)
    return _of_one(_hinge, x, target.reshape(-1), margin)


def soft_margin_loss(x: Array, target: Array) -> Terms:
    """``log(1 + e^{−y·x})`` with y = ±1. Source: torch.nn.SoftMarginLoss.

    >>> soft_margin_loss(np.array([0.0, 1000.0, -1000.0]), np.ones(3))[0] / np.log(2.0)
    array([1.00000000e+00, 0.00000000e+00, 1.44269504e+03])
    """
    x, target = alike(x, target)
    return _of_one(_soft_margin, x, target.reshape(-1))


def binary_cross_entropy(x: Array, target: Array, weight: Array | None = None) -> Terms:
    """``−w·(t·log x + (1 − t)·log(1 − x))`` with 0 ≤ x, t ≤ 1 and logarithms that are −100 at least.

    weight: of the shape of the last axis, or one that broadcasts to x's. In the slope x·(1 − x) is taken for 10⁻¹² at
    least, as torch does. Source: torch.nn.BCELoss.

    >>> binary_cross_entropy(np.array([0.5, 0.0]), np.array([1.0, 1.0]))[0] / np.array([np.log(2.0), 100.0])
    array([1., 1.])
    """
    return _weighted(_of_two(_binary, x, target), weight)


def binary_cross_entropy_with_logits(
    x: Array, target: Array, weight: Array | None = None, pos_weight: Array | None = None
) -> Terms:
    """``−w·(p·t·log σ(x) + (1 − t)·log σ(−x))``. Source: torch.nn.BCEWithLogitsLoss.

    weight, pos_weight: of the shape of the last axis, or ones that broadcast to x's.

    >>> binary_cross_entropy_with_logits(np.array([0.0, 1000.0]), np.ones(2), pos_weight=np.array(3.0))[0] / np.log(2.0)
    array([3., 0.])
    """
    p = np.ones(np.shape(x)) * (1.0 if pos_weight is None else float64(pos_weight))
    return _weighted(_of_two(_binary_of_logits, x, target, p.reshape(-1)), weight)


def kl_div(x: Array, target: Array, log_target: bool = False) -> Terms:
    """``t·(log t − x)``, zero where t is; of a target that is given as its logarithm ``e^t·(t − x)``.

    Source: torch.nn.KLDivLoss.

    >>> kl_div(np.array([0.0, -2.0]), np.array([1.0, 0.0]))[0], kl_div(np.array([-2.0]), np.zeros(1), True)[0]
    (array([0., 0.]), array([2.]))
    """
    return _of_two(_divergence_of_log if log_target else _divergence, x, target)


def poisson_nll_loss(x: Array, target: Array, log_input: bool = True, full: bool = False, eps: float = 1e-8) -> Terms:
    """``e^x − t·x``, or ``x − t·log(x + ε)`` of an input that is no logarithm; where it is full, for t > 1 with
    Stirling's ``t·log t − t + log(2πt)/2``. Source: torch.nn.PoissonNLLLoss.

    >>> poisson_nll_loss(np.zeros(2), np.array([0.0, 2.0]))[0], poisson_nll_loss(np.ones(1), np.ones(1), False)[0]
    (array([1., 1.]), array([0.99999999]))
    """
    x, target = alike(x, target)
    return _of_one(_poisson, x, target.reshape(-1), log_input, full, eps)


def gaussian_nll_loss(x: Array, target: Array, var: Array, full: bool = False, eps: float = 1e-6) -> Terms:
    """``(log v + (x − t)²/v)/2`` with v the variance, which is ε at least; where it is full, with ``log(2π)/2``.

    Where a variance is less, its slope is that at ε. Source: torch.nn.GaussianNLLLoss.

    >>> gaussian_nll_loss(np.array([3.0]), np.array([1.0]), np.array([1.0]))[:2]
    (array([2.]), (array([2.]), array([-2.]), array([-1.5])))
    """
    return _of_three(_gaussian, float64(x) - float64(target), np.maximum(float64(var), eps), full)


def loss(terms: Terms, reduction: str = "mean") -> Array:
    """The values in their shape, their sum, or that over D. A mean of nothing is NaN.

    >>> loss(mse_loss(np.array([[1.0], [3.0]]), np.zeros((2, 1))))
    array(5.)
    """
    return reduced(terms[0], reduction)


def gradients(cotangent: Array, terms: Terms, reduction: str = "mean") -> tuple[Array, ...]:
    """``s·slope``, one for each operand that has a gradient. cotangent: as the loss.

    >>> gradients(np.array(2.0), l1_loss(np.array([3.0, 0.0]), np.zeros(2)))
    (array([1., 0.]), array([-1., -0.]))
    """
    s = float64(cotangent) / divisor(terms[0].shape, reduction)
    with np.errstate(all="ignore"):  # of an infinite slope
        return tuple(s * slope for slope in terms[1])


def second(cotangent: Array, terms: Terms, directions: Sequence[Array], reduction: str = "mean") -> tuple[Array, ...]:
    """The gradients of S to the cotangent and to each operand; directions: the h.

    >>> second(np.array(2.0), mse_loss(np.array([3.0]), np.zeros(1)), (np.ones(1), np.zeros(1)))
    (array(6.), array([4.]), array([-4.]))
    """
    _, slopes, curvatures = terms
    s = float64(cotangent) / divisor(terms[0].shape, reduction)
    with np.errstate(all="ignore"):
        along = float64(np.asarray(sum(h * slope for h, slope in zip(directions, slopes, strict=True))))
        rows = [s * sum(h * bend for h, bend in zip(directions, row, strict=True)) for row in curvatures]
        return reduced(along, reduction if along.size or reduction == "none" else "sum"), *rows


def divisor(shape: tuple[int, ...], reduction: str) -> float:
    """D: what a sum is divided by. Raises ValueError for a reduction that is none; NaN for a mean of nothing.

    >>> divisor((2, 3), "mean"), divisor((2, 3), "batchmean"), divisor((2, 3), "sum")
    (6.0, 2.0, 1.0)
    """
    known = {"none": 1, "sum": 1, "mean": math.prod(shape), "batchmean": shape[0] if shape else 1}
    if reduction not in known:
        raise ValueError(f"reduction={reduction!r} is none of {', '.join(known)}")
    return float(known[reduction]) or math.nan


def reduced(values: Array, reduction: str) -> Array:
    """The values in their shape, their sum, or that over D."""
    if reduction == "none":
        return values
    return np.asarray(added_up(values.reshape(-1)) / divisor(values.shape, reduction))


def _of_difference(loop, d, *about) -> Terms:  # type: ignore[no-untyped-def]
    """What a function of x − t gives."""
    y, slope, curvature = blank(d)
    loop(*flat(y, slope, curvature, d), *about)
    return y, (slope, -slope), ((curvature, -curvature), (-curvature, curvature))


def _of_one(loop, x, *about) -> Terms:  # type: ignore[no-untyped-def]
    """What a function of one operand that has a gradient gives."""
    y, slope, curvature = blank(x)
    loop(*flat(y, slope, curvature, x), *about)
    return y, (slope,), ((curvature,),)


def _of_two(loop, x, t, *about) -> Terms:  # type: ignore[no-untyped-def]
    """What a function of two operands gives."""
    x, t = alike(x, t)
    y, to_x, to_t, xx, xt, tt = (*blank(x), *blank(x))
    loop(*flat(y, to_x, to_t, xx, xt, tt, x, t), *about)
    return y, (to_x, to_t), ((xx, xt), (xt, tt))


def _of_three(loop, d, v, *about) -> Terms:  # type: ignore[no-untyped-def]
    """What a function of x − t and v gives."""
    d, v = alike(d, v)
    y, to_x, to_v, xx, xv, vv = (*blank(d), *blank(d))
    loop(*flat(y, to_x, to_v, xx, xv, vv, d, v), *about)
    return y, (to_x, -to_x, to_v), ((xx, -xx, xv), (-xx, xx, -xv), (xv, -xv, vv))


def _weighted(terms: Terms, weight: Array | None) -> Terms:
    if weight is None:
        return terms
    y, slopes, curvatures = terms
    w = float64(weight)
    return w * y, tuple(w * slope for slope in slopes), tuple(tuple(w * bend for bend in row) for row in curvatures)


@njit(cache=True)
def _square(y, slope, curvature, d):  # type: ignore[no-untyped-def]
    for i in range(d.shape[0]):
        y[i], slope[i], curvature[i] = d[i] * d[i], 2.0 * d[i], 2.0


@njit(cache=True)
def _size(y, slope, curvature, d):  # type: ignore[no-untyped-def]
    for i in range(d.shape[0]):
        y[i], slope[i] = abs(d[i]), np.sign(d[i])


@njit(cache=True)
def _pieces(y, slope, curvature, d, width, steepness):  # type: ignore[no-untyped-def]
    for i in range(d.shape[0]):
        if abs(d[i]) < width:
            curvature[i] = steepness / width
            y[i], slope[i] = 0.5 * d[i] * d[i] * curvature[i], d[i] * curvature[i]
        else:
            y[i], slope[i] = steepness * (abs(d[i]) - 0.5 * width), steepness * np.sign(d[i])


@njit(cache=True)
def _ranked(y, slope, curvature, d, target, margin):  # type: ignore[no-untyped-def]
    for i in range(d.shape[0]):
        inside = margin - target[i] * d[i]
        if not inside < 0.0:
            y[i], slope[i] = inside, -target[i]


@njit(cache=True)
def _hinge(y, slope, curvature, x, target, margin):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        if target[i] == 1.0:
            y[i], slope[i] = x[i], 1.0
        elif not margin - x[i] < 0.0:
            y[i], slope[i] = margin - x[i], -1.0


@njit(cache=True)
def _soft_margin(y, slope, curvature, x, target):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        z = -target[i] * x[i]
        y[i] = log_one_plus_exp(z)
        slope[i] = -target[i] * sigma(z)
        curvature[i] = target[i] * target[i] * sigma(z) * sigma(-z)


@njit(cache=True)
def _binary(y, to_x, to_t, xx, xt, tt, x, t):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        rest, wide = 1.0 - x[i], x[i] * (1.0 - x[i])
        log_x = max(math.log(x[i]), LEAST_LOG) if x[i] > 0.0 else LEAST_LOG
        log_rest = max(math.log1p(-x[i]), LEAST_LOG) if x[i] < 1.0 else LEAST_LOG
        y[i] = -t[i] * log_x - (1.0 - t[i]) * log_rest
        to_x[i], to_t[i] = (x[i] - t[i]) / max(wide, LEAST_PRODUCT), log_rest - log_x
        xx[i], xt[i] = 1.0 / LEAST_PRODUCT, -1.0 / max(wide, LEAST_PRODUCT)
        if wide >= LEAST_PRODUCT:
            xx[i] = t[i] / (x[i] * x[i]) + (1.0 - t[i]) / (rest * rest)


@njit(cache=True)
def _binary_of_logits(y, to_x, to_t, xx, xt, tt, x, t, p):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        s, rest = sigma(x[i]), sigma(-x[i])
        log_s, log_rest = -log_one_plus_exp(-x[i]), -log_one_plus_exp(x[i])
        y[i] = -p[i] * t[i] * log_s - (1.0 - t[i]) * log_rest
        to_x[i] = (1.0 - t[i]) * s - p[i] * t[i] * rest
        to_t[i] = log_rest - p[i] * log_s
        xx[i] = (1.0 - t[i] + p[i] * t[i]) * s * rest
        xt[i] = -s - p[i] * rest


@njit(cache=True)
def _divergence(y, to_x, to_t, xx, xt, tt, x, t):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        xt[i], to_x[i] = -1.0, -t[i]
        if t[i] > 0.0:
            y[i] = t[i] * (math.log(t[i]) - x[i])
            to_t[i], tt[i] = math.log(t[i]) - x[i] + 1.0, 1.0 / t[i]
        else:
            to_t[i], tt[i] = -math.inf, math.inf


@njit(cache=True)
def _divergence_of_log(y, to_x, to_t, xx, xt, tt, x, t):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        power = math.exp(t[i])
        y[i], to_x[i], xt[i] = power * (t[i] - x[i]), -power, -power
        to_t[i], tt[i] = power * (t[i] - x[i] + 1.0), power * (t[i] - x[i] + 2.0)


@njit(cache=True)
def _poisson(y, slope, curvature, x, target, log_input, full, eps):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        t = target[i]
        if log_input:
            power = math.exp(x[i])
            y[i], slope[i], curvature[i] = power - t * x[i], power - t, power
        else:
            moved = x[i] + eps
            y[i], slope[i], curvature[i] = x[i] - t * math.log(moved), 1.0 - t / moved, t / (moved * moved)
        if full and t > 1.0:
            y[i] += t * math.log(t) - t + 0.5 * math.log(2.0 * math.pi * t)


@njit(cache=True)
def _gaussian(y, to_x, to_v, xx, xv, vv, d, v, full):  # type: ignore[no-untyped-def]
    for i in range(d.shape[0]):
        square = d[i] * d[i]
        y[i] = 0.5 * (math.log(v[i]) + square / v[i]) + (0.5 * math.log(2.0 * math.pi) if full else 0.0)
        to_x[i], to_v[i] = d[i] / v[i], 0.5 * (1.0 / v[i] - square / (v[i] * v[i]))
        xx[i], xv[i] = 1.0 / v[i], -d[i] / (v[i] * v[i])
        vv[i] = square / (v[i] * v[i] * v[i]) - 0.5 / (v[i] * v[i])

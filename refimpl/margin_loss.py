"""Losses of rows of scores, of which those of the right classes are to exceed the others by a margin.

Each function gives the terms, one for each row of C scores, and the slopes, their derivatives by the scores. They are
reduced as those of :mod:`refimpl.embedding_loss` are. Scores are (rows, C), or (C,), which is one row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from refimpl import elementwise_loss
from refimpl.arrays import Array, float64
from refimpl.embedding_loss import Terms


def multi_margin_loss(
    x: Array, target: Array, p: int = 1, margin: float = 1.0, weight: Sequence[float] | None = None
) -> Terms:
    """``Σ_{j≠y} w_y·max(0, margin − x_y + x_j)^p / C`` with y the class of the row. p: 1 or 2; target: (rows,).

    Source: torch.nn.MultiMarginLoss.

    >>> multi_margin_loss(np.array([[0.0, 0.5, -2.0]]), np.array([0]), 2)
    (array([0.75]), (array([[-1.,  1.,  0.]]),))
    """
    classes = np.shape(x)[-1]
    if np.min(target, initial=0) < 0 or np.max(target, initial=-1) >= classes:
        raise ValueError(f"target={target} has other classes than 0 to {classes - 1}")
    w = np.ones(classes) if weight is None else float64(np.asarray(weight))
    return _margins(x, right_class(target, classes), w[np.asarray(target)], p, margin)


def multilabel_margin_loss(x: Array, target: Array) -> Terms:
    """``Σ_y Σ_j max(0, 1 − x_y + x_j) / C`` over the labels y of the row and the classes j that are none of them.

    target: labels, as the scores; the first that is −1 ends them. Source: torch.nn.MultiLabelMarginLoss.

    >>> x = np.array([0.1, 0.2, 0.4, 0.8])
    >>> float(np.round(multilabel_margin_loss(x, np.array([3, 0, -1, 1]))[0], 9))
    0.85
    """
    return _margins(x, right_classes(target), np.ones(np.shape(x)[:-1]), 1, 1.0)


def multilabel_soft_margin_loss(x: Array, target: Array, weight: Sequence[float] | None = None) -> Terms:
    """``−Σ_j w_j·(t_j·log σ(x_j) + (1 − t_j)·log σ(−x_j)) / C``. target: zeros and ones, as the scores.

    Source: torch.nn.MultiLabelSoftMarginLoss.

    >>> multilabel_soft_margin_loss(np.zeros((1, 2)), np.array([[1.0, 0.0]]))[0] / np.log(2.0)
    array([1.])
    """
    w = None if weight is None else np.asarray(weight)
    values, (slope, _), _ = elementwise_loss.binary_cross_entropy_with_logits(x, target, w)
    classes = np.shape(x)[-1]
    return values.sum(axis=-1) / classes, (slope / classes,)


def multilabel_soft_margin_second(x: Array, h: Array, target: Array, weight: Sequence[float] | None = None) -> Terms:
    """Derivatives along h: ``Σ_j h_j·slope_j`` of the value, and ``w_j·h_j·σ·(1 − σ) / C`` of the slopes.

    Derived from the formula of :func:`multilabel_soft_margin_loss`; the second derivative of log σ is ``−σ·(1 − σ)``.

    >>> multilabel_soft_margin_second(np.zeros((1, 2)), np.array([[2.0, 4.0]]), np.array([[1.0, 0.0]]))
    (array([0.5]), (array([[0.25, 0.5 ]]),))
    """
    w = None if weight is None else np.asarray(weight)
    _, (slope, _), ((bend, _), _) = elementwise_loss.binary_cross_entropy_with_logits(x, target, w)
    classes = np.shape(x)[-1]
    return (h * slope).sum(axis=-1) / classes, (h * bend / classes,)


def right_class(target: Array, classes: int) -> Array:
    """True for the class of each row. target: (rows,); returns (rows, C)."""
    return np.asarray(np.asarray(target)[..., None] == np.arange(classes))


def right_classes(target: Array) -> Array:
    """True for the labels of each row, which end before the first −1. target: (rows, C), as what is returned.

    >>> right_classes(np.array([3, 0, -1, 1])).tolist()
    [True, False, False, True]
    """
    target = np.asarray(target)
    listed = np.minimum.accumulate(np.where(target < 0, 0, 1), axis=-1) == 1
    named = target[..., :, None] == np.arange(target.shape[-1])
    return np.asarray((named & listed[..., :, None]).any(axis=-2))


def _margins(x: Array, right: Array, weight: Array, p: int, margin: float) -> Terms:
    rows = float64(x).reshape(-1, np.shape(x)[-1])
    values, slopes = np.zeros(len(rows)), np.zeros(rows.shape)
    _exceeding(values, slopes, rows, right.reshape(rows.shape), float64(weight).reshape(-1), p, margin)
    return values.reshape(np.shape(x)[:-1]), (slopes.reshape(np.shape(x)),)


@njit(cache=True)
def _exceeding(values, slopes, x, right, weight, p, margin):  # type: ignore[no-untyped-def]
    classes = x.shape[1]
    for n in range(x.shape[0]):
        for y in range(classes):
            for j in range(classes):
                inside = margin - x[n, y] + x[n, j]
                if right[n, y] and not right[n, j] and inside > 0.0:
                    slope = weight[n] / classes * (1.0 if p == 1 else 2.0 * inside)
                    values[n] += weight[n] / classes * inside**p
                    slopes[n, j] += slope
                    slopes[n, y] -= slope

"""Losses, their gradients, and accuracy."""

from __future__ import annotations

import numpy as np
from numba import njit

from refimpl.activation import log_softmax, softmax
from refimpl.arrays import Array, float64


def cross_entropy(logits: Array, target: Array) -> float:
    """Mean over the batch of ``−log softmax(logits)[target]`` (S20).

    logits: (N, classes); target: (N,) class indices. Raises ValueError for a class that does not exist.
    Source: torch.nn.CrossEntropyLoss, reduction "mean".

    >>> cross_entropy(np.zeros((4, 10)), np.arange(4)) == np.log(10)
    np.True_
    """
    _check_classes(np.shape(logits), target)
    return _mean_picked(log_softmax(logits), np.asarray(target, dtype=np.int64))


def cross_entropy_gradient(logits: Array, target: Array, cotangent: float = 1.0) -> Array:
    """``∂logits[n,i] = cotangent · (softmax(logits)[n,i] − [i = target[n]]) / N``. Returns (N, classes)."""
    _check_classes(np.shape(logits), target)
    gradient = softmax(logits)
    _subtract_picked(gradient, np.asarray(target, dtype=np.int64), cotangent)
    return gradient


def squared_error(y: Array, target: Array) -> float:
    """Summed squared error (S7): ``Σ (y − target)²``.

    >>> squared_error(np.array([1, 2]), np.array([3, 3]))
    5.0
    """
    return _squared_error(float64(y).reshape(-1), float64(target).reshape(-1))


def squared_error_gradient(y: Array, target: Array) -> Array:
    """``∂y = 2 · (y − target)``, elementwise."""
    return 2.0 * (float64(y) - float64(target))


def correct(logits: Array, target: Array) -> int:
    """Rows whose largest logit, the first among equals, is the target. logits: (N, classes); target: (N,)."""
    _check_classes(np.shape(logits), target)
    return int(_count_correct(float64(logits), np.asarray(target, dtype=np.int64)))


def accuracy(logits: Array, target: Array) -> float:
    """Share of correct rows (S21). Raises ValueError on an empty batch, which has none.

    >>> accuracy(np.array([[1, 2], [2, 1], [0, 0]]), np.array([1, 1, 0]))
    0.6666666666666666
    """
    if not len(target):
        raise ValueError("an empty batch has no accuracy")
    return correct(logits, target) / len(target)


def _check_classes(logits: tuple[int, ...], target: Array) -> None:
    if np.shape(target) != logits[:1]:
        raise ValueError(f"target has shape {np.shape(target)}, but logits hold {logits[0]} rows")
    if len(target) and not 0 <= np.min(target) <= np.max(target) < logits[1]:
        raise ValueError(f"targets reach from {np.min(target)} to {np.max(target)}, but there are {logits[1]} classes")


@njit(cache=True)
def _mean_picked(log_probabilities, target):  # type: ignore[no-untyped-def]
    total = 0.0
    for n in range(target.shape[0]):
        total -= log_probabilities[n, target[n]]
    return total / target.shape[0]


@njit(cache=True)
def _subtract_picked(gradient, target, cotangent):  # type: ignore[no-untyped-def]
    for n, i in np.ndindex(gradient.shape):
        picked = 1.0 if i == target[n] else 0.0
        gradient[n, i] = cotangent * (gradient[n, i] - picked) / gradient.shape[0]


@njit(cache=True)
def _squared_error(y, target):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(y.shape[0]):
        total += (y[i] - target[i]) ** 2
    return total


@njit(cache=True)
def _count_correct(logits, target):  # type: ignore[no-untyped-def]
    correct = 0
    for n in range(logits.shape[0]):
        best = 0
        for i in range(logits.shape[1]):
            if logits[n, i] > logits[n, best]:
                best = i
        correct += best == target[n]
    return correct

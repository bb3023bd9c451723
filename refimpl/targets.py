"""Targets of classification losses: what each class of each row counts for.

The input x of such a loss has its classes on axis 1, (N, C, *spatial), or is unbatched, (C,). A target holds class
indices, (N, *spatial) or (), or class probabilities in the shape of x. ``weight`` (C,) weighs the classes, a row
whose class is ``ignore_index`` counts for nothing, and ``label_smoothing`` mixes the target with equal shares for all
classes. Inside, x is rows of classes: row n, class c.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64


def weighted_target(
    x: tuple[int, ...],
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Array:
    """The weighted target a of each row, (rows, classes): ``a[n,c] = weight[c] · ((1 − s)·t[n,c] + s/C)``.

    t is one at the class of the row, or the probabilities given; s is ``label_smoothing``; an ignored row is zero.
    x: the shape of the logits. Source: torch.nn.CrossEntropyLoss.

    >>> weighted_target((3, 2), np.array([0, 1, -100]), np.array([1.0, 3.0]), label_smoothing=0.5)
    array([[0.75, 0.75],
           [0.25, 2.25],
           [0.  , 0.  ]])
    """
    if weight is not None and np.shape(weight) != (_classes(x),):
        raise ValueError(f"weight has shape {np.shape(weight)}, but there are {_classes(x)} classes")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"label_smoothing={label_smoothing} is not between 0 and 1")
    of_classes = np.ones(_classes(x)) if weight is None else float64(weight)
    if is_probabilities(x, target):
        a = rows_of(target).copy()
        kept = np.ones(len(a), dtype=np.bool_)
    else:
        check_indices(x, target, ignore_index)
        labels = np.asarray(target, dtype=np.int64).reshape(-1)
        a, kept = np.zeros((len(labels), _classes(x))), labels != ignore_index
        _mark(a, labels, kept)
    _smooth(a, kept, of_classes, label_smoothing)
    return a


def divisor(x: tuple[int, ...], target: Array, weight: Array | None = None, ignore_index: int = -100) -> float:
    """D of reduction "mean": ``Σ_n weight[target_n]`` over the rows that count; the rows where t is probabilities.

    >>> divisor((3, 2), np.array([0, 1, -100]), np.array([1.0, 3.0])), divisor((3, 2), np.ones((3, 2)))
    (4.0, 3.0)
    """
    if is_probabilities(x, target):
        return float(np.prod(losses_shape(x)))
    return float(weighted_target(x, target, weight, ignore_index).sum())


def is_probabilities(x: tuple[int, ...], target: Array) -> bool:
    """True if a target gives probabilities: then it has the shape of x, where indices lack the axis of classes."""
    return np.shape(target) == tuple(x)


def losses_shape(x: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the losses before they are reduced: x without its classes."""
    return tuple(x[:1]) + tuple(x[2:]) if len(x) > 1 else ()


def rows_of(x: Array) -> Array:
    """(N, C, *spatial) or (C,) → (rows, C)."""
    values = float64(x)
    last = values if values.ndim == 1 else np.moveaxis(values, 1, -1)
    return np.ascontiguousarray(last).reshape(int(np.prod(last.shape[:-1])), last.shape[-1])


def unrowed(rows: Array, shape: tuple[int, ...]) -> Array:
    """(rows, C) → (N, C, *spatial) or (C,): back from :func:`rows_of`."""
    if len(shape) == 1:
        return rows.reshape(shape)
    return np.ascontiguousarray(np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1))


def check_indices(x: tuple[int, ...], target: Array, ignore_index: int = -100) -> None:
    """Raise ValueError unless a target gives the index of a class, or ``ignore_index``, for each row of x."""
    if len(x) == 0 or np.shape(target) != losses_shape(x):
        raise ValueError(f"target has shape {np.shape(target)}, which no input of shape {x} has rows for")
    labels = np.asarray(target, dtype=np.int64).reshape(-1)
    counted = labels[labels != ignore_index]
    if counted.size and not 0 <= counted.min() <= counted.max() < _classes(x):
        raise ValueError(f"targets reach from {counted.min()} to {counted.max()}, but there are {_classes(x)} classes")


def _classes(x: tuple[int, ...]) -> int:
    return x[1] if len(x) > 1 else x[0]


@njit(cache=True)
def _mark(a, labels, kept):  # type: ignore[no-untyped-def]
    for n in range(a.shape[0]):
        if kept[n]:
            a[n, labels[n]] = 1.0


@njit(cache=True)
def _smooth(a, kept, weight, smoothing):  # type: ignore[no-untyped-def]
    for n, c in np.ndindex(a.shape):
        if kept[n]:
            a[n, c] = weight[c] * ((1.0 - smoothing) * a[n, c] + smoothing / a.shape[1])

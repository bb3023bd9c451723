"""Losses, their gradients, and accuracy.

Classification losses take logits or log-probabilities x, a target and options as :mod:`refimpl.targets` says, and
are ``ℓ_n = −Σ_c a[n,c]·y[n,c]`` with y the log-probabilities and a the weighted target. ``reduction`` is "none" for
the ℓ_n themselves, "sum" for their sum, and "mean" for their sum over D, :func:`refimpl.targets.divisor`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refimpl.activation import log_softmax, softmax, softmax_gradient
from refimpl.arrays import Array, float64
from refimpl.targets import check_indices, divisor, is_probabilities, losses_shape, rows_of, unrowed, weighted_target

REDUCTIONS = ("none", "mean", "sum")


def cross_entropy(
    logits: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """``ℓ_n = −Σ_c a[n,c] · log softmax(logits[n])[c]`` (S20), one for each row, their sum, or their sum over D.

    Operands and options: see :mod:`refimpl.targets`. Returns the target's rows, (N, *spatial) or (), for "none", else
    (). Raises ValueError for a class that does not exist and where shapes do not fit.
    Source: torch.nn.CrossEntropyLoss.

    >>> cross_entropy(np.zeros((4, 10)), np.arange(4)) == np.log(10)
    np.True_
    >>> cross_entropy(np.zeros((3, 2)), np.array([0, 1, -100]), np.array([1.0, 3.0]), reduction="none") / np.log(2)
    array([1., 3., 0.])
    >>> cross_entropy(np.zeros((1, 2)), np.array([[0.25, 0.5]])) == 0.75 * np.log(2)
    np.True_
    """
    a = weighted_target(np.shape(logits), target, weight, ignore_index, label_smoothing)
    losses = _losses(log_softmax(rows_of(logits)), a)
    return reduced(losses, np.shape(logits), target, weight, ignore_index, reduction)


def cross_entropy_gradient(
    logits: Array,
    target: Array,
    cotangent: Array | float = 1.0,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """``∂logits[n,i] = (cotangent_n / D) · (softmax(logits[n])[i] · Σ_c a[n,c] − a[n,i])``, in the shape of logits.

    cotangent: as the loss; D is 1 unless reduction is "mean". An ignored row has no gradient, even where nothing counts
    and D is zero. The rest as for :func:`cross_entropy`.

    >>> cross_entropy_gradient(np.zeros((2, 2)), np.array([0, 1]), 4.0)
    array([[-1.,  1.],
           [ 1., -1.]])
    """
    a = weighted_target(np.shape(logits), target, weight, ignore_index, label_smoothing)
    shares = shares_of(np.shape(logits), target, cotangent, weight, ignore_index, reduction)
    gradient = softmax(rows_of(logits))
    _to_logits(gradient, a, shares, _counted(np.shape(logits), target, ignore_index))
    return unrowed(gradient, np.shape(logits))


def cross_entropy_second(
    h: Array,
    g: Array | float,
    logits: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Array, Array]:
    """Gradients of ``S = ⟨h, cross_entropy_gradient(logits, target, g)⟩`` to g and to logits.

    ``∂g = Σ_i h[n,i]·(P[n,i]·A_n − a[n,i]) / D``, summed over n too where g is one number, and
    ``∂logits[n] = (g_n/D)·A_n · J_n·h[n]``, with P the softmax, J its Jacobian and ``A_n = Σ_c a[n,c]``.
    h: as logits; g: as the loss; the rest as for :func:`cross_entropy`.

    >>> cross_entropy_second(np.array([[4.0, 0.0]]), 2.0, np.zeros((1, 2)), np.array([0]))
    (array(-2.), array([[ 2., -2.]]))
    """
    shape = np.shape(logits)
    a = weighted_target(shape, target, weight, ignore_index, label_smoothing)
    slopes = cross_entropy_gradient(
        logits, target, np.ones(losses_shape(shape)), weight, ignore_index, "none", label_smoothing
    )
    to_g = reduced((rows_of(h) * rows_of(slopes)).sum(axis=-1), shape, target, weight, ignore_index, reduction)
    shares = shares_of(shape, target, g, weight, ignore_index, reduction)
    with np.errstate(invalid="ignore"):
        factors = np.where(_counted(shape, target, ignore_index), shares * a.sum(axis=-1), 0.0)
        to_logits = softmax_gradient(rows_of(h), rows_of(logits)) * factors[:, None]
    return to_g, unrowed(to_logits, shape)


def nll_loss(
    x: Array, target: Array, weight: Array | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Array:
    """``ℓ_n = −weight[target_n] · x[n, target_n]``, one for each row, their sum, or their sum over D.

    x: log-probabilities; target: class indices; the rest as for :func:`cross_entropy`. Source: torch.nn.NLLLoss.

    >>> nll_loss(np.array([[-1.0, -2.0], [-3.0, -5.0]]), np.array([0, 1]), np.array([1.0, 3.0]))   # (1·1 + 3·5) / 4
    array(4.)
    """
    check_indices(np.shape(x), target, ignore_index)
    losses = _losses(rows_of(x), weighted_target(np.shape(x), target, weight, ignore_index))
    return reduced(losses, np.shape(x), target, weight, ignore_index, reduction)


def nll_loss_gradient(
    x: Array,
    target: Array,
    cotangent: Array | float = 1.0,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """``∂x[n,i] = −(cotangent_n / D) · weight[i] · [i = target_n]``, in the shape of x.

    An ignored row has no gradient, even where nothing counts and D is zero.

    >>> nll_loss_gradient(np.zeros((2, 2)), np.array([0, 1]), 4.0)
    array([[-2.,  0.],
           [ 0., -2.]])
    """
    check_indices(np.shape(x), target, ignore_index)
    shares = shares_of(np.shape(x), target, cotangent, weight, ignore_index, reduction)
    a = weighted_target(np.shape(x), target, weight, ignore_index)
    marked = weighted_target(np.shape(x), target, None, ignore_index) != 0.0
    with np.errstate(invalid="ignore"):
        gradient = np.where(marked, -a * shares[:, None], 0.0)
    return unrowed(gradient, np.shape(x))


def squared_error(y: Array, target: Array) -> float:
    """Summed squared error (S7): ``Σ (y − target)²``.

    >>> squared_error(np.array([1, 2]), np.array([3, 3]))
    5.0
    """
    return float(_squared_error(float64(y).reshape(-1), float64(target).reshape(-1)))


def squared_error_gradient(y: Array, target: Array) -> Array:
    """``∂y = 2 · (y − target)``, elementwise.

    >>> squared_error_gradient(np.array([1, 2]), np.array([3, 3]))
    array([-4., -2.])
    """
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


def reduced(
    losses: Array, x: tuple[int, ...], target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> Array:
    """The losses of the rows as ``reduction`` wants them; a mean over nothing, or over weights of zero, is NaN."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is none of {', '.join(REDUCTIONS)}")
    if reduction == "none":
        return losses.reshape(losses_shape(x))
    total = np.float64(added_up(losses))
    if reduction == "sum":
        return np.asarray(total)
    return np.asarray(total / (divisor(x, target, weight, ignore_index) or np.nan))


def shares_of(
    x: tuple[int, ...],
    target: Array,
    cotangent: Array | float,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> Array:
    """``cotangent_n / D`` for each row, D only where reduction is "mean"."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is none of {', '.join(REDUCTIONS)}")
    shape = losses_shape(x)
    if np.shape(cotangent) != (shape if reduction == "none" else ()):
        raise ValueError(f"the cotangent has shape {np.shape(cotangent)}, which reduction={reduction!r} does not give")
    g = np.broadcast_to(float64(np.asarray(cotangent)), shape).reshape(-1)
    if reduction != "mean":
        return g.copy()
    return g / (divisor(x, target, weight, ignore_index) or np.nan)


def _counted(x: tuple[int, ...], target: Array, ignore_index: int) -> Array:
    """True for each row that counts; one with probabilities always does."""
    if is_probabilities(x, target):
        return np.ones(int(np.prod(losses_shape(x))), dtype=np.bool_)
    return np.asarray(target, dtype=np.int64).reshape(-1) != ignore_index


@njit(cache=True)
def _losses(y, a):  # type: ignore[no-untyped-def]
    losses = np.zeros(y.shape[0])
    for n, c in np.ndindex(y.shape):
        if a[n, c] != 0.0:
            losses[n] -= a[n, c] * y[n, c]
    return losses


@njit(cache=True)
def added_up(values):  # type: ignore[no-untyped-def]
    """The sum of some numbers, in their order."""
    total = 0.0
    for value in values:
        total += value
    return total


@njit(cache=True)
def _to_logits(gradient, a, shares, counted):  # type: ignore[no-untyped-def]
    for n in range(gradient.shape[0]):
        mass = 0.0
        if not counted[n]:
            gradient[n] = 0.0
            continue
        for c in range(gradient.shape[1]):
            mass += a[n, c]
        for i in range(gradient.shape[1]):
            gradient[n, i] = shares[n] * (gradient[n, i] * mass - a[n, i])


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

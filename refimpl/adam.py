"""Adam and AdamW: gradient descent by moving averages of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from refimpl.arrays import Array, alike, float64
from refimpl.optimizer import in_turn
from refimpl.piecewise_activation import flat


class Moments(NamedTuple):
    """What is kept of a parameter after t steps: t, m ("exp_avg"), v ("exp_avg_sq") and the largest v so far, if any.

    They are arrays, or where their errors are followed :class:`refimpl.rounding.Computed`.
    """

    step: int
    exp_avg: Any
    exp_avg_sq: Any
    max_exp_avg_sq: Any = None


def adam_step(
    parameter: Array,
    gradient: Array,
    moments: Moments | None = None,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled: bool = False,
) -> tuple[Array, Moments]:
    """One step of Adam: ``m' = β₁m + (1 − β₁)g'``, ``v' = β₂v + (1 − β₂)g'²``,
    ``w' = w − lr·m̂ / (√v̂ + ε)`` with ``m̂ = m'/(1 − β₁ᵗ)`` and ``v̂ = v'/(1 − β₂ᵗ)`` after t steps.

    parameter w, gradient g: any one shape; without ``moments`` m and v are zeros and t is 1. ``g' = g + λw``, where λ
    is ``weight_decay``; if it is ``decoupled`` (AdamW), ``g' = g``, and w is ``(1 − lr·λ)·w`` before the step. With
    ``maximize``, −g takes the place of g; with ``amsgrad``, the largest v' so far that of v' in v̂. Returns w' and the
    moments. Raises ValueError where shapes differ. Source: torch.optim.Adam, torch.optim.AdamW.

    >>> options = {"lr": 0.5, "betas": (0.5, 0.75), "eps": 0.0, "amsgrad": True}
    >>> w, moments = adam_step(np.array([1.0]), np.array([2.0]), **options)                # m̂ = 2, v̂ = 4
    >>> w, moments.exp_avg, moments.exp_avg_sq
    (array([0.5]), array([1.]), array([1.]))
    >>> adam_step(w, np.array([0.0]), moments, **options)[1][1:]
    (array([0.5]), array([0.75]), array([1.]))
    >>> adam_step(np.array([4.0]), np.array([2.0]), lr=0.5, eps=0.0, weight_decay=0.5, decoupled=True)[0]   # 3 − 0.5
    array([2.5])
    """
    w, g = float64(parameter).copy(), float64(gradient)
    t, *before = moments or Moments(0, np.zeros(w.shape), np.zeros(w.shape))
    m, v, largest = (np.zeros(w.shape) if of is None else float64(of).copy() for of in before)
    alike(w, m, v, largest, g)
    rates, corrections = (lr, *betas, eps, weight_decay), (1.0 - betas[0] ** (t + 1), 1.0 - betas[1] ** (t + 1))
    given = (*flat(w, m, v, largest, g), *rates, amsgrad, maximize, decoupled, *corrections)
    _adam(*given)
    return w, Moments(t + 1, m, v, largest if amsgrad else None)


def adam_steps(
    parameters: Sequence[Any],
    gradients: Iterable[Sequence[Any]],
    step: Callable[..., tuple[Any, Moments]] = adam_step,
    **options: Any,
) -> tuple[list[Any], list[Moments | None]]:
    """Several steps of :func:`adam_step` on several parameters, as :func:`refimpl.optimizer.in_turn` says."""
    return in_turn(parameters, gradients, lambda w, g, moments: step(w, g, moments, **options))


@njit(cache=True, error_model="numpy")
def _adam(  # type: ignore[no-untyped-def]
    w, m, v, largest, g, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled, correction1, correction2
):
    for i in range(w.shape[0]):
        slope = -g[i] if maximize else g[i]
        if decoupled:
            w[i] = (1.0 - lr * weight_decay) * w[i]
        else:
            slope += weight_decay * w[i]
        m[i] = beta1 * m[i] + (1.0 - beta1) * slope
        v[i] = beta2 * v[i] + (1.0 - beta2) * slope * slope
        largest[i] = max(largest[i], v[i])
        root = np.sqrt((largest[i] if amsgrad else v[i]) / correction2)
        w[i] -= lr * (m[i] / correction1) / (root + eps)

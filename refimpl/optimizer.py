"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numba import njit

from refimpl.arrays import Array, alike, float64


def sgd_step(
    parameter: Array,
    gradient: Array,
    lr: float,
    momentum_buffer: Array | None = None,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array]:
    """One step of mini-batch SGD (S20): ``g' = g + λw``, ``v' = μv + (1 − τ)g'``, ``w' = w − lr·v'``.

    parameter w, gradient g, momentum_buffer v: any one shape; μ is ``momentum``, λ ``weight_decay``, τ ``dampening``.
    Before the first step v is absent, and without momentum it plays no part: there ``v' = g'``. With ``nesterov``,
    ``w' = w − lr·(g' + μv')``; with ``maximize``, −g takes the place of g. Returns w' and v'. Raises ValueError where
    shapes differ and for Nesterov momentum without momentum or with dampening. Source: torch.optim.SGD.

    >>> sgd_step(np.array([1.0]), np.array([2.0]), lr=0.5)[0]
    array([0.])
    >>> sgd_step(np.array([1.0]), np.array([2.0]), 0.5, np.array([4.0]), momentum=0.5, dampening=0.5)   # v' = 2 + 1
    (array([-0.5]), array([3.]))
    >>> sgd_step(np.array([1.0]), np.array([2.0]), 0.5, np.array([4.0]), momentum=0.5, nesterov=True)   # v' = 2 + 2
    (array([-1.]), array([4.]))
    """
    w, g = alike(parameter, gradient)
    if nesterov and (momentum <= 0.0 or dampening != 0.0):
        raise ValueError(f"nesterov needs momentum and no dampening, not momentum={momentum}, dampening={dampening}")
    decayed = _decayed(w, -g if maximize else g, weight_decay)
    velocity = decayed
    if momentum != 0.0 and momentum_buffer is not None:
        velocity = _velocity(float64(momentum_buffer), decayed, momentum, dampening)
    taken = _velocity(velocity, decayed, momentum, 0.0) if nesterov else velocity
    return _stepped(w, taken, lr), velocity


def sgd_steps(
    parameters: Sequence[Any],
    gradients: Iterable[Sequence[Any]],
    step: Callable[..., tuple[Any, Any]] = sgd_step,
    **options: Any,
) -> tuple[list[Any], list[Any]]:
    """Several steps of :func:`sgd_step` on several parameters, each with a velocity of its own.

    gradients: for each step one for each parameter, None where it has none, which leaves parameter and velocity as they
    are; a step that is skipped has no gradients at all. options: of ``step``. Returns the parameters and the velocities
    after the last step, None of a parameter that never had a gradient. Source: torch.optim.SGD.

    >>> sgd_steps([np.array([1.0])], [[np.array([2.0])], [], [np.array([1.0])]], lr=0.5, momentum=0.5)   # v = 2, then 2
    ([array([-1.])], [array([2.])])
    """
    return in_turn(parameters, gradients, lambda w, g, v: step(w, g, momentum_buffer=v, **options))


def in_turn(
    parameters: Sequence[Any], gradients: Iterable[Sequence[Any]], step: Callable[[Any, Any, Any], tuple[Any, Any]]
) -> tuple[list[Any], list[Any]]:
    """Several steps on several parameters: ``step`` takes a parameter, its gradient and what it kept before, or None.

    gradients: see :func:`sgd_steps`. Returns the parameters and what is kept of each, None where no step was taken.
    """
    moved, kept = list(parameters), [None] * len(parameters)
    for of_step in gradients:
        for i, gradient in enumerate(of_step):
            if gradient is not None:
                moved[i], kept[i] = step(moved[i], gradient, kept[i])
    return moved, kept


def _decayed(w: Array, g: Array, weight_decay: float) -> Array:
    """``g' = g + λw``."""
    return _combined(w, g, weight_decay, 1.0)


def _velocity(v: Array, g: Array, momentum: float, dampening: float) -> Array:
    """``μv + (1 − τ)g``."""
    return _combined(v, g, momentum, 1.0 - dampening)


def _stepped(w: Array, v: Array, lr: float) -> Array:
    """``w − lr·v``."""
    return _combined(v, w, -lr, 1.0)


def _combined(a: Array, b: Array, of_a: float, of_b: float) -> Array:
    a, b = alike(a, b)
    y = np.empty(a.shape)
    _combine(y.reshape(-1), a.reshape(-1), b.reshape(-1), of_a, of_b)
    return y


@njit(cache=True)
def _combine(y, a, b, of_a, of_b):  # type: ignore[no-untyped-def]
    for i in range(y.shape[0]):
        y[i] = of_a * a[i] + of_b * b[i]

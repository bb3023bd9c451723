"""Stochastic gradient descent."""

from __future__ import annotations

import numpy as np
from numba import njit

from refimpl.arrays import Array, float64


def sgd_step(
    parameter: Array,
    gradient: Array,
    lr: float,
    momentum_buffer: Array | None = None,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[Array, Array]:
    """One step of mini-batch SGD (S20): ``d = g + λp``, ``v' = μv + d``, ``p' = p − lr·v'``.

    parameter p, gradient g, momentum_buffer v: any one shape; v is absent before the first step, where
    ``v' = d``. Returns p' and v'. Source: torch.optim.SGD (dampening 0, no Nesterov momentum).

    >>> sgd_step(np.array([1.0]), np.array([2.0]), lr=0.5)[0]
    array([0.])
    """
    p, g = float64(parameter), float64(gradient)
    if p.shape != g.shape:
        raise ValueError(f"the gradient has shape {g.shape}, but the parameter {p.shape}")
    v = np.zeros(p.shape) if momentum_buffer is None else float64(momentum_buffer)
    stepped, velocity = np.empty(p.shape), np.empty(p.shape)
    flat = stepped.reshape(-1), velocity.reshape(-1)
    _sgd(*flat, p.reshape(-1), g.reshape(-1), v.reshape(-1), lr, momentum, weight_decay)
    return stepped, velocity


@njit(cache=True)
def _sgd(stepped, velocity, p, g, v, lr, momentum, weight_decay):  # type: ignore[no-untyped-def]
    for i in range(p.shape[0]):
        velocity[i] = momentum * v[i] + (g[i] + weight_decay * p[i])
        stepped[i] = p[i] - lr * velocity[i]
